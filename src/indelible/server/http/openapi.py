"""The OpenAPI 3.1 document of the routes, and the AsyncAPI 3 document of subscriptions, made from the rows of
operations and from what the fields of their Structs say."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from inspect import cleandoc
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from indelible.events import JSON_CONTENT_TYPE, RecordedEvent
from indelible.groups import GroupInfo
from indelible.limits import CHECKPOINT_INTERVAL_S, HEARTBEAT_S
from indelible.operations import Operation
from indelible.operations.events import SUBSCRIBE
from indelible.queries import QueryItem
from indelible.server.http.openapi_problems import ALWAYS_THERE, RESPONSE_HEADERS, error_responses, problem_schemas
from indelible.wire.operation_json import query_names
from indelible.words import Schema

Row = Operation[Any, Any]

_DESCRIPTION: Final = """\
An event store: services append events to aggregates, read them back, query them and replay them.

Bodies are JSON in UTF-8, and strict: an unknown field or parameter, a wrong type or NaN is an error that names the \
field by its JSON pointer. In paths, percent-encode what is not a letter, digit, `-`, `.`, `_` or `~`: `/` in an \
aggregate id is `%2F`.

This document describes JSON alone. What else an operation offers or takes (streams of lines, server-sent events, \
CloudEvents) stands in its description.

Errors are problem documents (RFC 9457) with a stable `code`. Beside those that each operation lists, a path that does \
not exist is `not_found` (404), and a method that a path does not have is `method_not_allowed` (405) with `Allow`. \
HEAD is answered where GET is.

An append is answered once it is on stable storage. A time-out or a broken connection means that it may be stored: \
send it again with the same event ids; that never doubles."""

_SECTIONS: Final = {
    "Append": "Store events, atomically and under the conditions that you name.",
    "Read": "Events of one aggregate, or of the whole log.",
    "Snapshots": "Saved states, so that replay need not start at the first event.",
    "Catalogue": "What the store holds.",
    "Search": "Events by the words and values in them, through an index that follows the log a little behind it.",
    "Consumer groups": "Named readers of the log that share the work among their members. Each event is delivered to "
    "one of them, those of one aggregate in order, and again until it is acknowledged. An event that fails too often "
    "is parked, and its aggregate with it; the others go on.",
    "Relays": "Named publishers of the log to message brokers, and how far each has come. One process at a time owns a "
    "relay; whoever owned it before is refused.",
    "Keys": "What callers show to say who they are, where the server asks for that.",
    "Schemas": "JSON Schemas that the data of event types must fit. A version keeps what the one before promises, as "
    "far as you ask for that.",
    "Operations": "Health, metrics and this reference.",
}

_HEADER_PARAMETERS: Final[dict[str, Schema]] = {
    "If-Match": {
        "type": "string",
        "pattern": r'^(\*|"[0-9]{1,16}")$',
        "description": 'The expected version in quotes, such as "3"; * for any version but 0. Not with If-None-Match.',
    },
    "If-None-Match": {
        "type": "string",
        "enum": ["*"],
        "description": "The aggregate must not exist yet. Not with If-Match.",
    },
}
_LICENSE_URL: Final = "https://www.apache.org/licenses/LICENSE-2.0"


def build_document(rows: Sequence[Row]) -> dict[str, Any]:
    """The document of these operations, as a JSON object."""
    paths: dict[str, Any] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Indelible",
            "version": version("indelible"),
            "summary": "The REST API of the Indelible event store, version 1.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "security": [],
        "tags": [{"name": name, "description": text} for name, text in _SECTIONS.items()],
        "paths": paths,
        "components": {
            "schemas": {**_components(rows), **problem_schemas()},
            "headers": {
                name: {"description": text, "required": name in ALWAYS_THERE, "schema": schema}
                for name, (text, schema) in RESPONSE_HEADERS.items()
            },
        },
    }


# --- Operations ------------------------------------------------------------------------------------------------------


def _operation(row: Row) -> Schema:
    in_query = {*query_names(row).single, *query_names(row).repeatable}
    schemas = _parameter_schemas(row.parameters)
    described: Schema = {
        "operationId": row.name,
        "tags": [row.section],
        "summary": row.summary,
        "description": row.description,
        "parameters": [
            *(_parameter("path", name, schemas[name]) for name in row.path_parameters),
            *(_parameter("query", name, schemas[name]) for name in schemas if name in in_query),
            *(_parameter("header", name, _HEADER_PARAMETERS[name]) for name in row.request_headers),
        ],
    }
    body = _body_of(row)
    if body is not None:
        described["requestBody"] = {"required": True, "content": _content(body, row.path_parameters)}
    return described | {"responses": _answers(row) | error_responses(row, has_body=body is not None)}


def _body_of(row: Row) -> Any:
    """The type of the body, if there is anything that the path does not say."""
    has_more = len(_parameter_schemas(row.parameters)) > len(row.path_parameters)
    return row.parameters if row.has_body and has_more else None


def _parameter_schemas(kind: type[Any]) -> dict[str, Schema]:
    """Of each parameter, what its Struct says."""
    _, schemas = msgspec.json.schema_components([kind], ref_template=f"{_PREFIX}{{name}}")
    properties: dict[str, Schema] = next(iter(schemas.values()))["properties"]
    return {name: _not_null(schema) for name, schema in properties.items()}


def _parameter(place: str, name: str, meaning: Schema) -> Schema:
    schema = {word: value for word, value in meaning.items() if word != "description"}
    parameter: Schema = {"name": name, "in": place, "description": meaning["description"], "required": place == "path"}
    if place == "path":
        parameter["example"] = meaning["examples"][0]
    if "$ref" in schema.get("items", {}):
        return parameter | {"content": {JSON_CONTENT_TYPE: {"schema": schema}}}
    return parameter | {"schema": schema}


def _answers(row: Row) -> Schema:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in row.answer_headers}
    content = {} if row.answer is None else _content(row.answer, media_type=row.media_type)
    answer: Schema = {"description": row.answers, "headers": headers, "content": content}
    fields = getattr(row.answer, "__struct_fields__", ())
    if "replayed" in fields:
        again = "They were stored before; this is the first result again."
        return {"201": answer, "200": answer | {"description": again}}
    if "is_new" in fields and row.method == "PUT":
        return {"201": answer, "200": answer}
    if row.method == "GET" and "ETag" in row.answer_headers:
        unchanged = "As it was when the caller got the ETag that If-None-Match names."
        return {"200": answer, "304": {"description": unchanged, "headers": headers, "content": {}}}
    return {"204" if row.answer is None else "200": answer}


def _content(kind: Any, without: Sequence[str] = (), media_type: str = JSON_CONTENT_TYPE) -> Schema:
    content: Schema = {"schema": _schema_of(kind)}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        content["example"] = _example_of(kind, without)
    return {media_type: content}


# --- Schemas ---------------------------------------------------------------------------------------------------------

_PREFIX: Final = "#/components/schemas/"
_NAMES: Final = {RecordedEvent.__name__: "Event", GroupInfo.__name__: "Group"}
"""Where a type's name, without the ending that says that only the wire has it, would not do."""

_JSON_MEDIA_TYPE: Final = (
    r"^([Aa][Pp][Pp][Ll][Ii][Cc][Aa][Tt][Ii][Oo][Nn]/[Jj][Ss][Oo][Nn]|[^;]*\+[Jj][Ss][Oo][Nn])(;|$)"
)
_DATA_OR_BYTES: Final[Schema] = {
    "if": {"required": ["event_data_base64"]},
    "then": {"not": {"required": ["event_data"]}},
    "else": {"required": ["event_data"]},
}
"""Not oneOf: generators of clients would make two types of it, with no fields but these."""
_POSITIONS_OR_ALL: Final[Schema] = {
    "if": {"properties": {"all": {"const": True}}, "required": ["all"]},
    "then": {"not": {"required": ["positions"]}},
    "else": {"required": ["positions"]},
}
_MORE: Final[dict[str, Schema]] = {
    "NewEvent": {
        "if": {"required": ["event_data_base64"]},
        "then": {
            "not": {"required": ["event_data"]},
            "properties": {"content_type": {"not": {"pattern": _JSON_MEDIA_TYPE}}},
        },
        "else": {"required": ["event_data"], "properties": {"content_type": {"pattern": _JSON_MEDIA_TYPE}}},
    },
    "Event": _DATA_OR_BYTES,
    "ChangeGroup": {"minProperties": 1},
    "ResetGroup": {"minProperties": 1, "maxProperties": 1},
    "RedriveParked": _POSITIONS_OR_ALL,
    "RetrySetAside": _POSITIONS_OR_ALL,
    "DismissSetAside": _POSITIONS_OR_ALL,
}
"""What the types of whole bodies do not say themselves."""
_NOT_ALWAYS: Final = (
    "Group.is_new", "InFlight.partition", "ParkedEvent.partition", "SkippedEvent.partition",
    "Event.event_data", "Event.event_data_base64", "Readiness.parts",
)  # fmt: skip
"""Fields that an answer may leave out."""


def _schema_of(kind: Any) -> Schema:
    """The schema of a type, where one is used: a reference to a component, or short enough to stand there."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {"$ref": _PREFIX + _schema_name(kind.__name__)}
    schema: Schema = _finished(msgspec.json.schema(kind))
    return schema


def _schema_name(type_name: str) -> str:
    return _NAMES.get(type_name, type_name.removesuffix("Body"))


def _types(rows: Sequence[Row]) -> Iterator[Any]:
    for row in rows:
        yield from (kind for kind in (_body_of(row), row.answer) if kind is not None)
    # Where others hold them, they are passed on as text, or stand in a query string.
    yield from (RecordedEvent, QueryItem)


def _components(rows: Sequence[Row]) -> dict[str, Schema]:
    """Every schema that the operations need, by name. Of what they are asked with, the path's part is not there."""
    path_parameters = {row.parameters.__name__: row.path_parameters for row in rows if row.has_body}
    _, by_type = msgspec.json.schema_components(_types(rows), ref_template=f"{_PREFIX}{{name}}")
    return {
        _schema_name(type_name): _component(_schema_name(type_name), schema, path_parameters.get(type_name, ()))
        for type_name, schema in by_type.items()
    }


def _component(name: str, schema: Schema, without: Sequence[str]) -> Schema:
    is_answer = schema.get("additionalProperties") is not False
    properties = {
        field: _field(inner, is_answer) for field, inner in schema["properties"].items() if field not in without
    }
    required = [*properties] if is_answer else [field for field in schema["required"] if field not in without]
    required = [field for field in required if f"{name}.{field}" not in _NOT_ALWAYS]
    described = {**schema, "title": name, "properties": properties, "required": required, **_MORE.get(name, {})}
    return described | {"description": cleandoc(described["description"]).replace("``", "`")}


def _field(schema: Schema, is_answer: bool) -> Schema:
    """A field's schema. Answers name every field, and bound no list: what is stored counts, not today's limits."""
    schema = _finished(schema) if is_answer else _in_words(_finished(_not_null(schema)))
    left_out = {"default", *(("maxItems",) if is_answer else ())}
    if schema.get("items", {}).get("$ref", "").endswith("/AggregateAppend"):
        # The example of the whole body has it too, and linters stumble over if, then and else in what is inside.
        left_out.add("examples")
    return {word: value for word, value in schema.items() if word not in left_out}


def _not_null(schema: Schema) -> Schema:
    """The schema of what is given: null, which stands for what is missing, is nothing to send."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(kinds) == 1:
        schema = {word: value for word, value in schema.items() if word != "anyOf"} | kinds[0]
    return {word: value for word, value in schema.items() if not (word == "default" and value in (None, [], ()))}


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
    finished = {word: inner if word == "examples" else _finished(inner) for word, inner in schema.items()}
    reference = finished.get("$ref")
    if isinstance(reference, str):
        finished["$ref"] = _PREFIX + _schema_name(reference.removeprefix(_PREFIX))
    return {"additionalProperties": True} | finished if finished.get("type") == "object" else finished


# --- Examples --------------------------------------------------------------------------------------------------------

_NO_EXAMPLE: Final = object()
_PLAIN_EXAMPLES: Final[dict[Any, Any]] = {
    int: 0, float: 0.0, bool: False, str: "0", datetime: "2026-01-31T12:10:00.000000Z",
}  # fmt: skip
"""Of fields that give none: counts of what is not there, cursors of the beginning."""


def _example_of(kind: Any, without: Sequence[str] = ()) -> Any:
    """An example of a type, from those of its fields. Parameters without one are left out where they may be."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = [one for one in msgspec.structs.fields(kind) if one.encode_name not in without]
        examples = {one.encode_name: _example_of_field(one) for one in fields}
        return {name: example for name, example in examples.items() if example is not _NO_EXAMPLE}
    if get_origin(kind) is Annotated:
        return _example_of(get_args(kind)[0])
    if get_origin(kind) is tuple:
        return [_example_of(get_args(kind)[0])]
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    # JSON that is passed on as text is an event, where nothing else is said.
    return _example_of(RecordedEvent) if kind is msgspec.Raw else _PLAIN_EXAMPLES[kind]


def _example_of_field(field: msgspec.structs.FieldInfo) -> Any:
    kind = _present_type(field.type)
    if get_origin(kind) is not Annotated:
        return _example_of(kind)
    plain, *metas = get_args(kind)
    examples = [meta.examples[0] for meta in metas if isinstance(meta, Meta) and meta.examples]
    if examples:
        return examples[-1]
    return _example_of(_present_type(plain)) if field.required else _NO_EXAMPLE


def _present_type(kind: Any) -> Any:
    """The type of what is there, if anything is."""
    kinds = [one for one in get_args(kind) if one not in (type(None), msgspec.UnsetType)]
    return kinds[0] if kinds and len(kinds) < len(get_args(kind)) else kind


# --- AsyncAPI --------------------------------------------------------------------------------------------------------

_SUBSCRIPTIONS: Final = """\
Subscriptions to an Indelible event store: GET /v1/events with `Accept: text/event-stream`. First come the events \
after the cursor that is given, then those that are appended, in the order of their positions, for ever.

Each message's `id` is the cursor behind it. Whoever is cut off asks again with it, as `Last-Event-ID` or `after`, and \
misses nothing. The rest of the REST API is in /openapi.json."""
_CURSOR: Final[Schema] = {
    "type": "object",
    "properties": {"cursor": {"type": "string", "description": "How far reading has come. Opaque."}},
    "required": ["cursor"],
}


def build_asyncapi(openapi: Mapping[str, Any]) -> dict[str, Any]:
    """The document, as a JSON object. Schemas are those of the OpenAPI document."""
    schemas = {name: openapi["components"]["schemas"][name] for name in ("Event", "QueryItem")}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Indelible subscriptions",
            "version": version("indelible"),
            "description": _SUBSCRIPTIONS,
            "license": {"name": "Apache-2.0", "url": _LICENSE_URL},
        },
        "defaultContentType": JSON_CONTENT_TYPE,
        "servers": {
            "this": {
                "host": "{host}",
                "protocol": "http",
                "description": "The server that gave this document.",
                "variables": {"host": {"default": "127.0.0.1:8080", "description": "Host and port."}},
            }
        },
        "channels": {
            "feed": {
                "address": SUBSCRIBE.path,
                "title": "The feed",
                "description": "All events of the log in the order of their positions, or those that the filters let "
                "through.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages()},
            }
        },
        "operations": {SUBSCRIBE.name: _subscription()},
        "components": {"messages": _messages(), "schemas": schemas | {"Cursor": _CURSOR}},
    }


def _subscription() -> Schema:
    return {
        "action": "send",
        "channel": {"$ref": "#/channels/feed"},
        "summary": "Send events to a subscriber.",
        "description": f"The subscriber's own reading sets the pace. A comment is sent when {HEARTBEAT_S:.0f} s pass "
        "without a message.",
        "bindings": {
            "http": {
                "method": SUBSCRIBE.method,
                "query": {
                    "type": "object",
                    "properties": _parameter_schemas(SUBSCRIBE.parameters),
                    "additionalProperties": False,
                },
                "bindingVersion": "0.3.0",
            }
        },
        "messages": [{"$ref": f"#/channels/feed/messages/{name}"} for name in _messages()],
    }


def _messages() -> dict[str, Schema]:
    cursor: Schema = {"$ref": "#/components/schemas/Cursor"}
    return {
        "event": {
            "title": "An event",
            "summary": "The field event of the message is not there.",
            "payload": {"$ref": "#/components/schemas/Event"},
            "examples": [{"payload": _example_of(RecordedEvent)}],
        },
        "caught-up": {
            "name": "caught-up",
            "title": "The end of the log is reached",
            "summary": "What comes from now on is new. Comes again after the subscriber has fallen behind.",
            "payload": cursor,
            "examples": [{"payload": {"cursor": "3"}}],
        },
        "checkpoint": {
            "name": "checkpoint",
            "title": "How far reading has come",
            "summary": f"While nothing matches, at most every {CHECKPOINT_INTERVAL_S:.0f} s.",
            "payload": cursor,
            "examples": [{"payload": {"cursor": "5000"}}],
        },
    }
