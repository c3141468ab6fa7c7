"""Keeps the index of a store that this process writes: takes in the tail, behind the appends, on a thread of its own.

The event loop adds to the tail what was committed. When there is enough of it, or after a while, the tail is sealed,
the index thread takes it in, and it is let go of. Whatever fails is tried again, ever less often where an attempt is
costly; the tail grows meanwhile up to its bound, and then appends wait, and are refused.

- No space, a lock of another process, a reader that keeps its write-ahead log long, an error of the disk while reading:
  the index stays what it is, and is read.
- An error of the disk while writing: what of it was written is not known for certain, so it is made anew, and read as
  long as that takes.
- Damage, or it is gone: it is made anew, and whatever needs it is refused meanwhile.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

import apsw

from indelible.diagnostics import StorageState
from indelible.engines.sqlite.connections import described, is_while_reading
from indelible.engines.sqlite.index_file import Index, index_path, say_progress
from indelible.engines.sqlite.tail import Tail, TailEvent
from indelible.engines.sqlite.views import Reader, View, extend_tail
from indelible.errors import IndelibleError, Overloaded, StorageFailure, StorageFull, StoreCorrupted, Unavailable
from indelible.limits import (
    INDEX_PAUSE_S,
    INDEX_RETRY_MAX_S,
    INDEX_RETRY_S,
    INDEX_ROOM_WAIT_S,
    INDEX_ROUND_EVENTS,
    INDEX_TAIL_EVENTS_MAX,
    RETRY_AFTER_S,
)

_log: Final = logging.getLogger(__name__)


class Indexing:
    """Belongs to one event loop, but for :meth:`open` and :meth:`view`. ``on_failure`` hears of a log that cannot be
    indexed: an id or a version stands in it twice."""

    def __init__(self, log: Path, on_failure: Callable[[StorageFailure], None]) -> None:
        self._index: Final = Index(log, index_path(log))
        self._log_path: Final = log
        self._on_failure: Final = on_failure
        self._thread: Final = ThreadPoolExecutor(1, "indelible-index")
        self._generation = 0
        """Of the index, by which readers know that it was made anew; 0 while there is none."""
        self._made = 0
        """How often it was opened or made."""
        self._head = 0
        self._tail = Tail(0)
        self._work: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted = asyncio.Event()
        """Whether there is anything to take in."""
        self._is_round = asyncio.Event()
        """Whether there is enough of it."""
        self._has_room = asyncio.Event()
        self._trouble: IndelibleError | None = None
        """Why the last round could not be done."""
        self._last_error: str | None = None
        self._retry_s = INDEX_RETRY_S
        self._failed_s = float("-inf")
        self._must_rebuild = False
        self._is_suspect = False
        self._checked_s = float("-inf")
        self._behind_since_s = 0.0
        """When the tail was sealed last, or grew after it was empty; monotonic."""

    # --- Opening and closing -----------------------------------------------------------------------------------------

    def open(self, connection: apsw.Connection, head: int) -> None:
        """Open the index, or make it anew, and read the tail. Blocks."""
        self._index.open(say_progress(self._log_path))
        if head - self._index.indexed > INDEX_TAIL_EVENTS_MAX:
            self._index.advance(head)
        self._begin_tail(connection, head)

    def _begin_tail(self, connection: apsw.Connection, head: int) -> None:
        tail = Tail(self._index.indexed)
        extend_tail(tail, connection, head)
        self._tail, self._head = tail, head
        self._made += 1
        self._generation = self._made

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._has_room.set()
        self._work = asyncio.create_task(self._keep_up(), name="index")
        self._look_at_tail()

    async def close(self, *, is_sound: bool) -> None:
        """Take in what is left, unless the store has failed, and close the index."""
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
            await asyncio.wait({work})
        if is_sound and not self._must_rebuild:
            with suppress(apsw.Error, OSError, IndelibleError):
                await self._in_thread(lambda: self._index.advance(self._tail.end))
        await self._in_thread(self._index.close)
        if self._must_rebuild:
            # Whoever opens the store next must not take it for sound.
            with suppress(OSError):
                self._index.path.unlink(missing_ok=True)
        await asyncio.to_thread(self._thread.shutdown)

    async def _in_thread(self, work: Callable[[], object]) -> None:
        # To its end, whoever gives up: two must not use the index at once.
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    # --- The tail ----------------------------------------------------------------------------------------------------

    def state(self, log_wal_size_bytes: int) -> StorageState:
        lag = self._tail.end - self._tail.start
        free_bytes, size_bytes = _disk_of(self._log_path)
        return StorageState(
            index_lag_events=lag,
            index_lag_s=time.monotonic() - self._behind_since_s if lag else 0.0,
            index_rebuilds=max(self._made - 1, 0),
            index_trouble=None if self._trouble is None else self._trouble.message,
            index_last_error=self._last_error,
            log_wal_size_bytes=log_wal_size_bytes,
            index_wal_size_bytes=self._index.wal_size_bytes(),
            disk_free_bytes=free_bytes,
            disk_size_bytes=size_bytes,
        )

    def view(self, reader: Reader) -> View:
        if not self._generation:
            raise Unavailable("the index is being made anew from the log", retry_after_s=RETRY_AFTER_S)
        generation = self._generation
        view = self._tail.view(self._head)
        try:
            reader.connect_index(self._index.path, generation)
        except (apsw.CantOpenError, apsw.NotADBError, apsw.CorruptError, apsw.SQLError) as error:
            self._is_suspect = True
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._again)
            raise Unavailable(f"the index cannot be opened: {error}", retry_after_s=RETRY_AFTER_S) from error
        return View(reader.connection, view)

    def is_kept(self, _reader: Reader) -> bool:
        return True

    def add(self, events: Sequence[TailEvent]) -> None:
        """What was committed. Readers see it from now on."""
        if self._tail.start == self._tail.end:
            self._behind_since_s = time.monotonic()
        self._tail.add(events)
        self._head = self._tail.end
        self._look_at_tail()

    def _look_at_tail(self) -> None:
        weight = self._tail.weight
        if weight:
            self._wanted.set()
        if weight >= INDEX_ROUND_EVENTS:
            self._is_round.set()
        if weight < INDEX_TAIL_EVENTS_MAX:
            self._has_room.set()
        else:
            self._has_room.clear()

    @property
    def has_room(self) -> bool:
        return self._has_room.is_set()

    def check_room(self) -> None:
        """Raises :class:`Overloaded` when the tail will not be within its bound soon."""
        if self._trouble is not None and not self._has_room.is_set():
            raise Overloaded(
                f"the index is too far behind: {self._trouble.message}; nothing was stored", retry_after_s=RETRY_AFTER_S
            )

    async def wait_for_room(self) -> None:
        """Until the tail is within its bound. Raises :class:`Overloaded` when that takes too long."""
        self.check_room()
        if self.has_room:
            return
        try:
            async with asyncio.timeout(INDEX_ROOM_WAIT_S):
                await self._has_room.wait()
        except TimeoutError:
            raise Overloaded(
                "the index does not keep up with the appends; nothing was stored", retry_after_s=RETRY_AFTER_S
            ) from None

    def suspect(self) -> None:
        """A read met damage, of the log or of the index."""
        if time.monotonic() - self._checked_s > INDEX_RETRY_MAX_S:
            self._is_suspect = True
            self._again()

    def condemn(self) -> None:
        """Something is not in the index that belongs there, though it can be read."""
        self._generation, self._must_rebuild = 0, True
        self._again()

    def look(self) -> None:
        """Notice that the index is gone while nobody writes."""
        if self._generation and not self._index.is_there():
            self._is_suspect = True
            self._again()

    # --- Keeping up --------------------------------------------------------------------------------------------------

    async def _keep_up(self) -> None:
        while True:
            await self._wanted.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(INDEX_PAUSE_S):
                    await self._is_round.wait()
            self._wanted.clear()
            self._is_round.clear()
            try:
                await self._go_on()
                self._trouble = None
            except StorageFailure as failure:
                self._on_failure(failure)
                return
            except IndelibleError as trouble:
                await self._wait_after(trouble)
            self._look_at_tail()

    async def _wait_after(self, trouble: IndelibleError) -> None:
        self._trouble, self._last_error = trouble, trouble.message
        lag = self._tail.end - self._tail.start
        if time.monotonic() - self._failed_s > 2 * INDEX_RETRY_MAX_S:
            self._retry_s = INDEX_RETRY_S
        _log.warning("the index is behind by %d events, tried again in %g s: %s", lag, self._retry_s, trouble.message)
        await asyncio.sleep(self._retry_s)
        if self._must_rebuild:
            # One that is made anew and breaks again is not made anew every time at once.
            self._retry_s = min(2 * self._retry_s, INDEX_RETRY_MAX_S)
        self._failed_s = time.monotonic()
        self._again()

    async def _go_on(self) -> None:
        """A round. Raises a :class:`StorageFailure` for good, or another error that may pass."""
        end, self._behind_since_s = self._tail.seal(), time.monotonic()
        try:
            if not self._must_rebuild:
                await self._in_thread(lambda: self._advance(end))
        except (apsw.Error, OSError, StoreCorrupted) as error:
            trouble = self._understood(error)
            if self._generation:
                raise trouble from error
            _log.warning("%s", trouble.message)
        if self._must_rebuild:
            _log.warning("the index %s is made anew", self._index.path)
            await self._rebuild(end)
        self._tail.drop(self._index.indexed)

    def _advance(self, end: int) -> None:
        if self._is_suspect:
            self._is_suspect, self._checked_s = False, time.monotonic()
            if not (self._index.is_there() and self._index.is_sound()):
                raise StoreCorrupted("a look through it says so")
        if not self._index.is_there():
            raise StoreCorrupted("it was deleted or replaced")
        self._index.advance(end)

    def _understood(self, error: Exception) -> IndelibleError:
        """What is raised where events could not be taken in; notes what is to be done about it."""
        path = self._index.path
        if isinstance(error, (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, StoreCorrupted)):
            self._generation, self._must_rebuild = 0, True
            return Unavailable(f"the index {path} is damaged: {error}", retry_after_s=RETRY_AFTER_S)
        if isinstance(error, apsw.IOError) and not is_while_reading(error):
            self._must_rebuild = True
        return self._translated(error, f"the index {path} cannot be written")

    async def _rebuild(self, end: int) -> None:
        self._made += 1
        try:
            await self._in_thread(lambda: self._index.rebuild(say_progress(self._log_path), until=end))
        except apsw.CorruptError as error:
            raise StoreCorrupted(f"the log {self._log_path} is damaged, and cannot be indexed: {error}") from error
        except (apsw.Error, OSError) as error:
            raise self._translated(error, f"cannot make the index {self._index.path} anew") from error
        self._generation, self._must_rebuild = self._made, False

    def _translated(self, error: Exception, what: str) -> IndelibleError:
        path = self._index.path
        if isinstance(error, apsw.FullError):
            return StorageFull(f"no space is left for the index {path}", retry_after_s=RETRY_AFTER_S)
        text = described(error) if isinstance(error, apsw.Error) else str(error)
        return Unavailable(f"{what}: {text}", retry_after_s=RETRY_AFTER_S)

    def _again(self) -> None:
        self._wanted.set()
        self._is_round.set()


def _disk_of(file: Path) -> tuple[int, int]:
    """Free bytes, and all; 0 where the file's folder is gone."""
    try:
        disk = os.statvfs(file.parent)
    except OSError:
        return 0, 0
    return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
