"""What an error of SQLite means to a caller, and whether the engine may go on after it."""

from pathlib import Path
from typing import Final

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
    if isinstance(error, apsw.IOError) and getattr(error, "extendedresult", 0) not in _NOT_WRITING:
        return found
    if isinstance(error, (apsw.IOError, apsw.CantOpenError, apsw.NoMemError, apsw.ReadOnlyError)):
        return Unavailable(f"{found.message}; nothing was stored", retry_after_s=RETRY_AFTER_S)
    return InternalError(f"{found.message}; nothing was stored")


def described(error: apsw.Error) -> str:
    """With SQLite's own name of what failed, such as SQLITE_IOERR_FSYNC: the message alone says "disk I/O error"."""
    name = apsw.mapping_extended_result_codes.get(getattr(error, "extendedresult", 0))
    return f"{error} ({name})" if name else str(error)
