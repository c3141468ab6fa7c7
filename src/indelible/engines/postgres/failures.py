"""What an error of the database means: whether to try again, and what a caller is told."""

from typing import Final

import psycopg

from indelible.errors import (
    IndelibleError,
    Overloaded,
    PayloadTooLarge,
    StorageFailure,
    StorageFull,
    StoreCorrupted,
    Unavailable,
)
from indelible.limits import RETRY_AFTER_S
from indelible.postgres_connections import is_gone, one_line

_TRY_AGAIN: Final = ("40001", "40P01")  # serialization failure, deadlock
_CUT_OFF: Final = "57014"
_LOCKED: Final = "55P03"
_NO_PARTITION: Final = "23514"
_DAMAGED: Final = ("XX001", "XX002", "58030")


def is_retryable(error: psycopg.Error) -> bool:
    """Whether the same transaction may succeed when it is simply run again."""
    return (error.sqlstate or "") in _TRY_AGAIN


def is_cut_off(error: psycopg.Error) -> bool:
    """Whether the statement was at work for too long, or an administrator ended it."""
    return error.sqlstate == _CUT_OFF


def is_locked(error: psycopg.Error) -> bool:
    """Whether others held for too long what was waited for."""
    return error.sqlstate == _LOCKED


def too_large(statement_timeout_s: float) -> PayloadTooLarge:
    """Of an append that would take longer than the database lets a statement take."""
    return PayloadTooLarge(
        f"takes longer to store than the database's statement_timeout allows, {statement_timeout_s:g} s: append fewer "
        "events at once, or raise statement_timeout for the store's role (ALTER ROLE … SET statement_timeout); nothing "
        "was stored",
        statement_timeout_s=statement_timeout_s,
    )


def lacks_partition(error: psycopg.Error) -> bool:
    """Whether a position has no table to go to."""
    return error.sqlstate == _NO_PARTITION


def is_replication_doubt(diagnostic: psycopg.errors.Diagnostic) -> bool:
    """Whether a notice says that a commit is on the primary's disk, but the wait for its standbys was cancelled. Its
    message is in the server's language; the place in the server's source is not."""
    return diagnostic.source_function == "SyncRepWaitForLSN"


def unreachable(error: BaseException | None, what: str) -> Unavailable:
    """``what`` says what did not happen."""
    reason = f" ({one_line(error)})" if error is not None else ""
    return Unavailable(f"the database cannot be reached{reason}; {what}", retry_after_s=RETRY_AFTER_S)


def translated(error: psycopg.Error) -> IndelibleError:
    """The store's error for one of the database, of a transaction that is undone."""
    if is_gone(error) or is_retryable(error):
        return unreachable(error, "nothing was stored")
    code, text = error.sqlstate or "", one_line(error)
    for codes, kind, what in _REFUSALS:
        if code.startswith(codes):
            return kind(f"{what.format(text)}; nothing was stored", retry_after_s=RETRY_AFTER_S)
    if code.startswith(_DAMAGED):
        return StoreCorrupted(f"the database is damaged: {text}")
    return StorageFailure(f"PostgreSQL failed: {text} ({code or type(error).__name__})")


_REFUSALS: Final[tuple[tuple[tuple[str, ...], type[Unavailable], str], ...]] = (
    # statement_timeout or an administrator; lock_timeout
    ((_CUT_OFF, _LOCKED), Overloaded, "the database gave up waiting: {}"),
    (("53100",), StorageFull, "no space is left for the database: {}"),
    # too many connections, out of memory; an object in use
    (("53", "55006"), Overloaded, "the database is short of something: {}"),
    (("42501", "28"), Unavailable, 'the database refuses: {} ("indelible init" gives a role its rights)'),
)
