"""Batches that form by themselves: what arrives while one is on its way is the next, and nobody waits for company.

:class:`BatchLoop` is the mechanism, and all who gather have it: the append queue, both clients' appends,
acknowledgements, the import of files. :class:`Batcher` adds an answer for each of those who wait.

The append queue keeps what it lays over the loop to itself, because it is another thing: it admits or refuses whole
calls, gives each batch a turn of every call, weighs conditions, and stops for good at a failed commit. Who sends what
was gathered already (AppendBatches over gRPC, ``copy``) orders batches and makes none.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from copy import copy
from itertools import islice
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec

from indelible.errors import IndelibleError, InternalError

T = TypeVar("T")
R = TypeVar("R")


class BatchLoop(Generic[T]):
    """Takes what waits and does it, again and again until ``take`` gives nothing; in up to ``at_once_max`` tasks.

    Belongs to one event loop. Those that are ready in the turn of the event loop in which the first comes travel with
    it.
    """

    def __init__(
        self,
        name: str,
        take: Callable[[], Sequence[T]],
        do: Callable[[Sequence[T]], Awaitable[None]],
        *,
        at_once_max: int = 1,
    ) -> None:
        self._name: Final = name
        self._take: Final = take
        self._do: Final = do
        self._at_once_max: Final = at_once_max
        self._tasks: Final = set[asyncio.Task[None]]()
        self._is_full = False
        """Whether no more tasks may be started."""
        self._failure: Exception | None = None
        self.free = at_once_max
        """How many batches may be begun now."""

    @property
    def is_idle(self) -> bool:
        return not self._tasks

    def wake(self) -> None:
        """Something waits. Raises what ``do`` has raised: then nothing more is done."""
        if not self._is_full:
            self._start()

    def _start(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._tasks.add(asyncio.create_task(self._run(), name=self._name))
        self._is_full = len(self._tasks) == self._at_once_max

    async def _run(self) -> None:
        try:
            while batch := self._take():
                self.free -= 1
                try:
                    await self._do(batch)
                finally:
                    self.free += 1
        except Exception as error:  # noqa: BLE001 - whoever comes next is told
            self._failure = error
        finally:
            # Here, not by a callback: what comes between would be taken by nobody.
            self._tasks.discard(asyncio.current_task())
            self._is_full = False

    async def finish(self) -> None:
        """Wait until nothing waits. Raises what ``do`` has raised."""
        while under_way := [task for task in self._tasks if not task.done()]:
            await asyncio.wait(under_way)
        if self._failure is not None:
            raise self._failure

    async def cancel(self) -> None:
        """Let go of what is under way; it may be done or not."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Those that were cancelled before they began are still in it.
        self._tasks.clear()
        self._is_full, self.free = False, self._at_once_max


class Bounds(NamedTuple):
    """What goes together at the most; one that is more by itself goes alone. None: as much as there is."""

    items: int
    events: int | None = None
    size_bytes: int | None = None

    def are_passed(self, events: int, size_bytes: int) -> bool:
        return (self.events is not None and events > self.events) or (
            self.size_bytes is not None and size_bytes > self.size_bytes
        )


class _Waiting(msgspec.Struct, frozen=True, eq=False):
    item: object
    events: int
    size_bytes: int
    outcome: "asyncio.Future[object]"


class Batcher(Generic[T, R]):
    """Sends together what concurrent tasks ask for. How many may wait is the caller's to bound.

    ``send`` gives one outcome each, in their order; an outcome may be an error. It raises when there is none for any.
    Up to ``at_once_max`` batches are under way. What waits is shared out among those that may be begun, so that both
    sides work at once: were all of it in one batch, each would idle while the other has it. Up to ``unshared`` are not
    shared out, because a batch costs more than they do.
    """

    def __init__(
        self,
        name: str,
        send: Callable[[Sequence[T]], Awaitable[Sequence[R | IndelibleError]]],
        bounds: Bounds,
        *,
        at_once_max: int = 1,
        unshared: int = 1,
    ) -> None:
        self._send: Final = send
        self._bounds: Final = bounds
        self._unshared: Final = unshared
        self._waiting: Final = deque[_Waiting]()
        self._loop: Final = BatchLoop(name, self._take, self._send_and_answer, at_once_max=at_once_max)

    def put(self, item: T, events: int = 1, size_bytes: int = 0) -> "asyncio.Future[R]":
        """Its outcome, or why there is none. Cancelled while it waits, the item is taken back; later it may be sent."""
        outcome = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, events, size_bytes, outcome))
        self._loop.wake()
        return outcome

    async def finish(self) -> None:
        """Wait until nothing waits."""
        await self._loop.finish()

    def _take(self) -> Sequence[_Waiting]:
        share = -(-len(self._waiting) // self._loop.free)
        count_max = min(max(share, self._unshared), self._bounds.items)
        batch: list[_Waiting] = []
        events = size_bytes = 0
        while self._waiting and len(batch) < count_max:
            first = self._waiting[0]
            if not first.outcome.done():
                events, size_bytes = events + first.events, size_bytes + first.size_bytes
                if batch and self._bounds.are_passed(events, size_bytes):
                    break
                batch.append(first)
            self._waiting.popleft()
        return batch

    async def _send_and_answer(self, batch: Sequence[_Waiting]) -> None:
        outcomes: Sequence[object]
        try:
            outcomes = await self._send([waiting.item for waiting in batch])  # type: ignore[misc]  # put takes no others
            if len(outcomes) != len(batch):
                outcomes = [InternalError("the answer is for another number of items") for _ in batch]
        except IndelibleError as error:
            # A copy each: every caller adds its own traceback.
            outcomes = [copy(error) for _ in batch]
        except Exception as error:  # noqa: BLE001 - whatever broke, every caller must get an answer
            outcomes = [InternalError(f"sending the batch failed: {type(error).__name__}: {error}") for _ in batch]
        except asyncio.CancelledError:
            # Its callers are not cancelled with it, and would wait for ever.
            _answer(batch, [InternalError("sending the batch was cancelled") for _ in batch])
            raise
        _answer(batch, outcomes)
        # Those who have their answer, and ask again, come into the next batch.
        await asyncio.sleep(0)


def _answer(batch: Sequence[_Waiting], outcomes: Sequence[object]) -> None:
    for waiting, outcome in zip(batch, outcomes, strict=True):
        if waiting.outcome.done():
            continue
        if isinstance(outcome, IndelibleError):
            waiting.outcome.set_exception(outcome)
        else:
            waiting.outcome.set_result(outcome)


def in_lots(items: Iterable[T], count_max: int) -> Iterator[list[T]]:
    """One lot after the other."""
    rest = iter(items)
    while lot := list(islice(rest, count_max)):
        yield lot


def in_bounds(items: Iterable[tuple[T, int, int]], bounds: Bounds) -> Iterator[list[T]]:
    """Items, each with its events and bytes, in lots that keep the bounds."""
    lot: list[T] = []
    events = size_bytes = 0
    for item, item_events, item_size_bytes in items:
        events, size_bytes = events + item_events, size_bytes + item_size_bytes
        if lot and (len(lot) >= bounds.items or bounds.are_passed(events, size_bytes)):
            yield lot
            lot, events, size_bytes = [], item_events, item_size_bytes
        lot.append(item)
    if lot:
        yield lot
