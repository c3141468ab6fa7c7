"""A broker in this process: it keeps what is published, remembers or not, and fails as it is told."""

import asyncio
from typing import NamedTuple

from indelible.cursors import Cursor
from indelible.events import RecordedEvent
from indelible.eventstore import FeedPage
from indelible.relay_state import RelayLease
from indelible.relays.sink import Replay, SinkFenced, SinkRefused, SinkUnavailable


class Published(NamedTuple):
    epoch: int
    event: RecordedEvent
    cursor: Cursor
    replay: Replay | None = None


class Broker:
    """``remembers``: it tells how far a relay came, and refuses earlier epochs, as NATS does."""

    def __init__(self, *, remembers: bool = True) -> None:
        self.remembers = remembers
        self.log: list[Published] = []
        self.epoch = 0
        self.is_away = False
        self.refused: set[int] = set()
        """Versions of events that it never takes."""
        self.lost_answers = 0
        """So many times what was published is kept, and then the connection breaks."""
        self.answers = asyncio.Event()
        self.answers.set()
        """Not set: it hangs."""

    def sink(self) -> "BrokerSink":
        return BrokerSink(self)

    @property
    def versions(self) -> list[int]:
        return [one.event.version for one in self.log]


class BrokerSink:
    """Implements :class:`indelible.relays.sink.Sink`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._lease: RelayLease | None = None
        self.is_open = False

    async def open(self, lease: RelayLease) -> Cursor | None:
        broker = self._broker
        if broker.is_away:
            raise SinkUnavailable("the broker is away")
        self._lease, self.is_open = lease, True
        if not broker.remembers:
            return None
        if lease.epoch < broker.epoch:
            raise SinkFenced(f"the broker knows epoch {broker.epoch}")
        broker.epoch = lease.epoch
        last = [one for one in broker.log if one.epoch >= lease.reset_epoch and one.replay is None][-1:]
        return last[0].cursor if last else None

    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        broker, lease = self._broker, self._lease
        assert lease is not None
        assert self.is_open
        await broker.answers.wait()
        if broker.is_away:
            raise SinkUnavailable("the broker is away")
        if broker.remembers and lease.epoch < broker.epoch:
            raise SinkFenced(f"the broker knows epoch {broker.epoch}")
        for event, cursor in page.events_with_cursors():
            if event.version in broker.refused:
                raise SinkRefused("it is too large", event.position)
            broker.log.append(Published(lease.epoch, event, cursor, replay))
        if broker.lost_answers:
            broker.lost_answers -= 1
            raise SinkUnavailable("the connection broke")

    async def close(self) -> None:
        self.is_open = False
