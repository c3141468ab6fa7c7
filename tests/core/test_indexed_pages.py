"""SQLite's pages end with the event that brings them to their size: in the index, in the tail, and across both."""

from pathlib import Path

import pytest

from indelible.core.store import LocalEventStore
from indelible.cursors import cursor_at
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.events import NewEvent
from indelible.limits import PAGE_SIZE_BYTES_MAX
from indelible.queries import EVERYTHING, EventQuery

EACH = 6
PAYLOAD_BYTES = PAGE_SIZE_BYTES_MAX // 4
"""Of each event, so a page holds four."""
FULL = 4
QUERIES = (
    EVERYTHING,
    EventQuery.of(tags=["a"]),
    EventQuery.of(tags=["a", "b"]),
    EventQuery.of(event_types=["Filled"]),
    EventQuery.of(event_types=["Filled", "Emptied"]),
    EventQuery.of(event_types=["Filled"], tags=["a"]),
)


async def fill(store: LocalEventStore) -> None:
    empty = len('""') + len("{}")
    for _ in range(EACH):
        event = NewEvent("Filled", "x" * (PAYLOAD_BYTES - empty), tags=["a", "b"])
        await store.append("order", "1", [event])


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: str(query.items))
async def test_a_page_holds_four_wherever_it_begins(tmp_path: Path, query: EventQuery) -> None:
    path = tmp_path / "store.db"
    async with LocalEventStore(SqliteEngine(path)) as store:
        await fill(store)
    # Whoever closes a store takes all of it into the index.
    async with LocalEventStore(SqliteEngine(path)) as store:
        await fill(store)
        for before in range(2 * EACH):
            page = await store.read_feed(query, after=cursor_at(before))
            assert page.count == min(FULL, 2 * EACH - before)
            page = await store.read_feed(query, after=cursor_at(before + 1), direction="backward")
            assert page.count == min(FULL, before)


async def test_an_aggregate(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    for times in (1, 2):
        async with LocalEventStore(SqliteEngine(path)) as store:
            if times == 2:
                # All of it is in the index.
                page = await store.read_aggregate("order", "1", from_version=2)
                assert (page.count, page.next_version) == (FULL, FULL + 2)
            await fill(store)
            page = await store.read_aggregate("order", "1", from_version=times * EACH - 5)
            assert (page.count, page.next_version) == (FULL, times * EACH - 1)
            page = await store.read_aggregate("order", "1", direction="backward")
            assert (page.count, page.next_version) == (FULL, times * EACH - FULL)
