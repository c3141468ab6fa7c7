"""The database file itself, by whatever name it is reached: who writes to it, whether it is still there, and whether it
is all of it.

Names prove nothing: one file may have several (links), and one name may come to mean another file (``mv``, ``rm``, a
restore). So a store is told apart by the file's device and inode, and what belongs to it is kept with the inode:

- the right to write is a lock on one byte far beyond the data. It belongs to the open file (an OFD lock), so it is
  there for as long as the descriptor, however the process dies, and has nothing to do with SQLite's own locks;
- who has that right is an extended attribute of the file, for the error that a second process gets.

SQLite's own locks are of the other kind, which POSIX takes away from a process that closes *any* descriptor of the
file. So all descriptors of one file in this process are closed together, when the last store that uses it has closed
its connections.

How far the log went is noted in the header of the database file, where SQLite has no say. Between two checkpoints the
newest events are in the write-ahead log alone. A copy of the database file without it is a sound database, only an
older one: nothing in it tells that events are missing. So each commit notes the position that it reached in bytes of
the file's header that SQLite reserves and never looks at (72 to 91). The note is written past SQLite, after the commit
is on stable storage: it is never ahead of the log, and a file whose log ends before it lacks events for certain. A
checkpoint may put an older note in its place for a moment, which only makes it say less. It holds 4 bytes of mark, the
position in 8 and the CRC-32 of both in 4, then 4 bytes of zeros. A backup or a VACUUM by SQLite's own means keeps an
older note, or none.
"""

import contextlib
import errno
import fcntl
import os
import struct
import sys
import threading
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw
import msgspec

from indelible.engines.sqlite.connections import fetch
from indelible.errors import StorageFailure, StoreCorrupted, StoreLocked

END_NOTE_OFFSET: Final = 72
END_NOTE_SIZE_BYTES: Final = 20

_MARK: Final = b"end1"
_BODY: Final = struct.Struct(">4sQ")
_NOTE: Final = struct.Struct(">4sQI4x")


def encode_end_note(position: int) -> bytes:
    return _NOTE.pack(_MARK, position, zlib.crc32(_BODY.pack(_MARK, position)))


def decode_end_note(note: bytes) -> int:
    """The position; 0 where there is no note, or none that is whole."""
    if len(note) < END_NOTE_SIZE_BYTES:
        return 0
    mark, position, checksum = _NOTE.unpack(note)
    return position if mark == _MARK and checksum == zlib.crc32(_BODY.pack(_MARK, position)) else 0


FileId = tuple[int, int]
"""Device and inode."""

_LOCKED_BYTE: Final = 2**62
"""SQLite locks bytes near 2^30, and no file is so long."""
_FLOCK: Final = "hhqqi4x"
"""``struct flock`` of Linux: type, whence, start, length, process."""
_OWNER_ATTRIBUTE: Final = "user.indelible.writer"
_COMMAND_LENGTH_MAX: Final = 1_000


class _Opened:
    """What this process has open of one file."""

    def __init__(self) -> None:
        self.descriptors: list[int] = []
        self.users = 0


_opened: Final[dict[FileId, _Opened]] = {}
_opened_lock: Final = threading.Lock()


class StoreFile:
    """The file at ``path`` and its write-ahead log. Blocking; any thread may call :meth:`check`."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._name: Final = str(path)
        self._log_name = ""
        self._descriptor = -1
        self._id: FileId | None = None
        self._log_id: FileId | None = None
        self._is_writer = False
        self.had_log = False
        """Whether there was a write-ahead log when the file was opened."""

    @property
    def log_path(self) -> Path:
        """SQLite puts it beside the file that a symbolic link leads to."""
        return Path(os.path.realpath(self.path) + "-wal")

    @property
    def inode(self) -> int:
        """Of the file that is open."""
        assert self._id is not None, "the file is not open"
        return self._id[1]

    # --- Opening and closing -----------------------------------------------------------------------------------------

    def open_for_writing(self) -> None:
        """Create the file if it is not there, and take the right to write. Raises :class:`StoreLocked`,
        :class:`StoreCorrupted` and :class:`OSError`."""
        self._refuse_log_without_database()
        self._open(os.O_RDWR | os.O_CREAT)
        try:
            self._lock()
        except BaseException:
            self.close()
            raise
        self._write_owner()

    def open_for_reading(self) -> None:
        """Raises :class:`StoreLocked` when a process writes to the file by another name: what it has in its write-ahead
        log cannot be found by this one. Raises :class:`OSError`."""
        self._open(os.O_RDONLY)
        try:
            self._refuse_other_name(self._owner() if self.has_writer() else {})
        except BaseException:
            self.close()
            raise

    def _refuse_other_name(self, owner: dict[str, Any]) -> None:
        if owner.get("log") not in (None, _text(_id_of(self._log_name))):
            raise StoreLocked(
                f"{_described(owner)} has this store open by another name, {owner.get('path')}, with a write-ahead log "
                "of that name. Open the store by that name",
                owner=owner,
            )

    def _refuse_log_without_database(self) -> None:
        log = self.log_path
        if size_bytes(self.path) == 0 and size_bytes(log) > 0:
            raise StoreCorrupted(
                f"{self.path} is missing or empty, but its write-ahead log {log} is there, and holds events. Put the "
                "database back beside it; to begin a new store, move the log away"
            )

    def _open(self, flags: int) -> None:
        self._log_name = str(self.log_path)
        self.had_log = size_bytes(self.log_path) > 0
        with _opened_lock:
            descriptor = os.open(self._name, flags | os.O_CLOEXEC, 0o644)
            found = os.fstat(descriptor)
            self._id, self._descriptor = (found.st_dev, found.st_ino), descriptor
            opened = _opened.setdefault(self._id, _Opened())
            opened.descriptors.append(descriptor)
            opened.users += 1

    def close(self) -> None:
        """Let go of the file; nothing when it is not open. Call when SQLite's connections to it are closed."""
        if self._id is None:
            return
        with _opened_lock:
            opened = _opened[self._id]
            if self._is_writer:
                with contextlib.suppress(OSError):
                    os.removexattr(self._descriptor, _OWNER_ATTRIBUTE)
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK))
            opened.users -= 1
            if not opened.users:
                for descriptor in opened.descriptors:
                    os.close(descriptor)
                del _opened[self._id]
        self._id, self._is_writer = None, False

    # --- Who writes --------------------------------------------------------------------------------------------------

    def _lock(self) -> None:
        # Each descriptor is an open file of its own, so this refuses a second writer of the same process as well.
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK))
        except (BlockingIOError, PermissionError):
            raise self._locked() from None
        self._is_writer = True

    def _locked(self) -> StoreLocked:
        owner = self._owner()
        by_name = owner.get("path")
        name = f" (by the name {by_name})" if by_name not in (None, os.path.realpath(self.path)) else ""
        return StoreLocked(
            f"{_described(owner)} has this store open for writing{name}; one process at a time may. Stop it, send "
            f"requests to it, or open the store for reading. File: {self.path}",
            owner=owner,
        )

    def has_writer(self) -> bool:
        """Whether anybody has the right to write."""
        # Only asks: a lock taken for the question could keep a writer out.
        answer = fcntl.fcntl(self._descriptor, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK))
        return bool(struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK)

    def _write_owner(self) -> None:
        owner = {
            "pid": os.getpid(),
            "command": " ".join(sys.argv)[:_COMMAND_LENGTH_MAX],
            "since": datetime.now(UTC).isoformat(),
            "path": os.path.realpath(self.path),
            "log": None if self._log_id is None else _text(self._log_id),
        }
        # Some file systems have no such attributes, and a full one has no room: the lock works all the same.
        with contextlib.suppress(OSError):
            os.setxattr(self._descriptor, _OWNER_ATTRIBUTE, msgspec.json.encode(owner))

    def _owner(self) -> dict[str, Any]:
        try:
            return msgspec.json.decode(os.getxattr(self._descriptor, _OWNER_ATTRIBUTE), type=dict[str, Any])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return {}

    # --- Whether it is still there -----------------------------------------------------------------------------------

    def watch_log(self) -> None:
        """From now on the write-ahead log, which SQLite has open, belongs to what must stay."""
        self._log_id = _id_of(self._log_name)
        self._write_owner()

    def check(self) -> None:
        """Raises :class:`StorageFailure` when a name leads to another file than the one that is open, or to none; its
        field ``gone`` says which, "database" or "log". Two calls of the system, about 2 µs."""
        self.check_database()
        if self._log_id is not None and _id_of(self._log_name) != self._log_id:
            raise _gone("log", self._log_name)

    def check_database(self) -> None:
        """The same for the database alone."""
        if _id_of(self._name) != self._id:
            raise _gone("database", self._name)

    # --- How far the log went ----------------------------------------------------------------------------------------

    def note_end(self, position: int) -> None:
        """Note that the log, side file included, goes to ``position`` and is on stable storage so far."""
        # The note is a help for later; that it cannot be written says nothing about the log.
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, encode_end_note(position), END_NOTE_OFFSET)

    def noted_end(self) -> int:
        """How far the log went when that was last noted; 0 when it never was."""
        return decode_end_note(os.pread(self._descriptor, END_NOTE_SIZE_BYTES, END_NOTE_OFFSET))


def _gone(what: str, name: str) -> StorageFailure:
    kind = {"database": "database file", "log": "write-ahead log"}[what]
    happened = "was deleted or moved" if _id_of(name) is None else "was replaced by another file"
    return StorageFailure(
        f"the {kind} {name} {happened} while the store was open, so the store has stopped. Put back the database file "
        "and its -wal, both from the same moment (moved files, or a backup), and start again",
        gone=what,
    )


def _id_of(name: str) -> FileId | None:
    try:
        found = os.stat(name)  # noqa: PTH116 - asked at every commit, and Path.stat takes twice as long
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise StorageFailure(f"cannot look at {name}: {error.strerror}", gone="unknown") from error
    return found.st_dev, found.st_ino


def size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _text(file_id: FileId | None) -> str | None:
    return None if file_id is None else f"{file_id[0]}:{file_id[1]}"


def _flock(kind: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, _LOCKED_BYTE, 1, 0)


def _described(owner: dict[str, Any]) -> str:
    try:
        return f"process {owner['pid']} ({owner['command']}, since {owner['since']})"
    except KeyError:
        return "another process"


# --- A log that ends too early ---------------------------------------------------------------------------------------


class MissingEnd(NamedTuple):
    position: int
    """The first event that is not there."""
    reason: str


def find_missing_end(connection: apsw.Connection, file: StoreFile) -> MissingEnd | None:
    """None when nothing is known to be missing."""
    # In this order: whoever writes beside this commits first and notes it then.
    noted = file.noted_end()
    has_events = fetch(connection, "SELECT count(*) FROM pragma_table_list WHERE name = 'events'")[0][0]
    head = fetch(connection, "SELECT coalesce(max(position), 0) FROM events")[0][0] if has_events else 0
    if head >= noted:
        return None
    log = file.log_path
    beside = (
        f"the write-ahead log {log} beside it is not the one that held them"
        if file.had_log
        else f"its write-ahead log {log}, which held them, is not there"
    )
    return MissingEnd(
        head + 1,
        f"the log ends at position {head}, but it went to {noted} when it was last seen, and {beside}. Copy the "
        "database and its -wal together. Where that file is lost, the events up to here can be copied to a new store: "
        f"indelible copy --from sqlite:{file.path} --to sqlite:NEW.db",
    )


# --- Checkpoints -----------------------------------------------------------------------------------------------------


def checkpoint_beside(file: StoreFile) -> None:
    """Copy what is in the log now; commits go on meanwhile."""
    connection = apsw.Connection(str(file.path))
    try:
        # After it was opened: what stands behind the name is then the store's own file.
        file.check()
        connection.pragma("synchronous", "FULL")
        connection.pragma("wal_autocheckpoint", 0)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    finally:
        connection.close()
