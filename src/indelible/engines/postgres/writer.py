"""Writes over one connection: a batch of appends, or recorded events of another store, in one transaction. It takes two
round trips: lock the head and look up; insert and commit."""

import base64
import contextlib
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from functools import cached_property
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
import psycopg

from indelible.engines.engine import AppendOutcome, LogHead
from indelible.engines.planner import (
    Plan,
    PlannedEvent,
    RecentEvent,
    StoredState,
    plan,
    plan_in_parts,
    plan_recorded_in_parts,
    unseen_after,
)
from indelible.engines.postgres.arrays import bigints, hashes, names, texts, timestamps, uuids
from indelible.engines.postgres.connections import Statements, is_pooled
from indelible.engines.postgres.failures import is_replication_doubt
from indelible.engines.postgres.hosts import place_of
from indelible.engines.rows import event_columns, readable_event
from indelible.errors import IndelibleError, Unavailable
from indelible.events import (
    AggregateKey,
    NewEvent,
    RecordedEvent,
    new_event_id,
    timestamp_from_us,
    timestamp_to_us,
)
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.limits import (
    CONDITION_TAIL_EVENTS_MAX,
    CONDITION_TAIL_SIZE_BYTES_MAX,
    DATABASE_CONFIRMED_S,
    DATABASE_IDLE_TIMEOUT_S,
    DATABASE_LATE_TIMEOUT_S,
    DATABASE_LOCK_TIMEOUT_S,
    DATABASE_PART_EVENTS,
    EVENT_SIZE_BYTES_MAX,
    READY_TRIAL_LOCK_TIMEOUT_S,
    RETRY_AFTER_S,
    SMALL_APPEND_EVENTS_MAX,
    SMALL_APPEND_SIZE_BYTES_MAX,
    VERSION_MAX,
)
from indelible.postgres_connections import Connection, deadline

EVENT_TYPES_CACHED_MAX: Final = 65_536
"""Numbers of event types that are kept in memory; beyond it all are forgotten and learnt again."""

# Not READ WRITE: a primary that was made read-only, as a failover may begin with, must not be written to.
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
TIMEOUT_VALUES: Final = {"lock": f"{DATABASE_LOCK_TIMEOUT_S}s", "idle": f"{DATABASE_IDLE_TIMEOUT_S}s"}

WOULD_LOSE_COMMITS: Final = (
    "the database's synchronous_commit is off, so it may lose what it has acknowledged. Turn it on, or ask for it by "
    "name: add synchronous_commit=off to the URL"
)

_encode_tags: Final = msgspec.json.Encoder().encode
_decode_tags: Final = msgspec.json.Decoder(tuple[str, ...]).decode

TypeNames = tuple[str, str]
"""Aggregate type and event type."""


class ReplicationInDoubt(Exception):
    """The commit is on the primary's disk, but the wait for its standbys was cancelled."""


class Write(Protocol):
    """What is to be written: what it touches, and what it comes to once that is known."""

    @property
    def keys(self) -> Collection[AggregateKey]: ...

    @property
    def type_names(self) -> Collection[TypeNames]: ...

    @property
    def event_ids(self) -> Sequence[UUID]: ...

    @property
    def unseen_after(self) -> int:
        """Conditions have not been held against the events after this position; ``VERSION_MAX``: there are none."""
        ...

    @property
    def is_small(self) -> bool:
        """So small that only a slow database takes long for it."""
        ...

    def decide(self, state: StoredState, now_us: int) -> Iterator[Plan]:
        """By parts, each with the outcomes and events after those of the part before, and the head after them.
        ``now_us`` is the database's clock, microseconds since 1970."""
        ...


class Attempt:
    """One transaction. ``planned`` is what it would store, once that is known; ``may_be_stored`` whether the commit was
    sent: until then a lost connection means that nothing is stored."""

    def __init__(self, write: Write) -> None:
        self.write: Final = write
        self.planned: Plan | None = None
        self.may_be_stored = False


class Writer:
    """Owns one connection, and what it knows of the database: after a failover that may be another."""

    def __init__(self, connection: Connection, statements: Statements, *, may_lose_commits: bool) -> None:
        self.connection: Final = connection
        self.place: Final = place_of(connection)
        self._statement: Final = statements
        self._may_lose_commits: Final = may_lose_commits
        self._event_types: Final[dict[TypeNames, int]] = {}
        self._prepares: Final = not is_pooled(connection)
        self._in_doubt = False
        self._commits = False
        self._leads_at = float("-inf")
        connection.add_notice_handler(self._on_notice)

    async def run(self, attempt: Attempt, timeout_s: float) -> Plan:
        """Decide and store a batch in one transaction, within ``timeout_s``. Raises :class:`psycopg.Error`,
        :class:`ReplicationInDoubt`, and ``Unavailable`` when the database would not keep what it commits."""
        self._in_doubt = self._commits = False
        began = time.monotonic()
        try:
            async with deadline(self.connection, timeout_s), self.connection.pipeline() as pipeline:
                state, now_us, numbers = await self._lock_and_look_up(attempt.write, pipeline)
                planned = await self._decide_and_send(attempt, state, now_us, numbers, pipeline)
        except BaseException:
            await self._roll_back()
            raise
        if self._in_doubt:
            raise ReplicationInDoubt
        if self._commits:
            self._leads_at = began
        self._remember(numbers)
        return planned

    def _remember(self, numbers: "Numbers") -> None:
        if len(self._event_types) + len(numbers.event_types) > EVENT_TYPES_CACHED_MAX:
            self._event_types.clear()
        self._event_types.update(numbers.event_types)

    # --- First round trip --------------------------------------------------------------------------------------------

    async def _lock_and_look_up(
        self, write: Write, pipeline: psycopg.AsyncPipeline
    ) -> "tuple[StoredState, int, Numbers]":
        async with _round_trip(pipeline):
            await self._execute(_BEGIN)
            locked = await self._execute(self._statement("lock_head"), TIMEOUT_VALUES)
            # Each statement sees all that was committed before it began, so all that came before the lock was had.
            aggregates = await self._execute(self._statement("find_aggregates"), _names_of(write.keys))
            events = await self._execute(self._statement("stored_events"), {"event_ids": uuids(write.event_ids)})
            event_types = await self._find_event_types(write.type_names)
            recent = await self._find_recent(write.unseen_after)
        position, timestamp, hash_, now, synchronous_commit, *_ = await _one(locked)
        if synchronous_commit == "off" and not self._may_lose_commits:
            raise _would_lose_commits()
        found = {AggregateKey(row[0], row[1]): (row[2], row[3]) for row in await aggregates.fetchall()}
        stored = await events.fetchall()
        readable = {event_id: readable_event(line) for event_id, _, line in stored}
        head = LogHead(position, timestamp_to_us(timestamp), hash_)
        state = StoredState(
            head,
            {key: version for key, (_, version) in found.items()},
            {event_id: event for event_id, event in readable.items() if event is not None},
            [] if recent is None else _contiguous(await recent.fetchall(), position),
            {event_id: position for event_id, position, _ in stored if readable[event_id] is None},
        )
        types = [] if event_types is None else await event_types.fetchall()
        numbers = Numbers(
            {key: number for key, (number, _) in found.items()},
            {(aggregate_type, name): number for aggregate_type, name, number in types},
            self._event_types,
        )
        return state, timestamp_to_us(now), numbers

    async def _find_event_types(self, types: Collection[TypeNames]) -> "psycopg.AsyncCursor[Any] | None":
        unknown = [pair for pair in types if pair not in self._event_types]
        if not unknown:
            return None
        values = {
            "aggregate_types": names([pair[0] for pair in unknown]), "names": names([pair[1] for pair in unknown])
        }  # fmt: skip
        return await self._execute(self._statement("find_event_types"), values)

    async def _find_recent(self, after: int) -> "psycopg.AsyncCursor[Any] | None":
        if after == VERSION_MAX:
            return None
        values = {
            "after": after,
            "events_max": CONDITION_TAIL_EVENTS_MAX,
            "size_bytes_max": CONDITION_TAIL_SIZE_BYTES_MAX,
        }
        return await self._execute(self._statement("recent_events"), values)

    # --- Second round trip -------------------------------------------------------------------------------------------

    async def _decide_and_send(
        self, attempt: Attempt, state: StoredState, now_us: int, numbers: "Numbers", pipeline: psycopg.AsyncPipeline
    ) -> Plan:
        """Answered when the pipeline ends. The database begins with each part as soon as it is there."""
        outcomes: list[AppendOutcome] = []
        events: list[PlannedEvent] = []
        planned = attempt.planned = Plan(outcomes, events, state.head)
        for part in attempt.write.decide(state, now_us):
            outcomes += part.outcomes
            events += part.events
            planned = attempt.planned = Plan(outcomes, events, part.head)
            if part.events:
                await self._execute(self._statement("append_batch"), batch_values(part, numbers))
                if len(events) < len(attempt.write.event_ids):
                    _sync_later(pipeline)
        await self._end(attempt, planned)
        return planned

    async def _end(self, attempt: Attempt, planned: Plan) -> None:
        if _is_refused(planned) and time.monotonic() < self._leads_at + DATABASE_CONFIRMED_S:
            await self._execute("ROLLBACK")
            return
        if not planned.events:
            # What is repeated here may not have reached the standbys; this commit waits until it has. And who leads no
            # more must refuse nothing.
            await self._execute(self._statement("touch_head"))
        attempt.may_be_stored = bool(planned.events)
        self._commits = True
        await self._execute("COMMIT")

    async def _execute(self, sql: Any, values: Any = None) -> "psycopg.AsyncCursor[Any]":
        cursor = self.connection.cursor(binary=True)
        return await cursor.execute(sql, values, prepare=self._prepares and values is not None)

    async def statement_timeout_s(self) -> float | None:
        """What the database lets one statement take; None without a limit, and where it cannot be asked."""
        try:
            async with deadline(self.connection, DATABASE_LATE_TIMEOUT_S):
                (found,) = await _one(await self._execute(self._statement("statement_timeout")))
        except psycopg.Error:
            return None
        return float(found) or None

    async def _roll_back(self) -> None:
        """End what is open, if the connection still can; the database does it itself when that closes."""
        if self.connection.closed:
            return
        try:
            async with deadline(self.connection, DATABASE_LATE_TIMEOUT_S):
                await self.connection.execute("ROLLBACK")
        except psycopg.Error:
            await self.connection.close()

    def _on_notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        self._in_doubt = self._in_doubt or is_replication_doubt(diagnostic)


def _is_refused(planned: Plan) -> bool:
    return bool(planned.outcomes) and all(isinstance(outcome, IndelibleError) for outcome in planned.outcomes)


@contextlib.asynccontextmanager
async def _round_trip(pipeline: psycopg.AsyncPipeline) -> AsyncIterator[None]:
    """Ask for several things at once, within a transaction.

    Not by a pipeline of its own: psycopg ends one with a message after which the database no longer counts how long it
    has been left alone, and so would wait for a frozen server for ever.
    """
    yield
    await pipeline.sync()


def _sync_later(pipeline: psycopg.AsyncPipeline) -> None:
    """Have the database answer what it was sent, and count from then on how long it is left alone: while the next part
    is decided. psycopg would wait for the answers."""
    pipeline.pgconn.pipeline_sync()
    pipeline.result_queue.append(None)


class Numbers(msgspec.Struct):
    """By which numbers the database knows the names of a batch. What is new is named by the position of its first
    event."""

    aggregates: dict[AggregateKey, int]
    event_types: dict[TypeNames, int]
    known_event_types: dict[TypeNames, int]
    """Those of earlier batches."""

    def of_event_types(self, types: Sequence[TypeNames], events: Sequence[PlannedEvent]) -> list[int]:
        first_positions = {pair: one.position for pair, one in zip(reversed(types), reversed(events), strict=True)}
        numbers = {pair: self._of_event_type(pair, position) for pair, position in first_positions.items()}
        return [numbers[pair] for pair in types]

    def _of_event_type(self, type_names: TypeNames, position: int) -> int:
        known = self.known_event_types.get(type_names)
        return self.event_types.setdefault(type_names, position) if known is None else known


def batch_values(planned: Plan, numbers: Numbers) -> dict[str, object]:
    """What ``append_batch.sql`` takes."""
    events = planned.events
    types = [(one.key.aggregate_type, one.event.event_type) for one in events]
    aggregates = [numbers.aggregates.setdefault(one.key, one.position) for one in events]
    event_types = numbers.of_event_types(types, events)
    return {
        **_event_values(events),
        "aggregates": bigints(aggregates),
        "event_types": bigints(event_types),
        **_new_aggregates([one for one, number in zip(events, aggregates, strict=True) if one.position == number]),
        **_counted_events(event_types, types),
        **_tag_values(events, event_types),
        "position": planned.head.position,
        "timestamp": timestamp_from_us(planned.head.timestamp_us),
        "hash": planned.head.hash,
    }


def _event_values(events: Sequence[PlannedEvent]) -> dict[str, object]:
    columns = zip(*[event_columns(one.event) for one in events], strict=True) if events else [()] * 5
    data, data_base64, metadata, tags, content_types = columns
    return {
        "positions": bigints([one.position for one in events]),
        "versions": bigints([one.version for one in events]),
        "event_ids": uuids([one.event.event_id for one in events]),
        "aggregate_types": names([one.key.aggregate_type for one in events]),
        "aggregate_ids": names([one.key.aggregate_id for one in events]),
        "event_type_names": names([one.event.event_type for one in events]),
        "timestamps": timestamps([one.timestamp_us for one in events]),
        "event_data": texts(data),
        "event_data_base64": texts(data_base64),
        "metadata": texts(metadata),
        "tags_of_events": texts([None if one is None else _encode_tags(one).decode() for one in tags]),
        "content_types": texts(content_types),
        "hashes": hashes([one.hash for one in events]),
    }


def _new_aggregates(first_events: Sequence[PlannedEvent]) -> dict[str, object]:
    types = [one.key.aggregate_type for one in first_events]
    counts = Counter(types)
    return {
        "new_aggregates": bigints([one.position for one in first_events]),
        "new_aggregate_types": names(types),
        "new_aggregate_ids": names([one.key.aggregate_id for one in first_events]),
        "counted_aggregate_types": names(counts),
        "aggregate_counts": bigints(list(counts.values())),
    }


def _counted_events(event_types: Sequence[int], types: Sequence[TypeNames]) -> dict[str, object]:
    counts, names_of = Counter(event_types), dict(zip(event_types, types, strict=True))
    return {
        "counted_event_types": bigints(list(counts)),
        "counted_of_aggregate_types": names([names_of[number][0] for number in counts]),
        "counted_names": names([names_of[number][1] for number in counts]),
        "event_counts": bigints(list(counts.values())),
    }


def _tag_values(events: Sequence[PlannedEvent], event_types: Sequence[int]) -> dict[str, object]:
    tags = [
        (tag, one.position, event_type)
        for one, event_type in zip(events, event_types, strict=True)
        for tag in one.event.tags
    ]
    return {
        "tags": names([tag for tag, _, _ in tags]),
        "tag_positions": bigints([position for _, position, _ in tags]),
        "tag_event_types": bigints([event_type for _, _, event_type in tags]),
    }


def _names_of(keys: Collection[AggregateKey]) -> dict[str, object]:
    return {
        "aggregate_types": names([key.aggregate_type for key in keys]),
        "aggregate_ids": names([key.aggregate_id for key in keys]),
    }


def _contiguous(rows: Sequence[tuple[int, str, str, str | None]], head: int) -> list[RecentEvent]:
    """Events that came newest first, back to the first gap: where a partition was taken off."""
    events = []
    for expected, (position, event_type, aggregate_type, tags) in zip(range(head, 0, -1), rows, strict=False):
        if position != expected:
            break
        events.append(RecentEvent(event_type, aggregate_type, _decode_tags(tags) if tags else ()))
    return events[::-1]


async def _one(cursor: "psycopg.AsyncCursor[Any]") -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = await cursor.fetchone()
    assert row is not None
    return row


def _would_lose_commits() -> Unavailable:
    return Unavailable(
        f"{WOULD_LOSE_COMMITS}; nothing was stored",
        retry_after_s=RETRY_AFTER_S,
    )


# --- What is written -------------------------------------------------------------------------------------------------


class Batch:
    """Requests of which each has its own outcome."""

    def __init__(self, requests: Sequence[AppendRequest]) -> None:
        self.requests = requests
        appends = [append for request in requests for append in request.appends]
        self.keys = list(dict.fromkeys(append.key for append in appends))
        self.event_ids = [event.event_id for append in appends for event in append.events]
        self.type_names = {
            (append.key.aggregate_type, event.event_type) for append in appends for event in append.events
        }
        self.unseen_after = unseen_after(requests, VERSION_MAX)

    def decide(self, state: StoredState, now_us: int) -> Iterator[Plan]:
        return plan_in_parts(self.requests, state, now_us, DATABASE_PART_EVENTS)

    @property
    def is_small(self) -> bool:
        return (
            len(self.event_ids) <= SMALL_APPEND_EVENTS_MAX
            and sum(request.size_bytes for request in self.requests) <= SMALL_APPEND_SIZE_BYTES_MAX
        )


class Recorded:
    """Events that are stored as they are, or refused."""

    is_small = False
    unseen_after: Final = VERSION_MAX

    def __init__(self, events: Sequence[RecordedEvent]) -> None:
        self._events = events
        self._was_sent = False

    @cached_property
    def keys(self) -> list[AggregateKey]:
        return list(dict.fromkeys(event.key for event in self._events))

    @cached_property
    def event_ids(self) -> list[UUID]:
        return [event.event_id for event in self._events]

    @cached_property
    def type_names(self) -> set[TypeNames]:
        return {(event.aggregate_type, event.event_type) for event in self._events}

    def decide(self, state: StoredState, now_us: int) -> Iterator[Plan]:  # noqa: ARG002 - the events have their times
        last = self._events[-1]
        if self._was_sent and state.events.get(last.event_id) == last:
            # An attempt of which nobody heard has stored them.
            yield Plan([], [], state.head)
            return
        yield from plan_recorded_in_parts(self._events, state, DATABASE_PART_EVENTS)
        self._was_sent = True


# --- A trial ---------------------------------------------------------------------------------------------------------

_TIMEOUTS: Final = {"lock": f"{READY_TRIAL_LOCK_TIMEOUT_S}s", "idle": f"{DATABASE_IDLE_TIMEOUT_S}s"}


async def try_append(connection: Connection, statement: Statements, size_bytes: int) -> None:
    """Raises :class:`psycopg.Error` when one of the tables cannot be written to, or is locked by others for long.

    With ``size_bytes`` there is one event of that size at the most. It leaves a dead row, so that is for when appends
    were refused.
    """
    async with connection.transaction(force_rollback=True):
        # In binary, as the writer does: as text a time looks as the database is set up.
        cursor = connection.cursor(binary=True)
        await cursor.execute(statement("lock_head"), _TIMEOUTS)
        position, timestamp, hash_, *_ = await cursor.fetchone() or ()
        head = LogHead(position, timestamp_to_us(timestamp), hash_)
        planned = plan(_batch(size_bytes), StoredState(head, {}, {}, ()), head.timestamp_us) if size_bytes else None
        values = batch_values(planned or Plan([], [], head), Numbers({}, {}, {}))
        await cursor.execute(statement("append_batch"), values)


def _batch(size_bytes: int) -> list[AppendRequest]:
    # Random, since the database compresses what it can; base64 makes four bytes of three, and JSON adds quotes.
    filling = base64.b64encode(os.urandom(min(size_bytes, EVENT_SIZE_BYTES_MAX - 8) * 3 // 4))
    key = AggregateKey("trial", str(new_event_id()))
    return [AppendRequest((AggregateAppend(key, (NewEvent("Tried", filling.decode()),)),))]
