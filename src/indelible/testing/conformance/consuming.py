"""What the suites of consumer groups share: a group of events that nobody else appends to, and short calls on it."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from indelible.cursors import START, Cursor
from indelible.events import NewEvent
from indelible.eventstore import EventStore
from indelible.groups import Delivery, GroupInfo, Settled
from indelible.queries import EventQuery
from indelible.testing.conformance.helpers import append_noise, ids, lie_together, some_events, unique

PATIENCE_S: Final = 120.0
"""For what comes at once unless it never does."""
SHORT_S: Final = 0.3
"""A time-out or delay that a test waits for."""


class Consumer:
    """A group of events with one tag, and calls on it with less to say."""

    def __init__(self, store: EventStore, group: str, tag: str) -> None:
        self.store, self.group, self.tag = store, group, tag
        self.aggregate_type = unique("Order")
        self.start: Cursor = START
        """Before the first event that is for it."""
        self._names: dict[str, str] = {}

    @classmethod
    async def begin(cls, store: EventStore, *, ack_timeout_s: float = 30.0, **settings: Any) -> "Consumer":
        """A group that starts mid-log."""
        await append_noise(store)
        consumer = cls(store, unique("group"), unique("tag"))
        consumer.start = (await store.head()).cursor
        await store.groups.create(
            consumer.group, EventQuery.of(tags=[consumer.tag]), start="end", ack_timeout_s=ack_timeout_s, **settings
        )
        return consumer

    async def append(self, aggregate_id: str, count: int = 1) -> list[NewEvent]:
        events = some_events(count, tags=[self.tag])
        await self.store.append(self.aggregate_type, await self.name(aggregate_id), events)
        return events

    async def name(self, aggregate_id: str) -> str:
        """Its aggregates lie in one partition, so that their events come in one order: of several partitions the names
        go on behind what is given."""
        if aggregate_id not in self._names:
            first, name = next(iter(self._names.values()), aggregate_id), aggregate_id
            while first != name and not await lie_together(self.store, self.aggregate_type, first, name):
                name = f"{aggregate_id}.{unique()}"
            self._names[aggregate_id] = name
        return self._names[aggregate_id]

    async def pull(self, count: int, **options: Any) -> list[Delivery]:
        """Exactly as many deliveries, which are there now."""
        found = await self.store.groups.pull(self.group, **{"limit": 100, **options})
        assert len(found) == count, [one.event for one in found]
        return list(found)

    async def wait(self, count: int) -> list[Delivery]:
        """As many deliveries, which come soon."""
        found: list[Delivery] = []
        async with asyncio.timeout(PATIENCE_S):
            while len(found) < count:
                found += await self.store.groups.pull(self.group, limit=count - len(found), wait_s=5)
        return found

    async def ack(self, deliveries: Sequence[Delivery], *, lost: int = 0) -> None:
        settled = await self.store.groups.ack(self.group, [one.delivery_id for one in deliveries])
        assert (settled.settled, len(settled.lost)) == (len(deliveries) - lost, lost)

    async def nack(self, deliveries: Sequence[Delivery], **options: Any) -> Settled:
        return await self.store.groups.nack(self.group, [one.delivery_id for one in deliveries], **options)

    async def park(self, count: int = 1) -> list[Delivery]:
        """Park the next deliveries."""
        parked = await self.pull(count)
        await self.nack(parked, park=True, reason="no good")
        return parked

    async def info(self) -> GroupInfo:
        return await self.store.groups.get(self.group)


def events_of(deliveries: Sequence[Delivery]) -> list[UUID]:
    return ids(one.event for one in deliveries)


def positions_of(deliveries: Sequence[Delivery]) -> list[int]:
    return [one.event.position for one in deliveries]
