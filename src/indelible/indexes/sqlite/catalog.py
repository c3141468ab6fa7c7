"""The catalog: which generations there are, and which is searched.

Each generation is a file of its own beside the catalog, named by its number. So a rebuild never stands in the way of
searches, to swap is to change one row, and to drop one is to delete a file: dropping a table would free its pages one
by one, and hold the writer meanwhile. Numbers never come again.
"""

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from indelible.indexes.index import IndexMoved, IndexUnavailable
from indelible.indexes.sqlite.connections import (
    CATALOG_ID,
    DAMAGE,
    Damaged,
    Foreign,
    Newer,
    beside,
    connect_writer,
    create,
    fetch,
    identity_of,
    put_aside,
    remove,
    sync_folder,
    transaction,
    unavailable,
)
from indelible.indexes.sqlite.generation import GenerationFile
from indelible.search import FieldType

_log: Final = logging.getLogger(__name__)


class Entry(NamedTuple):
    serving: int | None
    building: int | None
    last_number: int


def read_entry(connection: apsw.Connection) -> Entry:
    """Raises :class:`Damaged` too."""
    rows = fetch(connection, "SELECT serving, building, last_number FROM catalog")
    if len(rows) != 1:
        raise Damaged("it does not say which generations there are")
    return Entry(*rows[0])


def generation_path(catalog: Path, number: int) -> Path:
    return beside(catalog, f"-{number}")


class Catalog:
    """For one thread at a time; blocking. Raises ``IndexUnavailable``."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._connection: apsw.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._last_number = 0
        """The greatest that was seen: numbers come not again in one that is made anew."""

    def file_of(self, number: int) -> Path:
        return generation_path(self.path, number)

    def open(self) -> None:
        """Open it, or make it. A damaged one is put aside: all of it follows from the log."""
        if self._connection is not None:
            return
        with self._understood():
            if self.path.exists() and self.path.stat().st_size:
                self._connection = self._opened_or_put_aside()
            if self._connection is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                remove(self.path)
                last_number = max([self._last_number, *self._files()])
                self._connection = create(self.path, CATALOG_ID, "catalog")
                self._connection.execute("UPDATE catalog SET last_number = ?", (last_number,))
                sync_folder(self.path)
            self._identity = identity_of(self.path)
            self._connection.pragma("synchronous", "FULL")
            self._remove_strays()

    @property
    def is_lost(self) -> bool:
        """Whether somebody has removed its file, or put another in its place."""
        return self._connection is not None and identity_of(self.path) != self._identity

    def is_damaged(self) -> bool:
        """As somebody sees it who opens it now: what is open may still be in memory."""
        with self._understood():
            try:
                self._opened().close()
            except (*DAMAGE, Damaged, Foreign, Newer, apsw.CantOpenError):
                return True
        return False

    def abandon(self) -> None:
        """As its file is another's by now, or nobody's: nothing is written to it, nor to those beside it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            _log.warning("the query index %s was removed or replaced, or is damaged: it is opened anew", self.path)
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.close()

    def _opened(self) -> apsw.Connection:
        connection = connect_writer(self.path, CATALOG_ID, ("catalog",))
        try:
            read_entry(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _opened_or_put_aside(self) -> apsw.Connection | None:
        try:
            return self._opened()
        except (*DAMAGE, Damaged) as error:
            self._put_aside(self.path, error)
            return None
        except (Foreign, Newer) as error:
            raise IndexUnavailable(
                f"{error}; name another file, or move this one away: the index is then made anew from the log"
            ) from error

    def _put_aside(self, path: Path, error: Exception) -> None:
        to = beside(self.path, ".damaged")
        _log.warning("the query index %s is damaged (%s): put aside as %s, and made anew from the log", path, error, to)
        put_aside(path, to)

    def _remove_strays(self) -> None:
        """Generations that were dropped, or whose making was cut short."""
        with transaction(self.connection):
            entry = read_entry(self.connection)
            for number in self._files():
                if number not in (entry.serving, entry.building):
                    remove(self.file_of(number))

    def _files(self) -> list[int]:
        """Numbers of the generations whose files there are."""
        name = re.compile(re.escape(self.path.name) + r"-(\d+)")
        return [int(found[1]) for path in self.path.parent.iterdir() if (found := name.fullmatch(path.name))]

    @property
    def connection(self) -> apsw.Connection:
        if self._connection is None:
            raise IndexUnavailable(f"the query index {self.path} is not open")
        return self._connection

    def entry(self) -> Entry:
        with self._understood():
            entry = read_entry(self.connection)
        self._last_number = max(self._last_number, entry.last_number)
        return entry

    def begin(self, fields: Mapping[str, FieldType]) -> GenerationFile:
        """A new generation to build, in place of the one that was being built."""
        with self._understood():
            with transaction(self.connection):
                entry = read_entry(self.connection)
                number = entry.last_number + 1
                # One that was begun before, when the catalog could not be written.
                remove(self.file_of(number))
                made = GenerationFile.made(self.file_of(number), number, fields)
                try:
                    sync_folder(self.path)
                    self.connection.execute("UPDATE catalog SET building = ?, last_number = ?", (number, number))
                except BaseException:
                    made.close()
                    remove(self.file_of(number))
                    raise
            self._remove(entry.building)
            return made

    def swap(self, number: int) -> None:
        with self._understood():
            with transaction(self.connection):
                entry = read_entry(self.connection)
                if number == entry.serving:
                    return
                if number != entry.building:
                    raise IndexMoved(f"generation {number} is gone")
                self.connection.execute("UPDATE catalog SET serving = ?, building = NULL", (number,))
            self._remove(entry.serving)

    def drop(self) -> None:
        with self._understood():
            with transaction(self.connection):
                entry = read_entry(self.connection)
                self.connection.execute("UPDATE catalog SET serving = NULL, building = NULL")
            self._remove(entry.serving)
            self._remove(entry.building)

    def condemn(self, number: int, error: Exception) -> None:
        """A generation is damaged: it is none any more, and its file is put aside."""
        with self._understood():
            with transaction(self.connection):
                self.connection.execute(
                    "UPDATE catalog SET serving = nullif(serving, ?1), building = nullif(building, ?1)", (number,)
                )
            self._put_aside(self.file_of(number), error)

    def _remove(self, number: int | None) -> None:
        """Who still reads it goes on. What cannot be deleted now is deleted when the index is opened again."""
        if number is not None:
            with contextlib.suppress(OSError):
                remove(self.file_of(number))

    @contextlib.contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except (*DAMAGE, Damaged) as error:
            self.close()
            raise IndexUnavailable(f"the query index {self.path} is damaged: {error}; open it again") from error
        except (apsw.Error, OSError) as error:
            raise unavailable(error, self.path) from error

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(apsw.Error):
                connection.close()
