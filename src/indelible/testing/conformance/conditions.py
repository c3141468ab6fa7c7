"""Dynamic consistency boundary: an append fails if an event after a cursor matches its condition."""

import asyncio
from itertools import pairwise

import pytest

from indelible.conditions import AppendCondition
from indelible.cursors import START, Cursor
from indelible.errors import ConditionFailed, EventNotFound, VersionConflict
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, AtomicAppendResult, EventStore
from indelible.limits import CONDITION_ITEMS_MAX, CONDITION_SHORT_EVENTS
from indelible.queries import QueryItem
from indelible.testing.conformance.helpers import append_noise, new_names, refused, unique


def _append(tag: str = "x") -> list[AggregateAppend]:
    return [AggregateAppend.of(unique("Seat"), unique(), [NewEvent("Booked", tags=[tag])])]


def _fail_if(*items: QueryItem, after: Cursor = START) -> AppendCondition:
    return AppendCondition(items, after)


@pytest.mark.asyncio
class ConditionConformance:
    async def test_condition_that_nothing_matches(self, store: EventStore) -> None:
        await append_noise(store)
        done = await store.append_atomic(_append(), condition=_fail_if(QueryItem(tags=(unique(),))))
        assert not done.replayed

    async def test_first_match_is_named_and_nothing_is_stored(self, store: EventStore) -> None:
        aggregate_type, tag = unique("Seat"), unique("tag")
        await append_noise(store)
        first = await store.append(aggregate_type, unique(), [NewEvent("Other"), NewEvent("Booked", tags=[tag])])
        await store.append(aggregate_type, unique(), [NewEvent("Booked", tags=[tag])])
        appends = _append()
        head = await store.head()
        call = store.append_atomic(appends, condition=_fail_if(QueryItem(tags=(tag,))))
        error = await refused(ConditionFailed, call, position=first.position)
        assert error.position == first.position
        assert await store.head() == head
        event_id = appends[0].events[0].event_id
        await refused(EventNotFound, store.get_event(event_id), event_id=str(event_id))

    async def test_events_up_to_the_cursor_do_not_count(self, store: EventStore) -> None:
        tag = unique("tag")
        item = QueryItem(tags=(tag,))
        stored = [(await store.append_atomic(_append(tag)), (await store.head()).cursor) for _ in range(3)]
        for (_, behind), (result, _) in pairwise(stored):
            condition = _fail_if(item, after=behind)
            await refused(
                ConditionFailed, store.append_atomic(_append(), condition=condition), position=result.position
            )
        condition = _fail_if(item, after=stored[-1][1])
        assert not (await store.append_atomic(_append(), condition=condition)).replayed

    async def test_types_or_tags_and_items_or(self, store: EventStore) -> None:
        a, b, c = (unique("T") for _ in range(3))
        x, y, z = (unique("tag") for _ in range(3))
        aggregate_type, start = unique("Seat"), (await store.head()).cursor
        one = (await store.append(aggregate_type, unique(), [NewEvent(a, tags=[x, y])])).position
        two = (await store.append(aggregate_type, unique(), [NewEvent(b, tags=[y, z])])).position
        matching = [
            ([QueryItem(event_types=(a,))], one),
            ([QueryItem(event_types=(b,))], two),
            ([QueryItem(event_types=(c, b, a))], one),
            ([QueryItem(tags=(y,))], one),
            ([QueryItem(tags=(z, y))], two),
            ([QueryItem(event_types=(b, c), tags=(y,))], two),
            ([QueryItem(aggregate_types=(aggregate_type,))], one),
            ([QueryItem(aggregate_types=(aggregate_type,), tags=(z,))], two),
            ([QueryItem(tags=(x, z)), QueryItem(event_types=(b,), tags=(y, z))], two),
            ([QueryItem(event_types=(b,)), QueryItem(tags=(x,))], one),
        ]
        for items, position in matching:
            call = store.append_atomic(_append(), condition=_fail_if(*items, after=start))
            await refused(ConditionFailed, call, position=position)
        missing = [
            [QueryItem(event_types=(c,))],
            [QueryItem(tags=(x, z))],
            [QueryItem(event_types=(a,), tags=(z,))],
            [QueryItem(aggregate_types=(unique("Seat"),), tags=(x,))],
            [QueryItem(event_types=(c,)), QueryItem(tags=(x, y, z)), QueryItem(event_types=(b,), tags=(x,))],
            [QueryItem(event_types=(a.upper(),)), QueryItem(tags=(x[:-1],))],
        ]
        for items in missing:
            await store.append_atomic(_append(), condition=_fail_if(*items, after=start))

    async def test_item_without_restrictions_matches_every_event(self, store: EventStore) -> None:
        head = await store.head()
        condition = _fail_if(QueryItem(), after=head.cursor)
        done = await store.append_atomic(_append(), condition=condition)
        call = store.append_atomic(_append(), condition=condition)
        await refused(ConditionFailed, call, position=done.results[0].events[0].position)

    async def test_most_items_allowed(self, store: EventStore) -> None:
        tag, start = unique("tag"), (await store.head()).cursor
        done = await store.append_atomic(_append(tag))
        items = [QueryItem(tags=(unique(),)) for _ in range(CONDITION_ITEMS_MAX - 1)]
        call = store.append_atomic(_append(), condition=_fail_if(*items, QueryItem(tags=(tag,)), after=start))
        await refused(ConditionFailed, call, position=done.position)

    async def test_expected_version_is_looked_at_first(self, store: EventStore) -> None:
        tag = unique("tag")
        await store.append_atomic(_append(tag))
        append = AggregateAppend.of("Seat", unique(), [NewEvent("Booked")], expected_version=3)
        call = store.append_atomic([append], condition=_fail_if(QueryItem(tags=(tag,))))
        await refused(
            VersionConflict, call,
            aggregate_type="Seat", aggregate_id=append.key.aggregate_id, expected_version=3, actual_version=0,
        )  # fmt: skip

    async def test_own_events_do_not_fail_the_condition(self, store: EventStore) -> None:
        tag = unique("tag")
        appends = [
            AggregateAppend.of("Seat", name, [NewEvent("Booked", tags=[tag])])
            for name in await new_names(store, "Seat", 2)
        ]
        done = await store.append_atomic(appends, condition=_fail_if(QueryItem(tags=(tag,))))
        assert len(done.results) == 2

    async def test_of_racing_conditional_appends_one_wins(self, store: EventStore) -> None:
        """Requests that are committed together see each other's events."""
        tag = unique("seat")
        condition = _fail_if(QueryItem(event_types=("Booked",), tags=(tag,)), after=(await store.head()).cursor)
        calls = [store.append_atomic(_append(tag), condition=condition) for _ in range(10)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        (won,) = (result for result in results if isinstance(result, AtomicAppendResult))
        lost = [result for result in results if isinstance(result, ConditionFailed)]
        assert [error.position for error in lost] == [won.position] * 9

    async def test_unique_names_by_condition(self, store: EventStore) -> None:
        """What conditions are for: many write at once, and no name is taken twice."""
        names, start = [unique("name") for _ in range(5)], (await store.head()).cursor

        async def claim(name: str) -> bool:
            try:
                await store.append_atomic(_append(name), condition=_fail_if(QueryItem(tags=(name,)), after=start))
            except ConditionFailed:
                return False
            return True

        claimed = await asyncio.gather(*(claim(name) for name in names * 4))
        assert [sum(claimed[n::5]) for n in range(5)] == [1] * 5

    async def test_match_far_behind_the_head(self, store: EventStore) -> None:
        """Too far for the writer to look: what was found before it counts, and so does that nothing was."""
        tag, other, start = unique("tag"), unique("tag"), (await store.head()).cursor
        await store.append_atomic(_append(other))
        behind = (await store.head()).cursor
        first = await store.append_atomic(_append(tag))
        await store.append_atomic(_append(tag))
        await append_noise(store, 2 * CONDITION_SHORT_EVENTS)
        condition = _fail_if(QueryItem(tags=(other, tag)), QueryItem(tags=(tag,)), after=start)
        await refused(ConditionFailed, store.append_atomic(_append(), condition=condition), position=first.position)
        condition = _fail_if(QueryItem(tags=(other,)), after=behind)
        assert not (await store.append_atomic(_append(), condition=condition)).replayed
        done = await store.append_atomic(_append(other))
        await refused(ConditionFailed, store.append_atomic(_append(), condition=condition), position=done.position)

    async def test_repeat_of_a_stored_append_is_answered_whatever_its_condition(self, store: EventStore) -> None:
        tag, start = unique("tag"), (await store.head()).cursor
        condition = _fail_if(QueryItem(tags=(tag,)), after=start)
        appends = _append(tag)
        first = await store.append_atomic(appends, condition=condition)
        for _ in range(2):
            again = await store.append_atomic(appends, condition=condition)
            assert again.replayed
            assert [one.events for one in again.results] == [one.events for one in first.results]
            await append_noise(store, 2 * CONDITION_SHORT_EVENTS)
        await refused(ConditionFailed, store.append_atomic(_append(), condition=condition), position=first.position)

    async def test_race_of_appends_whose_conditions_reach_far_back(self, store: EventStore) -> None:
        """Each is looked at before the writer has it, with nothing to be seen; one of them is the first."""
        start = (await store.head()).cursor
        await append_noise(store, 2 * CONDITION_SHORT_EVENTS)
        for _ in range(3):
            tag = unique("seat")
            condition = _fail_if(QueryItem(tags=(tag,)), after=start)
            calls = [store.append_atomic(_append(tag), condition=condition) for _ in range(10)]
            results = await asyncio.gather(*calls, return_exceptions=True)
            (won,) = (result for result in results if isinstance(result, AtomicAppendResult))
            lost = [result for result in results if isinstance(result, ConditionFailed)]
            assert [error.position for error in lost] == [won.position] * 9
