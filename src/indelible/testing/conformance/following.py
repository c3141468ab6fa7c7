"""Subscriptions: what is there and what comes, every event once and in order, whatever the filter."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

import pytest

from indelible.conditions import AppendCondition
from indelible.cursors import Cursor, position_of
from indelible.errors import ConditionFailed, InvalidRequest
from indelible.events import NewEvent, RecordedEvent
from indelible.eventstore import AggregateAppend, EventStore, FeedPage
from indelible.queries import EventQuery, QueryItem
from indelible.testing.conformance.helpers import (
    append_noise,
    check_each_order,
    check_same_feed,
    cursor_past_the_head,
    ids,
    read_feed_to_end,
    some_events,
    unique,
)

_PATIENCE_S = 120.0
"""For what comes at once unless it never does."""
_GATHER_S = 0.3


async def _take(store: EventStore, pages: AsyncGenerator[FeedPage], count: int) -> list[RecordedEvent]:
    """The next ``count`` events; asserts that no page gives out more, and that cursors only grow."""
    found: list[RecordedEvent] = []
    last: Cursor | None = None
    partitions = (await store.head()).partitions
    async with asyncio.timeout(_PATIENCE_S):
        while len(found) < count:
            page = await anext(pages)
            if partitions == 1:
                assert last is None or position_of(page.cursor) >= position_of(last)
                assert all(event.position <= position_of(page.cursor) for event in page.events)
            found += page.events
            check_each_order(found)
            last = page.cursor
    assert len(found) == count
    return found


async def _until_caught_up(pages: AsyncGenerator[FeedPage]) -> list[UUID]:
    found: list[UUID] = []
    async with asyncio.timeout(_PATIENCE_S):
        async for page in pages:
            found += ids(page.events)
            if page.at_end:
                return found
    raise AssertionError("a subscription does not end")


@pytest.mark.asyncio
class FollowConformance:
    async def test_the_end_of_a_stretch_without_a_match_is_told(self, store: EventStore) -> None:
        """Also when nothing comes after it; else whoever follows would seem to be behind."""
        tag, start = unique("tag"), (await store.head()).cursor
        async with aclosing(store.follow(EventQuery.of(tags=[tag]), after=start)) as pages:
            await _until_caught_up(pages)
            await store.append("Order", unique(), [NewEvent("Placed", tags=[tag])])
            await append_noise(store, 3)
            head = (await store.head()).cursor
            async with asyncio.timeout(_PATIENCE_S):
                while (await anext(pages)).cursor != head:
                    pass

    async def test_follows_from_what_is_there_to_what_comes(self, store: EventStore) -> None:
        start = (await store.head()).cursor
        key, before, later = (unique("Order"), unique()), some_events(5), some_events(3)
        await store.append(*key, before)
        async with aclosing(store.follow(after=start)) as pages:
            assert ids(await _take(store, pages, 5)) == ids(before)
            for event in later:
                await store.append(*key, [event])
                assert ids(await _take(store, pages, 1)) == [event.event_id]

    async def test_says_when_it_has_caught_up(self, store: EventStore) -> None:
        start = (await store.head()).cursor
        events = some_events(5)
        await store.append(unique("Order"), unique(), events)
        async with aclosing(store.follow(after=start)) as pages:
            assert await _until_caught_up(pages) == ids(events)

    async def test_begins_with_the_first_event(self, store: EventStore) -> None:
        await append_noise(store)
        first = (await store.read_feed(limit=1)).events[0]
        async with aclosing(store.follow()) as pages:
            async with asyncio.timeout(_PATIENCE_S):
                page = await anext(pages)
            assert page.events[0] == first

    async def test_the_empty_cursor_is_the_start_of_the_log(self, store: EventStore) -> None:
        tag, empty = unique("tag"), Cursor("")
        await store.append(unique("Order"), unique(), some_events(1, tags=[tag]))
        first = (await store.read_feed(limit=1)).events[0]
        assert (await store.read_feed(after=empty, limit=1)).events == (first,)
        before_it = await store.read_feed(after=empty, direction="backward")
        assert (before_it.events, before_it.at_end) == ((), True)
        async with aclosing(store.follow(after=empty)) as pages:
            async with asyncio.timeout(_PATIENCE_S):
                page = await anext(pages)
            assert page.events[0] == first
        append = AggregateAppend.of(unique("Order"), unique(), some_events(1))
        # Of several partitions, a condition that may match events of any is refused as that.
        with pytest.raises(ConditionFailed if (await store.head()).partitions == 1 else InvalidRequest):
            await store.append_atomic([append], condition=AppendCondition((QueryItem(tags=(tag,)),), empty))

    async def test_goes_on_after_the_cursor_of_any_page(self, store: EventStore) -> None:
        start = (await store.head()).cursor
        events = some_events(40)
        for event in events:
            await store.append(unique("Order"), unique(), [event])
        cursor, found = start, list[UUID]()
        while len(found) < len(events):
            async with aclosing(store.follow(after=cursor)) as pages, asyncio.timeout(_PATIENCE_S):
                page = await anext(pages)
            found += ids(page.events)
            cursor = page.cursor
        assert found == ids(events)

    async def test_gathers_what_comes_soon_after_it_caught_up(self, store: EventStore) -> None:
        start = (await store.head()).cursor
        key, events = (unique("Order"), unique()), some_events(4)
        async with aclosing(store.follow(after=start, gather_s=_GATHER_S)) as pages:
            await _until_caught_up(pages)
            began_s = time.monotonic()
            for event in events:
                await store.append(*key, [event])
            found, with_events = list[UUID](), 0
            while len(found) < len(events):
                page = await asyncio.wait_for(anext(pages), _PATIENCE_S)
                found += ids(page.events)
                with_events += page.count > 0
            assert found == ids(events)
            assert with_events <= 1 + (time.monotonic() - began_s) / _GATHER_S
        for wrong in (-0.1, 10.1, float("nan"), "1", True):
            with pytest.raises(InvalidRequest) as refused:
                await anext(store.follow(after=start, gather_s=wrong))  # type: ignore[arg-type]  # that is the point
            assert refused.value.pointer == "/gather_s"

    async def test_keeps_to_its_filter(self, store: EventStore) -> None:
        start, tag = (await store.head()).cursor, unique("tag")
        query = EventQuery.of(event_types=["Wanted"], tags=[tag])
        async with aclosing(store.follow(query, after=start)) as pages:
            for n in range(6):
                wanted = NewEvent("Wanted", n, tags=[tag])
                others = [NewEvent("Wanted", n), NewEvent("Other", n, tags=[tag])]
                await store.append(unique("Order"), unique(), [others[0], wanted, others[1]])
                assert ids(await _take(store, pages, 1)) == [wanted.event_id]

    async def test_tells_how_far_it_is_where_nothing_matches(self, store: EventStore) -> None:
        start = (await store.head()).cursor
        for _ in range(4):
            await append_noise(store, 100)
        head = await store.head()
        async with (
            aclosing(store.follow(EventQuery.of(tags=[unique()]), after=start)) as pages,
            asyncio.timeout(_PATIENCE_S),
        ):
            async for page in pages:
                assert page.count == 0
                if page.at_end:
                    break
            assert page.cursor == head.cursor

    async def test_misses_nothing_while_others_write(self, store: EventStore) -> None:
        head, appends = await store.head(), 25

        async def write() -> None:
            aggregate_id = unique()
            for _ in range(appends):
                await store.append("Counter", aggregate_id, some_events(2))

        async with aclosing(store.follow(after=head.cursor)) as pages:
            writers = asyncio.gather(*(write() for _ in range(4)))
            found = await _take(store, pages, 4 * appends * 2)
            await writers
        check_same_feed(ids(found), ids(await read_feed_to_end(store, after=head.cursor)), head.partitions)

    async def test_many_followers_each_get_everything(self, store: EventStore) -> None:
        start, key = (await store.head()).cursor, (unique("Order"), unique())

        async def follow() -> list[UUID]:
            async with aclosing(store.follow(after=start)) as pages:
                return ids(await _take(store, pages, 30))

        followers = asyncio.gather(*(follow() for _ in range(20)))
        for _ in range(10):
            await store.append(*key, some_events(3))
        expected = ids(await read_feed_to_end(store, after=start))
        assert await followers == [expected] * 20

    async def test_leaving_leaves_the_store_as_it_was(self, store: EventStore) -> None:
        start = (await store.head()).cursor
        pages = store.follow(after=start)
        waiting = asyncio.create_task(_take(store, pages, 1))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await pages.aclose()
        events = some_events(1)
        await store.append(unique("Order"), unique(), events)
        async with aclosing(store.follow(after=start)) as again:
            assert ids(await _take(store, again, 1)) == ids(events)

    async def test_a_cursor_past_the_head_is_refused(self, store: EventStore) -> None:
        error = await refused_by(store.follow(after=await cursor_past_the_head(store, 1_000_000)))
        assert error.pointer == "/after"


async def refused_by(pages: AsyncGenerator[FeedPage]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        await anext(pages)
    return caught.value
