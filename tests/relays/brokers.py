"""Real brokers that the tests of relays are run on. Another is one more :class:`Kind` in :data:`KINDS`."""

from collections.abc import Sequence
from typing import Protocol

from indelible.testing.conformance.sink_broker import Received as Received  # noqa: PLC0414 - servers take it from here


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
