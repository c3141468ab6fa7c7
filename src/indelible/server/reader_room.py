"""Room for large answers that their readers have yet to take.

An answer holds its room until its reader has taken it. When others wait for room, the reader of one that has been there
for too long is given up. Of those that are made before they can be sent, no more may wait than can be held.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

import msgspec
import structlog

from indelible.errors import Overloaded
from indelible.limits import RETRY_AFTER_S, STREAM_CHUNK_SIZE_BYTES_MAX

LARGE_BYTES: Final = 2 * STREAM_CHUNK_SIZE_BYTES_MAX
"""Answers that are not larger need no room: what a reader that takes nothing may cost anyway."""
_log: Final = structlog.get_logger(__name__)


class Reader(Protocol):
    """Whoever is to take an answer."""

    def give_up(self) -> None:
        """Wait for it no longer."""
        ...


class _Message(msgspec.Struct, eq=False):
    reader: Reader
    since: float
    is_given_up: bool = False


class ReaderRoom:
    """``waiting_bytes`` is what may wait for it, made already. Who waits is served in order."""

    def __init__(self, size_bytes: int, waiting_bytes: int, stalled_s: float) -> None:
        self._waiting_bytes: Final = waiting_bytes
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
    async def holding(self, reader: Reader, size_bytes: int, made_bytes: int) -> AsyncIterator[None]:
        """For as long as it is on its way, of which so much is made already. Raises ``Overloaded``."""
        # One that is larger than all the room gets all of it.
        size_bytes = min(size_bytes, self._size_bytes)
        if self._waiting or size_bytes > self._free_bytes:
            if self._made_bytes + made_bytes > self._waiting_bytes:
                raise Overloaded("too much waits for readers that do not take it", retry_after_s=RETRY_AFTER_S)
            self._made_bytes += made_bytes
            try:
                await self._wait(size_bytes)
            finally:
                self._made_bytes -= made_bytes
        else:
            self._free_bytes -= size_bytes
        message = _Message(reader, time.monotonic())
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
            self._watch = asyncio.create_task(self._cut_stalled(), name="stalled-readers")
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
                    one.reader.give_up()
                if stalled:
                    _log.warning("ended calls whose readers took nothing while others waited", calls=len(stalled))
                await asyncio.sleep(self._stalled_s / 10)
        finally:
            self._watch = None
