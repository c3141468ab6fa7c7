"""Waiting for the head to move, which is all that a live reader does beside reading."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest

from indelible.engines.engine import Engine
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.testing.conformance.helpers import some_events, unique

_PATIENCE_S: Final = 120.0
"""For what comes at once, on a machine that is busy."""
_NOTHING_COMES_S: Final = 0.3
"""Longer than the head is looked at again."""


async def _append(engine: Engine, count: int = 1) -> int:
    """The head's position then."""
    append = AggregateAppend.of(unique("Order"), unique(), some_events(count))
    await engine.append([AppendRequest((append,))])
    return (await engine.head()).position


def _waiting(engine: Engine, after: int) -> "asyncio.Task[int]":
    return asyncio.create_task(engine.wait_for_head(after))


async def _came(task: "asyncio.Task[int]") -> int:
    return await asyncio.wait_for(task, _PATIENCE_S)


@asynccontextmanager
async def _two(make_engine: Callable[[], Engine]) -> AsyncIterator[tuple[Engine, Engine]]:
    one, other = make_engine(), make_engine()
    if not one.capabilities.many_processes:
        pytest.skip("one process at a time writes to this storage")
    await one.open()
    try:
        await other.open()
        yield one, other
    finally:
        await one.close()
        await other.close()


@pytest.mark.asyncio
class HeadConformance:
    """Fixtures: ``engine``, which is open, and ``make_engine``, both as in ``EngineConformance``."""

    async def test_head_that_is_beyond_is_given_at_once(self, engine: Engine) -> None:
        head = await _append(engine, 3)
        for after in (0, head - 1):
            assert await _came(_waiting(engine, after)) == head

    async def test_waiting_ends_with_an_append(self, engine: Engine) -> None:
        head = await _append(engine)
        waiting = _waiting(engine, head)
        await asyncio.sleep(_NOTHING_COMES_S)
        assert not waiting.done()
        assert await _append(engine, 2) == head + 2
        assert await _came(waiting) == head + 2

    async def test_waiting_for_a_later_position_goes_on(self, engine: Engine) -> None:
        head = await _append(engine)
        near, far = _waiting(engine, head), _waiting(engine, head + 1)
        await _append(engine)
        assert await _came(near) == head + 1
        await asyncio.sleep(_NOTHING_COMES_S)
        assert not far.done()
        await _append(engine)
        assert await _came(far) == head + 2

    async def test_refused_append_wakes_nobody(self, engine: Engine) -> None:
        head = await _append(engine)
        waiting = _waiting(engine, head)
        append = AggregateAppend.of(unique("Order"), unique(), some_events(1), expected_version=7)
        await engine.append([AppendRequest((append,))])
        await asyncio.sleep(_NOTHING_COMES_S)
        assert not waiting.done()
        await _append(engine)
        assert await _came(waiting) == head + 1

    async def test_many_wait_and_some_give_up(self, engine: Engine) -> None:
        head = await _append(engine)
        waiting = [_waiting(engine, head) for _ in range(200)]
        await asyncio.sleep(_NOTHING_COMES_S)
        for task in waiting[::2]:
            task.cancel()
        await asyncio.wait(waiting[::2])
        assert all(task.cancelled() for task in waiting[::2])
        await _append(engine)
        assert {await _came(task) for task in waiting[1::2]} == {head + 1}

    async def test_reader_that_waits_and_reads_misses_nothing(self, engine: Engine) -> None:
        start = await _append(engine)

        async def follow() -> list[int]:
            seen = [start]
            while seen[-1] < start + 60:
                seen.append(await engine.wait_for_head(seen[-1]))
            return seen

        following = [asyncio.create_task(follow()) for _ in range(5)]
        for _ in range(30):
            await _append(engine, 2)
        for task in following:
            seen = await asyncio.wait_for(task, _PATIENCE_S)
            assert seen == sorted(set(seen))
            assert seen[-1] == start + 60

    async def test_append_of_another_engine_ends_the_waiting(self, make_engine: Callable[[], Engine]) -> None:
        async with _two(make_engine) as engines:
            for waiter, writer in (engines, engines[::-1]) * 2:
                head = await _append(waiter)
                waiting = [_waiting(waiter, head) for _ in range(20)]
                await asyncio.sleep(_NOTHING_COMES_S)
                assert not any(task.done() for task in waiting)
                await _append(writer, 2)
                assert {await _came(task) for task in waiting} == {head + 2}

    async def test_head_of_another_engine_is_given_at_once(self, make_engine: Callable[[], Engine]) -> None:
        async with _two(make_engine) as (one, other):
            head = await _append(one)
            assert await _came(_waiting(other, head - 1)) == head

    async def test_followers_of_both_engines_miss_nothing(self, make_engine: Callable[[], Engine]) -> None:
        async with _two(make_engine) as engines:
            start = await _append(engines[0])

            async def follow(engine: Engine) -> int:
                reached = start
                while reached < start + 40:
                    moved = await engine.wait_for_head(reached)
                    assert moved > reached
                    reached = moved
                return reached

            following = [asyncio.create_task(follow(engine)) for engine in engines for _ in range(3)]
            for n in range(40):
                await _append(engines[n % 2])
            assert {await asyncio.wait_for(task, _PATIENCE_S) for task in following} == {start + 40}
