"""LocalEventStore over the memory engine: what only an empty, or a closed, store shows."""

import asyncio
from typing import Any

import pytest

from indelible.core.store import LocalEventStore
from indelible.cursors import START
from indelible.engines.engine import Lines
from indelible.engines.memory import MemoryEngine
from indelible.errors import Overloaded, ShuttingDown
from indelible.events import NewEvent
from indelible.eventstore import Head
from indelible.limits import FEED_PAGES_AT_ONCE_MAX, READS_WAITING_MAX
from indelible.queries import Direction, EventQuery


@pytest.mark.parametrize("direction", ["forward", "backward"])
async def test_empty_store(direction: Direction) -> None:
    async with LocalEventStore(MemoryEngine()) as store:
        assert await store.head() == Head(0, START)
        page = await store.read_feed(direction=direction)
        assert (page.lines, page.count, page.cursor, page.at_end) == (b"", 0, START, True)
        assert await store.read_feed(after=page.cursor, direction=direction) == page
        assert (await store.event_types(), await store.aggregate_types()) == ((), ())
        listed = await store.list_aggregates()
        assert (listed.aggregates, listed.at_end) == ((), True)
        assert await store.list_aggregates(after=listed.cursor) == listed


async def test_backward_cursor_never_goes_up() -> None:
    async with LocalEventStore(MemoryEngine()) as store:
        await store.append("Order", "1", [NewEvent("A"), NewEvent("B")])
        for after in (START, None):
            page = await store.read_feed(after=after, direction="backward")
            assert page.at_end
            again = await store.read_feed(after=page.cursor, direction="backward")
            assert (again.count, again.cursor) == (0, page.cursor)


async def test_closed_store_takes_no_appends() -> None:
    store = LocalEventStore(MemoryEngine())
    async with store:
        waiting = asyncio.create_task(store.append("Order", "1", [NewEvent("A")]))
        await asyncio.sleep(0)
    assert (await waiting).version == 1
    with pytest.raises(ShuttingDown) as caught:
        await store.append("Order", "1", [NewEvent("A")])
    assert caught.value.fields == {"retry_after_s": 1}


class _HeldUp(MemoryEngine):
    """Reads no page of the feed until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = asyncio.Event()
        self.pages = 0

    async def read_feed(self, query: EventQuery, **options: Any) -> Lines:
        self.pages += 1
        await self.may_go_on.wait()
        return await super().read_feed(query, **options)


async def test_who_asks_for_many_pages_leaves_room_for_other_reads() -> None:
    """On a real server with slow readers: ``faults.hostile_connections``."""
    engine = _HeldUp()
    async with LocalEventStore(engine) as store:
        await store.append("Order", "1", [NewEvent("A")])
        asked = [asyncio.create_task(store.read_feed()) for _ in range(READS_WAITING_MAX + 5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert engine.pages == FEED_PAGES_AT_ONCE_MAX
        assert (await store.read_aggregate("Order", "1")).count == 1
        engine.may_go_on.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one for one in answers if isinstance(one, Overloaded)]
    assert (len(refused), engine.pages) == (5, READS_WAITING_MAX)
