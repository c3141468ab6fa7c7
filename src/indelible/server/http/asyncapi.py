"""The AsyncAPI 3 document of subscriptions: what comes over ``GET /v1/events`` as server-sent events."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from indelible.events import JSON_CONTENT_TYPE, RecordedEvent
from indelible.limits import CHECKPOINT_INTERVAL_S, HEARTBEAT_S
from indelible.server.http.openapi_examples import EXAMPLES
from indelible.server.http.openapi_types import Schema
from indelible.server.http.openapi_vocabulary import meaning_of_query

_DESCRIPTION: Final = """\
Subscriptions to an Indelible event store: GET /v1/events with `Accept: text/event-stream`. First come the events \
after the cursor that is given, then those that are appended, in the order of their positions, for ever.

Each message's `id` is the cursor behind it. Whoever is cut off asks again with it, as `Last-Event-ID` or `after`, and \
misses nothing. The rest of the REST API is in /openapi.json."""

_FILTERS: Final = ("after", "event_type", "aggregate_type", "tag", "since", "until", "items")
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
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
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
        "channels": {"feed": _channel()},
        "operations": {"subscribe": _operation()},
        "components": {"messages": _messages(), "schemas": schemas | {"Cursor": _CURSOR}},
    }


def _channel() -> Schema:
    return {
        "address": "/v1/events",
        "title": "The feed",
        "description": "All events of the log in the order of their positions, or those that the filters let through.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages()},
    }


def _operation() -> Schema:
    return {
        "action": "send",
        "channel": {"$ref": "#/channels/feed"},
        "summary": "Send events to a subscriber.",
        "description": f"The subscriber's own reading sets the pace. A comment is sent when {HEARTBEAT_S:.0f} s pass "
        "without a message.",
        "bindings": {
            "http": {
                "method": "GET",
                "query": {
                    "type": "object",
                    "properties": {name: meaning_of_query("read_feed", name) for name in _FILTERS},
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
            "examples": [{"payload": EXAMPLES[RecordedEvent]}],
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
