"""A store as a principal may use it is a store: the suites pass on it, for whoever may do all, and for whoever may read
all but the store's own events, where every page is looked at."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from indelible import NewEvent, RecordedEvent
from indelible.access import EVERYBODY, Principal
from indelible.core.authorised_store import AuthorisedStore
from indelible.core.store import LocalEventStore
from indelible.cursors import Cursor
from indelible.engines.memory import MemoryEngine
from indelible.eventstore import EventStore
from indelible.testing.conformance import BadInputConformance, EventStoreConformance
from indelible.testing.conformance.appending import AppendConformance
from indelible.testing.conformance.catalogue import CatalogueConformance
from indelible.testing.conformance.conditions import ConditionConformance
from indelible.testing.conformance.feed import FeedConformance
from indelible.testing.conformance.following import FollowConformance
from indelible.testing.conformance.helpers import ids
from indelible.testing.conformance.reading import ReadConformance
from opaque_stores import merged_store

MOST = Principal.of("most", ["read:*", "append:*"])


class TestForEverybody(EventStoreConformance, BadInputConformance):
    @pytest.fixture
    async def store(self) -> AsyncIterator[EventStore]:
        async with LocalEventStore(MemoryEngine()) as inner:
            yield AuthorisedStore(inner, EVERYBODY.grants)


class TestForWhoeverReadsAll(
    AppendConformance, FeedConformance, FollowConformance, ConditionConformance, CatalogueConformance, ReadConformance
):
    @pytest.fixture
    async def store(self) -> AsyncIterator[EventStore]:
        async with LocalEventStore(MemoryEngine()) as inner:
            yield AuthorisedStore(inner, MOST.grants)


class TestWhereCursorsAreNoNumbers(FeedConformance, FollowConformance):
    @pytest.fixture
    async def store(self) -> AsyncIterator[EventStore]:
        async with merged_store(may_make=False) as inner:
            yield AuthorisedStore(inner, MOST.grants)

    @pytest.mark.parametrize("granted", ["read:order", "read:ord*"])
    async def test_cursors_behind_what_may_be_read(self, granted: str) -> None:
        """Reading is resumed from each of them, and each page has what there is room for."""
        async with merged_store() as inner:
            for number in range(60):
                await inner.append(("secret", "order")[number % 3 == 0], str(number), [NewEvent("Happened")])
            store = AuthorisedStore(inner, Principal.of("somebody", [granted]).grants)
            followed: list[tuple[RecordedEvent, Cursor]] = []
            async with aclosing(store.follow()) as pages:
                while not (page := await anext(pages)).at_end:
                    followed += page.events_with_cursors()
                followed += page.events_with_cursors()
            assert len(followed) == 20
            for place, (_, cursor) in enumerate(followed, start=1):
                rest = (await store.read_feed(after=cursor)).events
                assert ids(rest) == ids([event for event, _ in followed[place:]])
            for direction in ("forward", "backward"):
                found, after, at_end = [], None, False
                while not at_end:
                    one = await store.read_feed(after=after, direction=direction, limit=2)
                    found, after, at_end = [*found, *one.events], one.cursor, one.at_end
                    assert one.count <= 2
                assert sorted(ids(found)) == sorted(ids([event for event, _ in followed]))
