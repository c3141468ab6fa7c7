"""Stores around another store: each is a store itself, so they stand around one another in any order."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, cast

from indelible.eventstore import EventStore
from indelible.groups import ConsumerGroups
from indelible.index_state import SearchIndex
from indelible.keys import Keys
from indelible.relay_state import Relays
from indelible.schemas import Schemas

P = ParamSpec("P")
R = TypeVar("R")


def _inner(method: Callable[Concatenate[EventStore, P], R]) -> Callable[Concatenate["StoreAround", P], R]:
    """A method that is the inner store's own: whoever calls it calls that."""
    own: Any = property(attrgetter(f"inner.{method.__name__}"))
    return cast("Callable[Concatenate[StoreAround, P], R]", own)


class StoreAround:
    """Implements :class:`indelible.eventstore.EventStore` by another one. A subclass has methods of its own for what it
    does otherwise. Who opened the inner store closes it, or leaves that to this one."""

    def __init__(self, inner: EventStore) -> None:
        self.inner: Final = inner

    @property
    def groups(self) -> ConsumerGroups:
        return self.inner.groups

    @property
    def relays(self) -> Relays:
        return self.inner.relays

    @property
    def index(self) -> SearchIndex:
        return self.inner.index

    @property
    def keys(self) -> Keys:
        return self.inner.keys

    @property
    def schemas(self) -> Schemas:
        return self.inner.schemas

    append = _inner(EventStore.append)
    append_each = _inner(EventStore.append_each)
    append_atomic = _inner(EventStore.append_atomic)
    read_aggregate = _inner(EventStore.read_aggregate)
    read_feed = _inner(EventStore.read_feed)
    follow = _inner(EventStore.follow)
    get_event = _inner(EventStore.get_event)
    get_aggregate = _inner(EventStore.get_aggregate)
    replay = _inner(EventStore.replay)
    save_snapshot = _inner(EventStore.save_snapshot)
    get_snapshot = _inner(EventStore.get_snapshot)
    head = _inner(EventStore.head)
    event_types = _inner(EventStore.event_types)
    aggregate_types = _inner(EventStore.aggregate_types)
    list_aggregates = _inner(EventStore.list_aggregates)
    search = _inner(EventStore.search)
    aclose = _inner(EventStore.aclose)

    async def __aenter__(self) -> Self:
        await self.inner.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
