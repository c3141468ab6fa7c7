"""The SQLite engine: one writing process, any number of readers; a file with the log, and beside it another with the
index, which follows from the log and lags behind it a little.

A write is a transaction of SQLite's. Until its commit is asked for nothing is stored, whatever goes wrong, and service
goes on; after that only success is certain, and the engine stops.

Threads: the event loop prepares a batch itself (a few microseconds a row; another thread would fight it for the
interpreter's lock), a commit thread waits for the disk, a checkpoint thread copies the write-ahead log into the
database file beside the commits, an index thread takes in what was committed, and a few reader threads render pages.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import apsw

from indelible.diagnostics import Capabilities, Finding, StorageState
from indelible.engines.engine import AppendOutcome, FallibleEngine, Lines, LogHead, store_closed
from indelible.engines.feed_walk import ConditionScan
from indelible.engines.group_storage import GroupChange, GroupState, GroupUnmoved, StoredGroup, loaded
from indelible.engines.head_signal import HeadSignal
from indelible.engines.planner import Plan
from indelible.engines.relay_storage import StoredRelay
from indelible.engines.sqlite import aggregates, groups, reads, relays
from indelible.engines.sqlite.connections import (
    PAGE_SIZE_BYTES,
    check_schema,
    connect_reader,
    described,
    migrations,
    translated,
    translated_before_commit,
)
from indelible.engines.sqlite.examination import examine
from indelible.engines.sqlite.index_file import OnProgress, index_path, reindex
from indelible.engines.sqlite.indexed_beside import IndexedBeside
from indelible.engines.sqlite.indexing import Indexing
from indelible.engines.sqlite.reader_threads import ReaderThreads
from indelible.engines.sqlite.store_file import StoreFile, checkpoint_beside, find_missing_end, size_bytes
from indelible.engines.sqlite.views import Reader, View, Views
from indelible.engines.sqlite.writer import Writer, chunks
from indelible.errors import IndelibleError, InternalError, Overloaded, StorageFailure
from indelible.events import RecordedEvent, Snapshot
from indelible.eventstore import AppendRequest
from indelible.limits import (
    CONDITION_ENTRIES_AT_ONCE,
    CONDITION_NAMES_AT_ONCE,
    FILE_LOCK_LATE_WAIT_S,
    FILE_LOCK_WAIT_S,
    FILE_LOOK_INTERVAL_S,
    HEAD_POLL_S,
    PAGE_SIZE_BYTES_MAX,
    READY_TRIAL_SIZE_BYTES,
    RETRY_AFTER_S,
    WAL_SIZE_BYTES_MAX,
)
from indelible.queries import Direction, EventQuery
from indelible.tasks import hear_of_failure, to_its_end

_P = ParamSpec("_P")
_T = TypeVar("_T")

_log: Final = logging.getLogger(__name__)

READER_THREADS: Final = 4
INSERT_EVENTS_AT_ONCE: Final = 512
"""Events that are inserted before the event loop gets a turn: a few milliseconds."""

CHECKPOINT_FRAMES: Final = 8_192
"""Pages in the write-ahead log (32 MiB) at which a checkpoint begins."""

CATCH_UP_FRAMES_MAX: Final = 1_024
"""Pages that the writer waits for while the rest of a checkpoint is copied; a few milliseconds."""

WAL_FRAMES_MAX: Final = 65_536
"""Pages in the write-ahead log (256 MiB) beyond which the writer waits for the rest, however much it is: a bounded log
is worth one longer wait."""

CHECKPOINT_ROUNDS_MAX: Final = 4


def _reading(
    function: Callable[Concatenate[View, _P], _T],
) -> "Callable[Concatenate[SqliteEngine, _P], Coroutine[Any, Any, _T]]":
    """A read of the contract that is a function over log, index and tail."""

    async def read(engine: "SqliteEngine", /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await engine.read_indexed(function, *args, **kwargs)

    return read


def _reading_log(
    function: Callable[Concatenate[apsw.Connection, _P], _T],
) -> "Callable[Concatenate[SqliteEngine, _P], Coroutine[Any, Any, _T]]":
    """The same over the log alone."""

    async def read(engine: "SqliteEngine", /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await engine.read(function, *args, **kwargs)

    return read


class SqliteEngine(FallibleEngine):
    """Implements :class:`indelible.engines.engine.Engine` over the database file ``path``; its folder is created. The
    index is beside it, see :func:`indelible.engines.sqlite.index_file.index_path`.

    ``read_only``: no lock is taken and every write is refused. ``clock_us`` gives microseconds since 1970.
    """

    capabilities = Capabilities(durable=True, read_only_beside_writer=True)

    def __init__(
        self, path: Path, *, read_only: bool = False, clock_us: Callable[[], int] = lambda: time.time_ns() // 1000
    ) -> None:
        super().__init__(read_only=read_only)
        # Absolute: it must lead to the same file wherever the process goes.
        self._path = path = path.absolute()
        self._clock_us = clock_us
        self._file = StoreFile(path)
        self._writer: Writer | None = None
        self._indexing: Indexing | None = None
        self._views: Views | None = None
        self._writing = asyncio.Lock()
        self._is_held_up = False
        """Whether another process held SQLite's lock for longer than the last write waited."""
        self._watching: asyncio.Task[None] | None = None
        self._checkpointing: asyncio.Task[None] | None = None
        self._uncopied_frames = 0
        """Pages in the write-ahead log that are not in the database file, after the last write."""
        self._commit_thread = ThreadPoolExecutor(1, "indelible-commit")
        self._checkpoint_thread = ThreadPoolExecutor(1, "indelible-checkpoint")
        self._readers = ReaderThreads(lambda: Reader(path), self._file.check_database, READER_THREADS)
        # Beside the writer of another process only looking tells.
        self._signal = HeadSignal(self._head_position, poll_s=HEAD_POLL_S) if read_only else HeadSignal()

    async def examine(self) -> list[Finding]:
        return await asyncio.to_thread(examine, self._path)

    # --- Opening and closing -----------------------------------------------------------------------------------------

    async def open(self) -> None:
        self._signal.open()
        try:
            if self._read_only:
                await self._open_for_reading()
            else:
                self._views = self._indexing = indexing = Indexing(self._path, self._fail)
                opening = asyncio.get_running_loop().run_in_executor(None, self._open_writer, indexing)
                try:
                    await asyncio.shield(opening)
                except BaseException:
                    await to_its_end(self._undo_opening(opening, indexing))
                    raise
                indexing.start()
                self._watching = asyncio.create_task(self._watch_file(), name="file-watch")
        except apsw.Error as error:
            raise translated(error, self._path) from error
        except OSError as error:
            raise StorageFailure(f"cannot open {self._path}: {error}") from error

    def _open_writer(self, indexing: Indexing) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file.open_for_writing()
        try:
            self._writer = Writer(self._file, indexing)
        except BaseException:
            self._file.close()
            raise
        self._signal.moved(self._writer.head.position)

    async def _undo_opening(self, opening: asyncio.Future[None], indexing: Indexing) -> None:
        """Of a caller who gave up, too: the thread goes on, and takes the right to write."""
        await asyncio.wait({opening})
        hear_of_failure(opening)
        if self._writer is None:
            await indexing.close(is_sound=False)
        else:
            await self.close()

    async def _open_for_reading(self) -> None:
        self._views = IndexedBeside(self._file)
        try:
            await to_its_end(asyncio.to_thread(self._file.open_for_reading))
            await self.read(_check_readable)
            missing = await self.read(find_missing_end, self._file)
        except BaseException:
            await asyncio.to_thread(self._close_readers)
            self._file.close()
            raise
        if missing is not None:
            self.warnings = (f"{self._path} is incomplete: {missing.reason}",)

    async def _watch_file(self) -> None:
        """Notice that the file is gone while nobody writes to it."""
        with contextlib.suppress(StorageFailure):
            while True:
                await asyncio.sleep(FILE_LOOK_INTERVAL_S)
                try:
                    await asyncio.to_thread(self._file.check)
                except StorageFailure as failure:
                    self._fail(failure)
                    raise
                if self._indexing is not None:
                    self._indexing.look()
                if self._is_log_too_long():
                    async with self._writing:
                        self._start_checkpoint(self._require(self._writer))

    async def close(self) -> None:
        await self._signal.close()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
        async with self._writing:
            writer, self._writer = self._writer, None
        if self._checkpointing is not None:
            await self._checkpointing
        await asyncio.to_thread(self._close_readers)
        await asyncio.to_thread(self._checkpoint_thread.shutdown)
        if writer is not None and self._indexing is not None:
            writer.close_lookups()
            await self._indexing.close(is_sound=self._failure is None)
        try:
            if writer is not None:
                await asyncio.get_running_loop().run_in_executor(self._commit_thread, self._close_writer, writer)
        except apsw.Error as error:
            raise translated(error, self._path) from error
        finally:
            await asyncio.to_thread(self._commit_thread.shutdown)
            # Last, and after the readers' connections too.
            self._file.close()

    def _close_readers(self) -> None:
        self._readers.close()
        if isinstance(self._views, IndexedBeside):
            self._views.close()

    def _close_writer(self, writer: Writer) -> None:
        try:
            # Of a log that was deleted under us, this is what keeps its events.
            if self._failure is None or self._failure.fields.get("gone") == "log":
                writer.empty_log()
        except (apsw.BusyError, apsw.FullError):
            # A reader of another process holds the log, or there is no space: the next open copies it.
            pass
        finally:
            writer.close()

    # --- Appending ---------------------------------------------------------------------------------------------------

    async def append(self, batch: Sequence[AppendRequest]) -> list[AppendOutcome]:
        return (await self._append(lambda writer: writer.begin(batch, self._clock_us()))).outcomes

    def append_alone(self, request: AppendRequest) -> AppendOutcome | None:
        if self._writing.locked() or self._indexing is None or not self._indexing.has_room or self._is_log_too_long():
            return None
        writer = self._require(self._writer)
        with self._undone_unless_committed(writer):
            try:
                writer.open_transaction()
            except apsw.BusyError:
                return None
            decided = writer.begin((request,), self._clock_us())
            if decided.events:
                writer.insert(decided.events)
                writer.commit(decided.head.position)
                self._publish(writer, decided)
        self._start_checkpoint(writer)
        return decided.outcomes[0]

    async def append_recorded(self, events: Sequence[RecordedEvent]) -> None:
        await _shielded(self._append(lambda writer: writer.begin_recorded(events)))

    async def _append(self, decide: Callable[[Writer], Plan]) -> Plan:
        async def write(writer: Writer) -> Plan:
            decided = decide(writer)
            if decided.events:
                await self._insert(writer, decided)
                await self._commit(writer, decided.head.position)
                self._publish(writer, decided)
            return decided

        if self._indexing is not None:
            await self._indexing.wait_for_room()
        self._check_log()
        return await self._transaction(write)

    def _publish(self, writer: Writer, decided: Plan) -> None:
        writer.publish(decided.head)
        self._signal.moved(decided.head.position)

    def _check_log(self) -> None:
        if self._is_log_too_long():
            message = f"a reader of another process keeps {self._file.log_path} from being copied; nothing was stored"
            raise Overloaded(message, retry_after_s=RETRY_AFTER_S)

    def _is_log_too_long(self) -> bool:
        return self._uncopied_frames * PAGE_SIZE_BYTES > WAL_SIZE_BYTES_MAX

    async def _insert(self, writer: Writer, decided: Plan) -> None:
        for number, chunk in enumerate(chunks(decided.events, INSERT_EVENTS_AT_ONCE)):
            if number:
                await asyncio.sleep(0)
            writer.insert(chunk)

    # --- Transactions ------------------------------------------------------------------------------------------------

    async def _transaction(self, write: Callable[[Writer], Awaitable[_T]]) -> _T:
        """Run ``write`` alone, in a transaction that is undone unless it committed it."""
        async with self._writing:
            writer = self._require(self._writer)
            with self._undone_unless_committed(writer):
                await self._begin(writer)
                done = await write(writer)
            self._start_checkpoint(writer)
            return done

    async def _begin(self, writer: Writer) -> None:
        """Nearly always at once. While another process holds SQLite's lock the wait is the commit thread's, so that
        reads go on; those who come after a wait that was in vain find out soon, because they have waited already."""
        try:
            writer.open_transaction()
        except apsw.BusyError:
            wait_s = FILE_LOCK_LATE_WAIT_S if self._is_held_up else FILE_LOCK_WAIT_S
            self._is_held_up = True
            await self._in_commit_thread(lambda: writer.open_transaction(wait_s=wait_s))
        self._is_held_up = False

    async def _commit(self, writer: Writer, end: int | None = None) -> None:
        await self._in_commit_thread(lambda: writer.commit(end))

    async def _in_commit_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._commit_thread, work)

    @contextlib.contextmanager
    def _undone_unless_committed(self, writer: Writer) -> Iterator[None]:
        try:
            yield
            writer.rollback()
        except Exception as error:
            failed = self._undo(writer, error)
            if failed is error:
                raise
            raise failed from error

    def _undo(self, writer: Writer, error: Exception) -> Exception:
        """Undo a failed write; gives what is to be raised for it. The one place that decides what a failure means."""
        may_be_stored = writer.may_be_stored
        try:
            writer.rollback()
        except apsw.Error as second:
            error, may_be_stored = second, True
        if not may_be_stored:
            found: Exception = translated_before_commit(error, self._path)
        else:
            found = translated(error, self._path) if isinstance(error, apsw.Error) else error
        if isinstance(found, InternalError) and found is not error:
            _log.error("a write broke, and was undone", exc_info=error)
        if isinstance(found, StorageFailure):
            found.fields["nothing_stored"] = not may_be_stored
            self._fail(found)
        return found

    async def check_writable(self, size_bytes: int) -> None:
        async def write(writer: Writer) -> None:
            await self._in_commit_thread(lambda: writer.try_writing(max(size_bytes, READY_TRIAL_SIZE_BYTES)))

        self._file.check()
        if self._indexing is not None:
            self._indexing.check_room()
        self._check_log()
        await _shielded(self._transaction(write))

    # --- Other writes ------------------------------------------------------------------------------------------------

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        def write(writer: Writer) -> bool:
            writer.insert_snapshot(snapshot)
            return True

        await self._change(write)

    async def create_group(self, group: StoredGroup, *, groups_max: int) -> bool:
        return await self._change(lambda writer: groups.create(writer.connection, group, groups_max))

    async def save_group(self, change: GroupChange) -> bool:
        return await self._change(lambda writer: groups.save(writer.connection, change))

    async def delete_group(self, name: str, *, created_us: int | None = None) -> bool:
        return await self._change(lambda writer: groups.delete(writer.connection, name, created_us))

    async def save_relay(self, relay: StoredRelay, *, relays_max: int) -> bool:
        return await self._change(lambda writer: relays.save(writer.connection, relay, relays_max))

    async def _change(self, change: Callable[[Writer], bool]) -> bool:
        """Commit what ``change`` wrote, unless it says that there is nothing."""

        async def write(writer: Writer) -> bool:
            is_changed = change(writer)
            if is_changed:
                await self._commit(writer)
            return is_changed

        return await _shielded(self._transaction(write))

    # --- Checkpoints -------------------------------------------------------------------------------------------------

    def _start_checkpoint(self, writer: Writer) -> None:
        if self._checkpointing is not None:
            return
        logged, copied = writer.wal_frames()
        self._uncopied_frames = logged - copied
        if logged - copied >= CHECKPOINT_FRAMES:
            self._checkpointing = asyncio.create_task(self._checkpoint(), name="checkpoint")

    async def _checkpoint(self) -> None:
        """Copy the log into the database file beside the commits, then the little that came meanwhile between two of
        them: only when all is copied does SQLite start the log from its beginning again."""
        loop = asyncio.get_running_loop()
        try:
            for _ in range(CHECKPOINT_ROUNDS_MAX):
                await loop.run_in_executor(self._checkpoint_thread, checkpoint_beside, self._file)
                async with self._writing:
                    if self._writer is None or self._failure is not None:
                        return
                    self._writer.note_end()
                    logged, copied = self._writer.wal_frames()
                    if logged - copied <= CATCH_UP_FRAMES_MAX or logged > WAL_FRAMES_MAX:
                        await loop.run_in_executor(self._commit_thread, self._writer.checkpoint)
                        logged, copied = self._writer.wal_frames()
                        # Else a read that had begun before, as the index's own, kept some of it.
                        if copied == logged:
                            return
        except (apsw.BusyError, apsw.FullError):
            # Another process checkpoints, or there is no space for it: the next commit tries again.
            pass
        except StorageFailure as failure:
            self._fail(failure)
        except apsw.Error as error:
            # A failed sync of the database file: nothing that was acknowledged is lost (it is in the log), and nothing
            # more may be written.
            self._fail(StorageFailure(f"a checkpoint of {self._path} failed: {described(error)}"))
        finally:
            self._checkpointing = None

    # --- Reading -----------------------------------------------------------------------------------------------------

    async def read(
        self, function: Callable[Concatenate[apsw.Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a read of the log on a reader thread. Raises :class:`StorageFailure` when the file is gone."""
        return await self._read(lambda reader: function(reader.connection, *args, **kwargs))

    async def read_indexed(
        self, function: Callable[Concatenate[View, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """The same of log, index and tail."""

        views = self._require_views()
        return await self._read(lambda reader: function(views.view(reader), *args, **kwargs))

    def _require_views(self) -> Views:
        if self._views is None:
            raise store_closed()
        return self._views

    async def _read(self, function: Callable[[Reader], _T]) -> _T:
        try:
            return await self._readers.run(function)
        except apsw.Error as error:
            if self._indexing is not None and isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
                self._indexing.suspect()
            raise translated(error, self._path) from error

    async def head(self) -> LogHead:
        if self._writer is None:
            return await self._read(lambda reader: reads.read_visible_head(reader.connection, self._file.noted_end()))
        return self._writer.head

    async def _head_position(self) -> int:
        return (await self.head()).position

    async def wait_for_head(self, after: int) -> int:
        return await self._signal.wait(after)

    async def read_feed(
        self,
        query: EventQuery,
        *,
        after: int,
        until: int,
        direction: Direction,
        limit: int,
        size_bytes_max: int = PAGE_SIZE_BYTES_MAX,
    ) -> Lines:
        if query.is_unrestricted:
            return await self.read(
                reads.read_log, query, after=after, until=until, direction=direction, limit=limit,
                size_bytes_max=size_bytes_max,
            )  # fmt: skip
        return await self.read_indexed(
            reads.read_filtered, query, after=after, until=until, direction=direction, limit=limit,
            size_bytes_max=size_bytes_max,
        )  # fmt: skip

    read_aggregate = _reading(aggregates.read_aggregate)
    locate_position = _reading(aggregates.locate_position)
    locate_version = _reading(aggregates.locate_version)
    _scan_beside = _reading(reads.scan_condition)
    read_event = _reading(aggregates.read_event)
    read_events = _reading(aggregates.read_events)
    read_aggregate_info = _reading(aggregates.read_aggregate_info)
    list_event_types = _reading(aggregates.list_event_types)
    list_aggregate_types = _reading(aggregates.list_aggregate_types)
    list_aggregates = _reading(aggregates.list_aggregates)
    load_snapshot = _reading(aggregates.load_snapshot)
    list_groups = _reading_log(groups.summaries)
    list_skipped = _reading_log(groups.list_skipped)
    load_relay = _reading_log(relays.load)
    list_relays = _reading_log(relays.load_all)

    async def scan_condition(self, scan: ConditionScan, entries_max: int) -> ConditionScan:
        """What takes a few looks into the index is done at once: to ask a reader for it takes many times as long."""
        if self._writer is not None and scan.entries == 0 and scan.name_count <= CONDITION_NAMES_AT_ONCE:
            # What goes wrong with the index is the reader's to find out.
            with contextlib.suppress(apsw.Error, IndelibleError):
                scan = self._writer.scan_condition(scan, min(entries_max, CONDITION_ENTRIES_AT_ONCE))
        return scan if scan.is_done else await self._scan_beside(scan, entries_max)

    async def load_group(self, name: str) -> GroupState | None:
        return loaded(await self.read(groups.load, name, self._clock_us()))

    async def reload_group(self, name: str, revision: int) -> GroupState | GroupUnmoved | None:
        return await self.read(groups.load, name, self._clock_us(), revision)

    async def now_us(self) -> int:
        return self._clock_us()

    async def find_unindexed(self, first: int, last: int) -> tuple[int, str] | None:
        unlike = await self.read(reads.find_unlike, first, last)
        if unlike is not None or not await self._read(self._require_views().is_kept):
            return unlike
        unindexed = await self.read_indexed(reads.find_unindexed, first, last)
        if unindexed is not None and self._indexing is not None:
            self._indexing.condemn()
        return unindexed

    async def reindex(self, on_progress: OnProgress) -> int:
        try:
            return await asyncio.to_thread(self._reindex, on_progress)
        except apsw.Error as error:
            raise translated(error, self._path) from error
        except OSError as error:
            raise StorageFailure(f"cannot make the index of {self._path} anew: {error}") from error

    def _reindex(self, on_progress: OnProgress) -> int:
        self._path.stat()
        self._file.open_for_writing()
        try:
            connection = connect_reader(self._path)
            _check_readable(connection)
            connection.close()
            return reindex(self._path, on_progress)
        finally:
            self._file.close()

    async def find_missing_end(self) -> tuple[int, str] | None:
        return await self.read(find_missing_end, self._file)

    def storage_state(self) -> StorageState | None:
        return None if self._indexing is None else self._indexing.state(size_bytes(self._file.log_path))

    async def storage_size_bytes(self) -> int:
        index = index_path(self._path)
        files = (self._path, self._file.log_path, index, index.with_name(index.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())


def _check_readable(connection: apsw.Connection) -> None:
    newest = migrations()[-1][0]
    version = check_schema(connection)
    if version != newest:
        raise StorageFailure(
            f"the store has schema version {version}, not {newest}; open it for writing once to migrate"
        )


async def _shielded(write: Coroutine[Any, Any, _T]) -> _T:
    """In a task of its own: a caller that gives up must not let go of a connection that still commits."""
    return await asyncio.shield(asyncio.create_task(write, name="write"))
