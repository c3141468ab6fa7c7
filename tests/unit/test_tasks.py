"""first_of: the first to end counts, and nothing goes on after it."""

import asyncio
import gc
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from indelible.tasks import few_at_once, first_of, taken_by_turns, to_its_end, try_for


class Log(list[str]):
    """What coroutines have come to."""

    async def endless(self, name: str, *, farewell: Exception | None = None, answer: str | None = None) -> Any:
        """Takes its time to end when it is cancelled; then raises or returns what is given, if anything."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self.append(f"{name} has ended")
            if farewell is not None:
                raise farewell from None
            if answer is None:
                raise
            return answer


async def now(value: Any) -> Any:
    return value


async def failing(error: Exception) -> Any:
    await asyncio.sleep(0)
    raise error


async def test_the_others_have_ended_when_it_returns():
    log = Log()
    assert await first_of(log.endless("a"), now(1), log.endless("b")) == 1
    assert sorted(log) == ["a has ended", "b has ended"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_and_when_it_raises():
    log = Log()
    with pytest.raises(ValueError, match="broken"):
        await first_of(log.endless("a"), failing(ValueError("broken")))
    assert log == ["a has ended"]


async def test_of_two_that_end_together_the_first_given_counts():
    assert await first_of(now(1), now(2)) == 1
    assert await first_of(now(1), failing(ValueError())) == 1
    with pytest.raises(ValueError, match="one"):
        await first_of(failing(ValueError("one")), failing(ValueError("two")))


async def test_what_the_others_come_to_does_not_count_and_is_in_their_tasks():
    log = Log()
    failed = asyncio.create_task(log.endless("a", farewell=OSError("late")))
    answered = asyncio.create_task(log.endless("b", answer="late"))
    await asyncio.sleep(0)  # what has not begun ends without a word
    assert await first_of(failed, asyncio.sleep(0, 1), answered) == 1
    assert isinstance(failed.exception(), OSError)
    assert answered.result() == "late"


async def test_a_cancelled_caller_leaves_nothing_behind():
    log = Log()
    mine = asyncio.create_task(log.endless("a", answer="last words"))
    waiting = asyncio.create_task(first_of(mine, log.endless("b"), log.endless("c", farewell=OSError())))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert sorted(log) == ["a has ended", "b has ended", "c has ended"]
    assert mine.result() == "last words"


async def test_a_caller_that_is_cancelled_before_any_has_begun():
    log = Log()
    waiting = asyncio.create_task(first_of(log.endless("a"), now(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_cancellation_of_one_that_somebody_else_cancels_is_its_end():
    log = Log()
    mine = asyncio.create_task(log.endless("a"))
    asyncio.get_running_loop().call_later(0.01, mine.cancel)
    with pytest.raises(asyncio.CancelledError):
        await first_of(mine, log.endless("b"))
    assert log == ["a has ended", "b has ended"]


async def test_a_timeout_around_it():
    log = Log()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await first_of(log.endless("a"), log.endless("b"))
    assert sorted(log) == ["a has ended", "b has ended"]


async def test_asyncio_complains_of_nothing():
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    log = Log()
    await first_of(now(1), failing(OSError()), log.endless("a", farewell=OSError()))
    waiting = asyncio.create_task(first_of(log.endless("a", farewell=OSError())))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    gc.collect()
    assert complaints == []


async def test_what_is_shielded_goes_on():
    log = Log()
    mine = asyncio.create_task(log.endless("a"))
    assert await first_of(asyncio.shield(mine), asyncio.sleep(0, 1)) == 1
    assert not mine.done()
    mine.cancel()
    await asyncio.wait([mine])
    assert log == ["a has ended"]


async def test_what_forgets_that_it_is_cancelled_is_left_alone() -> None:
    cancelled = asyncio.Event()
    end = asyncio.Event()

    async def forgets() -> None:
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                cancelled.set()

    async with asyncio.timeout(10):
        await try_for(0.01, forgets())
        await cancelled.wait()
    end.set()


async def test_what_is_tried_may_fail() -> None:
    async with asyncio.timeout(10):
        await try_for(60, failing(ValueError("broken")))


async def test_who_is_cancelled_waits_for_what_must_not_be_done_later() -> None:
    goes_on, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await goes_on.wait()
        done.set()

    async with asyncio.timeout(10):
        task = asyncio.ensure_future(to_its_end(work()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        goes_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert done.is_set()


async def test_few_at_once():
    under_way, most = 0, 0

    async def work(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001 * (number % 3))
        under_way -= 1
        return number

    assert sorted(await few_at_once(3, (work(number) for number in range(20)))) == list(range(20))
    assert most == 3
    assert await few_at_once(3, list[Coroutine[Any, Any, int]]()) == []


@pytest.mark.parametrize("is_cancelled", [True, False])
async def test_few_at_once_ends_all_that_it_began(is_cancelled: bool):
    log, made = Log(), list[int]()

    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise ValueError("no")

    def work() -> Iterator[Coroutine[Any, Any, None]]:
        yield log.endless("first") if is_cancelled else fail()
        for number in range(5):
            made.append(number)
            yield log.endless(str(number))

    running = asyncio.ensure_future(few_at_once(3, work()))
    for _ in range(3):
        await asyncio.sleep(0)
    if is_cancelled:
        running.cancel()
    with pytest.raises(asyncio.CancelledError if is_cancelled else ValueError):
        await running
    for _ in range(3):
        await asyncio.sleep(0)
    assert made[:2] == [0, 1]
    assert {"0 has ended", "1 has ended"} <= set(log)


async def test_others_get_their_turn_while_something_large_is_taken(monkeypatch: pytest.MonkeyPatch):
    """However few its parts are: each may take long."""
    monkeypatch.setattr("indelible.tasks.DECODING_TURN_S", -1)
    turns: list[int] = []

    def things() -> Iterator[int]:
        for number in range(5):
            asyncio.get_running_loop().call_soon(turns.append, number)
            yield len(turns)

    assert await taken_by_turns(things()) == [0, 1, 2, 3, 4]
