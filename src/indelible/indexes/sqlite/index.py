"""The embedded query index: files of SQLite beside the store.

Words are FTS5's; values are in a sorted table of values and documents for each field: see ``generation.sql``. One
thread writes; some read, each with connections of its own. Another process may read, with a :class:`SqliteIndex` of
its own on the same path.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from indelible.cursors import Cursor
from indelible.events import AggregateKey
from indelible.indexes.index import (
    Capabilities,
    Document,
    Generation,
    Hits,
    IndexState,
    IndexUnavailable,
    Place,
    Rejected,
    SearchTooBroad,
)
from indelible.indexes.sqlite.generation import State
from indelible.indexes.sqlite.reading import DamagedGeneration, LostCatalog, Reader
from indelible.indexes.sqlite.searching import find_aggregates, find_events
from indelible.indexes.sqlite.writing import Writer, damaged
from indelible.limits import INDEX_WRITE_TIMEOUT_S, READS_WAITING_MAX, SEARCH_TIMEOUT_S
from indelible.search import CheckedQuery, FieldType, Order

_log: Final = logging.getLogger(__name__)
T = TypeVar("T")

READERS: Final = 4
"""Threads that search."""

COMMIT_IDLE_S: Final = 0.25
"""After the last batch of a generation that is being built, until it is committed."""

_GRACE_S: Final = 1.0
"""Beyond a search's time, for one that does not look at the clock."""


class SqliteIndex:
    """Implements :class:`indelible.indexes.index.QueryIndex`. ``path``: the catalog's file; the generations are beside
    it. Belongs to one event loop at a time."""

    capabilities: Final = Capabilities(text=True)

    def __init__(self, path: Path | str) -> None:
        self._path: Final = Path(path)
        self._threads: _Threads | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._waiting = 0

    async def open(self) -> IndexState:
        if self._threads is None:
            self._threads = _Threads(self._path)
        return await self._write(lambda writer: writer.open())

    async def state(self) -> IndexState:
        return await self._write(lambda writer: writer.state())

    async def begin(self, fields: Mapping[str, FieldType]) -> Generation:
        return await self._write(lambda writer: writer.begin(fields))

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        try:
            await self._write(lambda writer: writer.apply(generation, documents, after, cursor, log_hash))
        finally:
            self._commit_when_idle()
        return ()

    async def rejected(self, generation: int) -> Sequence[Rejected]:
        await self._write(lambda writer: writer.check_known(generation))
        return ()

    async def swap(self, generation: int) -> None:
        await self._write(lambda writer: writer.swap(generation))

    async def drop(self) -> None:
        await self._write(lambda writer: writer.drop())

    async def search(
        self, query: CheckedQuery, *, order: Order, limit: int, behind: Place | None
    ) -> tuple[Hits, Generation]:
        return await self._search(
            lambda connection, state: find_events(connection, state, query, order=order, limit=limit, behind=behind)
        )

    async def search_aggregates(
        self, query: CheckedQuery, *, limit: int, behind: AggregateKey | None
    ) -> tuple[Hits, Generation]:
        return await self._search(
            lambda connection, state: find_aggregates(connection, state, query, limit=limit, behind=behind)
        )

    async def close(self) -> None:
        threads, self._threads = self._threads, None
        self._cancel_idle()
        if threads is not None:
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, threads.close))

    # --- Threads -----------------------------------------------------------------------------------------------------

    @property
    def _open_threads(self) -> "_Threads":
        if self._threads is None:
            raise IndexUnavailable(f"the query index {self._path} is not open")
        return self._threads

    async def _write(self, work: Callable[[Writer], T]) -> T:
        """To its end, whoever gives up."""
        done = asyncio.wrap_future(self._open_threads.write(work))
        done.add_done_callback(_look_at_error)
        try:
            async with asyncio.timeout(INDEX_WRITE_TIMEOUT_S):
                return await asyncio.shield(done)
        except TimeoutError:
            raise IndexUnavailable(f"the disk of the query index {self._path} does not answer") from None

    async def _search(self, find: Callable[[apsw.Connection, State], Hits]) -> tuple[Hits, Generation]:
        deadline_s = time.monotonic() + SEARCH_TIMEOUT_S
        return await self._read(lambda reader: reader.search(find, deadline_s))

    async def _read(self, work: Callable[[Reader], T]) -> T:
        if self._waiting >= READS_WAITING_MAX:
            raise IndexUnavailable("too many searches are waiting")
        self._waiting += 1
        try:
            async with asyncio.timeout(SEARCH_TIMEOUT_S + _GRACE_S):
                return await asyncio.wrap_future(self._open_threads.read(work))
        except TimeoutError:
            raise SearchTooBroad("the search took too long") from None
        except DamagedGeneration as error:
            await self._condemn(error)
            raise damaged(error) from error
        except LostCatalog as error:
            await self._look_again()
            raise IndexUnavailable(f"the query index {self._path} cannot be used: {error}") from error
        finally:
            self._waiting -= 1

    async def _condemn(self, error: DamagedGeneration) -> None:
        await self._write(partial(Writer.condemn, number=error.number, error=error))

    async def _look_again(self) -> None:
        await self._write(Writer.look_again)

    # --- A generation that is being built ----------------------------------------------------------------------------

    def _commit_when_idle(self) -> None:
        self._cancel_idle()
        if self._threads is not None:
            self._idle = asyncio.get_running_loop().call_later(COMMIT_IDLE_S, self._commit)

    def _cancel_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _commit(self) -> None:
        if self._threads is not None:
            self._threads.write(lambda writer: writer.commit()).add_done_callback(self._committed)

    def _committed(self, done: "Future[None]") -> None:
        # Who applies next hears that the generation is not where it was.
        if not done.cancelled() and (error := done.exception()) is not None:
            _log.warning("what was added to the query index %s last is lost, and indexed again: %s", self._path, error)


class ReadOnlySqliteIndex(SqliteIndex):
    """Of whoever only searches, beside a process that keeps the index or after it: nothing is made, changed or put
    aside."""

    async def open(self) -> IndexState:
        if self._threads is None:
            self._threads = _Threads(self._path)
        return await self.state()

    async def state(self) -> IndexState:
        return await self._read(Reader.state)

    async def rejected(self, generation: int) -> Sequence[Rejected]:  # noqa: ARG002 - it refuses nothing
        return ()

    async def _write(self, work: Callable[[Writer], T]) -> T:  # noqa: ARG002 - that is the point
        raise IndexUnavailable(f"the query index {self._path} is open for reading only")

    async def _condemn(self, error: DamagedGeneration) -> None:
        raise IndexUnavailable(
            f"the query index {self._path} is damaged ({error}); a server that keeps it makes it anew"
        ) from error

    async def _look_again(self) -> None:
        pass


class _Threads:
    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._writer: Final = Writer(path)
        self._writing: Final = ThreadPoolExecutor(1, "indelible-index-write")
        self._reading: Final = ThreadPoolExecutor(READERS, "indelible-index-read")
        self._local: Final = threading.local()
        self._readers: Final[list[Reader]] = []

    def write(self, work: Callable[[Writer], T]) -> "Future[T]":
        return self._writing.submit(work, self._writer)

    def read(self, work: Callable[[Reader], T]) -> "Future[T]":
        return self._reading.submit(self._with_reader, work)

    def _with_reader(self, work: Callable[[Reader], T]) -> T:
        reader: Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = Reader(self._path)
            self._readers.append(reader)
        return work(reader)

    def close(self) -> None:
        """Blocks until what is written is written. Searches are cut short."""
        self._reading.shutdown(wait=False, cancel_futures=True)
        for reader in self._readers:
            reader.interrupt()
        self._reading.shutdown()
        for reader in self._readers:
            reader.close()
        self._writing.submit(self._writer.close)
        self._writing.shutdown()


def _look_at_error(done: "asyncio.Future[Any]") -> None:
    """It may have no caller left."""
    if not done.cancelled():
        done.exception()
