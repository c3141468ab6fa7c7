"""CloudEvents in the OpenAPI document."""

from typing import Any, Final

import msgspec

from indelible.events import RecordedEvent, decode_event
from indelible.server.http.openapi_examples import EXAMPLES
from indelible.server.http.openapi_types import Schema
from indelible.wire.cloudevents import CLOUDEVENT_CONTENT_TYPE, encode_cloud_event

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}

CLOUD_EVENT: Final[Schema] = {
    "title": "CloudEvent",
    "description": "An event as CloudEvents 1.0 has it. Other attributes are members of metadata.",
    "type": "object",
    "properties": {
        "specversion": {"const": "1.0", "description": "Of CloudEvents."},
        "id": _TEXT | {"description": "event_id; or any text, from which and from source an event_id is made."},
        "source": _TEXT | {"format": "uri-reference", "description": "Path of the aggregate, or the producer's own."},
        "type": _TEXT | {"description": "event_type."},
        "subject": _TEXT | {"description": "aggregate_id, or the producer's own."},
        "time": {"type": "string", "format": "date-time", "description": "timestamp, or the producer's own."},
        "datacontenttype": _TEXT | {"description": "content_type."},
        "dataschema": _TEXT | {"format": "uri", "description": "As the producer said."},
        "data": {"description": "event_data; a string where datacontenttype is not JSON."},
        "data_base64": {"type": "string", "contentEncoding": "base64", "description": "In place of data: bytes."},
        "tags": {"type": "string", "description": "A JSON array of strings, as text."},
        "metadata": {"type": "string", "description": "JSON text of what no attribute can hold of metadata."},
        **{
            name: {"type": "string", "description": "As the store has it. In what is appended it does not count."}
            for name in ("aggregatetype", "aggregateid", "eventid", "version", "position", "timestamp", "hash")
        },
    },
    "required": ["specversion", "id", "source", "type"],
    "additionalProperties": {"type": ["string", "boolean", "integer", "null"]},
}
_ONE: Final[Schema] = {"$ref": "#/components/schemas/CloudEvent"}


def cloud_events_content(media_type: str) -> Schema:
    """The schema and an example of one CloudEvent or of a batch."""
    example: Any = msgspec.json.decode(encode_cloud_event(decode_event(msgspec.json.encode(EXAMPLES[RecordedEvent]))))
    if media_type == CLOUDEVENT_CONTENT_TYPE:
        return {"schema": _ONE, "example": example}
    return {"schema": {"type": "array", "items": _ONE}, "example": [example]}
