"""Makes histories: a thin door to a store that notes every request and its answer."""

import asyncio
import time
from collections.abc import Callable, Coroutine
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
from indelible import errors
from indelible.cursors import Cursor, cursor_at, position_of
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
    """

    def __init__(
        self,
        store: EventStore,
        client: str,
        write: Callable[[Operation], None],
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._store: Final = store
        self._client: Final = client
        self._write: Final = write
        self._now_ns: Final = now_ns

    async def append(self, request: AppendRequest) -> Acknowledged:
        """``append_atomic`` where the request needs it, else ``append``."""
        return await self._recorded(_append(request), self._append(request), lambda answer: answer)

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
        return await self._recorded(ReadHead(), self._store.head(), lambda head: HeadSeen(head.position))

    async def read_aggregate(self, key: AggregateKey, from_version: int = 1, limit: int = 100) -> AggregatePage:
        reading = self._store.read_aggregate(
            key.aggregate_type, key.aggregate_id, from_version=from_version, limit=limit
        )
        return await self._recorded(ReadAggregate(key, from_version), reading, _aggregate_seen)

    async def read_feed(self, after: Cursor, limit: int = 100) -> FeedPage:
        reading = self._store.read_feed(after=after, limit=limit)
        return await self._recorded(ReadFeed(position_of(after)), reading, _feed_seen)

    async def get_event(self, event_id: UUID) -> RecordedEvent:
        reading = self._store.get_event(event_id)
        return await self._recorded(ReadEvent(event_id), reading, lambda event: EventSeen(line_of(event)))

    async def _recorded(self, request: Request, asking: Coroutine[Any, Any, T], outcome: Callable[[T], Outcome]) -> T:
        invoked_ns = self._now_ns()
        try:
            answer = await asking
        except errors.IndelibleError as error:
            self._write(Operation(self._client, invoked_ns, self._now_ns(), request, _refusal(error)))
            raise
        except asyncio.CancelledError:
            self._write(Operation(self._client, invoked_ns, self._now_ns(), request, Unknown("cancelled")))
            raise
        completed_ns = self._now_ns()
        self._write(Operation(self._client, invoked_ns, completed_ns, request, outcome(answer)))
        return answer


def _append(request: AppendRequest) -> Append:
    parts = tuple(
        Part(append.key, tuple(map(sent_event, append.events)), append.expected_version) for append in request.appends
    )
    if request.condition is None:
        return Append(parts)
    return Append(parts, Condition(request.condition.fail_if, position_of(request.condition.after)))


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


_decode_placed: Final = msgspec.json.Decoder(_Placed).decode


def _lines(lines: bytes) -> tuple[Line, ...]:
    return tuple(map(_line, lines.split(b"\n"))) if lines else ()


def _line(line: bytes) -> Line:
    placed = _decode_placed(line)
    return Line(placed.position, placed.version, placed.event_id, digest(line))


def _aggregate_seen(page: AggregatePage) -> AggregateSeen:
    return AggregateSeen(page.version, _lines(page.lines), page.next_version)


def _feed_seen(page: FeedPage) -> FeedSeen:
    return FeedSeen(_lines(page.lines), position_of(page.cursor), page.at_end)


async def read_log(store: EventStore, start: int = 0) -> list[LoggedEvent]:
    """All events after ``start``, as the store has them now."""
    log: list[LoggedEvent] = []
    after, at_end = cursor_at(start), False
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
