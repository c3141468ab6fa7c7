"""Connections to the database of an index, few and for a bounded time; and what its errors mean to a caller."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

import psycopg
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from indelible.indexes.index import IndexUnavailable
from indelible.limits import (
    DATABASE_CONNECT_TIMEOUT_S,
    DATABASE_READER_WAIT_S,
    DATABASE_READERS_MAX,
    DATABASE_RETRY_WAIT_S,
    DATABASE_TIMEOUT_S,
    INDEX_WRITE_TIMEOUT_S,
    READS_WAITING_MAX,
    SEARCH_TIMEOUT_S,
)
from indelible.postgres_connections import Connection, Conninfo, deadline, is_broken, is_gone, one_line, why_unfit
from indelible.tasks import end_if_cancelled

T = TypeVar("T")

_WRITERS: Final = 2
"""Connections that keep the index up to date, and tell how far it has come while one is busy."""
_GRACE_S: Final = 2.0
"""Beyond the time that the database itself gives a statement."""

_MISSING: Final = ("42P01", "42703", "3F000", "42704")
"""A table, a column, a schema, an index."""


class Missing(IndexUnavailable):
    """Something of the schema is gone."""


class Database:
    """Belongs to one event loop between :meth:`open` and :meth:`close`."""

    def __init__(self, conninfo: Conninfo) -> None:
        self._conninfo: Final = conninfo
        self._pools: tuple[_Pool, _Pool] | None = None

    async def open(self, prepare: Callable[[Connection], Awaitable[None]]) -> None:
        """``prepare`` gets a connection of its own first. May be called again. Raises ``IndexUnavailable``."""
        await self._prepare(prepare)
        if self._pools is None:
            self._pools = (
                _Pool(self._conninfo, "search", DATABASE_READERS_MAX),
                _Pool(self._conninfo, "write", _WRITERS),
            )
            for pool in self._pools:
                await pool.open()

    async def _prepare(self, prepare: Callable[[Connection], Awaitable[None]]) -> None:
        parameters: dict[str, Any] = dict(self._conninfo)
        try:
            connection = await psycopg.AsyncConnection.connect(autocommit=True, row_factory=tuple_row, **parameters)
        except psycopg.Error as error:
            raise unreachable(error) from error
        try:
            async with connection, deadline(connection, INDEX_WRITE_TIMEOUT_S):
                problem = why_unfit(connection)
                if problem is not None:
                    raise IndexUnavailable(problem)
                connection.prepare_threshold = None
                await prepare(connection)
        except psycopg.Error as error:
            raise refused(error) from error

    async def search(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """In transactions that write nothing, and see one moment. Again, if the connection breaks."""
        return await self._open_pools[0].run(work, SEARCH_TIMEOUT_S + _GRACE_S, repeats=True)

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What must not wait for searches. Again, if the connection breaks."""
        return await self._open_pools[1].run(work, DATABASE_TIMEOUT_S, repeats=True)

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Once: if the connection breaks, nobody knows whether it is done."""
        return await self._open_pools[1].run(work, INDEX_WRITE_TIMEOUT_S + _GRACE_S, repeats=False)

    @property
    def _open_pools(self) -> "tuple[_Pool, _Pool]":
        if self._pools is None:
            raise IndexUnavailable("the query index is not open")
        return self._pools

    async def close(self) -> None:
        pools, self._pools = self._pools, None
        for pool in pools or ():
            await pool.close()


class _Pool:
    def __init__(self, conninfo: Conninfo, purpose: str, size: int) -> None:
        self._pool: Final = AsyncConnectionPool[Connection](
            kwargs={**conninfo, "autocommit": True, "row_factory": tuple_row},
            min_size=1,
            max_size=size,
            max_waiting=READS_WAITING_MAX,
            # A pool that had no luck for so long starts anew at the next call, instead of waiting ever longer.
            reconnect_timeout=DATABASE_CONNECT_TIMEOUT_S,
            configure=self._prepare,
            open=False,
            name=f"indelible-index-{purpose}",
        )
        self.open: Final = self._pool.open
        self.close: Final = self._pool.close

    async def _prepare(self, connection: Connection) -> None:
        # Said at the beginning of each transaction: behind a pooler nothing can be kept on a connection.
        connection.prepare_threshold = None
        await connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)

    async def run(self, work: Callable[[Connection], Awaitable[T]], timeout_s: float, *, repeats: bool) -> T:
        """Raises ``IndexUnavailable``, and what the work raises."""
        give_up_at = time.monotonic() + DATABASE_TIMEOUT_S
        while True:
            try:
                return await self._run_once(work, timeout_s)
            except _Broken as broken:
                is_over = time.monotonic() + DATABASE_RETRY_WAIT_S > give_up_at
                if is_over or not (repeats or broken.is_unused):
                    raise unreachable(broken.__cause__) from broken
            end_if_cancelled()
            await asyncio.sleep(DATABASE_RETRY_WAIT_S)

    async def _run_once(self, work: Callable[[Connection], Awaitable[T]], timeout_s: float) -> T:
        try:
            async with self._pool.connection(timeout=DATABASE_READER_WAIT_S) as connection:
                try:
                    async with deadline(connection, timeout_s), _ended(connection):
                        return await work(connection)
                except psycopg.Error as error:
                    if is_broken(connection, error):
                        raise _Broken(is_unused=False) from error
                    raise refused(error) from error
        except TooManyRequests:
            raise IndexUnavailable("too many searches are waiting") from None
        except PoolClosed:
            raise IndexUnavailable("the query index is not open") from None
        except PoolTimeout as error:
            raise _Broken(is_unused=True) from error


@asynccontextmanager
async def _ended(connection: Connection) -> AsyncIterator[None]:
    """The transaction that is begun inside, while there is a deadline for it."""
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error):
            await connection.rollback()
        raise
    await connection.commit()


class _Broken(Exception):
    """The connection broke, or none came (``is_unused``)."""

    def __init__(self, *, is_unused: bool) -> None:
        super().__init__()
        self.is_unused: Final = is_unused


# --- Errors ----------------------------------------------------------------------------------------------------------


def unreachable(error: BaseException | None) -> IndexUnavailable:
    reason = "" if error is None else f": {one_line(error)}"
    return IndexUnavailable(f"the database of the query index cannot be reached{reason}")


def refused(error: psycopg.Error) -> IndexUnavailable:
    """What an error means of a transaction that is undone."""
    if is_gone(error):
        return unreachable(error)
    code, text = error.sqlstate or "", one_line(error)
    if code in _MISSING:
        return Missing(f"something of the query index is gone from its database ({text}): it is made anew from the log")
    for codes, what in _REFUSALS:
        if code.startswith(codes):
            return IndexUnavailable(what.format(text))
    return IndexUnavailable(f"the database of the query index fails: {text} ({code or type(error).__name__})")


_REFUSALS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("55P03",), "another holds a lock in the database of the query index: {}"),
    (("57014",), "the database of the query index took too long: {}"),
    (("53100",), "no space is left for the database of the query index: {}"),
    (
        ("42501", "28"),
        "the database refuses: {}; the index needs a schema that its role owns: CREATE SCHEMA … AUTHORIZATION …",
    ),
    (("XX001", "XX002"), "the database of the query index is damaged: {}; build it anew: indelible index rebuild"),
)
