"""The words of the API as types: what each means and what is allowed for it, said once for OpenAPI and for readers.

The bounds stand here as JSON Schema, which nothing is checked by: the checks are the domain's own, so that every API
refuses alike, with the same words.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from msgspec import Meta

from indelible.limits import (
    CONDITION_ITEMS_MAX,
    GROUP_ACK_TIMEOUT_MAX_S,
    GROUP_ACK_TIMEOUT_MIN_S,
    GROUP_ATTEMPTS_MAX,
    GROUP_IN_FLIGHT_MAX,
    GROUP_REASON_LENGTH_MAX,
    GROUP_SETTLE_MAX,
    NAME_LENGTH_MAX,
    PAGE_EVENTS_MAX,
    QUERY_NAMES_MAX,
    SNAPSHOT_SIZE_BYTES_MAX,
    TAG_LENGTH_MAX,
    VERSION_MAX,
)

Schema = dict[str, Any]

# --- Schemas that words share ----------------------------------------------------------------------------------------

NAME: Final[Schema] = {"minLength": 1, "maxLength": NAME_LENGTH_MAX, "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$"}
NAME_OR_NONE: Final[Schema] = NAME | {"minLength": 0, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"}
AGGREGATE_TYPE: Final[Schema] = NAME | {"pattern": r"^[^\x00-\x1f\x7f-\x9f\-]+$"}
TAG: Final[Schema] = NAME | {"maxLength": TAG_LENGTH_MAX}
VERSION: Final[Schema] = {"minimum": 1, "maximum": VERSION_MAX}
COUNT: Final[Schema] = {"minimum": 0}
REASON: Final[Schema] = {"minLength": 1, "maxLength": GROUP_REASON_LENGTH_MAX, "pattern": r"^[^\x00]*$"}
ACK_TIMEOUT: Final[Schema] = {"minimum": GROUP_ACK_TIMEOUT_MIN_S, "maximum": GROUP_ACK_TIMEOUT_MAX_S}
_DELIVERY_ID: Final[Schema] = {"pattern": "^[0-9]{1,18}-[0-9]{1,18}$"}

Time = Annotated[datetime, Meta(extra_json_schema={"format": "date-time"})]

# --- Events and aggregates -------------------------------------------------------------------------------------------

AggregateType = Annotated[
    str,
    Meta(
        description='What kind of thing events happen to. No "-", no control characters.',
        extra_json_schema=AGGREGATE_TYPE,
        examples=["order"],
    ),
]
AggregateId = Annotated[
    str,
    Meta(
        description="Which thing of that kind. No control characters.",
        extra_json_schema=NAME,
        examples=["o-1"],
    ),
]
EventType = Annotated[
    str,
    Meta(
        description="What kind of fact this is. No control characters.",
        extra_json_schema=NAME,
        examples=["OrderPlaced"],
    ),
]
EventTypes = Annotated[
    tuple[Annotated[str, Meta(extra_json_schema=NAME)], ...],
    Meta(
        description="Any of these; none restricts nothing.",
        extra_json_schema={"maxItems": QUERY_NAMES_MAX},
        examples=[["OrderPlaced"]],
    ),
]
AggregateTypes = Annotated[
    tuple[Annotated[str, Meta(extra_json_schema=NAME)], ...],
    Meta(
        description="Any of these; none restricts nothing.",
        extra_json_schema={"maxItems": QUERY_NAMES_MAX},
        examples=[["order"]],
    ),
]
AllOfTags = Annotated[
    tuple[Annotated[str, Meta(extra_json_schema=TAG)], ...],
    Meta(
        description="All of these; none restricts nothing.",
        extra_json_schema={"maxItems": QUERY_NAMES_MAX},
        examples=[["customer:ada"]],
    ),
]
Version = Annotated[
    int, Meta(description="Place in the aggregate: 1, 2, 3 … without gaps.", extra_json_schema=VERSION, examples=[1])
]
Position = Annotated[
    int, Meta(description="Place in the whole log: 1, 2, 3 … without gaps.", extra_json_schema=VERSION, examples=[1])
]
_IF_KNOWN: Final = "Of its aggregate. Empty where the event is so damaged that nobody can tell."
AggregateTypeIfKnown = Annotated[str, Meta(description=_IF_KNOWN, examples=["order"])]
AggregateIdIfKnown = Annotated[str, Meta(description=_IF_KNOWN, examples=["o-1"])]
VersionIfKnown = Annotated[
    int,
    Meta(description="Place in the aggregate; 0 where that is not known.", extra_json_schema=COUNT, examples=[1]),
]
AtVersion = Annotated[
    int,
    Meta(
        description="As the aggregate was at this version; the newest when missing.",
        extra_json_schema=VERSION,
        examples=[2],
    ),
]

EVENT: Final = Meta(description="What happened.", extra_json_schema={"$ref": "#/components/schemas/Event"})

STATE: Final = Meta(
    description=f"Any JSON value; up to {SNAPSHOT_SIZE_BYTES_MAX // 2**20} MiB with metadata.",
    examples=[{"status": "placed"}],
)

# --- Pages -----------------------------------------------------------------------------------------------------------

PageCursor = Annotated[
    str, Meta(description="How far this page has come: after of the next one. Opaque.", examples=["1"])
]
PageAfter = Annotated[str, Meta(description="The cursor of an earlier page. Opaque: take it as it is.", examples=["1"])]
AtEnd = Annotated[
    bool,
    Meta(
        description="Whether the page has come to the end. A page may be short without being the last.", examples=[True]
    ),
]
PageLimit = Annotated[
    int,
    Meta(description="How many at most.", extra_json_schema={"minimum": 1, "maximum": PAGE_EVENTS_MAX}, examples=[100]),
]

# --- Consumer groups -------------------------------------------------------------------------------------------------

Group = Annotated[
    str,
    Meta(description="The group's name. No control characters.", extra_json_schema=NAME, examples=["billing"]),
]
ITEMS: Final = Meta(
    description="The query: an event is for the group when it matches any of them; all are when there is none.",
    extra_json_schema={"maxItems": CONDITION_ITEMS_MAX},
    examples=[[{"event_types": ["OrderPlaced", "PaymentTaken"]}]],
)
AckTimeout = Annotated[
    float,
    Meta(
        description="Seconds that a member may take to acknowledge an event before it is delivered again.",
        extra_json_schema=ACK_TIMEOUT,
        examples=[60.0],
    ),
]
MaxAttempts = Annotated[
    int,
    Meta(
        description="Deliveries of one event before it is parked.",
        extra_json_schema={"minimum": 1, "maximum": GROUP_ATTEMPTS_MAX},
        examples=[5],
    ),
]
MaxInFlight = Annotated[
    int,
    Meta(
        description="Events that may be with members at once, those of all members together.",
        extra_json_schema={"minimum": 1, "maximum": GROUP_IN_FLIGHT_MAX},
        examples=[1000],
    ),
]
Member = Annotated[
    str,
    Meta(
        description="Who has the event, for people to read: it need not be unique.",
        extra_json_schema=NAME_OR_NONE,
        examples=["billing-7f9c"],
    ),
]
DeliveryId = Annotated[
    str,
    Meta(
        description="What to acknowledge or refuse. Opaque, and never given twice.",
        extra_json_schema=_DELIVERY_ID,
        examples=["1-1769861400000001"],
    ),
]
DeliveryIds = Annotated[
    Sequence[Annotated[str, Meta(extra_json_schema=_DELIVERY_ID)]],
    Meta(
        description="Of deliveries of this group.",
        extra_json_schema={"minItems": 1, "maxItems": GROUP_SETTLE_MAX},
        examples=[["1-1769861400000001"]],
    ),
]
LostIds = Annotated[
    tuple[Annotated[str, Meta(extra_json_schema=_DELIVERY_ID)], ...],
    Meta(
        description="Those whose event is no longer with the caller: its time was over and it went to another member, "
        "or the group was reset. Somebody else settles it.",
        examples=[[]],
    ),
]
Attempt = Annotated[
    int, Meta(description="1 at the first delivery of the event.", extra_json_schema=COUNT, examples=[1])
]
Attempts = Annotated[int, Meta(description="How often it was delivered.", extra_json_schema=COUNT, examples=[5])]
Deadline = Annotated[
    Time,
    Meta(
        description="When the event goes to another member, unless it is settled before.",
        examples=["2026-01-31T12:10:00.000000Z"],
    ),
]
Positions = Annotated[
    Sequence[Annotated[int, Meta(extra_json_schema=VERSION)]],
    Meta(
        description="Of parked events that hold up their aggregates.",
        extra_json_schema={"minItems": 1, "maxItems": GROUP_SETTLE_MAX},
    ),
]
