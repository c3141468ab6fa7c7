"""What was acknowledged is still there when the store is opened again."""

import pytest

from indelible.errors import EventIdConflict
from indelible.events import NewEvent
from indelible.queries import EventQuery
from indelible.testing.conformance.helpers import (
    OpenStore,
    append_noise,
    read_feed_to_end,
    refused,
    some_events,
    unique,
)


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
