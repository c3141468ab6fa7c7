"""Real brokers that the tests of relays are run on. Another one is one more :class:`Kind` in :data:`KINDS`."""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from indelible.events import NewEvent
from indelible.relays.sink import Sink, make_sink
from indelible.testing.conformance import Received as Received  # noqa: PLC0414 - servers take it from here
from indelible.testing.conformance import SinkBroker
from relays.nats_server import nats_server
from relays.proxy import Proxy, proxy

MESSAGE_BYTES_MAX = 256 * 1024
"""What servers are told to take at most."""


class BrokerServer(Protocol):
    """A server that tests start, kill and start again."""

    port: int

    def start(self) -> None:
        """And wait until it can be connected to."""
        ...

    def kill(self) -> None: ...

    def stop(self) -> None: ...

    def to(self, more: str = "") -> str:
        """The URL of a sink that makes what is missing. ``more``: further parameters, which begin with ``&`` and count
        instead of those of the same name that are there."""
        ...

    async def received(self) -> Sequence[Received]:
        """All that a consumer of the broker's own client gets, of every stream, topic or queue."""
        ...


class Kind(NamedTuple):
    """A kind of broker, and what it promises."""

    serve: Callable[[Path, int], AbstractContextManager[BrokerServer]]
    """Start one in a folder. The number is the port that clients are to come through, for brokers that tell clients
    where to connect to."""
    place: str
    """What a sink's URL says to use a place of its own, whose name stands for ``{0}``."""
    remembers: bool
    fences: bool
    order: Literal["all", "aggregate"]


def _nats(folder: Path, _: int) -> AbstractContextManager[BrokerServer]:
    return nats_server(folder, max_payload_bytes=MESSAGE_BYTES_MAX)


KINDS: Mapping[str, Kind] = {
    "nats": Kind(_nats, "&stream={0}&subject={0}", remembers=True, fences=True, order="all"),
}


class Running(NamedTuple):
    """A server, and a proxy that sinks come through. Many tests may use it one after another."""

    kind: Kind
    server: BrokerServer
    proxy: Proxy

    def to(self, more: str = "") -> str:
        """The URL of a sink, through the proxy."""
        return self.server.to(more).replace(f":{self.server.port}", f":{self.proxy.port}")

    def kill(self) -> None:
        self.server.kill()
        self.proxy.cut()


@contextmanager
def running_broker(name: str, folder: Path) -> Iterator[Running]:
    kind = KINDS[name]
    with proxy() as made, kind.serve(folder, made.port) as server:
        made.port_behind = server.port
        yield Running(kind, server, made)


_numbers = itertools.count(1)


class RealBroker(SinkBroker):
    """A place of its own of a real broker, for the suite of sinks. ``more``: parameters of the sink's URL."""

    def __init__(self, running: Running, more: str = "") -> None:
        kind = running.kind
        self.remembers, self.fences, self.order = kind.remembers, kind.fences, kind.order
        self.name = f"place{next(_numbers)}x"
        self.running = running
        self.url = running.to(kind.place.format(self.name) + more)

    def make_sink(self) -> Sink:
        return make_sink(self.url)

    async def received(self) -> list[Received]:
        return [one for one in await self.running.server.received() if one.place.startswith(self.name)]

    async def kill(self) -> None:
        self.running.kill()

    async def start(self) -> None:
        await asyncio.to_thread(self.running.server.start)

    async def cut(self) -> None:
        self.running.proxy.cut()

    async def freeze(self) -> None:
        self.running.proxy.freeze()

    async def thaw(self) -> None:
        self.running.proxy.thaw()

    def refused_event(self, **fields: Any) -> NewEvent:
        return NewEvent("TooLarge", "x" * (MESSAGE_BYTES_MAX + 1))
