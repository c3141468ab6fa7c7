"""Iterating over all pages, with one page read ahead."""

import asyncio

import pytest

from indelible import AggregateNotFound, AsyncClient, EventQuery, InvalidRequest, NewEvent
from indelible.client.iterators import iterate_feed
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.queries import EVERYTHING


@pytest.fixture
async def filled(event_store: AsyncClient) -> AsyncClient:
    """35 events in Order-1 at even versions "Even", between events of another aggregate."""
    for n in range(1, 36):
        await event_store.append("Order", "1", [NewEvent("Odd" if n % 2 else "Even", n)])
        await event_store.append("Noise", "1", [NewEvent("Noise", n)])
    return event_store


async def test_an_aggregate_over_many_pages(filled: AsyncClient):
    versions = [event.version async for event in filled.iter_aggregate("Order", "1", page_size=10)]
    assert versions == list(range(1, 36))


async def test_an_aggregate_backward(filled: AsyncClient):
    backward = filled.iter_aggregate("Order", "1", direction="backward", page_size=8)
    assert [event.version async for event in backward] == list(range(35, 0, -1))


async def test_both_versions_are_inclusive(filled: AsyncClient):
    forward = filled.iter_aggregate("Order", "1", from_version=5, to_version=30, page_size=4)
    assert [event.version async for event in forward] == list(range(5, 31))
    backward = filled.iter_aggregate("Order", "1", from_version=5, to_version=30, direction="backward", page_size=4)
    assert [event.version async for event in backward] == list(range(30, 4, -1))


async def test_the_feed_over_many_pages(filled: AsyncClient):
    assert [event.position async for event in filled.iter_feed(page_size=20)] == list(range(1, 71))
    backward = filled.iter_feed(direction="backward", page_size=20)
    assert [event.position async for event in backward] == list(range(70, 0, -1))


async def test_the_feed_filtered_and_from_a_cursor(filled: AsyncClient):
    query = EventQuery.of(event_types=["Even"])
    first = await filled.read_feed(query, limit=3)
    rest = [event.event_data async for event in filled.iter_feed(query, after=first.cursor, page_size=3)]
    assert rest == list(range(8, 35, 2))


async def test_pages_carry_the_cursor_to_go_on_from(filled: AsyncClient):
    pages = filled.iter_feed(page_size=30)
    seen = []
    while (page := await pages.next_page()) is not None:
        cursor = page.cursor
        seen.append(page.count)
    assert seen == [30, 30, 10]
    await filled.append("Order", "2", [NewEvent("Later")])
    assert [event.event_type async for event in filled.iter_feed(after=cursor)] == ["Later"]
    assert await pages.next_page() is None


async def test_the_end_of_an_empty_feed(event_store: AsyncClient):
    assert [event async for event in event_store.iter_feed()] == []


async def test_an_error_comes_out_of_the_step_and_of_the_next(event_store: AsyncClient):
    events = event_store.iter_aggregate("Order", "none")
    for _ in range(2):
        with pytest.raises(AggregateNotFound):
            await anext(events)
    with pytest.raises(InvalidRequest) as caught:
        await anext(event_store.iter_feed(page_size=0))
    assert caught.value.pointer == "/limit"


class _Counting(LocalEventStore):
    """Counts the pages that were asked for; holds back all from ``held_from`` on until ``release``."""

    def __init__(self) -> None:
        super().__init__(MemoryEngine())
        self.reads = 0
        self.held_from = 99
        self.release = asyncio.Event()

    async def read_feed(self, *args, **kwargs):
        self.reads += 1
        if self.reads >= self.held_from:
            await self.release.wait()
        return await super().read_feed(*args, **kwargs)


@pytest.fixture
async def counting() -> _Counting:
    store = _Counting()
    await store.append("Order", "1", [NewEvent("X", n) for n in range(10)])
    return store


def _feed(store: _Counting):
    return iterate_feed(store, EVERYTHING, after=None, direction="forward", page_size=2)


async def test_exactly_one_page_is_read_ahead(counting: _Counting):
    events = _feed(counting)
    await anext(events)
    for _ in range(5):
        await asyncio.sleep(0)
    assert counting.reads == 2
    await anext(events)
    await anext(events)
    for _ in range(5):
        await asyncio.sleep(0)
    assert counting.reads == 3


async def test_a_page_whose_wait_was_cancelled_is_not_lost(counting: _Counting):
    counting.held_from = 2
    events = _feed(counting)
    seen = [(await anext(events)).event_data, (await anext(events)).event_data]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(events), 0.01)
    counting.release.set()
    seen += [event.event_data async for event in events]
    assert seen == list(range(10))


async def test_left_early_nothing_is_reported(counting: _Counting, caplog: pytest.LogCaptureFixture):
    events = _feed(counting)
    await anext(events)
    del events
    await asyncio.sleep(0.01)
    assert caplog.records == []
