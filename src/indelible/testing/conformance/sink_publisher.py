"""Publishes through a sink as a relay does, and holds what a consumer got against what the store has."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise
from typing import Final, NamedTuple, Self

import pytest

from indelible.cursors import Cursor
from indelible.events import NewEvent, RecordedEvent
from indelible.eventstore import EventStore, FeedPage
from indelible.limits import RELAY_LEASE_MAX_S
from indelible.relay_state import RelayLease
from indelible.relays.sink import Sink, SinkUnavailable
from indelible.testing.conformance.sink_broker import Seen, SinkBroker, in_order, without_repeats

PATIENCE_S: Final = 60.0
"""For what comes soon unless it never does; a broker that was killed may look through its files first."""
AGGREGATES: Final = 7


async def append_some(store: EventStore, count: int) -> None:
    """To several aggregates in turn."""
    for n in range(count):
        await store.append("Order", str(n % AGGREGATES), [NewEvent("Placed", {"n": n, "text": "x" * 50})])


async def pages_behind(store: EventStore, after: Cursor | None) -> list[FeedPage]:
    """Up to the head; none that is empty."""
    found: list[FeedPage] = []
    async with aclosing(store.follow(after=after)) as pages:
        async for page in pages:
            found += [page] if page.count else []
            if page.at_end:
                break
    return found


async def page_behind(store: EventStore, after: Cursor | None = None) -> FeedPage:
    return (await pages_behind(store, after))[0]


def first_of_page(page: FeedPage, count: int) -> FeedPage:
    """Its first events alone."""
    events = list(page.events_with_cursors())[:count]
    lines = b"\n".join(page.lines.split(b"\n")[:count])
    cursors = tuple(cursor for _, cursor in events)
    return FeedPage(lines=lines, count=count, cursor=cursors[-1], at_end=False, cursors=cursors)


class Logged(NamedTuple):
    event: RecordedEvent
    cursor: Cursor


async def log_of(store: EventStore) -> list[Logged]:
    """All of it, in order."""
    pages = await pages_behind(store, None)
    return [Logged(*one) for page in pages for one in page.events_with_cursors()]


async def claim(store: EventStore, relay: str) -> RelayLease:
    """With a new epoch."""
    return await store.relays.claim(relay, "one", lease_s=RELAY_LEASE_MAX_S)


class Publisher:
    """The owner of a relay, who has come as far as ``after``."""

    def __init__(self, sink: Sink, store: EventStore, lease: RelayLease) -> None:
        self.sink: Final = sink
        self.lease: Final = lease
        self.after: Cursor | None = None
        self._store: Final = store

    @classmethod
    @asynccontextmanager
    async def opened(cls, broker: SinkBroker, store: EventStore, relay: str = "") -> AsyncIterator[Self]:
        """With a new epoch; closed at the end."""
        publisher = cls(broker.make_sink(), store, await claim(store, relay or broker.relay))
        try:
            await publisher.open()
            yield publisher
        finally:
            await publisher.sink.close()

    async def open(self) -> Cursor | None:
        """Until the broker is there."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    return await self.open_once()
                except SinkUnavailable:
                    await asyncio.sleep(0.05)

    async def open_once(self) -> Cursor | None:
        reached = await self.sink.open(self.lease)
        self.after = self.after if reached is None else reached
        return reached

    async def publish(self) -> None:
        """What is left, in one attempt."""
        for page in await pages_behind(self._store, self.after):
            await self.sink.publish(page)
            self.after = page.cursor

    async def publish_all(self) -> None:
        """What is left, however often the broker has to be connected to anew."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await self.publish()
                except SinkUnavailable:
                    await asyncio.sleep(0.05)
                    await self.open()
                else:
                    return


async def seen_by_consumers(broker: SinkBroker) -> list[Seen]:
    return [Seen.of(one) for one in await broker.received()]


async def check_received(broker: SinkBroker, store: EventStore, *, repeats: bool = True) -> list[Seen]:
    """Everything in the store is with the broker, in order. ``repeats``: it may be there more often, if the broker does
    not store it once."""
    seen = await seen_by_consumers(broker)
    check_whole(seen, await log_of(store), broker, repeats=repeats)
    return seen


def check_whole(seen: Sequence[Seen], log: Sequence[Logged], broker: SinkBroker, *, repeats: bool = True) -> None:
    check_events(seen, log, broker)
    firsts = without_repeats(seen)
    missing = sorted({one.event.position for one in log} - {one.position for one in firsts})
    assert not missing, f"{len(missing)} events are missing: positions {missing[:20]}"
    if broker.remembers or not repeats:
        assert len(firsts) == len(seen), "events came again"
    check_order(firsts, broker)


def check_events(seen: Sequence[Seen], log: Sequence[Logged], broker: SinkBroker) -> None:
    """What is there is of the store, says how far the relay came with it, and epochs do not go back."""
    known = {str(one.event.event_id): one for one in log}
    for one in seen:
        assert one.event_id in known, f"nobody appended {one.received}"
        logged = known[one.event_id]
        assert one.position == logged.event.position, f"it stands at {logged.event.position}: {one.received}"
        if one.replay is None:
            assert one.cursor == logged.cursor, f"the cursor behind it is {logged.cursor}: {one.received}"
    if broker.fences:
        for group in in_order(seen, broker.order):
            for before, after in pairwise(group):
                assert before.epoch <= after.epoch, (
                    f"an earlier owner came through: epoch {before.epoch} at position {before.position}, then epoch "
                    f"{after.epoch} at position {after.position}"
                )


def check_order(seen: Sequence[Seen], broker: SinkBroker) -> None:
    for group in in_order(seen, broker.order):
        positions = [one.position for one in group]
        assert positions == sorted(positions), f"events are out of order: positions {positions}"


def needs(broker: SinkBroker, *names: str) -> None:
    """Skips the test where the broker cannot do that here."""
    if not broker.can(*names):
        pytest.skip(f"nothing here does {' and '.join(names)} to the broker")
