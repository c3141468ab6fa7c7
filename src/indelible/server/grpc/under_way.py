"""Work that the messages of a stream begin, and that is answered in its order.

It is begun as its messages come, so that what comes together can be stored together. When a server stops, it first
answers what it has begun. When the client leaves, what was begun is still done.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, Generic, NoReturn, TypeVar

from indelible.errors import ShuttingDown
from indelible.limits import GRPC_BATCHES_UNDER_WAY_MAX, RETRY_AFTER_S
from indelible.tasks import first_of

T = TypeVar("T")


class UnderWay(Generic[T]):
    """What was begun on one stream and is not answered, in its order."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[T]] = []
        self._room = asyncio.Semaphore(GRPC_BATCHES_UNDER_WAY_MAX)
        self._changed = asyncio.Event()
        self._has_ended = False

    async def wait_for_room(self) -> None:
        await self._room.acquire()

    def add(self, task: "asyncio.Task[T]") -> None:
        self.tasks.append(task)
        self._changed.set()

    def end(self) -> None:
        """No more are begun."""
        self._has_ended = True
        self._changed.set()

    async def first(self) -> "asyncio.Task[T] | None":
        """The one to be answered next, once there is one; None after the last."""
        while not self.tasks and not self._has_ended:
            self._changed.clear()
            await self._changed.wait()
        return self.tasks[0] if self.tasks else None

    def answered(self) -> None:
        del self.tasks[0]
        self._room.release()


async def answers_in_order(
    begin_all: Coroutine[Any, Any, None],
    under_way: UnderWay[T],
    encode: Callable[[T], bytes],
    stopping: asyncio.Event,
) -> AsyncGenerator[bytes]:
    """``begin_all`` reads the stream, and adds what it begins."""
    begun = first_of(begin_all, _until_stopping(stopping))
    reading = asyncio.create_task(begun, name="grpc-begin")
    # Whatever ends it; and without a wait, because nobody may be there any more who takes anything.
    reading.add_done_callback(lambda _: under_way.end())
    try:
        while (task := await under_way.first()) is not None:
            yield encode(await task)
            under_way.answered()
        await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, *under_way.tasks, return_exceptions=True)


async def _until_stopping(stopping: asyncio.Event) -> NoReturn:
    await stopping.wait()
    raise ShuttingDown("the server stops; nothing of this batch was stored", retry_after_s=RETRY_AFTER_S)
