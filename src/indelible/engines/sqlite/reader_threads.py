"""Threads that read, each with a connection of its own, so that the event loop never waits for the disk.

Under load a thread takes several waiting reads at once and hands their results back together: most of a small read's
cost in a thread is the way there and back.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

import msgspec

from indelible.engines.engine import store_closed, too_many_reads
from indelible.engines.sqlite.views import Reader
from indelible.limits import READS_WAITING_MAX

_T = TypeVar("_T")
Read = Callable[[Reader], _T]

TAKEN_AT_ONCE_MAX: Final = 4
"""Reads that one thread takes together; more would leave other threads idle."""


class _Job(msgspec.Struct, frozen=True, eq=False):
    read: Read[Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


_Done = tuple[_Job, Any, Exception | None]


class ReaderThreads:
    """``connect`` opens a connection; each thread calls it once, at its first read. What ``check`` raises is what the
    reads raise that come after it."""

    def __init__(self, connect: Callable[[], Reader], check: Callable[[], None], count: int) -> None:
        self._connect: Final = connect
        self._check: Final = check
        self._count: Final = count
        self._jobs: Final[SimpleQueue[_Job | None]] = SimpleQueue()
        self._threads: Final[list[threading.Thread]] = []
        self._waiting = 0
        self._is_closed = False

    async def run(self, read: Read[_T]) -> _T:
        """Run a read on one of the threads. The wait for one is bounded: raises :class:`Overloaded`."""
        if self._is_closed:
            raise store_closed()
        if self._waiting >= READS_WAITING_MAX:
            raise too_many_reads()
        if len(self._threads) < min(self._count, self._waiting + 1):
            self._start_thread()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()
        self._waiting += 1
        try:
            self._jobs.put(_Job(read, future, loop))
            return await future
        finally:
            self._waiting -= 1

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._work, name=f"indelible-read-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        connection: Reader | None = None
        while jobs := self._take():
            done: list[_Done]
            try:
                # First: of a file that is gone SQLite would only say that it cannot open it.
                self._check()
                connection = connection or self._connect()
            except Exception as error:  # noqa: BLE001 - whatever broke, the readers must hear of it
                done = [(job, None, error) for job in jobs]
            else:
                done = [_do(job, connection) for job in jobs]
            # A closed loop has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                jobs[0].loop.call_soon_threadsafe(_resolve, done)
        if connection is not None:
            connection.close()

    def _take(self) -> list[_Job]:
        """The next reads, once there are any; nothing when the thread is to end."""
        first = self._jobs.get()
        if first is None:
            return []
        jobs = [first]
        with contextlib.suppress(Empty):
            while len(jobs) < TAKEN_AT_ONCE_MAX:
                job = self._jobs.get_nowait()
                if job is None:
                    # Meant for a thread that has nothing to do.
                    self._jobs.put(None)
                    break
                jobs.append(job)
        return jobs

    def close(self) -> None:
        """Finish what waits and end the threads. Blocks."""
        self._is_closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()


def _do(job: _Job, connection: Reader) -> _Done:
    try:
        return job, job.read(connection), None
    except Exception as error:  # noqa: BLE001 - whatever broke, the reader must hear of it
        return job, None, error


def _resolve(done: list[_Done]) -> None:
    for job, result, error in done:
        if job.future.done():
            continue
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)
