"""The words of the API as types: what each means and what is allowed for it, said once for OpenAPI and for readers.

The bounds stand here as JSON Schema, which nothing is checked by: the checks are the domain's own, so that every API
refuses alike, with the same words.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from msgspec import Meta, Raw

from indelible.cursors import Cursor
from indelible.limits import (
    CONDITION_ITEMS_MAX,
    CONTENT_TYPE_LENGTH_MAX,
    EVENT_SIZE_BYTES_MAX,
    GROUP_ACK_TIMEOUT_MAX_S,
    GROUP_ACK_TIMEOUT_MIN_S,
    GROUP_ATTEMPTS_MAX,
    GROUP_IN_FLIGHT_MAX,
    GROUP_REASON_LENGTH_MAX,
    GROUP_SETTLE_MAX,
    METADATA_SIZE_BYTES_MAX,
    NAME_LENGTH_MAX,
    PAGE_EVENTS_MAX,
    PARTITIONS_MAX,
    QUERY_NAMES_MAX,
    RELAY_LEASE_MAX_S,
    RELAY_LEASE_MIN_S,
    REQUEST_EVENTS_MAX,
    SCHEMA_SIZE_BYTES_MAX,
    SNAPSHOT_SIZE_BYTES_MAX,
    TAG_LENGTH_MAX,
    TAGS_PER_EVENT_MAX,
    VERSION_MAX,
)

Schema = dict[str, Any]
_NONE: Final = object()


def meta(description: str | None = None, schema: Schema | None = None, *, example: Any = _NONE) -> Meta:
    """What is said of a field: ``schema`` is what JSON Schema says beyond its type."""
    return Meta(description=description, extra_json_schema=schema, examples=None if example is _NONE else [example])


# --- Schemas that words share ----------------------------------------------------------------------------------------

NAME: Final[Schema] = {"minLength": 1, "maxLength": NAME_LENGTH_MAX, "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$"}
NAME_OR_NONE: Final[Schema] = NAME | {"minLength": 0, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"}
AGGREGATE_TYPE: Final[Schema] = NAME | {"pattern": r"^[^\x00-\x1f\x7f-\x9f\-]+$"}
TAG: Final[Schema] = NAME | {"maxLength": TAG_LENGTH_MAX}
VERSION: Final[Schema] = {"minimum": 1, "maximum": VERSION_MAX}
COUNT: Final[Schema] = {"minimum": 0}
REASON: Final[Schema] = {"minLength": 1, "maxLength": GROUP_REASON_LENGTH_MAX, "pattern": r"^[^\x00]*$"}
ACK_TIMEOUT: Final[Schema] = {"minimum": GROUP_ACK_TIMEOUT_MIN_S, "maximum": GROUP_ACK_TIMEOUT_MAX_S}
_DELIVERY_ID: Final[Schema] = {"pattern": r"^[0-9]{1,18}-[0-9]{1,18}(\.[0-9]{1,2})?$"}

Time = Annotated[datetime, meta(schema={"format": "date-time"})]

# --- Events and aggregates -------------------------------------------------------------------------------------------

AggregateType = Annotated[
    str,
    meta(
        'What kind of thing events happen to. No "-", no control characters. Such as begin with "$" are the store\'s '
        "own: nobody else writes to them.",
        AGGREGATE_TYPE, example="order",
    ),
]  # fmt: skip
AggregateId = Annotated[str, meta("Which thing of that kind. No control characters.", NAME, example="o-1")]
EventType = Annotated[str, meta("What kind of fact this is. No control characters.", NAME, example="OrderPlaced")]
EventTypes = Annotated[
    tuple[Annotated[str, meta(schema=NAME)], ...],
    meta("Any of these; none restricts nothing.", {"maxItems": QUERY_NAMES_MAX}, example=["OrderPlaced"]),
]
AggregateTypes = Annotated[
    tuple[Annotated[str, meta(schema=NAME)], ...],
    meta("Any of these; none restricts nothing.", {"maxItems": QUERY_NAMES_MAX}, example=["order"]),
]
AllOfTags = Annotated[
    tuple[Annotated[str, meta(schema=TAG)], ...],
    meta("All of these; none restricts nothing.", {"maxItems": QUERY_NAMES_MAX}, example=["customer:ada"]),
]
Version = Annotated[int, meta("Place in the aggregate: 1, 2, 3 … without gaps.", VERSION, example=1)]
Position = Annotated[int, meta("Place in the whole log: 1, 2, 3 … without gaps.", VERSION, example=1)]
_IF_KNOWN: Final = "Of its aggregate. Empty where the event is so damaged that nobody can tell."
AggregateTypeIfKnown = Annotated[str, meta(_IF_KNOWN, example="order")]
AggregateIdIfKnown = Annotated[str, meta(_IF_KNOWN, example="o-1")]
VersionIfKnown = Annotated[int, meta("Place in the aggregate; 0 where that is not known.", COUNT, example=1)]
AtVersion = Annotated[int, meta("As the aggregate was at this version; the newest when missing.", VERSION, example=2)]

_EVENT: Final[Schema] = {"$ref": "#/components/schemas/Event"}
EVENT: Final = meta("What happened.", _EVENT)
EventLine = Annotated[Raw, meta(schema=_EVENT)]
"""An event's JSON, which is passed on as text."""
EventId = Annotated[UUID, meta("The event's id.", example="01890a5d-ac96-774b-bcce-b302099a8057")]
EVENT_DATA: Final = meta(
    f"Any JSON value, kept to the letter; up to {EVENT_SIZE_BYTES_MAX // 2**20} MiB with metadata.",
    example={"total": 42.5},
)
EventDataBase64 = Annotated[
    str,
    meta(
        "In place of event_data: bytes, with a content_type that is not JSON.",
        {
            "contentEncoding": "base64",
            "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
        },
    ),
]
METADATA: Final = meta(
    f"A JSON object about the event: who, why; up to {METADATA_SIZE_BYTES_MAX // 2**10} KiB.", {"type": "object"}
)
Tags = Annotated[
    tuple[Annotated[str, meta(schema=TAG)], ...],
    meta(
        "A set of strings that queries and conditions can ask for; sorted, without repeats.",
        {"maxItems": TAGS_PER_EVENT_MAX},
        example=["customer:ada"],
    ),
]
CONTENT_TYPE: Final = r'[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:; ?[A-Za-z0-9=_.+"-]+)*'
"""All of a content type that is allowed, its length aside."""
ContentType = Annotated[
    str,
    meta(
        "Media type of event_data: application/json when missing, application/octet-stream for bytes.",
        {"maxLength": CONTENT_TYPE_LENGTH_MAX, "pattern": f"^{CONTENT_TYPE}$"},
    ),
]
STRING: Final = meta(schema={"type": "string"})
"""Of words that are enumerated."""
ExpectedVersion = (
    Annotated[int, meta(schema={"minimum": 0, "maximum": VERSION_MAX})]
    | Annotated[Literal["any", "exists", "none"], STRING]
)
EVENTS_PER_REQUEST: Final[Schema] = {"minItems": 1, "maxItems": REQUEST_EVENTS_MAX}
Replayed = Annotated[bool, meta("Whether the events were stored before this call.", example=False)]

STATE: Final = meta(
    f"Any JSON value; up to {SNAPSHOT_SIZE_BYTES_MAX // 2**20} MiB with metadata.", example={"status": "placed"}
)

# --- Pages -----------------------------------------------------------------------------------------------------------

PageCursor = Annotated[str, meta("How far this page has come: after of the next one. Opaque.", example="1")]
PageAfter = Annotated[str, meta("The cursor of an earlier page. Opaque: take it as it is.", example="1")]
Prefix = Annotated[
    str, meta("Only names that begin with this. An empty one restricts nothing.", NAME_OR_NONE, example="order")
]
AtEnd = Annotated[
    bool, meta("Whether the page has come to the end. A page may be short without being the last.", example=True)
]
PageLimit = Annotated[int, meta("How many at most.", {"minimum": 1, "maximum": PAGE_EVENTS_MAX}, example=100)]

# --- Consumer groups -------------------------------------------------------------------------------------------------

Group = Annotated[str, meta("The group's name. No control characters.", NAME, example="billing")]
ITEMS: Final = meta(
    "The query: an event is for the group when it matches any of them; all are when there is none.",
    {"maxItems": CONDITION_ITEMS_MAX},
    example=[{"event_types": ["OrderPlaced", "PaymentTaken"]}],
)
AckTimeout = Annotated[
    float,
    meta(
        "Seconds that a member may take to acknowledge an event before it is delivered again.",
        ACK_TIMEOUT,
        example=60.0,
    ),
]
MaxAttempts = Annotated[
    int, meta("Deliveries of one event before it is parked.", {"minimum": 1, "maximum": GROUP_ATTEMPTS_MAX}, example=5)
]
MaxInFlight = Annotated[
    int,
    meta(
        "Events that may be with members at once, those of all members together.",
        {"minimum": 1, "maximum": GROUP_IN_FLIGHT_MAX},
        example=1000,
    ),
]
Member = Annotated[
    str, meta("Who has the event, for people to read: it need not be unique.", NAME_OR_NONE, example="billing-7f9c")
]
Partition = Annotated[
    int,
    meta(
        "Which partition the position is one of, from 0; left out for 0, and so in a store of one.",
        {"minimum": 0, "maximum": PARTITIONS_MAX - 1},
        example=0,
    ),
]
OfPartition = Annotated[
    int | None,
    meta(
        "Of which partition the positions are. It may be left out where no other has an event parked at them.",
        {"minimum": 0, "maximum": PARTITIONS_MAX - 1},
        example=0,
    ),
]
DeliveryId = Annotated[
    str,
    meta("What to acknowledge or refuse. Opaque, and never given twice.", _DELIVERY_ID, example="1-1769861400000001"),
]
DeliveryIds = Annotated[
    Sequence[Annotated[str, meta(schema=_DELIVERY_ID)]],
    meta("Of deliveries of this group.", {"minItems": 1, "maxItems": GROUP_SETTLE_MAX}, example=["1-1769861400000001"]),
]
LostIds = Annotated[
    tuple[Annotated[str, meta(schema=_DELIVERY_ID)], ...],
    meta(
        "Those whose event is no longer with the caller: its time was over and it went to another member, "
        "or the group was reset. Somebody else settles it.",
        example=[],
    ),
]
Attempt = Annotated[int, meta("1 at the first delivery of the event.", COUNT, example=1)]
Attempts = Annotated[int, meta("How often it was delivered.", COUNT, example=5)]
Deadline = Annotated[
    Time,
    meta("When the event goes to another member, unless it is settled before.", example="2026-01-31T12:10:00.000000Z"),
]
Positions = Annotated[
    Sequence[Annotated[int, meta(schema=VERSION)]],
    meta("Of parked events that hold up their aggregates.", {"minItems": 1, "maxItems": GROUP_SETTLE_MAX}),
]

# --- Relays ----------------------------------------------------------------------------------------------------------

LEASE: Final[Schema] = {"minimum": RELAY_LEASE_MIN_S, "maximum": RELAY_LEASE_MAX_S}
Relay = Annotated[str, meta("The relay's name. No control characters.", NAME, example="orders-to-nats")]
RelayOwner = Annotated[
    str, meta("Who owns it, or did last: names one process, for people to read.", NAME, example="relay-1 4711")
]
Epoch = Annotated[int, meta("Of an owner: one more than the last one's.", VERSION, example=1)]
RelayCursor = Annotated[
    Cursor,
    meta("The checkpoint: every matching event up to here is published. Opaque.", {"type": "string"}, example="3"),
]
RelayReplayName = Annotated[
    str, meta("A word that no other replay of the relay has. Messages say it.", NAME, example="replay-3")
]
ReplayCursor = Annotated[
    Cursor, meta("Every matching event of the range up to here is published.", {"type": "string"}, example="3")
]
ReplayPublished = Annotated[
    int, meta("How many events were published in it.", COUNT | {"maximum": VERSION_MAX}, example=3)
]
SetAsidePosition = Annotated[int, meta("Of an event that the broker refused.", VERSION, example=17)]
SetAsidePositions = Annotated[
    Sequence[Annotated[int, meta(schema=VERSION)]],
    meta("Of events that were set aside.", {"minItems": 1, "maxItems": GROUP_SETTLE_MAX}),
]
RefusalReason = Annotated[str, meta("Why, for people.", REASON, example="it is larger than the broker takes")]
Published = Annotated[
    int,
    meta(
        "How many events were published, as far as the owners heard of it.", COUNT | {"maximum": VERSION_MAX}, example=3
    ),
]
IsPaused = Annotated[bool, meta("Whether somebody paused it.", example=False)]
IsStopped = Annotated[bool, meta("Whether it stands still until somebody resumes it.", example=False)]
LeaseS = Annotated[float, meta("Seconds for which it is the caller's, unless renewed.", LEASE, example=6.0)]

# --- Keys ------------------------------------------------------------------------------------------------------------

_OF_PATTERN: Final = r"[^\x00-\x1f\x7f-\x9f*\-]"
_NAMED: Final = f"{_OF_PATTERN}{{1,{NAME_LENGTH_MAX - 1}}}\\*?|{_OF_PATTERN}{{{NAME_LENGTH_MAX}}}"
GRANT: Final[Schema] = {"pattern": rf"^(append|read|consume|admin):({_NAMED}|\*)$"}
KeyId = Annotated[str, meta("Names the key.", {"pattern": "^[0-9a-f]{16}$"}, example="6f1c0e5d2a9b4c37")]
KeyName = Annotated[str, meta("For people. No control characters.", NAME, example="billing")]
Grants = Annotated[
    tuple[Annotated[str, meta(schema=GRANT)], ...],
    meta("What it allows, each as PERMISSION:PATTERN; sorted.", example=["append:order", "read:*"]),
]

# --- Schemas ---------------------------------------------------------------------------------------------------------

SchemaVersion = Annotated[int, meta("Of the event type's schema: 1, 2, 3 … without gaps.", VERSION, example=1)]
JSON_SCHEMA: Final = meta(
    f"A JSON Schema, draft 2020-12; up to {SCHEMA_SIZE_BYTES_MAX // 2**10} KiB. References stay within it.",
    {"type": "object"},
    example={"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}},
)
