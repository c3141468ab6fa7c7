"""The table of checkpoints: how far each version of each read model has come, beside the read models themselves.

A row is the lock of its version, too. Whoever moves a read model locks the row where it was found first, and moves it
in the same transaction last: of two that try, one waits for the other's end, and then finds that it has lost.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from indelible.cursors import Cursor
from indelible.events import RecordedEvent
from indelible.projections.database import C, Database, Dialect, Row, Transaction


class LastEvent(msgspec.Struct, frozen=True):
    """The last event that a handler had: where to find it, and its hash, which says what all events before it are."""

    aggregate_type: str
    aggregate_id: str
    version: int
    hash: str

    @classmethod
    def of(cls, event: RecordedEvent) -> "LastEvent":
        return cls(event.aggregate_type, event.aggregate_id, event.version, event.hash)


class Checkpoint(msgspec.Struct, frozen=True):
    """How far a version of a read model has come."""

    version: int
    cursor: Cursor
    is_live: bool
    """Whether this is the version that is read. One is, of each name."""
    last_event: LastEvent | None = None


def table_statements(table: str, dialect: Dialect = "postgresql") -> tuple[str, ...]:
    """What makes the table of checkpoints, where it is missing."""
    schema, _, name = table.rpartition(".")
    # An index has no schema of its own in PostgreSQL, and its table has none in SQLite.
    index, on = (f"{name}_live", table) if dialect == "postgresql" or not schema else (f"{schema}.{name}_live", name)
    columns = (
        "    name text NOT NULL,\n"
        "    version integer NOT NULL,\n"
        "    cursor text NOT NULL,\n"
        "    is_live boolean NOT NULL,\n"
        "    last_event text,\n"
        "    PRIMARY KEY (name, version)\n"
    )
    return (
        f"CREATE TABLE IF NOT EXISTS {table} (\n{columns})",
        f"CREATE UNIQUE INDEX IF NOT EXISTS {index} ON {on} (name) WHERE is_live",
    )


_DROPPED: Final = "dropped"
"""In place of the cursor of a version that was dropped: its row stays, so that nobody begins it again."""

_LOCK_WHILE_MAKING: Final = "SELECT pg_advisory_xact_lock(1768842596)"
"""PostgreSQL: two that make the table at once would both make it. Any number will do."""


class CheckpointTable:
    """The statements on it, each within a transaction of the caller's."""

    def __init__(self, database: Database[C]) -> None:
        table = self._table = database.table
        self._dialect: Final = database.dialect
        columns = "version, cursor, is_live, last_event"
        # The table's name was checked, and all else is bound.
        self._all: Final = f"SELECT {columns} FROM {table} WHERE name = $1 AND cursor <> '{_DROPPED}' ORDER BY version"
        self._add: Final = (
            f"INSERT INTO {table} (name, version, cursor, is_live) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT DO NOTHING RETURNING version"
        )
        place = "WHERE name = $1 AND version = $2 AND cursor = $3 RETURNING version"
        self._lock: Final = f"UPDATE {table} SET cursor = cursor {place}"
        self._move: Final = f"UPDATE {table} SET cursor = $4, last_event = COALESCE($5, last_event) {place}"
        self._lock_all: Final = f"UPDATE {table} SET cursor = cursor WHERE name = $1 RETURNING version"
        self._retire: Final = f"UPDATE {table} SET is_live = false WHERE name = $1 AND is_live RETURNING version"
        self._set_live: Final = f"UPDATE {table} SET is_live = true WHERE name = $1 AND version = $2 RETURNING version"
        self._drop: Final = (
            f"UPDATE {table} SET cursor = '{_DROPPED}', last_event = NULL"
            " WHERE name = $1 AND version = $2 RETURNING version"
        )
        self._find_dropped: Final = (
            f"SELECT version FROM {table} WHERE name = $1 AND version = $2 AND cursor = '{_DROPPED}'"
        )

    async def make(self, transaction: Transaction[C]) -> None:
        """Where it is missing. Who finds it needs no right to make tables."""
        if await self.is_there(transaction):
            return
        if self._dialect == "postgresql":
            await transaction.fetch(_LOCK_WHILE_MAKING)
        for statement in table_statements(self._table, self._dialect):
            await transaction.fetch(statement)

    async def is_there(self, transaction: Transaction[C]) -> bool:
        """Asked each time: whoever has made it may not have committed that."""
        if self._dialect == "postgresql":
            rows = await transaction.fetch("SELECT to_regclass($1) IS NOT NULL", self._table)
        else:
            schema, _, name = self._table.rpartition(".")
            tables = f"{schema}.sqlite_master" if schema else "sqlite_master"
            rows = await transaction.fetch(f"SELECT count(*) FROM {tables} WHERE type = 'table' AND name = $1", name)
        return bool(rows[0][0])

    async def read(self, transaction: Transaction[C], name: str) -> tuple[Checkpoint, ...]:
        """Of all versions, the oldest first; none where the table is missing."""
        if not await self.is_there(transaction):
            return ()
        return tuple([_checkpoint(row) for row in await transaction.fetch(self._all, name)])

    async def add(self, transaction: Transaction[C], name: str, new: Checkpoint) -> bool:
        """False where another has added it, or another version is live."""
        return bool(await transaction.fetch(self._add, name, new.version, str(new.cursor), new.is_live))

    async def lock(self, transaction: Transaction[C], name: str, version: int, cursor: Cursor) -> bool:
        """Nobody else moves this version until the transaction ends. False where it is not, or no more, there."""
        return bool(await transaction.fetch(self._lock, name, version, str(cursor)))

    async def move(
        self,
        transaction: Transaction[C],
        name: str,
        version: int,
        *,
        before: Cursor,
        after: Cursor,
        last: RecordedEvent | None,
    ) -> bool:
        """``last``: the last event that was passed, if there was one. False as :meth:`lock` says."""
        text = None if last is None else msgspec.json.encode(LastEvent.of(last)).decode()
        return bool(await transaction.fetch(self._move, name, version, str(before), str(after), text))

    async def lock_all(self, transaction: Transaction[C], name: str) -> tuple[Checkpoint, ...]:
        """All versions, which nobody else moves until the transaction ends."""
        if await self.is_there(transaction):
            await transaction.fetch(self._lock_all, name)
        return await self.read(transaction, name)

    async def make_live(self, transaction: Transaction[C], name: str, version: int) -> None:
        """In place of the one that is."""
        await transaction.fetch(self._retire, name)
        await transaction.fetch(self._set_live, name, version)

    async def drop(self, transaction: Transaction[C], name: str, version: int) -> None:
        await transaction.fetch(self._drop, name, version)

    async def is_dropped(self, transaction: Transaction[C], name: str, version: int) -> bool:
        return bool(await transaction.fetch(self._find_dropped, name, version))


def live_of(checkpoints: Sequence[Checkpoint]) -> Checkpoint | None:
    return next((one for one in checkpoints if one.is_live), None)


def version_of(checkpoints: Sequence[Checkpoint], version: int) -> Checkpoint | None:
    return next((one for one in checkpoints if one.version == version), None)


def _checkpoint(row: Row) -> Checkpoint:
    version, cursor, is_live, text = row
    last = None if text is None else msgspec.json.decode(text, type=LastEvent)
    return Checkpoint(int(version), Cursor.parse(cursor), bool(is_live), last)
