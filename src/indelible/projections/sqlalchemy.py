"""Read models in PostgreSQL or SQLite, through SQLAlchemy: its connections, or its sessions."""

import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache, partial
from typing import Any, Final, TypeVar, overload

import sqlalchemy
from sqlalchemy import Connection, CursorResult, Engine, Result, TextClause
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from indelible.errors import InvalidRequest
from indelible.projections.database import (
    DEFAULT_TABLE,
    AsyncTransaction,
    Database,
    Row,
    Transaction,
    may_pass,
    told_apart,
)
from indelible.projections.threads import Begun, ThreadedDatabase

S = TypeVar("S", Connection, Session)
A = TypeVar("A", AsyncConnection, AsyncSession)


class SqlalchemyDatabase(ThreadedDatabase[S]):
    """Handlers are ordinary functions, called in a thread. Of an ``Engine`` they get a ``Connection``; of a
    ``sessionmaker`` that is bound to one, a ``Session``, which is flushed and committed for them. Needs SQLAlchemy 2.
    """

    @overload
    def __init__(self: "SqlalchemyDatabase[Connection]", source: Engine, *, table: str = ...) -> None: ...
    @overload
    def __init__(self: "SqlalchemyDatabase[Session]", source: sessionmaker[Session], *, table: str = ...) -> None: ...
    def __init__(self, source: Engine | sessionmaker[Session], *, table: str = DEFAULT_TABLE) -> None:
        super().__init__(_dialect_of(source), table)
        self._source: Final[Any] = source

    @contextmanager
    def begin(self, *, read_only: bool) -> Iterator[Begun]:  # noqa: ARG002 - it makes no difference here
        with told_apart(_may_pass), self._source.begin() as connection:
            yield Begun(connection, partial(_fetch, connection), connection.in_transaction)


class AsyncSqlalchemyDatabase(Database[A]):
    """Handlers are coroutine functions. Of an ``AsyncEngine`` they get an ``AsyncConnection``; of an
    ``async_sessionmaker`` that is bound to one, an ``AsyncSession``. Needs ``SQLAlchemy[asyncio]`` 2."""

    @overload
    def __init__(
        self: "AsyncSqlalchemyDatabase[AsyncConnection]", source: AsyncEngine, *, table: str = ...
    ) -> None: ...
    @overload
    def __init__(
        self: "AsyncSqlalchemyDatabase[AsyncSession]", source: async_sessionmaker[AsyncSession], *, table: str = ...
    ) -> None: ...
    def __init__(self, source: AsyncEngine | async_sessionmaker[AsyncSession], *, table: str = DEFAULT_TABLE) -> None:
        super().__init__(_dialect_of(source), table)
        self._source: Final[Any] = source

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncGenerator[Transaction[A]]:  # noqa: ARG002 - it makes no difference here
        with told_apart(_may_pass):
            async with self._source.begin() as connection:
                yield AsyncTransaction(connection, partial(_fetch_async, connection), connection.in_transaction)


def _dialect_of(source: Any) -> str:
    if isinstance(source, (sessionmaker, async_sessionmaker)):
        source = source.kw.get("bind")
    if not isinstance(source, (Engine, AsyncEngine)):
        raise InvalidRequest("must be an engine, or a maker of sessions that is bound to one", pointer="/source")
    if "AUTOCOMMIT" in (_own_isolation(source), source.get_execution_options().get("isolation_level")):
        raise InvalidRequest("must have transactions; this one commits each statement by itself", pointer="/source")
    return source.dialect.name


def _own_isolation(source: Engine | AsyncEngine) -> object:
    """What the engine was made with; SQLAlchemy tells nobody."""
    return getattr(source.dialect, "_on_connect_isolation_level", None)


def _fetch(connection: Connection | Session, statement: str, values: Sequence[object]) -> Sequence[Row]:
    return _rows(connection.execute(_text(statement), _named(values)))


async def _fetch_async(
    connection: AsyncConnection | AsyncSession, statement: str, values: Sequence[object]
) -> Sequence[Row]:
    return _rows(await connection.execute(_text(statement), _named(values)))


@cache
def _text(statement: str) -> TextClause:
    """There are few, of each table."""
    return sqlalchemy.text(re.sub(r"\$(\d)", r":value_\1", statement))


def _named(values: Sequence[object]) -> Mapping[str, object]:
    return {f"value_{n}": value for n, value in enumerate(values, 1)}


def _rows(result: Result[Any]) -> Sequence[Row]:
    """None of a statement that gives none."""
    has_rows = not isinstance(result, CursorResult) or result.returns_rows
    return [tuple(row) for row in result] if has_rows else []


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, DBAPIError):
        of_driver = error.orig is not None and may_pass(error.orig)
        return error.connection_invalidated or of_driver or _is_of_connecting(error)
    return isinstance(error, sqlalchemy.exc.TimeoutError) or may_pass(error)


def _is_of_connecting(error: DBAPIError) -> bool:
    """The driver has no code of the server's, nor of SQLite's."""
    has_code = any(getattr(error.orig, name, None) for name in ("sqlstate", "pgcode", "sqlite_errorcode"))
    return isinstance(error, (OperationalError, InterfaceError)) and not has_code
