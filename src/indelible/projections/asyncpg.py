"""Read models in PostgreSQL, through a pool of asyncpg's."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final, Protocol

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


class Pool(Protocol):
    """What is needed of ``asyncpg.Pool``."""

    def acquire(self) -> AbstractAsyncContextManager[Any]: ...


class AsyncpgDatabase(Database[Any]):
    """Handlers are coroutine functions, and get an ``asyncpg.Connection``. The pool is the application's, which has
    opened it in the same event loop and closes it. Needs asyncpg.

    A host that is gone without a word is noticed within the ``command_timeout`` that the pool's connections have.
    """

    def __init__(self, pool: Pool, *, table: str = DEFAULT_TABLE) -> None:
        super().__init__("postgresql", table)
        self._pool: Final = pool

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncGenerator[Transaction[Any]]:
        with told_apart(may_pass):
            async with self._pool.acquire() as connection:
                try:
                    async with connection.transaction(readonly=read_only):
                        yield AsyncTransaction(connection, partial(_fetch, connection), connection.is_in_transaction)
                except Exception as error:
                    # What it then says depends on when it was lost.
                    if _is_lost(connection):
                        raise DatabaseUnavailable(str(error) or "the connection was lost") from error
                    raise


def _is_lost(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except Exception:  # noqa: BLE001 - the pool has taken it back, as it does with those that are lost
        return True


async def _fetch(connection: Any, statement: str, values: Sequence[object]) -> Sequence[Row]:
    return [tuple(row) for row in await connection.fetch(statement, *values)]
