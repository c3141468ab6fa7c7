"""Bounds what large messages of all streams take while their readers do not take them.

A stream holds one message until its reader has had room for all of it. So large messages wait for room before they are
made, and when others wait, the call of a reader that has had a message for too long without taking it is ended. Whoever
reads again subscribes anew after its last cursor. Of those whose size is known only when they are made, such as pages,
no more may wait than can be held.

Streams whose readers have taken a large message before have a room of their own: newcomers that take nothing, however
many, keep none of them waiting.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Self

import msgspec
import structlog

from indelible.errors import Overloaded
from indelible.limits import (
    GRPC_LARGE_MESSAGES_SIZE_BYTES_MAX,
    GRPC_STALLED_S,
    GRPC_WAITING_SIZE_BYTES_MAX,
    RETRY_AFTER_S,
    STREAM_CHUNK_SIZE_BYTES_MAX,
)
from indelible.server.grpc.exchange import Exchange

LARGE_BYTES: Final = 2 * STREAM_CHUNK_SIZE_BYTES_MAX
"""Messages that are not larger need no room: what a reader that takes nothing may cost anyway."""
_log: Final = structlog.get_logger(__name__)


class _Message(msgspec.Struct, eq=False):
    exchange: Exchange
    since: float
    is_given_up: bool = False


class _Room:
    """For messages that are with gRPC. Who waits for room is served in order."""

    def __init__(self, size_bytes: int, stalled_s: float) -> None:
        self._size_bytes: Final = size_bytes
        self._stalled_s: Final = stalled_s
        self._free_bytes = size_bytes
        self._made_bytes = 0
        """Of messages that wait and are made already."""
        self._waiting: Final[dict[asyncio.Future[None], int]] = {}
        """How much each wants, in order."""
        self._held: Final[dict[_Message, None]] = {}
        """The oldest first."""
        self._watch: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def holding(self, exchange: Exchange, size_bytes: int, made_bytes: int) -> AsyncIterator[None]:
        # One that is larger than all the room gets all of it.
        size_bytes = min(size_bytes, self._size_bytes)
        if self._waiting or size_bytes > self._free_bytes:
            if self._made_bytes + made_bytes > GRPC_WAITING_SIZE_BYTES_MAX // 2:
                raise Overloaded("too much waits for readers that do not take it", retry_after_s=RETRY_AFTER_S)
            self._made_bytes += made_bytes
            try:
                await self._wait(size_bytes)
            finally:
                self._made_bytes -= made_bytes
        else:
            self._free_bytes -= size_bytes
        message = _Message(exchange, time.monotonic())
        self._held[message] = None
        try:
            yield
        finally:
            del self._held[message]
            self._give_back(size_bytes)

    async def _wait(self, size_bytes: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[turn] = size_bytes
        if self._watch is None:
            self._watch = asyncio.create_task(self._cut_stalled(), name="grpc-stalled")
        try:
            await turn
        except asyncio.CancelledError:
            self._waiting.pop(turn, None)
            self._give_back(0 if turn.cancelled() else size_bytes)
            raise

    def _give_back(self, size_bytes: int) -> None:
        self._free_bytes += size_bytes
        while self._waiting:
            turn, needed_bytes = next(iter(self._waiting.items()))
            if needed_bytes > self._free_bytes:
                return
            del self._waiting[turn]
            if not turn.cancelled():
                self._free_bytes -= needed_bytes
                turn.set_result(None)

    async def _cut_stalled(self) -> None:
        """As long as somebody waits."""
        try:
            while self._waiting:
                now = time.monotonic()
                stalled = [one for one in self._held if not one.is_given_up and now >= one.since + self._stalled_s]
                for one in stalled:
                    one.is_given_up = True
                    one.exchange.give_up()
                if stalled:
                    _log.warning("ended calls whose readers took nothing while others waited", calls=len(stalled))
                await asyncio.sleep(self._stalled_s / 10)
        finally:
            self._watch = None


class LargeMessages:
    """Of all streams of one server."""

    def __init__(
        self, size_bytes_max: int = GRPC_LARGE_MESSAGES_SIZE_BYTES_MAX, stalled_s: float = GRPC_STALLED_S
    ) -> None:
        self.of_newcomers: Final = _Room(size_bytes_max // 2, stalled_s)
        self.of_others: Final = _Room(size_bytes_max // 2, stalled_s)


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
