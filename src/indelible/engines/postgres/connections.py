"""A PostgreSQL database as this engine uses it: what its URL says, how connections are made and how long they may keep
silent, and the statements, one file each, made for one schema."""

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from functools import cache
from importlib import resources
from typing import Any, Final, LiteralString
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from indelible.engines.postgres.failures import is_gone
from indelible.errors import InvalidRequest
from indelible.limits import DATABASE_CONNECT_TIMEOUT_S, DATABASE_TIMEOUT_S
from indelible.queries import Direction

# --- Where a store is ------------------------------------------------------------------------------------------------

SCHEMA_DEFAULT: Final = "indelible"
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_APPLICATION_NAME: Final = "indelible"

_KEEPALIVES_IDLE_S: Final = 5
_KEEPALIVES_INTERVAL_S: Final = 2
_KEEPALIVES_COUNT: Final = 3


class Address(msgspec.Struct, frozen=True):
    """A database, a schema in it, and what is asked for by name."""

    conninfo: dict[str, str | int]
    """What libpq takes."""
    schema: str
    """Holds one store. A lower-case name that needs no quotes."""
    may_lose_commits: bool
    """Whether ``synchronous_commit=off`` was asked for: a crash of the database may then take acknowledged events."""


def parse_address(url: str) -> Address:
    """Take a URL ``postgresql://user@host:port/database?schema=NAME&synchronous_commit=off&…`` apart.

    ``schema`` and ``synchronous_commit`` are ours; all else is libpq's, which also reads its environment variables and
    password file. Raises :class:`InvalidRequest`.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    schema = options.pop("schema", SCHEMA_DEFAULT)
    if not _SCHEMA.fullmatch(schema) or schema.startswith("pg_"):
        raise InvalidRequest(
            'the parameter schema must be a lower-case name of at most 40 letters, digits and "_"', pointer="/store"
        )
    commit = options.pop("synchronous_commit", "on")
    if commit not in ("on", "off"):
        raise InvalidRequest('the parameter synchronous_commit must be "on" or "off"', pointer="/store")
    try:
        given = conninfo_to_dict(urlunsplit(parts._replace(query=urlencode(options))))
    except psycopg.Error as error:
        message = f"is not the URL of a PostgreSQL database: {str(error).strip()}"
        raise InvalidRequest(message, pointer="/store") from None
    chosen = {name: value for name, value in given.items() if value}
    return Address({**_DEFAULTS, **chosen, **_FIXED}, schema, commit == "off")


_DEFAULTS: Final[dict[str, str | int]] = {
    "application_name": _APPLICATION_NAME,
    "connect_timeout": DATABASE_CONNECT_TIMEOUT_S,
    # Of several hosts, the one that takes writes: after a failover that is another than before.
    "target_session_attrs": "read-write",
    # A host that is gone says nothing: these find it out.
    "tcp_user_timeout": DATABASE_TIMEOUT_S * 1000,
    "keepalives": 1,
    "keepalives_idle": _KEEPALIVES_IDLE_S,
    "keepalives_interval": _KEEPALIVES_INTERVAL_S,
    "keepalives_count": _KEEPALIVES_COUNT,
}

# Arrays are made here, and not by psycopg, which knows an environment that asks for another encoding.
_FIXED: Final[dict[str, str | int]] = {"client_encoding": "UTF8"}


# --- Statements ------------------------------------------------------------------------------------------------------

_DIRECTIONS: Final[dict[Direction, dict[str, str]]] = {
    "forward": {"order": "ASC", "first": "min", "last": "max", "from": ">=", "up_to": "<="},
    "backward": {"order": "DESC", "first": "max", "last": "min", "from": "<=", "up_to": ">="},
}


_PARTS: Final = ("line", "size", "set_timeouts")
"""What stands in several statements."""


class Statements:
    """Statements for one schema. Its name needs no quotes: an :class:`Address` has seen to that."""

    def __init__(self, schema: str) -> None:
        self._schema: Final = schema
        self._made: Final[dict[tuple[str, Direction], LiteralString]] = {}

    def __call__(self, name: str, direction: Direction = "forward") -> LiteralString:
        """The text of ``sql/{name}.sql``. ``direction`` counts where the statement has one."""
        made = self._made.get((name, direction))
        if made is None:
            made = self._made[name, direction] = self._make(name, direction)
        return made

    def _make(self, name: str, direction: Direction) -> LiteralString:
        parts = {**{part: text_of("sql", part) for part in _PARTS}, **_DIRECTIONS[direction]}
        return in_schema(_fill(text_of("sql", name), parts), self._schema)


def in_schema(text: str, schema: str) -> LiteralString:
    """A statement's text for a schema. psycopg takes literal text only, to keep values out: none is in a file."""
    return _fill(text, {"schema": schema})


def _fill(text: str, parts: dict[str, str]) -> str:
    # Not str.format: JSON's braces stand in the statements too.
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return text


@cache
def text_of(folder: str, name: str) -> str:
    """The text of a file of this package, without the comments at its beginning."""
    lines = resources.files(__package__).joinpath(folder, f"{name}.sql").read_text(encoding="utf-8").splitlines()
    while lines[0].startswith("--"):
        del lines[0]
    return "\n".join(lines)


# --- Connections -----------------------------------------------------------------------------------------------------

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

_SESSION: Final = (
    # Compiling a small read takes longer than the read; and no statement here is ever better off with a scan.
    "SET jit = off",
    "SET enable_seqscan = off",
    "SET plan_cache_mode = force_generic_plan",
)


async def connect(address: Address, *, read_only: bool = False) -> Connection:
    """A connection that commits by itself. Raises :class:`psycopg.Error`."""
    parameters: dict[str, Any] = dict(address.conninfo)
    if read_only:
        parameters["target_session_attrs"] = "any"
    connection = await psycopg.AsyncConnection.connect(autocommit=True, row_factory=tuple_row, **parameters)
    try:
        await prepare(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


async def prepare(connection: Connection) -> None:
    """Set up how a new connection works. Behind a pooler nothing may be set or kept on it. Raises
    :class:`psycopg.Error`."""
    # What the database has for a default may be stricter; each statement must see what was committed before it.
    await connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)
    async with deadline(connection, DATABASE_CONNECT_TIMEOUT_S):
        if await _find_pooler(connection):
            connection.prepare_threshold = None
        else:
            connection.prepare_threshold = 0
            for setting in _SESSION:
                await connection.execute(setting)


async def _find_pooler(connection: Connection) -> bool:
    """A pooler such as PgBouncer answers with a process number of its own making when a client connects."""
    row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    assert row is not None
    return bool(row[0] != connection.info.backend_pid)


def is_pooled(connection: Connection) -> bool:
    """Whether a pooler stands between, so that nothing outlives a transaction: no LISTEN, no prepared statements."""
    return connection.prepare_threshold is None


@contextlib.asynccontextmanager
async def deadline(connection: Connection, timeout_s: float) -> AsyncIterator[None]:
    """Give the connection up when what is inside takes longer; psycopg then raises that it is broken.

    Shutting its socket is what ends a wait at once: to cancel would mean to talk to a server that does not answer.
    """
    handle = asyncio.get_running_loop().call_later(timeout_s, _shut, connection)
    try:
        yield
    finally:
        handle.cancel()


def _shut(connection: Connection) -> None:
    if connection.closed:
        return
    with contextlib.suppress(OSError, psycopg.Error), _socket_of(connection) as sock:
        sock.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _socket_of(connection: Connection) -> Iterator[socket.socket]:
    """The socket under a connection; a copy, so that closing it closes nothing else."""
    sock = socket.socket(fileno=os.dup(connection.fileno()))
    try:
        yield sock
    finally:
        sock.close()


def is_broken(connection: Connection, error: psycopg.Error) -> bool:
    """Whether an error, or what it did to the connection, means that another connection is needed."""
    return connection.closed or connection.broken or is_gone(error)


Rows = list[tuple[Any, ...]]


class Session(msgspec.Struct, frozen=True):
    """A connection, and the statements that are run on it; what for is the subclass's."""

    connection: Connection
    statement: Statements

    async def _fetch(self, name: str, direction: Direction = "forward", /, **values: Any) -> Rows:
        cursor = self.connection.cursor(binary=True)
        await cursor.execute(self.statement(name, direction), values)
        return await cursor.fetchall()
