"""LocalEventStore: the EventStore over a storage engine in this process. Checks requests, then asks the engine."""

import asyncio
import base64
import binascii
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final, Self
from uuid import UUID

import msgspec

from indelible.access import check_reserved
from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.core.append_queue import AppendQueue
from indelible.core.condition_scans import ConditionScans, check_not_past
from indelible.core.consumer_groups import LocalConsumerGroups
from indelible.core.engine_calls import SoundReads, outcome_of, unparsed
from indelible.core.keys import LocalKeys
from indelible.core.marks import check_whole
from indelible.core.relays import LocalRelays, event_after, lag_after
from indelible.core.schemas.guard import SchemaGuard
from indelible.core.schemas.registry import LocalSchemas
from indelible.core.subscriptions import WHOLE_PAGE, PageBounds, Subscriptions
from indelible.cursors import START, Cursor, Lag, cursor_at, position_of
from indelible.diagnostics import BatchMeasure, Capabilities, CommitCounts, GroupMeasure, StorageState
from indelible.engines.engine import (
    ConditionBehind,
    Engine,
    Lines,
    aggregate_not_found,
    event_not_found,
    too_many_reads,
)
from indelible.errors import (
    IndelibleError,
    InvalidRequest,
    PayloadTooLarge,
    SnapshotNotFound,
    StorageFailure,
    StoreCorrupted,
)
from indelible.events import (
    AggregateKey,
    NewEvent,
    RecordedEvent,
    Snapshot,
    check_aggregate_type,
    check_event_id,
    check_name,
    check_version,
    decode_event,
    encode_snapshot_state,
)
from indelible.eventstore import (
    AggregateAppend,
    AggregateInfo,
    AggregateList,
    AggregatePage,
    AggregateTypeInfo,
    AppendOutcome,
    AppendRequest,
    AppendResult,
    AtomicAppendResult,
    EventTypeInfo,
    FeedPage,
    Head,
    NewEvents,
    Replay,
    as_requests,
    each_outcome,
)
from indelible.groups import StartPoint
from indelible.index_state import NoIndex, no_index
from indelible.limits import (
    CONDITION_SCANS_MAX,
    FEED_PAGES_AT_ONCE_MAX,
    PAGE_EVENTS_DEFAULT,
    PAGE_EVENTS_MAX,
    PAGE_SIZE_BYTES_MAX,
    READS_WAITING_MAX,
    RECORDED_EVENTS_MAX,
    RECORDED_SIZE_BYTES_MAX,
    VERSION_MAX,
)
from indelible.queries import (
    EVERYTHING,
    Direction,
    EventQuery,
    check_gather,
    check_list_cursor,
    check_page,
    check_prefix,
    check_query,
)
from indelible.search import SearchPage, SearchQuery
from indelible.tasks import hear_of_failure

_LIST_START: Final = ""
"""The cursor of a list that holds nothing yet."""


class LocalEventStore:
    """Implements ``RecordingStore`` and ``MeasuringStore`` of :mod:`indelible.eventstore`, and
    :class:`indelible.diagnostics.StoreDiagnostics`. Use as ``async with LocalEventStore(engine) as store``.

    ``on_batch`` hears of every commit, and ``on_group`` of every save of a consumer group, for metrics. ``on_failure``
    hears once when the storage has failed for good. ``monotonic_us`` gives microseconds that never run back; consumer
    groups reckon their deadlines by it.

    ``may_hold_loop`` is for a program of its own, not for a server: an append that comes alone may then be committed on
    the event loop, where the last commit was fast (``LONE_COMMIT_S_MAX``), and costs little more than the sync.

    ``is_partition``: it is a part of a store, and as that only it may be one.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        on_batch: Callable[[BatchMeasure], None] | None = None,
        on_failure: Callable[[StorageFailure], None] | None = None,
        on_group: Callable[[str, GroupMeasure], None] | None = None,
        may_hold_loop: bool = False,
        is_partition: bool = False,
        monotonic_us: Callable[[], int] = lambda: time.monotonic_ns() // 1_000,
    ) -> None:
        self._engine: Final = engine
        self._is_partition: Final = is_partition
        self.groups: Final = LocalConsumerGroups(engine, self._position_before_start, on_group, monotonic_us)
        self.relays: Final = LocalRelays(engine, self._position_before_start)
        self.index: Final = NoIndex()
        self.keys: Final = LocalKeys(self.append_reserved, self.read_feed, self.read_aggregate)
        self.guard = SchemaGuard(self, is_shared=engine.capabilities.many_processes)
        """Of a partition: that of the whole store."""
        self.schemas: Final = LocalSchemas(self.append_reserved, self.read_aggregate, self.guard)
        self._reads: Final = SoundReads(engine)
        self._page_room: Final = asyncio.Semaphore(FEED_PAGES_AT_ONCE_MAX)
        self._pages_waiting = 0
        self._counts: Final = CommitCounts() if is_partition else None
        self._on_batch: Final = on_batch
        self._queue = AppendQueue(
            engine, on_batch=self._count_batch, on_failure=on_failure, may_hold_loop=may_hold_loop
        )
        self._scans = ConditionScans(engine)
        self._subscriptions = Subscriptions(self._read_forward, engine.wait_for_head)

    @property
    def capabilities(self) -> Capabilities:
        return self._engine.capabilities

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._engine.warnings

    @property
    def queue_depth(self) -> int:
        return self._queue.depth

    def _count_batch(self, measure: BatchMeasure) -> None:
        if self._counts is not None:
            self._counts.add_commit(measure.events, measure.commit_s)
        if self._on_batch is not None:
            self._on_batch(measure)

    async def open(self) -> Self:
        await self._engine.open()
        if not self._is_partition:
            try:
                await check_whole(self)
            except BaseException:
                await self.aclose()
                raise
        return self

    async def aclose(self) -> None:
        try:
            await self.groups.close()
        finally:
            try:
                await self.guard.finish()
                await self._queue.close()
            finally:
                await self._engine.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # --- Appending ---------------------------------------------------------------------------------------------------

    async def append(
        self,
        aggregate_type: str,
        aggregate_id: str,
        events: NewEvents,
        *,
        expected_version: ExpectedVersion = "any",
    ) -> AppendResult:
        append = AggregateAppend.of(aggregate_type, aggregate_id, events, expected_version=expected_version)
        request = AppendRequest((append,))
        request.check(atomic=False)
        if self._must_check:
            await self.guard.check(request, self._is_stored, atomic=False)
        return (await self._queue.append(request)).results[0]

    async def append_reserved(
        self,
        aggregate_type: str,
        aggregate_id: str,
        events: Sequence[NewEvent],
        *,
        expected_version: ExpectedVersion = "any",
    ) -> AppendResult:
        append = AggregateAppend.of(aggregate_type, aggregate_id, events, expected_version=expected_version)
        request = AppendRequest((append,))
        request.check(atomic=False, is_reserved=True)
        return (await self._queue.append(request)).results[0]

    async def append_each(self, appends: Sequence[AggregateAppend]) -> list[AppendOutcome]:
        requests = as_requests(appends)
        if self._must_check:
            requests = await self.guard.check_each(requests, self._is_stored)
        outcomes = await each_outcome(requests, self._queue.append_each)
        return [one if isinstance(one, IndelibleError) else one.results[0] for one in outcomes]

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        request = AppendRequest(tuple(appends), condition)
        request.check(atomic=True)
        if self._must_check:
            await self.guard.check(request, self._is_stored, atomic=True)
        for number in range(CONDITION_SCANS_MAX):
            request = await self._scans.scan_condition(request)
            try:
                return await self._queue.append(request, first=number > 0)
            except ConditionBehind as behind:
                error = behind
        raise error

    async def append_recorded(self, events: Sequence[RecordedEvent]) -> None:
        if len(events) > RECORDED_EVENTS_MAX:
            raise PayloadTooLarge(
                f"{len(events)} events at once, more than {RECORDED_EVENTS_MAX}",
                pointer="/events", events_max=RECORDED_EVENTS_MAX,
            )  # fmt: skip
        if len(events) > 1 and sum(event.size_bytes for event in events) > RECORDED_SIZE_BYTES_MAX:
            raise PayloadTooLarge(
                f"more than {RECORDED_SIZE_BYTES_MAX} bytes of payload at once",
                pointer="/events", size_bytes_max=RECORDED_SIZE_BYTES_MAX,
            )  # fmt: skip
        # In a task of its own: a caller that gives up must not let go of a transaction that still commits.
        appending = asyncio.create_task(self._engine.append_recorded(events), name="append-recorded")
        appending.add_done_callback(self._end_append_recorded)
        await asyncio.shield(appending)

    def _end_append_recorded(self, done: asyncio.Task[None]) -> None:
        hear_of_failure(done)
        self.guard.forget()

    @property
    def _must_check(self) -> bool:
        """Whether event types may have schemas. Of a queue that takes nothing its refusal is to be heard."""
        return not self.guard.is_clear and self._queue.takes_appends

    async def _is_stored(self, event_id: UUID) -> bool:
        return await self._engine.read_event(event_id) is not None

    # --- Reading -----------------------------------------------------------------------------------------------------

    async def read_aggregate(
        self,
        aggregate_type: str,
        aggregate_id: str,
        *,
        from_version: int | None = None,
        to_version: int | None = None,
        direction: Direction = "forward",
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> AggregatePage:
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        first = 1 if from_version is None else check_version(from_version, "/from_version")
        last = VERSION_MAX if to_version is None else check_version(to_version, "/to_version")
        check_page(limit, direction)
        version, lines = await self._reads.aggregate(
            key, from_version=first, to_version=last, direction=direction, limit=limit, parse=unparsed
        )
        if version == 0:
            raise aggregate_not_found(key)
        step = 1 if direction == "forward" else -1
        return AggregatePage(lines.lines, lines.count, version, None if lines.at_end else lines.reached + step)

    async def read_feed(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        direction: Direction = "forward",
        limit: int = PAGE_EVENTS_DEFAULT,
        size_bytes_max: int = PAGE_SIZE_BYTES_MAX,
    ) -> FeedPage:
        query = check_query(query)
        check_page(limit, direction)
        head = (await self._engine.head()).position
        forward = direction == "forward"
        start, until = (0, head) if forward else (head + 1, 1)
        if after is not None:
            start = position_of(after)
            check_not_past(start, head, "/after")
        with self._waiting_for_page():
            async with self._page_room:
                lines = await self._reads.feed(
                    query,
                    after=start,
                    until=until,
                    direction=direction,
                    limit=limit,
                    parse=unparsed,
                    size_bytes_max=size_bytes_max,
                )
        # At the end backward, ``reached`` is 1; the cursor of an empty store, or of its beginning, is below that.
        reached = lines.reached if forward else min(lines.reached, start, head)
        return FeedPage(lines.lines, lines.count, cursor_at(reached), lines.at_end)

    @contextlib.contextmanager
    def _waiting_for_page(self) -> Iterator[None]:
        if self._pages_waiting >= READS_WAITING_MAX:
            raise too_many_reads()
        self._pages_waiting += 1
        try:
            yield
        finally:
            self._pages_waiting -= 1

    async def follow(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        gather_s: float = 0.0,
        bounds: PageBounds = WHOLE_PAGE,
    ) -> AsyncGenerator[FeedPage]:
        query, gather_s = check_query(query), check_gather(gather_s)
        start = 0 if after is None else position_of(after)
        head = (await self._engine.head()).position
        check_not_past(start, head, "/after")
        pages = self._subscriptions.follow(query, start, head, gather_s, bounds)
        async with aclosing(pages):
            while True:
                # Not kept in a variable here: a page is large, and its taker may take its time.
                yield await anext(pages)

    async def _position_before_start(self, start: StartPoint) -> int:
        """The position after which a consumer group or a relay is to read."""
        if start.since is not None:
            return await self._position_before(start.since)
        if start.after is None:
            return (await self._engine.head()).position if start.start == "end" else 0
        position = position_of(start.after)
        check_not_past(position, (await self._engine.head()).position, "/after")
        return position

    async def _position_before(self, since: datetime) -> int:
        cursor = START
        while True:
            page = await self.read_feed(EventQuery(since=since), after=cursor, limit=1)
            for event in page.events:
                return event.position - 1
            if page.at_end:
                return position_of(page.cursor)
            cursor = page.cursor

    async def _read_forward(self, query: EventQuery, after: int, until: int, bounds: PageBounds) -> Lines:
        return await self._reads.feed(
            query,
            after=after,
            until=until,
            limit=bounds.events,
            parse=unparsed,
            size_bytes_max=bounds.size_bytes,
        )

    async def get_event(self, event_id: UUID) -> RecordedEvent:
        line = await self._engine.read_event(check_event_id(event_id))
        if line is None:
            raise event_not_found(event_id)
        try:
            return decode_event(line)
        except ValueError as error:
            raise StoreCorrupted(f"the event {event_id} is not what an event is: {error}") from error

    async def read_lines(self, event_ids: Sequence[UUID]) -> Sequence[Sequence[bytes]]:
        return [() if line is None else (line,) for line in await self._reads.events(event_ids)]

    async def get_aggregate(self, aggregate_type: str, aggregate_id: str) -> AggregateInfo:
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        info = await self._engine.read_aggregate_info(key)
        if info is None:
            raise aggregate_not_found(key)
        return info

    async def replay(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Replay:
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        last = VERSION_MAX if at_version is None else check_version(at_version, "/at_version")
        snapshot = await self._engine.load_snapshot(key, at_version=at_version)
        first = 1 if snapshot is None else snapshot.version + 1
        page = await self.read_aggregate(
            aggregate_type, aggregate_id, from_version=first, to_version=max(first, last), limit=PAGE_EVENTS_MAX
        )
        if first > last:
            page = AggregatePage(b"", 0, page.version, None)
        return Replay(snapshot, page)

    async def head(self) -> Head:
        position = (await self._engine.head()).position
        return Head(position, cursor_at(position))

    async def event_types(self, *, prefix: str = "") -> tuple[EventTypeInfo, ...]:
        return await self._engine.list_event_types(prefix=check_prefix(prefix))

    async def aggregate_types(self, *, prefix: str = "") -> tuple[AggregateTypeInfo, ...]:
        return await self._engine.list_aggregate_types(prefix=check_prefix(prefix))

    async def list_aggregates(
        self,
        *,
        aggregate_type: str | None = None,
        prefix: str = "",
        after: str | None = None,
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> AggregateList:
        if aggregate_type is not None:
            aggregate_type = check_aggregate_type(aggregate_type)
        prefix = check_prefix(prefix)
        check_page(limit)
        after = check_list_cursor(after)
        after_key = None if after is None or after == _LIST_START else _decode_list_cursor(after)
        found = await self._engine.list_aggregates(
            aggregate_type=aggregate_type, prefix=prefix, after=after_key, limit=limit + 1
        )
        page = found[:limit]
        cursor = list_cursor(page[-1]) if page else (after or _LIST_START)
        return AggregateList(page, cursor, at_end=len(found) <= limit)

    async def search(self, query: SearchQuery, **_: Any) -> SearchPage:  # noqa: ARG002 - there is none to ask
        raise no_index()

    async def lag_behind(self, cursor: Cursor) -> Lag:
        return await lag_after(self._engine, position_of(cursor))

    async def hash_at(self, cursor: Cursor) -> str | None:
        position, head = position_of(cursor), await self._engine.head()
        if position == 0 or position > head.position:
            return None if position else ""
        return head.hash.hex() if position == head.position else (await event_after(self._engine, position - 1)).hash

    async def has_passed(self, cursor: Cursor, other: Cursor, pointer: str = "/cursor") -> bool:
        position = position_of(other, pointer)
        if position <= position_of(cursor):
            return True
        check_not_past(position, (await self._engine.head()).position, pointer)
        return False

    async def check_takes_appends(self) -> None:
        await self._queue.check_takes_appends()

    async def find_missing_end(self) -> tuple[int, str] | None:
        return await self._engine.find_missing_end()

    async def find_unindexed(self, first: int, last: int) -> tuple[int, str] | None:
        return await self._engine.find_unindexed(first, last)

    def storage_state(self) -> StorageState | None:
        return self._engine.storage_state()

    def commit_counts(self) -> Sequence[CommitCounts]:
        counts = self._engine.commit_counts() or self._counts
        return () if counts is None else (counts,)

    def partition_troubles(self) -> Sequence[str | None]:
        return ()

    async def storage_size_bytes(self) -> int:
        return await self._engine.storage_size_bytes()

    # --- Snapshots ---------------------------------------------------------------------------------------------------

    async def save_snapshot(
        self,
        aggregate_type: str,
        aggregate_id: str,
        *,
        version: int,
        state: Any,
        metadata: Mapping[str, Any] | msgspec.Raw | None = None,
    ) -> Snapshot:
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        check_reserved(key.aggregate_type)
        check_version(version, "/version")
        encoded, encoded_metadata = encode_snapshot_state(state, metadata)
        info = await self.get_aggregate(aggregate_type, aggregate_id)
        if version > info.version:
            raise InvalidRequest(
                f"is above the aggregate's version, {info.version}", pointer="/version", actual_version=info.version
            )
        snapshot = Snapshot(
            aggregate_type=key.aggregate_type,
            aggregate_id=key.aggregate_id,
            version=version,
            timestamp=datetime.now(UTC),
            state_raw=msgspec.Raw(encoded),
            metadata_raw=msgspec.Raw(encoded_metadata),
        )
        await outcome_of(self._engine.save_snapshot(snapshot), "save it again to be sure")
        return snapshot

    async def get_snapshot(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Snapshot:
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        if at_version is not None:
            check_version(at_version, "/at_version")
        snapshot = await self._engine.load_snapshot(key, at_version=at_version)
        if snapshot is None:
            raise SnapshotNotFound(
                f"{key.stream} has no snapshot" + ("" if at_version is None else f" at or below version {at_version}"),
                aggregate_type=key.aggregate_type,
                aggregate_id=key.aggregate_id,
            )
        return snapshot


def list_cursor(info: AggregateInfo) -> str:
    text = msgspec.json.encode((info.aggregate_type, info.aggregate_id))
    return base64.urlsafe_b64encode(text).decode("ascii").rstrip("=")


def _decode_list_cursor(cursor: str) -> AggregateKey:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        aggregate_type, aggregate_id = msgspec.json.decode(text, type=tuple[str, str])
    except (binascii.Error, ValueError, TypeError, UnicodeError):
        raise InvalidRequest("is not a cursor of this store", pointer="/after") from None
    check_name(aggregate_id, "/after")
    return AggregateKey(check_aggregate_type(aggregate_type, "/after"), aggregate_id)
