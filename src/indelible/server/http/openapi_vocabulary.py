"""What each public name means and what is allowed for it, as JSON Schema.

A name means the same wherever it stands, in a body, an answer or a path, so it is described once. Where it does not,
the schema's name goes before it ("Replay.version"). Types come from the Structs; this adds what they leave out.
"""

from typing import Final, get_args

from indelible.events import CONTENT_TYPE
from indelible.limits import (
    CONDITION_ITEMS_MAX,
    CONTENT_TYPE_LENGTH_MAX,
    EVENT_SIZE_BYTES_MAX,
    METADATA_SIZE_BYTES_MAX,
    PAGE_EVENTS_DEFAULT,
    PAGE_EVENTS_MAX,
    REQUEST_EVENTS_MAX,
    TAGS_PER_EVENT_MAX,
    VERSION_MAX,
)
from indelible.queries import Direction
from indelible.server.http.openapi_types import AGGREGATE_TYPE, COUNT, NAME, TAG, VERSION, Schema, names
from indelible.wire.requests import ExpectedVersionBody

JSON_MEDIA_TYPE: Final = (
    r"^([Aa][Pp][Pp][Ll][Ii][Cc][Aa][Tt][Ii][Oo][Nn]/[Jj][Ss][Oo][Nn]|[^;]*\+[Jj][Ss][Oo][Nn])(;|$)"
)
_BASE64: Final = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_KIB: Final = 1024
_MIB: Final = 1024 * 1024

_EXPECTED_VERSION: Final[Schema] = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": VERSION_MAX},
        {"type": "string", "enum": list(get_args(get_args(ExpectedVersionBody)[1]))},
    ]
}

_BODIES: Final[dict[str, Schema]] = {
    "event_id": {"description": "The event's id."},
    "event_type": NAME | {"description": "What kind of fact this is. No control characters."},
    "aggregate_type": AGGREGATE_TYPE
    | {"description": 'What kind of thing events happen to. No "-", no control characters.'},
    "aggregate_id": NAME | {"description": "Which thing of that kind. No control characters."},
    "event_data": {
        "description": f"Any JSON value, kept to the letter; up to {EVENT_SIZE_BYTES_MAX // _MIB} MiB with metadata."
    },
    "event_data_base64": {
        "contentEncoding": "base64",
        "pattern": _BASE64,
        "description": "In place of event_data: bytes, with a content_type that is not JSON.",
    },
    "metadata": {
        "type": "object",
        "description": f"A JSON object about the event: who, why; up to {METADATA_SIZE_BYTES_MAX // _KIB} KiB.",
    },
    "tags": {
        "items": TAG,
        "maxItems": TAGS_PER_EVENT_MAX,
        "description": "A set of strings that queries and conditions can ask for; sorted, without repeats.",
    },
    "content_type": {
        "maxLength": CONTENT_TYPE_LENGTH_MAX,
        "pattern": f"^{CONTENT_TYPE.pattern}$",
        "description": "Media type of event_data: application/json when missing, application/octet-stream for bytes.",
    },
    "version": VERSION | {"description": "Place in the aggregate: 1, 2, 3 … without gaps."},
    "position": VERSION | {"description": "Place in the whole log: 1, 2, 3 … without gaps."},
    "timestamp": {"description": "When the store committed it: UTC, microseconds."},
    "hash": {
        "pattern": "^[0-9a-f]{64}$",
        "description": "SHA-256 of the previous event's hash and this event's line without hash.",
    },
    "events": {
        "minItems": 1,
        "maxItems": REQUEST_EVENTS_MAX,
        "description": f"In order. At most {REQUEST_EVENTS_MAX:,} in one request.",
    },
    "expected_version": _EXPECTED_VERSION
    | {
        "description": "The aggregate's version before the append: a number, any, exists (at least 1) or none (0). "
        "At another version nothing is stored."
    },
    "replayed": {"description": "Whether the events were stored before this call."},
    "appends": {"minItems": 1, "maxItems": REQUEST_EVENTS_MAX, "description": "One element an aggregate."},
    "condition": {"description": "What must not have happened; else nothing is stored."},
    "fail_if": {
        "minItems": 1,
        "maxItems": CONDITION_ITEMS_MAX,
        "description": "Queries; the append fails if an event matches any of them.",
    },
    "cursor": {"description": "How far this page has come: after of the next one. Opaque."},
    "after": {"description": "A cursor that an earlier answer gave, or empty. Events up to there do not count."},
    "at_end": {"description": "Whether the page has come to the end. A page may be short without being the last."},
    "next_version": {"description": "Where the next page starts; null at the end."},
    "snapshot": {"description": "The newest snapshot, not above at_version; null when there is none."},
    "results": {"description": "One element an append, in the order of the request."},
    "status": {"description": "The HTTP status that the append alone would have had."},
    "body": {"description": "What the append alone would have been answered: its result or a problem document."},
    # Where a name means something else:
    "NewEvent.event_id": {
        "description": "Made by the server when missing. With it an append may be repeated, and nothing doubles."
    },
    "AppendResult.version": VERSION | {"description": "The aggregate's version right after the append."},
    "AppendResult.position": VERSION | {"description": "Position of the append's last event in this aggregate."},
    "AppendResult.events": {"minItems": 1, "description": "Where each event stands."},
    "AtomicAppendResult.position": VERSION | {"description": "Position of the append's last event."},
    "AggregatePage.version": VERSION | {"description": "The aggregate's version when the page was read."},
    "AggregatePage.events": {"description": "In the order asked for."},
    "FeedPage.events": {"description": "In the order asked for."},
    "Replay.version": VERSION | {"description": "The aggregate's version when it was read."},
    "Replay.events": {"description": "The events after the snapshot; all from the first, when there is none."},
    "Health.status": {"description": "Anything else is an error."},
}

ERROR_FIELDS: Final[dict[str, Schema]] = {
    "pointer": {"type": "string", "description": "JSON pointer of the bad field; /name for a parameter."},
    "size_bytes_max": {"type": "integer", "description": "How many bytes are allowed."},
    "events_max": {"type": "integer", "description": "How many events are allowed."},
    "keys_max": {"type": "integer", "description": "How many keys the request's objects may have."},
    "statement_timeout_s": {
        "type": "number",
        "description": "How long the database lets a statement take; the append takes longer.",
    },
    "entries_looked_at": {"type": "integer", "description": "Index entries, before it was given up."},
    "entries_looked_at_max": {"type": "integer", "description": "How many are allowed."},
    "aggregate_type": {"type": "string", "description": "Of the aggregate that was asked for."},
    "aggregate_id": {"type": "string", "description": "Of the aggregate that was asked for."},
    "event_id": {"type": "string", "format": "uuid", "description": "Which event."},
    "group": {"type": "string", "description": "Name of the group that was asked for."},
    "expected_version": _EXPECTED_VERSION | {"description": "What the append asked for."},
    "actual_version": COUNT | {"description": "What the aggregate's version is; 0 when it does not exist."},
    "position": VERSION | {"description": "Of the first event that stands in the way, or is not as it should be."},
    "retry_after_s": {"type": "number", "minimum": 0, "description": "Seconds to wait before trying again."},
    "offered": {"type": "array", "items": {"type": "string"}, "description": "Media types that are offered."},
    "supported": {"type": "array", "items": {"type": "string"}, "description": "Media types that are taken."},
    "parts": {
        "type": "array",
        "items": {"$ref": "#/components/schemas/PartState"},
        "description": "What the server is made of. Only of /readyz, when asked for by verbose.",
    },
}
"""The fields that errors carry beyond those of every problem document."""

_AT_VERSION: Final = VERSION | {"description": "As the aggregate was at this version; the newest when missing."}

QUERY_PARAMETERS: Final[dict[str, Schema]] = {
    "from_version": VERSION | {"description": "The lowest version wanted."},
    "to_version": VERSION | {"description": "The highest version wanted. Reading backward starts here."},
    "at_version": _AT_VERSION,
    "direction": {"type": "string", "enum": list(get_args(Direction)), "default": "forward", "description": "Order."},
    "after": {"type": "string", "description": "The cursor of an earlier page. Opaque: take it as it is."},
    "event_type": names(NAME) | {"description": "Only events of any of these types. May be given many times."},
    "tag": names(TAG) | {"description": "Only events with all of these tags. May be given many times."},
    "since": {"type": "string", "format": "date-time", "description": "Only events of this time or a later one."},
    "until": {"type": "string", "format": "date-time", "description": "Only events of an earlier time."},
    "aggregate_type": AGGREGATE_TYPE | {"description": "Only aggregates of this type."},
    "verbose": {"type": "boolean", "default": False, "description": "Tell of each part. May stand without a value."},
    # Where a name means something else:
    "read_feed.aggregate_type": names(NAME)
    | {"description": "Only events of aggregates of any of these types. May be given many times."},
    "read_feed.limit": {
        "type": "integer", "minimum": 1, "maximum": VERSION_MAX,
        "description": f"How many at most. In a page to {PAGE_EVENTS_MAX:,}, and {PAGE_EVENTS_DEFAULT} when missing; "
        "in an NDJSON stream any number, and all when missing.",
    },
    "read_feed.items": {
        "type": "array",
        "items": {"$ref": "#/components/schemas/QueryItem"},
        "maxItems": CONDITION_ITEMS_MAX,
        "description": "Queries, any of which may match, as JSON; in place of event_type, aggregate_type and tag.",
    },
}  # fmt: skip
QUERY_PARAMETERS["read_aggregate.limit"] = QUERY_PARAMETERS["read_feed.limit"]

HEADER_PARAMETERS: Final[dict[str, Schema]] = {
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

RESPONSE_HEADERS: Final[dict[str, Schema]] = {
    "ETag": {
        "type": "string",
        "pattern": '^"[0-9]+(-[0-9]+)?"$',
        "description": "The version, in quotes; of a snapshot, with the time at which it was saved.",
    },
    "Link": {"type": "string", "description": 'Where the next page is, as <…>; rel="next"; while there is one.'},
    "Indelible-Cursor": {"type": "string", "description": "The page's cursor; CloudEvents have no other place for it."},
    "Retry-After": {"type": "integer", "minimum": 0, "description": "Seconds to wait before trying again."},
}
ALWAYS_THERE: Final = ("ETag", "Retry-After")
"""Response headers that are there whenever they are named."""


def meaning_of_field(schema: str, name: str) -> Schema:
    """What is said of a field of a schema."""
    return _BODIES.get(f"{schema}.{name}") or _BODIES[name]


def meaning_of_query(operation_id: str, name: str) -> Schema:
    return QUERY_PARAMETERS.get(f"{operation_id}.{name}") or QUERY_PARAMETERS[name]


def meaning_of_segment(name: str) -> Schema:
    """What is said of a path's variable segment."""
    return (
        {"type": "string", "format": "uuid", "description": "The event's id."} if name == "event_id" else _BODIES[name]
    )
