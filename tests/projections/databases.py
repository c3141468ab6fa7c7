"""Every driver that read models are kept through, each as an application would have it."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import psycopg
import psycopg_pool
import sqlalchemy
from sqlalchemy import orm
from sqlalchemy.ext import asyncio as alchemy

from indelible import RecordedEvent
from indelible.projections.asyncpg import AsyncpgDatabase
from indelible.projections.database import Database
from indelible.projections.psycopg import AsyncPsycopgDatabase, PsycopgDatabase
from indelible.projections.sqlalchemy import AsyncSqlalchemyDatabase, SqlalchemyDatabase
from indelible.projections.sqlite import SqliteDatabase

PATIENCE_S = 20.0
"""For a connection, or for a file's lock, on a busy machine."""
TABLE = "CREATE TABLE seen{} (place integer PRIMARY KEY, event_id text NOT NULL UNIQUE, number integer NOT NULL)"
INSERT = "INSERT INTO seen{} SELECT count(*) + 1, {}, {} FROM seen{}"
"""Each event has a place of its own, so that what comes twice or in another order is seen."""


class Opened(NamedTuple):
    """A database, and how its handlers run a statement."""

    database: Database[Any]
    execute: Callable[..., Any]
    marks: tuple[str, str]
    """What values are called in a statement."""

    def prepare(self, suffix: str = "") -> Callable[[Any], Any]:
        return lambda connection: self.execute(connection, TABLE.format(suffix))

    def handle(self, suffix: str = "") -> Callable[[Any, RecordedEvent], Any]:
        statement = INSERT.format(suffix, *self.marks, suffix)

        def handle(connection: Any, event: RecordedEvent) -> Any:
            return self.execute(connection, statement, str(event.event_id), event.event_data["number"])

        return handle


def _alchemy(connection: Any, statement: str, *values: object) -> Any:
    names = ("a", "b")
    return connection.execute(sqlalchemy.text(statement), dict(zip(names, values, strict=False)))


def _driver(connection: Any, statement: str, *values: object) -> Any:
    return connection.execute(statement, values)


def _asyncpg(connection: Any, statement: str, *values: object) -> Any:
    return connection.execute(statement, *values)


def _sqlalchemy_url(url: str, driver: str) -> str:
    return url.replace("postgresql://", f"postgresql+{driver}://")


@asynccontextmanager
async def _with_asyncpg(url: str) -> AsyncIterator[Opened]:
    async with asyncpg.create_pool(url, min_size=0, max_size=4) as pool:
        yield Opened(AsyncpgDatabase(pool), _asyncpg, ("$1", "$2::int"))


@asynccontextmanager
async def _with_async_psycopg(url: str) -> AsyncIterator[Opened]:
    async with psycopg_pool.AsyncConnectionPool(url, min_size=0, max_size=4, timeout=PATIENCE_S, open=False) as pool:
        yield Opened(AsyncPsycopgDatabase(pool), _driver, ("%s", "%s"))


@asynccontextmanager
async def _with_psycopg(url: str) -> AsyncIterator[Opened]:
    with psycopg_pool.ConnectionPool(url, min_size=0, max_size=4, timeout=PATIENCE_S, open=False) as pool:
        yield Opened(PsycopgDatabase(pool), _driver, ("%s", "%s"))


@asynccontextmanager
async def _with_engine(url: str, driver: str = "psycopg") -> AsyncIterator[Opened]:
    engine = sqlalchemy.create_engine(_sqlalchemy_url(url, driver))
    yield Opened(SqlalchemyDatabase(engine), _alchemy, (":a", ":b"))
    engine.dispose()


@asynccontextmanager
async def _with_sessions(url: str) -> AsyncIterator[Opened]:
    engine = sqlalchemy.create_engine(url)
    yield Opened(SqlalchemyDatabase(orm.sessionmaker(engine)), _alchemy, (":a", ":b"))
    engine.dispose()


@asynccontextmanager
async def _with_async_engine(url: str) -> AsyncIterator[Opened]:
    engine = alchemy.create_async_engine(_sqlalchemy_url(url, "asyncpg"))
    yield Opened(AsyncSqlalchemyDatabase(engine), _alchemy, (":a", ":b"))
    await engine.dispose()


@asynccontextmanager
async def _with_async_sessions(url: str) -> AsyncIterator[Opened]:
    engine = alchemy.create_async_engine(_sqlalchemy_url(url, "psycopg"))
    yield Opened(AsyncSqlalchemyDatabase(alchemy.async_sessionmaker(engine)), _alchemy, (":a", ":b"))
    await engine.dispose()


@asynccontextmanager
async def _with_sqlite(path: str) -> AsyncIterator[Opened]:
    with contextlib.closing(SqliteDatabase(path, timeout_s=PATIENCE_S)) as database:
        yield Opened(database, _driver, ("?", "?"))


@asynccontextmanager
async def _with_sqlite_sessions(path: str) -> AsyncIterator[Opened]:
    async with _with_sessions(f"sqlite:///{path}?timeout={PATIENCE_S}") as opened:
        yield opened


class Place(NamedTuple):
    """Where one kind of database is. It may be opened again and again."""

    kind: str
    where: str
    """The URL of a PostgreSQL database, or the path of a file."""

    def open(self) -> AbstractAsyncContextManager[Opened]:
        return KINDS[self.kind](self.where)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Beside whatever else uses it."""
        if self.is_file:
            with contextlib.closing(sqlite3.connect(self.where, PATIENCE_S)) as connection, connection:
                return connection.execute(statement).fetchall()
        with psycopg.connect(self.where, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @property
    def is_file(self) -> bool:
        return self.kind in FILES

    def seen(self, suffix: str = "") -> list[int]:
        """The numbers of the events in the read model, in the order in which they came."""
        return [number for (number,) in self.query(f"SELECT number FROM seen{suffix} ORDER BY place")]


KINDS: Mapping[str, Callable[[str], AbstractAsyncContextManager[Opened]]] = {
    "asyncpg": _with_asyncpg,
    "async-psycopg": _with_async_psycopg,
    "psycopg": _with_psycopg,
    "engine": _with_engine,
    "async-engine": _with_async_engine,
    "async-sessions": _with_async_sessions,
    "sqlite": _with_sqlite,
    "sqlite-sessions": _with_sqlite_sessions,
}
FILES = ("sqlite", "sqlite-sessions")


def place(kind: str, folder: Path, new_database: Callable[[], str]) -> Place:
    return Place(kind, str(folder / "read.db") if kind in FILES else new_database())
