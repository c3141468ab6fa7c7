"""SQLite as this index uses it: how its files are opened and told apart, and what an error means to a caller."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, Final

import apsw

from indelible.indexes.index import IndexUnavailable
from indelible.limits import FILE_LOCK_WAIT_S

FORMAT: Final = 3
"""Of both schemas. There are no migrations: an index of an older format is made anew."""

CATALOG_ID: Final = 0x496E6443
GENERATION_ID: Final = 0x496E6447
"""Mark files as ours ("IndC", "IndG")."""

PAGE_SIZE_BYTES: Final = 8_192
"""A commit writes about as many bytes as with pages half as large, in half as many calls of the system."""
WAL_FRAMES: Final = 8_192
"""Pages in a write-ahead log (64 MiB) at which it is copied into its database."""

WRITER_CACHE_KIB: Final = 128 * 1024
READER_CACHE_KIB: Final = 16 * 1024

DAMAGE: Final = (apsw.CorruptError, apsw.NotADBError)


class Damaged(Exception):
    """A file is not what was written. Says why, for people."""


class Newer(Exception):
    """A file is of a newer format."""


class Foreign(Exception):
    """A file is an SQLite database that is none of ours."""


def create(path: Path, application_id: int, schema: str) -> apsw.Connection:
    """A new file, in one transaction: a file without a schema is none."""
    connection = connect(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    connection.pragma("page_size", PAGE_SIZE_BYTES)
    connection.pragma("journal_mode", "wal")
    with transaction(connection):
        connection.execute(statement(schema))
        connection.pragma("application_id", application_id)
        connection.pragma("user_version", FORMAT)
    return connection


def connect_writer(path: Path, application_id: int, tables: Sequence[str]) -> apsw.Connection:
    """To a file that is one of ours, and is left as it is otherwise. Raises :class:`Damaged`, :class:`Newer` or
    :class:`Foreign`, and :class:`apsw.Error`."""
    try:
        connection = connect(path, apsw.SQLITE_OPEN_READWRITE)
    except DAMAGE as error:
        raise Damaged(str(error)) from error
    try:
        check(connection, path, application_id, tables)
        connection.pragma("journal_mode", "wal")
    except (*DAMAGE, apsw.SQLError, ValueError, TypeError) as error:
        connection.close()
        raise Damaged(str(error)) from error
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> apsw.Connection:
    """A connection that cannot write. It works beside a writer in another process."""
    connection = connect(path, apsw.SQLITE_OPEN_READONLY, READER_CACHE_KIB)
    # It may outlive the file, and must not take anything away.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.pragma("query_only", True)
    return connection


def connect(path: Path, flags: int, cache_kib: int = WRITER_CACHE_KIB) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=64)
    connection.set_busy_timeout(FILE_LOCK_WAIT_S * 1_000)
    # Statements say themselves what to begin with; they are not planned anew for every value.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.pragma("cache_size", -cache_kib)
    connection.pragma("temp_store", "memory")
    # The log is the truth: a power cut may take the newest commits, and never a part of one.
    connection.pragma("synchronous", "NORMAL")
    connection.pragma("wal_autocheckpoint", WAL_FRAMES)
    connection.pragma("journal_size_limit", WAL_FRAMES * PAGE_SIZE_BYTES)
    return connection


def check(connection: apsw.Connection, path: Path, application_id: int, tables: Sequence[str]) -> None:
    """Raises :class:`Damaged`, :class:`Newer` or :class:`Foreign`, and :class:`apsw.Error`."""
    found, version = connection.pragma("application_id"), connection.pragma("user_version")
    if found != application_id:
        if found == 0 and not fetch(connection, "SELECT 1 FROM sqlite_schema LIMIT 1"):
            raise Damaged("it is empty")
        raise Foreign(f"{path} is an SQLite database, but no query index of Indelible")
    if version > FORMAT:
        raise Newer(f"{path} is a query index of format {version}, this Indelible knows up to {FORMAT}")
    if version < FORMAT:
        raise Damaged(f"it is of the older format {version}")
    if path.stat().st_size < connection.pragma("page_count") * PAGE_SIZE_BYTES and not _size(beside(path, "-wal")):
        raise Damaged("it is shorter than it was")
    for table in tables:
        fetch(connection, f"SELECT * FROM {table} LIMIT 1")


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def wal_size_bytes(path: Path) -> int:
    return _size(beside(path, "-wal"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def identity_of(path: Path) -> tuple[int, int] | None:
    """Of the file that stands there now: another one has another, as long as somebody has this one open."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def remove(path: Path) -> None:
    """With its side files, which without it would be taken for those of another."""
    for suffix in ("", "-wal", "-shm"):
        beside(path, suffix).unlink(missing_ok=True)


def put_aside(path: Path, to: Path) -> None:
    """Where people can look at it; one that was put there before goes."""
    remove(to)
    if beside(path, "-wal").exists():
        beside(path, "-wal").rename(beside(to, "-wal"))
    if path.exists():
        path.rename(to)
    remove(path)


def sync_folder(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- Statements ------------------------------------------------------------------------------------------------------


@cache
def statement(name: str) -> str:
    """The text of ``{name}.sql``."""
    return resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


@cache
def made_statement(name: str, **parts: str | int) -> str:
    """The same, with names and numbers of ours in their places."""
    return Template(statement(name)).substitute(parts)


def fetch(
    connection: apsw.Connection, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()
) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = connection.execute(sql, values).fetchall()
    return rows


@contextmanager
def transaction(connection: apsw.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def unavailable(error: Exception, path: Path) -> IndexUnavailable:
    """Of what was undone, or never begun."""
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return IndexUnavailable(f"another process holds a lock on the query index {path}")
    if isinstance(error, apsw.FullError):
        return IndexUnavailable(f"no space is left for the query index {path}")
    name = apsw.mapping_extended_result_codes.get(getattr(error, "extendedresult", 0))
    return IndexUnavailable(f"the query index {path} cannot be used: {error}{f' ({name})' if name else ''}")
