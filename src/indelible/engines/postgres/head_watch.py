"""Tells when the head moves: at once in this process, by NOTIFY from other servers, by looking now and then always.

NOTIFY stands outside of appends, because within one it would make commits wait for one another. Many commits share one
signal. Behind a pooler nothing can be listened to, and polling is all there is.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import psycopg

from indelible.engines.head_signal import HeadSignal
from indelible.engines.postgres.connections import is_pooled
from indelible.errors import IndelibleError
from indelible.limits import DATABASE_RETRY_WAIT_S, HEAD_POLL_S, HEAD_SIGNAL_INTERVAL_S
from indelible.postgres_connections import Connection


class HeadWatch:
    """``connect`` gives a connection to listen on, ``read_head`` the head's position, ``send`` notifies the others."""

    def __init__(
        self,
        schema: str,
        *,
        connect: Callable[[], Awaitable[Connection]],
        read_head: Callable[[], Awaitable[int]],
        send: Callable[[str], Awaitable[None]],
    ) -> None:
        self.signal: Final = HeadSignal(read_head, poll_s=HEAD_POLL_S)
        self._channel: Final = f"{schema}_head"
        self._connect: Final = connect
        self._send: Final = send
        self._sending: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._unsent = 0

    async def wait(self, after: int) -> int:
        """The head's position, once it is beyond ``after``."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen(), name="head-listen")
        return await self.signal.wait(after)

    def moved(self, position: int) -> None:
        """This process moved the head."""
        self.signal.moved(position)
        self._unsent = position
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_signals(), name="head-notify")

    async def _send_signals(self) -> None:
        try:
            while self._unsent:
                position, self._unsent = self._unsent, 0
                # A lost signal is no loss: whoever waits looks by itself too.
                with contextlib.suppress(IndelibleError):
                    await self._send(f"NOTIFY {self._channel}, '{position}'")
                await asyncio.sleep(HEAD_SIGNAL_INTERVAL_S)
        finally:
            self._sending = None

    async def _listen(self) -> None:
        """Listen for as long as this runs, over as many connections as that takes."""
        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                connection = await self._connect()
                async with connection:
                    if is_pooled(connection):
                        return
                    await connection.execute(f"LISTEN {self._channel}")
                    async for notice in connection.notifies():
                        self.signal.moved(int(notice.payload))
            await asyncio.sleep(DATABASE_RETRY_WAIT_S)

    async def close(self) -> None:
        await self.signal.close()
        for task in (self._listening, self._sending):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
