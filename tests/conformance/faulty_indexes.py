"""Query indexes with a fault each, put through the suite of indexes: ``test_faulty_indexes`` runs this, and expects
that each is caught."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta, timezone

import pytest
from msgspec.structs import replace

from indelible.cursors import Cursor
from indelible.events import AggregateKey
from indelible.indexes.index import Document, Generation, Hits, Place, Rejected
from indelible.indexes.memory import MemoryIndex
from indelible.search import CheckedQuery, Order
from indelible.testing.conformance import IndexConformance, IndexRefusalConformance
from indelible.testing.conformance.index_helpers import MakeIndex, document
from indelible.testing.conformance.index_refusals import MakeRefused


class Faultless(MemoryIndex):
    """That none is caught which is none."""


class LosesADocument(MemoryIndex):
    """The last of many in a batch."""

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        kept = documents[:-1] if len(documents) > 30 else documents
        return await super().apply(generation, kept, after=after, cursor=cursor, log_hash=log_hash)


class SwapsLate(MemoryIndex):
    """The first search after a swap is still one in the generation before."""

    _late: list[Document] | None = None

    async def swap(self, generation: int) -> None:
        before = None if self._serving is None else list(self._documents[self._serving].values())
        is_other = generation != self._serving
        await super().swap(generation)
        if is_other:
            self._late = before

    def _searched(self) -> tuple[Generation, list[Document]]:
        generation, documents = super()._searched()
        late, self._late = self._late, None
        return generation, documents if late is None else late


class _AsksOtherwise(MemoryIndex):
    def _asked(self, query: CheckedQuery) -> CheckedQuery:
        raise NotImplementedError

    async def search(
        self, query: CheckedQuery, *, order: Order, limit: int, behind: Place | None
    ) -> tuple[Hits, Generation]:
        return await super().search(self._asked(query), order=order, limit=limit, behind=behind)

    async def search_aggregates(
        self, query: CheckedQuery, *, limit: int, behind: AggregateKey | None
    ) -> tuple[Hits, Generation]:
        return await super().search_aggregates(self._asked(query), limit=limit, behind=behind)


class LeavesOutABound(_AsksOtherwise):
    """Of a range of declared fields."""

    def _asked(self, query: CheckedQuery) -> CheckedQuery:
        where = tuple(
            replace(one, operator="<") if one.operator == "<=" and "." in one.field else one for one in query.where
        )
        return replace(query, where=where)


class TakesABoundIn(_AsksOtherwise):
    """``until`` itself."""

    def _asked(self, query: CheckedQuery) -> CheckedQuery:
        return query if query.until is None else replace(query, until=query.until + query.until.resolution)


class ReadsTimesAsLocal(_AsksOtherwise):
    def _asked(self, query: CheckedQuery) -> CheckedQuery:
        local = timezone(timedelta(hours=1))
        return query if query.since is None else replace(query, since=query.since.replace(tzinfo=local))


class RunsAhead(MemoryIndex):
    """Its cursor is there before the documents are."""

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        await super().apply(generation, [], after=after, cursor=cursor, log_hash=log_hash)
        await asyncio.sleep(0)
        if self._known(generation) is not None:
            for document in documents:
                self._documents[generation][document.place] = document
        return ()


class KnowsEventsByTheirIds(MemoryIndex):
    """Which are unique within a partition alone."""

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        rejected = await super().apply(generation, documents, after=after, cursor=cursor, log_hash=log_hash)
        by_id = {one.place.event_id: one for one in self._documents[generation].values()}
        self._documents[generation] = {one.place: one for one in by_id.values()}
        return rejected


class PagesByTimeAlone(MemoryIndex):
    """Whose places of equal times are in no order."""

    async def search(
        self, query: CheckedQuery, *, order: Order, limit: int, behind: Place | None
    ) -> tuple[Hits, Generation]:
        hits, generation = await super().search(query, order=order, limit=limit, behind=behind)
        places = sorted(hits.places, key=lambda one: one.timestamp_us, reverse=order == "newest")
        places.sort(key=lambda one: one.event_id)
        places.sort(key=lambda one: one.timestamp_us, reverse=order == "newest")
        return Hits(places, (), hits.is_last), generation


class GoesOnElsewhere(MemoryIndex):
    """Takes documents behind a cursor that is not its own."""

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        found = self._generation(self._known(generation))
        if found is not None:
            after = found.cursor
        return await super().apply(generation, documents, after=after, cursor=cursor, log_hash=log_hash)


FAULTS = (
    LosesADocument, SwapsLate, LeavesOutABound, TakesABoundIn, ReadsTimesAsLocal, RunsAhead, PagesByTimeAlone,
    GoesOnElsewhere, KnowsEventsByTheirIds,
)  # fmt: skip


class Refusing(MemoryIndex):
    """That has none of these faults."""

    def why_refused(self, document: Document) -> str | None:
        return "it is of the type Unwanted" if document.event_type == "Unwanted" else None


class TellsOfTheLast(Refusing):
    """Batch, and forgets what was refused before."""

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        rejected = await super().apply(generation, documents, after=after, cursor=cursor, log_hash=log_hash)
        self._rejected[generation] = {one.place: one for one in rejected}
        return rejected


class ListsWhatItTook(Refusing):
    """Since it was refused once."""

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        before = dict(self._rejected.get(generation, {}))
        rejected = await super().apply(generation, documents, after=after, cursor=cursor, log_hash=log_hash)
        self._rejected[generation] = before | self._rejected[generation]
        return rejected


class ListsByIds(Refusing):
    """Which are unique within a partition alone."""

    async def rejected(self, generation: int) -> Sequence[Rejected]:
        return list({one.place.event_id: one for one in await super().rejected(generation)}.values())


REFUSING_FAULTS = (TellsOfTheLast, ListsWhatItTook, ListsByIds)


class _Suite(IndexConformance):
    index_class: type[MemoryIndex]

    @pytest.fixture
    def make_index(self) -> MakeIndex:
        return self.index_class


class _RefusingSuite(IndexRefusalConformance):
    index_class: type[MemoryIndex]

    @pytest.fixture
    def make_index(self) -> MakeIndex:
        index = self.index_class()
        return lambda: index

    @pytest.fixture
    def make_refused(self) -> MakeRefused:
        return lambda: document(event_type="Unwanted")


for _suite, _classes in ((_Suite, (Faultless, *FAULTS)), (_RefusingSuite, (Refusing, *REFUSING_FAULTS))):
    for _faulty in _classes:
        globals()[f"Test{_faulty.__name__}"] = type(f"Test{_faulty.__name__}", (_suite,), {"index_class": _faulty})
