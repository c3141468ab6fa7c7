"""The operations on events: appends, pages and streams. They differ in form from one API to the other, so each server
has handlers for them beside these rows; what they are asked with and answer in JSON stands here."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from indelible import words
from indelible.cursors import START, Cursor
from indelible.errors import InvalidRequest
from indelible.events import RecordedEvent, Snapshot, check_event_id, check_version
from indelible.eventstore import AggregatePage, AppendOutcome, AppendResult, AtomicAppendResult, FeedPage, Replay
from indelible.limits import (
    CONDITION_ITEMS_MAX,
    PAGE_EVENTS_DEFAULT,
    PAGE_EVENTS_MAX,
    QUERY_NAMES_MAX,
    SUBSCRIPTION_GATHER_MAX_S,
    VERSION_MAX,
)
from indelible.operations.operation import Operation, Parameters
from indelible.operations.store import GetAggregate, GetSnapshot
from indelible.queries import Direction, EventQuery, QueryItem, check_gather, check_page

Unset = msgspec.UnsetType
UNSET: Final = msgspec.UNSET

_ORDER: Final = {"aggregate_type": "order", "aggregate_id": "o-1"}
_PAYMENT: Final = {"aggregate_type": "payment", "aggregate_id": "p-1"}
_PAID: Final = {
    "event_id": "01890a5d-b2f1-7c3e-9a6b-1f0c2d4e6a80", "event_type": "OrderPaid", "event_data": {"by": "card"},
}  # fmt: skip
_TAKEN: Final = {
    "event_id": "01890a5d-b2f1-7c3e-9a6b-1f0c2d4e6a81", "event_type": "PaymentTaken", "event_data": {"cents": 4250},
    "tags": ["order:o-1"],
}  # fmt: skip
"""Examples tell of one store: an order is placed and paid. They can be sent to an empty one in the order of the
rows."""

# --- What they are asked with ----------------------------------------------------------------------------------------


class NewEventBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One new event. Either event_data (any JSON value), or event_data_base64 with a content_type that is not JSON."""

    event_type: words.EventType
    event_id: (
        Annotated[
            words.EventId,
            words.meta("Made by the server when missing. With it an append may be repeated, and nothing doubles."),
        ]
        | Unset
    ) = UNSET
    event_data: Annotated[msgspec.Raw, words.EVENT_DATA] | Unset = UNSET
    event_data_base64: words.EventDataBase64 | Unset = UNSET
    metadata: Annotated[msgspec.Raw, words.METADATA] | Unset = UNSET
    tags: words.Tags = ()
    content_type: words.ContentType | Unset = UNSET


_Events = Annotated[
    tuple[NewEventBody, ...],
    words.meta(f"In order. At most {words.EVENTS_PER_REQUEST['maxItems']:,} in one request.", words.EVENTS_PER_REQUEST),
]
_ExpectedVersion = Annotated[
    words.ExpectedVersion,
    words.meta(
        "The aggregate's version before the append: a number, any, exists (at least 1) or none (0). At another version "
        "nothing is stored.",
        example="none",
    ),
]


class AggregateAppendBody(Parameters, frozen=True, omit_defaults=True):
    """Events for one aggregate, within a larger body."""

    aggregate_type: words.AggregateType
    aggregate_id: words.AggregateId
    events: _Events
    expected_version: _ExpectedVersion = "any"


class Append(AggregateAppendBody, frozen=True, omit_defaults=True):
    """Events for the aggregate that the path names."""


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fail if any event after the cursor matches any of the items."""

    fail_if: Annotated[
        tuple[QueryItem, ...],
        words.meta(
            "Queries; the append fails if an event matches any of them.",
            {"minItems": 1, "maxItems": CONDITION_ITEMS_MAX},
        ),
    ]
    after: Annotated[
        str, words.meta("A cursor that an earlier answer gave, or empty. Events up to there do not count.")
    ] = str(START)


class AtomicAppend(Parameters, frozen=True, omit_defaults=True):
    """Appends that are stored whole or not at all."""

    appends: Annotated[
        tuple[AggregateAppendBody, ...],
        words.meta(
            "One element an aggregate.",
            words.EVENTS_PER_REQUEST,
            example=[
                {**_ORDER, "expected_version": 1, "events": [_PAID]},
                {**_PAYMENT, "expected_version": "none", "events": [_TAKEN]},
            ],
        ),
    ]
    condition: (
        Annotated[
            Condition,
            words.meta(
                "What must not have happened; else nothing is stored.",
                example={"fail_if": [{"event_types": ["PaymentTaken"], "tags": ["order:o-1"]}], "after": "1"},
            ),
        ]
        | Unset
    ) = UNSET


class Batch(Parameters, frozen=True):
    """Independent appends, each with its own outcome."""

    appends: Annotated[
        tuple[AggregateAppendBody, ...],
        words.meta(
            "One element an aggregate.",
            words.EVENTS_PER_REQUEST,
            example=[{**_ORDER, "events": [_PAID]}, {**_PAYMENT, "events": [_TAKEN]}],
        ),
    ]


_DirectionOf = Annotated[Direction, words.STRING, words.meta("Order.")]
_Limit = Annotated[
    int,
    words.meta(
        f"How many at most. In a page to {PAGE_EVENTS_MAX:,}, and {PAGE_EVENTS_DEFAULT} when missing; in an NDJSON "
        "stream any number, and all when missing.",
        {"minimum": 1, "maximum": VERSION_MAX},
    ),
]


class ReadAggregate(GetAggregate, frozen=True):
    """Which events of one aggregate. Both versions are inclusive."""

    from_version: Annotated[int, words.meta("The lowest version wanted.", words.VERSION)] | None = None
    to_version: (
        Annotated[int, words.meta("The highest version wanted. Reading backward starts here.", words.VERSION)] | None
    ) = None
    direction: _DirectionOf = "forward"
    limit: _Limit | None = None

    def check(self) -> None:
        super().check()
        for name in ("from_version", "to_version"):
            if getattr(self, name) is not None:
                check_version(getattr(self, name), f"/{name}")
        check_page(PAGE_EVENTS_DEFAULT if self.limit is None else self.limit, self.direction)

    def following(self, page: AggregatePage) -> "ReadAggregate | None":
        """What asks for the next page; None at the end."""
        if page.next_version is None:
            return None
        return msgspec.structs.replace(self, **{self.moving_end: page.next_version})

    @property
    def moving_end(self) -> str:
        """The parameter with which reading goes on: forward the lower end, backward the upper one."""
        return "to_version" if self.direction == "backward" else "from_version"


_Names = tuple[Annotated[str, words.meta(schema=words.NAME)], ...]


def _many(description: str) -> Meta:
    return words.meta(f"{description}. May be given many times.", {"maxItems": QUERY_NAMES_MAX})


class OfFeed(Parameters, frozen=True, kw_only=True):
    """Which events of the log, and from where on."""

    after: (
        Annotated[
            Cursor,
            words.meta("The cursor of an earlier page. Opaque: take it as it is.", {"type": "string"}),
        ]
        | None
    ) = None
    event_type: Annotated[_Names, _many("Only events of any of these types")] = ()
    aggregate_type: Annotated[_Names, _many("Only events of aggregates of any of these types")] = ()
    tag: Annotated[
        tuple[Annotated[str, words.meta(schema=words.TAG)], ...], _many("Only events with all of these tags")
    ] = ()
    since: Annotated[words.Time, words.meta("Only events of this time or a later one.")] | None = None
    until: Annotated[words.Time, words.meta("Only events of an earlier time.")] | None = None
    items: (
        Annotated[
            tuple[QueryItem, ...],
            words.meta(
                "Queries, any of which may match, as JSON; in place of event_type, aggregate_type and tag.",
                {"maxItems": CONDITION_ITEMS_MAX},
            ),
        ]
        | None
    ) = None

    def check(self) -> None:
        if self.after is not None:
            Cursor.parse(self.after)

    @property
    def query(self) -> EventQuery:
        """Raises ``InvalidRequest`` that points at the parameter."""
        if self.items is not None:
            if self.event_type or self.aggregate_type or self.tag:
                raise InvalidRequest("must not stand next to event_type, aggregate_type, tag", pointer="/items")
            return EventQuery(self.items, self.since, self.until)
        try:
            return EventQuery.of(
                event_types=self.event_type, aggregate_types=self.aggregate_type, tags=self.tag,
                since=self.since, until=self.until,
            )  # fmt: skip
        except InvalidRequest as error:
            raise _by_parameter(error) from None


def _by_parameter(error: InvalidRequest) -> InvalidRequest:
    """The pointer of a query's field, such as "/event_types/2", as that of the parameter that it came from."""
    first = error.pointer[1:].partition("/")[0]
    parameter = {"event_types": "event_type", "aggregate_types": "aggregate_type", "tags": "tag"}.get(first)
    pointer = error.pointer if parameter is None else f"/{parameter}"
    return InvalidRequest(error.message, **{**error.fields, "pointer": pointer})


def query_fields(query: EventQuery) -> dict[str, Any]:
    """A query that was checked, as fields of :class:`OfFeed`: one item reads as parameters
    that may be given many times, several need ``items``."""
    window: dict[str, datetime | None] = {"since": query.since, "until": query.until}
    if len(query.items) != 1:
        return {"items": query.items or None, **window}
    item = query.items[0]
    return {"event_type": item.event_types, "aggregate_type": item.aggregate_types, "tag": item.tags, **window}


class Subscribe(OfFeed, frozen=True, kw_only=True):
    """Which events of the log, from where on, and how many messages they may come in."""

    gather_s: Annotated[
        float,
        words.meta(
            "What comes within so many seconds of the message that caught up last comes together.",
            {"minimum": 0, "maximum": SUBSCRIPTION_GATHER_MAX_S},
            example=0.05,
        ),
    ] = 0.0

    def check(self) -> None:
        check_gather(self.gather_s)
        super().check()


class ReadFeed(OfFeed, frozen=True, kw_only=True):
    """Which events of the log, in which order, and how many."""

    direction: _DirectionOf = "forward"
    limit: _Limit | None = None

    def check(self) -> None:
        check_page(PAGE_EVENTS_DEFAULT if self.limit is None else self.limit, self.direction)
        super().check()

    def following(self, page: FeedPage) -> "ReadFeed | None":
        """What asks for the next page; None at the end."""
        return None if page.at_end else msgspec.structs.replace(self, after=page.cursor)


class GetEvent(Parameters, frozen=True):
    """Which event."""

    event_id: words.EventId

    def check(self) -> None:
        check_event_id(self.event_id)


# --- What they answer ------------------------------------------------------------------------------------------------

_Lines = tuple[words.EventLine, ...]
_PageEvents = Annotated[_Lines, words.meta("In the order asked for.")]
_NextVersion = Annotated[int | None, words.meta("Where the next page starts; null at the end.", example=3)]


def _raws(lines: bytes) -> tuple[msgspec.Raw, ...]:
    return tuple(map(msgspec.Raw, lines.split(b"\n"))) if lines else ()


def _joined(events: tuple[msgspec.Raw, ...]) -> bytes:
    return b"\n".join(map(bytes, events))


class AggregatePageBody(msgspec.Struct):
    """Some events of one aggregate."""

    events: _PageEvents
    version: Annotated[int, words.meta("The aggregate's version when the page was read.", words.VERSION, example=2)]
    next_version: _NextVersion = None

    @classmethod
    def of(cls, page: AggregatePage) -> "AggregatePageBody":
        return cls(_raws(page.lines), page.version, page.next_version)

    def page(self) -> AggregatePage:
        return AggregatePage(_joined(self.events), len(self.events), self.version, self.next_version)


class FeedPageBody(msgspec.Struct):
    """Some events of the log."""

    events: _PageEvents
    cursor: words.PageCursor
    at_end: words.AtEnd

    @classmethod
    def of(cls, page: FeedPage) -> "FeedPageBody":
        return cls(_raws(page.lines), page.cursor, page.at_end)

    def page(self) -> FeedPage:
        return FeedPage(_joined(self.events), len(self.events), Cursor(self.cursor), self.at_end)


class ReplayBody(msgspec.Struct, kw_only=True):
    """What rebuilds an aggregate's state: the newest snapshot, and the events after it."""

    snapshot: Annotated[
        Snapshot | None,
        words.meta(
            "The newest snapshot, not above at_version; null when there is none.",
            example={
                **_ORDER, "version": 1, "timestamp": "2026-01-31T12:05:00.000000Z", "state": {"status": "placed"},
                "metadata": {},
            },
        ),
    ] = None  # fmt: skip
    events: Annotated[_Lines, words.meta("The events after the snapshot; all from the first, when there is none.")]
    version: Annotated[int, words.meta("The aggregate's version when it was read.", words.VERSION, example=2)]
    next_version: _NextVersion = None

    @classmethod
    def of(cls, replay: Replay) -> "ReplayBody":
        page = replay.page
        return cls(
            snapshot=replay.snapshot, events=_raws(page.lines), version=page.version, next_version=page.next_version
        )

    def replay(self) -> Replay:
        page = AggregatePage(_joined(self.events), len(self.events), self.version, self.next_version)
        return Replay(self.snapshot, page)


class BatchResultBody(msgspec.Struct):
    """What became of one append."""

    status: Annotated[int, words.meta("The HTTP status that the append alone would have had.", example=200)]
    body: Annotated[
        msgspec.Raw,
        words.meta(
            "What the append alone would have been answered: its result or a problem document.",
            {"anyOf": [{"$ref": "#/components/schemas/AppendResult"}, {"$ref": "#/components/schemas/Problem"}]},
            example={
                **_ORDER, "version": 2, "position": 2,
                "events": [{"event_id": _PAID["event_id"], "version": 2, "position": 2}], "replayed": True,
            },
        ),
    ]  # fmt: skip


class BatchResultsBody(msgspec.Struct):
    """What became of each append."""

    results: Annotated[tuple[BatchResultBody, ...], words.meta("One element an append, in the order of the request.")]


# --- The rows --------------------------------------------------------------------------------------------------------


async def _read_aggregate(store: Any, asked: ReadAggregate) -> AggregatePage:
    page: AggregatePage = await store.read_aggregate(
        asked.aggregate_type, asked.aggregate_id, from_version=asked.from_version, to_version=asked.to_version,
        direction=asked.direction, limit=PAGE_EVENTS_DEFAULT if asked.limit is None else asked.limit,
    )  # fmt: skip
    return page


async def _read_feed(store: Any, asked: ReadFeed) -> FeedPage:
    limit = PAGE_EVENTS_DEFAULT if asked.limit is None else asked.limit
    page: FeedPage = await store.read_feed(asked.query, after=asked.after, direction=asked.direction, limit=limit)
    return page


_AGGREGATE: Final = "/v1/aggregates/{aggregate_type}/{aggregate_id}"
APPEND_ERRORS: Final = (
    "version_conflict", "event_id_conflict", "schema_mismatch", "shutting_down", "outcome_unknown", "storage_full",
)  # fmt: skip
"""Of every append, beside what every operation may end in."""
EVENT_STREAM: Final = "text/event-stream"

APPEND: Final = Operation[Append, AppendResult](
    name="append", section="Append", summary="Append events to one aggregate",
    description="The events are stored together or not at all, at the versions that follow the aggregate's. "
    "`expected_version`, or `If-Match`, guards against others who append at the same time: at another version nothing "
    "is stored, and the answer is `version_conflict`, with 409, or 412 when a header asked.\n\n"
    "Sending the same events with the same ids again stores nothing and gives the first result again, whatever the "
    "expected version.\n\n"
    "The body may also be one CloudEvent (`application/cloudevents+json`), or a batch of them "
    "(`application/cloudevents-batch+json`); or the data of one whose attributes are headers, such as `ce-id` "
    "(CloudEvents' binary mode). Then the headers alone say what version is expected.",
    parameters=Append, answer=AppendResult, answers="The events are on stable storage.",
    http=f"POST {_AGGREGATE}/events", request_headers=("If-Match", "If-None-Match"), answer_headers=("ETag",),
    grpc="EventStore.Append",
    retry="append", permission="append", errors=APPEND_ERRORS,
)  # fmt: skip
APPEND_ATOMIC: Final = Operation[AtomicAppend, AtomicAppendResult](
    name="append_atomic", section="Append", summary="Append to many aggregates, whole or not at all",
    description="Events get their positions in the order of the request. Each aggregate has its own "
    "`expected_version`; one that stands in the request again has none there. With a `condition` nothing is stored if "
    "an event after its cursor matches any of its queries: `condition_failed`. So a decision that rests on a query "
    "stays true until its events are stored. What it takes to look is bounded: `condition_too_costly`.",
    parameters=AtomicAppend, answer=AtomicAppendResult, answers="The events are on stable storage.",
    http="POST /v1/append", grpc="EventStore.AppendAtomic",
    retry="append", permission="append", errors=(*APPEND_ERRORS, "condition_failed", "condition_too_costly"),
)  # fmt: skip
APPEND_BATCH: Final = Operation[Batch, list[AppendOutcome]](
    name="append_batch", store_method="append_each", section="Append", summary="Append many times in one call",
    description="Each append stands alone: it is stored, or refused, as if it had come in a request of its own. The "
    "answer is 200 even when every append was refused; look at the `status` of each.",
    parameters=Batch, answer=BatchResultsBody, answers="What became of each append, in order.",
    http="POST /v1/batch", grpc="EventStore.AppendBatches",
    retry="append", permission="append",
)  # fmt: skip
READ_AGGREGATE: Final = Operation[ReadAggregate, AggregatePage](
    name="read_aggregate", section="Read", summary="Read the events of one aggregate",
    description="A page of events in the order of their versions, both ends of the range included. Read on from "
    "`next_version`, or follow `Link`.\n\n"
    "With `Accept: application/x-ndjson` everything asked for comes in one stream, one event a line, without a page "
    "limit. With `Accept: application/cloudevents-batch+json` a page is a batch of CloudEvents.",
    parameters=ReadAggregate, answer=AggregatePageBody, to_answer=AggregatePageBody.of,
    from_answer=AggregatePageBody.page, answers="A page of events.",
    http=f"GET {_AGGREGATE}/events", answer_headers=("Link",), grpc="EventStore.ReadAggregate",
    retry="read", permission="read", errors=("aggregate_not_found", "not_acceptable"), call=_read_aggregate,
)  # fmt: skip
REPLAY: Final = Operation[GetSnapshot, Replay](
    name="replay", section="Read", summary="Get what rebuilds an aggregate",
    description="The newest snapshot, not above `at_version`, and the events after it up to `at_version`, in one "
    "answer. When there are more events than fit, `Link` leads to the rest.",
    parameters=GetSnapshot, answer=ReplayBody, to_answer=ReplayBody.of, from_answer=ReplayBody.replay,
    answers="A snapshot, if there is one, and the events after it.",
    http=f"GET {_AGGREGATE}/replay", answer_headers=("Link",), grpc="EventStore.Replay",
    retry="read", permission="read", errors=("aggregate_not_found",),
)  # fmt: skip
READ_FEED: Final = Operation[ReadFeed, FeedPage](
    name="read_feed", section="Read", summary="Read the feed",
    description="Events of all aggregates in the order of their positions, filtered if wanted: any of the event types, "
    "any of the aggregate types, and all of the tags.\n\n"
    "Give a page's `cursor` as `after` of the next one, or follow `Link`, until `at_end`. A page looks at a bounded "
    "part of the log, so it may be short, or empty, without being the last. A cursor past the end of the log is an "
    "error.\n\n"
    "With `Accept: application/x-ndjson` everything asked for comes in one stream, one event a line, without a page "
    "limit.\n\n"
    "With `Accept: application/cloudevents-batch+json` a page is a batch of CloudEvents; its cursor is the header "
    "`Indelible-Cursor`, and it is the last one when there is no `Link`.\n\n"
    "With `Accept: text/event-stream` it is a subscription that never ends: each event is a message whose `id` is the "
    "cursor behind it, `caught-up` says that the log's end is reached, `checkpoint` how far reading has come, and a "
    "comment keeps a silent connection open. `Last-Event-ID` resumes. `direction` and `limit` are not for it.",
    parameters=ReadFeed, answer=FeedPageBody, to_answer=FeedPageBody.of, from_answer=FeedPageBody.page,
    answers="A page of events.",
    http="GET /v1/events", answer_headers=("Link", "Indelible-Cursor"), grpc="EventStore.ReadFeed",
    retry="read", permission="read", errors=("not_acceptable",), call=_read_feed,
)  # fmt: skip
GET_EVENT: Final = Operation[GetEvent, RecordedEvent](
    name="get_event", section="Read", summary="Get one event",
    description="By its id, wherever it stands.\n\n"
    "With `Accept: application/cloudevents+json` it is a CloudEvent. With `Accept: application/cloudevents` it is one "
    "in binary mode: its data is the body, with its own content type, and its attributes are headers, such as `ce-id`.",
    parameters=GetEvent, answer=RecordedEvent, answers="The event.",
    http="GET /v1/events/{event_id}", grpc="EventStore.GetEvent",
    retry="read", permission="read", errors=("event_not_found", "not_acceptable"),
)  # fmt: skip
SUBSCRIBE: Final = Operation[Subscribe, FeedPage](
    name="subscribe", store_method="follow", section="Read", summary="Follow the feed",
    description="The events after the cursor that is given, and then those that come, in the order of their positions, "
    "for ever. Whoever is cut off asks again after the last cursor, and misses nothing. The caller's own reading sets "
    "the pace.",
    parameters=Subscribe, answer=FeedPageBody, to_answer=FeedPageBody.of, from_answer=FeedPageBody.page,
    answers="Events, and how far reading has come.",
    http="GET /v1/events", media_type=EVENT_STREAM, grpc="EventStore.Subscribe",
    retry="follow", permission="read", errors=("shutting_down",),
)  # fmt: skip

EVENT_OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = (
    APPEND, APPEND_ATOMIC, APPEND_BATCH, READ_AGGREGATE, REPLAY, READ_FEED, GET_EVENT, SUBSCRIBE,
)  # fmt: skip
