"""Bounds what large messages of all streams take while their readers do not take them.

A stream holds one message until its reader has had room for all of it. So large messages wait for room before they are
made, and when others wait, the call of a reader that has had a message for too long without taking it is ended. Whoever
reads again subscribes anew after its last cursor. Of those whose size is known only when they are made, such as pages,
no more may wait than can be held.

Streams whose readers have taken a large message before have a room of their own: newcomers that take nothing, however
many, keep none of them waiting.
"""

from contextlib import AsyncExitStack
from typing import Final, Self

from indelible.limits import GRPC_LARGE_MESSAGES_SIZE_BYTES_MAX, GRPC_STALLED_S, GRPC_WAITING_SIZE_BYTES_MAX
from indelible.server.grpc.exchange import Exchange
from indelible.server.reader_room import LARGE_BYTES, ReaderRoom


class LargeMessages:
    """Of all streams of one server."""

    def __init__(
        self, size_bytes_max: int = GRPC_LARGE_MESSAGES_SIZE_BYTES_MAX, stalled_s: float = GRPC_STALLED_S
    ) -> None:
        waiting_bytes = GRPC_WAITING_SIZE_BYTES_MAX // 2
        self.of_newcomers: Final = ReaderRoom(size_bytes_max // 2, waiting_bytes, stalled_s)
        self.of_others: Final = ReaderRoom(size_bytes_max // 2, waiting_bytes, stalled_s)


class Outgoing:
    """The messages of one stream. Use as a context: what it holds is given back at the end."""

    def __init__(self, large: LargeMessages, exchange: Exchange) -> None:
        self._large: Final = large
        self._exchange: Final = exchange
        self._held: Final = AsyncExitStack()
        self._has_room = False
        self._is_newcomer = True

    async def make_room(self, size_bytes: int, *, made_bytes: int = 0) -> None:
        """For the next message, of which so much is there already. Raises ``Overloaded`` where that is too much."""
        if size_bytes > LARGE_BYTES and not self._has_room:
            room = self._large.of_newcomers if self._is_newcomer else self._large.of_others
            await self._held.enter_async_context(room.holding(self._exchange, size_bytes, made_bytes))
            self._has_room = True

    async def write(self, message: bytes, *, may_be_refused: bool) -> None:
        """Returns when the reader had room for all of it. ``may_be_refused``: whether it may be answered with
        ``Overloaded`` instead, which says that nothing was done."""
        await self.make_room(len(message), made_bytes=len(message) if may_be_refused else 0)
        await self._exchange.write(message)
        if self._has_room:
            await self._held.aclose()
            self._has_room = self._is_newcomer = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._held.aclose()
