"""Nothing between a store and its caller looks into a cursor: here they are no numbers."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec
import pytest

from indelible import AsyncClient
from indelible.client.subscription import Subscription
from indelible.conditions import AppendCondition
from indelible.core.store import LocalEventStore
from indelible.core.store_around import StoreAround
from indelible.cursors import START, Cursor, cursor_at
from indelible.engines.memory import MemoryEngine
from indelible.errors import ConditionFailed, InvalidRequest
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, EventStore, FeedPage
from indelible.queries import EVERYTHING, EventQuery, QueryItem
from serving import serving_in_a_thread

EVENTS = 12


def veiled(cursor: str) -> Cursor:
    return Cursor(f"at:{cursor[::-1]}/x")


def unveiled(cursor: str | None) -> Cursor | None:
    if cursor is None or cursor in ("", START):
        return cursor
    if not cursor.startswith("at:"):
        raise InvalidRequest("is not a cursor of this store", pointer="/after")
    return Cursor(cursor[3:-2][::-1])


def with_veil(told: Any, **more: Any) -> Any:
    return msgspec.structs.replace(told, cursor=veiled(told.cursor), **more)


class VeiledGroups:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def create(self, group: str, query: EventQuery = EVERYTHING, *, after: Cursor | None = None, **more: Any):
        return with_veil(await self._inner.create(group, query, after=unveiled(after), **more))

    async def reset(self, group: str, *, after: Cursor | None = None, **more: Any):
        return with_veil(await self._inner.reset(group, after=unveiled(after), **more))

    async def get(self, group: str):
        return with_veil(await self._inner.get(group))

    async def list_parked(self, group: str, *, after: str | None = None, **more: Any):
        return with_veil(await self._inner.list_parked(group, after=unveiled(after), **more))


class VeiledStore(StoreAround):
    @property
    def groups(self) -> VeiledGroups:
        return VeiledGroups(self.inner.groups)

    def __getattr__(self, name: str) -> Any:
        """What it says of itself to a server."""
        return getattr(self.inner, name)

    async def head(self):
        return with_veil(await self.inner.head())

    async def read_feed(self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None, **more: Any) -> FeedPage:
        return with_veil(await self.inner.read_feed(query, after=unveiled(after), **more))

    async def follow(self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None) -> AsyncGenerator[FeedPage]:
        async for page in self.inner.follow(query, after=unveiled(after)):
            yield with_veil(page, cursors=tuple(veiled(cursor_at(event.position)) for event in page.events))

    async def append_atomic(self, appends, *, condition: AppendCondition | None = None):
        if condition is not None:
            condition = msgspec.structs.replace(condition, after=unveiled(condition.after))
        return await self.inner.append_atomic(appends, condition=condition)


@pytest.fixture(params=["direct", "http", "grpc"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[EventStore]:
    """With some events in it, of which a few make a message or a chunk."""
    veiled = VeiledStore(LocalEventStore(MemoryEngine()))
    events = [NewEvent("Placed", [n, "x" * 5_000], tags=[f"n:{n}"]) for n in range(EVENTS)]
    if request.param == "direct":
        async with veiled:
            await veiled.append("Order", "1", events)
            yield veiled
        return
    with serving_in_a_thread(veiled, request.param) as url:
        async with AsyncClient(url) as client:
            await client.append("Order", "1", events)
            yield client


async def test_pages(store: EventStore) -> None:
    for direction, expected in (("forward", range(EVENTS)), ("backward", reversed(range(EVENTS)))):
        found, page = [], await store.read_feed(direction=direction, limit=5)
        while True:
            found += [event.event_data[0] for event in page.events]
            assert page.cursor.startswith("at:")
            if page.at_end:
                break
            page = await store.read_feed(after=page.cursor, direction=direction, limit=5)
        assert found == list(expected)
    head = await store.head()
    page = await store.read_feed(after=head.cursor)
    assert (page.count, page.cursor, page.at_end) == (0, head.cursor, True)
    for other in ("7", "nonsense"):
        with pytest.raises(InvalidRequest) as caught:
            await store.read_feed(after=Cursor(other))
        assert caught.value.pointer == "/after"


async def test_subscriptions_go_on_behind_any_event(store: EventStore) -> None:
    cursor = None
    for taken in (1, 6, 5):
        async with Subscription(store.follow(after=cursor), cursor) as subscription:
            found = [(await anext(subscription)).event_data[0] for _ in range(taken)]
            cursor = Cursor.parse(str(subscription.cursor))
        assert cursor == veiled(str(found[-1] + 1))
        assert found == list(range(found[0], found[0] + taken))
    assert found[-1] == EVENTS - 1
    async with Subscription(store.follow(after=cursor), cursor) as subscription:
        await store.append("Order", "2", [NewEvent("Placed", ["new"])])
        assert (await anext(subscription)).event_data == ["new"]


async def test_conditions(store: EventStore) -> None:
    append = [AggregateAppend.of("Order", "2", [NewEvent("Placed")])]
    items = (QueryItem(tags=("n:7",)),)
    page = await store.read_feed(limit=7)
    with pytest.raises(ConditionFailed):
        await store.append_atomic(append, condition=AppendCondition(items, page.cursor))
    head = await store.head()
    assert (await store.append_atomic(append, condition=AppendCondition(items, head.cursor))).position == EVENTS + 1


async def test_groups(store: EventStore) -> None:
    page = await store.read_feed(limit=7)
    made = await store.groups.create("billing", after=page.cursor)
    assert made.cursor == (await store.groups.get("billing")).cursor == page.cursor
    (delivery,) = await store.groups.pull("billing")
    assert delivery.event.event_data[0] == 7
    await store.groups.nack("billing", [delivery.delivery_id], park=True)
    parked = await store.groups.list_parked("billing")
    assert [one.position for one in parked.parked] == [8]
    assert (await store.groups.list_parked("billing", after=parked.cursor)).parked == ()
    assert (await store.groups.reset("billing", after=Cursor.parse(str(page.cursor)))).cursor == page.cursor
