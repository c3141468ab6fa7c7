"""Gives connections to reads and small changes, and gives them another one when the database went away under them."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from indelible.engines.engine import store_closed
from indelible.engines.postgres.connections import Statements
from indelible.engines.postgres.failures import is_retryable, translated, unreachable
from indelible.engines.postgres.hosts import Confirmations, Hosts, Place, Unconfirmed, doubts_of, place_of
from indelible.errors import OutcomeUnknown, Overloaded, Unavailable
from indelible.limits import (
    DATABASE_CONNECT_TIMEOUT_S,
    DATABASE_READER_WAIT_S,
    DATABASE_READERS_MAX,
    DATABASE_RETRY_WAIT_S,
    DATABASE_TIMEOUT_S,
    READS_WAITING_MAX,
    RETRY_AFTER_S,
)
from indelible.postgres_connections import Connection, deadline, is_broken

_T = TypeVar("_T")


class Readers:
    """A pool whose connections each serve one read, or one change, at a time. The partitions of a store in one database
    have one together: it is open while any of them is."""

    def __init__(self, hosts: Hosts, statements: Statements) -> None:
        self._hosts: Final = hosts
        self._confirmations: Final = Confirmations(statements)
        self._pool: Final = AsyncConnectionPool[Connection](
            kwargs=hosts.parameters,
            min_size=1,
            max_size=DATABASE_READERS_MAX,
            max_waiting=READS_WAITING_MAX,
            timeout=DATABASE_TIMEOUT_S,
            # A pool that had no luck for so long starts anew at the next read, instead of waiting ever longer.
            reconnect_timeout=DATABASE_CONNECT_TIMEOUT_S,
            configure=hosts.prepare,
            open=False,
            name="indelible-read",
        )

        self._users: Final[set[object]] = set()

    async def open(self, user: object) -> None:
        self._users.add(user)
        await self._pool.open()

    async def close(self, user: object) -> None:
        self._users.discard(user)
        if not self._users:
            await self._pool.close()

    async def run(self, read: Callable[[Connection], Awaitable[_T]]) -> _T:
        """Run a read, again if its connection breaks: it changes nothing. Raises ``Unavailable`` when there is none
        within the time-out, ``Overloaded`` when too many reads wait."""
        end = time.monotonic() + DATABASE_TIMEOUT_S
        while True:
            try:
                return await self._run_once(read, end)
            except _Broken as broken:
                if time.monotonic() + DATABASE_RETRY_WAIT_S > end:
                    raise unreachable(broken.__cause__, "nothing was read") from broken
                await asyncio.sleep(DATABASE_RETRY_WAIT_S)

    async def change(self, change: Callable[[Connection, bool], Awaitable[_T]]) -> _T:
        """Run a change, again if its connection breaks. It then hears that it may be done already, and has to find out:
        an attempt whose answer was lost has ended, or never begins to any effect, once another has had its lock.

        Raises ``Unavailable`` when nothing was stored, ``OutcomeUnknown`` when nobody can tell, and what the change
        raises."""
        end = time.monotonic() + DATABASE_TIMEOUT_S
        may_be_done = False
        while True:
            try:
                return await self._run_once(functools.partial(_change_once, change, may_be_done), end)
            except _Broken as broken:
                may_be_done = may_be_done or broken.may_be_done
                if time.monotonic() + DATABASE_RETRY_WAIT_S > end:
                    error = unreachable(broken.__cause__, "nothing was stored")
                    raise (_unknown(error) if may_be_done else error) from broken
            except Unavailable as error:
                raise (_unknown(error) if may_be_done else error) from error
            await _wait_before_next(DATABASE_RETRY_WAIT_S)

    async def _run_once(self, read: Callable[[Connection], Awaitable[_T]], end: float) -> _T:
        try:
            left_s = max(end - time.monotonic(), 0.1)
            async with self._pool.connection(timeout=min(left_s, DATABASE_READER_WAIT_S)) as connection:
                place = place_of(connection)
                try:
                    async with deadline(connection, end - time.monotonic()):
                        await self._confirm(connection, place)
                        return await read(connection)
                except psycopg.Error as error:
                    if is_broken(connection, error):
                        self._hosts.failed(place)
                        raise _Broken(may_be_done=True) from error
                    if is_retryable(error):
                        raise _Broken from error
                    raise translated(error) from error
        except TooManyRequests:
            raise Overloaded(
                "too many calls wait for the database; nothing was stored", retry_after_s=RETRY_AFTER_S
            ) from None
        except PoolClosed:
            raise store_closed() from None
        except PoolTimeout as error:
            raise _Broken from error

    async def _confirm(self, connection: Connection, place: Place) -> None:
        """Raises ``_Broken`` where the database may lead no more."""
        try:
            await self._confirmations.have(connection)
        except (Unconfirmed, psycopg.Error) as error:
            if isinstance(error, psycopg.Error) and not is_broken(connection, error):
                raise
            # The others of the pool will not do better.
            self._hosts.failed(place)
            await self._pool.drain()
            raise _Broken from error


_wait_before_next: Final = asyncio.sleep


async def _change_once(
    change: Callable[[Connection, bool], Awaitable[_T]], may_be_done: bool, connection: Connection
) -> _T:
    with doubts_of(connection) as doubts:
        changed = await change(connection, may_be_done)
    if doubts:
        raise OutcomeUnknown("the wait for the database's standbys was cancelled; ask again to learn the outcome")
    return changed


def _unknown(error: Exception) -> OutcomeUnknown:
    return OutcomeUnknown(f"{str(error).partition(';')[0]}; ask again to learn the outcome")


class _Broken(Exception):
    """The connection broke while it was in use, or none came, or the database chose to undo what was done with it."""

    def __init__(self, *, may_be_done: bool = False) -> None:
        super().__init__()
        self.may_be_done: Final = may_be_done
