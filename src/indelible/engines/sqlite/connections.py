"""SQLite as this engine uses it: its statements, the one way that connections are opened, the schema, and what an error
means to a caller."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, Final
from urllib.parse import quote

import apsw

from indelible.errors import (
    IndelibleError,
    InternalError,
    StorageFailure,
    StorageFull,
    StoreCorrupted,
    Unavailable,
)
from indelible.limits import RETRY_AFTER_S
from indelible.queries import Direction

# --- Statements ------------------------------------------------------------------------------------------------------

_DIRECTIONS: Final = {
    "forward": {"order": "ASC", "first": "min", "last": "max", "beyond": ">", "within": "<= :high"},
    "backward": {"order": "DESC", "first": "max", "last": "min", "beyond": "<", "within": ">= :low"},
}


@cache
def statement(name: str) -> str:
    """The text of ``sql/{name}.sql``."""
    return resources.files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


@cache
def directed(name: str, direction: Direction, **parts: str) -> str:
    """A statement with ``$`` parts, for one direction of reading."""
    return Template(statement(name)).substitute(_DIRECTIONS[direction], **parts)


def fetch(
    connection: apsw.Connection, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()
) -> list[tuple[Any, ...]]:
    """Run a statement to its end and give all its rows."""
    rows: list[tuple[Any, ...]] = connection.execute(sql, values).fetchall()
    return rows


# --- Connections and the schema --------------------------------------------------------------------------------------

APPLICATION_ID: Final = 0x496E644C
"""Marks a file as ours ("IndL"), so that no other SQLite database is ever migrated by mistake."""

PAGE_SIZE_BYTES: Final = 4_096
"""SQLite's usual one, and so that of each file here."""

WRITER_CACHE_KIB: Final = 48 * 1024
READER_CACHE_KIB: Final = 8 * 1024
INDEX_READER_CACHE_KIB: Final = 4 * 1024
WAL_SIZE_BYTES_KEPT: Final = 64 * 1024 * 1024
BUSY_TIMEOUT_MS: Final = 5_000


def connect_writer(path: Path) -> apsw.Connection:
    """A connection that may write. Commits are synced; checkpoints are the engine's own doing."""
    connection = _connect(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE, WRITER_CACHE_KIB)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "FULL")
    connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("journal_size_limit", WAL_SIZE_BYTES_KEPT)
    # They refuse what everybody else might do to events.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    # After a failed sync a checkpoint could copy pages that never became durable; an orderly close does its own.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    return connection


def connect_reader(log: Path, index: Path | None = None) -> apsw.Connection:
    """A connection that cannot write, to the log, or to index and log. It works beside a writer in another process."""
    if index is None:
        connection = _connect(log, apsw.SQLITE_OPEN_READONLY, READER_CACHE_KIB)
    else:
        connection = _connect(index, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI, INDEX_READER_CACHE_KIB)
        attach_log(connection, log)
    # It may outlive an index that is made anew, and must not take away the side files of the new one.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.pragma("query_only", True)
    return connection


def attach_log(connection: apsw.Connection, log: Path) -> None:
    """Have the log beside an index, for reading. In this order: a statement takes the states of its databases one after
    the other, and an index that is newer than the log would lead to events that are not there."""
    connection.execute("ATTACH ? AS log", (f"file:{quote(str(log))}?mode=ro",))
    connection.pragma("cache_size", -READER_CACHE_KIB, schema="log")


def _connect(path: Path, flags: int, cache_kib: int) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=64)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    # Without this guarantee SQLite plans a statement anew for every value that is bound to a range: most of a small
    # read's time.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.pragma("cache_size", -cache_kib)
    connection.pragma("temp_store", "memory")
    connection.pragma("foreign_keys", False)
    connection.execute(statement("rendered_events"))
    return connection


def migrations() -> list[tuple[int, str]]:
    """Every migration, as (schema version it leads to, SQL), in order."""
    folder = resources.files(__package__).joinpath("migrations")
    files = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name[:4]), folder.joinpath(name).read_text(encoding="utf-8")) for name in files]


def migrate(connection: apsw.Connection) -> None:
    """Bring the schema to the newest version, all or nothing. Writes nothing when it is there: a full disk must not
    keep a store from opening."""
    newest = migrations()[-1][0]
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = check_schema(connection)
        if version < newest:
            for target, sql in migrations():
                if target > version:
                    connection.execute(sql)
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", newest)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def check_schema(connection: apsw.Connection) -> int:
    """The stored schema version; 0 in an empty database. Refuses a database that is not ours, or that is newer."""
    version = int(connection.pragma("user_version"))
    newest = migrations()[-1][0]
    tables = fetch(connection, "SELECT count(*) FROM sqlite_schema")[0][0]
    if tables and connection.pragma("application_id") != APPLICATION_ID:
        raise StorageFailure("the file is an SQLite database, but not an Indelible store")
    if version > newest:
        raise StorageFailure(
            f"the store has schema version {version}, this Indelible knows up to {newest}; use a newer Indelible"
        )
    return version


# --- What errors mean ------------------------------------------------------------------------------------------------

_NOT_WRITING: Final = frozenset(
    {
        apsw.SQLITE_IOERR_READ,
        apsw.SQLITE_IOERR_SHORT_READ,
        apsw.SQLITE_IOERR_FSTAT,
        apsw.SQLITE_IOERR_ACCESS,
        apsw.SQLITE_IOERR_LOCK,
        apsw.SQLITE_IOERR_RDLOCK,
        apsw.SQLITE_IOERR_UNLOCK,
        apsw.SQLITE_IOERR_NOMEM,
        apsw.SQLITE_IOERR_SHMOPEN,
        apsw.SQLITE_IOERR_SHMSIZE,
        apsw.SQLITE_IOERR_SHMLOCK,
        apsw.SQLITE_IOERR_SHMMAP,
    }
)
"""I/O errors after which every page that was written is still known to be what was written."""


def translated(error: apsw.Error, path: Path) -> IndelibleError:
    """Of opening, reading or committing, where what was written may have become durable or not."""
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        # SQLite leaves the transaction as it was.
        return Unavailable(f"another process holds a lock on {path}; nothing was stored", retry_after_s=RETRY_AFTER_S)
    if isinstance(error, apsw.FullError):
        # SQLite could not write the commit's last page, so nothing of it can become durable.
        return StorageFull(f"no space is left for {path}; nothing was stored", retry_after_s=RETRY_AFTER_S)
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return StoreCorrupted(f"{path} is damaged: {error}")
    if isinstance(error, apsw.CantOpenError):
        return StorageFailure(f"cannot open {path}: {error}")
    return StorageFailure(f"SQLite failed on {path}: {described(error)}")


def translated_before_commit(error: Exception, path: Path) -> IndelibleError:
    """Of a transaction that is undone, and whose commit was never asked for: nothing was stored.

    A :class:`StorageFailure` ends writing all the same: of damage, and of a page that could not be written.
    """
    if isinstance(error, IndelibleError):
        return error
    if not isinstance(error, apsw.Error):
        return InternalError(f"the write broke: {type(error).__name__}: {error}; nothing was stored")
    found = translated(error, path)
    if not isinstance(found, StorageFailure) or isinstance(found, StoreCorrupted):
        return found
    if isinstance(error, apsw.IOError) and not is_while_reading(error):
        return found
    if isinstance(error, (apsw.IOError, apsw.CantOpenError, apsw.NoMemError, apsw.ReadOnlyError)):
        return Unavailable(f"{found.message}; nothing was stored", retry_after_s=RETRY_AFTER_S)
    return InternalError(f"{found.message}; nothing was stored")


def is_while_reading(error: Exception) -> bool:
    """Whether all that was written is known to be what was written, whatever this says."""
    return isinstance(error, apsw.IOError) and getattr(error, "extendedresult", 0) in _NOT_WRITING


def described(error: apsw.Error) -> str:
    """With SQLite's own name of what failed, such as SQLITE_IOERR_FSYNC: the message alone says "disk I/O error"."""
    name = apsw.mapping_extended_result_codes.get(getattr(error, "extendedresult", 0))
    return f"{error} ({name})" if name else str(error)
