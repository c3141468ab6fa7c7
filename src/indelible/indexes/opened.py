"""An index that several use in one process: the searches, and what keeps it up to date."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from indelible.cursors import Cursor
from indelible.events import AggregateKey
from indelible.indexes.index import (
    Capabilities,
    Document,
    Generation,
    Hits,
    IndexState,
    Place,
    QueryIndex,
    Rejected,
)
from indelible.search import CheckedQuery, FieldType, Order


class OpenedIndex:
    """Implements :class:`indelible.indexes.index.QueryIndex` by another one, which whoever comes first opens."""

    def __init__(self, index: QueryIndex) -> None:
        self._index: Final = index
        self._opening: Final = asyncio.Lock()
        self._is_open = False

    @property
    def capabilities(self) -> Capabilities:
        return self._index.capabilities

    async def open(self) -> IndexState:
        return await self.state()

    async def state(self) -> IndexState:
        return await (await self._opened()).state()

    async def _opened(self) -> QueryIndex:
        if not self._is_open:
            async with self._opening:
                if not self._is_open:
                    await self._index.open()
                    self._is_open = True
        return self._index

    async def begin(self, fields: Mapping[str, FieldType]) -> Generation:
        return await (await self._opened()).begin(fields)

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        return await (await self._opened()).apply(generation, documents, after=after, cursor=cursor, log_hash=log_hash)

    async def rejected(self, generation: int) -> Sequence[Rejected]:
        return await (await self._opened()).rejected(generation)

    async def swap(self, generation: int) -> None:
        await (await self._opened()).swap(generation)

    async def drop(self) -> None:
        await (await self._opened()).drop()

    async def search(
        self, query: CheckedQuery, *, order: Order, limit: int, behind: Place | None
    ) -> tuple[Hits, Generation]:
        return await (await self._opened()).search(query, order=order, limit=limit, behind=behind)

    async def search_aggregates(
        self, query: CheckedQuery, *, limit: int, behind: AggregateKey | None
    ) -> tuple[Hits, Generation]:
        return await (await self._opened()).search_aggregates(query, limit=limit, behind=behind)

    async def close(self) -> None:
        await self._index.close()
