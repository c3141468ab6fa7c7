"""What a relay publishes beside the order of the log: a range again, and events that were set aside.

It takes turns with the log, a page each, so that neither waits for the end of the other. What it is to publish the
store says with each renewal of the lease.
"""

import asyncio
from typing import Final

from indelible.errors import NotFound, StoreCorrupted
from indelible.events import recorded_line
from indelible.eventstore import EventStore, FeedPage
from indelible.queries import EventQuery
from indelible.relay_state import RelayReplay
from indelible.relays.ahead import Ahead
from indelible.relays.publisher import Publisher
from indelible.relays.tenure import Tenure


class Beside:
    """Of one connection to the broker. ``query`` is the relay's own."""

    def __init__(self, store: EventStore, query: EventQuery, tenure: Tenure, publisher: Publisher) -> None:
        self._store: Final = store
        self._query: Final = query
        self._tenure: Final = tenure
        self._publisher: Final = publisher
        self._feed: Ahead | None = None
        self._name: str | None = None
        """Of the replay that the feed is read for."""

    async def arrives(self) -> None:
        """Return when there is something to publish; never, as long as the store has not said so."""
        if not self._tenure.to_retry and _name_of(self._tenure.replay) == self._name:
            await (asyncio.Event().wait() if self._feed is None else self._feed.arrives())

    async def take_turn(self) -> None:
        """Publish one page at most. Raises what the publisher and the store raise."""
        if self._tenure.to_retry:
            await self._retry()
            return
        replay = self._tenure.replay
        if _name_of(replay) != self._name:
            await self.aclose()
        if replay is None:
            return
        if self._feed is None:
            self._feed = Ahead(self._store.follow(self._query, after=replay.cursor))
            self._name = replay.name
        if self._feed.is_there:
            await self._publisher.again(self._feed.take(), replay)

    async def aclose(self) -> None:
        feed, self._feed, self._name = self._feed, None, None
        if feed is not None:
            await feed.aclose()

    async def _retry(self) -> None:
        # For each event anew: somebody may have given it up meanwhile.
        listed = await self._store.relays.list_set_aside(self._tenure.lease.relay)
        event = next((one for one in listed if one.retry is not None), None)
        if event is None:
            await self._tenure.renew()
            return
        try:
            line = recorded_line(await self._store.get_event(event.event_id))
        except (StoreCorrupted, NotFound) as error:
            await self._publisher.keep(event, error)
            return
        cursor = self._tenure.cursor
        await self._publisher.retry(FeedPage(line, 1, cursor, at_end=False, cursors=(cursor,)), event)


def _name_of(replay: RelayReplay | None) -> str | None:
    return None if replay is None else replay.name
