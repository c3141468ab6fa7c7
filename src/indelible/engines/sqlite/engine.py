"""The SQLite engine: one file, one writing process, any number of readers.

Threads: the event loop prepares a batch itself (a few microseconds a row; another thread would fight it for the
interpreter's lock), a commit thread waits for the disk, a checkpoint thread copies the write-ahead log into the
database file beside the commits, and a few reader threads render pages.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar
from uuid import UUID

import apsw

from indelible.engines.engine import AppendOutcome, Capabilities, Lines, LogHead
from indelible.engines.group_storage import GroupChange, GroupState, GroupSummary, StoredGroup
from indelible.engines.head_signal import HeadSignal
from indelible.engines.planner import Plan
from indelible.engines.sqlite import groups, reads
from indelible.engines.sqlite.connections import check_schema, connect_reader, migrations
from indelible.engines.sqlite.process_lock import ProcessLock
from indelible.engines.sqlite.reader_threads import ReaderThreads
from indelible.engines.sqlite.writer import Writer, chunks
from indelible.errors import (
    InvalidRequest,
    StorageFailure,
    StorageFull,
    StoreCorrupted,
)
from indelible.events import AggregateKey, RecordedEvent, Snapshot
from indelible.eventstore import AggregateInfo, AggregateTypeInfo, AppendRequest, EventTypeInfo
from indelible.groups import SkippedEvent
from indelible.limits import HEAD_POLL_S, PAGE_SIZE_BYTES_MAX, RETRY_AFTER_S
from indelible.queries import Direction, EventQuery

_P = ParamSpec("_P")
_T = TypeVar("_T")

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


class SqliteEngine:
    """Implements :class:`indelible.engines.engine.Engine` over the database file ``path``; its folder is created.

    ``read_only``: no lock is taken and every write is refused. ``clock_us`` gives microseconds since 1970.
    """

    capabilities = Capabilities(durable=True, read_only_beside_writer=True)
    warnings: tuple[str, ...] = ()

    def __init__(
        self, path: Path, *, read_only: bool = False, clock_us: Callable[[], int] = lambda: time.time_ns() // 1000
    ) -> None:
        self._path = path
        self._read_only = read_only
        self._clock_us = clock_us
        self._lock = ProcessLock(path)
        self._writer: Writer | None = None
        self._writing = asyncio.Lock()
        self._is_committing = False
        self._checkpointing: asyncio.Task[None] | None = None
        self._failure: StorageFailure | None = None
        self.on_failure: Callable[[StorageFailure], None] = _tell_nobody
        self._commit_thread = ThreadPoolExecutor(1, "indelible-commit")
        self._checkpoint_thread = ThreadPoolExecutor(1, "indelible-checkpoint")
        self._readers = ReaderThreads(lambda: connect_reader(path), READER_THREADS)
        # Beside the writer of another process only looking tells.
        self._signal = HeadSignal(self._head_position, poll_s=HEAD_POLL_S) if read_only else HeadSignal()

    # --- Opening and closing -----------------------------------------------------------------------------------------

    async def open(self) -> None:
        self._signal.open()
        try:
            if self._read_only:
                await self._read(_check_readable)
            else:
                await asyncio.to_thread(self._open_writer)
        except apsw.Error as error:
            raise _translated(error, self._path) from error
        except OSError as error:
            raise StorageFailure(f"cannot open {self._path}: {error}") from error

    def _open_writer(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            self._writer = Writer(self._path)
        except BaseException:
            self._lock.release()
            raise
        self._signal.moved(self._writer.head.position)

    async def close(self) -> None:
        await self._signal.close()
        async with self._writing:
            writer, self._writer = self._writer, None
        if self._checkpointing is not None:
            await self._checkpointing
        await asyncio.to_thread(self._readers.close)
        await asyncio.to_thread(self._checkpoint_thread.shutdown)
        try:
            if writer is not None:
                await asyncio.get_running_loop().run_in_executor(self._commit_thread, self._close_writer, writer)
        except apsw.Error as error:
            raise _translated(error, self._path) from error
        finally:
            await asyncio.to_thread(self._commit_thread.shutdown)
            self._lock.release()

    def _close_writer(self, writer: Writer) -> None:
        try:
            if self._failure is None:
                writer.checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except (apsw.BusyError, apsw.FullError):
            # A reader of another process holds the log, or there is no space: the next open copies it.
            pass
        finally:
            writer.close()

    # --- Appending ---------------------------------------------------------------------------------------------------

    async def append(self, batch: Sequence[AppendRequest]) -> list[AppendOutcome]:
        return (await self._append(lambda writer: writer.begin(batch, self._clock_us()))).outcomes

    async def append_recorded(self, events: Sequence[RecordedEvent]) -> None:
        await self._append(lambda writer: writer.begin_recorded(events))

    async def _append(self, begin: Callable[[Writer], Plan]) -> Plan:
        async with self._writing:
            writer = self._require_writer()
            try:
                decided = await self._write(writer, begin)
                if decided.events:
                    writer.publish(decided.head)
                    self._signal.moved(decided.head.position)
            except Exception as error:
                self._give_up(writer, error)
                raise
            finally:
                self._is_committing = False
            self._start_checkpoint(writer)
            return decided

    async def _write(self, writer: Writer, begin: Callable[[Writer], Plan]) -> Plan:
        decided = begin(writer)
        if not decided.events:
            writer.rollback()
            return decided
        for number, chunk in enumerate(chunks(decided.events, INSERT_EVENTS_AT_ONCE)):
            if number:
                await asyncio.sleep(0)
            writer.insert(chunk)
        writer.finish()
        self._is_committing = True
        await self._commit(writer)
        return decided

    async def _commit(self, writer: Writer) -> None:
        await asyncio.get_running_loop().run_in_executor(self._commit_thread, writer.commit)

    def _give_up(self, writer: Writer, error: Exception) -> None:
        """Undo a failed write, and raise what an SQLite error means.

        Only a full disk leaves the log in a known state: SQLite could not write the commit's last page, so nothing of
        it can become durable. After any other error of SQLite the engine never writes again.
        """
        try:
            writer.rollback()
        except apsw.Error as second:
            error = second
        if not isinstance(error, apsw.Error):
            return
        translated = _translated(error, self._path)
        if isinstance(translated, StorageFailure):
            self._fail(translated)
        raise translated from error

    def _fail(self, failure: StorageFailure) -> None:
        self._failure = failure
        self.on_failure(failure)

    def _require_writer(self) -> Writer:
        if self._failure is not None:
            raise StorageFailure(self._failure.message)
        if self._writer is None:
            raise InvalidRequest("the store is open for reading only, or closed")
        return self._writer

    # --- Other writes ------------------------------------------------------------------------------------------------

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        def write(writer: Writer) -> bool:
            writer.insert_snapshot(snapshot)
            return True

        await self._change(write)

    async def create_group(self, group: StoredGroup, *, groups_max: int) -> bool:
        return await self._change(lambda writer: writer.change_groups(lambda at: groups.create(at, group, groups_max)))

    async def save_group(self, change: GroupChange) -> bool:
        return await self._change(lambda writer: writer.change_groups(lambda at: groups.save(at, change)))

    async def delete_group(self, name: str) -> bool:
        return await self._change(lambda writer: writer.change_groups(lambda at: groups.delete(at, name)))

    async def _change(self, write: Callable[[Writer], bool]) -> bool:
        """Commit what ``write`` wrote in a transaction that it opened, unless it says that there is nothing."""
        # In a task of its own: a caller that gives up must not let go of a connection that still commits.
        return await asyncio.shield(asyncio.create_task(self._change_alone(write), name="change"))

    async def _change_alone(self, write: Callable[[Writer], bool]) -> bool:
        async with self._writing:
            writer = self._require_writer()
            try:
                is_changed = write(writer)
                if is_changed:
                    await self._commit(writer)
                else:
                    writer.rollback()
            except Exception as error:
                self._give_up(writer, error)
                raise
            self._start_checkpoint(writer)
            return is_changed

    # --- Checkpoints -------------------------------------------------------------------------------------------------

    def _start_checkpoint(self, writer: Writer) -> None:
        if self._checkpointing is not None:
            return
        logged, copied = writer.wal_frames()
        if logged - copied >= CHECKPOINT_FRAMES:
            self._checkpointing = asyncio.create_task(self._checkpoint(), name="checkpoint")

    async def _checkpoint(self) -> None:
        """Copy the log into the database file beside the commits, then the little that came meanwhile between two of
        them: only when all is copied does SQLite start the log from its beginning again."""
        loop = asyncio.get_running_loop()
        try:
            for _ in range(CHECKPOINT_ROUNDS_MAX):
                await loop.run_in_executor(self._checkpoint_thread, _checkpoint_beside, self._path)
                async with self._writing:
                    if self._writer is None or self._failure is not None:
                        return
                    logged, copied = self._writer.wal_frames()
                    if logged - copied <= CATCH_UP_FRAMES_MAX or logged > WAL_FRAMES_MAX:
                        await loop.run_in_executor(
                            self._commit_thread, self._writer.checkpoint, apsw.SQLITE_CHECKPOINT_PASSIVE
                        )
                        return
        except (apsw.BusyError, apsw.FullError):
            # Another process checkpoints, or there is no space for it: the next commit tries again.
            pass
        except apsw.Error as error:
            # A failed sync of the database file: nothing that was acknowledged is lost (it is in the log), and nothing
            # more may be written.
            self._fail(StorageFailure(f"a checkpoint of {self._path} failed: {_described(error)}"))
        finally:
            self._checkpointing = None

    # --- Reading -----------------------------------------------------------------------------------------------------

    async def _read(
        self, function: Callable[Concatenate[apsw.Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a read on a reader thread."""
        try:
            return await self._readers.run(lambda connection: function(connection, *args, **kwargs))
        except apsw.Error as error:
            raise _translated(error, self._path) from error

    async def head(self) -> LogHead:
        # While a commit is on its way, readers may see its events before its writer knows; the head must be no further
        # back than they are.
        if self._writer is None or self._is_committing:
            return await self._read(reads.read_visible_head)
        return self._writer.head

    async def _head_position(self) -> int:
        return (await self.head()).position

    async def wait_for_head(self, after: int) -> int:
        return await self._signal.wait(after)

    async def read_aggregate(
        self, key: AggregateKey, *, from_version: int, to_version: int, direction: Direction, limit: int
    ) -> tuple[int, Lines]:
        return await self._read(
            reads.read_aggregate,
            key,
            from_version=from_version,
            to_version=to_version,
            direction=direction,
            limit=limit,
        )

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
        return await self._read(
            reads.read_feed,
            query,
            after=after,
            until=until,
            direction=direction,
            limit=limit,
            size_bytes_max=size_bytes_max,
        )

    async def read_event(self, event_id: UUID) -> bytes | None:
        return await self._read(reads.read_event, event_id)

    async def read_aggregate_info(self, key: AggregateKey) -> AggregateInfo | None:
        return await self._read(reads.read_aggregate_info, key)

    async def list_event_types(self) -> tuple[EventTypeInfo, ...]:
        return await self._read(reads.list_event_types)

    async def list_aggregate_types(self) -> tuple[AggregateTypeInfo, ...]:
        return await self._read(reads.list_aggregate_types)

    async def list_aggregates(
        self, *, aggregate_type: str | None, after: AggregateKey | None, limit: int
    ) -> tuple[AggregateInfo, ...]:
        return await self._read(reads.list_aggregates, aggregate_type, after, limit)

    async def load_snapshot(self, key: AggregateKey, *, at_version: int | None) -> Snapshot | None:
        return await self._read(reads.load_snapshot, key, at_version)

    async def list_groups(self) -> tuple[GroupSummary, ...]:
        return await self._read(groups.list_all)

    async def load_group(self, name: str) -> GroupState | None:
        return await self._read(groups.load, name, self._clock_us())

    async def list_skipped(self, name: str, *, after: int, limit: int) -> tuple[SkippedEvent, ...]:
        return await self._read(groups.list_skipped, name, after, limit)

    async def now_us(self) -> int:
        return self._clock_us()

    async def find_unindexed(self, first: int, last: int) -> tuple[int, str] | None:
        return await self._read(reads.find_unindexed, first, last)

    async def storage_size_bytes(self) -> int:
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())


def _tell_nobody(failure: StorageFailure) -> None:
    pass


def _check_readable(connection: apsw.Connection) -> None:
    newest = migrations()[-1][0]
    version = check_schema(connection)
    if version != newest:
        raise StorageFailure(
            f"the store has schema version {version}, not {newest}; open it for writing once to migrate"
        )


def _checkpoint_beside(path: Path) -> None:
    """Copy what is in the log now; commits go on meanwhile."""
    connection = apsw.Connection(str(path))
    try:
        connection.pragma("synchronous", "FULL")
        connection.pragma("wal_autocheckpoint", 0)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    finally:
        connection.close()


def _translated(error: apsw.Error, path: Path) -> StorageFailure | StorageFull:
    """What an SQLite error means to a caller."""
    if isinstance(error, apsw.FullError):
        return StorageFull(f"no space is left for {path}; nothing was stored", retry_after_s=RETRY_AFTER_S)
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return StoreCorrupted(f"{path} is damaged: {error}")
    if isinstance(error, apsw.CantOpenError):
        return StorageFailure(f"cannot open {path}: {error}")
    return StorageFailure(f"SQLite failed on {path}: {_described(error)}")


def _described(error: apsw.Error) -> str:
    """With SQLite's own name of what failed, such as SQLITE_IOERR_FSYNC: the message alone says "disk I/O error"."""
    name = apsw.mapping_extended_result_codes.get(getattr(error, "extendedresult", 0))
    return f"{error} ({name})" if name else str(error)
