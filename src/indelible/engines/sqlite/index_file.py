"""The index beside a log: a second SQLite database with what finds events by aggregate, id, type or tag.

All in it follows from the log. So no append waits for it: it is filled behind the log, a part at a time, by statements
that run within SQLite, without the interpreter's lock. Its own commits are not synced, only its checkpoints are: after
a power cut it may be older than it was, which it says of itself, but it is never torn.

An index that is missing, damaged, of another schema version or of another log (the hash of the last event that it knows
is not the log's) is made anew, beside the old one, and takes its place when it is whole. So is one that belongs to
another file than the log's: a copy of both that was made while they were written to holds parts of different moments.
"""

import contextlib
import logging
import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Final

import apsw

from indelible.engines.sqlite.connections import PAGE_SIZE_BYTES, attach_log, fetch, statement
from indelible.engines.sqlite.store_file import size_bytes
from indelible.errors import StoreCorrupted, Unavailable
from indelible.limits import (
    INDEX_REBUILD_EVENTS,
    INDEX_ROUND_EVENTS_MAX,
    INDEX_TAIL_EVENTS_MAX,
    RETRY_AFTER_S,
    WAL_SIZE_BYTES_MAX,
)

_log: Final = logging.getLogger(__name__)

INDEX_VERSION: Final = 2
"""Of ``index.sql``. There are no migrations: an index of another version is made anew."""

_APPLICATION_ID: Final = 0x496E6449
"""Marks a file as an index of ours ("IndI")."""

CACHE_KIB: Final = 32 * 1024
WAL_FRAMES: Final = 16_384
"""Pages in its write-ahead log (64 MiB) at which the index is checkpointed, and synced."""

OnProgress = Callable[[int, int], None]
"""Hears how many events have been indexed, and of how many."""


def index_path(log: Path) -> Path:
    """Beside the file that a symbolic link leads to, as SQLite's own side files are."""
    return Path(os.path.realpath(log) + "-index")


def no_progress(_done: int, _of: int) -> None:
    pass


def say_progress(log: Path) -> OnProgress:
    """Says it in this module's log, where it takes more than a moment: a terminal shows that."""

    def say(done: int, of: int) -> None:
        if of > INDEX_TAIL_EVENTS_MAX:
            _log.warning("making the index of %s from the log: %d of %d events", log, done, of)

    return say


def reindex(log: Path, on_progress: OnProgress) -> int:
    """Make the index of a log anew that nobody writes to; how many events it has. Blocks. Raises
    :class:`StoreCorrupted`, :class:`apsw.Error` and :class:`OSError`."""
    index = Index(log, index_path(log))
    try:
        index.rebuild(on_progress)
        return index.indexed
    finally:
        index.close()


class Index:
    """The index at ``path`` of the log at ``log``, for whoever fills it. Blocking; for one thread at a time."""

    def __init__(self, log: Path, path: Path) -> None:
        self._log: Final = log
        self.path: Final = path
        self._connection: apsw.Connection | None = None
        self._inode = 0
        self.indexed = 0
        """Every event up to this position is in the index."""

    def open(self, on_progress: OnProgress = no_progress) -> None:
        """Open the one that is there, or make it anew. Raises :class:`apsw.Error`, :class:`OSError`, and
        :class:`StoreCorrupted` when the log cannot be indexed."""
        if not self._open_sound():
            self.rebuild(on_progress)

    def _open_sound(self) -> bool:
        if not self.path.exists():
            return False
        try:
            connection = self._connect(self.path)
        except (apsw.CorruptError, apsw.NotADBError):
            return False
        try:
            indexed = sound_up_to(connection, self._log_inode())
        except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError):
            indexed = None
        if indexed is None:
            connection.close()
            return False
        self._take(connection, indexed)
        return True

    def _take(self, connection: apsw.Connection, indexed: int) -> None:
        connection.pragma("journal_mode", "wal", schema="main")
        # Consistent after a power cut, and perhaps older; only checkpoints are synced.
        connection.pragma("synchronous", "NORMAL", schema="main")
        connection.pragma("wal_autocheckpoint", WAL_FRAMES)
        connection.pragma("journal_size_limit", WAL_FRAMES * PAGE_SIZE_BYTES, schema="main")
        # From now on its side files are there, so that nobody needs space to read it.
        fetch(connection, "SELECT indexed FROM state")
        self._connection, self.indexed = connection, indexed
        self._inode = self.path.stat().st_ino

    def _connect(self, path: Path, flags: int = apsw.SQLITE_OPEN_READWRITE) -> apsw.Connection:
        connection = apsw.Connection(str(path), flags=flags | apsw.SQLITE_OPEN_URI)
        connection.set_busy_timeout(5_000)
        # A connection to a file that was replaced would take away the side files of the new one.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.pragma("cache_size", -CACHE_KIB, schema="main")
        connection.pragma("temp_store", "memory")
        attach_log(connection, self._log)
        connection.execute(statement("rendered_events"))
        return connection

    def _log_inode(self) -> int:
        return self._log.stat().st_ino

    # --- Making it anew ----------------------------------------------------------------------------------------------

    def rebuild(self, on_progress: OnProgress = no_progress, *, until: int | None = None) -> None:
        """Make the index anew from the log, as far as it goes now, or up to the position ``until``."""
        self.close()
        new = self.path.with_name(self.path.name + "-new")
        _unlink(new)
        connection = self._connect(new, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        try:
            # Nobody needs it before it is whole, or when that fails.
            connection.pragma("journal_mode", "off", schema="main")
            connection.pragma("synchronous", "OFF", schema="main")
            self._fill(connection, until, on_progress)
        except BaseException:
            connection.close()
            _unlink(new)
            raise
        connection.close()
        self._replace(new)
        connection = self._connect(self.path)
        self._take(connection, int(fetch(connection, "SELECT indexed FROM state")[0][0]))

    def _fill(self, connection: apsw.Connection, until: int | None, on_progress: OnProgress) -> None:
        connection.execute(resources.files(__package__).joinpath("index.sql").read_text(encoding="utf-8"))
        connection.execute(statement("begin_index"), (self._log_inode(),))
        head = until
        if head is None:
            head = int(fetch(connection, "SELECT coalesce(max(position), 0) FROM events")[0][0])
        for first in range(1, head + 1, INDEX_REBUILD_EVENTS):
            last = min(first + INDEX_REBUILD_EVENTS - 1, head)
            _add(connection, first, last)
            on_progress(last, head)
        connection.pragma("application_id", _APPLICATION_ID, schema="main")
        connection.pragma("user_version", INDEX_VERSION, schema="main")

    def _replace(self, new: Path) -> None:
        """Let the new one take the old one's place: on stable storage first, and without the old one's side files. At
        no moment is there an index without the side files that belong to it, or with others."""
        _sync(new)
        _unlink(self.path)
        _sync(self.path.parent)
        for beside in ("-wal", "-shm"):
            _unlink(self.path.with_name(self.path.name + beside))
        _sync(self.path.parent)
        new.rename(self.path)

    # --- Going on ----------------------------------------------------------------------------------------------------

    def advance(self, last: int) -> None:
        """Take in the events up to ``last``. Raises :class:`apsw.Error`; :class:`StoreCorrupted` when they do not
        continue what is there: then either the index is damaged, or the log is."""
        connection = self.connection
        if self.wal_size_bytes() > WAL_SIZE_BYTES_MAX and self._uncopied_size_bytes() > WAL_SIZE_BYTES_MAX:
            raise Unavailable(
                f"a reader of another process keeps the write-ahead log of {self.path} from being copied",
                retry_after_s=RETRY_AFTER_S,
            )
        while self.indexed < last:
            until = min(self.indexed + INDEX_ROUND_EVENTS_MAX, last)
            connection.execute("BEGIN IMMEDIATE")
            try:
                _add(connection, self.indexed + 1, until)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            self.indexed = until

    def wal_size_bytes(self) -> int:
        return size_bytes(self.path.with_name(self.path.name + "-wal"))

    def _uncopied_size_bytes(self) -> int:
        """What of the write-ahead log is not in the database file after an attempt: what others still read."""
        logged, copied = self.connection.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_PASSIVE)
        return (logged - copied) * PAGE_SIZE_BYTES

    def is_there(self) -> bool:
        """Whether its name still leads to it."""
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def is_sound(self) -> bool:
        """Looks through all of it: a second for a million events."""
        try:
            return fetch(self.connection, "PRAGMA main.quick_check(1)") == [("ok",)]
        except (apsw.CorruptError, apsw.NotADBError):
            return False

    @property
    def connection(self) -> apsw.Connection:
        assert self._connection is not None, "the index is not open"
        return self._connection

    def close(self) -> None:
        """Leaves one file, if nobody reads it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with contextlib.suppress(apsw.Error, OSError):
            if self.is_there():
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        connection.close()


def sound_up_to(connection: apsw.Connection, log_inode: int) -> int | None:
    """How far the index of a connection goes; None when it is none of the log beside it, or of another version. Raises
    :class:`apsw.Error` of one that cannot be read."""
    if connection.pragma("application_id", schema="main") != _APPLICATION_ID:
        return None
    if connection.pragma("user_version", schema="main") != INDEX_VERSION:
        return None
    rows = fetch(connection, statement("index_state"))
    if len(rows) != 1:
        return None
    indexed, stored_hash, inode, log_hash = rows[0]
    return int(indexed) if inode == log_inode and stored_hash == log_hash else None


def _add(connection: apsw.Connection, first: int, last: int) -> None:
    values = {"first": first, "last": last}
    try:
        connection.execute(statement("index_versions"), values)
        if connection.changes() != last - first + 1:
            raise StoreCorrupted(f"events between the positions {first} and {last} are missing", position=first)
        connection.execute(statement("index_events"), values)
    except apsw.ConstraintError as error:
        raise StoreCorrupted(
            f"between the positions {first} and {last} a version or an event id stands twice, or an event lacks a "
            f"name: {error}", position=first,
        ) from error  # fmt: skip
    except apsw.SQLError as error:
        raise StoreCorrupted(f"between the positions {first} and {last} tags are no JSON: {error}") from error


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
