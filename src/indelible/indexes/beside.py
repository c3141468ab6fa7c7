"""A store of this process with the query index that a server has made beside it.

It is read as it is there: whoever opens a store without a server neither makes an index nor changes one.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol, Self

from indelible.errors import SearchUnavailable
from indelible.eventstore import MeasuringStore
from indelible.index_state import IndexInfo
from indelible.indexes.index import QueryIndex
from indelible.indexes.makers import path_beside
from indelible.indexes.opened import OpenedIndex
from indelible.indexes.searching import LocalSearchIndex, SearchingStore
from indelible.search import FieldType
from indelible.store_urls import scheme_of

_NO_FIELDS: Final[Mapping[str, FieldType]] = {}
"""None is declared here: what the index was made with counts."""


class LocalStore(MeasuringStore, Protocol):
    async def open(self) -> Any: ...


def with_index_beside(store: LocalStore, store_url: str) -> "LocalStore | StoreWithIndexBeside":
    """The store itself where there is no index in the place that a server chooses which is told no other."""
    if scheme_of(store_url) != "sqlite":
        return store
    path = path_beside(store_url.partition(":")[2])
    if not path.is_file():
        return store
    from indelible.indexes.sqlite import ReadOnlySqliteIndex  # noqa: PLC0415 - where there is none, nobody needs it

    return StoreWithIndexBeside(store, OpenedIndex(ReadOnlySqliteIndex(path)))


class StoreWithIndexBeside(SearchingStore):
    """Opens and closes the store with the index. The index's files are opened at the first search."""

    def __init__(self, inner: LocalStore, index: QueryIndex) -> None:
        super().__init__(inner, index, _NO_FIELDS)
        self._store: Final = inner
        self._beside: Final = index
        self._index_beside: Final = _IndexBeside(inner, index, _NO_FIELDS, None)

    @property
    def index(self) -> LocalSearchIndex:
        return self._index_beside

    async def open(self) -> Self:
        await self._store.open()
        return self

    async def aclose(self) -> None:
        try:
            await self._beside.close()
        finally:
            await self._store.aclose()


class _IndexBeside(LocalSearchIndex):
    async def rebuild(self) -> IndexInfo:
        raise _not_kept_here()

    async def retry(self) -> IndexInfo:
        raise _not_kept_here()

    async def drop(self) -> None:
        raise _not_kept_here()


def _not_kept_here() -> SearchUnavailable:
    return SearchUnavailable(
        "the query index beside this store is only read here; a server whose configuration has a table [index] keeps it"
    )
