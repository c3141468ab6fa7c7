"""What one reader thread has: connections that cannot write, to the catalog and to the generation that is searched."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import apsw

from indelible.indexes.index import Generation, IndexMoved, IndexState, IndexUnavailable, SearchTooBroad
from indelible.indexes.sqlite.catalog import Entry, generation_path, read_entry
from indelible.indexes.sqlite.connections import (
    CATALOG_ID,
    DAMAGE,
    Damaged,
    Foreign,
    Newer,
    check,
    connect_reader,
    identity_of,
    transaction,
    unavailable,
)
from indelible.indexes.sqlite.generation import State, read_state
from indelible.indexes.sqlite.searching import set_deadline

T = TypeVar("T")

ATTEMPTS: Final = 5
"""To open the generation that the catalog names: it may be swapped just then."""


class DamagedGeneration(Exception):
    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number: Final = number


class LostCatalog(Exception):
    """It is gone, or not what it was."""


class Reader:
    """Blocking; for one thread."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._catalog: apsw.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._connection: apsw.Connection | None = None
        self._number: int | None = None

    def search(self, find: Callable[[apsw.Connection, State], T], deadline_s: float) -> tuple[T, Generation]:
        """``find`` in one state of the generation that serves. Raises :class:`SearchTooBroad`, ``IndexMoved``,
        ``IndexUnavailable``, :class:`LostCatalog` and :class:`DamagedGeneration`."""
        if time.monotonic() > deadline_s:
            raise IndexUnavailable("too many searches are waiting")
        connection, number = self._serving()
        set_deadline(connection, deadline_s)
        try:
            with transaction(connection, "DEFERRED"):
                state = read_state(connection)
                return find(connection, state), state.as_generation(number)
        except apsw.InterruptError as error:
            raise SearchTooBroad("the search took too long") from error
        except (*DAMAGE, Damaged) as error:
            self.close()
            raise DamagedGeneration(number, str(error)) from error
        except (apsw.Error, ValueError, TypeError) as error:
            # Of values that are none, too. What a query may say has been checked: this is not of its making.
            raise unavailable(error, generation_path(self._path, number)) from error

    def _serving(self) -> tuple[apsw.Connection, int]:
        for _ in range(ATTEMPTS):
            number = self._named()
            if self._connection is None or number != self._number:
                self._close_generation()
                self._connection, self._number = self._opened(number), number
            if self._connection is not None:
                return self._connection, number
        raise DamagedGeneration(number, "its file is gone")

    def _named(self) -> int:
        number = self._entry().serving
        if number is None:
            raise IndexMoved("no generation is complete")
        return number

    def _entry(self) -> Entry:
        identity = identity_of(self._path)
        if identity != self._identity:
            # Another stands there now, whose generations have the same numbers.
            self.close()
        try:
            if self._catalog is None:
                self._identity = identity
                self._catalog = connect_reader(self._path)
                check(self._catalog, self._path, CATALOG_ID, ("catalog",))
            return read_entry(self._catalog)
        except (Foreign, Newer) as error:
            self.close()
            raise IndexUnavailable(str(error)) from error
        except (*DAMAGE, Damaged, apsw.CantOpenError, apsw.SQLError, apsw.IOError) as error:
            self.close()
            raise LostCatalog(str(error)) from error
        except apsw.Error as error:
            self.close()
            raise unavailable(error, self._path) from error

    def state(self) -> IndexState:
        """As it is committed. Raises ``IndexUnavailable``, :class:`LostCatalog` and :class:`DamagedGeneration`."""
        entry = self._entry()
        return IndexState(self._generation(entry.serving), self._generation(entry.building))

    def _generation(self, number: int | None) -> Generation | None:
        connection = None if number is None else self._opened(number)
        if number is None or connection is None:
            return None
        try:
            return read_state(connection).as_generation(number)
        except Damaged as error:
            raise DamagedGeneration(number, str(error)) from error
        finally:
            connection.close()

    def _opened(self, number: int) -> apsw.Connection | None:
        """None of a generation that was dropped just now."""
        path = generation_path(self._path, number)
        try:
            return connect_reader(path)
        except DAMAGE as error:
            raise DamagedGeneration(number, str(error)) from error
        except apsw.Error as error:
            if not path.exists():
                return None
            raise unavailable(error, path) from error

    def interrupt(self) -> None:
        """From any thread."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(apsw.Error):
                connection.interrupt()

    def _close_generation(self) -> None:
        connection, self._connection, self._number = self._connection, None, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        self._close_generation()
        catalog, self._catalog = self._catalog, None
        if catalog is not None:
            catalog.close()
