"""Events one after the other: which pages are read for them, and how much of a page is kept."""

import pytest

from indelible.core.open import open_local_store
from indelible.events import AggregateKey, NewEvent, RecordedEvent
from indelible.limits import ESDB_READ_PAGE_EVENTS_MAX
from indelible.queries import EVERYTHING, Direction, EventQuery, QueryItem
from indelible.server.esdb.read_pages import OfAggregate, OfFeed, Part, Source, read_events
from indelible.server.reader_room import LARGE_BYTES


class Watched:
    """A source that keeps what is asked of it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.limits: list[int] = []

    async def read(self, place: int, limit: int) -> Part:
        self.limits.append(limit)
        return await self._source.read(place, limit)

    def place_of(self, event: RecordedEvent) -> int:
        return self._source.place_of(event)

    def has(self, event: RecordedEvent) -> bool:
        return self._source.has(event)


async def versions(source: Source, start: int, count: int = 10_000, least: int = 0) -> list[int]:
    return [event.version async for event in read_events(source, start, count, lambda event: event.version >= least)]


def sized(*sizes_bytes: int) -> list[NewEvent]:
    return [NewEvent("Sized", "x" * size_bytes) for size_bytes in sizes_bytes]


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("of_feed", [False, True])
async def test_all_come_once_in_order_however_large_they_are(direction: Direction, of_feed: bool):
    sizes = [10] * 300 + [LARGE_BYTES // 3] * 20 + [3 * LARGE_BYTES, 10] * 5 + [10] * 300
    async with open_local_store("memory:") as store:
        await store.append("order", "1", sized(*sizes))
        last = len(sizes)
        key = AggregateKey("order", "1")
        source: Source = OfFeed(store, EVERYTHING, last, direction)
        if not of_feed:
            source = OfAggregate(store, key, 1, last, direction)
        expected = list(range(1, last + 1))[:: 1 if direction == "forward" else -1]
        start = expected[0]
        assert await versions(source, start) == expected
        assert await versions(source, start, count=333) == expected[:333]
        assert await versions(source, start, least=400) == [version for version in expected if version >= 400]
        assert await versions(source, start + 50 * (expected[1] - start)) == expected[50:]


async def test_pages_grow_while_events_are_small_and_shrink_to_what_is_kept():
    async with open_local_store("memory:") as store:
        await store.append("order", "1", sized(*[10] * 600))
        small = Watched(OfFeed(store, EVERYTHING, 600, "forward"))
        assert len(await versions(small, 1, least=10_000)) == 0
        assert small.limits == [64, 128, 256, 256]
        assert max(small.limits) == ESDB_READ_PAGE_EVENTS_MAX
        one = Watched(OfFeed(store, EVERYTHING, 600, "backward"))
        assert await versions(one, 600, count=1) == [600]
        assert one.limits == [1]
        await store.append("order", "2", sized(*[LARGE_BYTES // 4] * 100))
        large = Watched(OfAggregate(store, AggregateKey("order", "2"), 1, 100, "forward"))
        assert await versions(large, 1) == list(range(1, 101))
        assert large.limits[0] == 64
        assert set(large.limits[1:]) == {3}


async def test_newer_events_than_there_were_at_first_do_not_come():
    async with open_local_store("memory:") as store:
        await store.append("order", "1", sized(*[10] * 20))
        forward, backward = OfFeed(store, EVERYTHING, 10, "forward"), OfFeed(store, EVERYTHING, 10, "backward")
        assert await versions(forward, 1) == list(range(1, 11))
        assert await versions(backward, 10) == list(range(10, 0, -1))
        assert await versions(OfAggregate(store, AggregateKey("order", "1"), 3, 10, "backward"), 10) == list(
            range(10, 2, -1)
        )


@pytest.mark.parametrize("newer", [0, 1, 2, 64, 65, 200])
@pytest.mark.parametrize("count", [1, 10, 64, 10_000])
async def test_what_is_committed_before_the_first_page_hides_nothing_from_who_reads_backwards(newer: int, count: int):
    async with open_local_store("memory:") as store:
        await store.append("order", "1", sized(*[10] * 100))
        last = (await store.head()).position
        if newer:
            await store.append("order", "1", sized(*[10] * newer))
        expected = list(range(100, 0, -1))[:count]
        assert await versions(OfFeed(store, EVERYTHING, last, "backward"), last, count) == expected
        orders = EventQuery((QueryItem(aggregate_types=("order",)),))
        assert await versions(OfFeed(store, orders, last, "backward"), last, count) == expected


async def test_outside_of_what_there_is_nothing_comes():
    async with open_local_store("memory:") as store:
        assert await versions(OfFeed(store, EVERYTHING, 0, "forward"), 1) == []
        assert await versions(OfFeed(store, EVERYTHING, 0, "backward"), 0) == []
        await store.append("order", "1", sized(1))
        for direction in ("forward", "backward"):
            assert await versions(OfFeed(store, EVERYTHING, 1, direction), 2) == []
            assert await versions(OfFeed(store, EVERYTHING, 1, direction), 0) == []
            assert await versions(OfAggregate(store, AggregateKey("order", "1"), 1, 1, direction), 2) == []
            assert await versions(OfAggregate(store, AggregateKey("order", "1"), 1, 1, direction), 1) == [1]
