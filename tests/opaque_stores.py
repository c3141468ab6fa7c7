"""Stores whose cursors are not numbers: nothing between a store and its callers may look into one."""

import asyncio
import re
import zlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

import msgspec

from indelible.conditions import AppendCondition, ExpectedVersion, condition_failed, version_conflict
from indelible.core.store import LocalEventStore
from indelible.cursors import START, Cursor, cursor_at, position_of
from indelible.engines.memory import MemoryEngine
from indelible.errors import EventIdConflict, EventNotFound, IndelibleError, InvalidRequest
from indelible.events import AggregateKey, NewEvent, RecordedEvent, decode_event
from indelible.eventstore import (
    AggregateAppend,
    AggregateInfo,
    AggregateList,
    AggregateTypeInfo,
    AppendOutcome,
    AppendRequest,
    AppendResult,
    AtomicAppendResult,
    EventTypeInfo,
    FeedPage,
    Head,
    Lag,
)
from indelible.index_state import NoIndex, no_index
from indelible.limits import (
    PAGE_EVENTS_DEFAULT,
    PAGE_SIZE_BYTES_MAX,
    SUBSCRIPTION_PAGE_EVENTS_MAX,
    SUBSCRIPTION_PAGE_SIZE_BYTES_MAX,
)
from indelible.queries import EVERYTHING, Direction, EventQuery, check_list_cursor, check_page, check_query
from indelible.relay_state import RelayInfo, RelayLease
from indelible.search import SearchPage, SearchQuery
from indelible.store_around import StoreAround
from no_parts import NoGroups, NoRelays

# --- Two partitions ---------------------------------------------------------------------------------------------------

PARTITIONS: Final = (0, 1)
_MICROSECOND: Final = timedelta(microseconds=1)

Places = tuple[int, int]
"""How far a reader has come in each partition."""


def partition_of(key: AggregateKey) -> int:
    """The same in every process; what is no name is anywhere, to be refused there."""
    return zlib.crc32(f"{key.aggregate_type}-{key.aggregate_id}".encode("utf-8", "replace")) % len(PARTITIONS)


def _cursor(places: Places) -> Cursor:
    return Cursor("~{}~{}".format(*places))


_read_cursor: Final = re.compile(r"~(\d{1,15})~(\d{1,15})").fullmatch


def _places(cursor: Any, pointer: str = "/after") -> Places:
    text = Cursor.parse(cursor, pointer)
    if text == START:
        return 0, 0
    found = _read_cursor(text)
    if found is None:
        raise InvalidRequest("is not a cursor of this store", pointer=pointer)
    return int(found[1]), int(found[2])


class _Event(NamedTuple):
    """Events sort as the feed has them."""

    timestamp: datetime
    partition: int
    position: int
    line: bytes

    @classmethod
    def of(cls, line: bytes, partition: int) -> Self:
        event = decode_event(line)
        return cls(event.timestamp, partition, event.position, line)


class _Part(NamedTuple):
    """What a partition has for a page."""

    events: list[_Event]
    reached: int
    at_end: bool
    last_looked_at: tuple[_Event, ...] = ()
    """The event, without its line, up to which these are all that match; none at the end."""


def _merged(
    parts: Sequence[_Part], limit: int, size_bytes_max: int, *, first: Callable[[list[_Event]], _Event]
) -> tuple[list[_Event], _Event | None]:
    """Events of all parts in the order of the feed, up to where the rest of a part is in its next page; and the last
    event that was passed."""
    left = [deque([*part.events, *part.last_looked_at]) for part in parts]
    taken: list[_Event] = []
    size_bytes = 0
    while len(taken) < limit and size_bytes < size_bytes_max and any(left):
        one = first([events[0] for events in left if events])
        left[one.partition].popleft()
        if not one.line:
            return taken, one
        taken.append(one)
        size_bytes += len(one.line)
    return taken, taken[-1] if taken else None


def _of_pair(counted: tuple[tuple[str, str], int]) -> tuple[bytes, bytes]:
    (event_type, aggregate_type), _ = counted
    return event_type.encode(), aggregate_type.encode()


def _utf8(info: AggregateInfo) -> tuple[bytes, bytes]:
    return info.aggregate_type.encode(), info.aggregate_id.encode()


class MergedStore:
    """A store of two partitions, in memory: what the contract says of several partitions, in the least that keeps it.
    Implements :class:`indelible.diagnostics.StoreDiagnostics` too.

    An aggregate lies in the partition that a hash of its name gives. The feed is both logs in the order of their
    timestamps. A cursor is a place in both, so whatever either log gets later comes behind every cursor that was given
    out. All appends go through one lock. So ids are unique in the whole store, and a condition looks at both logs; one
    append over both is refused, since no reader may see a part of one.
    """

    groups = NoGroups()
    relays = NoRelays()
    index = NoIndex()
    capabilities = MemoryEngine.capabilities
    warnings = ()
    queue_depth = 0

    def __init__(self, *engines: MemoryEngine) -> None:
        self._engines: Final = engines or tuple(MemoryEngine() for _ in PARTITIONS)
        self._stores: Final = tuple(map(LocalEventStore, self._engines))
        self._writing: Final = asyncio.Lock()

    async def __aenter__(self) -> Self:
        for store in self._stores:
            await store.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        for store in self._stores:
            await store.aclose()

    def _home(self, aggregate_type: str, aggregate_id: str) -> LocalEventStore:
        return self._stores[partition_of(AggregateKey(aggregate_type, aggregate_id))]

    # --- Appending ---------------------------------------------------------------------------------------------------

    async def append(
        self,
        aggregate_type: str,
        aggregate_id: str,
        events: Sequence[NewEvent],
        *,
        expected_version: ExpectedVersion = "any",
    ) -> AppendResult:
        append = AggregateAppend.of(aggregate_type, aggregate_id, events, expected_version=expected_version)
        request = AppendRequest((append,))
        request.check(atomic=False)
        return (await self._append(request)).results[0]

    async def append_each(self, appends: Sequence[AggregateAppend]) -> list[AppendOutcome]:
        outcomes: list[AppendOutcome] = []
        for one in appends:
            try:
                request = AppendRequest((one,))
                request.check(atomic=False)
                outcomes.append((await self._append(request)).results[0])
            except IndelibleError as error:
                outcomes.append(error)
        return outcomes

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        request = AppendRequest(tuple(appends), condition)
        request.check(atomic=True)
        homes = [partition_of(append.key) for append in appends]
        for i, home in enumerate(homes):
            if home != homes[0]:
                message = "lies in another partition than the first; one append takes aggregates of one partition"
                raise InvalidRequest(message, pointer=f"/appends/{i}")
        return await self._append(request)

    async def _append(self, request: AppendRequest) -> AtomicAppendResult:
        """Shielded, so that nobody appends beside one whose caller has left."""
        return await asyncio.shield(asyncio.create_task(self._append_alone(request)))

    async def _append_alone(self, request: AppendRequest) -> AtomicAppendResult:
        home = partition_of(request.appends[0].key)
        other = 1 - home
        async with self._writing:
            await self._refuse_ids_of(other, request)
            condition = request.condition
            if condition is not None:
                places = _places(condition.after, "/condition/after")
                await self._check_places(places, "/condition/after")
                found = await self._first_match(other, condition, places[other])
                if found is not None and not await self._is_stored(home, request):
                    await self._refuse_versions(home, request)
                    mine = await self._first_match(home, condition, places[home])
                    raise condition_failed(min(one for one in (found, mine) if one is not None).position)
                condition = msgspec.structs.replace(condition, after=cursor_at(places[home]))
            return await self._stores[home].append_atomic(request.appends, condition=condition)

    async def _refuse_ids_of(self, partition: int, request: AppendRequest) -> None:
        for append in request.appends:
            for event in append.events:
                if await self._engines[partition].read_event(event.event_id) is not None:
                    message = f"event id {event.event_id} is stored in another aggregate"
                    raise EventIdConflict(message, event_id=str(event.event_id))

    async def _is_stored(self, home: int, request: AppendRequest) -> bool:
        return await self._engines[home].read_event(request.appends[0].events[0].event_id) is not None

    async def _refuse_versions(self, home: int, request: AppendRequest) -> None:
        for append in request.appends:
            info = await self._engines[home].read_aggregate_info(append.key)
            conflict = version_conflict(append.key, append.expected_version, 0 if info is None else info.version)
            if conflict is not None:
                raise conflict

    async def _first_match(self, partition: int, condition: AppendCondition, after: int) -> _Event | None:
        cursor, at_end = cursor_at(after), False
        while not at_end:
            page = await self._stores[partition].read_feed(EventQuery(condition.fail_if), after=cursor, limit=1)
            if page.count:
                return _Event.of(page.lines, partition)
            cursor, at_end = page.cursor, page.at_end
        return None

    # --- The feed ----------------------------------------------------------------------------------------------------

    async def head(self) -> Head:
        heads = await self._heads()
        return Head(sum(heads), _cursor(heads), len(PARTITIONS))

    async def _heads(self) -> Places:
        one, other = [(await engine.head()).position for engine in self._engines]
        return one, other

    async def _check_places(self, places: Places, pointer: str) -> None:
        if any(place > head for place, head in zip(places, await self._heads(), strict=True)):
            raise InvalidRequest("is past the head", pointer=pointer)

    async def read_feed(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        direction: Direction = "forward",
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> FeedPage:
        query = check_query(query)
        check_page(limit, direction)
        places = None if after is None else _places(after)
        if places is not None:
            await self._check_places(places, "/after")
        if direction == "backward":
            return await self._read_backward(query, places or await self._heads(), limit, is_first=places is None)
        return await self._read_forward(query, places or (0, 0), limit, PAGE_SIZE_BYTES_MAX)

    async def _read_forward(self, query: EventQuery, places: Places, limit: int, size_bytes_max: int) -> FeedPage:
        parts = [await self._read_part(query, n, places[n], "forward", limit) for n in PARTITIONS]
        taken, last = _merged(parts, limit, size_bytes_max, first=min)
        rest = [part.events[sum(one.partition == n for one in taken) :] for n, part in enumerate(parts)]
        # What comes between two reads is behind the cursor, whatever its timestamp: it was not looked at.
        seen = [part.reached if not left else left[0].position - 1 for part, left in zip(parts, rest, strict=True)]
        at_end = not any(rest) and all(part.at_end for part in parts)
        reached = list(seen)
        if last is not None and not at_end:
            for n in PARTITIONS:
                reached[n] = max(places[n], min(seen[n], await self._last_up_to(last, n)))
        passed, cursors = list(places), []
        for one in taken:
            passed[one.partition] = one.position
            cursors.append(_cursor((passed[0], passed[1])))
        return FeedPage(
            b"\n".join(one.line for one in taken), len(taken), _cursor((reached[0], reached[1])), at_end, tuple(cursors)
        )

    async def _read_backward(self, query: EventQuery, places: Places, limit: int, *, is_first: bool) -> FeedPage:
        newest = None if is_first else await self._newest(places)
        parts = [
            await self._before(query, n, places[n], limit, with_it=newest is None or newest.partition != n)
            for n in PARTITIONS
        ]
        taken, last = _merged(parts, limit, PAGE_SIZE_BYTES_MAX, first=max)
        at_end = sum(len(part.events) for part in parts) == len(taken) and all(part.at_end for part in parts)
        if last is None:
            return FeedPage(b"", 0, _cursor((0, 0)), at_end=True)
        reached = [min(places[n], await self._last_up_to(last, n)) for n in PARTITIONS]
        lines = b"\n".join(one.line for one in taken)
        return FeedPage(lines, len(taken), _cursor((reached[0], reached[1])), at_end)

    async def _before(self, query: EventQuery, n: int, place: int, limit: int, *, with_it: bool) -> _Part:
        """A partition's events before a place, newest first."""
        part = await self._read_part(query, n, place, "backward", limit)
        if with_it and place:
            own = await self._read_part(query, n, place - 1, "forward", 1)
            part.events[:0] = [one for one in own.events if one.position == place]
        return part

    async def _read_part(self, query: EventQuery, n: int, place: int, direction: Direction, limit: int) -> _Part:
        page = await self._stores[n].read_feed(query, after=cursor_at(place), direction=direction, limit=limit)
        reached = position_of(page.cursor)
        looked_at = () if page.at_end else ((await self._event_at(n, reached))._replace(line=b""),)
        lines = page.lines.split(b"\n") if page.lines else []
        return _Part([_Event.of(line, n) for line in lines], reached, page.at_end, looked_at)

    async def _newest(self, places: Places) -> _Event | None:
        """The event that a reader who has come to these places has passed last."""
        return max([await self._event_at(n, place) for n, place in enumerate(places) if place], default=None)

    async def _event_at(self, n: int, position: int) -> _Event:
        return _Event.of((await self._stores[n].read_feed(after=cursor_at(position - 1), limit=1)).lines, n)

    async def _last_up_to(self, event: _Event, n: int) -> int:
        """Position of a partition's last event that does not come after another in the feed."""
        if event.partition == n:
            return event.position
        since = event.timestamp + (_MICROSECOND if n < event.partition else timedelta())
        cursor, at_end = START, False
        while not at_end:
            page = await self._stores[n].read_feed(EventQuery(since=since), after=cursor, limit=1)
            if page.count:
                return page.events[0].position - 1
            cursor, at_end = page.cursor, page.at_end
        return position_of(cursor)

    async def follow(self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None) -> AsyncGenerator[FeedPage]:
        query = check_query(query)
        places = (0, 0) if after is None else _places(after)
        await self._check_places(places, "/after")
        while True:
            page = await self._read_forward(
                query, places, SUBSCRIPTION_PAGE_EVENTS_MAX, SUBSCRIPTION_PAGE_SIZE_BYTES_MAX
            )
            places = _places(page.cursor)
            yield page
            if page.at_end:
                await self._wait(places)

    async def _wait(self, places: Places) -> None:
        waiting = [
            asyncio.ensure_future(engine.wait_for_head(place))
            for engine, place in zip(self._engines, places, strict=True)
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    async def read_lines(self, event_ids: Sequence[UUID]) -> Sequence[bytes | None]:
        found = [await store.read_lines(event_ids) for store in self._stores]
        return [one or other for one, other in zip(*found, strict=False)]

    async def get_event(self, event_id: UUID) -> RecordedEvent:
        try:
            return await self._stores[0].get_event(event_id)
        except EventNotFound:
            return await self._stores[1].get_event(event_id)

    # --- Aggregates --------------------------------------------------------------------------------------------------

    async def read_aggregate(self, aggregate_type: str, aggregate_id: str, **options: Any) -> Any:
        return await self._home(aggregate_type, aggregate_id).read_aggregate(aggregate_type, aggregate_id, **options)

    async def get_aggregate(self, aggregate_type: str, aggregate_id: str) -> AggregateInfo:
        return await self._home(aggregate_type, aggregate_id).get_aggregate(aggregate_type, aggregate_id)

    async def replay(self, aggregate_type: str, aggregate_id: str, **options: Any) -> Any:
        return await self._home(aggregate_type, aggregate_id).replay(aggregate_type, aggregate_id, **options)

    async def save_snapshot(self, aggregate_type: str, aggregate_id: str, **options: Any) -> Any:
        return await self._home(aggregate_type, aggregate_id).save_snapshot(aggregate_type, aggregate_id, **options)

    async def get_snapshot(self, aggregate_type: str, aggregate_id: str, **options: Any) -> Any:
        return await self._home(aggregate_type, aggregate_id).get_snapshot(aggregate_type, aggregate_id, **options)

    async def event_types(self, *, prefix: str = "") -> tuple[EventTypeInfo, ...]:
        counts: Counter[tuple[str, str]] = Counter()
        for store in self._stores:
            found = await store.event_types(prefix=prefix)
            counts.update({(one.event_type, one.aggregate_type): one.events for one in found})
        return tuple(EventTypeInfo(*pair, count) for pair, count in sorted(counts.items(), key=_of_pair))

    async def aggregate_types(self, *, prefix: str = "") -> tuple[AggregateTypeInfo, ...]:
        aggregates: Counter[str] = Counter()
        events: Counter[str] = Counter()
        for store in self._stores:
            for one in await store.aggregate_types(prefix=prefix):
                aggregates[one.aggregate_type] += one.aggregates
                events[one.aggregate_type] += one.events
        return tuple(AggregateTypeInfo(name, aggregates[name], events[name]) for name in sorted(events, key=str.encode))

    async def list_aggregates(
        self,
        *,
        aggregate_type: str | None = None,
        prefix: str = "",
        after: str | None = None,
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> AggregateList:
        which = {"aggregate_type": aggregate_type, "prefix": prefix, "after": after}
        check_list_cursor(after)
        pages = [await store.list_aggregates(**which, limit=limit) for store in self._stores]
        every = sorted((info for page in pages for info in page.aggregates), key=_utf8)
        cursor = after or ""
        if taken := every[:limit]:
            # The cursor behind an aggregate is its partition's, and means the same in both.
            n = partition_of(AggregateKey(taken[-1].aggregate_type, taken[-1].aggregate_id))
            count = sum(info in pages[n].aggregates for info in taken)
            cursor = (await self._stores[n].list_aggregates(**which, limit=count)).cursor
        return AggregateList(tuple(taken), cursor, len(every) <= limit and all(page.at_end for page in pages))

    # --- Search ------------------------------------------------------------------------------------------------------

    async def search(self, query: SearchQuery, **_: Any) -> SearchPage:
        raise no_index()

    async def lag_behind(self, cursor: Cursor) -> Lag:
        lags = [
            await store.lag_behind(cursor_at(place)) for store, place in zip(self._stores, _places(cursor), strict=True)
        ]
        return Lag(sum(lag.positions for lag in lags), max(lag.age_s for lag in lags))

    async def has_passed(self, cursor: Cursor, other: Cursor, pointer: str = "/cursor") -> bool:
        places = _places(other, pointer)
        await self._check_places(places, pointer)
        return all(mine >= its for mine, its in zip(_places(cursor), places, strict=True))

    # --- Diagnostics -------------------------------------------------------------------------------------------------

    async def check_takes_appends(self) -> None:
        for store in self._stores:
            await store.check_takes_appends()

    async def storage_size_bytes(self) -> int:
        return 0

    async def find_missing_end(self) -> tuple[int, str] | None:
        return None

    async def find_unindexed(self, first: int, last: int) -> tuple[int, str] | None:
        return None


# --- One partition ----------------------------------------------------------------------------------------------------


def veiled(cursor: str) -> Cursor:
    return Cursor(f"at:{cursor[::-1]}/x")


def unveiled(cursor: Any, pointer: str = "/after") -> Any:
    if cursor is None or cursor in ("", START):
        return cursor
    if not Cursor.parse(cursor, pointer).startswith("at:"):
        raise InvalidRequest("is not a cursor of this store", pointer=pointer)
    return Cursor(cursor[3:-2][::-1])


def with_veil(told: Any, **more: Any) -> Any:
    return msgspec.structs.replace(told, cursor=veiled(told.cursor), **more)


class VeiledGroups:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def create(self, group: str, *args: Any, after: Any = None, **more: Any) -> Any:
        return with_veil(await self._inner.create(group, *args, after=unveiled(after), **more))

    async def change(self, group: str, **more: Any) -> Any:
        return with_veil(await self._inner.change(group, **more))

    async def reset(self, group: str, *, after: Any = None, **more: Any) -> Any:
        return with_veil(await self._inner.reset(group, after=unveiled(after), **more))

    async def get(self, group: str) -> Any:
        return with_veil(await self._inner.get(group))

    async def list(self) -> Any:
        return tuple(map(with_veil, await self._inner.list()))

    async def list_parked(self, group: str, *, after: Any = None, **more: Any) -> Any:
        return with_veil(await self._inner.list_parked(group, after=unveiled(after), **more))

    async def list_skipped(self, group: str, *, after: Any = None, **more: Any) -> Any:
        return with_veil(await self._inner.list_skipped(group, after=unveiled(after), **more))


def _relay_with_veil(told: Any) -> Any:
    replay = getattr(told, "replay", None)
    if replay is None:
        return with_veil(told)
    return with_veil(told, replay=with_veil(replay, until=veiled(replay.until)))


class VeiledRelays:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **more: Any) -> Any:
            places = {one: unveiled(more[one], f"/{one}") for one in ("after", "until") if one in more}
            told = await getattr(self._inner, name)(*args, **more | places)
            return _relay_with_veil(told) if isinstance(told, (RelayInfo, RelayLease)) else told

        return call

    async def advance(self, relay: str, epoch: int, cursor: Any, **more: Any) -> Any:
        if more.get("replay") is not None:
            reached = unveiled(more["replay"].cursor, "/replay/cursor")
            more["replay"] = msgspec.structs.replace(more["replay"], cursor=reached)
        return _relay_with_veil(await self._inner.advance(relay, epoch, unveiled(cursor, "/cursor"), **more))

    async def list(self) -> Any:
        return tuple(map(_relay_with_veil, await self._inner.list()))


class VeiledStore(StoreAround):
    """A store of one partition, but for its cursors, consumer groups, relays and all."""

    def __init__(self) -> None:
        super().__init__(LocalEventStore(MemoryEngine()))

    @property
    def groups(self) -> VeiledGroups:
        return VeiledGroups(self.inner.groups)

    @property
    def relays(self) -> VeiledRelays:
        return VeiledRelays(self.inner.relays)

    def __getattr__(self, name: str) -> Any:
        """What it says of itself to a server."""
        return getattr(self.inner, name)

    async def head(self) -> Any:
        return with_veil(await self.inner.head())

    async def read_feed(self, query: EventQuery = EVERYTHING, *, after: Any = None, **more: Any) -> FeedPage:
        return with_veil(await self.inner.read_feed(query, after=unveiled(after), **more))

    async def follow(self, query: EventQuery = EVERYTHING, *, after: Any = None) -> AsyncGenerator[FeedPage]:
        async for page in self.inner.follow(query, after=unveiled(after)):
            yield with_veil(page, cursors=tuple(veiled(cursor_at(event.position)) for event in page.events))

    async def append_atomic(self, appends: Any, *, condition: AppendCondition | None = None) -> Any:
        if condition is not None:
            condition.check()
            after = unveiled(condition.after, "/condition/after")
            condition = msgspec.structs.replace(condition, after=after)
        return await self.inner.append_atomic(appends, condition=condition)
