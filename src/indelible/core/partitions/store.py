"""PartitionedStore: one store of several partitions, each a log with positions, a chain and an append queue of its own.

An aggregate lies in the partition that the hash of its partition key gives. So what concerns one aggregate is asked of
one partition, as in a store of one; what concerns all is asked of all, and put together.
"""

import asyncio
import functools
import hashlib
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, cast
from uuid import UUID

import msgspec

from indelible.conditions import AppendCondition
from indelible.core.keys import LocalKeys
from indelible.core.marks import check_partitions
from indelible.core.partitions.feed import check_places, read_backward, read_forward, read_heads
from indelible.core.partitions.following import MergedSubscription
from indelible.core.partitions.groups import PartitionedGroups
from indelible.core.partitions.merging import merged_aggregates, merged_lines
from indelible.core.relays import relay_not_found
from indelible.core.schemas.guard import SchemaGuard
from indelible.core.schemas.registry import LocalSchemas
from indelible.core.store import LocalEventStore
from indelible.cursors import Cursor, Lag, Places, cursor_at, cursor_over, places_of
from indelible.diagnostics import Capabilities, CommitCounts, StorageState
from indelible.errors import EventNotFound, IndelibleError, InvalidRequest
from indelible.events import AggregateKey, RecordedEvent
from indelible.eventstore import (
    AggregateAppend,
    AggregateList,
    AggregateTypeInfo,
    AppendOutcome,
    AppendRequest,
    AtomicAppendResult,
    EventTypeInfo,
    FeedPage,
    Head,
)
from indelible.index_state import NoIndex, no_index
from indelible.limits import PAGE_EVENTS_DEFAULT, PARTITIONS_MAX
from indelible.partition_keys import PartitionKeys
from indelible.queries import EVERYTHING, Direction, EventQuery, check_gather, check_page, check_query
from indelible.relay_state import RelayInfo, RelayLease, Relays, check_owner, check_relay
from indelible.search import SearchPage, SearchQuery

P = ParamSpec("P")
R = TypeVar("R")


def _at_home(method: Callable[Concatenate[LocalEventStore, P], R]) -> Callable[Concatenate["PartitionedStore", P], R]:
    """A method about one aggregate: that of the partition which the aggregate lies in."""

    @functools.wraps(method)
    def ask(self: "PartitionedStore", aggregate_type: str, aggregate_id: str, *args: Any, **kwargs: Any) -> Any:
        home = self.partitions[self.partition_of(aggregate_type, aggregate_id)]
        return getattr(home, method.__name__)(aggregate_type, aggregate_id, *args, **kwargs)

    return cast("Callable[Concatenate[PartitionedStore, P], R]", ask)


class PartitionedStore:
    """Implements what :class:`indelible.core.store.LocalEventStore` does, around several of it. Use as ``async with``.

    ``partition_keys``: of aggregate types, by which they get their partition when the store is made; a store that is
    there already must have been made with the same, or with any when None is given. ``may_make``: whether partitions
    that are empty may become this store's.
    """

    def __init__(
        self,
        partitions: Sequence[LocalEventStore],
        *,
        partition_keys: Mapping[str, str] | None = None,
        may_make: bool = True,
    ) -> None:
        if len(partitions) > PARTITIONS_MAX:
            raise InvalidRequest(f"must not have more than {PARTITIONS_MAX} partitions", pointer="/store")
        self.partitions: Final = tuple(partitions)
        self._configured: Final = None if partition_keys is None else dict(partition_keys)
        self._may_make: Final = may_make
        self._keys = PartitionKeys(len(partitions), partition_keys or {})
        self._troubles: tuple[str | None, ...] = (None,) * len(partitions)
        self.groups: Final = PartitionedGroups([one.groups for one in partitions])
        self.relays: Final = cast("Relays", NoRelays())
        self.index: Final = NoIndex()
        self.keys: Final = LocalKeys(self.append_reserved, self.read_feed, self.read_aggregate)
        self.guard: Final = SchemaGuard(self, is_shared=self.capabilities.many_processes, is_in_parts=True)
        for one in self.partitions:
            one.guard = self.guard
        self.schemas: Final = LocalSchemas(self.append_reserved, self.read_aggregate, self.guard)

    async def open(self) -> Self:
        try:
            for one in self.partitions:
                await one.open()
            mark = await check_partitions(self.partitions, self._configured, may_make=self._may_make)
        except BaseException:
            await self.aclose()
            raise
        if mark is not None:
            self._keys = PartitionKeys(len(self.partitions), mark.partition_keys)
        return self

    async def aclose(self) -> None:
        closed = await asyncio.gather(*[one.aclose() for one in self.partitions], return_exceptions=True)
        for error in closed:
            if error is not None:
                raise error

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def partition_of(self, aggregate_type: str, aggregate_id: str) -> int:
        """From 0."""
        return self._keys.partition_of(AggregateKey(aggregate_type, aggregate_id))

    async def _each(self, ask: Callable[[LocalEventStore], Awaitable[R]]) -> list[R]:
        return await asyncio.gather(*[ask(one) for one in self.partitions])

    # --- Appending ---------------------------------------------------------------------------------------------------

    append = _at_home(LocalEventStore.append)
    append_reserved = _at_home(LocalEventStore.append_reserved)

    async def append_each(self, appends: Sequence[AggregateAppend]) -> list[AppendOutcome]:
        places: dict[int, list[int]] = {}
        for i, append in enumerate(appends):
            places.setdefault(self._keys.partition_of(append.key), []).append(i)
        answers = await asyncio.gather(
            *[self.partitions[n].append_each([appends[i] for i in mine]) for n, mine in places.items()]
        )
        outcomes = {
            i: outcome
            for mine, some in zip(places.values(), answers, strict=True)
            for i, outcome in zip(mine, some, strict=True)
        }
        return [outcomes[i] for i in range(len(appends))]

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        AppendRequest(tuple(appends), condition).check(atomic=True)
        home = self._keys.check_together([append.key for append in appends], condition)
        if condition is not None:
            # Its own partition looks whether it is past the head; the others need not be there.
            places = places_of(condition.after, len(self.partitions), "/condition/after")
            condition = msgspec.structs.replace(condition, after=cursor_at(places.positions[home]))
        return await self.partitions[home].append_atomic(appends, condition=condition)

    async def append_recorded(self, events: Sequence[RecordedEvent]) -> None:
        """All or none of each partition's."""
        shares: dict[int, list[RecordedEvent]] = {}
        for event in events:
            shares.setdefault(self._keys.partition_of(event.key), []).append(event)
        for n, share in shares.items():
            await self.partitions[n].append_recorded(share)

    # --- One aggregate -----------------------------------------------------------------------------------------------

    read_aggregate = _at_home(LocalEventStore.read_aggregate)
    get_aggregate = _at_home(LocalEventStore.get_aggregate)
    replay = _at_home(LocalEventStore.replay)
    save_snapshot = _at_home(LocalEventStore.save_snapshot)
    get_snapshot = _at_home(LocalEventStore.get_snapshot)

    # --- The feed ----------------------------------------------------------------------------------------------------

    async def head(self) -> Head:
        heads = await read_heads(self.partitions)
        return Head(sum(heads), cursor_over(Places(heads)), len(heads))

    @property
    def _start(self) -> Places:
        return Places((0,) * len(self.partitions))

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
        if direction == "forward" and after is None:
            return await read_forward(self.partitions, query, self._start, limit)
        places = None if after is None else places_of(after, len(self.partitions))
        heads = await check_places(self.partitions, places or self._start, "/after")
        if direction == "forward":
            return await read_forward(self.partitions, query, places or self._start, limit)
        return await read_backward(self.partitions, query, places, heads, limit)

    async def follow(
        self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None, gather_s: float = 0.0
    ) -> AsyncGenerator[FeedPage]:
        query, gather_s = check_query(query), check_gather(gather_s)
        places = self._start if after is None else places_of(after, len(self.partitions))
        if after is not None:
            await check_places(self.partitions, places, "/after")
        async with aclosing(MergedSubscription(self.partitions, query, places, gather_s).pages()) as pages:
            while True:
                # Not kept in a variable here: a page is large, and its taker may take its time.
                yield await anext(pages)

    async def get_event(self, event_id: UUID) -> RecordedEvent:
        found = await asyncio.gather(*[one.get_event(event_id) for one in self.partitions], return_exceptions=True)
        events = [one for one in found if isinstance(one, RecordedEvent)]
        if events:
            return min(events, key=lambda event: event.timestamp)
        errors = [one for one in found if isinstance(one, BaseException)]
        raise next((one for one in errors if not isinstance(one, EventNotFound)), errors[0])

    async def read_lines(self, event_ids: Sequence[UUID]) -> Sequence[Sequence[bytes]]:
        return merged_lines(await self._each(lambda one: one.read_lines(event_ids)))

    async def search(self, query: SearchQuery, **_: Any) -> SearchPage:  # noqa: ARG002 - there is none to ask
        raise no_index()

    # --- Catalogues --------------------------------------------------------------------------------------------------

    async def event_types(self, *, prefix: str = "") -> tuple[EventTypeInfo, ...]:
        counts: Counter[tuple[bytes, bytes]] = Counter()
        for some in await self._each(lambda one: one.event_types(prefix=prefix)):
            for one in some:
                counts[one.event_type.encode(), one.aggregate_type.encode()] += one.events
        return tuple([EventTypeInfo(a.decode(), b.decode(), counts[a, b]) for a, b in sorted(counts)])

    async def aggregate_types(self, *, prefix: str = "") -> tuple[AggregateTypeInfo, ...]:
        aggregates: Counter[bytes] = Counter()
        events: Counter[bytes] = Counter()
        for some in await self._each(lambda one: one.aggregate_types(prefix=prefix)):
            for one in some:
                aggregates[one.aggregate_type.encode()] += one.aggregates
                events[one.aggregate_type.encode()] += one.events
        return tuple([AggregateTypeInfo(name.decode(), aggregates[name], events[name]) for name in sorted(events)])

    async def list_aggregates(
        self,
        *,
        aggregate_type: str | None = None,
        prefix: str = "",
        after: str | None = None,
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> AggregateList:
        pages = await self._each(
            lambda one: one.list_aggregates(aggregate_type=aggregate_type, prefix=prefix, after=after, limit=limit)
        )
        return merged_aggregates(pages, limit)

    # --- Measures ----------------------------------------------------------------------------------------------------

    async def lag_behind(self, cursor: Cursor) -> Lag:
        places = places_of(cursor, len(self.partitions))
        lags = await asyncio.gather(
            *[
                one.lag_behind(cursor_at(position))
                for one, position in zip(self.partitions, places.positions, strict=True)
            ]
        )
        return Lag(sum(one.positions for one in lags), max(one.age_s for one in lags))

    async def hash_at(self, cursor: Cursor) -> str | None:
        places = places_of(cursor, len(self.partitions)).positions
        hashes = [one.hash_at(cursor_at(position)) for one, position in zip(self.partitions, places, strict=True)]
        found = await asyncio.gather(*hashes)
        known = [one for one in found if one is not None]
        return hashlib.sha256("~".join(known).encode()).hexdigest() if len(known) == len(found) else None

    async def has_passed(self, cursor: Cursor, other: Cursor, pointer: str = "/cursor") -> bool:
        wanted = places_of(other, len(self.partitions), pointer)
        reached = places_of(cursor, len(self.partitions))
        if all(mine >= theirs for mine, theirs in zip(reached.positions, wanted.positions, strict=True)):
            return True
        await check_places(self.partitions, wanted, pointer)
        return False

    @property
    def capabilities(self) -> Capabilities:
        return self.partitions[0].capabilities

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(warning for one in self.partitions for warning in one.warnings))

    @property
    def queue_depth(self) -> int:
        return sum(one.queue_depth for one in self.partitions)

    def storage_state(self) -> StorageState | None:
        """Of the partition whose index is the furthest behind."""
        states = [state for one in self.partitions if (state := one.storage_state()) is not None]
        return max(states, key=lambda state: state.index_lag_events, default=None)

    def commit_counts(self) -> Sequence[CommitCounts]:
        return [counts for one in self.partitions for counts in one.commit_counts()]

    async def check_takes_appends(self) -> None:
        """Raises when no partition takes any: the appends to the others' aggregates go on."""
        found = await asyncio.gather(*[one.check_takes_appends() for one in self.partitions], return_exceptions=True)
        errors = [one for one in found if one is not None]
        for error in errors:
            if not isinstance(error, IndelibleError):
                raise error
        self._troubles = tuple([one.message if isinstance(one, IndelibleError) else None for one in found])
        if len(errors) == len(found):
            raise errors[0]

    def partition_troubles(self) -> Sequence[str | None]:
        return self._troubles

    async def storage_size_bytes(self) -> int:
        return sum(await self._each(lambda one: one.storage_size_bytes()))

    async def find_missing_end(self) -> tuple[int, str] | None:
        for n, found in enumerate(await self._each(lambda one: one.find_missing_end())):
            if found is not None:
                return found[0], f"of partition {n}: {found[1]}"
        return None

    async def find_unindexed(self, first: int, last: int) -> tuple[int, str] | None:
        """The positions are those of each partition."""
        for found in await self._each(lambda one: one.find_unindexed(first, last)):
            if found is not None:
                return found
        return None


class NoRelays:
    """A relay has one checkpoint, in one log: a store of several takes none yet."""

    async def list(self) -> tuple[RelayInfo, ...]:
        return ()

    async def claim(self, relay: str, owner: str, **_: Any) -> RelayLease:
        check_relay(relay)
        check_owner(owner)
        raise InvalidRequest("a store of several partitions takes no relays", pointer="/relay")

    def __getattr__(self, _: str) -> Callable[..., Awaitable[Any]]:
        """Everything else names a relay that is there."""
        return self._not_found

    async def _not_found(self, relay: str, *_: object, **__: object) -> Any:
        raise relay_not_found(check_relay(relay))
