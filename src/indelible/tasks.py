"""Waiting for several things at once, and not for ever; and for signals."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from time import monotonic
from typing import Any, Final, TypeVar

from indelible.limits import DECODING_TURN_S

T = TypeVar("T")


async def first_of(*awaitables: Awaitable[T]) -> T:
    """What the first of them to end returns or raises; of several that have ended by then, the first in their order.

    Nothing goes on behind the caller's back: the others are cancelled and waited for, also when the caller is
    cancelled. What they return or raise after that does not count. A caller who wants to know gives a task of its own
    and looks at it: it is done, unless the caller was cancelled once more while it waited.
    """
    tasks = [asyncio.ensure_future(one) for one in awaitables]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        first = next(task for task in tasks if task.done())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            hear_of_failure(task)
    return first.result()


async def few_at_once(most: int, work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of it returns, in no order. Each is made when its turn comes. Raises what the first that fails raises;
    the others are cancelled then."""
    left, done = iter(work), list[T]()
    running = {asyncio.ensure_future(one) for one in islice(left, most)}
    try:
        while running:
            ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            running |= {asyncio.ensure_future(one) for one in islice(left, len(ended))}
            for one in ended:
                one.add_done_callback(hear_of_failure)
            done += [one.result() for one in ended]
    finally:
        for one in running:
            one.cancel()
    return done


async def taken_by_turns(parts: Iterable[T]) -> list[T]:
    """What an iterator makes of something large, which may take long; others on the event loop get their turns
    meanwhile."""
    made: list[T] = []
    turn_ends_at = monotonic() + DECODING_TURN_S
    for one in parts:
        made.append(one)
        if monotonic() > turn_ends_at:
            await asyncio.sleep(0)
            turn_ends_at = monotonic() + DECODING_TURN_S
    return made


def hear_of_failure(done: asyncio.Future[Any]) -> None:
    """Of what nobody may wait for any more: asyncio would complain of a failure that nobody has looked at."""
    if not done.cancelled():
        done.exception()


def end_if_cancelled() -> None:
    """For loops around what others wrote: before Python 3.12 ``asyncio.wait_for`` forgets that it was cancelled when
    what it waits for is done at the same moment, and so do other libraries. Raises ``CancelledError``."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def is_set_within(duration_s: float, event: asyncio.Event) -> bool:
    """Whether the event is set by then; waits no longer than that takes."""
    with suppress(TimeoutError):
        async with asyncio.timeout(duration_s):
            await event.wait()
    return event.is_set()


async def try_for(duration_s: float, work: Coroutine[Any, Any, object]) -> None:
    """Do it as far as that goes: what it raises is not told, and after so long it is cancelled and left alone, because
    some libraries forget that they were cancelled (see :func:`end_if_cancelled`) and then wait for ever."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=duration_s)
    finally:
        task.cancel()
        task.add_done_callback(hear_of_failure)


async def leave_within(duration_s: float, work: Coroutine[Any, Any, T]) -> T:
    """Wait for it as long as it takes. Whoever gives up cancels it, waits so long for its end, and then leaves it
    alone: see :func:`try_for`."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        task.add_done_callback(hear_of_failure)
        await asyncio.wait({task}, timeout=duration_s)
        raise


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """What must not be done later: whoever gives up waits until it has ended, however it does."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        hear_of_failure(task)
        raise


class Waits:
    """Between attempts: each about twice as long as the one before, and never the same for two who wait."""

    def __init__(self, min_s: float, max_s: float) -> None:
        self._min_s: Final = min_s
        self._max_s: Final = max_s
        self._next_s = min_s

    def begin_anew(self) -> None:
        self._next_s = self._min_s

    async def wait(self) -> None:
        wait_s, self._next_s = self._next_s, min(2 * self._next_s, self._max_s)
        await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - only spreads them


@contextmanager
def on_signals(heard: Callable[[signal.Signals], object], *numbers: signal.Signals) -> Iterator[None]:
    """``heard`` is called in the event loop. Call from the main thread."""
    loop = asyncio.get_running_loop()
    for number in numbers:
        loop.add_signal_handler(number, heard, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
