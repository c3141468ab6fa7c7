"""Workers of consumer groups of which nobody asks anything: forgotten after a while, or when they know too much.

All that an idle worker knows is stored. Whoever asks for its group again has it loaded anew.
"""

import asyncio
import time
from collections import OrderedDict
from typing import Final, NamedTuple

from indelible.core.group_worker import GroupWorker
from indelible.limits import GROUP_IDLE_S, GROUPS_IDLE_PLACES_MAX


class _Idle(NamedTuple):
    worker: GroupWorker
    since: float
    size: int


class IdleWorkers:
    """Takes those that are forgotten out of ``workers``. Belongs to one event loop."""

    def __init__(self, workers: dict[str, GroupWorker]) -> None:
        self._workers: Final = workers
        self._idle: Final[OrderedDict[str, _Idle]] = OrderedDict()
        """By the group's name; who is idle for the longest first."""
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def add(self, group: str, worker: GroupWorker) -> None:
        self.discard(group)
        if self._workers.get(group) is not worker or self._is_closed:
            return
        idle = self._idle[group] = _Idle(worker, time.monotonic(), worker.size)
        self._size += idle.size
        while self._size > GROUPS_IDLE_PLACES_MAX:
            self._forget(next(iter(self._idle)))
        if self._idle and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GROUP_IDLE_S, self._forget_old)

    def discard(self, group: str) -> None:
        """It is not idle any more."""
        idle = self._idle.pop(group, None)
        if idle is not None:
            self._size -= idle.size

    def close(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _forget(self, group: str) -> None:
        worker = self._idle[group].worker
        self.discard(group)
        # By now it may be another, of a group that was made anew.
        if self._workers.get(group) is worker:
            del self._workers[group]

    def _forget_old(self) -> None:
        self._timer = None
        now = time.monotonic()
        while self._idle:
            group, idle = next(iter(self._idle.items()))
            left_s = idle.since + GROUP_IDLE_S - now
            if left_s > 0:
                self._timer = asyncio.get_running_loop().call_later(left_s, self._forget_old)
                return
            self._forget(group)
