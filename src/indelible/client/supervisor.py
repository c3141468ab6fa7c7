"""Supervisor: keeps what an application runs beside its requests running, and knows what does not.

::

    async with AsyncClient(url) as client, Supervisor() as supervisor:
        supervisor.start("payments", take_payments, client)
        supervisor.start("totals", project_totals, client)
        await supervisor.wait()
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Final, ParamSpec, Self

from indelible.errors import IndelibleError, InvalidRequest
from indelible.keeping import Kept
from indelible.limits import SUPERVISOR_WAIT_MAX_S, SUPERVISOR_WAIT_MIN_S

P = ParamSpec("P")

_log: Final = logging.getLogger(__name__)


class Supervisor:
    """Use as ``async with``; leaving it cancels its tasks, and waits for them. Belongs to one event loop. What
    :meth:`start` was given before begins with it.

    A task that fails is started again, after 0.5 seconds and each time after twice as long, to 30; the log of
    ``indelible.client.supervisor`` has an ERROR each time, with the reason. So it needs no loop of its own around what
    may fail, and goes on from where it has kept its cursor. A task that returns has done its work.

    ``give_up_after_s``: a task that has failed for so long, and never run in between for as long as it was waited for
    it, ends for good. That cancels the body of the ``async with`` and the other tasks, and its error comes out. None,
    the default, gives nothing up.
    """

    def __init__(self, *, give_up_after_s: float | None = None) -> None:
        self._give_up_after_s: Final = give_up_after_s
        self._group: Final = asyncio.TaskGroup()
        self._tasks: Final[dict[str, _Task]] = {}
        self._is_entered = False

    @property
    def failing(self) -> dict[str, str]:
        """Why, for each task by its name that has failed and has not yet run long enough since to be taken for well.
        Empty when all is well: made to be shown by a health endpoint."""
        return {name: task.error for name, task in self._tasks.items() if task.is_failing}

    def start(self, name: str, function: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call a coroutine function, and again whenever it fails. ``name`` is for people. Raises ``InvalidRequest``
        when a task of that name is running, or is to begin."""
        task = self._tasks.get(name)
        if task is not None and task.is_running:
            raise InvalidRequest(f"there is a task {name} already", pointer="/name")
        self._tasks[name] = task = _Task(name, partial(function, *args, **kwargs), self._give_up_after_s)
        if self._is_entered:
            task.start(self._group)

    async def wait(self) -> None:
        """Until every task has returned."""
        while running := [task.task for task in self._tasks.values() if task.task and task.is_running]:
            await asyncio.wait(running)

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._is_entered = True
        for task in self._tasks.values():
            task.start(self._group)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks.values():
            task.cancel()
        try:
            await self._group.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as failed:
            first = failed.exceptions[0]
            if first is not error:
                raise first from None


class _Task:
    def __init__(self, name: str, function: Callable[[], Awaitable[object]], give_up_after_s: float | None) -> None:
        self._name: Final = name
        self._give_up_after_s: Final = give_up_after_s
        self._kept: Final = Kept(
            function, self._hear, wait_min_s=SUPERVISOR_WAIT_MIN_S, wait_max_s=SUPERVISOR_WAIT_MAX_S
        )
        self.error = ""
        """Why it failed last."""
        self.task: asyncio.Task[None] | None = None
        """None until it begins."""

    def start(self, group: asyncio.TaskGroup) -> None:
        self.task = group.create_task(self._kept.begin(), name=self._name)

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()

    @property
    def is_running(self) -> bool:
        """Or is to begin."""
        return self.task is None or not self.task.done()

    @property
    def is_failing(self) -> bool:
        return self._kept.is_failing

    def _hear(self, error: BaseException, wait_s: float | None) -> None:
        self.error = str(error) if isinstance(error, IndelibleError) else f"{type(error).__name__}: {error}"
        # An error of ours says all there is to know; of others it may be a bug.
        trace = None if isinstance(error, IndelibleError) else error
        if wait_s is None:
            _log.error("task %s has failed while it was ended: %s", self._name, self.error, exc_info=trace)
        elif self._is_given_up():
            _log.error("task %s has failed, and is given up: %s", self._name, self.error, exc_info=trace)
            raise (
                error if isinstance(error, Exception) else RuntimeError(f"task {self._name} was cancelled from within")
            )
        else:
            message = "task %s has failed, and is started again in %.1f s: %s"
            _log.error(message, self._name, wait_s, self.error, exc_info=trace)

    def _is_given_up(self) -> bool:
        since = self._kept.failing_since
        return (
            self._give_up_after_s is not None
            and since is not None
            and time.monotonic() >= since + self._give_up_after_s
        )
