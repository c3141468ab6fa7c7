"""What a projection asks of the database that has the read model: transactions, each with a connection of its own.

A driver is one small class, in a module of its own, which loads it: nobody needs a driver that is not used. One that
blocks is a :class:`indelible.projections.threads.ThreadedDatabase`.
"""

import re
import socket
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from inspect import isawaitable
from typing import Any, Final, Generic, Literal, TypeVar

from indelible.errors import InvalidRequest
from indelible.events import RecordedEvent

C = TypeVar("C")
"""What a handler works with: the driver's connection, or a session of SQLAlchemy."""

Handler = Callable[[C, RecordedEvent], Awaitable[object] | object]
"""Writes what an event means into the read model. With a driver that blocks it is called in a thread."""
Step = Callable[[C], Awaitable[object] | object]
"""Something else that is done in a transaction: tables that are made, dropped or renamed."""

Row = tuple[Any, ...]
Dialect = Literal["postgresql", "sqlite"]

DEFAULT_TABLE: Final = "indelible_projections"
_TABLE: Final = re.compile(r"(?:[a-z_][a-z0-9_]{0,62}\.)?[a-z_][a-z0-9_]{0,55}")


class DatabaseUnavailable(Exception):
    """The database cannot be reached, is locked, or has given the transaction up. Trying again later may help."""


class Transaction(ABC, Generic[C]):
    """One that is under way. What is done in it is saved together, or not at all."""

    @abstractmethod
    async def fetch(self, statement: str, *values: object) -> Sequence[Row]:
        """The rows that a statement gives. Its values are ``$1``, ``$2``, …, each of which may stand in it again."""

    @abstractmethod
    async def run(self, steps: Iterable[Step[C]]) -> None:
        """One after another. Raises what they raise, and ``RuntimeError`` when they have ended the transaction."""


class Database(ABC, Generic[C]):
    """A database, reached by what the application has for it: a pool, an engine, a file.

    ``table`` is that of the checkpoints: a lower-case name that needs no quotes, with a schema before it if need be.
    Raises :class:`InvalidRequest`.
    """

    is_blocking = False
    """Whether steps and handlers are called in a thread, so that they cannot be coroutine functions."""

    def __init__(self, dialect: str, table: str = DEFAULT_TABLE) -> None:
        if dialect not in ("postgresql", "sqlite"):
            raise InvalidRequest(f"must be PostgreSQL or SQLite, not {dialect}", pointer="/database")
        if not isinstance(table, str) or not _TABLE.fullmatch(table):
            raise InvalidRequest(
                'must be a lower-case name of letters, digits and "_", with a schema and "." before it or without',
                pointer="/table",
            )
        self.dialect: Final[Dialect] = "sqlite" if dialect == "sqlite" else "postgresql"
        self.table: Final = table

    @abstractmethod
    def transaction(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Transaction[C]]:
        """Begins one, and commits it in the end; rolls it back when an error comes out of the block. Raises
        :class:`DatabaseUnavailable` where trying again may help, and else what the driver raises."""


class AsyncTransaction(Transaction[C]):
    """Of a driver that does not block."""

    def __init__(
        self, connection: C, execute: Callable[[str, Sequence[object]], Awaitable[Sequence[Row]]],
        is_open: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._connection: Final = connection
        self._execute: Final = execute
        self._is_open: Final = is_open

    async def fetch(self, statement: str, *values: object) -> Sequence[Row]:
        return await self._execute(statement, values)

    async def run(self, steps: Iterable[Step[C]]) -> None:
        for step in steps:
            done = step(self._connection)
            if isawaitable(done):
                await done
        check_open(self._is_open())


def check_open(is_open: bool) -> None:
    if not is_open:
        raise RuntimeError("the transaction is the projection's: what is called in it must not commit or roll back")


# --- Errors ----------------------------------------------------------------------------------------------------------

_LATER: Final = (
    "08",  # connection exceptions
    "25006",  # read only: it was the primary before a failover
    "25P03",  # idle in a transaction for too long: this process was held up
    "40",  # given up for another transaction: serialization, deadlock
    "53",  # no connections, memory or space left
    "55P03",  # a lock was not to be had in time
    "57",  # shutdown, crash, starting up; cancelled by a time-out or an administrator
)

_BUSY: Final = frozenset((5, 6, 10, 13, 14, 15))
"""SQLite: busy, locked, I/O error, full, cannot open, locking protocol."""


def may_pass(error: BaseException) -> bool:
    """Whether trying again may help, as far as SQLSTATE, SQLite's code or the kind of a network's error say."""
    if (state := getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)) is not None:
        return str(state).startswith(_LATER)
    if (code := getattr(error, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in _BUSY
    # Where several addresses were tried, asyncio raises an OSError of no kind.
    return type(error) is OSError or isinstance(error, (ConnectionError, TimeoutError, socket.gaierror))


@contextmanager
def told_apart(may_pass: Callable[[BaseException], bool]) -> Iterator[None]:
    """Errors that may pass come out as :class:`DatabaseUnavailable`."""
    try:
        yield
    except Exception as error:
        if may_pass(error):
            raise DatabaseUnavailable(str(error).strip().partition("\n")[0] or type(error).__name__) from error
        raise
