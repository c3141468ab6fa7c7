"""Read models in a database file of SQLite's, through the ``sqlite3`` of the standard library."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from indelible.errors import InvalidRequest
from indelible.projections.database import DEFAULT_TABLE, Row, may_pass, told_apart
from indelible.projections.threads import Begun, ThreadedDatabase

_TIMEOUT_S: Final = 5.0
"""As long as ``sqlite3`` waits for a lock by itself."""


class SqliteDatabase(ThreadedDatabase[sqlite3.Connection]):
    """Handlers are ordinary functions, called in a thread, and get a ``sqlite3.Connection``.

    The file is made where it is missing. ``on_connect`` is called with each new connection, and may set what SQLite
    keeps with it, such as ``PRAGMA foreign_keys = ON``. A transaction waits ``timeout_s`` seconds for the file's lock.
    Raises ``InvalidRequest`` for a database in memory, which no two connections share.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        table: str = DEFAULT_TABLE,
        timeout_s: float = _TIMEOUT_S,
        on_connect: Callable[[sqlite3.Connection], object] | None = None,
    ) -> None:
        super().__init__("sqlite", table)
        if str(path) in ("", ":memory:"):
            raise InvalidRequest("must be a file: a database in memory belongs to one connection", pointer="/path")
        self._path: Final = path
        self._timeout_s: Final = timeout_s
        self._on_connect: Final = on_connect
        self._idle: Final[list[sqlite3.Connection]] = []

    @contextmanager
    def begin(self, *, read_only: bool) -> Iterator[Begun]:
        with told_apart(may_pass):
            connection = self._idle.pop() if self._idle else self._connect()
            try:
                # With the lock from the start: one that reads first may find that it cannot have the lock any more.
                connection.execute("BEGIN" if read_only else "BEGIN IMMEDIATE")
                yield Begun(connection, partial(_fetch, connection), partial(_is_open, connection))
                connection.execute("COMMIT")
            except BaseException:
                # Which rolls back, whatever state it is in.
                connection.close()
                raise
            self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        # Used by one thread at a time, though not always by the same one.
        connection = sqlite3.connect(self._path, self._timeout_s, isolation_level=None, check_same_thread=False)
        try:
            if self._on_connect is not None:
                self._on_connect(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Let go of the file. A transaction that comes later opens it again."""
        while self._idle:
            self._idle.pop().close()


def _fetch(connection: sqlite3.Connection, statement: str, values: Sequence[object]) -> Sequence[Row]:
    return connection.execute(statement.replace("$", "?"), values).fetchall()


def _is_open(connection: sqlite3.Connection) -> bool:
    return connection.in_transaction
