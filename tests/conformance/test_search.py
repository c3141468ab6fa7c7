"""Search over every way to a store, where cursors are numbers and where they are not."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from indelible import AsyncClient
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import SearchUnavailable
from indelible.eventstore import EventStore
from indelible.indexes.makers import default_index_url, make_index
from indelible.indexes.memory import MemoryIndex
from indelible.indexes.sqlite import SqliteIndex
from indelible.search import SearchQuery
from indelible.testing.conformance.helpers import refused
from indelible.testing.conformance.searching import FIELDS, SearchBadInputConformance, SearchConformance
from opaque_stores import merged_store
from serving import searching, serving_in_a_thread

KINDS: dict[str, Callable[[], Any]] = {
    "one": lambda: LocalEventStore(MemoryEngine()),
    "sqlite": lambda: LocalEventStore(MemoryEngine()),
    "two": merged_store,
}
"""By how many partitions they have; "sqlite" has an index in a file."""


@pytest.fixture(
    scope="module", params=["direct one", "http one", "grpc one", "direct two", "direct sqlite", "http postgres"]
)
def way(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def url(way: str, request: pytest.FixtureRequest) -> Iterator[str]:
    transport, kind = way.split()
    if transport == "direct":
        yield ""
        return
    if kind == "postgres":
        # A store in a database, and the index beside it that it has where none is named.
        database = request.getfixturevalue("postgres").new_database()
        store, index = open_local_store(database), make_index(str(default_index_url(database)))
    else:
        store, index = KINDS[kind](), None
    with serving_in_a_thread(store, transport, fields=FIELDS, index=index) as url:
        yield url


@pytest.fixture
async def store(way: str, url: str, tmp_path: Path) -> AsyncIterator[EventStore]:
    async with AsyncExitStack() as exits:
        if url:
            yield await exits.enter_async_context(AsyncClient(url, retry_total_s=0))
            return
        kind = way.split()[1]
        store = await exits.enter_async_context(KINDS[kind]())
        index = SqliteIndex(tmp_path / "index") if kind == "sqlite" else MemoryIndex()
        yield await exits.enter_async_context(searching(store, FIELDS, index))


class TestSearch(SearchConformance):
    pass


@pytest.mark.parametrize("way", ["direct one", "http one", "grpc one"], scope="module", indirect=True)
class TestBadInput(SearchBadInputConformance):
    pass


@pytest.mark.parametrize("transport", ["direct", "http", "grpc"])
async def test_a_store_without_an_index_says_so(transport: str) -> None:
    async def check(store: EventStore) -> None:
        for call in (
            store.search(SearchQuery()),
            store.index.status(),
            store.index.rebuild(),
            store.index.retry(),
            store.index.drop(),
        ):
            error = await refused(SearchUnavailable, call)
            assert "[index]" in error.message

    if transport == "direct":
        async with AsyncClient("memory:") as store:
            await check(store)
    else:
        with serving_in_a_thread(LocalEventStore(MemoryEngine()), transport) as url:
            async with AsyncClient(url) as store:
                await check(store)
