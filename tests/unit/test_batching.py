"""Batches that form by themselves."""

import asyncio
from collections.abc import Sequence

import pytest

from indelible.batching import Batcher, BatchLoop, Bounds, in_lots
from indelible.errors import InternalError, Unavailable


class Work:
    """Numbers that wait, and are done in batches of at most three, each once it is let to."""

    def __init__(self, at_once_max: int = 1) -> None:
        self.waiting: list[int] = []
        self.done: list[list[int]] = []
        self.error: Exception | None = None
        self.may_go_on = asyncio.Event()
        self.loop = BatchLoop("work", self._take, self._do, at_once_max=at_once_max)

    def add(self, *numbers: int) -> None:
        for number in numbers:
            self.waiting.append(number)
            self.loop.wake()

    def _take(self) -> Sequence[int]:
        batch, self.waiting = self.waiting[:3], self.waiting[3:]
        return batch

    async def _do(self, batch: Sequence[int]) -> None:
        await self.may_go_on.wait()
        if self.error is not None:
            raise self.error
        self.done.append([*batch])


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_meanwhile_is_the_next_batch() -> None:
    work = Work()
    work.add(1)
    await _turns()
    work.add(2, 3, 4, 5)
    work.may_go_on.set()
    await work.loop.finish()
    assert work.done == [[1], [2, 3, 4], [5]]
    work.add(6)
    await work.loop.finish()
    assert work.done[3:] == [[6]]


async def test_several_at_once() -> None:
    work = Work(at_once_max=2)
    work.add(*range(8))
    await _turns()
    assert (work.loop.free, work.waiting) == (0, [6, 7])
    work.may_go_on.set()
    await work.loop.finish()
    assert (work.loop.free, sorted(number for batch in work.done for number in batch)) == (2, [*range(8)])


async def test_after_a_failure_nothing_more_is_done() -> None:
    work = Work()
    work.error = Unavailable("away")
    work.add(*range(6))
    work.may_go_on.set()
    with pytest.raises(Unavailable):
        await work.loop.finish()
    work.error = None
    with pytest.raises(Unavailable):
        work.add(7)
    await _turns()
    assert (work.done, work.waiting) == ([], [3, 4, 5, 7])


async def test_cancelling_waits_for_the_end_also_of_what_has_not_begun() -> None:
    work = Work()
    work.add(1)
    await work.loop.cancel()
    assert work.waiting == [1]
    work.add(2)
    await _turns()
    assert work.waiting == []
    await work.loop.cancel()
    assert (work.done, work.loop.free) == ([], 1)


async def test_those_who_ask_again_at_once_come_into_the_next_batch() -> None:
    batches: list[list[str]] = []

    async def send(items: Sequence[str]) -> Sequence[str]:
        batches.append([*items])
        await asyncio.sleep(0)
        return items

    batcher = Batcher[str, str]("letters", send, Bounds(100))

    async def ask_again(item: str) -> None:
        for _ in range(3):
            assert await batcher.put(item) == item

    first = [asyncio.create_task(ask_again(item)) for item in "ab"]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.gather(*first, ask_again("c"))
    assert [sorted(batch) for batch in batches][:2] == [["a", "b"], ["a", "b", "c"]]


async def test_a_batch_that_is_cancelled_is_answered_and_others_follow() -> None:
    batches: list[list[str]] = []

    async def send(items: Sequence[str]) -> Sequence[str]:
        batches.append([*items])
        if len(batches) == 1:
            raise asyncio.CancelledError
        return items

    batcher = Batcher[str, str]("letters", send, Bounds(100))
    with pytest.raises(InternalError, match="cancelled"):
        await batcher.put("a")
    assert await batcher.put("b") == "b"


def test_lots() -> None:
    assert [*in_lots(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [*in_lots([], 3)] == []
