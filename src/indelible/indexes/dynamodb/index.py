"""The query index in DynamoDB: a table of documents and of sorted lists of them, which are read consistently.

It finds events by type, aggregate, tag, time and declared fields, and no words. What stands in the table says
:mod:`indelible.indexes.dynamodb.entries`; how documents and cursor move together,
:mod:`indelible.indexes.dynamodb.writing`.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Final, Self

from indelible.cursors import Cursor
from indelible.events import AggregateKey
from indelible.indexes.dynamodb.encoding import LEAST, above
from indelible.indexes.dynamodb.entries import REFUSED, entry_of, list_partition
from indelible.indexes.dynamodb.removing import keep_removing
from indelible.indexes.dynamodb.searching import CAPABILITIES, Search
from indelible.indexes.dynamodb.service import NoTable, Patience, Service
from indelible.indexes.dynamodb.state import State, begun, dropped, is_seen, swapped
from indelible.indexes.dynamodb.table import Stretch, Table, whole
from indelible.indexes.dynamodb.target import Target
from indelible.indexes.dynamodb.writing import Step
from indelible.indexes.index import (
    Capabilities,
    Document,
    Generation,
    Hits,
    IndexMoved,
    IndexState,
    IndexUnavailable,
    Place,
    Rejected,
    by_position,
)
from indelible.limits import INDEX_WRITE_TIMEOUT_S, SEARCH_TIMEOUT_S
from indelible.search import CheckedQuery, FieldType, Order


class DynamoIndex:
    """Implements :class:`indelible.indexes.index.QueryIndex`. Belongs to one event loop at a time."""

    capabilities: Final[Capabilities] = CAPABILITIES

    def __init__(self, target: Target) -> None:
        self._target: Final = target
        self._opening: Final = asyncio.Lock()
        self._connection: contextlib.AsyncExitStack | None = None
        self._table: Table | None = None
        self._removing: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, url: str) -> Self:
        """``dynamodb://REGION/TABLE?endpoint=URL``. Raises ``InvalidRequest``."""
        return cls(Target.of(url))

    async def open(self) -> IndexState:
        async with self._opening:
            if self._table is None:
                self._table = await self._opened()
        try:
            return await self.state()
        except NoTable:
            # Somebody has deleted it.
            await self._table.make(Patience(INDEX_WRITE_TIMEOUT_S))
            return await self.state()

    async def _opened(self) -> Table:
        if self._connection is None:
            async with contextlib.AsyncExitStack() as stack:
                self._service = await stack.enter_async_context(Service.connected(self._target))
                self._connection = stack.pop_all()
        table = Table(self._service)
        await table.make(Patience(INDEX_WRITE_TIMEOUT_S))
        return table

    async def close(self) -> None:
        removing, self._removing = self._removing, None
        if removing is not None:
            removing.cancel()
            await asyncio.wait({removing})
        connection, self._connection, self._table = self._connection, None, None
        if connection is not None:
            await connection.aclose()

    @property
    def _open_table(self) -> Table:
        if self._table is None:
            raise IndexUnavailable(f"the query index {self._target} is not open")
        return self._table

    async def state(self) -> IndexState:
        return (await self._state()).shown()

    async def _state(self) -> State:
        return await self._open_table.state(Patience(SEARCH_TIMEOUT_S))

    # --- Writing -----------------------------------------------------------------------------------------------------

    async def begin(self, fields: Mapping[str, FieldType]) -> Generation:
        state = await self._open_table.change(lambda state: begun(state, fields), Patience(INDEX_WRITE_TIMEOUT_S))
        self._remove_what_is_gone(state)
        return state.generation(state.last_number)

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        step = await Step.claimed(self._open_table, generation, after)
        rejected = await step.write(documents, cursor, log_hash)
        self._remove_what_is_gone(step.state)
        return rejected

    async def swap(self, generation: int) -> None:
        state = await self._open_table.change(lambda state: swapped(state, generation), Patience(INDEX_WRITE_TIMEOUT_S))
        self._remove_what_is_gone(state)

    async def drop(self) -> None:
        self._remove_what_is_gone(await self._open_table.change(dropped, Patience(INDEX_WRITE_TIMEOUT_S)))

    def _remove_what_is_gone(self, state: State) -> None:
        if state.removing and (self._removing is None or self._removing.done()):
            self._removing = asyncio.create_task(keep_removing(self._open_table), name="remove dropped indexes")

    # --- Reading -----------------------------------------------------------------------------------------------------

    async def rejected(self, generation: int) -> Sequence[Rejected]:
        """Those that are refused, by position. Raises ``IndexMoved``."""
        patience = Patience(SEARCH_TIMEOUT_S)
        held = (await self._open_table.state(patience)).known(generation)
        stretch = Stretch(list_partition(generation, REFUSED), LEAST, above(b""))
        entries = [entry_of(item) for item in await whole(self._open_table, stretch, patience)]
        seen = [one.body for one in entries if one.body is not None and is_seen(one, held)]
        return sorted((Rejected(one.place, one.reason) for one in seen), key=by_position)

    async def search(
        self, query: CheckedQuery, *, order: Order, limit: int, behind: Place | None
    ) -> tuple[Hits, Generation]:
        search, generation = await self._search(query, order)
        return await search.events(limit, behind), generation

    async def search_aggregates(
        self, query: CheckedQuery, *, limit: int, behind: AggregateKey | None
    ) -> tuple[Hits, Generation]:
        search, generation = await self._search(query, "oldest")
        return await search.aggregates(limit, behind), generation

    async def _search(self, query: CheckedQuery, order: Order) -> tuple[Search, Generation]:
        state = await self._state()
        if state.serving is None:
            raise IndexMoved("no generation is complete")
        held = state.generations[state.serving]
        return Search(self._open_table, state.serving, held, query, order), state.generation(state.serving)
