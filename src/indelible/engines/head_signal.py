"""Wakes whoever waits for the head to move."""

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy
from typing import Final

from indelible.engines.engine import store_closed


class HeadSignal:
    """Remembers the highest position that was told. ``read_head`` is asked every ``poll_s`` seconds beside that, where
    others may move the head without a word; None where nobody can."""

    def __init__(self, read_head: Callable[[], Awaitable[int]] | None = None, *, poll_s: float = 0.0) -> None:
        self._read_head: Final = read_head
        self._poll_s: Final = poll_s
        self._position = 0
        self._is_closed = False
        self._waiters: Final[set[asyncio.Future[None]]] = set()
        self._polling: asyncio.Task[None] | None = None

    def moved(self, position: int) -> None:
        """The head is at ``position`` now, or further."""
        if position > self._position:
            self._position = position
            self._wake(None)

    def _wake(self, error: Exception | None) -> None:
        for waiter in self._waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(copy(error))
        self._waiters.clear()

    async def wait(self, after: int) -> int:
        """The highest position that is known, once it is beyond ``after``. Raises what ``read_head`` raises, and
        ``ShuttingDown`` after :meth:`close`."""
        while self._position <= after:
            if self._is_closed:
                raise store_closed()
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            if self._read_head is not None and self._polling is None:
                self._polling = asyncio.create_task(self._poll(self._read_head), name="head-poll")
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
        return self._position

    async def _poll(self, read_head: Callable[[], Awaitable[int]]) -> None:
        """Look for as long as anybody waits. One looks for all: thousands must not ask more of the storage than one."""
        this = asyncio.current_task()
        try:
            # Not by the cancellation alone: what waits for a connection may lose one.
            while self._waiters and self._polling is this:
                self.moved(await read_head())
                await asyncio.sleep(self._poll_s)
        except Exception as error:  # noqa: BLE001 - it is for those who wait
            self._wake(error)
        finally:
            if self._polling is this:
                self._polling = None

    def open(self) -> None:
        """Let it be waited for again after :meth:`close`."""
        self._is_closed = False

    async def close(self) -> None:
        """Let nobody wait any longer: whoever does, or asks later, gets ``ShuttingDown``."""
        self._is_closed = True
        looking, self._polling = self._polling, None
        if looking is not None:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        self._wake(store_closed())
