"""Readers beside writers: no read sees a part of an append, and nothing appears behind the head."""

import asyncio
from uuid import UUID

import pytest

from indelible.cursors import Cursor, position_of
from indelible.eventstore import AggregateAppend, EventStore
from indelible.queries import EventQuery
from indelible.testing.conformance.helpers import ids, read_feed_to_end, some_events, unique

_APPENDS = 30


async def _append_pairs(store: EventStore, aggregate_type: str, names: tuple[str, str]) -> None:
    for _ in range(_APPENDS):
        await store.append_atomic([AggregateAppend.of(aggregate_type, name, some_events(1)) for name in names])


async def _read_up_to(store: EventStore, after: Cursor, position: int) -> list[UUID]:
    return ids(event for event in await read_feed_to_end(store, after=after) if event.position <= position)


async def _let_others_run() -> None:
    """A store that answers without ever waiting would otherwise keep the writers from going on."""
    await asyncio.sleep(0)


@pytest.mark.asyncio
class IsolationConformance:
    async def test_no_page_shows_a_part_of_an_append(self, store: EventStore) -> None:
        aggregate_type, names = unique("Account"), (unique(), unique())
        start = (await store.head()).cursor
        query = EventQuery.of(aggregate_types=[aggregate_type])
        writers = asyncio.gather(*(_append_pairs(store, aggregate_type, names) for _ in range(2)))
        seen = 0
        while not writers.done():
            page = await store.read_feed(query, after=start, limit=1_000)
            assert page.count % 2 == 0
            assert page.count >= seen
            seen = page.count
            await _let_others_run()
        await writers
        assert (await store.read_feed(query, after=start, limit=1_000)).count == 4 * _APPENDS

    async def test_nothing_appears_behind_the_head(self, store: EventStore) -> None:
        aggregate_type, names = unique("Account"), (unique(), unique())
        start = (await store.head()).cursor
        writers = asyncio.gather(*(_append_pairs(store, aggregate_type, names) for _ in range(2)))
        seen: list[tuple[int, list[UUID]]] = []
        while not writers.done():
            head = (await store.head()).position
            found = await _read_up_to(store, start, head)
            assert len(found) == head - position_of(start)
            seen.append((head, found))
            await _let_others_run()
        await writers
        complete = await _read_up_to(store, start, (await store.head()).position)
        for head, found in seen[:: max(len(seen) // 20, 1)]:
            assert complete[: head - position_of(start)] == found

    async def test_reader_that_follows_misses_nothing(self, store: EventStore) -> None:
        """Page by page behind the head, while others write: every event once, in order."""
        aggregate_type, names = unique("Account"), (unique(), unique())
        cursor = start = (await store.head()).cursor
        writers = asyncio.gather(*(_append_pairs(store, aggregate_type, names) for _ in range(2)))
        found: list[UUID] = []
        at_end = False
        while not (writers.done() and at_end):
            page = await store.read_feed(after=cursor, limit=7)
            found += ids(page.events)
            # The last page counts only if it was read after the writers had ended.
            at_end = page.at_end and page.count == 0
            cursor = page.cursor
            await _let_others_run()
        await writers
        found += ids(await read_feed_to_end(store, after=cursor))
        assert found == ids(await read_feed_to_end(store, after=start))
        assert len(found) == 4 * _APPENDS
