"""An event loop in a thread of its own, for callers that have none."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from indelible.errors import ShuttingDown

R = TypeVar("R")


class LoopThread:
    """Runs coroutines for other threads. The thread is a daemon: it never keeps a program from ending."""

    def __init__(self, name: str) -> None:
        self._loop: Final = asyncio.new_event_loop()
        self._pid: Final = os.getpid()
        self._lock: Final = threading.Lock()
        self._stopped = False
        self._thread: Final = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether the caller runs in this very thread."""
        return threading.current_thread() is self._thread

    @property
    def is_of_this_process(self) -> bool:
        """False in the child after a fork: threads stay behind."""
        return self._pid == os.getpid()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Run to the end and return what it returns, raise what it raises. An interrupted wait cancels it."""
        try:
            self._check_usable()
            future = self._submit(work)
        except BaseException:
            work.close()
            raise
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _check_usable(self) -> None:
        if not self.is_of_this_process:
            raise RuntimeError("this client was made before a fork, in the parent process; make a new one here")
        if self.is_here:
            raise RuntimeError("apply, decide, encode and decode functions run within the client and cannot call it")

    def _submit(self, work: Coroutine[Any, Any, R]) -> Future[R]:
        # The lock keeps work from being queued behind the stop, where it would wait for ever.
        with self._lock:
            if self._stopped:
                raise ShuttingDown("the client is closed")
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """Let all work end, then the thread. Call once, from another thread."""
        with self._lock:
            self._stopped = True
        asyncio.run_coroutine_threadsafe(_end_of_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end_of_others() -> None:
    """Wait until this task is the loop's last."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
