"""Stores whose cursors are not numbers: nothing between a store and its callers may look into one."""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from indelible.conditions import AppendCondition
from indelible.core.partitions.store import PartitionedStore
from indelible.core.store import LocalEventStore
from indelible.cursors import START, Cursor, cursor_at
from indelible.engines.memory import MemoryEngine
from indelible.errors import InvalidRequest
from indelible.eventstore import FeedPage
from indelible.queries import EVERYTHING, EventQuery
from indelible.relay_state import RelayInfo, RelayLease
from indelible.store_around import StoreAround


def merged_store(*engines: MemoryEngine, **options: Any) -> PartitionedStore:
    """Of two partitions, in memory, unless others are given."""
    made = engines or (MemoryEngine(), MemoryEngine())
    return PartitionedStore([LocalEventStore(one, is_partition=True) for one in made], **options)


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

    async def follow(
        self, query: EventQuery = EVERYTHING, *, after: Any = None, gather_s: float = 0.0
    ) -> AsyncGenerator[FeedPage]:
        async for page in self.inner.follow(query, after=unveiled(after), gather_s=gather_s):
            yield with_veil(page, cursors=tuple(veiled(cursor_at(event.position)) for event in page.events))

    async def append_atomic(self, appends: Any, *, condition: AppendCondition | None = None) -> Any:
        if condition is not None:
            condition.check()
            after = unveiled(condition.after, "/condition/after")
            condition = msgspec.structs.replace(condition, after=after)
        return await self.inner.append_atomic(appends, condition=condition)
