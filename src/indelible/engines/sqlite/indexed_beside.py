"""The index of a store that this process only reads: the writer's, or, where no writer keeps one, one of its own.

The writer's index lags behind its log by a bounded tail; the log's rows after it are read into memory, as the writer
has them. A store without a sound index, such as a backup, gets a private one in a temporary folder, made when it is
first needed: pages of the whole log, and so ``copy``, never need it.
"""

import tempfile
import threading
from pathlib import Path
from typing import Final

import apsw

from indelible.engines.sqlite.connections import fetch
from indelible.engines.sqlite.index_file import Index, index_path, say_progress, sound_up_to
from indelible.engines.sqlite.store_file import StoreFile
from indelible.engines.sqlite.tail import Tail
from indelible.engines.sqlite.views import Reader, View, extend_tail
from indelible.errors import Unavailable
from indelible.limits import INDEX_ROUND_EVENTS, INDEX_ROUND_EVENTS_MAX, INDEX_TAIL_EVENTS_MAX, RETRY_AFTER_S


class IndexedBeside:
    """Any thread may ask for views; one at a time gets them."""

    def __init__(self, file: StoreFile) -> None:
        self._file: Final = file
        self._beside: Final = index_path(file.path)
        self._lock: Final = threading.Lock()
        self._tail = Tail(0)
        self._generation = 0
        self._inode: int | None = None
        """Of the writer's index that is in use; None where it is not."""
        self._private: Index | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def view(self, reader: Reader) -> View:
        """Raises ``Unavailable`` while a writer makes the index anew."""
        with self._lock:
            indexed = self._attach(reader)
            head = int(fetch(reader.connection, "SELECT coalesce(max(position), 0) FROM events")[0][0])
            if self._private is not None and head - indexed > INDEX_ROUND_EVENTS:
                self._private.advance(head)
                indexed = head
            if head - indexed > 2 * INDEX_TAIL_EVENTS_MAX:
                raise _unavailable()
            self._grow(reader.connection, indexed, head)
            return View(reader.connection, self._tail.view(head))

    def _grow(self, connection: apsw.Connection, indexed: int, head: int) -> None:
        if self._tail.end < indexed or self._tail.start > indexed:
            self._tail = Tail(indexed)
        extend_tail(self._tail, connection, head)
        if self._tail.weight > INDEX_ROUND_EVENTS_MAX:
            self._tail.seal()
        self._tail.drop(indexed)

    # --- Which index -------------------------------------------------------------------------------------------------

    def is_kept(self, reader: Reader) -> bool:
        with self._lock:
            return self._attach_beside(reader) is not None

    def _attach(self, reader: Reader) -> int:
        """Have an index beside the log; gives how far it goes."""
        indexed = self._attach_beside(reader)
        if indexed is not None:
            return indexed
        private = self._private or self._make_private()
        reader.connect_index(private.path, self._generation)
        return int(fetch(reader.connection, "SELECT indexed FROM state")[0][0])

    def _attach_beside(self, reader: Reader) -> int | None:
        """The writer's, if it is there and sound."""
        inode = _inode_of(self._beside)
        if self._private is not None or inode is None:
            return None
        if inode != self._inode:
            self._inode, self._generation = inode, self._generation + 1
        try:
            reader.connect_index(self._beside, self._generation)
            return sound_up_to(reader.connection, self._file.inode)
        except (apsw.CorruptError, apsw.NotADBError, apsw.CantOpenError, apsw.SQLError):
            return None

    def _make_private(self) -> Index:
        if self._file.has_writer():
            raise _unavailable()
        self._folder = tempfile.TemporaryDirectory(prefix="indelible-")
        private = Index(self._file.path, Path(self._folder.name) / "index")
        try:
            private.open(say_progress(self._file.path))
        except BaseException:
            private.close()
            self._folder.cleanup()
            raise
        self._private, self._generation = private, self._generation + 1
        return private

    def close(self) -> None:
        """When the readers' connections are closed. Blocks."""
        if self._private is not None:
            self._private.close()
        if self._folder is not None:
            self._folder.cleanup()


def _inode_of(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _unavailable() -> Unavailable:
    return Unavailable("the process that writes the store makes its index anew", retry_after_s=RETRY_AFTER_S)
