"""The query index in OpenSearch or Elasticsearch, for everything that has to be found at a scale beyond one machine.

How documents and the cursor change together, though the service has no transactions, stands in
:mod:`indelible.indexes.opensearch.state`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Self, TypeVar
from uuid import UUID

from msgspec.structs import replace

from indelible.cursors import Cursor
from indelible.events import AggregateKey
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
from indelible.indexes.opensearch.address import Address
from indelible.indexes.opensearch.calls import Calls, Gone
from indelible.indexes.opensearch.client import Client
from indelible.indexes.opensearch.generations import Generations
from indelible.indexes.opensearch.plan import query_of
from indelible.indexes.opensearch.state import Held, State
from indelible.indexes.opensearch.writing import write_documents
from indelible.limits import INDEX_WRITE_TIMEOUT_S
from indelible.search import CheckedQuery, FieldType, Order
from indelible.tasks import to_its_end

T = TypeVar("T")

_LOOKS: Final = 3
"""At which generation serves, when the one that did is gone by then."""


class OpenSearchIndex:
    """Implements :class:`indelible.indexes.index.QueryIndex`. ``make_client`` gives a client of what ``address`` names.
    Belongs to one event loop while it is open."""

    capabilities: Final = Capabilities(text=True)

    def __init__(self, address: Address, make_client: Callable[[Address], Client]) -> None:
        self._address: Final = address
        self._make_client: Final = make_client
        self._opened: tuple[Calls, Generations] | None = None

    @classmethod
    def of(cls, url: str, make_client: Callable[[Address], Client]) -> Self:
        """Raises ``InvalidRequest`` for a URL that names nothing, see :class:`Address`."""
        return cls(Address.of(url), make_client)

    async def open(self) -> IndexState:
        if self._opened is None:
            calls = Calls(self._make_client(self._address), self._address.prefix)
            self._opened = calls, Generations(calls, self._address)
        state = await self._generations.read()
        await self._generations.tidy(state)
        return state.public

    @property
    def _calls(self) -> Calls:
        return self._both[0]

    @property
    def _generations(self) -> Generations:
        return self._both[1]

    @property
    def _both(self) -> tuple[Calls, Generations]:
        if self._opened is None:
            raise IndexUnavailable(f"the query index {self._address.prefix} is not open")
        return self._opened

    async def state(self) -> IndexState:
        return (await self._generations.read()).public

    async def begin(self, fields: Mapping[str, FieldType]) -> Generation:
        return await self._generations.begin(fields)

    async def swap(self, generation: int) -> None:
        try:
            await self._generations.swap(generation)
        except Gone:
            raise await self._gone(generation) from None

    async def drop(self) -> None:
        await self._generations.drop()

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened[0].close()

    # --- Writing -----------------------------------------------------------------------------------------------------

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        try:
            async with asyncio.timeout(INDEX_WRITE_TIMEOUT_S):
                return await self._apply(generation, documents, after, cursor, log_hash)
        except TimeoutError:
            raise IndexUnavailable(f"{self._address.kind} takes too long to store events") from None
        except Gone:
            raise await self._gone(generation) from None

    async def _apply(
        self, generation: int, documents: Sequence[Document], after: Cursor, cursor: Cursor, log_hash: str
    ) -> Sequence[Rejected]:
        state = await self._generations.change(lambda state: state.claimed(generation, after))
        claimed, is_serving = state.held(generation), generation == state.serving
        step = claimed.claimed
        written = await write_documents(self._calls, generation, documents, step, claimed.fields)
        held = claimed.committing(step)
        if is_serving:
            await self._calls.refresh(generation)
            count = await self._calls.count(generation, held)
        else:
            # Made searchable, and counted, when it is complete: one that is built takes half the time so.
            count = claimed.documents + written.added
        tried = {one.place for one in documents}
        listed = [one for one in claimed.rejected if one.place not in tried]
        rejected = sorted((*listed, *written.refused), key=by_position)
        held = replace(held, cursor=str(cursor), log_hash=log_hash, documents=count, rejected=tuple(rejected))
        commit = partial(
            State.committed, number=generation, step=step, after=after, changed=held, is_searchable=is_serving
        )
        await to_its_end(self._generations.change(commit))
        return written.refused

    async def rejected(self, generation: int) -> Sequence[Rejected]:
        """Documents that are refused, by position. Raises ``IndexMoved`` when the generation is gone."""
        return (await self._generations.read(whole=True)).held(generation).rejected

    async def _gone(self, generation: int) -> Exception:
        """Its index is: it was dropped, or somebody has removed it."""
        if generation not in (await self._generations.read()).generations:
            return IndexMoved(f"generation {generation} is gone")
        await self._generations.let_go(generation)
        return IndexUnavailable(f"{self._address.prefix}-{generation} was removed: it is made anew from the log")

    # --- Searching ---------------------------------------------------------------------------------------------------

    async def search(
        self, query: CheckedQuery, *, order: Order, limit: int, behind: Place | None
    ) -> tuple[Hits, Generation]:
        direction = "desc" if order == "newest" else "asc"
        asked: dict[str, Any] = {
            "size": limit + 1,
            "sort": [{name: {"order": direction}} for name in ("timestamp_us", "position", "event_id")],
        }
        if behind is not None:
            asked["search_after"] = [behind.timestamp_us, behind.position, str(behind.event_id)]
        found, generation = await self._search(query, asked)
        rows = [one["sort"] for one in found.get("hits", {}).get("hits", ())]
        places = [Place(time_us, position, UUID(event_id)) for time_us, position, event_id in rows[:limit]]
        return Hits(places, (), is_last=len(rows) <= limit), generation

    async def search_aggregates(
        self, query: CheckedQuery, *, limit: int, behind: AggregateKey | None
    ) -> tuple[Hits, Generation]:
        names = ("aggregate_type", "aggregate_id")
        composite: dict[str, Any] = {
            "size": limit + 1, "sources": [{name: {"terms": {"field": name}}} for name in names],
        }  # fmt: skip
        if behind is not None:
            composite["after"] = {name: getattr(behind, name) for name in names}
        found, generation = await self._search(query, {"size": 0, "aggs": {"found": {"composite": composite}}})
        rows = [one["key"] for one in found.get("aggregations", {}).get("found", {}).get("buckets", ())]
        keys = [AggregateKey(*(row[name] for name in names)) for row in rows[:limit]]
        return Hits((), keys, is_last=len(rows) <= limit), generation

    async def _search(self, query: CheckedQuery, asked: Mapping[str, Any]) -> tuple[Any, Generation]:
        """What is found is as the state said before: of later steps nothing is."""
        serving = 0
        for _ in range(_LOOKS):
            state = await self._generations.read()
            serving, held = _serving(state)
            try:
                found = await self._calls.search(serving, {"query": query_of(query, held), **asked})
            except Gone:
                continue
            return found, state.generation(serving)
        raise await self._gone(serving)


def _serving(state: State) -> tuple[int, Held]:
    if state.serving is None:
        raise IndexMoved("no generation is complete")
    return state.serving, state.generations[state.serving]
