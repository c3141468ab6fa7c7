"""PostgreSQL, for whoever keeps something in it: what a URL says, how long a connection may keep silent, whether a
pooler stands between, and what an error says of the connection.

Engine and query index each have statements and answers of their own. Needs the packages of the extra ``postgres``.
"""

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from indelible.errors import InvalidRequest
from indelible.limits import DATABASE_CONNECT_TIMEOUT_S, DATABASE_TIMEOUT_S

# --- Where a database is ---------------------------------------------------------------------------------------------

Conninfo = dict[str, str | int]
"""What libpq takes."""

SERVER_VERSION_LEAST: Final = 14_00_00
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]*")
_APPLICATION_NAME: Final = "indelible"

_KEEPALIVES_IDLE_S: Final = 5
_KEEPALIVES_INTERVAL_S: Final = 2
_KEEPALIVES_COUNT: Final = 3

_DEFAULTS: Final[Conninfo] = {
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

# What is sent in binary is made without psycopg, which knows an environment that asks for another encoding.
_FIXED: Final[Conninfo] = {"client_encoding": "UTF8"}


def take_apart(url: str, own: Mapping[str, str], pointer: str) -> tuple[Conninfo, dict[str, str]]:
    """A URL ``postgresql://user@host:port/database?…``: what libpq is told, which also reads its environment variables
    and password file, and the parameters that are ours. ``own``: these, with their defaults. Raises
    :class:`InvalidRequest` at ``pointer``.
    """
    base, _, query = url.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    ours = {name: options.pop(name, default) for name, default in own.items()}
    try:
        given = conninfo_to_dict(f"{base}?{urlencode(options)}")
    except psycopg.Error as error:
        message = f"is not the URL of a PostgreSQL database: {str(error).strip()}"
        raise InvalidRequest(message, pointer=pointer) from None
    chosen = {name: value for name, value in given.items() if value}
    return {**_DEFAULTS, **chosen, **_FIXED}, ours


def check_schema(schema: str, length_max: int, pointer: str) -> str:
    """A name that needs no quotes in a statement. Raises :class:`InvalidRequest`."""
    if len(schema) > length_max or not _SCHEMA.fullmatch(schema) or schema.startswith("pg_"):
        raise InvalidRequest(
            f'the parameter schema must be a lower-case name of at most {length_max} letters, digits and "_"',
            pointer=pointer,
        )
    return schema


# --- Connections -----------------------------------------------------------------------------------------------------

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


def why_unfit(connection: Connection) -> str | None:
    """What is wrong with the server of a connection, for people."""
    if connection.info.server_version < SERVER_VERSION_LEAST:
        major = SERVER_VERSION_LEAST // 10_000
        return f"PostgreSQL {major} or newer is needed, not {connection.info.server_version // 10_000}"
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in ("UTF8", None):
        return f"the database's encoding is {encoding}; events need one in UTF8"
    return None


async def find_pooler(connection: Connection) -> bool:
    """A pooler such as PgBouncer answers with a process number of its own making when a client connects."""
    row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    assert row is not None
    return bool(row[0] != connection.info.backend_pid)


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


# --- Errors ----------------------------------------------------------------------------------------------------------

_CONNECTION_GONE: Final = (
    "08",  # connection exceptions
    "57P",  # shutdown, crash, starting up; the database dropped
    "25006",  # read only: it was the primary before a failover
    "25P03",  # idle in a transaction for too long: this process was held up
)


def is_gone(error: psycopg.Error) -> bool:
    """Whether the connection is of no more use, and another may be."""
    code = error.sqlstate
    if code is None:
        return isinstance(error, psycopg.OperationalError)
    return code.startswith(_CONNECTION_GONE)


def is_broken(connection: Connection, error: psycopg.Error) -> bool:
    """Whether an error, or what it did to the connection, means that another connection is needed."""
    return connection.closed or connection.broken or is_gone(error)


def one_line(error: BaseException) -> str:
    """The first line of an error's text, which says what happened; the rest quotes the statement."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
