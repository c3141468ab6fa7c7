"""Real brokers that the tests of relays are run on. Another one is one more :class:`Kind` in :data:`KINDS`."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from indelible.events import NewEvent
from indelible.relays.sink import Sink, make_sink
from indelible.testing.conformance import Received, SinkBroker
from relays.kafka_server import kafka_server
from relays.nats_server import nats_server
from relays.proxy import proxy
from relays.rabbitmq_server import rabbitmq_server

MESSAGE_BYTES_MAX = 256 * 1024
"""What servers are told to take at most."""


class BrokerServer(Protocol):
    """A server that tests start, kill and start again."""

    def start(self) -> None:
        """And wait until it can be connected to."""
        ...

    def kill(self) -> None: ...

    def stop(self) -> None: ...

    def begin_anew(self) -> None:
        """From now on :meth:`to` and :meth:`received` mean a place (stream, topic, exchange) that nobody has used."""
        ...

    def to(self, more: str = "") -> str:
        """The URL of a sink that makes what is missing. ``more``: further parameters, which begin with ``&`` and count
        instead of those of the same name that are there."""
        ...

    async def received(self) -> Sequence[Received]:
        """All that a consumer of the broker's own client gets."""
        ...


@dataclass
class Running:
    """A server, and a way to it that can be broken. Many tests may use it one after another."""

    server: BrokerServer
    to: Callable[[], str]
    """The URL of a sink, on that way."""
    cut: Callable[[], None]
    freeze: Callable[[], None]
    thaw: Callable[[], None]
    settle: Callable[[], None] = lambda: None
    """What has to be waited for before the suite kills it, if there is something."""


class Kind(NamedTuple):
    """A kind of broker, and what it promises."""

    serve: Callable[[Path], AbstractContextManager[Running]]
    """Start one in a folder that is empty."""
    remembers: bool
    fences: bool
    order: Literal["all", "aggregate"]
    kills: int = 3
    """How often a test kills it."""


@contextmanager
def _nats(folder: Path) -> Iterator[Running]:
    with nats_server(folder, max_payload_bytes=MESSAGE_BYTES_MAX) as server, proxy(server.port) as way:
        yield Running(server, lambda: server.to(port=way.port), way.cut, way.freeze, way.thaw)


@contextmanager
def _kafka(folder: Path) -> Iterator[Running]:
    with kafka_server(folder, message_max_bytes=MESSAGE_BYTES_MAX) as server:
        way = server.proxy

        def to() -> str:
            # Each relay has a cursor topic of its own.
            return f"kafka://{server.proxied_address}?topic={server.topic}&create=true&partitions=3"

        yield Running(server, to, way.cut, way.freeze, way.thaw, server.settle)


@contextmanager
def _rabbitmq(folder: Path) -> Iterator[Running]:
    size = f"max_message_size = {MESSAGE_BYTES_MAX}"
    with rabbitmq_server(folder, size) as server, proxy(server.port) as way:
        yield Running(server, lambda: server.to(port=way.port), way.cut, way.freeze, way.thaw)


KINDS: Mapping[str, Kind] = {
    "kafka": Kind(_kafka, remembers=True, fences=True, order="aggregate", kills=1),
    "nats": Kind(_nats, remembers=True, fences=True, order="all"),
    "rabbitmq": Kind(_rabbitmq, remembers=False, fences=True, order="all", kills=1),
}


class RealBroker(SinkBroker):
    """A place of its own of a real broker, for the suite of sinks."""

    def __init__(self, kind: Kind, running: Running) -> None:
        self.remembers, self.fences, self.order, self.kills = kind.remembers, kind.fences, kind.order, kind.kills
        self._running = running
        running.server.begin_anew()

    def make_sink(self) -> Sink:
        return make_sink(self._running.to())

    async def received(self) -> Sequence[Received]:
        return await self._running.server.received()

    async def kill(self) -> None:
        await asyncio.to_thread(self._running.settle)
        self._running.server.kill()

    async def start(self) -> None:
        await asyncio.to_thread(self._running.server.start)

    async def cut(self) -> None:
        self._running.cut()

    async def freeze(self) -> None:
        self._running.freeze()

    async def thaw(self) -> None:
        self._running.thaw()

    def refused_event(self) -> NewEvent:
        return NewEvent("TooLarge", "x" * (MESSAGE_BYTES_MAX + 1))
