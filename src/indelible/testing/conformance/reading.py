"""Reads of one aggregate and of one event."""

from collections.abc import Iterable
from typing import NamedTuple, get_args

import pytest

from indelible.errors import AggregateNotFound, EventNotFound
from indelible.events import NewEvent, new_event_id
from indelible.eventstore import AppendResult, EventStore
from indelible.limits import (
    PAGE_EVENTS_DEFAULT,
    PAGE_EVENTS_MAX,
    PAGE_SIZE_BYTES_MAX,
    VERSION_MAX,
)
from indelible.queries import Direction
from indelible.testing.conformance.helpers import append_noise, ids, read_aggregate_to_end, refused, some_events, unique

_DIRECTIONS: tuple[Direction, ...] = get_args(Direction)


class _Asked(NamedTuple):
    """What a page is asked for."""

    first: int | None
    last: int | None
    limit: int
    direction: Direction


async def _ten_events(store: EventStore) -> tuple[str, str]:
    """An aggregate at version 10, its events scattered over the log."""
    aggregate_type, aggregate_id = unique("Order"), unique()
    for count in (1, 4, 2, 3):
        await append_noise(store, 2)
        await store.append(aggregate_type, aggregate_id, some_events(count))
    await append_noise(store, 2)
    return aggregate_type, aggregate_id


@pytest.mark.asyncio
class ReadConformance:
    @pytest.mark.parametrize(
        ("asked", "versions", "next_version"),
        [
            (_Asked(None, None, 100, "forward"), range(1, 11), None),
            (_Asked(None, None, 10, "forward"), range(1, 11), None),
            (_Asked(None, None, 9, "forward"), range(1, 10), 10),
            (_Asked(None, None, 1, "forward"), [1], 2),
            (_Asked(4, None, 3, "forward"), [4, 5, 6], 7),
            (_Asked(4, 6, 3, "forward"), [4, 5, 6], None),
            (_Asked(4, 7, 3, "forward"), [4, 5, 6], 7),
            (_Asked(10, None, 5, "forward"), [10], None),
            (_Asked(8, 200, 5, "forward"), [8, 9, 10], None),
            (_Asked(6, 5, 5, "forward"), [], None),
            (_Asked(11, None, 5, "forward"), [], None),
            (_Asked(VERSION_MAX, VERSION_MAX, 5, "forward"), [], None),
            (_Asked(None, None, 100, "backward"), range(10, 0, -1), None),
            (_Asked(None, None, 3, "backward"), [10, 9, 8], 7),
            (_Asked(None, 7, 3, "backward"), [7, 6, 5], 4),
            (_Asked(None, 1, 3, "backward"), [1], None),
            (_Asked(5, 7, 3, "backward"), [7, 6, 5], None),
            (_Asked(5, 200, 4, "backward"), [10, 9, 8, 7], 6),
            (_Asked(6, 5, 5, "backward"), [], None),
            (_Asked(11, None, 5, "backward"), [], None),
        ],
    )
    async def test_pages(
        self, store: EventStore, asked: _Asked, versions: Iterable[int], next_version: int | None
    ) -> None:
        aggregate_type, aggregate_id = await _ten_events(store)
        page = await store.read_aggregate(
            aggregate_type,
            aggregate_id,
            from_version=asked.first,
            to_version=asked.last,
            direction=asked.direction,
            limit=asked.limit,
        )
        expected = list(versions)
        assert [event.version for event in page.events] == expected
        assert (page.count, page.version, page.next_version) == (len(expected), 10, next_version)

    @pytest.mark.parametrize("direction", _DIRECTIONS)
    @pytest.mark.parametrize("limit", [1, 3, 4, 10])
    async def test_page_after_page(self, store: EventStore, direction: Direction, limit: int) -> None:
        aggregate_type, aggregate_id = await _ten_events(store)
        events = await read_aggregate_to_end(store, aggregate_type, aggregate_id, direction=direction, limit=limit)
        versions = [event.version for event in events]
        assert versions == (list(range(1, 11)) if direction == "forward" else list(range(10, 0, -1)))
        assert {(e.aggregate_type, e.aggregate_id) for e in events} == {(aggregate_type, aggregate_id)}

    async def test_default_and_largest_limit(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        await store.append(aggregate_type, aggregate_id, some_events(PAGE_EVENTS_MAX + 1))
        page = await store.read_aggregate(aggregate_type, aggregate_id)
        assert (page.count, page.next_version) == (PAGE_EVENTS_DEFAULT, PAGE_EVENTS_DEFAULT + 1)
        page = await store.read_aggregate(aggregate_type, aggregate_id, limit=PAGE_EVENTS_MAX)
        assert (page.count, page.next_version) == (PAGE_EVENTS_MAX, PAGE_EVENTS_MAX + 1)

    @pytest.mark.parametrize("direction", _DIRECTIONS)
    async def test_page_of_large_events_ends_early(self, store: EventStore, direction: Direction) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        full = 4
        data = "x" * (PAGE_SIZE_BYTES_MAX // full - len('""{}'))
        await store.append(aggregate_type, aggregate_id, [NewEvent("Large", data) for _ in range(6)])
        page = await store.read_aggregate(aggregate_type, aggregate_id, direction=direction)
        assert page.count == full
        assert page.next_version == (full + 1 if direction == "forward" else 6 - full)
        events = await read_aggregate_to_end(store, aggregate_type, aggregate_id, direction=direction)
        assert len(events) == 6
        assert all(event.event_data == data for event in events)

    async def test_page_shows_the_version_at_the_time(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = await _ten_events(store)
        page = await store.read_aggregate(aggregate_type, aggregate_id, limit=2)
        await store.append(aggregate_type, aggregate_id, some_events(1))
        more = await store.read_aggregate(aggregate_type, aggregate_id, from_version=page.next_version, limit=2)
        assert (page.version, more.version) == (10, 11)

    async def test_unknown_aggregate(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        fields = {"aggregate_type": aggregate_type, "aggregate_id": aggregate_id}
        await refused(AggregateNotFound, store.read_aggregate(aggregate_type, aggregate_id), **fields)
        await refused(AggregateNotFound, store.get_aggregate(aggregate_type, aggregate_id), **fields)
        await refused(AggregateNotFound, store.replay(aggregate_type, aggregate_id), **fields)

    async def test_aggregates_do_not_show_each_others_events(self, store: EventStore) -> None:
        one, other, aggregate_id = unique("Order"), unique("Order"), unique()
        results: dict[tuple[str, str], AppendResult] = {}
        for key in ((one, aggregate_id), (other, aggregate_id), (one, aggregate_id.upper())):
            results[key] = await store.append(*key, some_events(2), expected_version="none")
        for key, result in results.items():
            assert ids((await store.read_aggregate(*key)).events) == ids(result.events)

    async def test_get_event(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = await _ten_events(store)
        for event in await read_aggregate_to_end(store, aggregate_type, aggregate_id):
            assert await store.get_event(event.event_id) == event

    async def test_unknown_event(self, store: EventStore) -> None:
        event_id = new_event_id()
        await refused(EventNotFound, store.get_event(event_id), event_id=str(event_id))

    async def test_get_aggregate(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = await _ten_events(store)
        events = await read_aggregate_to_end(store, aggregate_type, aggregate_id)
        info = await store.get_aggregate(aggregate_type, aggregate_id)
        assert (info.aggregate_type, info.aggregate_id, info.version) == (aggregate_type, aggregate_id, 10)
        assert (info.first_timestamp, info.last_timestamp) == (events[0].timestamp, events[-1].timestamp)

    async def test_closing_twice_is_fine(self, store: EventStore) -> None:
        await append_noise(store)
        await store.aclose()
        await store.aclose()
