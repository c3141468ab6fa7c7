"""What was acknowledged is still there when the store is opened again."""

import asyncio
from datetime import timedelta

import pytest

from indelible.errors import EventIdConflict
from indelible.events import NewEvent
from indelible.eventstore import EventStore
from indelible.groups import InFlight, ParkedEvent, Settled, SkippedEvent
from indelible.queries import EventQuery
from indelible.testing.conformance.helpers import (
    OpenStore,
    append_noise,
    read_feed_to_end,
    refused,
    some_events,
    unique,
)


async def _lists(
    store: EventStore, group: str
) -> tuple[tuple[InFlight, ...], tuple[ParkedEvent, ...], tuple[SkippedEvent, ...]]:
    parked, skipped = await store.groups.list_parked(group), await store.groups.list_skipped(group)
    return await store.groups.list_in_flight(group), parked.parked, skipped.skipped


@pytest.mark.asyncio
class ReopenConformance:
    """For stores whose engine says ``durable``. Fixture: ``open_store``, an :class:`OpenStore`."""

    async def test_everything_outlives_closing(self, open_store: OpenStore) -> None:
        key, tag = (unique("Order"), unique()), unique("tag")
        async with open_store() as store:
            await append_noise(store)
            start = (await store.head()).cursor
            result = await store.append(*key, [NewEvent("Placed", {"n": 2**70}, tags=[tag]), NewEvent("Paid", b"\x00")])
            saved = await store.save_snapshot(*key, version=1, state={"n": 1.0})
            lines = (await store.read_feed(after=start)).lines
            info = await store.get_aggregate(*key)
        async with open_store() as store:
            assert (await store.head()).position == result.position
            assert (await store.read_feed(after=start)).lines == lines
            assert await store.get_aggregate(*key) == info
            assert await store.get_snapshot(*key) == saved
            (tagged,) = await read_feed_to_end(store, EventQuery.of(tags=[tag]), after=start)
            assert tagged.event_id == result.events[0].event_id

    async def test_log_goes_on(self, open_store: OpenStore) -> None:
        key = unique("Order"), unique()
        async with open_store() as store:
            first = await store.append(*key, some_events(2))
        async with open_store() as store:
            more = await store.append(*key, some_events(2), expected_version=2)
            assert (more.version, more.position) == (4, first.position + 2)
            events = (await store.read_aggregate(*key)).events
            assert [event.timestamp for event in events] == sorted(event.timestamp for event in events)

    async def test_repeats_are_known_for_ever(self, open_store: OpenStore) -> None:
        key, events = (unique("Order"), unique()), some_events(2)
        async with open_store() as store:
            first = await store.append(*key, events)
        async with open_store() as store:
            again = await store.append(*key, events, expected_version=0)
            assert (again.replayed, again.events) == (True, first.events)
            other = NewEvent("Other", event_id=events[0].event_id)
            await refused(EventIdConflict, store.append(*key, [other]), event_id=str(other.event_id))

    async def test_a_group_goes_on_where_it_was(self, open_store: OpenStore) -> None:
        group, tag = unique("group"), unique("tag")
        async with open_store() as store:
            await append_noise(store)
            await store.groups.create(group, EventQuery.of(tags=[tag]), start="end", ack_timeout_s=60)
            for n in range(4):
                await store.append("Order", f"{tag} {n}", some_events(2, tags=[tag]))
            done, held, parked, skipped = await store.groups.pull(group, member="first")
            await store.groups.ack(group, [done.delivery_id])
            await store.groups.nack(group, [parked.delivery_id, skipped.delivery_id], park=True, reason="no good")
            await store.groups.skip_parked(group, [skipped.event.position], reason="a duplicate")
            info = await store.groups.get(group)
            lists = await _lists(store, group)
        async with open_store() as store:
            assert await store.groups.get(group) == info
            assert await _lists(store, group) == lists
            ((in_flight,), (left,), (passed,)) = lists
            assert (in_flight.position, in_flight.member) == (held.event.position, "first")
            assert in_flight.deadline == held.deadline
            assert (left.position, left.reason, left.following) == (parked.event.position, "no good", 1)
            assert (passed.position, passed.reason) == (skipped.event.position, "a duplicate")
            following = await store.groups.pull(group)
            assert [one.event.aggregate_id for one in following] == [f"{tag} 0", f"{tag} 3"]
            assert not {one.delivery_id for one in following} & {held.delivery_id, done.delivery_id}
            assert await store.groups.ack(group, [done.delivery_id, held.delivery_id]) == Settled(2)
            assert await store.groups.redrive_parked(group) == 1
            assert {one.event.aggregate_id for one in await store.groups.pull(group)} == {f"{tag} 1", f"{tag} 2"}

    async def test_a_deadline_passes_while_the_store_is_closed(self, open_store: OpenStore) -> None:
        group, tag = unique("group"), unique("tag")
        async with open_store() as store:
            await store.groups.create(group, EventQuery.of(tags=[tag]), start="end", ack_timeout_s=0.3)
            await store.append("Order", tag, some_events(2, tags=[tag]))
            (held,) = await store.groups.pull(group)
        async with open_store() as store:
            async with asyncio.timeout(60):
                (again,) = await store.groups.pull(group, wait_s=30)
            assert (again.event, again.attempt) == (held.event, 2)
            assert again.deadline - held.deadline >= timedelta(seconds=0.3)
            assert (await store.groups.ack(group, [held.delivery_id])).lost == (held.delivery_id,)
