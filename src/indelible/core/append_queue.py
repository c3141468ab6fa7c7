"""Group commit: what arrives while one batch is on its way to disk forms the next batch.

Nobody waits for more to come: an idle queue hands a single append to the engine at once. Under load the batches grow
by themselves, because each commit takes long enough for others to arrive.

In a process of its own, who appends alone would wait longer for tasks and threads to wake up than for a fast disk.
Where the queue may, it has such an append committed on the event loop, as long as the last commit was fast.

What waits are calls, each with all of its requests: a call is admitted whole or refused whole. One with many requests
gives each batch a turn's worth of them, so that others get in between, however many it has.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Final, TypeVar, cast

import msgspec

from indelible.batching import BatchLoop
from indelible.diagnostics import BatchMeasure
from indelible.engines.engine import AppendOutcome, LoneAppends, StorageEngine
from indelible.errors import (
    IndelibleError,
    OutcomeUnknown,
    Overloaded,
    ShuttingDown,
    StorageFailure,
)
from indelible.eventstore import AppendRequest, AtomicAppendResult
from indelible.limits import (
    BATCH_EVENTS_MAX,
    BATCH_SIZE_BYTES_MAX,
    LONE_APPEND_EVENTS_MAX,
    LONE_APPEND_SIZE_BYTES_MAX,
    LONE_COMMIT_S_MAX,
    LONE_TURN_S_MAX,
    QUEUE_CALLS_MAX,
    QUEUE_REQUESTS_MAX,
    QUEUE_SIZE_BYTES_MAX,
    QUEUE_TURN_EVENTS_MAX,
    QUEUE_TURN_SIZE_BYTES_MAX,
    READY_PROOF_S,
    RETRY_AFTER_S,
)
from indelible.traced import sampled


class _Turn(msgspec.Struct, frozen=True, eq=False):
    """What a call gives to one batch."""

    call: "_Call"
    first: int
    """Number of the first of its requests within the call."""
    requests: Sequence[AppendRequest]
    event_count: int
    weight: int
    """How long the writer is busy with it, in events."""
    size_bytes: int

    def answer(self, outcomes: Sequence[AppendOutcome]) -> None:
        self.call.put(self.first, outcomes)


class _Call:
    """One caller's requests, and their outcomes, of which the caller hears once the last is there: a future for each
    took longer than all the rest of the queue."""

    __slots__ = ("_missing", "_outcomes", "count", "outcomes", "queued_ns", "size_bytes", "traced", "turns")

    def __init__(self, requests: Sequence[AppendRequest]) -> None:
        self.count: Final = len(requests)
        self.turns: Final = [self._only_turn(requests)] if self.count == 1 else list(self._cut(requests))
        """Those that wait."""
        self.size_bytes: Final = sum([turn.size_bytes for turn in self.turns])
        self.outcomes: Final[asyncio.Future[list[AppendOutcome]]] = asyncio.get_running_loop().create_future()
        self._outcomes: Final[list[AppendOutcome | None]] = [None] * self.count
        self._missing = self.count
        self.traced: Final = sampled()
        self.queued_ns: Final = 0 if self.traced is None else time.time_ns()

    def _only_turn(self, requests: Sequence[AppendRequest]) -> _Turn:
        (request,) = requests
        return _Turn(self, 0, requests, request.event_count, request.weight, request.size_bytes)

    def _cut(self, requests: Sequence[AppendRequest]) -> Iterator[_Turn]:
        first = events = weight = size_bytes = 0
        for number, request in enumerate(requests):
            event_count, request_size_bytes = request.event_count, request.size_bytes
            if number > first and (
                events + event_count > QUEUE_TURN_EVENTS_MAX
                or size_bytes + request_size_bytes > QUEUE_TURN_SIZE_BYTES_MAX
            ):
                yield _Turn(self, first, requests[first:number], events, weight, size_bytes)
                first, events, weight, size_bytes = number, 0, 0, 0
            events += event_count
            weight += event_count if request.condition is None else request.weight
            size_bytes += request_size_bytes
        yield _Turn(self, first, requests[first:], events, weight, size_bytes)

    def put(self, first: int, outcomes: Sequence[AppendOutcome]) -> None:
        self._outcomes[first : first + len(outcomes)] = outcomes
        self._missing -= len(outcomes)
        # The caller may have given up.
        if not self._missing and not self.outcomes.done():
            self.outcomes.set_result(cast("list[AppendOutcome]", self._outcomes))


_T = TypeVar("_T")


def _tell(hook: Callable[[_T], None] | None, value: _T) -> None:
    """Call a hook from the loop, before anyone who waits wakes up: if it breaks, appends go on all the same."""
    if hook is not None:
        asyncio.get_running_loop().call_soon(hook, value)


class AppendQueue:
    """The only way to ``engine.append``. Belongs to one event loop.

    ``may_hold_loop``: an append that comes alone may hold up the event loop for the time of a fast commit.
    ``on_batch`` hears of every finished batch. ``on_failure`` hears once, when the engine has failed for good: from
    then on every append is refused.
    """

    def __init__(
        self,
        engine: StorageEngine,
        *,
        on_batch: Callable[[BatchMeasure], None] | None = None,
        on_failure: Callable[[StorageFailure], None] | None = None,
        may_hold_loop: bool = False,
    ) -> None:
        self._engine = engine
        self._append_alone: Final = engine.append_alone if may_hold_loop and isinstance(engine, LoneAppends) else None
        self._was_alone = False
        """Whether the last commit was of one request, and fast."""
        self._holder: asyncio.Task[object] | None = None
        """Who held the loop in this turn of it: whoever else comes in the same turn is not alone."""
        self._held_since_s = 0.0
        engine.on_failure = self._stop_writing
        self._on_batch = on_batch
        self._on_failure = on_failure
        self._waiting: deque[_Call] = deque()
        self._waiting_requests = 0
        self._waiting_size_bytes = 0
        self._commits: Final = BatchLoop("append-queue", self._take_batch, self._commit)
        self._refused_because: str | None = None
        self._failed = False
        self._known_s = float("-inf")
        """When it was last seen whether the engine takes appends."""
        self._not_taken: IndelibleError | None = None
        """Why it did not."""
        self._refused_size_bytes = 0
        """Of the smallest append of the batch that was refused since one was stored."""

    @property
    def depth(self) -> int:
        """Requests that wait, those of the batch under way not counted."""
        return self._waiting_requests

    @property
    def takes_appends(self) -> bool:
        """False once it is closed, or the engine has failed for good."""
        return self._refused_because is None

    async def check_takes_appends(self) -> None:
        """Raises why an append would not be stored now. What became of the last one is proof for a while, and so is a
        trial by the engine; of as much as was refused, so that a full disk counts until there is room for that."""
        if self._refused_because is not None:
            raise self._refusal()
        if time.monotonic() - self._known_s > READY_PROOF_S:
            try:
                await self._engine.check_writable(self._refused_size_bytes)
            except IndelibleError as error:
                self._know(error, self._refused_size_bytes)
            else:
                self._know(None, self._refused_size_bytes)
        if self._not_taken is not None:
            raise copy(self._not_taken)

    def _know(self, not_taken: IndelibleError | None, refused_size_bytes: int = 0) -> None:
        self._known_s, self._not_taken = time.monotonic(), not_taken
        self._refused_size_bytes = refused_size_bytes

    async def append(self, request: AppendRequest, *, first: bool = False) -> AtomicAppendResult:
        """Queue one checked request; return once it is on stable storage, raise why it is not. ``first``: before those
        that wait, because it has waited already."""
        outcome = self._stored_alone(request) if self._is_alone(request) else None
        if outcome is None:
            call = _Call((request,))
            self._admit(call, first)
            (outcome,) = await call.outcomes
        elif time.perf_counter() - self._held_since_s > LONE_TURN_S_MAX:
            # Others get their turn, as they do while another thread commits.
            await asyncio.sleep(0)
        if isinstance(outcome, IndelibleError):
            raise outcome
        return outcome

    def _is_alone(self, request: AppendRequest) -> bool:
        return (
            self._was_alone
            and self._append_alone is not None
            and self._holder in (None, asyncio.current_task())
            and not self._waiting
            and self._commits.is_idle
            and self._refused_because is None
            and request.weight <= LONE_APPEND_EVENTS_MAX
            and request.size_bytes <= LONE_APPEND_SIZE_BYTES_MAX
        )

    def _stored_alone(self, request: AppendRequest) -> AppendOutcome | None:
        """Without a task and another thread; None when it has to go the usual way."""
        assert self._append_alone is not None
        started = time.perf_counter()
        try:
            outcome = self._append_alone(request)
        except Exception as error:  # noqa: BLE001 - as for batches
            (outcome,) = self._outcomes_of(error, (request,))
        if outcome is not None:
            self._note_commit((request,), (outcome,), request.event_count, started)
            if self._holder is None:
                self._holder, self._held_since_s = asyncio.current_task(), started
                asyncio.get_running_loop().call_soon(self._end_turn)
        return outcome

    def _end_turn(self) -> None:
        self._holder = None

    async def append_each(self, requests: Sequence[AppendRequest]) -> list[AppendOutcome]:
        """Queue checked requests that have nothing to do with one another: one outcome each, in their order. They are
        stored in that order too, but others' may come between. That the queue does not take them is an outcome."""
        if not requests:
            return []
        call = _Call(requests)
        try:
            self._admit(call)
        except IndelibleError as error:
            return [copy(error) for _ in requests]
        return await call.outcomes

    def _admit(self, call: _Call, first: bool = False) -> None:
        if self._refused_because is not None:
            raise self._refusal()
        if self._waiting and self._has_no_room(call):
            raise Overloaded("too many appends are waiting; nothing was stored", retry_after_s=RETRY_AFTER_S)
        if first:
            self._waiting.appendleft(call)
        else:
            self._waiting.append(call)
        self._waiting_requests += call.count
        self._waiting_size_bytes += call.size_bytes
        self._commits.wake()

    def _has_no_room(self, call: _Call) -> bool:
        return (
            len(self._waiting) >= QUEUE_CALLS_MAX
            # Calls with one request are bounded by their number alone: those with many must not keep them out.
            or (call.count > 1 and self._waiting_requests + call.count > QUEUE_REQUESTS_MAX)
            or self._waiting_size_bytes + call.size_bytes > QUEUE_SIZE_BYTES_MAX
        )

    def _take_batch(self) -> list[_Turn]:
        """A turn of each call, in their order, as many as go into one commit."""
        batch: list[_Turn] = []
        with_more: list[_Call] = []
        weight = size_bytes = 0
        while self._waiting:
            first = self._waiting[0].turns[0]
            weight += first.weight
            size_bytes += first.size_bytes
            if batch and (weight > BATCH_EVENTS_MAX or size_bytes > BATCH_SIZE_BYTES_MAX):
                break
            batch.append(self._take_turn(with_more))
        self._waiting.extend(with_more)
        return batch

    def _take_turn(self, with_more: list[_Call]) -> _Turn:
        call = self._waiting.popleft()
        turn = call.turns.pop(0)
        if call.turns:
            with_more.append(call)
        self._waiting_requests -= len(turn.requests)
        self._waiting_size_bytes -= turn.size_bytes
        return turn

    async def _commit(self, batch: Sequence[_Turn]) -> None:
        requests = [request for turn in batch for request in turn.requests]
        started = time.perf_counter()
        try:
            outcomes = await self._engine.append(requests)
            if len(outcomes) != len(requests):
                outcomes = self._fail(StorageFailure("the storage engine broke: an outcome is missing"), requests)
        except Exception as error:  # noqa: BLE001 - whatever broke, every caller must get an answer
            outcomes = self._outcomes_of(error, requests)
        events = sum([turn.event_count for turn in batch])
        took_s = self._note_commit(requests, outcomes, events, started)
        first = 0
        for turn in batch:
            end = first + len(turn.requests)
            if turn.call.traced is not None:
                turn.call.traced.note_commit(turn.call.queued_ns, took_s, len(requests), events)
            turn.answer(outcomes[first:end])
            first = end

    def _note_commit(
        self, requests: Sequence[AppendRequest], outcomes: Sequence[AppendOutcome], events: int, started: float
    ) -> float:
        """How long it took, in seconds."""
        took_s = time.perf_counter() - started
        self._was_alone = len(requests) == 1 and took_s <= LONE_COMMIT_S_MAX
        if any(isinstance(outcome, AtomicAppendResult) and not outcome.replayed for outcome in outcomes):
            self._know(None)
        if self._on_batch is not None:
            _tell(self._on_batch, BatchMeasure(len(requests), events, took_s))
        return took_s

    def _outcomes_of(self, error: Exception, requests: Sequence[AppendRequest]) -> list[AppendOutcome]:
        """Where the engine raised it."""
        if isinstance(error, StorageFailure):
            return self._fail(error, requests)
        if isinstance(error, IndelibleError):
            # The engine says that nothing was stored and that it goes on: a full disk, a lock.
            self._know(error, min(request.size_bytes for request in requests))
            return [copy(error) for _ in requests]
        failure = StorageFailure(f"the storage engine broke: {type(error).__name__}: {error}")
        failure.__cause__ = error
        return self._fail(failure, requests)

    def _fail(self, failure: StorageFailure, requests: Sequence[AppendRequest]) -> list[AppendOutcome]:
        self._stop_writing(failure)
        if failure.fields.get("nothing_stored"):
            return [self._refusal() for _ in requests]
        message = f"the commit failed ({failure.message}); append again with the same event ids to learn the outcome"
        return [OutcomeUnknown(message) for _ in requests]

    def _stop_writing(self, failure: StorageFailure) -> None:
        """Refuse all that waits and all that comes: after a failed commit nothing is certain but what is on disk."""
        if not self._failed:
            self._failed = True
            self._refused_because = f"the store has stopped writing: {failure.message}"
            _tell(self._on_failure, failure)
        while self._waiting:
            for turn in self._waiting.popleft().turns:
                turn.answer([self._refusal() for _ in turn.requests])
        self._waiting_requests = self._waiting_size_bytes = 0

    def _refusal(self) -> ShuttingDown:
        return ShuttingDown(f"{self._refused_because}; nothing was stored", retry_after_s=RETRY_AFTER_S)

    async def close(self) -> None:
        """Take no more, and finish what waits."""
        if self._refused_because is None:
            self._refused_because = "the store is closed"
        await self._commits.finish()
