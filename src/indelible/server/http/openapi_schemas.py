"""Schemas of bodies and answers: the shape from the types that validate, the meaning from the vocabulary."""

from collections.abc import Iterable, Mapping, Sequence
from inspect import cleandoc
from typing import Any, Final

import msgspec

from indelible.events import RecordedEvent
from indelible.groups import GroupInfo
from indelible.server.http.openapi_rows import not_null
from indelible.server.http.openapi_types import Schema
from indelible.server.http.openapi_vocabulary import JSON_MEDIA_TYPE, meaning_of_field
from indelible.wire.requests import EventBody

_PREFIX: Final = "#/components/schemas/"
_NAMES: Final = {
    EventBody.__name__: "NewEvent",
    RecordedEvent.__name__: "Event",
    GroupInfo.__name__: "Group",
}
"""Where a type's name, without the ending that says that only the wire has it, would not do."""

_DATA_OR_BYTES: Final[Schema] = {
    "if": {"required": ["event_data_base64"]},
    "then": {"not": {"required": ["event_data"]}},
    "else": {"required": ["event_data"]},
}
"""Not oneOf: generators of clients would make two types of it, with no fields but these."""
_BYTES_ARE_NOT_JSON: Final[Schema] = {
    "if": {"required": ["event_data_base64"]},
    "then": {
        "not": {"required": ["event_data"]},
        "properties": {"content_type": {"not": {"pattern": JSON_MEDIA_TYPE}}},
    },
    "else": {"required": ["event_data"], "properties": {"content_type": {"pattern": JSON_MEDIA_TYPE}}},
}

_POSITIONS_OR_ALL: Final[Schema] = {
    "if": {"properties": {"all": {"const": True}}, "required": ["all"]},
    "then": {"not": {"required": ["positions"]}},
    "else": {"required": ["positions"]},
}

_MORE: Final[dict[str, Schema]] = {
    "NewEvent": _BYTES_ARE_NOT_JSON,
    "Event": {"description": "An event of the log. Immutable."} | _DATA_OR_BYTES,
    "Append": {"description": "Events for the aggregate that the path names."},
    "AtomicAppend": {"description": "Appends that are stored whole or not at all."},
    "Batch": {"description": "Independent appends, each with its own outcome."},
    "AggregatePage": {"description": "Some events of one aggregate."},
    "FeedPage": {"description": "Some events of the log."},
    "Replay": {"description": "What rebuilds an aggregate's state: the newest snapshot, and the events after it."},
    "BatchResults": {"description": "What became of each append."},
    "BatchResult": {"description": "What became of one append."},
    "ChangeGroup": {"minProperties": 1},
    "ResetGroup": {"minProperties": 1, "maxProperties": 1},
    "ReplayParked": _POSITIONS_OR_ALL,
    "Health": {"description": "All is well."},
}
"""What the types of whole bodies do not say themselves."""

_NOT_ALWAYS: Final = ("Group.is_new", "Readiness.parts")
"""Fields that an answer may leave out."""

_ITEMS: Final[dict[str, Schema]] = {
    "AggregatePage.events": {"items": {"$ref": f"{_PREFIX}Event"}},
    "FeedPage.events": {"items": {"$ref": f"{_PREFIX}Event"}},
    "Replay.events": {"items": {"$ref": f"{_PREFIX}Event"}},
    "BatchResult.body": {"anyOf": [{"$ref": f"{_PREFIX}AppendResult"}, {"$ref": f"{_PREFIX}Problem"}]},
}
"""What is inside JSON that is passed on as text."""


def schema_name(type_name: str) -> str:
    return _NAMES.get(type_name, type_name.removesuffix("Body"))


def schema_of(kind: Any) -> Schema:
    """The schema of a type, where one is used: a reference to a component, or short enough to stand there."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {"$ref": _PREFIX + schema_name(kind.__name__)}
    schema: Schema = _finished(msgspec.json.schema(kind))
    return schema


def components(kinds: Iterable[Any], path_parameters: Mapping[str, Sequence[str]]) -> dict[str, Schema]:
    """Every schema that these types need, by name. Of those that an operation is asked with, ``path_parameters`` are
    not in the body."""
    _, by_type = msgspec.json.schema_components([*kinds, RecordedEvent], ref_template=f"{_PREFIX}{{name}}")
    return {
        schema_name(type_name): _component(schema_name(type_name), schema, path_parameters.get(type_name, ()))
        for type_name, schema in by_type.items()
    }


def _component(name: str, schema: Schema, without: Sequence[str]) -> Schema:
    is_answer = schema.get("additionalProperties") is not False
    properties = {
        field: _field(name, field, inner, is_answer)
        for field, inner in schema["properties"].items()
        if field not in without
    }
    required = [*properties] if is_answer else [field for field in schema["required"] if field not in without]
    required = [field for field in required if f"{name}.{field}" not in _NOT_ALWAYS]
    if name == "Event":
        required = [field for field in required if not field.startswith("event_data")]
    described = {**schema, "title": name, "properties": properties, "required": required, **_MORE.get(name, {})}
    return described | {"description": cleandoc(described["description"]).replace("``", "`")}


def _field(name: str, field: str, schema: Schema, is_answer: bool) -> Schema:
    """A field's schema. Answers name every field, and bound no list: what is stored counts, not today's limits."""
    if not is_answer:
        schema = not_null(schema)
    if "description" not in schema:
        schema = {**schema, **meaning_of_field(name, field), **_ITEMS.get(f"{name}.{field}", {})}
    schema = _in_words(_finished(schema)) if not is_answer else _finished(schema)
    return {
        word: value for word, value in schema.items() if word != "default" and not (is_answer and word == "maxItems")
    }


def _in_words(schema: Schema) -> Schema:
    """With its default in the description. Where it is a word of its own, generators of clients take the field for one
    that is always there, and ask callers to give it."""
    default = schema.get("default")
    return schema | {"description": f"{schema['description']} `{default}` when missing."} if default else schema


def _finished(schema: Any) -> Any:
    """The same schema, with references by the names that are shown. An object of which no member is said may have any,
    and says so: else generators of clients make one of it that has none."""
    if isinstance(schema, list):
        return [_finished(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    finished = {word: _finished(inner) for word, inner in schema.items()}
    reference = finished.get("$ref")
    if isinstance(reference, str):
        finished["$ref"] = _PREFIX + schema_name(reference.removeprefix(_PREFIX))
    return {"additionalProperties": True} | finished if finished.get("type") == "object" else finished
