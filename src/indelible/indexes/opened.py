"""An index that several use in one process: the searches, and what keeps it up to date."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from indelible.cursors import Cursor
from indelible.events import AggregateKey
from indelible.indexes.index import (
    Capabilities,
    Document,
    Generation,
    Hits,
    IndexState,
    IndexUnavailable,
    Place,
    QueryIndex,
    Rejected,
)
from indelible.search import CheckedQuery, FieldType, Order

T = TypeVar("T")


class OpenedIndex:
    """Implements :class:`indelible.indexes.index.QueryIndex` by another one, which whoever comes first opens, and
    :meth:`open` again once it was unavailable: to be opened mends what can be mended."""

    def __init__(self, index: QueryIndex) -> None:
        self._index: Final = index
        self._opening: Final = asyncio.Lock()
        self._is_open = False
        self._was_unavailable = False

    @property
    def capabilities(self) -> Capabilities:
        return self._index.capabilities

    async def open(self) -> IndexState:
        async with self._opening:
            if self._is_open and self._was_unavailable:
                # Whoever searches goes on meanwhile.
                state = await self._index.open()
                self._was_unavailable = False
                return state
        return await self.state()

    async def state(self) -> IndexState:
        return await self._asked(lambda index: index.state())

    async def _asked(self, ask: Callable[[QueryIndex], Awaitable[T]]) -> T:
        if not self._is_open:
            async with self._opening:
                if not self._is_open:
                    await self._index.open()
                    self._is_open = True
        try:
            return await ask(self._index)
        except IndexUnavailable:
            self._was_unavailable = True
            raise

    async def begin(self, fields: Mapping[str, FieldType]) -> Generation:
        return await self._asked(lambda index: index.begin(fields))

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        return await self._asked(
            lambda index: index.apply(generation, documents, after=after, cursor=cursor, log_hash=log_hash)
        )

    async def rejected(self, generation: int) -> Sequence[Rejected]:
        return await self._asked(lambda index: index.rejected(generation))

    async def swap(self, generation: int) -> None:
        await self._asked(lambda index: index.swap(generation))

    async def drop(self) -> None:
        await self._asked(lambda index: index.drop())

    async def search(
        self, query: CheckedQuery, *, order: Order, limit: int, behind: Place | None
    ) -> tuple[Hits, Generation]:
        return await self._asked(lambda index: index.search(query, order=order, limit=limit, behind=behind))

    async def search_aggregates(
        self, query: CheckedQuery, *, limit: int, behind: AggregateKey | None
    ) -> tuple[Hits, Generation]:
        return await self._asked(lambda index: index.search_aggregates(query, limit=limit, behind=behind))

    async def close(self) -> None:
        await self._index.close()
