"""Group commit: what arrives while one batch is on its way to disk forms the next batch.

Nobody waits for more to come: an idle queue hands a single append to the engine at once. Under load the batches grow
by themselves, because each commit takes long enough for others to arrive.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from typing import TypeVar, cast

import msgspec

from indelible.engines.engine import AppendOutcome, StorageEngine
from indelible.errors import (
    IndelibleError,
    OutcomeUnknown,
    Overloaded,
    ShuttingDown,
    StorageFailure,
    Unavailable,
)
from indelible.eventstore import AppendRequest, AtomicAppendResult
from indelible.limits import (
    BATCH_EVENTS_MAX,
    BATCH_SIZE_BYTES_MAX,
    QUEUE_REQUESTS_MAX,
    QUEUE_SIZE_BYTES_MAX,
    RETRY_AFTER_S,
)


class BatchMeasure(msgspec.Struct, frozen=True):
    """What one commit was like, for metrics."""

    requests: int
    events: int
    commit_s: float


class _Answers:
    """The outcomes of one caller's requests, who hears once the last of them is there: a future for each took longer
    than all the rest of the queue."""

    def __init__(self, count: int) -> None:
        self._outcomes: list[AppendOutcome | None] = [None] * count
        self._missing = count
        self._complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def put(self, number: int, outcome: AppendOutcome) -> None:
        self._outcomes[number] = outcome
        self._missing -= 1
        # The caller may have given up.
        if not self._missing and not self._complete.done():
            self._complete.set_result(None)

    async def all(self) -> list[AppendOutcome]:
        if self._missing:
            await self._complete
        return cast("list[AppendOutcome]", self._outcomes)


class _Waiting(msgspec.Struct, frozen=True, eq=False):
    request: AppendRequest
    event_count: int
    weight: int
    """How long the writer is busy with it, in events."""
    size_bytes: int
    answers: _Answers
    number: int
    """Of the request among its caller's."""

    @classmethod
    def of(cls, request: AppendRequest, answers: _Answers, number: int) -> "_Waiting":
        events = request.event_count
        weight = events if request.condition is None else request.weight
        return cls(request, events, weight, request.size_bytes, answers, number)

    def answer(self, outcome: AppendOutcome) -> None:
        self.answers.put(self.number, outcome)


_T = TypeVar("_T")


def _tell(hook: Callable[[_T], None] | None, value: _T) -> None:
    """Call a hook from the loop, before anyone who waits wakes up: if it breaks, appends go on all the same."""
    if hook is not None:
        asyncio.get_running_loop().call_soon(hook, value)


class AppendQueue:
    """The only way to ``engine.append``. Belongs to one event loop.

    ``on_batch`` hears of every finished batch. ``on_failure`` hears once, when the engine has failed for good: from
    then on every append is refused.
    """

    def __init__(
        self,
        engine: StorageEngine,
        *,
        on_batch: Callable[[BatchMeasure], None] | None = None,
        on_failure: Callable[[StorageFailure], None] | None = None,
    ) -> None:
        self._engine = engine
        engine.on_failure = self._stop_writing
        self._on_batch = on_batch
        self._on_failure = on_failure
        self._waiting: deque[_Waiting] = deque()
        self._waiting_size_bytes = 0
        self._worker: asyncio.Task[None] | None = None
        self._refused_because: str | None = None
        self._failed = False

    @property
    def depth(self) -> int:
        """Requests that wait, those of the batch under way not counted."""
        return len(self._waiting)

    async def append(self, request: AppendRequest, *, first: bool = False) -> AtomicAppendResult:
        """Queue one checked request; return once it is on stable storage, raise why it is not. ``first``: before those
        that wait, because it has waited already."""
        (outcome,) = await self.append_each((request,), first=first)
        if isinstance(outcome, IndelibleError):
            raise outcome
        return outcome

    async def append_each(self, requests: Sequence[AppendRequest], *, first: bool = False) -> list[AppendOutcome]:
        """Queue checked requests that have nothing to do with one another, all at once: one outcome each, in their
        order. That the queue does not take a request is an outcome too."""
        answers = _Answers(len(requests))
        for number, request in enumerate(requests):
            try:
                self._enqueue(_Waiting.of(request, answers, number), first)
            except IndelibleError as error:
                answers.put(number, error)
        return await answers.all()

    def _enqueue(self, waiting: _Waiting, first: bool) -> None:
        if self._refused_because is not None:
            raise self._refusal()
        if len(self._waiting) >= QUEUE_REQUESTS_MAX or (
            self._waiting and self._waiting_size_bytes + waiting.size_bytes > QUEUE_SIZE_BYTES_MAX
        ):
            raise Overloaded("too many appends are waiting; nothing was stored", retry_after_s=RETRY_AFTER_S)
        (self._waiting.appendleft if first else self._waiting.append)(waiting)
        self._waiting_size_bytes += waiting.size_bytes
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="append-queue")

    async def _work(self) -> None:
        """Commit batch after batch until nothing waits."""
        try:
            while self._waiting:
                await self._commit(self._take_batch())
        finally:
            self._worker = None

    def _take_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        weight = size_bytes = 0
        while self._waiting:
            first = self._waiting[0]
            weight += first.weight
            size_bytes += first.size_bytes
            if batch and (weight > BATCH_EVENTS_MAX or size_bytes > BATCH_SIZE_BYTES_MAX):
                break
            batch.append(self._waiting.popleft())
            self._waiting_size_bytes -= first.size_bytes
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        started = time.perf_counter()
        try:
            outcomes = await self._engine.append([waiting.request for waiting in batch])
            if len(outcomes) != len(batch):
                outcomes = self._fail(StorageFailure("the storage engine broke: an outcome is missing"), batch)
        except Unavailable as error:
            # The engine says that nothing was stored and that it can go on: a full disk.
            outcomes = [copy(error) for _ in batch]
        except StorageFailure as error:
            outcomes = self._fail(error, batch)
        except Exception as error:  # noqa: BLE001 - whatever broke, every caller must get an answer
            failure = StorageFailure(f"the storage engine broke: {type(error).__name__}: {error}")
            failure.__cause__ = error
            outcomes = self._fail(failure, batch)
        events = sum(waiting.event_count for waiting in batch)
        _tell(self._on_batch, BatchMeasure(len(batch), events, time.perf_counter() - started))
        for waiting, outcome in zip(batch, outcomes, strict=True):
            waiting.answer(outcome)

    def _fail(self, failure: StorageFailure, batch: list[_Waiting]) -> list[AppendOutcome]:
        self._stop_writing(failure)
        message = f"the commit failed ({failure.message}); append again with the same event ids to learn the outcome"
        return [OutcomeUnknown(message) for _ in batch]

    def _stop_writing(self, failure: StorageFailure) -> None:
        """Refuse all that waits and all that comes: after a failed commit nothing is certain but what is on disk."""
        if not self._failed:
            self._failed = True
            self._refused_because = f"the store has stopped writing: {failure.message}"
            _tell(self._on_failure, failure)
        while self._waiting:
            self._waiting.popleft().answer(self._refusal())
        self._waiting_size_bytes = 0

    def _refusal(self) -> ShuttingDown:
        return ShuttingDown(f"{self._refused_because}; nothing was stored", retry_after_s=RETRY_AFTER_S)

    async def close(self) -> None:
        """Take no more, and finish what waits."""
        if self._refused_because is None:
            self._refused_because = "the store is closed"
        worker = self._worker
        if worker is not None:
            await worker
