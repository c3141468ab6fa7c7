"""Read models in PostgreSQL, through a pool of psycopg's: with coroutine functions, or with ordinary ones."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from indelible.projections.database import (
    DEFAULT_TABLE,
    AsyncTransaction,
    Database,
    DatabaseUnavailable,
    Row,
    Transaction,
    may_pass,
    told_apart,
)
from indelible.projections.threads import Begun, ThreadedDatabase

AsyncConnection = psycopg.AsyncConnection[Any]
Connection = psycopg.Connection[Any]


class AsyncPsycopgDatabase(Database[AsyncConnection]):
    """Handlers are coroutine functions, and get a ``psycopg.AsyncConnection``. The pool is the application's, which has
    opened it in the same event loop and closes it. Needs ``psycopg[pool]``."""

    def __init__(self, pool: AsyncConnectionPool[Any], *, table: str = DEFAULT_TABLE) -> None:
        super().__init__("postgresql", table)
        self._pool: Final = pool

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncGenerator[Transaction[AsyncConnection]]:  # noqa: ARG002 - it makes no difference here
        with told_apart(_may_pass):
            async with self._pool.connection() as connection:
                with _lost_is_away(connection):
                    async with connection.transaction():
                        is_open = partial(_is_open, connection)
                        yield AsyncTransaction(connection, partial(_fetch_async, connection), is_open)


class PsycopgDatabase(ThreadedDatabase[Connection]):
    """Handlers are ordinary functions, called in a thread, and get a ``psycopg.Connection``. The pool is the
    application's, which has opened it and closes it. Needs ``psycopg[pool]``."""

    def __init__(self, pool: ConnectionPool[Any], *, table: str = DEFAULT_TABLE) -> None:
        super().__init__("postgresql", table)
        self._pool: Final = pool

    @contextmanager
    def begin(self, *, read_only: bool) -> Iterator[Begun]:  # noqa: ARG002 - it makes no difference here
        with (
            told_apart(_may_pass),
            self._pool.connection() as connection,
            _lost_is_away(connection),
            connection.transaction(),
        ):
            yield Begun(connection, partial(_fetch, connection), partial(_is_open, connection))


# A raw cursor takes the values as PostgreSQL itself does.


async def _fetch_async(connection: AsyncConnection, statement: str, values: Sequence[object]) -> Sequence[Row]:
    async with psycopg.AsyncRawCursor(connection, row_factory=tuple_row) as cursor:
        await cursor.execute(statement.encode(), values)
        return [] if cursor.description is None else await cursor.fetchall()


def _fetch(connection: Connection, statement: str, values: Sequence[object]) -> Sequence[Row]:
    with psycopg.RawCursor(connection, row_factory=tuple_row) as cursor:
        cursor.execute(statement.encode(), values)
        return [] if cursor.description is None else cursor.fetchall()


def _is_open(connection: AsyncConnection | Connection) -> bool:
    return connection.info.transaction_status == TransactionStatus.INTRANS


def _may_pass(error: BaseException) -> bool:
    """No connection came about, or it was lost, where the server has said nothing."""
    return may_pass(error) or (isinstance(error, psycopg.OperationalError) and error.sqlstate is None)


@contextmanager
def _lost_is_away(connection: AsyncConnection | Connection) -> Iterator[None]:
    """What the driver says of a connection that was lost depends on when it was."""
    try:
        yield
    except Exception as error:
        if connection.closed:
            raise DatabaseUnavailable(str(error) or "the connection was lost") from error
        raise
