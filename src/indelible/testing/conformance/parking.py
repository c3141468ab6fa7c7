"""Parked events: given up, seen, and redriven or skipped; and what a reset makes of a group."""

import asyncio

import pytest

from indelible.cursors import Cursor
from indelible.errors import ParkedEventNotFound
from indelible.eventstore import EventStore
from indelible.testing.conformance.consuming import SHORT_S, Consumer, events_of, positions_of
from indelible.testing.conformance.helpers import ids, refused


@pytest.mark.asyncio
class ParkingConformance:
    # --- Parking -----------------------------------------------------------------------------------------------------

    async def test_an_event_is_parked_after_its_last_attempt(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store, max_attempts=2)
        bad, good = await consumer.append("bad", 3), await consumer.append("good", 2)
        found = await consumer.pull(2)
        assert events_of(found) == [bad[0].event_id, good[0].event_id]
        await consumer.nack(found[:1], reason="failure 1")
        await consumer.ack(found[1:])
        found = await consumer.pull(2)
        assert events_of(found) == [bad[0].event_id, good[1].event_id]
        await consumer.nack(found[:1], reason="failure 2")
        await consumer.ack(found[1:])
        await consumer.append("bad", 1)
        await consumer.pull(0)
        listed = await store.groups.list_parked(consumer.group)
        (parked,) = listed.parked
        assert (parked.aggregate_type, parked.aggregate_id, parked.version) == (consumer.aggregate_type, "bad", 1)
        assert (parked.attempts, parked.reason, parked.following) == (2, "failure 2", 3)
        assert listed.at_end
        info = await consumer.info()
        assert (info.parked, info.parked_aggregates, info.in_flight, info.lag) == (4, 1, 0, 0)

    async def test_timing_out_for_the_last_time_parks(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store, max_attempts=1, ack_timeout_s=SHORT_S)
        await consumer.append("1")
        await consumer.pull(1)
        await asyncio.sleep(2 * SHORT_S)
        await consumer.pull(0)
        (parked,) = (await store.groups.list_parked(consumer.group)).parked
        assert (parked.attempts, parked.reason) == (1, "not acknowledged in time")

    async def test_parked_events_are_delivered_again(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        events = {name: await consumer.append(name, 2) for name in ("1", "2", "3")}
        parked = await consumer.park(3)
        assert await store.groups.redrive_parked(consumer.group, [parked[1].event.position]) == 1
        again = await consumer.pull(1)
        assert (events_of(again), again[0].attempt) == ([events["2"][0].event_id], 1)
        await consumer.ack(again)
        following = await consumer.pull(1)
        assert events_of(following) == [events["2"][1].event_id]
        await consumer.ack(following)
        assert await store.groups.redrive_parked(consumer.group) == 2
        for n in range(2):
            found = await consumer.pull(2)
            assert events_of(found) == [events["1"][n].event_id, events["3"][n].event_id]
            await consumer.ack(found)
        info = await consumer.info()
        assert (info.parked, info.lag) == (0, 0)
        assert await store.groups.redrive_parked(consumer.group) == 0

    async def test_parked_events_are_skipped_for_a_reason(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        events = await consumer.append("1", 2)
        parked = await consumer.park()
        assert await store.groups.skip_parked(consumer.group, [parked[0].event.position], reason="a duplicate") == 1
        found = await consumer.pull(1)
        assert (events_of(found), found[0].attempt) == ([events[1].event_id], 1)
        listed = await store.groups.list_skipped(consumer.group)
        (skipped,) = listed.skipped
        assert (skipped.position, skipped.version, skipped.attempts) == (parked[0].event.position, 1, 1)
        assert (skipped.aggregate_type, skipped.aggregate_id) == (consumer.aggregate_type, "1")
        assert (skipped.parked_reason, skipped.reason) == ("no good", "a duplicate")
        assert listed.at_end

    async def test_what_is_not_parked_cannot_be_redriven_or_skipped(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        await consumer.append("1", 2)
        await consumer.append("2")
        found = await consumer.pull(2)
        await consumer.nack(found[:1], park=True)
        parked, in_flight = positions_of(found)
        for position in (in_flight, parked + 1, in_flight + 1_000_000):
            fields = {"group": consumer.group, "position": position}
            await refused(ParkedEventNotFound, store.groups.redrive_parked(consumer.group, [position]), **fields)
            call = store.groups.skip_parked(consumer.group, [position], reason="x")
            await refused(ParkedEventNotFound, call, **fields)
        assert (await store.groups.list_skipped(consumer.group)).skipped == ()

    async def test_of_several_positions_all_are_redriven_or_none(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        await consumer.append("1")
        parked = positions_of(await consumer.park())
        call = store.groups.redrive_parked(consumer.group, [parked[0], 10**9])
        await refused(ParkedEventNotFound, call, group=consumer.group, position=10**9)
        call = store.groups.skip_parked(consumer.group, [parked[0], 10**9], reason="x")
        await refused(ParkedEventNotFound, call, group=consumer.group, position=10**9)
        assert len((await store.groups.list_parked(consumer.group)).parked) == 1
        assert (await store.groups.list_skipped(consumer.group)).skipped == ()

    async def test_parked_and_skipped_events_come_in_pages(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        for n in range(5):
            await consumer.append(str(n))
        positions = positions_of(await consumer.park(5))
        found: list[int] = []
        page = await store.groups.list_parked(consumer.group, limit=2)
        while True:
            found += [one.position for one in page.parked]
            if page.at_end:
                break
            page = await store.groups.list_parked(consumer.group, after=page.cursor, limit=2)
        assert found == positions
        assert await store.groups.skip_parked(consumer.group, positions, reason="all of them") == 5
        first = await store.groups.list_skipped(consumer.group, limit=3)
        rest = await store.groups.list_skipped(consumer.group, after=first.cursor, limit=3)
        assert (first.at_end, rest.at_end) == (False, True)
        assert [one.position for one in (*first.skipped, *rest.skipped)] == positions

    async def test_acknowledging_a_parked_event_unparks_it(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store, max_attempts=1, ack_timeout_s=SHORT_S)
        events = await consumer.append("1", 2)
        found = await consumer.pull(1)
        await asyncio.sleep(2 * SHORT_S)
        await consumer.pull(0)
        await consumer.ack(found)
        assert (await consumer.info()).parked == 0
        assert events_of(await consumer.pull(1)) == [events[1].event_id]

    # --- Resetting ---------------------------------------------------------------------------------------------------

    async def test_resetting_replays(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        start = (await consumer.info()).cursor
        events = [*await consumer.append("1", 2), *await consumer.append("2", 1)]
        found = await consumer.pull(2)
        await consumer.ack(found[:1])
        second = await consumer.pull(1)
        info = await store.groups.reset(consumer.group, after=Cursor.parse(start))
        assert (info.cursor, info.in_flight, info.waiting) == (start, 0, 0)
        await consumer.ack([*found[1:], *second], lost=2)
        again = await consumer.pull(2)
        assert events_of(again) == [events[0].event_id, events[2].event_id]
        assert [one.attempt for one in again] == [1, 1]
        await consumer.ack(again)
        assert events_of(await consumer.pull(1)) == [events[1].event_id]

    async def test_resetting_forward_passes_overevents_of(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        await consumer.append("1", 3)
        await consumer.pull(1)
        info = await store.groups.reset(consumer.group, start="end")
        assert (info.lag, info.in_flight) == (0, 0)
        await consumer.pull(0)
        later = await consumer.append("1")
        assert events_of(await consumer.pull(1)) == ids(later)

    async def test_to_the_beginning_and_to_a_time(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        await consumer.append("1")
        (event,) = (one.event for one in await consumer.pull(1))
        assert (await store.groups.reset(consumer.group, start="beginning")).position == 0
        info = await store.groups.reset(consumer.group, since=event.timestamp)
        assert (await store.read_feed(after=Cursor.parse(info.cursor), limit=1)).events == (event,)
        assert positions_of(await consumer.pull(1)) == [event.position]

    async def test_what_is_parked_stays_parked_unless_it_comes_again(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        await consumer.append("early", 2)
        early = await consumer.park()
        between = (await store.head()).cursor
        await consumer.append("early", 2)
        await consumer.append("late", 2)
        late = await consumer.park()
        await store.groups.reset(consumer.group, after=between)
        (parked,) = (await store.groups.list_parked(consumer.group)).parked
        assert (parked.position, parked.following) == (early[0].event.position, 1)
        assert events_of(await consumer.pull(1)) == events_of(late)
        (parked,) = (await store.groups.list_parked(consumer.group)).parked
        assert parked.following == 3
        await store.groups.redrive_parked(consumer.group)
        for version in range(1, 5):
            found = await consumer.pull(1)
            assert (found[0].event.aggregate_id, found[0].event.version) == ("early", version)
            await consumer.ack(found)
