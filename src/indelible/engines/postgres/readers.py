"""Lends connections to reads, and gives a read another one when the database went away under it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from indelible.engines.postgres.address import Address
from indelible.engines.postgres.connections import Connection, deadline, is_lost, prepare
from indelible.engines.postgres.failures import translated, unreachable
from indelible.errors import Overloaded, ShuttingDown
from indelible.limits import (
    DATABASE_CONNECT_TIMEOUT_S,
    DATABASE_READER_WAIT_S,
    DATABASE_READERS_MAX,
    DATABASE_RETRY_WAIT_S,
    DATABASE_TIMEOUT_S,
    READS_WAITING_MAX,
    RETRY_AFTER_S,
)

_T = TypeVar("_T")


class Readers:
    """A pool whose connections each serve one read at a time."""

    def __init__(self, address: Address, *, read_only: bool) -> None:
        parameters: dict[str, Any] = dict(address.conninfo)
        if read_only:
            parameters["target_session_attrs"] = "any"
        self._pool: Final = AsyncConnectionPool[Connection](
            kwargs={**parameters, "autocommit": True},
            min_size=1,
            max_size=DATABASE_READERS_MAX,
            max_waiting=READS_WAITING_MAX,
            timeout=DATABASE_TIMEOUT_S,
            # A pool that had no luck for so long starts anew at the next read, instead of waiting ever longer.
            reconnect_timeout=DATABASE_CONNECT_TIMEOUT_S,
            configure=prepare,
            open=False,
            name="indelible-read",
        )

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    async def run(self, read: Callable[[Connection], Awaitable[_T]]) -> _T:
        """Run a read, again if its connection breaks: it changes nothing. Raises ``Unavailable`` when there is none
        within the time-out, ``Overloaded`` when too many reads wait."""
        end = time.monotonic() + DATABASE_TIMEOUT_S
        while True:
            try:
                return await self._run_once(read, end)
            except _Lost as lost:
                if time.monotonic() + DATABASE_RETRY_WAIT_S > end:
                    raise unreachable(lost.__cause__, "nothing was read") from lost
                await asyncio.sleep(DATABASE_RETRY_WAIT_S)

    async def _run_once(self, read: Callable[[Connection], Awaitable[_T]], end: float) -> _T:
        try:
            left_s = max(end - time.monotonic(), 0.1)
            async with self._pool.connection(timeout=min(left_s, DATABASE_READER_WAIT_S)) as connection:
                try:
                    async with deadline(connection):
                        return await read(connection)
                except psycopg.Error as error:
                    if is_lost(connection, error):
                        raise _Lost from error
                    raise translated(error) from error
        except TooManyRequests:
            raise Overloaded("too many reads are waiting", retry_after_s=RETRY_AFTER_S) from None
        except PoolClosed:
            raise ShuttingDown("the store is closed", retry_after_s=RETRY_AFTER_S) from None
        except PoolTimeout as error:
            raise _Lost from error


class _Lost(Exception):
    """The connection broke while it was lent, or none came."""
