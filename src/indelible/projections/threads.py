"""Drivers that block: each transaction in a thread of its own, so that one that hangs holds up nothing else."""

import asyncio
import queue
import threading
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from functools import partial
from inspect import isawaitable, iscoroutine
from typing import Any, Final, NamedTuple, TypeVar

from indelible.limits import PROJECTION_THREADS_MAX
from indelible.projections.database import DEFAULT_TABLE, C, Database, Row, Step, Transaction, check_open

R = TypeVar("R")
_Job = tuple[Future[Any], Callable[[], Any]]


class Begun(NamedTuple):
    """A transaction of a driver that blocks."""

    connection: Any
    execute: Callable[[str, Sequence[object]], Sequence[Row]]
    is_open: Callable[[], bool]


class _Thread:
    """Calls what it is given, one after another, until it is ended. A daemon: it never keeps a program from ending."""

    def __init__(self) -> None:
        self._jobs: Final[queue.SimpleQueue[_Job | None]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="indelible-projection", daemon=True).start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, call = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
                future.set_exception(error)

    async def run(self, call: Callable[[], R]) -> R:
        """Whoever is cancelled does not wait for it, but what is called next comes after it."""
        future: Future[R] = Future()
        self._jobs.put((future, call))
        return await asyncio.wrap_future(future)

    def end(self) -> None:
        self._jobs.put(None)


class _ThreadedTransaction(Transaction[C]):
    def __init__(self, begun: Begun, thread: _Thread) -> None:
        self._begun: Final = begun
        self._thread: Final = thread

    async def fetch(self, statement: str, *values: object) -> Sequence[Row]:
        return await self._thread.run(partial(self._begun.execute, statement, values))

    async def run(self, steps: Iterable[Step[C]]) -> None:
        """It goes to the thread once, not once a step."""
        await self._thread.run(partial(self._run, tuple(steps)))

    def _run(self, steps: Iterable[Step[C]]) -> None:
        for step in steps:
            done = step(self._begun.connection)
            if isawaitable(done):
                if iscoroutine(done):
                    done.close()
                raise TypeError("a driver that blocks calls ordinary functions, no coroutine functions")
        check_open(self._begun.is_open())


class ThreadedDatabase(Database[C]):
    """Of a driver that blocks. At most ``PROJECTION_THREADS_MAX`` transactions are under way; others wait."""

    is_blocking = True

    def __init__(self, dialect: str, table: str = DEFAULT_TABLE) -> None:
        super().__init__(dialect, table)
        self._room: Final = asyncio.Semaphore(PROJECTION_THREADS_MAX)

    @abstractmethod
    def begin(self, *, read_only: bool) -> AbstractContextManager[Begun]:
        """What :meth:`transaction` does, for the thread that it is called in."""

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncGenerator[Transaction[C]]:
        async with self._room:
            thread, open_ = _Thread(), ExitStack()
            try:
                begun = await thread.run(partial(open_.enter_context, self.begin(read_only=read_only)))
                yield _ThreadedTransaction(begun, thread)
            except BaseException as error:
                # Also of one that is begun behind the back of whoever was cancelled.
                await thread.run(partial(open_.__exit__, type(error), error, error.__traceback__))
                raise
            else:
                await thread.run(open_.close)
            finally:
                thread.end()
