"""Keeps the index of a store that this process writes: takes in the tail, behind the appends, on a thread of its own.

The event loop adds to the tail what was committed. When there is enough of it, or after a while, the tail is sealed,
the index thread takes it in, and it is let go of. An index whose disk is full, or that another process has locked, is
tried again; the tail grows meanwhile up to its bound, and then appends wait, and are refused. One that turns out to be
damaged, or is gone, is made anew; until it is there, whatever needs it is refused.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Final

import apsw

from indelible.engines.sqlite.connections import described
from indelible.engines.sqlite.index_file import Index, index_path, say_progress
from indelible.engines.sqlite.tail import Tail, TailEvent
from indelible.engines.sqlite.views import Reader, View, extend_tail
from indelible.errors import IndelibleError, Overloaded, StorageFailure, StorageFull, StoreCorrupted, Unavailable
from indelible.limits import (
    INDEX_CHECK_INTERVAL_S,
    INDEX_PAUSE_S,
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
        self._is_suspect = False
        self._checked_s = float("-inf")

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
        if is_sound and self._generation:
            with suppress(apsw.Error, OSError, IndelibleError):
                await self._in_thread(lambda: self._index.advance(self._tail.end))
        await self._in_thread(self._index.close)
        await asyncio.to_thread(self._thread.shutdown)

    async def _in_thread(self, work: Callable[[], object]) -> None:
        # To its end, whoever gives up: two must not use the index at once.
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    # --- The tail ----------------------------------------------------------------------------------------------------

    @property
    def lag(self) -> int:
        """Events that are not in the index yet."""
        return self._tail.end - self._tail.start

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

    def check_room(self) -> None:
        """Raises why the tail will not be within its bound soon: :class:`StorageFull` when the index has no space, or
        ``Unavailable``."""
        if self._trouble is not None and not self._has_room.is_set():
            raise copy(self._trouble)

    async def wait_for_room(self) -> None:
        """Until the tail is within its bound. Raises as :meth:`check_room`, and :class:`Overloaded` when it takes too
        long."""
        self.check_room()
        if self._has_room.is_set():
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
        if time.monotonic() - self._checked_s > INDEX_CHECK_INTERVAL_S:
            self._is_suspect = True
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
                self._trouble = trouble
                _log.warning("the index is behind by %d events: %s", self.lag, trouble.message)
                await asyncio.sleep(INDEX_RETRY_S)
                self._again()
            self._look_at_tail()

    async def _go_on(self) -> None:
        """A round. Raises a :class:`StorageFailure` for good, or another error that may pass."""
        if self._is_suspect:
            self._is_suspect, self._checked_s = False, time.monotonic()
            await self._in_thread(self._check)
        end = self._tail.seal()
        try:
            if self._generation:
                await self._in_thread(lambda: self._advance(end))
        except apsw.FullError:
            raise StorageFull(_no_space(self._index.path), retry_after_s=RETRY_AFTER_S) from None
        except apsw.BusyError:
            message = f"another process holds a lock on {self._index.path}; nothing was stored"
            raise Unavailable(message, retry_after_s=RETRY_AFTER_S) from None
        except (apsw.Error, OSError, StoreCorrupted) as error:
            _log.warning("the index %s is damaged and is made anew: %s", self._index.path, error)
            self._generation = 0
        if not self._generation:
            await self._rebuild(end)
        self._tail.drop(self._index.indexed)

    def _again(self) -> None:
        self._wanted.set()
        self._is_round.set()

    def _advance(self, end: int) -> None:
        if not self._index.is_there():
            raise StoreCorrupted("it was deleted or replaced")
        self._index.advance(end)

    def _check(self) -> None:
        if not (self._index.is_there() and self._index.is_sound()):
            _log.warning("the index %s is damaged and is made anew", self._index.path)
            self._generation = 0

    async def _rebuild(self, end: int) -> None:
        self._made += 1
        try:
            await self._in_thread(lambda: self._index.rebuild(say_progress(self._log_path), until=end))
        except apsw.FullError:
            raise StorageFull(_no_space(self._index.path), retry_after_s=RETRY_AFTER_S) from None
        except apsw.CorruptError as error:
            raise StoreCorrupted(f"the log {self._log_path} is damaged, and cannot be indexed: {error}") from error
        except (apsw.Error, OSError) as error:
            text = described(error) if isinstance(error, apsw.Error) else str(error)
            raise Unavailable(f"cannot make the index anew: {text}", retry_after_s=RETRY_AFTER_S) from error
        self._generation = self._made


def _no_space(path: Path) -> str:
    return f"no space is left for the index {path}; nothing was stored"
