"""Group commit: batches form by themselves, everything is bounded, and every caller gets an answer."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from indelible.core import append_queue
from indelible.core.append_queue import AppendQueue
from indelible.diagnostics import BatchMeasure
from indelible.engines.engine import AppendOutcome
from indelible.engines.memory import MemoryEngine
from indelible.errors import (
    IndelibleError,
    InternalError,
    InvalidRequest,
    OutcomeUnknown,
    Overloaded,
    ShuttingDown,
    StorageFailure,
    StorageFull,
    Unavailable,
    VersionConflict,
)
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, AppendRequest, AtomicAppendResult
from indelible.limits import (
    BATCH_EVENTS_MAX,
    BATCH_SIZE_BYTES_MAX,
    EVENT_SIZE_BYTES_MAX,
    LONE_APPEND_EVENTS_MAX,
    LONE_APPEND_SIZE_BYTES_MAX,
    LONE_TURN_S_MAX,
    QUEUE_CALLS_MAX,
    QUEUE_REQUESTS_MAX,
    QUEUE_SIZE_BYTES_MAX,
    QUEUE_TURN_EVENTS_MAX,
    QUEUE_TURN_SIZE_BYTES_MAX,
    READY_PROOF_S,
    REQUEST_EVENTS_MAX,
)


class SlowEngine(MemoryEngine):
    """A memory engine whose commits take as long as the test wants, and can go wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.may_commit = asyncio.Event()
        self.may_commit.set()
        self.error: BaseException | None = None
        self.forgets_outcomes = False
        self.trials: list[int] = []

    async def check_writable(self, size_bytes: int) -> None:
        self.trials.append(size_bytes)
        if self.error is not None:
            raise self.error

    async def append(self, batch: Sequence[AppendRequest]) -> list[AppendOutcome]:
        self.batches.append(len(batch))
        await self.may_commit.wait()
        if self.error is not None:
            raise self.error
        outcomes = await super().append(batch)
        return outcomes[:-1] if self.forgets_outcomes else outcomes


def request(count: int = 1, data: Any = None, expected: Any = "any", aggregate_id: str = "1") -> AppendRequest:
    events = tuple(NewEvent("A", data) for _ in range(count))
    return AppendRequest((AggregateAppend(AggregateKey("Order", aggregate_id), events, expected),))


async def started(*calls: Any) -> list[asyncio.Task[AtomicAppendResult]]:
    """Tasks that have all come to their first wait, and the worker too."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


@pytest.fixture
def engine() -> SlowEngine:
    return SlowEngine()


class TestBatches:
    async def test_single_append_goes_alone_at_once(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        for _ in range(3):
            await queue.append(request())
        assert engine.batches == [1, 1, 1]

    async def test_what_comes_during_a_commit_is_the_next_batch(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        engine.may_commit.clear()
        tasks = await started(queue.append(request()))
        tasks += await started(*(queue.append(request()) for _ in range(50)))
        assert (engine.batches, queue.depth) == ([1], 50)
        engine.may_commit.set()
        results = await asyncio.gather(*tasks)
        assert engine.batches == [1, 50]
        assert [result.position for result in results] == list(range(1, 52))
        assert queue.depth == 0

    async def test_conflicts_are_outcomes_of_their_own(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        appends = [queue.append(request(expected=n // 2)) for n in range(6)]
        results = await asyncio.gather(*appends, return_exceptions=True)
        assert [isinstance(result, VersionConflict) for result in results] == [False, True] * 3
        assert engine.batches == [6]

    async def test_batch_is_bounded_by_events(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        count = BATCH_EVENTS_MAX // 4
        await asyncio.gather(*(queue.append(request(count)) for _ in range(6)))
        assert engine.batches == [4, 2]

    async def test_batch_is_bounded_by_size(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        data = "x" * (EVENT_SIZE_BYTES_MAX - 4)
        full = BATCH_SIZE_BYTES_MAX // EVENT_SIZE_BYTES_MAX
        await asyncio.gather(*(queue.append(request(1, data)) for _ in range(full + 1)))
        assert engine.batches == [full, 1]

    async def test_large_request_goes_alone(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        large = request(BATCH_EVENTS_MAX + 1)
        results = await asyncio.gather(*(queue.append(one) for one in (request(), large, request())))
        assert engine.batches == [1, 1, 1]
        assert [result.position for result in results] == [1, BATCH_EVENTS_MAX + 2, BATCH_EVENTS_MAX + 3]

    async def test_measures(self, engine: SlowEngine) -> None:
        measures: list[BatchMeasure] = []
        queue = AppendQueue(engine, on_batch=measures.append)
        await asyncio.gather(queue.append(request(2)), queue.append(request(3)))
        assert [(measure.requests, measure.events) for measure in measures] == [(2, 5)]
        assert 0 <= measures[0].commit_s < 60


class TestBounds:
    async def test_too_many_calls(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        engine.may_commit.clear()
        tasks = await started(queue.append(request()))
        tasks += await started(*(queue.append(request()) for _ in range(QUEUE_CALLS_MAX)))
        assert queue.depth == QUEUE_CALLS_MAX
        with pytest.raises(Overloaded) as caught:
            await queue.append(request())
        assert caught.value.fields == {"retry_after_s": 1}
        engine.may_commit.set()
        await asyncio.gather(*tasks)
        assert (await queue.append(request())).position == QUEUE_CALLS_MAX + 2

    async def test_too_many_bytes(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        engine.may_commit.clear()
        tasks = await started(queue.append(request()))
        large = "x" * (EVENT_SIZE_BYTES_MAX - 4)
        same_content = request(8, large)
        count = QUEUE_SIZE_BYTES_MAX // same_content.size_bytes
        tasks += await started(*(queue.append(same_content) for _ in range(count)))
        with pytest.raises(Overloaded):
            await queue.append(request())
        engine.may_commit.set()
        await asyncio.gather(*tasks)
        assert (await queue.append(request())).replayed is False

    async def test_caller_that_gave_up_does_not_disturb(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        engine.may_commit.clear()
        first, second, third = await started(*(queue.append(request()) for _ in range(3)))
        second.cancel()
        engine.may_commit.set()
        assert [(await task).position for task in (first, third)] == [1, 3]


class TestCallsWithManyRequests:
    @staticmethod
    def requests(count: int, aggregate_id: str = "1") -> list[AppendRequest]:
        append = request(aggregate_id=aggregate_id)
        return [append, *(request(aggregate_id=aggregate_id) for _ in range(count - 1))]

    async def test_as_many_as_a_call_may_hold_are_stored_in_order_turn_by_turn(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        outcomes = await queue.append_each(self.requests(REQUEST_EVENTS_MAX))
        positions = [outcome.position for outcome in outcomes if isinstance(outcome, AtomicAppendResult)]
        assert positions == list(range(1, REQUEST_EVENTS_MAX + 1))
        turns, rest = divmod(REQUEST_EVENTS_MAX, QUEUE_TURN_EVENTS_MAX)
        assert engine.batches == [QUEUE_TURN_EVENTS_MAX] * turns + [rest]
        assert queue.depth == 0

    async def test_a_turn_is_bounded_by_size(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        data = "x" * (EVENT_SIZE_BYTES_MAX - 4)
        turn = QUEUE_TURN_SIZE_BYTES_MAX // EVENT_SIZE_BYTES_MAX
        await queue.append_each([request(1, data) for _ in range(turn + 1)])
        assert engine.batches == [turn, 1]

    async def test_others_come_between(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        engine.may_commit.clear()
        large = asyncio.ensure_future(queue.append_each(self.requests(REQUEST_EVENTS_MAX, "large")))
        await asyncio.sleep(0)
        others = await started(*(queue.append(request(aggregate_id="other")) for _ in range(10)))
        assert queue.depth == REQUEST_EVENTS_MAX - QUEUE_TURN_EVENTS_MAX + 10
        engine.may_commit.set()
        results = await asyncio.gather(*others)
        # The large call's first turn, its second with the others behind it, and so on.
        assert [result.position for result in results] == [2 * QUEUE_TURN_EVENTS_MAX + n for n in range(1, 11)]
        assert all(isinstance(outcome, AtomicAppendResult) for outcome in await large)

    async def test_a_call_is_taken_whole_or_refused_whole_and_keeps_nobody_else_out(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        engine.may_commit.clear()
        first = (await started(queue.append(request())))[0]
        many = self.requests(REQUEST_EVENTS_MAX)
        calls = [asyncio.ensure_future(queue.append_each(many)) for _ in range(QUEUE_REQUESTS_MAX // len(many))]
        await asyncio.sleep(0)
        refused = await queue.append_each(many)
        assert [type(outcome) for outcome in refused] == [Overloaded] * len(many)
        assert len({id(outcome) for outcome in refused}) == len(many), "each is raised, and so changed, by itself"
        single = (await started(queue.append(request())))[0]
        engine.may_commit.set()
        await asyncio.gather(first, single, *calls)
        assert queue.depth == 0

    async def test_a_failed_commit_between_its_turns(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        engine.may_commit.clear()
        large = asyncio.ensure_future(queue.append_each(self.requests(2 * QUEUE_TURN_EVENTS_MAX + 1)))
        await asyncio.sleep(0.05)
        assert engine.batches == [QUEUE_TURN_EVENTS_MAX]
        engine.error = StorageFailure("fsync failed")
        engine.may_commit.set()
        kinds = [type(outcome) for outcome in await large]
        assert kinds == [OutcomeUnknown] * QUEUE_TURN_EVENTS_MAX + [ShuttingDown] * (QUEUE_TURN_EVENTS_MAX + 1)
        assert queue.depth == 0

    async def test_none(self, engine: SlowEngine) -> None:
        assert await AppendQueue(engine).append_each([]) == []


class LoopEngine(SlowEngine):
    """One that can commit on the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.alone = 0
        self.takes_s = 0.0
        self.must_wait = False

    def append_alone(self, request: AppendRequest) -> AppendOutcome | None:
        if self.must_wait:
            return None
        if self.error is not None:
            raise self.error
        self.alone += 1
        time.sleep(self.takes_s)
        return super().append_alone(request)


class TestAlone:
    @pytest.fixture(autouse=True)
    def _every_commit_is_fast(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(append_queue, "LONE_COMMIT_S_MAX", 60)

    @pytest.fixture
    def engine(self) -> LoopEngine:
        return LoopEngine()

    @pytest.fixture
    async def queue(self, engine: LoopEngine) -> AppendQueue:
        """One that knows already that commits are fast."""
        queue = AppendQueue(engine, may_hold_loop=True)
        await queue.append(request())
        assert (engine.batches, engine.alone) == ([1], 0)
        return queue

    async def test_a_lone_caller_needs_no_thread_and_leaves_turns_to_others(
        self, engine: LoopEngine, queue: AppendQueue
    ) -> None:
        turns, engine.takes_s = 0, LONE_TURN_S_MAX / 2

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        results = [await queue.append(request(expected=number)) for number in range(1, 11)]
        counting.cancel()
        assert [result.position for result in results] == list(range(2, 12))
        assert (engine.batches, engine.alone) == ([1], 10)
        assert turns >= 3

    async def test_only_where_the_loop_may_be_held(self, engine: LoopEngine) -> None:
        queue = AppendQueue(engine)
        for _ in range(3):
            await queue.append(request())
        assert (engine.batches, engine.alone) == ([1, 1, 1], 0)

    async def test_those_of_one_turn_travel_together(self, engine: LoopEngine, queue: AppendQueue) -> None:
        for _ in range(5):
            await asyncio.gather(*(queue.append(request()) for _ in range(20)))
        assert engine.alone == 1, "the first of all could not know"
        assert engine.batches == [1, 19, 20, 20, 20, 20]

    async def test_what_comes_during_a_commit_waits_for_it(self, engine: LoopEngine, queue: AppendQueue) -> None:
        engine.must_wait = True
        engine.may_commit.clear()
        tasks = await started(queue.append(request()))
        engine.must_wait = False
        tasks += await started(queue.append(request()))
        engine.may_commit.set()
        assert [(await task).position for task in tasks] == [2, 3]
        assert (engine.batches, engine.alone) == ([1, 1, 1], 0)

    async def test_a_slow_disk_is_waited_for_elsewhere(
        self, engine: LoopEngine, queue: AppendQueue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(append_queue, "LONE_COMMIT_S_MAX", 0.001)
        engine.takes_s = 0.002
        await queue.append(request())
        assert engine.alone == 1
        await queue.append(request())
        assert (engine.batches, engine.alone) == ([1, 1], 1)

    @pytest.mark.parametrize(
        "large", [request(LONE_APPEND_EVENTS_MAX + 1), request(1, "x" * LONE_APPEND_SIZE_BYTES_MAX)]
    )
    async def test_a_large_one_does_not_hold_the_loop(
        self, engine: LoopEngine, queue: AppendQueue, large: AppendRequest
    ) -> None:
        await queue.append(large)
        assert (engine.batches, engine.alone) == ([1, 1], 0)

    async def test_an_outcome_that_is_an_error(self, engine: LoopEngine, queue: AppendQueue) -> None:
        with pytest.raises(VersionConflict):
            await queue.append(request(expected=0))
        assert engine.alone == 1

    async def test_what_stored_nothing_is_told_and_later_appends_succeed(
        self, engine: LoopEngine, queue: AppendQueue
    ) -> None:
        engine.error = StorageFull("no space", retry_after_s=1)
        with pytest.raises(StorageFull):
            await queue.append(request())
        with pytest.raises(StorageFull):
            await queue.check_takes_appends()
        engine.error = None
        assert (await queue.append(request())).position == 2
        await queue.check_takes_appends()

    @pytest.mark.parametrize("error", [StorageFailure("fsync failed"), RuntimeError("a bug")])
    async def test_a_failed_commit_ends_writing(self, engine: LoopEngine, queue: AppendQueue, error: Exception) -> None:
        engine.error = error
        with pytest.raises(OutcomeUnknown):
            await queue.append(request())
        engine.error = None
        with pytest.raises(ShuttingDown, match="stopped writing"):
            await queue.append(request())
        assert (engine.batches, engine.alone) == ([1], 0)

    async def test_measures(self, engine: LoopEngine) -> None:
        measures: list[BatchMeasure] = []
        queue = AppendQueue(engine, may_hold_loop=True, on_batch=measures.append)
        for _ in range(3):
            await queue.append(request(2))
        await asyncio.sleep(0)
        assert [(measure.requests, measure.events) for measure in measures] == [(1, 2)] * 3
        assert engine.alone == 2

    async def test_none_after_it_is_closed(self, engine: LoopEngine, queue: AppendQueue) -> None:
        await queue.close()
        with pytest.raises(ShuttingDown, match="closed"):
            await queue.append(request())
        assert engine.alone == 0


class TestFailures:
    @pytest.mark.parametrize(
        "error",
        [
            StorageFull("no space", retry_after_s=1),
            Unavailable("locked", retry_after_s=1),
            InvalidRequest("the store is open for reading only"),
            InternalError("a bug, before anything was written"),
        ],
    )
    async def test_what_stored_nothing_is_told_and_later_appends_succeed(
        self, engine: SlowEngine, error: IndelibleError
    ) -> None:
        failures: list[StorageFailure] = []
        queue = AppendQueue(engine, on_failure=failures.append)
        engine.error = error
        results = await asyncio.gather(*(queue.append(request()) for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [type(error)] * 3
        assert len({id(result) for result in results}) == 3, "each caller raises, and so changes, its own"
        engine.error = None
        assert (await queue.append(request())).position == 1
        assert failures == []

    async def test_a_failure_that_stored_nothing_says_so(self, engine: SlowEngine) -> None:
        failures: list[StorageFailure] = []
        queue = AppendQueue(engine, on_failure=failures.append)
        engine.error = StorageFailure("the file is gone", nothing_stored=True)
        for _ in range(2):
            with pytest.raises(ShuttingDown, match="the file is gone; nothing was stored"):
                await queue.append(request())
        assert len(failures) == 1

    @pytest.mark.parametrize("error", [StorageFailure("fsync failed"), RuntimeError("a bug"), MemoryError()])
    async def test_failed_commit_ends_writing(self, engine: SlowEngine, error: Exception) -> None:
        failures: list[StorageFailure] = []
        queue = AppendQueue(engine, on_failure=failures.append)
        engine.may_commit.clear()
        first = await started(queue.append(request()), queue.append(request()))
        waiting = await started(*(queue.append(request()) for _ in range(3)))
        engine.error = error
        engine.may_commit.set()
        results = await asyncio.gather(*first, *waiting, return_exceptions=True)
        assert [type(result) for result in results] == [OutcomeUnknown] * 2 + [ShuttingDown] * 3
        assert len({id(result) for result in results}) == 5
        engine.error = None
        with pytest.raises(ShuttingDown, match="stopped writing"):
            await queue.append(request())
        assert (len(failures), engine.batches, queue.depth) == (1, [2], 0)
        await queue.close()

    async def test_engine_that_forgets_an_outcome_leaves_nobody_waiting(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        engine.forgets_outcomes = True
        results = await asyncio.gather(*(queue.append(request()) for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [OutcomeUnknown] * 3

    async def test_hook_that_breaks_leaves_nobody_waiting(self, engine: SlowEngine) -> None:
        def broken(_: object) -> None:
            raise RuntimeError("broken hook")

        heard: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context["exception"]))
        queue = AppendQueue(engine, on_batch=broken, on_failure=broken)
        assert (await queue.append(request())).position == 1
        engine.error = StorageFailure("fsync failed")
        with pytest.raises(OutcomeUnknown):
            await queue.append(request())
        await queue.close()
        assert [str(error) for error in heard] == ["broken hook"] * len(heard)
        assert len(heard) >= 2


class TestReadiness:
    async def test_follows_what_became_of_appends_and_tries_when_there_are_none(
        self, engine: SlowEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 1_000.0
        monkeypatch.setattr(append_queue.time, "monotonic", lambda: now)
        queue = AppendQueue(engine)
        await queue.check_takes_appends()
        assert engine.trials == [0]
        await queue.append(request())
        for _ in range(20):
            await queue.check_takes_appends()
        assert engine.trials == [0], "one that was stored lately is proof enough"
        engine.error = StorageFull("no space", retry_after_s=1)
        with pytest.raises(StorageFull):
            await queue.append(request(data="x" * 1_000))
        for _ in range(20):
            with pytest.raises(StorageFull):
                await queue.check_takes_appends()
        assert engine.trials == [0], "and so is one that was refused"
        now += 1.01 * READY_PROOF_S
        for _ in range(20):
            with pytest.raises(StorageFull):
                await queue.check_takes_appends()
        assert engine.trials == [0, 1_004], "of as much as was refused, and no more often than that"
        engine.error = None
        now += 1.01 * READY_PROOF_S
        await queue.check_takes_appends()
        assert engine.trials == [0, 1_004, 1_004]

    async def test_a_store_that_has_stopped_is_never_ready(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        engine.error = StorageFailure("fsync failed")
        with pytest.raises(OutcomeUnknown):
            await queue.append(request())
        with pytest.raises(ShuttingDown, match="stopped writing"):
            await queue.check_takes_appends()


class TestClose:
    async def test_what_waits_is_finished(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        engine.may_commit.clear()
        tasks = await started(queue.append(request()))
        tasks += await started(*(queue.append(request()) for _ in range(5)))
        closing = asyncio.ensure_future(queue.close())
        await asyncio.sleep(0)
        with pytest.raises(ShuttingDown, match="closed"):
            await queue.append(request())
        assert not closing.done()
        engine.may_commit.set()
        await closing
        assert [task.result().position for task in tasks] == [1, 2, 3, 4, 5, 6]

    async def test_idle_and_twice(self, engine: SlowEngine) -> None:
        queue = AppendQueue(engine)
        await queue.close()
        await queue.close()
        with pytest.raises(ShuttingDown):
            await queue.append(request())
