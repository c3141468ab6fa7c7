"""A broker in this process: it keeps what is published, remembers or not, and fails as it is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from indelible.cursors import Cursor
from indelible.events import NewEvent, RecordedEvent
from indelible.eventstore import FeedPage
from indelible.limits import RELAY_BROKER_TIMEOUT_S
from indelible.relay_state import RelayLease
from indelible.relays.messages import RELAY, Binding, Message, messages_of, word
from indelible.relays.sink import Check, Reached, Replay, SinkFenced, SinkRefused, SinkUnavailable, unchecked
from indelible.testing.conformance import Received, SinkBroker

REFUSED = "Refused"
"""The type of events that no broker here takes."""
_BINDING = Binding("ce-", is_quoted=True)
_AT_ONCE = 10
"""Messages that go to the disk together."""
_DISK_S = 0.0005
"""How long that takes at least, so that faults come in the middle of a page."""


class Published(NamedTuple):
    epoch: int
    message: Message
    replay: Replay | None = None

    @property
    def event(self) -> RecordedEvent:
        return self.message.event

    @property
    def cursor(self) -> Cursor:
        return self.message.cursor

    @property
    def reached(self) -> Reached:
        return Reached(self.cursor, self.event.event_id, self.event.hash)


class Broker:
    """``remembers``: it tells how far a relay came, and refuses earlier epochs, as NATS does."""

    def __init__(self, *, remembers: bool = True) -> None:
        self.remembers = remembers
        self.log: list[Published] = []
        self.on_its_way: list[Published] = []
        """To the disk: lost when the broker is killed."""
        self.epochs: dict[str, int] = {}
        """By relay."""
        self.connections = 0
        """How often they were broken."""
        self.is_away = False
        self.refused: set[int] = set()
        """Versions of events that it never takes."""
        self.reason = "it is too large"
        self.at_once_max: int | None = None
        """So many events of a page it takes, and then the connection breaks."""
        self.lost_answers = 0
        """So many times what was published is kept, and then the connection breaks."""
        self.pause_s = 0.0
        """What an event takes."""
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        """Not set: it takes nothing of a replay behind its first page."""
        self.answers = asyncio.Event()
        self.answers.set()
        """Not set: it hangs."""

    def sink(self) -> "BrokerSink":
        return BrokerSink(self)

    def sync(self) -> None:
        self.log += self.on_its_way
        self.on_its_way = []

    @property
    def versions(self) -> list[int]:
        return [one.event.version for one in self.log]

    @property
    def live(self) -> list[int]:
        """Versions of what came in the order of the log."""
        return [one.event.version for one in self.log if one.replay is None]

    def again(self, name: str) -> list[int]:
        """Versions of what came in this replay."""
        return [one.event.version for one in self.log if one.replay is not None and one.replay.name == name]


class BrokerSink:
    """Implements :class:`indelible.relays.sink.Sink`."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.lease: RelayLease | None = None
        self._connection: int | None = None

    @property
    def remembers(self) -> bool:
        return self.broker.remembers

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    async def open(self, lease: RelayLease, check: Check = unchecked) -> Cursor | None:
        broker = self.broker
        await self.close()
        async with self.in_time():
            await broker.answers.wait()
            self.lease, self._connection = lease, broker.connections
            self.check_connection()
            await asyncio.sleep(0)
            broker.sync()
            reached = self.reached(lease) if broker.remembers else None
        if reached is not None:
            await check(reached)
        if broker.remembers:
            self.take_over(lease)
        return None if reached is None else reached.cursor

    def take_over(self, lease: RelayLease) -> None:
        self.check_epoch(lease)
        self.broker.epochs[lease.relay] = lease.epoch

    def reached(self, lease: RelayLease) -> Reached | None:
        own = [one for one in self.broker.log if one.message.headers[RELAY] == word(lease.relay)]
        last = [one for one in own if one.epoch >= lease.reset_epoch and one.replay is None][-1:]
        return last[0].reached if last else None

    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        messages = self.messages(page, replay)
        await asyncio.sleep(self.broker.pause_s * page.count)
        if replay is not None and messages[0].event.version > 1:
            await self.broker.goes_on.wait()
        async with self.in_time():
            for first in range(0, len(messages), _AT_ONCE):
                try:
                    for count, message in enumerate(messages[first : first + _AT_ONCE], first):
                        if count == self.broker.at_once_max:
                            raise SinkUnavailable("the connection broke")
                        self.send(message, replay)
                finally:
                    await self.stored()
        if self.broker.lost_answers:
            self.broker.lost_answers -= 1
            raise SinkUnavailable("the connection broke")

    def messages(self, page: FeedPage, replay: Replay | None) -> Sequence[Message]:
        assert self.lease is not None
        return list(messages_of(page, self.lease, _BINDING, "binary", replay))

    def send(self, message: Message, replay: Replay | None) -> None:
        assert self.lease is not None
        event = message.event
        self.check_connection()
        if self.broker.remembers:
            self.check_epoch(self.lease)
        if event.version in self.broker.refused or event.event_type == REFUSED:
            raise SinkRefused(self.broker.reason, event.position)
        self.broker.on_its_way.append(Published(self.lease.epoch, message, replay))

    async def stored(self) -> None:
        """When what was sent is on the disk."""
        await asyncio.sleep(_DISK_S)
        await self.broker.answers.wait()
        self.check_connection()
        self.broker.sync()

    def check_connection(self) -> None:
        assert self._connection is not None, "it is opened first"
        if self.broker.is_away:
            raise SinkUnavailable("the broker is away")
        if self._connection != self.broker.connections:
            raise SinkUnavailable("the connection broke")

    def check_epoch(self, lease: RelayLease) -> None:
        newest = self.broker.epochs.get(lease.relay, 0)
        if lease.epoch < newest:
            raise SinkFenced(f"the broker knows epoch {newest}")

    @contextlib.asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(RELAY_BROKER_TIMEOUT_S):
                yield
        except TimeoutError as error:
            raise SinkUnavailable("the broker does not answer") from error

    async def close(self) -> None:
        self._connection = None


class BrokerHere(SinkBroker):
    """The broker in this process, for the suite of sinks."""

    order = "all"

    def __init__(self, sink: type[BrokerSink] = BrokerSink, *, remembers: bool = True) -> None:
        self.remembers = self.fences = remembers
        self._broker = Broker(remembers=remembers)
        self._sink = sink

    def make_sink(self) -> BrokerSink:
        return self._sink(self._broker)

    async def received(self) -> list[Received]:
        self._broker.sync()
        return [_received(one.message) for one in self._broker.log]

    async def kill(self) -> None:
        self._broker.is_away = True
        self._broker.on_its_way = []
        await self.cut()

    async def start(self) -> None:
        self._broker.is_away = False

    async def cut(self) -> None:
        self._broker.connections += 1

    async def freeze(self) -> None:
        self._broker.answers.clear()

    async def thaw(self) -> None:
        self._broker.answers.set()

    def refused_event(self) -> NewEvent:
        return NewEvent(REFUSED)


def _received(message: Message) -> Received:
    return Received({**message.headers, "content-type": message.content_type}, message.data, "log")
