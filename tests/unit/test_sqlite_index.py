"""What the query index in SQLite does beyond the suite of indexes: bounds of time, and of what waits."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from indelible.cursors import cursor_at
from indelible.indexes.index import IndexUnavailable, SearchTooBroad
from indelible.indexes.sqlite import SqliteIndex, generation, index
from indelible.indexes.sqlite.places import LEAST, SHIFT, Numbering
from indelible.limits import SEARCH_CONDITIONS_MAX, SEARCH_VALUES_MAX, SEARCH_VALUES_TOGETHER_MAX
from indelible.search import SearchQuery, Where
from indelible.testing.conformance.index_helpers import AMOUNT, FIELDS, NAME, document, filled, found, more

HELD = 20_000
NEVER_TOGETHER = SearchQuery(where=(Where(NAME, "=", "even"), Where(AMOUNT, "=", 1)))
"""Two conditions that half of the documents meet, and none both."""


@pytest.fixture
async def full(tmp_path: Path) -> AsyncIterator[SqliteIndex]:
    opened = SqliteIndex(tmp_path / "search.db")
    await opened.open()
    await filled(opened, [])
    for first in range(0, HELD, 1_000):
        numbers = range(first, first + 1_000)
        await more(opened, [document(values={NAME: [("even", "odd")[n % 2]], AMOUNT: [n % 2]}) for n in numbers])
    yield opened
    await opened.close()


async def search(opened: SqliteIndex, query: SearchQuery) -> int:
    hits, _ = await opened.search(query.checked(FIELDS), order="newest", limit=10, behind=None)
    return len(hits.places)


async def test_a_search_that_takes_too_long_is_cut_short(full: SqliteIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await search(full, NEVER_TOGETHER) == 0
    monkeypatch.setattr(index, "SEARCH_TIMEOUT_S", 0.003)
    errors: list[type] = []
    while SearchTooBroad not in errors:
        # On a busy machine no thread may come to it in time.
        with pytest.raises((SearchTooBroad, IndexUnavailable)) as caught:
            await search(full, NEVER_TOGETHER)
        errors.append(caught.type)
        assert len(errors) < 200
    monkeypatch.undo()
    # The threads that were cut short go on.
    assert [await search(full, SearchQuery(where=(Where(AMOUNT, "=", 1),))) for _ in range(8)] == [10] * 8


async def test_the_loop_goes_on_while_searches_run(full: SqliteIndex) -> None:
    running = [asyncio.create_task(search(full, NEVER_TOGETHER)) for _ in range(100)]
    ticks = 0
    while not all(task.done() for task in running):
        await asyncio.sleep(0.001)
        ticks += 1
    assert [await task for task in running] == [0] * 100
    assert ticks >= 5


async def test_searches_that_wait_are_bounded(full: SqliteIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "READS_WAITING_MAX", 6)
    answers = await asyncio.gather(*(search(full, NEVER_TOGETHER) for _ in range(20)), return_exceptions=True)
    assert answers[:6] == [0] * 6
    assert all(isinstance(one, IndexUnavailable) for one in answers[6:])
    assert await search(full, NEVER_TOGETHER) == 0


async def test_the_most_values_that_are_allowed(full: SqliteIndex) -> None:
    """Each may be bound several times, and SQLite binds no more than some ten thousand."""
    for conditions in (SEARCH_VALUES_TOGETHER_MAX // SEARCH_VALUES_MAX, SEARCH_CONDITIONS_MAX):
        values = list(range(SEARCH_VALUES_TOGETHER_MAX // conditions))
        query = SearchQuery(where=(Where(AMOUNT, "in", values),) * conditions)
        assert await search(full, query) == 10
        hits, _ = await full.search_aggregates(query.checked(FIELDS), limit=10, behind=None)
        assert (len(hits.aggregates), hits.is_last) == (1, True)


async def test_one_that_is_not_open_says_so(tmp_path: Path) -> None:
    closed = SqliteIndex(tmp_path / "search.db")
    for call in (closed.state(), closed.drop(), closed.begin({}), search(closed, SearchQuery())):
        with pytest.raises(IndexUnavailable, match="is not open"):
            await call


async def test_a_building_generation_is_committed_when_nothing_more_comes(tmp_path: Path) -> None:
    """Whoever looks from elsewhere sees only what is committed."""
    builder, other = SqliteIndex(tmp_path / "search.db"), SqliteIndex(tmp_path / "search.db")
    await builder.open()
    await other.open()
    try:
        begun = await builder.begin(FIELDS)
        await builder.apply(begun.number, [document()], after=begun.cursor, cursor=cursor_at(1))
        end_s = time.monotonic() + 60
        while (building := (await other.state()).building) is None or building.documents == 0:
            assert time.monotonic() < end_s
            await asyncio.sleep(0.02)
        assert building.cursor == cursor_at(1)
    finally:
        await builder.close()
        await other.close()


async def test_many_commits_while_it_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "COMMIT_DOCUMENTS", 30)
    built = SqliteIndex(tmp_path / "search.db")
    await built.open()
    try:
        begun = await built.begin(FIELDS)
        documents = [document(values={AMOUNT: [n]}, text="all") for n in range(200)]
        for n in range(0, 200, 8):
            part = documents[n : n + 8]
            await built.apply(begun.number, part, after=cursor_at(n), cursor=cursor_at(n + 8))
        await built.swap(begun.number)
        for query in (SearchQuery(), SearchQuery("all"), SearchQuery(where=(Where(AMOUNT, ">=", 0),))):
            assert await found(built, query) == [one.place for one in documents]
    finally:
        await built.close()


def test_numbers_are_times_and_run_on_where_many_are_of_one() -> None:
    crowd = [document(time_us=1_000, position=n).place for n in range(1, 101)]
    after = document(time_us=1_001, position=101).place
    numbering = Numbering(LEAST, None, lambda doc: doc)
    docs = numbering.number([*crowd, after])
    assert docs == list(range(1_000 << SHIFT, (1_000 << SHIFT) + 101))
    assert numbering.displaced_us == 99 >> SHIFT
    assert numbering.is_in_order
    numbering.number([document(time_us=999, position=1).place])
    assert not numbering.is_in_order
