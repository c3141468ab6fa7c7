"""A query index that fails, moves, refuses and is slow, as it is told to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from indelible.cursors import Cursor
from indelible.eventstore import MeasuringStore
from indelible.indexes.index import Capabilities, Document, IndexMoved, IndexUnavailable, Rejected
from indelible.indexes.indexer import Indexer
from indelible.indexes.memory import MemoryIndex
from indelible.search import FieldType

PATIENCE_S = 60
FIELDS: Mapping[str, FieldType] = {"event_data.n": "number"}


class TroubledIndex(MemoryIndex):
    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.is_broad = False
        self.slow_s = 0.0
        self.refused: set[int] = set()
        """Values of ``event_data.n``."""
        self.applied: list[int] = []
        """How many documents came in each step."""
        self.asked = 0
        self.capabilities = Capabilities(text=True)  # type: ignore[misc]  # it is a test that changes it

    async def _trouble(self) -> None:
        self.asked += 1
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        if self.is_away:
            raise IndexUnavailable("it is away")

    async def open(self) -> Any:
        await self._trouble()
        return await super().open()

    async def state(self) -> Any:
        await self._trouble()
        return await super().state()

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        await self._trouble()
        rejected = await super().apply(generation, documents, after=after, cursor=cursor, log_hash=log_hash)
        self.applied.append(len(documents))
        return rejected

    def why_refused(self, document: Document) -> str | None:
        return "it is bad" if self.refused.intersection(document.values.get("event_data.n", ())) else None

    async def search(self, *args: Any, **options: Any) -> Any:
        await self._trouble()
        return await super().search(*args, **options)


class MovedOnce(TroubledIndex):
    """Another has applied the same events a moment before, once."""

    was_moved = False

    async def apply(self, generation: int, documents: Sequence[Document], **at: Any) -> Any:
        rejected = await super().apply(generation, documents, **at)
        if not self.was_moved and documents:
            self.was_moved = True
            raise IndexMoved("another was faster")
        return rejected


@contextlib.asynccontextmanager
async def running(indexer: Indexer) -> AsyncIterator[Indexer]:
    task = asyncio.create_task(indexer.run())
    try:
        yield indexer
        assert not task.done()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = is_so()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.01)


def has_come_to_the_head(store: MeasuringStore, index: MemoryIndex) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        state = await MemoryIndex.state(index)
        return state.serving is not None and state.serving.cursor == (await store.head()).cursor

    return check
