"""Makes histories: a thin door to a store that notes every request and its answer."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from faults.history.model import (
    Acknowledged,
    AggregateSeen,
    Append,
    Condition,
    ConditionRefused,
    EventSeen,
    FeedSeen,
    HeadSeen,
    IdConflicted,
    Line,
    LoggedEvent,
    NotFound,
    Operation,
    Outcome,
    Part,
    PartStored,
    Place,
    ReadAggregate,
    ReadEvent,
    ReadFeed,
    ReadHead,
    Request,
    Unexpected,
    Unknown,
    Unserved,
    VersionConflicted,
    digest,
    line_of,
    logged_event,
    sent_event,
)
from faults.history.partitions import PlacesIn
from indelible import errors
from indelible.cursors import START, Cursor
from indelible.events import AggregateKey, RecordedEvent, decode_events
from indelible.eventstore import (
    AggregatePage,
    AppendRequest,
    AppendResult,
    EventStore,
    FeedPage,
    Head,
)
from indelible.limits import PAGE_EVENTS_MAX

T = TypeVar("T")


class Recorder:
    """One client's door to a store. Raises what the store raises; an ``AggregateNotFound`` or ``EventNotFound`` too.

    ``write`` gets each operation when it is over, in the order of their ends. ``now_ns`` must be one clock for all.
    ``partitions``: of a store of so many, with no partition keys of its own. Each is a log by itself, and checked by
    itself: an operation says what it says of each.
    """

    def __init__(
        self,
        store: EventStore,
        client: str,
        write: Callable[[Operation], None],
        now_ns: Callable[[], int] = time.monotonic_ns,
        partitions: int = 1,
    ) -> None:
        self._store: Final = store
        self._client: Final = client
        self._write: Final = write
        self._now_ns: Final = now_ns
        self._places: Final = PlacesIn(partitions)

    async def append(self, request: AppendRequest) -> Acknowledged:
        """``append_atomic`` where the request needs it, else ``append``."""
        home = self._places.partition_of(request.appends[0].key)
        noted = {home: _append(request, self._places.position(request.condition, home))}
        return await self._recorded(noted, self._append(request), lambda answer, _: answer)

    async def _append(self, request: AppendRequest) -> Acknowledged:
        if len(request.appends) > 1 or request.condition is not None:
            done = await self._store.append_atomic(request.appends, condition=request.condition)
            return Acknowledged(tuple(map(_part_stored, done.results)), done.replayed)
        (one,) = request.appends
        result = await self._store.append(
            one.key.aggregate_type, one.key.aggregate_id, one.events, expected_version=one.expected_version
        )
        return Acknowledged((_part_stored(result),), result.replayed)

    async def head(self) -> Head:
        noted = dict.fromkeys(self._places.all, ReadHead())
        return await self._recorded(
            noted, self._store.head(), lambda head, n: HeadSeen(self._places.of(head.cursor)[n])
        )

    async def read_aggregate(self, key: AggregateKey, from_version: int = 1, limit: int = 100) -> AggregatePage:
        reading = self._store.read_aggregate(
            key.aggregate_type, key.aggregate_id, from_version=from_version, limit=limit
        )
        noted = {self._places.partition_of(key): ReadAggregate(key, from_version)}
        return await self._recorded(noted, reading, lambda page, _: _aggregate_seen(page))

    async def read_feed(self, after: Cursor, limit: int = 100) -> FeedPage:
        reading = self._store.read_feed(after=after, limit=limit)
        noted = {n: ReadFeed(position) for n, position in enumerate(self._places.of(after))}
        return await self._recorded(noted, reading, self._feed_seen)

    async def get_event(self, event_id: UUID) -> RecordedEvent:
        reading = self._store.get_event(event_id)
        noted = dict.fromkeys(self._places.all, ReadEvent(event_id))
        return await self._recorded(noted, reading, self._event_seen)

    def _event_seen(self, event: RecordedEvent, partition: int) -> Outcome | None:
        return EventSeen(line_of(event)) if self._places.partition_of(event.key) == partition else None

    def _feed_seen(self, page: FeedPage, partition: int) -> Outcome:
        lines = _lines(page.lines, lambda key: self._places.partition_of(key) == partition)
        return FeedSeen(lines, self._places.of(page.cursor)[partition], page.at_end)

    async def _recorded(
        self,
        noted: Mapping[int, Request],
        asking: Coroutine[Any, Any, T],
        outcome: Callable[[T, int], Outcome | None],
    ) -> T:
        """``noted``: what is asked of each partition. ``outcome``: what the answer says of one; None: nothing."""
        invoked_ns = self._now_ns()
        try:
            answer = await asking
        except errors.IndelibleError as error:
            refusal = _refusal(error)
            self._note(noted, invoked_ns, lambda _: refusal)
            raise
        except asyncio.CancelledError:
            self._note(noted, invoked_ns, lambda _: Unknown("cancelled"))
            raise
        self._note(noted, invoked_ns, lambda partition: outcome(answer, partition))
        return answer

    def _note(self, noted: Mapping[int, Request], invoked_ns: int, outcome: Callable[[int], Outcome | None]) -> None:
        completed_ns = self._now_ns()
        for partition, request in noted.items():
            told = outcome(partition)
            if told is not None and not _says_nothing(request, told):
                self._write(Operation(self._client, invoked_ns, completed_ns, request, told, partition))


def _says_nothing(request: Request, outcome: Outcome) -> bool:
    """A page that did not come further in a partition, because others had more."""
    is_page = isinstance(request, ReadFeed) and isinstance(outcome, FeedSeen)
    return is_page and not outcome.at_end and outcome.cursor == request.after and not outcome.events


def _append(request: AppendRequest, after: int) -> Append:
    parts = tuple(
        Part(append.key, tuple(map(sent_event, append.events)), append.expected_version) for append in request.appends
    )
    if request.condition is None:
        return Append(parts)
    return Append(parts, Condition(request.condition.fail_if, after))


def _part_stored(result: AppendResult) -> PartStored:
    places = tuple(Place(event.event_id, event.version, event.position) for event in result.events)
    return PartStored(result.version, result.position, places)


def _refusal(error: errors.IndelibleError) -> Outcome:
    outcome: Outcome = Unexpected(error.code, error.message)
    match error:
        case errors.VersionConflict(fields=fields):
            key = AggregateKey(fields["aggregate_type"], fields["aggregate_id"])
            outcome = VersionConflicted(key, error.actual_version)
        case errors.EventIdConflict(fields=fields):
            outcome = IdConflicted(UUID(fields["event_id"]))
        case errors.ConditionFailed():
            outcome = ConditionRefused(error.position)
        case errors.Unavailable():
            outcome = Unserved(error.code)
        case errors.OutcomeUnknown():
            outcome = Unknown(error.message)
        case errors.AggregateNotFound() | errors.EventNotFound():
            outcome = NotFound()
    return outcome


class _Placed(msgspec.Struct):
    event_id: UUID
    version: int
    position: int
    aggregate_type: str
    aggregate_id: str


_decode_placed: Final = msgspec.json.Decoder(_Placed).decode


def _lines(lines: bytes, is_asked: Callable[[AggregateKey], bool] = lambda _: True) -> tuple[Line, ...]:
    """Of the aggregates that are asked for."""
    found: list[Line] = []
    for line in lines.split(b"\n") if lines else ():
        placed = _decode_placed(line)
        if is_asked(AggregateKey(placed.aggregate_type, placed.aggregate_id)):
            found.append(Line(placed.position, placed.version, placed.event_id, digest(line)))
    return tuple(found)


def _aggregate_seen(page: AggregatePage) -> AggregateSeen:
    return AggregateSeen(page.version, _lines(page.lines), page.next_version)


async def read_log(store: EventStore, start: Cursor = START) -> list[LoggedEvent]:
    """All events after ``start``, as the store has them now."""
    log: list[LoggedEvent] = []
    after, at_end = start, False
    while not at_end:
        page = await store.read_feed(after=after, limit=PAGE_EVENTS_MAX)
        log += map(logged_event, decode_events(page.lines))
        after, at_end = page.cursor, page.at_end
    return log


class HistoryFile:
    """Operations as lines of JSON. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._file: Final = path.open("ab", buffering=1 << 16)
        self._encoder: Final = msgspec.json.Encoder()

    def write(self, operation: Operation) -> None:
        self._file.write(self._encoder.encode(operation) + b"\n")

    def __enter__(self) -> "HistoryFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_operations(path: Path) -> list[Operation]:
    return msgspec.json.Decoder(Operation).decode_lines(path.read_bytes())
