"""Query indexes that break what an index promises, each in its own way, with what the check says of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from indelible.cursors import START, Cursor
from indelible.indexes.index import Document, Generation, Hits, Rejected
from indelible.indexes.memory import MemoryIndex

_BETWEEN_S: Final = 0.03
"""Two steps that should be one."""
_EVERY: Final = 5
"""So many batches or searches, one of them goes wrong."""


class _Applied(MemoryIndex):
    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        await self.add(generation, documents, after, cursor)
        return ()

    async def add(self, generation: int, documents: Sequence[Document], after: Cursor, cursor: Cursor) -> None:
        await super().apply(generation, documents, after=after, cursor=cursor)


class CursorFirst(_Applied):
    async def add(self, generation: int, documents: Sequence[Document], after: Cursor, cursor: Cursor) -> None:
        await super().add(generation, (), after, cursor)
        await asyncio.sleep(_BETWEEN_S)
        await super().add(generation, documents, cursor, cursor)


class DocumentsFirst(_Applied):
    async def add(self, generation: int, documents: Sequence[Document], after: Cursor, cursor: Cursor) -> None:
        await super().add(generation, documents, after, after)
        await asyncio.sleep(_BETWEEN_S)
        await super().add(generation, (), after, cursor)


class HalfLost(_Applied):
    """As a batch that a crash cut in two, with its cursor."""

    batches = 0

    async def add(self, generation: int, documents: Sequence[Document], after: Cursor, cursor: Cursor) -> None:
        self.batches += 1
        kept = documents[: len(documents) // 2] if self.batches % _EVERY == 0 else documents
        await super().add(generation, kept, after, cursor)


class _Searched(MemoryIndex):
    searches = 0

    async def search(self, *args: Any, **options: Any) -> tuple[Hits, Generation]:
        hits, generation = await super().search(*args, **options)
        self.searches += 1
        return self.wrong(hits, generation) if self.searches % _EVERY == 0 else (hits, generation)

    def wrong(self, hits: Hits, generation: Generation) -> tuple[Hits, Generation]:
        raise NotImplementedError


class CursorGoesBack(_Searched):
    """As a replica that is behind."""

    def wrong(self, hits: Hits, generation: Generation) -> tuple[Hits, Generation]:
        return hits._replace(places=()), replace(generation, cursor=START)


class FindsTwice(_Searched):
    def wrong(self, hits: Hits, generation: Generation) -> tuple[Hits, Generation]:
        return hits._replace(places=[one for one in hits.places for _ in range(2)]), generation


class OldestFirst(_Searched):
    def wrong(self, hits: Hits, generation: Generation) -> tuple[Hits, Generation]:
        return hits._replace(places=hits.places[::-1]), generation


BROKEN: Final[Mapping[str, tuple[Callable[[], MemoryIndex], str]]] = {
    "the cursor comes before the documents": (CursorFirst, "missing: "),
    "documents come before the cursor": (DocumentsFirst, "ahead: "),
    "half of a batch is lost": (HalfLost, "missing: "),
    "the cursor goes back": (CursorGoesBack, "backward: "),
    "events are found twice": (FindsTwice, "repeated: "),
    "the order is another": (OldestFirst, "disorder: "),
}
