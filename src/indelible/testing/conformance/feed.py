"""The feed: all events in position order, filtered, forward and backward, page by page."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import get_args

import pytest

from indelible.cursors import START, Cursor, position_of
from indelible.events import NewEvent, RecordedEvent
from indelible.eventstore import AggregateAppend, EventStore
from indelible.limits import (
    PAGE_EVENTS_DEFAULT,
    PAGE_EVENTS_MAX,
    PAGE_SIZE_BYTES_MAX,
    QUERY_NAMES_MAX,
    TYPES_MERGED_MAX,
)
from indelible.queries import Direction, EventQuery, QueryItem
from indelible.testing.conformance.helpers import (
    append_noise,
    cursor_behind,
    ids,
    read_feed_to_end,
    some_events,
    unique,
)

_DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
_MICROSECOND = timedelta(microseconds=1)


class _Log:
    """A stretch of log of every mix of two event types, two aggregate types and three tags, with noise between."""

    def __init__(self) -> None:
        self.event_types = unique("A"), unique("B")
        self.aggregate_types = unique("X"), unique("Y")
        self.tags = unique("p"), unique("q"), unique("r")
        self.start = START
        self.end = START
        self.partitions = 1
        self.events: list[RecordedEvent] = []

    async def fill(self, store: EventStore) -> "_Log":
        await append_noise(store)
        self.start = (await store.head()).cursor
        for n in range(32):
            event_type, aggregate_type = self.event_types[n % 2], self.aggregate_types[n // 2 % 2]
            tags = [tag for bit, tag in zip((4, 8, 16), self.tags, strict=True) if n & bit]
            await store.append(aggregate_type, f"{n % 5}", [NewEvent(event_type, n, tags=tags)])
            if n % 10 == 0:
                await append_noise(store, 1)
                await asyncio.sleep(0.002)  # so that several timestamps are there to choose from
        end = await store.head()
        self.end, self.partitions = end.cursor, end.partitions
        self.events = await read_feed_to_end(store, after=self.start)
        return self

    def queries(self) -> list[EventQuery]:
        (a, b), (x, y), (p, q, r) = self.event_types, self.aggregate_types, self.tags
        early, late = self.events[5].timestamp, self.events[-5].timestamp
        return [
            EventQuery(),
            EventQuery.of(event_types=[a]),
            EventQuery.of(event_types=[a, b, unique()]),
            EventQuery.of(event_types=[unique()]),
            EventQuery.of(aggregate_types=[y]),
            EventQuery.of(aggregate_types=[x, y]),
            EventQuery.of(tags=[p]),
            EventQuery.of(tags=[r, p]),
            EventQuery.of(tags=[p, q, r]),
            EventQuery.of(tags=[p, unique()]),
            EventQuery.of(event_types=[a], tags=[q]),
            EventQuery.of(event_types=[a, b], aggregate_types=[x]),
            EventQuery.of(aggregate_types=[x], tags=[p, q]),
            EventQuery.of(event_types=[b], aggregate_types=[x, y], tags=[r]),
            EventQuery((QueryItem((a,), (), (p,)), QueryItem((), (y,), (q,)), QueryItem((b,), (x,), (p, r)))),
            EventQuery((QueryItem((a,)), QueryItem((a,)), QueryItem((), (), (p,)))),
            EventQuery((QueryItem((a,)), QueryItem())),
            EventQuery.of(since=early),
            EventQuery.of(until=late),
            EventQuery.of(since=early, until=late),
            EventQuery.of(since=early + _MICROSECOND, until=late + _MICROSECOND),
            EventQuery.of(since=late, until=early),
            EventQuery.of(event_types=[a], since=early, until=late),
            EventQuery.of(tags=[p], since=late),
            EventQuery.of(aggregate_types=[y], tags=[q], until=late),
        ]

    async def check_stands_behind(
        self, store: EventStore, query: EventQuery, cursor: Cursor, event: RecordedEvent
    ) -> None:
        """The cursor is that of a reader who has just passed the event; of several partitions, of a reader of this
        query, to whom it may pass by what is not for it."""
        assert self.partitions > 1 or position_of(cursor) == event.position
        asked = query if self.partitions > 1 else EventQuery()
        following = [one for one in self.expected(asked) if self.events.index(one) > self.events.index(event)]
        assert ids((await store.read_feed(asked, after=cursor, limit=1)).events) == ids(following[:1])

    def expected(self, query: EventQuery) -> list[RecordedEvent]:
        return [
            event
            for event in self.events
            if query.matches(event.event_type, event.aggregate_type, event.tags)
            and (query.since is None or event.timestamp >= query.since)
            and (query.until is None or event.timestamp < query.until)
        ]


@pytest.mark.asyncio
class FeedConformance:
    @pytest.mark.parametrize("limit", [1, 3, PAGE_EVENTS_DEFAULT])
    async def test_filters_forward(self, store: EventStore, limit: int) -> None:
        log = await _Log().fill(store)
        for query in log.queries():
            assert await read_feed_to_end(store, query, after=log.start, limit=limit) == log.expected(query), query

    @pytest.mark.parametrize("limit", [1, 3, PAGE_EVENTS_DEFAULT])
    async def test_filters_backward(self, store: EventStore, limit: int) -> None:
        log = await _Log().fill(store)
        for query in log.queries():
            # Backward reads go on to the first event of the log: look at what lies in the stretch.
            found: list[RecordedEvent] = []
            after: Cursor | None = None
            while True:
                page = await store.read_feed(query, after=after, direction="backward", limit=limit)
                found += page.events
                is_past = log.partitions == 1 and position_of(page.cursor) <= position_of(log.start)
                if page.at_end or is_past or any(event not in log.events for event in page.events):
                    break
                after = page.cursor
            expected = log.expected(query)[::-1]
            assert found[: len(expected)] == expected, query
            assert not any(event in log.events for event in found[len(expected) :]), query

    async def test_start_mid_log(self, store: EventStore) -> None:
        log = await _Log().fill(store)
        for index in (0, 7, len(log.events) - 2):
            after = await cursor_behind(store, log.events[index].event_id)
            page = await store.read_feed(after=after, limit=1)
            assert ids(page.events) == ids(log.events[index + 1 : index + 2])
            after = await cursor_behind(store, log.events[index + 1].event_id)
            page = await store.read_feed(after=after, direction="backward", limit=1)
            assert ids(page.events) == ids(log.events[index : index + 1])

    async def test_full_page_comes_as_far_as_its_last_event(self, store: EventStore) -> None:
        log = await _Log().fill(store)
        for query in (EventQuery(), EventQuery.of(tags=log.tags[:1])):
            page = await store.read_feed(query, after=log.start, limit=2)
            await log.check_stands_behind(store, query, page.cursor, page.events[-1])
            assert not page.at_end
            page = await store.read_feed(query, direction="backward", limit=2)
            await log.check_stands_behind(store, query, page.cursor, page.events[-1])

    async def test_page_at_the_end_comes_to_the_head(self, store: EventStore) -> None:
        log = await _Log().fill(store)
        for query in (EventQuery(), EventQuery.of(tags=[unique()]), EventQuery.of(event_types=log.event_types[:1])):
            page = await store.read_feed(query, after=log.start, limit=PAGE_EVENTS_MAX)
            assert page.at_end
            assert page.cursor == log.end
            again = await store.read_feed(query, after=page.cursor)
            assert (again.count, again.lines, again.cursor, again.at_end) == (0, b"", log.end, True)

    async def test_unfiltered_page_that_ends_at_the_head_says_so(self, store: EventStore) -> None:
        start = (await store.head()).cursor
        await append_noise(store, 4)
        page = await store.read_feed(after=start, limit=4)
        assert (page.count, page.at_end) == (4, True)
        page = await store.read_feed(after=start, limit=3)
        assert (page.count, page.at_end) == (3, False)

    async def test_follow_the_log_as_it_grows(self, store: EventStore) -> None:
        cursor = (await store.head()).cursor
        aggregate_type = unique("Order")
        query = EventQuery.of(aggregate_types=[aggregate_type])
        for count in (1, 3, 2):
            await append_noise(store, 2)
            result = await store.append(aggregate_type, unique(), some_events(count))
            page = await store.read_feed(query, after=cursor)
            assert ids(page.events) == ids(result.events)
            cursor = page.cursor
        assert cursor == (await store.head()).cursor

    async def test_start_of_the_log(self, store: EventStore) -> None:
        await append_noise(store)
        page = await store.read_feed(limit=2)
        first, second = page.events
        assert (first.position, second.position) == (1, 2) or (await store.head()).partitions > 1
        assert (await store.read_feed(after=START, limit=2)).events == page.events
        behind_first, behind_second = [await cursor_behind(store, event.event_id) for event in page.events]
        assert behind_second == page.cursor
        last = await store.read_feed(after=behind_second, direction="backward", limit=2)
        assert (last.events, last.at_end) == ((first,), True)
        none = await store.read_feed(after=behind_first, direction="backward")
        assert (none.count, none.at_end) == (0, True)
        assert (await store.read_feed(after=START, direction="backward")).count == 0

    async def test_end_of_the_log(self, store: EventStore) -> None:
        result = await append_noise(store)
        page = await store.read_feed(direction="backward", limit=2)
        assert [event.position for event in page.events] == [result.position, result.position - 1]

    async def test_default_and_largest_limit_of_the_feed(self, store: EventStore) -> None:
        start = (await store.head()).cursor
        await append_noise(store, PAGE_EVENTS_MAX + 1)
        assert (await store.read_feed(after=start)).count == PAGE_EVENTS_DEFAULT
        page = await store.read_feed(after=start, limit=PAGE_EVENTS_MAX)
        assert (page.count, page.at_end) == (PAGE_EVENTS_MAX, False)

    @pytest.mark.parametrize("direction", _DIRECTIONS)
    @pytest.mark.parametrize("filtered", [False, True])
    async def test_feed_page_of_large_events_ends_early(
        self, store: EventStore, direction: Direction, filtered: bool
    ) -> None:
        event_type = unique("Large")
        start = (await store.head()).cursor
        full = 4
        data = "x" * (PAGE_SIZE_BYTES_MAX // full - len('""{}'))
        result = await store.append(unique("Order"), unique(), [NewEvent(event_type, data) for _ in range(6)])
        query = EventQuery.of(event_types=[event_type]) if filtered else EventQuery()
        after = start if direction == "forward" else None
        page = await store.read_feed(query, after=after, direction=direction)
        assert (page.count, page.at_end) == (full, False)
        more = await store.read_feed(query, after=page.cursor, direction=direction, limit=6 - full)
        assert more.count == 6 - full
        found = {event.position for event in (*page.events, *more.events)}
        assert found == set(range(result.position - 5, result.position + 1))

    async def test_rare_mix_of_common_parts(self, store: EventStore) -> None:
        """A page looks at a bounded part of the log, so what is rare may take several pages, and is not missed."""
        event_type, tag = unique("Common"), unique("common")
        start = (await store.head()).cursor
        aggregate_type, rare = unique("Order"), NewEvent(event_type, "rare", tags=[tag])
        await store.append(aggregate_type, unique(), some_events(6_000, event_type))
        await store.append(aggregate_type, unique(), some_events(9_999, tags=[tag]))
        await store.append(aggregate_type, unique(), some_events(6_000, event_type))
        await store.append_atomic([AggregateAppend.of(aggregate_type, unique(), [rare])])
        query = EventQuery.of(event_types=[event_type], tags=[tag])
        assert ids(await read_feed_to_end(store, query, after=start)) == [rare.event_id]

    async def test_aggregate_type_with_very_many_event_types(self, store: EventStore) -> None:
        aggregate_type, other, tag = unique("Order"), unique("Other"), unique("tag")
        start, count = (await store.head()).cursor, TYPES_MERGED_MAX + 100
        types = [f"{aggregate_type}_{number}" for number in range(count)]
        events = [NewEvent(name, tags=[tag] if number % 50 == 7 else []) for number, name in enumerate(types * 2)]
        await store.append(other, unique(), [NewEvent(types[7], tags=[tag]), *some_events(3)])
        await store.append(aggregate_type, unique(), events)
        await store.append(other, unique(), [NewEvent(types[0], tags=[tag])])
        tagged = [event for event in events if event.tags]
        few = types[:QUERY_NAMES_MAX]
        of_few = [event for event in events if event.event_type in few]
        for direction in _DIRECTIONS:
            step = 1 if direction == "forward" else -1
            before = start if direction == "forward" else None
            whole = partial(read_feed_to_end, store, after=before, direction=direction, limit=1_000)
            found = await whole(EventQuery.of(aggregate_types=[aggregate_type]))
            assert ids(found) == ids(events[::step])
            found = await whole(EventQuery.of(aggregate_types=[aggregate_type], tags=[tag]))
            assert ids(found) == ids(tagged[::step])
            found = await whole(EventQuery.of(aggregate_types=[aggregate_type], event_types=few))
            assert ids(found) == ids(of_few[::step])

    async def test_many_items_share_a_page(self, store: EventStore) -> None:
        """However many there are, each gets its part of what a page looks at, and nothing is passed over."""
        aggregate_type, start = unique("Order"), (await store.head()).cursor
        tags = [unique("tag") for _ in range(16)]
        both = [(tags[n % len(tags)], tags[(n + (1 if n % 3 else 5)) % len(tags)]) for n in range(2_000)]
        events = [NewEvent("A", tags=pair) for pair in both]
        await store.append(aggregate_type, unique(), events)
        items = tuple(QueryItem(tags=(tag, other)) for tag, other in pairwise(tags))
        wanted = [event for event in events if any(set(item.tags) <= set(event.tags) for item in items)]
        assert 500 < len(wanted) < 2_000
        assert ids(await read_feed_to_end(store, EventQuery(items), after=start)) == ids(wanted)

    async def test_window_of_time(self, store: EventStore) -> None:
        await append_noise(store)
        future = datetime(9999, 1, 1, tzinfo=UTC)
        for direction in _DIRECTIONS:
            page = await store.read_feed(EventQuery.of(since=future), direction=direction)
            assert (page.count, page.at_end) == (0, True)
            page = await store.read_feed(EventQuery.of(until=datetime(1970, 1, 1, tzinfo=UTC)), direction=direction)
            assert (page.count, page.at_end) == (0, True)
        start = (await store.head()).cursor
        result = await append_noise(store)
        stamp = (await store.get_event(result.events[0].event_id)).timestamp
        other_zone = stamp.astimezone(datetime.strptime("+0530", "%z").tzinfo)
        found = await read_feed_to_end(store, EventQuery.of(since=other_zone), after=start)
        assert ids(found) == ids(result.events)

    async def test_timestamps_never_decrease(self, store: EventStore) -> None:
        start = await store.head()
        await asyncio.gather(*(append_noise(store, 2) for _ in range(20)))
        stamps = [event.timestamp for event in await read_feed_to_end(store, after=start.cursor)]
        assert stamps == sorted(stamps) or start.partitions > 1
        assert all(stamp.utcoffset() == timedelta(0) for stamp in stamps)
