"""Appends of concurrent tasks travel together, and none waits for company.

While fewer than ``CLIENT_BATCHES_IN_FLIGHT_MAX`` requests are under way, all that waits is sent at once; what arrives
meanwhile forms the next request. So batches grow with the load and an idle client sends a single append immediately.
"""

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import msgspec

from indelible.errors import IndelibleError, InternalError
from indelible.eventstore import AppendOutcome, AppendResult
from indelible.limits import (
    CLIENT_BATCH_APPENDS_MAX,
    CLIENT_BATCH_APPENDS_MIN,
    CLIENT_BATCH_SIZE_BYTES_MAX,
    CLIENT_BATCHES_IN_FLIGHT_MAX,
    REQUEST_EVENTS_MAX,
)

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
