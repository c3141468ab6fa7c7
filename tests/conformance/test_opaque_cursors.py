"""Nothing between a store and its caller looks into a cursor: the suite passes where cursors are no numbers."""

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from indelible import AsyncClient
from indelible.client.iterators import Subscription
from indelible.conditions import AppendCondition
from indelible.core.store import LocalEventStore
from indelible.core.store_around import StoreAround
from indelible.cursors import START, Cursor, cursor_at, position_of
from indelible.engines.memory import MemoryEngine
from indelible.errors import InvalidRequest
from indelible.events import NewEvent
from indelible.eventstore import EventStore, FeedPage
from indelible.queries import EVERYTHING, EventQuery
from indelible.testing.conformance import BadInputConformance, EventStoreConformance
from indelible.testing.conformance.helpers import unique
from serving import serving_in_a_thread


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


class VeiledStore(StoreAround):
    """Stands between a store and its callers."""

    def __init__(self) -> None:
        super().__init__(LocalEventStore(MemoryEngine()))

    @property
    def groups(self) -> VeiledGroups:
        return VeiledGroups(self.inner.groups)

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


@pytest.fixture(scope="module", params=["direct", "http", "grpc"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "direct":
        yield ""
        return
    with serving_in_a_thread(VeiledStore(), request.param) as url:
        yield url


@pytest.fixture
async def store(url: str) -> AsyncIterator[EventStore]:
    async with AsyncClient(url) if url else VeiledStore() as store:
        yield store


@pytest.fixture
def _cursors_of_this_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the suites hold cursors against."""
    suites = [module for name, module in sys.modules.items() if name.startswith("indelible.testing.conformance")]
    for suite in suites:
        monkeypatch.setattr(suite, "cursor_at", lambda position: veiled(cursor_at(position)), raising=False)
        monkeypatch.setattr(suite, "position_of", lambda cursor: position_of(unveiled(cursor)), raising=False)


@pytest.mark.usefixtures("_cursors_of_this_store")
class TestVeiledStore(EventStoreConformance, BadInputConformance):
    pass


async def test_subscriptions_go_on_behind_any_event(store: EventStore) -> None:
    """Of which a few make a message or a chunk."""
    cursor, count = (await store.head()).cursor, 12
    await store.append(unique("Order"), "1", [NewEvent("Placed", [n, "x" * 5_000]) for n in range(count)])
    found: list[int] = []
    for taken in (1, 6, 5):
        async with Subscription(store.follow(after=cursor), cursor) as subscription:
            for _ in range(taken):
                event = await anext(subscription)
                found.append(event.event_data[0])
            assert subscription.cursor == veiled(str(event.position))
            cursor = Cursor.parse(str(subscription.cursor))
    assert found == list(range(count))
    async with Subscription(store.follow(after=cursor), cursor) as subscription:
        await store.append(unique("Order"), "2", [NewEvent("Placed", ["new"])])
        assert (await anext(subscription)).event_data == ["new"]
