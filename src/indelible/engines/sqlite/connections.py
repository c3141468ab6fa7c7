"""Opens SQLite connections the one way that this engine uses them."""

from importlib import resources
from pathlib import Path
from typing import Final

import apsw

from indelible.engines.sqlite.statements import fetch, statement
from indelible.errors import StorageFailure

APPLICATION_ID: Final = 0x496E644C
"""Marks a file as ours ("IndL"), so that no other SQLite database is ever migrated by mistake."""

WRITER_CACHE_KIB: Final = 48 * 1024
READER_CACHE_KIB: Final = 8 * 1024
WAL_SIZE_BYTES_KEPT: Final = 64 * 1024 * 1024
BUSY_TIMEOUT_MS: Final = 5_000


def connect_writer(path: Path) -> apsw.Connection:
    """A connection that may write. Commits are synced; checkpoints are the engine's own doing."""
    connection = _connect(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE, WRITER_CACHE_KIB)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "FULL")
    connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("journal_size_limit", WAL_SIZE_BYTES_KEPT)
    # After a failed sync a checkpoint could copy pages that never became durable; an orderly close does its own.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    return connection


def connect_reader(path: Path) -> apsw.Connection:
    """A connection that cannot write. It works beside a writer in another process."""
    connection = _connect(path, apsw.SQLITE_OPEN_READONLY, READER_CACHE_KIB)
    connection.execute(statement("rendered_events"))
    connection.pragma("query_only", True)
    return connection


def _connect(path: Path, flags: int, cache_kib: int) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=64)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    # Without this guarantee SQLite plans a statement anew for every value that is bound to a range: most of a small
    # read's time.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.pragma("cache_size", -cache_kib)
    connection.pragma("temp_store", "memory")
    connection.pragma("foreign_keys", False)
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
