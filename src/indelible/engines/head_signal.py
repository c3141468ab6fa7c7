"""Wakes whoever waits for the head to move."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from indelible.errors import ShuttingDown


class HeadSignal:
    """Remembers the highest position that was told. ``read_head`` is asked every ``poll_s`` seconds beside that, where
    others may move the head without a word; None where nobody can."""

    def __init__(self, read_head: Callable[[], Awaitable[int]] | None = None, *, poll_s: float = 0.0) -> None:
        self._read_head: Final = read_head
        self._poll_s: Final = poll_s
        self._position = 0
        self._closed = False
        self._waiters: Final[set[asyncio.Future[None]]] = set()

    def moved(self, position: int) -> None:
        """The head is at ``position`` now, or further."""
        if position > self._position:
            self._position = position
            self._wake()

    def open(self) -> None:
        """Let it be waited for again after :meth:`close`."""
        self._closed = False

    def close(self) -> None:
        """Let nobody wait any longer: whoever does, or asks later, gets ``ShuttingDown``."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, after: int) -> int:
        """The highest position that is known, once it is beyond ``after``. Raises what ``read_head`` raises, and
        ``ShuttingDown`` after :meth:`close`."""
        while self._position <= after:
            if self._closed:
                raise ShuttingDown("the store is closed")
            if self._read_head is not None:
                self.moved(await self._read_head())
                if self._position > after:
                    break
            await self._next_move()
        return self._position

    async def _next_move(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s or None):
                    await waiter
        finally:
            self._waiters.discard(waiter)
