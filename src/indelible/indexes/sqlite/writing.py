"""What the writer's thread has: the catalog, and the generations that it names."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from indelible.cursors import Cursor
from indelible.indexes.index import Document, Generation, IndexMoved, IndexState, IndexUnavailable
from indelible.indexes.sqlite.catalog import Catalog, Entry
from indelible.indexes.sqlite.connections import Damaged
from indelible.indexes.sqlite.generation import GenerationFile
from indelible.search import FieldType


class Writer:
    """Blocking; for one thread. Raises ``IndexUnavailable``.

    A generation that turns out to be damaged is none any more: its file is put aside, and whoever asks next hears that
    there is none. So it is built anew, as the first one was.
    """

    def __init__(self, path: Path) -> None:
        self._catalog: Final = Catalog(path)
        self._files: Final[dict[int, GenerationFile]] = {}

    def open(self) -> IndexState:
        self._catalog.open()
        return self.state()

    def state(self) -> IndexState:
        if self._catalog.is_lost:
            self._open_anew()
        entry = self._entry()
        return IndexState(self._generation(entry.serving), self._generation(entry.building))

    def _generation(self, number: int | None) -> Generation | None:
        if number is None:
            return None
        try:
            with self._condemning(number):
                return self._file(number).state()
        except Damaged:
            return None

    def begin(self, fields: Mapping[str, FieldType]) -> Generation:
        building = self._generation(self._entry().building)
        if building is not None:
            if building.fields == fields:
                return building
            self._let_go(building.number)
        file = self._catalog.begin(fields)
        self._files[file.number] = file
        return file.state()

    def apply(self, number: int, documents: Sequence[Document], after: Cursor, cursor: Cursor, log_hash: str) -> None:
        entry = self.check_known(number)
        with self._refusing(number):
            self._file(number).apply(documents, after, cursor, log_hash, is_serving=number == entry.serving)

    def check_known(self, number: int) -> Entry:
        """Raises ``IndexMoved`` when the generation is gone."""
        entry = self._entry()
        if number not in (entry.serving, entry.building):
            raise IndexMoved(f"generation {number} is gone")
        return entry

    def commit(self) -> None:
        """What was added to the generation that is being built, and is not committed yet."""
        number = self._entry().building
        if number in self._files:
            with self._refusing(number):
                self._files[number].commit()

    def swap(self, number: int) -> None:
        entry = self._entry()
        if number == entry.building:
            with self._refusing(number):
                self._file(number).commit()
        self._catalog.swap(number)
        self._entry()

    def drop(self) -> None:
        for number in list(self._files):
            self._let_go(number)
        self._catalog.drop()

    def look_again(self) -> None:
        """A reader cannot read the catalog."""
        if self._catalog.is_lost or self._catalog.is_damaged():
            self._open_anew()

    def _open_anew(self) -> None:
        for number in list(self._files):
            self._let_go(number)
        self._catalog.abandon()
        self._catalog.open()

    def condemn(self, number: int, error: Exception) -> None:
        """A reader met damage in it."""
        entry = self._entry()
        if number in (entry.serving, entry.building):
            self._let_go(number)
            self._catalog.condemn(number, error)

    def _entry(self) -> Entry:
        """Lets go of the generations that are gone."""
        entry = self._catalog.entry()
        for number in self._files.keys() - {entry.serving, entry.building}:
            self._let_go(number)
        return entry

    def _file(self, number: int) -> GenerationFile:
        if number not in self._files:
            self._files[number] = GenerationFile.opened(self._catalog.file_of(number), number)
        return self._files[number]

    def _let_go(self, number: int) -> None:
        """Of one that is gone, or will be."""
        file = self._files.pop(number, None)
        if file is not None:
            file.abandon()

    @contextmanager
    def _condemning(self, number: int) -> Iterator[None]:
        try:
            yield
        except Damaged as error:
            self.condemn(number, error)
            raise

    @contextmanager
    def _refusing(self, number: int) -> Iterator[None]:
        try:
            with self._condemning(number):
                yield
        except Damaged as error:
            raise damaged(error) from error

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._catalog.close()


def damaged(error: Exception) -> IndexUnavailable:
    return IndexUnavailable(f"the query index was damaged ({error}): it is put aside, and made anew from the log")
