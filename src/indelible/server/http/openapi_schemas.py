"""Schemas of bodies and answers: the shape from the types that validate, the meaning from the vocabulary."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from indelible.events import RecordedEvent
from indelible.groups import GroupInfo
from indelible.queries import QueryItem
from indelible.server.http.openapi_types import Schema
from indelible.server.http.openapi_vocabulary import JSON_MEDIA_TYPE, meaning_of_field
from indelible.wire.group_requests import GroupBody
from indelible.wire.requests import EventBody, SnapshotBody

_PREFIX: Final = "#/components/schemas/"
_NAMES: Final = {
    EventBody.__name__: "NewEvent",
    SnapshotBody.__name__: "NewSnapshot",
    RecordedEvent.__name__: "Event",
    QueryItem.__name__: "GroupQueryItem",
    GroupBody.__name__: "NewGroup",
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
    "Snapshot": {"description": "A saved state of an aggregate at a version: an aid to replay, never the truth."},
    "NewSnapshot": {"description": "A state to save."},
    "QueryItem": {"description": "Any of the event types, any of the aggregate types, and all of the tags."},
    "AggregatePage": {"description": "Some events of one aggregate."},
    "FeedPage": {"description": "Some events of the log."},
    "Replay": {"description": "What rebuilds an aggregate's state: the newest snapshot, and the events after it."},
    "Head": {"description": "Where the log ends now."},
    "EventTypes": {"description": "What happens in this store."},
    "AggregateTypes": {"description": "What things happen to."},
    "AggregateTypeInfo": {"description": "How much there is of one aggregate type."},
    "AggregateInfo": {"description": "How far an aggregate has come."},
    "BatchResults": {"description": "What became of each append."},
    "BatchResult": {"description": "What became of one append."},
    "GroupQueryItem": {"description": "Any of the event types, any of the aggregate types, and all of the tags."},
    "NewGroup": {"description": "What a group reads, and how."},
    "GroupChange": {"description": "Settings to change.", "minProperties": 1},
    "Groups": {"description": "Every group."},
    "Reset": {"description": "Where to read on: one of these.", "minProperties": 1, "maxProperties": 1},
    "Pull": {"description": "Who wants events, how many, and for how long to wait."},
    "Deliveries": {"description": "Events that are now with a member."},
    "Ack": {"description": "Deliveries whose events are done."},
    "Nack": {"description": "Deliveries to refuse."},
    "Extend": {"description": "Deliveries that take longer."},
    "InFlightList": {"description": "All events that are with members."},
    "ReplayParked": {"description": "Which parked events to deliver again."} | _POSITIONS_OR_ALL,
    "SkipParked": {"description": "Which parked events to pass over, and why."},
    "Replayed": {"description": "What became of parked events."},
    "Skipped": {"description": "What became of parked events."},
    "Health": {"description": "All is well."},
}
"""What the types of whole bodies do not say themselves."""

_ITEMS: Final[dict[str, Schema]] = {
    "AggregatePage.events": {"items": {"$ref": f"{_PREFIX}Event"}},
    "FeedPage.events": {"items": {"$ref": f"{_PREFIX}Event"}},
    "Replay.events": {"items": {"$ref": f"{_PREFIX}Event"}},
    "Delivery.event": {"$ref": f"{_PREFIX}Event"},
    "BatchResult.body": {"anyOf": [{"$ref": f"{_PREFIX}AppendResult"}, {"$ref": f"{_PREFIX}Problem"}]},
}
"""What is inside JSON that is passed on as text."""


def schema_name(type_name: str) -> str:
    return _NAMES.get(type_name, type_name.removesuffix("Body"))


def schema_of(kind: Any) -> Schema:
    """The schema of a type, where one is used: a reference to a component, or short enough to stand there."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {"$ref": _PREFIX + schema_name(kind.__name__)}
    return msgspec.json.schema(kind)


def components(kinds: Iterable[Any]) -> dict[str, Schema]:
    """Every schema that these types need, by name."""
    _, by_type = msgspec.json.schema_components([*kinds, RecordedEvent], ref_template=f"{_PREFIX}{{name}}")
    return {schema_name(type_name): _component(schema_name(type_name), schema) for type_name, schema in by_type.items()}


def _component(name: str, schema: Schema) -> Schema:
    is_answer = schema.get("additionalProperties") is not False
    properties = {field: _field(name, field, inner, is_answer) for field, inner in schema["properties"].items()}
    required = [*properties] if is_answer else schema["required"]
    if name == "Event":
        required = [field for field in required if not field.startswith("event_data")]
    described = {**schema, "title": name, "properties": properties, "required": required, **_MORE.get(name, {})}
    return described | {"description": described["description"].replace("``", "`")}


def _field(name: str, field: str, schema: Schema, is_answer: bool) -> Schema:
    """A field's schema. Answers name every field, and bound no list: what is stored counts, not today's limits."""
    schema = _renamed({**schema, **meaning_of_field(name, field), **_ITEMS.get(f"{name}.{field}", {})})
    if is_answer:
        schema = {word: value for word, value in schema.items() if word not in ("default", "maxItems")}
    return schema


def _renamed(schema: Any) -> Any:
    """The same schema, with references by the names that are shown."""
    if isinstance(schema, list):
        return [_renamed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    renamed = {word: _renamed(inner) for word, inner in schema.items()}
    reference = renamed.get("$ref")
    if isinstance(reference, str):
        renamed["$ref"] = _PREFIX + schema_name(reference.removeprefix(_PREFIX))
    return renamed
