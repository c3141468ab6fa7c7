"""Readers beside writers: no read sees a part of an append, and nothing appears behind the head."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from indelible.eventstore import AggregateAppend, EventStore, Head
from indelible.queries import EventQuery
from indelible.testing.conformance.helpers import check_same_feed, ids, new_names, read_feed_to_end, some_events, unique

_APPENDS = 30


async def _append_pairs(store: EventStore, aggregate_type: str, names: Sequence[str]) -> None:
    for _ in range(_APPENDS):
        await store.append_atomic([AggregateAppend.of(aggregate_type, name, some_events(1)) for name in names])


async def _let_others_run() -> None:
    """A store that answers without ever waiting would otherwise keep the writers from going on."""
    await asyncio.sleep(0)


@pytest.mark.asyncio
class IsolationConformance:
    async def test_no_page_shows_a_part_of_an_append(self, store: EventStore) -> None:
        aggregate_type = unique("Account")
        names = await new_names(store, aggregate_type, 2)
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
        aggregate_type = unique("Account")
        names = await new_names(store, aggregate_type, 2)
        start = await store.head()
        writers = asyncio.gather(*(_append_pairs(store, aggregate_type, names) for _ in range(2)))
        seen: list[tuple[Head, list[UUID]]] = []
        while not writers.done():
            head = await store.head()
            seen.append((head, ids(await read_feed_to_end(store, after=start.cursor))))
            await _let_others_run()
        await writers
        complete = ids(await read_feed_to_end(store, after=start.cursor))
        for head, found in seen[:: max(len(seen) // 20, 1)]:
            count = head.position - start.position
            later = set(ids(await read_feed_to_end(store, after=head.cursor)))
            behind = [one for one in complete if one not in later]
            assert len(behind) == count <= len(found)
            assert behind == found[:count] == complete[:count] or head.partitions > 1
            assert set(behind) <= set(found)

    async def test_reader_that_follows_misses_nothing(self, store: EventStore) -> None:
        """Page by page behind the head, while others write: every event once, in order."""
        aggregate_type = unique("Account")
        names = await new_names(store, aggregate_type, 2)
        head = await store.head()
        cursor = start = head.cursor
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
        check_same_feed(found, ids(await read_feed_to_end(store, after=start)), head.partitions)
        assert len(found) == 4 * _APPENDS
