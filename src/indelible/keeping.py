"""What has to go on, whatever becomes of it: called again when it fails, each time after a longer wait.

The host of a server's parts and the :class:`Supervisor` of applications both keep things running so. How they log
it and show it is their own.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Literal

State = Literal["running", "failed", "ended"]


class Backoff:
    """How long to wait before a start: ``min_s`` seconds, and each time twice as long, to ``max_s``, while what was
    started does not last for ``max_s``."""

    def __init__(self, min_s: float, max_s: float) -> None:
        self._min_s: Final = min_s
        self._max_s: Final = max_s
        self._next_s = min_s
        self._started_at = time.monotonic()

    def started(self) -> None:
        self._started_at = time.monotonic()

    @property
    def has_lasted(self) -> bool:
        """Whether what was started has gone on for as long as would be waited for it next."""
        return time.monotonic() - self._started_at >= self._next_s

    def wait_s(self) -> float:
        """After what was started has ended."""
        if time.monotonic() - self._started_at >= self._max_s:
            self._next_s = self._min_s
        wait_s, self._next_s = self._next_s, min(2 * self._next_s, self._max_s)
        return wait_s


class Kept:
    """An async function that goes on until it is cancelled. What it raises goes to ``on_failure``, with the seconds
    until it is called again, None where it is not; when it returns, its work is done. What ``on_failure`` raises ends
    it for good."""

    def __init__(
        self,
        function: Callable[[], Awaitable[object]],
        on_failure: Callable[[BaseException, float | None], None],
        *,
        wait_min_s: float,
        wait_max_s: float,
    ) -> None:
        self._function: Final = function
        self._on_failure: Final = on_failure
        self._backoff: Final = Backoff(wait_min_s, wait_max_s)
        self.state: State = "ended"
        """A function that has failed is called again soon; "ended": it is not, or not yet, running."""
        self.restarts = 0
        self.failing_since: float | None = None
        """By the monotonic clock: when it failed first without having gone on in between for as long as would be waited
        next."""

    @property
    def is_failing(self) -> bool:
        """Whether it has failed, and has not gone on for long enough since."""
        is_well = self.state == "ended" or (self.state == "running" and self._backoff.has_lasted)
        return self.failing_since is not None and not is_well

    def begin(self) -> Coroutine[Any, Any, None]:
        """What keeps it running, to be made a task at once."""
        self.state = "running"
        self._backoff.started()
        return self._keep_running()

    async def _keep_running(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            while (error := await self._run(task)) is not None:
                if self.failing_since is None or self._backoff.has_lasted:
                    self.failing_since = time.monotonic()
                wait_s = None if task.cancelling() else self._backoff.wait_s()
                self.state = "failed"
                self._on_failure(error, wait_s)
                if wait_s is None:
                    return
                await asyncio.sleep(wait_s)
                self.restarts += 1
                self.state = "running"
                self._backoff.started()
        finally:
            self.state = "ended"

    async def _run(self, task: "asyncio.Task[Any]") -> BaseException | None:
        """Once; gives what it raised."""
        try:
            await self._function()
        except asyncio.CancelledError as error:
            if task.cancelling():
                raise
            # Something within was cancelled, which is a failure like others.
            return error
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            return error
        return None
