"""What every store behind a server does about failures, whatever it speaks to the server: repeats what failed for now,
with growing, jittered waits, within bounds.

A loop of our own and not a retry library: whether any attempt may have reached the server has to be remembered from
attempt to attempt, because it decides which error comes out at the end.
"""

import asyncio
import copy
import math
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, Final, NoReturn, TypeVar

from indelible.client.outages import Outages
from indelible.cursors import Cursor
from indelible.errors import (
    ClientClosed,
    IndelibleError,
    InternalError,
    OutcomeUnknown,
    Overloaded,
    RateLimited,
    ShuttingDown,
    StorageFull,
    Unavailable,
)
from indelible.eventstore import AppendOutcome, FeedPage
from indelible.limits import CLIENT_APPENDS_WAITING_MAX, CLIENT_RETRY_WAIT_MAX_S
from indelible.tasks import first_of, is_set_within

R = TypeVar("R")
_FIRST_WAIT_S: Final = 0.05
"""Long enough for a closed keep-alive connection to be replaced, short enough not to be felt."""
_DOUBLINGS_MAX: Final = math.ceil(math.log2(CLIENT_RETRY_WAIT_MAX_S / _FIRST_WAIT_S))
"""Of that, until waits grow no more."""


class _UnderWay:
    """How many calls are, of one client."""

    def __init__(self) -> None:
        self.stopped: Final = asyncio.Event()
        self._count = 0
        self._idle: Final = asyncio.Event()

    async def stop(self) -> None:
        self.stopped.set()
        if self._count:
            await self._idle.wait()

    def begin(self) -> None:
        self._count += 1

    def end(self) -> None:
        self._count -= 1
        if not self._count and self.stopped.is_set():
            self._idle.set()


class Retry:
    """Repeats attempts, and knows when none is under way. Belongs to one event loop. ``total_s`` seconds after a call
    began no further attempt is begun; None: it goes on for ever. Whoever fails twice in a row tells ``outages``."""

    def __init__(
        self, total_s: float | None, outages: Outages | None = None, under_way: _UnderWay | None = None
    ) -> None:
        self.total_s: Final = math.inf if total_s is None else total_s
        self.outages: Final = outages or Outages()
        self._under_way: Final = under_way or _UnderWay()
        self.stopped: Final = self._under_way.stopped
        """Set it to let no call begin another attempt."""

    def lasting(self, total_s: float | None) -> "Retry":
        """The same, for calls of another length; stopped with this one."""
        return Retry(total_s, self.outages, self._under_way)

    async def stop(self) -> None:
        """Wait for what is under way, which is not repeated any more."""
        await self._under_way.stop()

    async def call(
        self, attempt: Callable[[], Awaitable[R]], *, wait_s: float = 0.0, may_repeat_unknown: bool = True
    ) -> R:
        """Call ``attempt`` until it succeeds, fails for good, or is given up. Attempts may be asked to wait for
        ``wait_s`` seconds in all: so much of the time that they take is no part of ``total_s``.

        Repeated are ``Unavailable`` (but not a full disk, which needs people, unless there is all the time in the
        world) and ``OutcomeUnknown``. When given up, raises ``OutcomeUnknown`` if any attempt did, since that one may
        have been stored; else the last error. ``may_repeat_unknown`` is False for what must not be done twice:
        ``OutcomeUnknown`` ends that at once.
        """
        if self.stopped.is_set():
            raise _closed()
        clock = asyncio.get_running_loop().time
        began_at = clock()
        give_up_at = began_at + self.total_s
        maybe_stored = False
        number = 0
        self._under_way.begin()
        try:
            while True:
                number += 1
                try:
                    return await self._served(attempt)
                except (Unavailable, OutcomeUnknown) as error:
                    waited_s = min(clock() - began_at, wait_s)
                    wait_s -= waited_s
                    give_up_at += waited_s
                    maybe_stored = maybe_stored or isinstance(error, OutcomeUnknown)
                    pause_s = _wait_s(number, error)
                    final = isinstance(error, StorageFull) and self.total_s < math.inf
                    final = final or (maybe_stored and not may_repeat_unknown)
                    if final or clock() + pause_s > give_up_at or self.stopped.is_set():
                        raise _given_up(error, number, maybe_stored) from error
                    self.note_failure(attempt, number, error)
                await is_set_within(pause_s, self.stopped)
                began_at = clock()
        finally:
            self.outages.left(attempt)
            self._under_way.end()

    async def _served(self, attempt: Callable[[], Awaitable[R]]) -> R:
        """One attempt, after which the server is not lost unless it says so."""
        try:
            result = await attempt()
        except (Unavailable, OutcomeUnknown):
            raise
        except IndelibleError:
            self.outages.answered(attempt)
            raise
        self.outages.answered(attempt)
        return result

    def note_failure(self, caller: object, number: int, error: IndelibleError) -> None:
        """A connection that is replaced at once is no outage, nor is a server that asks for patience; but who has
        patience for ever must not stand still unnoticed."""
        is_busy = isinstance(error, (Overloaded, RateLimited)) and self.total_s < math.inf
        if number > 1 and not is_busy:
            self.outages.failed(caller, error)

    async def wait_before_attempt(self, number: int, error: IndelibleError) -> None:
        """Wait as :meth:`call` does after attempt ``number`` failed, or until it is ``stopped``."""
        await is_set_within(_wait_s(number, error), self.stopped)


def _wait_s(number: int, error: IndelibleError) -> float:
    """How long to wait after attempt ``number``: at least what the server asked for, and not all callers alike."""
    growing_s = min(_FIRST_WAIT_S * 2.0 ** min(number - 1, _DOUBLINGS_MAX), CLIENT_RETRY_WAIT_MAX_S)
    # One that stops speaks for itself: behind the same address there may be others.
    asked_s = 0.0 if isinstance(error, ShuttingDown) else float(error.fields.get("retry_after_s", 0))
    return max(growing_s, asked_s) * random.uniform(1, 1.5)  # noqa: S311 - jitter, not a secret


def _given_up(error: IndelibleError, attempts: int, maybe_stored: bool) -> IndelibleError:
    kind = OutcomeUnknown if maybe_stored else type(error)
    tried = f" (given up after {attempts} attempts)" if attempts > 1 else ""
    return kind(error.message + tried, **error.fields)


@contextmanager
def _saying(unavailable: str, unknown: str) -> Iterator[None]:
    """What has become of a call that was given up, behind why it was."""
    try:
        yield
    except OutcomeUnknown as error:
        raise OutcomeUnknown(f"{error.message}; {unknown}", **error.fields) from error.__cause__
    except Unavailable as error:
        raise type(error)(f"{error.message}; {unavailable}", **error.fields) from error.__cause__


class Calls:
    """Repeats attempts as :class:`Retry` says. Belongs to one event loop."""

    def __init__(self, retry: Retry, *, looks_first: bool = False) -> None:
        """``looks_first``: once the server was lost, polls do not wait for anything until it has answered."""
        self._retry: Final = retry
        self._looks_first: Final = looks_first
        self._room: Final = asyncio.Semaphore(CLIENT_APPENDS_WAITING_MAX)
        self.stop: Final = self._retry.stop

    def lasting(self, retry_total_s: float | None) -> "Calls":
        """The same, for so many seconds, None for ever; and for callers who poll again, whatever comes."""
        return Calls(self._retry.lasting(retry_total_s), looks_first=True)

    async def append(self, attempt: Callable[[], Awaitable[R]]) -> R:
        """Above ``CLIENT_APPENDS_WAITING_MAX`` of them callers wait."""
        await self._room.acquire()
        try:
            with _saying("nothing was stored", "it may have been stored: append it again with the same event ids"):
                try:
                    return await self._retry.call(attempt)
                except InternalError as error:
                    raise _unknown(error) from error
        finally:
            self._room.release()

    async def append_each(
        self, bodies: Sequence[bytes], send: Callable[[Sequence[bytes]], Awaitable[Sequence[AppendOutcome]]]
    ) -> list[AppendOutcome]:
        """Independent appends in one request; those that may succeed later are sent again, together and in their order.
        One outcome each: what :meth:`append` gives or raises."""
        outcomes: dict[int, AppendOutcome] = {}
        left = list(range(len(bodies)))

        async def attempt() -> None:
            nonlocal left
            answers = await send([bodies[number] for number in left])
            if len(answers) != len(left):
                raise InternalError("the server answered for another number of appends")
            outcomes.update(zip(left, answers, strict=True))
            left = [number for number in left if isinstance(outcomes[number], (Unavailable, OutcomeUnknown))]
            failed = [outcome for number in left if isinstance(outcome := outcomes[number], IndelibleError)]
            if failed:
                raise next((error for error in failed if isinstance(error, OutcomeUnknown)), failed[0])

        try:
            await self.append(attempt)
        except IndelibleError as error:
            # What is unknown of one attempt stays so, whatever a later one was told. A copy each: for tracebacks.
            is_unknown = isinstance(error, OutcomeUnknown)
            outcomes.update((number, copy.copy(error)) for number in left if is_unknown or number not in outcomes)
        final = [outcomes[number] for number in range(len(bodies))]
        return [_unknown(one) if isinstance(one, InternalError) else one for one in final]

    async def once(self, attempt: Callable[[], Awaitable[R]]) -> R:
        """Of what must not be done twice: repeated only while it is certain that it was not done."""
        with _saying("nothing was done", "it may have been done: look before you ask again"):
            return await self._retry.call(attempt, may_repeat_unknown=False)

    async def idempotent(self, attempt: Callable[[], Awaitable[R]]) -> R:
        with _saying("nothing was done", "it may have been done, and to ask again does no harm"):
            return await self._retry.call(attempt)

    async def read(self, attempt: Callable[[], Awaitable[R]], *, wait_s: float = 0.0) -> R:
        with _saying("nothing was changed", "nothing was changed"):
            try:
                return await self._retry.call(attempt, wait_s=wait_s)
            except OutcomeUnknown as error:
                raise _unanswered(error) from error.__cause__

    async def poll(self, attempt: Callable[[float], Coroutine[Any, Any, R]], wait_s: float) -> R:
        """A read that the server may wait with: ``attempt`` gets the seconds that are left to wait. When the client is
        closed it is not waited for, but ends with ``ShuttingDown``."""
        clock = asyncio.get_running_loop().time
        until = clock() + wait_s

        async def attempt_now() -> R:
            is_lost = self._looks_first and self._retry.outages.error is not None
            left_s = 0.0 if is_lost else max(until - clock(), 0.0)
            return await (first_of(attempt(left_s), self._until_stopped()) if left_s else attempt(left_s))

        return await self.read(attempt_now, wait_s=wait_s)

    async def _until_stopped(self) -> NoReturn:
        await self._retry.stopped.wait()
        raise _closed()

    async def follow(
        self, connect: Callable[[Cursor], AsyncGenerator[FeedPage]], cursor: Cursor
    ) -> AsyncGenerator[FeedPage]:
        """Connect anew, after the last page's cursor, as long as a connection comes about within the time that retries
        may take."""
        failures, failing_since = 0, 0.0
        try:
            while not self._retry.stopped.is_set():
                try:
                    async with aclosing(connect(cursor)) as pages:
                        async for page in pages:
                            cursor, failures = page.cursor, 0
                            self._retry.outages.answered(connect)
                            yield page
                    error: IndelibleError = Unavailable("the server ended the subscription")
                except (Unavailable, OutcomeUnknown) as broken:
                    error = broken
                now = time.monotonic()
                failures, failing_since = failures + 1, now if failures == 0 else failing_since
                if now - failing_since >= self._retry.total_s:
                    raise _unanswered(error)
                self._retry.note_failure(connect, failures, error)
                await self._retry.wait_before_attempt(failures, error)
        finally:
            self._retry.outages.left(connect)
        raise _closed()


def _unanswered(error: IndelibleError) -> IndelibleError:
    """Of a read nothing is unknown but its answer."""
    return Unavailable(error.message, **error.fields) if isinstance(error, OutcomeUnknown) else error


def _unknown(error: InternalError) -> OutcomeUnknown:
    """Of an append: the server's error, or an answer that cannot be read, may have come after the commit."""
    return OutcomeUnknown(error.message, **error.fields)


def _closed() -> ClientClosed:
    return ClientClosed("the client is closed")
