"""The query index that a server has left beside a store is read by whoever opens the store without a server."""

import asyncio
from pathlib import Path

import apsw
import pytest

from indelible import AsyncClient, Client, NewEvent, SearchQuery, Where
from indelible.core.open import open_local_store
from indelible.errors import IndexBehind, IndexBuilding, InvalidRequest, SearchUnavailable, Unavailable
from indelible.indexes.beside import with_index_beside
from indelible.indexes.sqlite import SqliteIndex
from indelible.testing.conformance.helpers import ids
from indexes.troubled import FIELDS
from serving import searching

EXISTS = SearchQuery(where=(Where("event_data.n", "exists"),))


async def index_up_to_the_head(url: str, *numbers: int) -> list[NewEvent]:
    """As a server does."""
    events = [NewEvent("Placed", {"n": n}) for n in numbers]
    async with open_local_store(url) as log:
        await log.append("order", "1", events)
        async with searching(log, FIELDS, SqliteIndex(f"{url.partition(':')[2]}-search")) as store:
            await store.search(EXISTS, wait_for=(await log.head()).cursor, wait_s=60)
    return events


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path}/store.db"


async def test_it_is_read_as_far_as_it_has_come(url: str) -> None:
    indexed = await index_up_to_the_head(url, 1, 2)
    async with AsyncClient(url) as store:
        assert ids((await store.search(EXISTS, order="oldest")).events) == ids(indexed)
        await store.append("order", "1", [NewEvent("Placed", {"n": 3})])
        page = await store.search(EXISTS, order="oldest")
        assert (ids(page.events), page.lag) == (ids(indexed), 1)
        with pytest.raises(IndexBehind):
            await store.search(EXISTS, wait_for=(await store.head()).cursor, wait_s=0.1)
        with pytest.raises(InvalidRequest) as caught:
            await store.search(SearchQuery(where=(Where("event_data.x", "=", 1),)))
        assert caught.value.pointer == "/where/0/field"
        info = await store.index.status()
        assert (info.serving.documents, info.serving.lag, info.is_indexing) == (2, 1, False)
    later = await index_up_to_the_head(url, 4)
    with Client(url) as client:
        assert ids(client.search(EXISTS).events)[0] == later[0].event_id


async def test_whoever_keeps_it_is_not_in_the_way(url: str) -> None:
    await index_up_to_the_head(url, 1)
    async with (
        open_local_store(url) as log,
        searching(log, FIELDS, SqliteIndex(f"{url.partition(':')[2]}-search")) as kept,
        with_index_beside(open_local_store(url, read_only=True), url) as beside,
    ):
        assert (await beside.search(EXISTS)).count == 1
        await kept.append("order", "1", [NewEvent("Placed", {"n": 2})])
        page = await beside.search(EXISTS, wait_for=(await log.head()).cursor, wait_s=60)
        assert (page.count, page.lag) == (2, 0)
        before = (await kept.index.rebuild()).serving
        assert before is not None
        async with asyncio.timeout(60):
            while (await beside.index.status()).serving.number == before.number:
                assert (await beside.search(EXISTS)).count == 2
                await asyncio.sleep(0.01)
        assert (await beside.search(EXISTS)).count == 2


async def test_it_is_not_changed(url: str, tmp_path: Path) -> None:
    await index_up_to_the_head(url, 1)
    before = files(tmp_path)
    async with AsyncClient(url) as store:
        for change in (store.index.rebuild, store.index.retry, store.index.drop):
            with pytest.raises(SearchUnavailable, match="is only read here"):
                await change()
        assert (await store.search(EXISTS)).count == 1
    assert files(tmp_path) == before


async def test_where_there_is_none_none_is_made(url: str, tmp_path: Path) -> None:
    async with AsyncClient(url) as store:
        await store.append("order", "1", [NewEvent("Placed", {"n": 1})])
        with pytest.raises(SearchUnavailable, match=r"a table \[index\]"):
            await store.search(EXISTS)
    assert not (tmp_path / "store.db-search").exists()


async def test_one_that_was_not_complete(url: str, tmp_path: Path) -> None:
    async with open_local_store(url) as log:
        await log.append("order", "1", [NewEvent("Placed", {"n": 1})])
    index = SqliteIndex(tmp_path / "store.db-search")
    await index.open()
    await index.begin(FIELDS)
    await index.close()
    async with AsyncClient(url) as store:
        with pytest.raises(IndexBuilding):
            await store.search(EXISTS)


def files(folder: Path) -> dict[str, bytes]:
    """Those of the index; but for what its readers share, and for an empty log of writes, which holds nothing."""
    found = {one.name: one.read_bytes() for one in folder.iterdir() if "-search" in one.name}
    return {name: data for name, data in found.items() if data and not name.endswith("-shm")}


@pytest.mark.parametrize("other", ["no index", "of another format", "damaged", "no database"])
async def test_what_cannot_be_read_is_left_alone(url: str, tmp_path: Path, other: str) -> None:
    await index_up_to_the_head(url, 1)
    catalog, generation = tmp_path / "store.db-search", tmp_path / "store.db-search-1"
    if other == "no index":
        catalog.write_bytes((tmp_path / "store.db").read_bytes())
    elif other == "of another format":
        spoil(catalog, "PRAGMA user_version = 9")
    elif other == "damaged":
        spoil(generation, "UPDATE state SET fields = '['")
    else:
        catalog.write_bytes(b"x" * 8_192)
    async with AsyncClient(url) as store:
        before = files(tmp_path)
        says = {"no index": "no query index of Indelible", "of another format": "of format 9", "damaged": "is damaged"}
        for call in (store.search(EXISTS), store.index.status()):
            with pytest.raises(Unavailable, match=says.get(other, "cannot be used")):
                await call
        assert (await store.read_feed()).count == 1
    assert files(tmp_path) == before


def spoil(path: Path, sql: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(sql)
    connection.pragma("wal_checkpoint(TRUNCATE)")
    connection.close()
