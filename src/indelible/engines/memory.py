"""The memory engine: the reference model. Plain lists and loops, so that it can be read as the definition of what every
other engine, and every other storage of groups, does; also a fast store for tests. Nothing outlives the process."""

import asyncio
import bisect
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

import msgspec

from indelible.conditions import AppendCondition, condition_failed, version_conflict
from indelible.diagnostics import Capabilities
from indelible.engines.engine import AppendOutcome, ConditionBehind, Lines, LogHead
from indelible.engines.feed_walk import ConditionScan, Range
from indelible.engines.group_storage import (
    GroupChange,
    GroupState,
    GroupSummary,
    GroupUnmoved,
    PendingEvent,
    StoredGroup,
    summary_of,
    too_many_groups,
)
from indelible.engines.head_signal import HeadSignal
from indelible.engines.planner import StoredState, plan_recorded, same_content
from indelible.engines.relay_storage import StoredRelay, too_many_relays
from indelible.errors import EventIdConflict, IndelibleError, StorageFailure
from indelible.events import (
    HASH_BEFORE_FIRST,
    AggregateKey,
    NewEvent,
    RecordedEvent,
    Snapshot,
    decode_event,
    event_hash,
    format_timestamp,
    hashed_line,
    unhashed_line,
)
from indelible.eventstore import (
    AggregateInfo,
    AggregateTypeInfo,
    AppendedEvent,
    AppendRequest,
    AppendResult,
    AtomicAppendResult,
    EventTypeInfo,
)
from indelible.groups import SkippedEvent
from indelible.limits import CONDITION_TAIL_EVENTS_MAX, PAGE_SCAN_EVENTS_MAX, PAGE_SIZE_BYTES_MAX
from indelible.queries import Direction, EventQuery, QueryItem


class _Kept(msgspec.Struct):
    group: StoredGroup
    pending: dict[int, PendingEvent] = msgspec.field(default_factory=dict)
    """By position."""
    skipped: dict[int, SkippedEvent] = msgspec.field(default_factory=dict)

    def in_order(self) -> tuple[PendingEvent, ...]:
        return tuple(self.pending[position] for position in sorted(self.pending))


# --- Consumer groups -------------------------------------------------------------------------------------------------


class MemoryGroups:
    """Implements :class:`indelible.engines.group_storage.GroupStorage`. ``clock_us`` gives microseconds since 1970."""

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us
        self._groups: dict[str, _Kept] = {}

    async def create_group(self, group: StoredGroup, *, groups_max: int) -> bool:
        if group.name in self._groups:
            return False
        if len(self._groups) >= groups_max:
            raise too_many_groups(groups_max)
        self._groups[group.name] = _Kept(group)
        return True

    async def list_groups(self, name: str | None = None) -> tuple[GroupSummary, ...]:
        names = self._groups if name is None else self._groups.keys() & {name}
        return tuple(
            summary_of(kept.group, kept.in_order())
            for kept in (self._groups[name] for name in sorted(names, key=str.encode))
        )

    async def load_group(self, name: str) -> GroupState | None:
        kept = self._groups.get(name)
        return None if kept is None else GroupState(kept.group, kept.in_order(), self._clock_us())

    async def reload_group(self, name: str, revision: int) -> GroupState | GroupUnmoved | None:
        kept = self._groups.get(name)
        is_known = kept is not None and kept.group.revision == revision
        return GroupUnmoved(self._clock_us()) if is_known else await self.load_group(name)

    async def save_group(self, change: GroupChange) -> bool:
        kept = self._groups.get(change.group.name)
        if kept is None or kept.group.revision != change.expected_revision:
            return False
        kept.group = change.group
        if change.drop_all:
            kept.pending.clear()
        for position in change.dropped:
            kept.pending.pop(position, None)
        kept.pending.update((one.position, one) for one in change.put)
        kept.skipped.update((one.position, one) for one in change.skipped)
        return True

    async def delete_group(self, name: str, *, created_us: int | None = None) -> bool:
        kept = self._groups.get(name)
        if kept is None or created_us not in (None, kept.group.created_us):
            return False
        del self._groups[name]
        return True

    async def list_skipped(self, name: str, *, after: int, limit: int) -> tuple[SkippedEvent, ...]:
        kept = self._groups.get(name)
        if kept is None:
            return ()
        positions = sorted(kept.skipped)
        first = bisect.bisect_right(positions, after)
        return tuple(kept.skipped[position] for position in positions[first : first + limit])

    async def now_us(self) -> int:
        return self._clock_us()


# --- Relays ----------------------------------------------------------------------------------------------------------


class MemoryRelays:
    """Implements :class:`indelible.engines.relay_storage.RelayStorage`."""

    def __init__(self) -> None:
        self._relays: dict[str, StoredRelay] = {}

    async def load_relay(self, name: str) -> StoredRelay | None:
        return self._relays.get(name)

    async def list_relays(self) -> tuple[StoredRelay, ...]:
        return tuple(self._relays[name] for name in sorted(self._relays, key=str.encode))

    async def save_relay(self, relay: StoredRelay, *, relays_max: int) -> bool:
        kept = self._relays.get(relay.name)
        if relay.revision != (1 if kept is None else kept.revision + 1):
            return False
        if kept is None and len(self._relays) >= relays_max:
            raise too_many_relays(relays_max)
        self._relays[relay.name] = relay
        return True


# --- The log ---------------------------------------------------------------------------------------------------------


class _Stored(msgspec.Struct, frozen=True):
    event: RecordedEvent
    line: bytes

    @property
    def size_bytes(self) -> int:
        return self.event.size_bytes


class MemoryEngine(MemoryGroups, MemoryRelays):
    """Implements :class:`indelible.engines.engine.Engine`. ``clock_us`` gives microseconds since 1970."""

    capabilities = Capabilities(durable=False)
    warnings: tuple[str, ...] = ()

    def __init__(self, clock_us: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        MemoryGroups.__init__(self, clock_us)
        MemoryRelays.__init__(self)
        self.on_failure: Callable[[StorageFailure], None] = lambda _: None  # memory does not fail
        self._log: list[_Stored] = []
        self._by_id: dict[UUID, _Stored] = {}
        self._aggregates: dict[AggregateKey, list[_Stored]] = {}
        self._snapshots: dict[AggregateKey, dict[int, Snapshot]] = {}
        self._head = LogHead(0, 0, HASH_BEFORE_FIRST)
        self._stored_before_batch = 0
        self._signal = HeadSignal()

    async def open(self) -> None:
        self._signal.open()

    async def close(self) -> None:
        await self._signal.close()

    # --- Appending ---------------------------------------------------------------------------------------------------

    async def append(self, batch: Sequence[AppendRequest]) -> list[AppendOutcome]:
        return self._append_batch(batch)

    def append_alone(self, request: AppendRequest) -> AppendOutcome:
        return self._append_batch((request,))[0]

    def _append_batch(self, batch: Sequence[AppendRequest]) -> list[AppendOutcome]:
        now_us = max(self._clock_us(), self._head.timestamp_us)
        self._stored_before_batch = self._head.position
        return [self._append_one(request, now_us) for request in batch]

    async def append_recorded(self, events: Sequence[RecordedEvent]) -> None:
        versions = {event.key: self._version(event.key) for event in events}
        known = {event.event_id: event for event in events if event.event_id in self._by_id}
        for planned in plan_recorded(events, StoredState(self._head, versions, known)).events:
            self._store(planned.key, planned.event, planned.timestamp_us)

    def _append_one(self, request: AppendRequest, now_us: int) -> AppendOutcome:
        try:
            known = [event.event_id in self._by_id for append in request.appends for event in append.events]
            if any(known):
                return self._repeated(request, all(known))
            for append in request.appends:
                conflict = version_conflict(append.key, append.expected_version, self._version(append.key))
                if conflict is not None:
                    return conflict
            if request.condition is not None:
                self._check_condition(request.condition, request)
        except IndelibleError as error:
            return error
        results = []
        for append in request.appends:
            stored = [self._store(append.key, event, now_us) for event in append.events]
            results.append(_result(append.key, stored, replayed=False))
        return AtomicAppendResult(self._head.position, tuple(results))

    def _repeated(self, request: AppendRequest, all_known: bool) -> AtomicAppendResult:
        known = [[self._same(append.key, event) for event in append.events] for append in request.appends]
        if not all_known:
            raise _id_conflict(next(one.event.event_id for stored in known for one in stored if one is not None))
        results = []
        for append, stored in zip(request.appends, known, strict=True):
            found = [one for one in stored if one is not None]
            first = found[0].event.version
            if [one.event.version for one in found] != list(range(first, first + len(found))):
                raise _id_conflict(append.events[0].event_id)
            results.append(_result(append.key, found, replayed=True))
        return AtomicAppendResult(max(result.position for result in results), tuple(results), replayed=True)

    def _same(self, key: AggregateKey, event: NewEvent) -> _Stored | None:
        stored = self._by_id.get(event.event_id)
        if stored is not None and not (stored.event.key == key and same_content(event, stored.event)):
            raise _id_conflict(event.event_id)
        return stored

    def _check_condition(self, condition: AppendCondition, request: AppendRequest) -> None:
        if request.scanned.refusal is not None:
            raise request.scanned.refusal
        after = request.condition_start
        if self._stored_before_batch - after > CONDITION_TAIL_EVENTS_MAX:
            raise ConditionBehind.at(after)
        position = self._first_match(condition.fail_if, after, self._head.position)
        if position is not None:
            raise condition_failed(position)

    def _first_match(self, items: Sequence[QueryItem], after: int, until: int) -> int | None:
        query = EventQuery(tuple(items))
        return next((one.event.position for one in self._log[after:until] if _matches(query, one.event)), None)

    def _store(self, key: AggregateKey, event: NewEvent, now_us: int) -> _Stored:
        position = self._head.position + 1
        unhashed = unhashed_line(event, key, self._version(key) + 1, position, format_timestamp(now_us))
        digest = event_hash(self._head.hash, unhashed)
        line = hashed_line(unhashed, digest)
        stored = _Stored(decode_event(line), line)
        self._head = LogHead(position, now_us, digest)
        self._log.append(stored)
        self._by_id[event.event_id] = stored
        self._aggregates.setdefault(key, []).append(stored)
        self._signal.moved(position)
        return stored

    def _version(self, key: AggregateKey) -> int:
        return len(self._aggregates.get(key, ()))

    # --- Reading -----------------------------------------------------------------------------------------------------

    async def head(self) -> LogHead:
        return self._head

    async def wait_for_head(self, after: int) -> int:
        return await self._signal.wait(after)

    async def read_aggregate(
        self, key: AggregateKey, *, from_version: int, to_version: int, direction: Direction, limit: int
    ) -> tuple[int, Lines]:
        version = self._version(key)
        wanted = range(max(from_version, 1), min(to_version, version) + 1)
        ordered = wanted if direction == "forward" else wanted[::-1]
        events = self._aggregates.get(key, [])
        page = _fill((events[number - 1] for number in ordered), limit)
        reached = page[-1].event.version if page else (to_version if direction == "forward" else from_version)
        return version, _lines(page, reached, at_end=len(page) == len(wanted))

    async def read_feed(
        self,
        query: EventQuery,
        *,
        after: int,
        until: int,
        direction: Direction,
        limit: int,
        size_bytes_max: int = PAGE_SIZE_BYTES_MAX,
    ) -> Lines:
        positions = range(after + 1, until + 1) if direction == "forward" else range(after - 1, until - 1, -1)
        window = [position for position in positions if self._in_window(query, position)]
        looked_at = window if query.is_unrestricted else window[:PAGE_SCAN_EVENTS_MAX]
        page = _fill((stored for stored in self._at(looked_at) if _matches(query, stored.event)), limit, size_bytes_max)
        if page and (len(page) == limit or sum(one.size_bytes for one in page) >= size_bytes_max):
            reached = page[-1].event.position
            return _lines(page, reached, at_end=not window or reached == window[-1])
        if len(looked_at) < len(window):
            return _lines(page, looked_at[-1], at_end=False)
        return _lines(page, until, at_end=True)

    def _in_window(self, query: EventQuery, position: int) -> bool:
        timestamp = self._log[position - 1].event.timestamp
        return (query.since is None or timestamp >= query.since) and (query.until is None or timestamp < query.until)

    def _at(self, positions: Sequence[int]) -> Iterator[_Stored]:
        return (self._log[position - 1] for position in positions)

    async def locate_position(self, position: int) -> tuple[AggregateKey, int] | None:
        if not 1 <= position <= len(self._log):
            return None
        event = self._log[position - 1].event
        return event.key, event.version

    async def locate_version(self, key: AggregateKey, version: int) -> tuple[int, int] | None:
        events = self._aggregates.get(key, [])[: max(version, 0)]
        return (events[-1].event.version, events[-1].event.position) if events else None

    async def scan_condition(self, scan: ConditionScan, entries_max: int) -> ConditionScan:
        count = max(entries_max // len(scan.items), 1)
        last = min(scan.range.low + count - 1, scan.range.high)
        position = self._first_match(scan.items, scan.range.low - 1, last)
        await asyncio.sleep(0)
        entries = scan.entries + (last - scan.range.low + 1) * len(scan.items)
        left = Range(last + 1, scan.range.high if position is None else last, "forward")
        return ConditionScan(scan.items, left, position, entries)

    async def read_event(self, event_id: UUID) -> bytes | None:
        stored = self._by_id.get(event_id)
        return stored.line if stored else None

    async def read_events(
        self, event_ids: Sequence[UUID], *, size_bytes_max: int = PAGE_SIZE_BYTES_MAX
    ) -> list[bytes | None]:
        lines: list[bytes | None] = []
        size_bytes = 0
        for event_id in event_ids:
            if size_bytes >= size_bytes_max:
                break
            stored = self._by_id.get(event_id)
            size_bytes += stored.size_bytes if stored else 0
            lines.append(stored.line if stored else None)
        return lines

    async def read_aggregate_info(self, key: AggregateKey) -> AggregateInfo | None:
        events = self._aggregates.get(key)
        return _info(key, events) if events else None

    async def list_event_types(self, *, prefix: str = "") -> tuple[EventTypeInfo, ...]:
        counts = Counter((one.event.event_type, one.event.aggregate_type) for one in self._log)
        ordered = sorted(counts, key=_utf8)
        return tuple(EventTypeInfo(*pair, counts[pair]) for pair in ordered if pair[0].startswith(prefix))

    async def list_aggregate_types(self, *, prefix: str = "") -> tuple[AggregateTypeInfo, ...]:
        names = sorted({key.aggregate_type for key in self._aggregates}, key=str.encode)
        return tuple(
            AggregateTypeInfo(
                name,
                sum(key.aggregate_type == name for key in self._aggregates),
                sum(one.event.aggregate_type == name for one in self._log),
            )
            for name in names
            if name.startswith(prefix)
        )

    async def list_aggregates(
        self, *, aggregate_type: str | None, prefix: str = "", after: AggregateKey | None, limit: int
    ) -> tuple[AggregateInfo, ...]:
        keys = sorted(self._aggregates, key=lambda key: _utf8((key.aggregate_type, key.aggregate_id)))
        wanted = (
            key
            for key in keys
            if (aggregate_type is None or key.aggregate_type == aggregate_type)
            and key.aggregate_id.startswith(prefix)
            and (
                after is None
                or _utf8((key.aggregate_type, key.aggregate_id)) > _utf8((after.aggregate_type, after.aggregate_id))
            )
        )
        return tuple(_info(key, self._aggregates[key]) for key, _ in zip(wanted, range(limit), strict=False))

    async def find_unindexed(self, first: int, last: int) -> None:
        pass

    async def find_missing_end(self) -> None:
        pass

    async def check_writable(self, size_bytes: int) -> None:
        pass

    def storage_state(self) -> None:
        return None

    def commit_counts(self) -> None:
        return None

    async def storage_size_bytes(self) -> int:
        return 0

    # --- Snapshots ---------------------------------------------------------------------------------------------------

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        self._snapshots.setdefault(snapshot.key, {})[snapshot.version] = snapshot

    async def load_snapshot(self, key: AggregateKey, *, at_version: int | None) -> Snapshot | None:
        saved = self._snapshots.get(key, {})
        versions = [version for version in saved if at_version is None or version <= at_version]
        return saved[max(versions)] if versions else None


def _utf8(names: tuple[str, str]) -> tuple[bytes, bytes]:
    return names[0].encode(), names[1].encode()


def _matches(query: EventQuery, event: RecordedEvent) -> bool:
    return query.matches(event.event_type, event.aggregate_type, event.tags)


def _id_conflict(event_id: UUID) -> EventIdConflict:
    return EventIdConflict(f"event id {event_id} is stored already, as something else", event_id=str(event_id))


def _result(key: AggregateKey, stored: Sequence[_Stored], replayed: bool) -> AppendResult:
    events = tuple(AppendedEvent(one.event.event_id, one.event.version, one.event.position) for one in stored)
    return AppendResult(key.aggregate_type, key.aggregate_id, events[-1].version, events[-1].position, events, replayed)


def _fill(events: Iterator[_Stored], limit: int, size_bytes_max: int = PAGE_SIZE_BYTES_MAX) -> list[_Stored]:
    page: list[_Stored] = []
    size_bytes = 0
    for stored in events:
        page.append(stored)
        size_bytes += stored.size_bytes
        if len(page) >= limit or size_bytes >= size_bytes_max:
            break
    return page


def _lines(page: Sequence[_Stored], reached: int, at_end: bool) -> Lines:
    return Lines(b"\n".join(one.line for one in page), len(page), reached, at_end)


def _info(key: AggregateKey, events: Sequence[_Stored]) -> AggregateInfo:
    first, last = events[0].event, events[-1].event
    return AggregateInfo(key.aggregate_type, key.aggregate_id, last.version, first.timestamp, last.timestamp)
