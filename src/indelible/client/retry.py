"""Repeating what failed for now: with growing, jittered waits, within bounds.

A loop of our own and not a retry library: whether any attempt may have reached the server has to be remembered from
attempt to attempt, because it decides which error comes out at the end.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from indelible.errors import IndelibleError, OutcomeUnknown, StorageFull, Unavailable
from indelible.limits import CLIENT_RETRY_ATTEMPTS_MAX, CLIENT_RETRY_WAIT_MAX_S

R = TypeVar("R")
_FIRST_WAIT_S: Final = 0.05
"""Long enough for a closed keep-alive connection to be replaced, short enough not to be felt."""


class Retry:
    """Belongs to one event loop. ``total_s`` seconds after a call began no further attempt is begun."""

    def __init__(self, total_s: float) -> None:
        self._total_s = total_s
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Let no call begin another attempt."""
        self._stopped.set()

    async def call(
        self, attempt: Callable[[], Awaitable[R]], *, wait_s: float = 0.0, may_repeat_unknown: bool = True
    ) -> R:
        """Call ``attempt`` until it succeeds, fails for good, or is given up. Attempts may be asked to wait for
        ``wait_s`` seconds in all: so much of the time that they take is no part of ``total_s``.

        Repeated are ``Unavailable`` (but not a full disk, which needs people) and ``OutcomeUnknown``. When given up,
        raises ``OutcomeUnknown`` if any attempt did, since that one may have been stored; else the last error.
        ``may_repeat_unknown`` is False for what must not be done twice: ``OutcomeUnknown`` ends that at once.
        """
        clock = asyncio.get_running_loop().time
        give_up_at = clock() + self._total_s
        maybe_stored = False
        number = 0
        while True:
            number += 1
            began_at = clock()
            try:
                return await attempt()
            except (Unavailable, OutcomeUnknown) as error:
                waited_s = min(clock() - began_at, wait_s)
                wait_s -= waited_s
                give_up_at += waited_s
                maybe_stored = maybe_stored or isinstance(error, OutcomeUnknown)
                pause_s = _wait_s(number, error)
                final = isinstance(error, StorageFull) or number >= CLIENT_RETRY_ATTEMPTS_MAX
                final = final or (maybe_stored and not may_repeat_unknown)
                if final or clock() + pause_s > give_up_at or self._stopped.is_set():
                    raise _given_up(error, number, maybe_stored) from error
            await self._wait(pause_s)

    async def wait_before_attempt(self, number: int, error: IndelibleError) -> None:
        """Wait as :meth:`call` does after attempt ``number`` failed, or until :meth:`stop`."""
        await self._wait(_wait_s(number, error))

    async def until_stopped(self) -> None:
        await self._stopped.wait()

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    @property
    def total_s(self) -> float:
        return self._total_s

    async def _wait(self, wait_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._stopped.wait()


def _wait_s(number: int, error: IndelibleError) -> float:
    """How long to wait after attempt ``number``: at least what the server asked for, and not all callers alike."""
    growing_s = min(_FIRST_WAIT_S * 2.0 ** (number - 1), CLIENT_RETRY_WAIT_MAX_S)
    asked_s = float(error.fields.get("retry_after_s", 0))
    return max(growing_s, asked_s) * random.uniform(1, 1.5)  # noqa: S311 - jitter, not a secret


def _given_up(error: IndelibleError, attempts: int, maybe_stored: bool) -> IndelibleError:
    kind = OutcomeUnknown if maybe_stored else type(error)
    tried = f" (given up after {attempts} attempts)" if attempts > 1 else ""
    return kind(error.message + tried, **error.fields)
