"""What has come of an append that comes in several messages, until it is whole: bounded in events, bytes and time."""

import asyncio
from collections.abc import Awaitable
from typing import Final, Self, TypeVar

from indelible.errors import PayloadTooLarge
from indelible.limits import ESDB_APPEND_S, REQUEST_EVENTS_MAX, REQUEST_SIZE_BYTES_MAX
from indelible.server.grpc.exchange import Refused
from indelible.server.services import BodyMemory

T = TypeVar("T")


class Gathering:
    """Counts it towards what the bodies of all requests may take, until its context ends."""

    __slots__ = ("_bodies", "_events", "size_bytes")

    def __init__(self, bodies: BodyMemory) -> None:
        self._bodies: Final = bodies
        self._events = self.size_bytes = 0

    def add(self, size_bytes: int, events: int = 1) -> None:
        """Raises ``PayloadTooLarge``, and ``Overloaded`` where all requests together take too much."""
        self._events += events
        check_size(self._events, self.size_bytes + size_bytes)
        self._bodies.take(size_bytes)
        self.size_bytes += size_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()

    def let_go(self) -> None:
        """May be called again."""
        self._bodies.give_back(self.size_bytes)
        self.size_bytes = 0


def check_size(events: int, size_bytes: int) -> None:
    """Raises ``PayloadTooLarge``."""
    if events > REQUEST_EVENTS_MAX:
        raise PayloadTooLarge(
            f"more than {REQUEST_EVENTS_MAX} events", pointer="/events", events_max=REQUEST_EVENTS_MAX
        )
    if size_bytes > REQUEST_SIZE_BYTES_MAX:
        raise PayloadTooLarge(
            f"more than {REQUEST_SIZE_BYTES_MAX} bytes", pointer="/events", size_bytes_max=REQUEST_SIZE_BYTES_MAX
        )


async def in_time(received: Awaitable[T]) -> T:
    """Wait for what makes an append of its messages. Raises ``Refused`` when the last is too long in coming."""
    try:
        async with asyncio.timeout(ESDB_APPEND_S):
            return await received
    except TimeoutError:
        raise Refused("DEADLINE_EXCEEDED", f"the append did not come whole within {ESDB_APPEND_S:g} s") from None
