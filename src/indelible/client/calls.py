"""What every store behind a server does about failures, whatever it speaks to the server: repeats what failed for now,
with growing, jittered waits, within bounds.

A loop of our own and not a retry library: whether any attempt may have reached the server has to be remembered from
attempt to attempt, because it decides which error comes out at the end.

Appends of concurrent tasks travel together, and none waits for company.

While fewer than ``CLIENT_BATCHES_IN_FLIGHT_MAX`` requests are under way, all that waits is sent at once; what arrives
meanwhile forms the next request. So batches grow with the load and an idle client sends a single append immediately.
"""

import asyncio
import copy
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import aclosing, suppress
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from indelible.cursors import Cursor
from indelible.errors import IndelibleError, InternalError, OutcomeUnknown, ShuttingDown, StorageFull, Unavailable
from indelible.eventstore import AppendOutcome, AppendResult, FeedPage
from indelible.limits import (
    CLIENT_APPENDS_WAITING_MAX,
    CLIENT_BATCH_APPENDS_MAX,
    CLIENT_BATCH_APPENDS_MIN,
    CLIENT_BATCH_SIZE_BYTES_MAX,
    CLIENT_BATCHES_IN_FLIGHT_MAX,
    CLIENT_RETRY_ATTEMPTS_MAX,
    CLIENT_RETRY_WAIT_MAX_S,
    REQUEST_EVENTS_MAX,
)
from indelible.tasks import first_of

R = TypeVar("R")
_FIRST_WAIT_S: Final = 0.05
"""Long enough for a closed keep-alive connection to be replaced, short enough not to be felt."""


class Retry:
    """Belongs to one event loop. ``total_s`` seconds after a call began no further attempt is begun."""

    def __init__(self, total_s: float) -> None:
        self.total_s: Final = total_s
        self.stopped: Final = asyncio.Event()
        """Set it to let no call begin another attempt."""

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
        give_up_at = clock() + self.total_s
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
                if final or clock() + pause_s > give_up_at or self.stopped.is_set():
                    raise _given_up(error, number, maybe_stored) from error
            await self._wait(pause_s)

    async def wait_before_attempt(self, number: int, error: IndelibleError) -> None:
        """Wait as :meth:`call` does after attempt ``number`` failed, or until it is ``stopped``."""
        await self._wait(_wait_s(number, error))

    async def _wait(self, wait_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self.stopped.wait()


def _wait_s(number: int, error: IndelibleError) -> float:
    """How long to wait after attempt ``number``: at least what the server asked for, and not all callers alike."""
    growing_s = min(_FIRST_WAIT_S * 2.0 ** (number - 1), CLIENT_RETRY_WAIT_MAX_S)
    asked_s = float(error.fields.get("retry_after_s", 0))
    return max(growing_s, asked_s) * random.uniform(1, 1.5)  # noqa: S311 - jitter, not a secret


def _given_up(error: IndelibleError, attempts: int, maybe_stored: bool) -> IndelibleError:
    kind = OutcomeUnknown if maybe_stored else type(error)
    tried = f" (given up after {attempts} attempts)" if attempts > 1 else ""
    return kind(error.message + tried, **error.fields)


class Calls:
    """Repeats attempts as :class:`Retry` says, and knows when none is under way. Belongs to one event loop."""

    def __init__(self, retry_total_s: float) -> None:
        self._retry: Final = Retry(retry_total_s)
        self._room: Final = asyncio.Semaphore(CLIENT_APPENDS_WAITING_MAX)
        self._count = 0
        self._idle: Final = asyncio.Event()

    async def stop(self) -> None:
        """Wait for what is under way, which is not repeated any more."""
        self._retry.stopped.set()
        if self._count:
            await self._idle.wait()

    async def retried(
        self, attempt: Callable[[], Awaitable[R]], *, wait_s: float = 0.0, may_repeat_unknown: bool = True
    ) -> R:
        """See :meth:`Retry.call`."""
        if self._retry.stopped.is_set():
            raise _closed()
        self._count += 1
        try:
            return await self._retry.call(attempt, wait_s=wait_s, may_repeat_unknown=may_repeat_unknown)
        finally:
            self._count -= 1
            if self._retry.stopped.is_set() and not self._count:
                self._idle.set()

    async def append(self, attempt: Callable[[], Awaitable[R]]) -> R:
        """Above ``CLIENT_APPENDS_WAITING_MAX`` of them callers wait."""
        async with self._room:
            try:
                return await self.retried(attempt)
            except InternalError as error:
                raise _unknown(error) from error

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
        return await self.retried(attempt, may_repeat_unknown=False)

    async def read(self, attempt: Callable[[], Awaitable[R]], *, wait_s: float = 0.0) -> R:
        try:
            return await self.retried(attempt, wait_s=wait_s)
        except OutcomeUnknown as error:
            # Of a read nothing is unknown but its answer.
            raise Unavailable(error.message, **error.fields) from error.__cause__

    async def poll(self, attempt: Callable[[float], Coroutine[Any, Any, R]], wait_s: float) -> R:
        """A read that the server may wait with: ``attempt`` gets the seconds that are left to wait. When the client is
        closed it is not waited for, but ends with ``ShuttingDown``."""
        clock = asyncio.get_running_loop().time
        until = clock() + wait_s

        async def attempt_now() -> R:
            left_s = max(until - clock(), 0.0)
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
        while not self._retry.stopped.is_set():
            try:
                async with aclosing(connect(cursor)) as pages:
                    async for page in pages:
                        cursor, failures = page.cursor, 0
                        yield page
                error: IndelibleError = Unavailable("the server ended the subscription")
            except (Unavailable, OutcomeUnknown) as broken:
                error = broken
            now = time.monotonic()
            failures, failing_since = failures + 1, now if failures == 0 else failing_since
            if now - failing_since >= self._retry.total_s:
                raise error
            await self._retry.wait_before_attempt(failures, error)
        raise _closed()


def _unknown(error: InternalError) -> OutcomeUnknown:
    """Of an append: the server's error, or an answer that cannot be read, may have come after the commit."""
    return OutcomeUnknown(error.message, **error.fields)


def _closed() -> ShuttingDown:
    return ShuttingDown("the client is closed")


SendBatch = Callable[[Sequence[bytes]], Awaitable[Sequence[AppendOutcome]]]
"""Sends appends, each as JSON text; one outcome each, in their order. Raises when there is no outcome for any."""


class _Waiting(msgspec.Struct, frozen=True, eq=False):
    body: bytes
    event_count: int
    outcome: asyncio.Future[AppendOutcome]


def cut_lots(appends: Iterable[tuple[bytes, int]]) -> Iterator[list[bytes]]:
    """Appends, each as it is sent and with its number of events, in the lots that one request holds."""
    lot: list[bytes] = []
    events = size_bytes = 0
    for body, event_count in appends:
        events, size_bytes = events + event_count, size_bytes + len(body)
        is_over = events > REQUEST_EVENTS_MAX or size_bytes > CLIENT_BATCH_SIZE_BYTES_MAX
        if lot and (is_over or len(lot) >= CLIENT_BATCH_APPENDS_MAX):
            yield lot
            lot, events, size_bytes = [], event_count, len(body)
        lot.append(body)
    if lot:
        yield lot


class AppendBatches:
    """Belongs to one event loop. How many may wait is the caller's to bound."""

    def __init__(self, send: SendBatch) -> None:
        self._send = send
        self._waiting: deque[_Waiting] = deque()
        self._sending: set[asyncio.Task[None]] = set()
        self._dispatch_is_due = False

    async def append(self, body: bytes, event_count: int) -> AppendResult:
        """Send one append, as JSON text, with whatever else waits. One attempt; raises why it is not stored.

        A caller that is cancelled while its append waits takes it back; later it may be stored.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(body, event_count, loop.create_future())
        self._waiting.append(waiting)
        if not self._dispatch_is_due:
            # Not right here: the tasks that are ready in this turn of the loop get to add theirs first.
            self._dispatch_is_due = True
            loop.call_soon(self._dispatch)
        outcome = await waiting.outcome
        if isinstance(outcome, IndelibleError):
            raise outcome
        return outcome

    def _dispatch(self) -> None:
        self._dispatch_is_due = False
        while (free := CLIENT_BATCHES_IN_FLIGHT_MAX - len(self._sending)) and (batch := self._take_batch(free)):
            task = asyncio.create_task(self._send_and_settle(batch), name="append-batch")
            self._sending.add(task)
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._dispatch()

    def _take_batch(self, free: int) -> list[_Waiting]:
        """The next batch. What waits is shared out among the free slots, so that client and server work at once: were
        all of it in one request, each would idle while the other has it."""
        share = -(-len(self._waiting) // free)
        appends_max = min(max(share, CLIENT_BATCH_APPENDS_MIN), CLIENT_BATCH_APPENDS_MAX)
        batch: list[_Waiting] = []
        events = size_bytes = 0
        while self._waiting and len(batch) < appends_max:
            first = self._waiting[0]
            if first.outcome.done():
                self._waiting.popleft()
                continue
            events += first.event_count
            size_bytes += len(first.body)
            if batch and (events > REQUEST_EVENTS_MAX or size_bytes > CLIENT_BATCH_SIZE_BYTES_MAX):
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _send_and_settle(self, batch: list[_Waiting]) -> None:
        outcomes: Sequence[AppendOutcome]
        try:
            outcomes = await self._send([waiting.body for waiting in batch])
            if len(outcomes) != len(batch):
                outcomes = [InternalError("the server answered for another number of appends")] * len(batch)
        except IndelibleError as error:
            # A copy each: every caller adds its own traceback.
            outcomes = [copy.copy(error) for _ in batch]
        except Exception as error:  # noqa: BLE001 - whatever broke, every caller must get an answer
            outcomes = [InternalError(f"sending the batch failed: {type(error).__name__}: {error}") for _ in batch]
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if not waiting.outcome.done():
                waiting.outcome.set_result(outcome)
