"""A query index in SQLite whose disk is full or breaks, or whose files are damaged."""

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest

from faults.injected import failing, needs_strace
from faults.query_index_filler import DOCUMENTS_MAX, FIELDS, check, document, filling
from faults.small_disk import small_disk
from indelible.cursors import cursor_at
from indelible.indexes.index import IndexMoved, IndexState, IndexUnavailable, QueryIndex
from indelible.indexes.sqlite import SqliteIndex
from indelible.indexes.sqlite.catalog import Catalog as SqliteCatalog
from indelible.search import CheckedQuery, SearchQuery

HELD = 700
PATIENCE_S = 120


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteIndex]:
    index = SqliteIndex(path)
    try:
        await index.open()
        yield index
    finally:
        await index.close()


async def build(index: QueryIndex, count: int = HELD) -> None:
    """A generation with so many documents, in place of what there is."""
    begun = await index.begin(FIELDS)
    documents = [document(number) for number in range(1, count + 1)]
    await index.apply(begun.number, documents, after=begun.cursor, cursor=cursor_at(count))
    await index.swap(begun.number)


async def test_what_a_crash_leaves_behind_is_deleted(tmp_path: Path) -> None:
    """A generation that was being made, or dropped, when its process died. Kills: see ``faults.index_faults``."""
    path = tmp_path / "search.db"
    left = [path.with_name("search.db-7"), path.with_name("search.db-7-wal"), path.with_name("search.db-12")]
    generation = await made(path)
    for one in left:
        one.write_bytes(generation.read_bytes()[:5_000])
    async with opened(path) as index:
        assert generations(path) == [generation]
        assert await check(index) == HELD
    assert not any(one.exists() for one in left)


@needs_strace
async def test_a_disk_that_breaks_for_a_while(tmp_path: Path) -> None:
    path = tmp_path / "search.db"
    async with filling(f"sqlite:{path}") as process:
        assert process.stdout is not None
        async with failing(process.pid, "pwrite64"), asyncio.timeout(PATIENCE_S):
            while not (line := await process.stdout.readline()).startswith(b"unavailable"):
                assert line
        assert b"disk I/O error" in line
        async with asyncio.timeout(PATIENCE_S):
            while (line := await process.stdout.readline()) != b"swapped\n":
                assert line
        assert process.returncode is None
    async with opened(path) as index:
        await check(index)


async def test_a_full_disk_refuses_and_goes_on_once_there_is_space(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24) as disk:
        async with opened(disk.path / "search.db") as index:
            await build(index)
            disk.fill()
            at = HELD
            while (error := await _refusal(_add(index, at))) is None:
                at += 100
            assert "no space is left" in str(error)
            assert await check(index) == at
            assert await _refusal(build(index, DOCUMENTS_MAX)) is not None
            assert await check(index) == at
            disk.free()
            await _add(index, at)
            assert await check(index) == at + 100
            await build(index)
            assert await check(index) == HELD


async def _refusal(call: Awaitable[None]) -> IndexUnavailable | None:
    try:
        await call
    except IndexUnavailable as error:
        return error
    return None


async def _add(index: QueryIndex, at: int) -> None:
    serving = (await index.state()).serving
    assert serving is not None
    documents = [document(number) for number in range(at + 1, at + 101)]
    await index.apply(serving.number, documents, after=cursor_at(at), cursor=cursor_at(at + 100))


# --- Damage ----------------------------------------------------------------------------------------------------------


def generations(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}-*[0-9]"), key=lambda one: int(one.name.rpartition("-")[2]))


async def made(path: Path) -> Path:
    """A closed index; the file of its generation."""
    async with opened(path) as index:
        await build(index)
    (generation,) = generations(path)
    return generation


def _cut(size: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        os.truncate(path, int(path.stat().st_size * size) if size <= 1 else int(size))

    return damage


def _overwrite(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def _flip_header(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[:16] = b"x" * 16
    path.write_bytes(data)


def _empty_state(path: Path) -> None:
    connection = apsw.Connection(str(path))
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    connection.execute("DELETE FROM state" if "state" in tables else "DELETE FROM catalog")
    connection.close()


def _drop_a_table(path: Path) -> None:
    connection = apsw.Connection(str(path))
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    connection.execute(f"DROP TABLE {'postings_0' if 'postings_0' in tables else 'catalog'}")
    connection.close()


def _older(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 0)
    connection.close()


DAMAGES = {
    "empty": _cut(0), "cut to a header": _cut(100), "cut in the middle": _cut(0.5), "overwritten": _overwrite,
    "no header": _flip_header, "says nothing": _empty_state, "lacks a table": _drop_a_table, "older": _older,
    "gone": Path.unlink,
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_damaged_generation_is_put_aside_and_made_anew(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "search.db"
    damage(await made(path))
    with caplog.at_level(logging.WARNING):
        async with opened(path) as index:
            assert await index.state() == IndexState(None, None)
            with pytest.raises(IndexMoved):
                await index.search(SearchQuery().checked(FIELDS), order="newest", limit=1, behind=None)
            await build(index)
            assert await check(index) == HELD
    assert "made anew from the log" in caplog.text
    assert damage is Path.unlink or path.with_name("search.db.damaged").exists()


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_damaged_catalog_is_put_aside_and_made_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "search.db"
    generation = await made(path)
    damage(path)
    async with opened(path) as index:
        assert await index.state() == IndexState(None, None)
        assert not generation.exists()
        await build(index)
        assert await check(index) == HELD


async def test_damage_that_a_search_meets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "search.db"
    generation = await made(path)
    async with opened(path) as index:
        data = bytearray(generation.read_bytes())
        data[4_096 * 3 :] = os.urandom(len(data) - 4_096 * 3)
        generation.write_bytes(data)
        query = SearchQuery("all").checked(FIELDS)
        with pytest.raises(IndexUnavailable, match="made anew from the log"):
            await index.search(query, order="newest", limit=1, behind=None)
        assert (await index.state()).serving is None
        with pytest.raises(IndexMoved):
            await index.search(query, order="newest", limit=1, behind=None)
        await build(index)
        assert await check(index) == HELD


def _remove_all(path: Path, more: str) -> None:
    for one in path.parent.glob(f"{path.name}{more}"):
        one.unlink()
    for suffix in ("-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)


def _overwrite_with_log(path: Path) -> None:
    for one in (path, path.with_name(f"{path.name}-wal")):
        one.write_bytes(os.urandom(one.stat().st_size))


def _replace(path: Path) -> None:
    """By an older one, which knows no generation."""
    _remove_all(path, "")
    SqliteCatalog(path).open()


LOSSES: dict[str, Callable[[Path], None]] = {
    "removed": lambda path: _remove_all(path, ""), "removed with its generations": lambda path: _remove_all(path, "*"),
    "overwritten": _overwrite_with_log, "replaced": _replace,
}  # fmt: skip


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
async def test_a_catalog_that_is_lost_while_it_is_open_is_made_anew(
    tmp_path: Path, lose: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "search.db"
    query = SearchQuery().checked(FIELDS)
    async with opened(path) as index, opened(path) as searched:
        await build(index)
        # Some of the threads have opened it, and others have not.
        assert await check(index) == HELD
        assert await check(searched) == HELD
        with caplog.at_level(logging.WARNING):
            lose(path)
            async with asyncio.timeout(PATIENCE_S):
                while (await index.state()).serving is not None:
                    for _ in range(8):
                        await asyncio.gather(*(_search(index, query) for _ in range(8)))
        assert "is opened anew" in caplog.text
        for _ in range(8):
            assert await _search(index, query) in (None, IndexMoved)
        await build(index, 50)
        numbers = [(await index.state()).serving]
        assert [one is not None and one.number > 1 for one in numbers] == [True], "numbers come not again"
        for _ in range(20):
            found = await asyncio.gather(*(_search(index, query) for _ in range(8)))
            assert found == [50] * 8
        assert await check(searched) == 50
    async with opened(path) as index:
        assert await check(index) == 50


async def _search(index: SqliteIndex, query: CheckedQuery) -> int | type[Exception] | None:
    """How many are found; None while it cannot be read."""
    try:
        hits, _ = await index.search(query, order="newest", limit=1_000, behind=None)
    except IndexMoved:
        return IndexMoved
    except IndexUnavailable:
        return None
    return len(hits.places)


async def test_flipped_bytes_are_an_answer_or_a_clear_refusal(tmp_path: Path) -> None:
    """SQLite has no checksums, so that not all of them are seen. What is found is read from the log, which has."""
    path, chance, refused = tmp_path / "search.db", random.Random(3), 0
    for _ in range(25):
        async with opened(path) as index:
            await build(index)
        generation = generations(path)[-1]
        data = bytearray(generation.read_bytes())
        for _ in range(8):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        generation.write_bytes(data)
        async with opened(path) as index:
            for query in (SearchQuery(), SearchQuery("all text4"), SearchQuery(event_types=("Type1",), tags=("tag2",))):
                checked = query.checked(FIELDS)
                try:
                    await index.search(checked, order="newest", limit=1_000, behind=None)
                    await index.search_aggregates(checked, limit=100, behind=None)
                    serving = (await index.state()).serving
                    if serving is not None:
                        await index.apply(serving.number, [], after=serving.cursor, cursor=serving.cursor)
                except (IndexUnavailable, IndexMoved):
                    refused += 1
    assert refused


async def test_what_is_no_index_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE orders (n)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(IndexUnavailable, match="no query index of Indelible; name another file, or move this one away"):
        await SqliteIndex(path).open()
    assert path.read_bytes() == before
    with pytest.raises(IndexUnavailable, match="cannot be used"):
        await SqliteIndex(tmp_path).open()


async def test_a_newer_one_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "search.db"
    await made(path)
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 1_000)
    connection.close()
    with pytest.raises(IndexUnavailable, match="of format 1000, this Indelible knows up to 3"):
        await SqliteIndex(path).open()
    assert path.exists()


async def test_a_text_file_in_its_place_is_kept_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("milk\n" * 2_000)
    async with opened(path) as index:
        await build(index)
    assert path.with_name("notes.damaged").read_text().startswith("milk")
