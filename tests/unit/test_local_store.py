"""LocalEventStore over the memory engine: what only an empty, or a closed, store shows."""

import asyncio

import pytest

from indelible.core.store import LocalEventStore
from indelible.cursors import START
from indelible.engines.memory import MemoryEngine
from indelible.errors import ShuttingDown
from indelible.events import NewEvent
from indelible.eventstore import Head
from indelible.queries import Direction


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
