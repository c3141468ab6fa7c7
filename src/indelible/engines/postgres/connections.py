"""Connections to the database: how they are made, and how long they may keep silent."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import psycopg
from psycopg.rows import tuple_row

from indelible.engines.postgres.address import Address
from indelible.engines.postgres.failures import is_gone
from indelible.limits import DATABASE_CONNECT_TIMEOUT_S

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
    """Settle how a new connection works. Behind a pooler nothing may be set or kept on it. Raises
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
    """Give the connection up when what is inside takes longer; psycopg then raises that it is lost.

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


def is_lost(connection: Connection, error: psycopg.Error) -> bool:
    """Whether an error, or what it did to the connection, means that another connection is needed."""
    return connection.closed or connection.broken or is_gone(error)
