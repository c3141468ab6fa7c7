"""An index goes on in its own log only: where that was restored from an older backup, or is another, the index is built
anew, and meanwhile no search is answered from it."""

from collections.abc import AsyncIterator, Sequence

import pytest

from indelible import NewEvent, RecordedEvent, SearchQuery
from indelible.core.store import LocalEventStore
from indelible.cursors import START, Cursor, cursor_at
from indelible.engines.memory import MemoryEngine
from indelible.errors import IndexBuilding, IndexMismatch, InvalidRequest
from indelible.eventstore import MeasuringStore
from indelible.indexes import indexer as indexer_module
from indelible.indexes.indexer import Indexer
from indelible.indexes.searching import SearchingStore
from indexes.troubled import FIELDS, TroubledIndex, has_come_to_the_head, running, until
from opaque_stores import merged_store

ALL = SearchQuery()
WAIT_MAX_S = 0.2


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer_module, "INDEX_RETRY_WAIT_MAX_S", WAIT_MAX_S)
    monkeypatch.setattr(indexer_module, "INDEX_STAND_BY_S", 0.1)


@pytest.fixture
async def log() -> AsyncIterator[LocalEventStore]:
    """With ten events."""
    async with LocalEventStore(MemoryEngine()) as log:
        await append(log, range(10))
        yield log


async def append(log: MeasuringStore, numbers: Sequence[int]) -> None:
    await log.append("order", "1", [NewEvent("Placed", {"n": n}) for n in numbers])


async def restored(log: LocalEventStore, events: int) -> LocalEventStore:
    """As a backup had it that was made when there were so many."""
    copy = await LocalEventStore(MemoryEngine()).open()
    recorded: Sequence[RecordedEvent] = (await log.read_feed(limit=events)).events
    await copy.append_recorded(recorded)
    return copy


async def catch_up(log: MeasuringStore, index: TroubledIndex) -> Indexer:
    async with running(Indexer(log, index, FIELDS)) as indexer:
        await until(has_come_to_the_head(log, index))
    return indexer


async def rebuilt(log: MeasuringStore, index: TroubledIndex) -> None:
    before = index._serving
    async with running(Indexer(log, index, FIELDS)) as indexer:
        await until(lambda: index._serving != before)
        await until(has_come_to_the_head(log, index))
        await until(lambda: indexer.problem is None)


async def found(log: MeasuringStore, index: TroubledIndex) -> list[int]:
    page = await SearchingStore(log, index, FIELDS).search(ALL, order="oldest", wait_for=(await log.head()).cursor)
    assert (page.lag, page.is_stale) == (0, False)
    return [event.event_data["n"] for event in page.events if isinstance(event.event_data, dict)]


async def test_what_the_log_is_up_to_a_cursor(log: LocalEventStore) -> None:
    events = (await log.read_feed()).events
    assert [await log.hash_at(cursor_at(event.position)) for event in events] == [event.hash for event in events]
    assert (await log.hash_at(START), await log.hash_at(cursor_at(11))) == ("", None)
    async with merged_store(may_make=False) as two:
        assert await two.hash_at(START) == await two.hash_at(Cursor("~0~0")) != ""
        assert await two.hash_at(Cursor("~0~1")) is None
        with pytest.raises(InvalidRequest):
            await two.hash_at(cursor_at(1))


async def test_after_a_restore_it_is_built_anew(log: LocalEventStore) -> None:
    """Also where the log has come past the index's cursor since."""
    index = TroubledIndex()
    await append(log, range(10, 15))
    await catch_up(log, index)
    for appended in (0, 1, 5, 20):
        async with await restored(log, 10) as older:
            if appended:
                await append(older, range(100, 100 + appended))
            with pytest.raises(IndexMismatch, match="indelible index rebuild"):
                await found(older, index)
            with pytest.raises(IndexMismatch):
                await SearchingStore(older, index, FIELDS).search(ALL)
            await rebuilt(older, index)
            assert await found(older, index) == [*range(10), *range(100, 100 + appended)]
        await (rebuilt if appended else catch_up)(log, index)


async def test_where_the_log_has_all_that_the_index_has_it_goes_on(log: LocalEventStore) -> None:
    index = TroubledIndex()
    await catch_up(log, index)
    async with await restored(log, 10) as copy:
        assert await found(copy, index) == list(range(10))
        await append(copy, [10])
        await catch_up(copy, index)
        assert (index._serving, index._last_number) == (1, 1)
        assert await found(copy, index) == list(range(11))


async def test_one_that_is_being_built_is_begun_again(log: LocalEventStore) -> None:
    index = TroubledIndex()
    begun = await index.begin(FIELDS)
    async with await restored(log, 5) as older:
        cursor = (await log.head()).cursor
        await index.apply(begun.number, [], after=begun.cursor, cursor=cursor, log_hash=await log.hash_at(cursor) or "")
        info = await SearchingStore(older, index, FIELDS).index.status()
        assert info.building is not None
        assert info.building.lag == 5
        assert "of a log that is not this one" in (info.problem or "")
        with pytest.raises(IndexBuilding, match="and 5 are to come"):
            await SearchingStore(older, index, FIELDS).search(ALL)
        await catch_up(older, index)
        assert await found(older, index) == list(range(5))


async def test_of_two_that_give_it_two_logs_neither_begins_for_ever(log: LocalEventStore) -> None:
    index = TroubledIndex()
    async with await restored(log, 5) as other:
        await append(other, [7])
        async with running(Indexer(log, index, FIELDS)) as mine, running(Indexer(other, index, FIELDS)) as theirs:
            await until(lambda: "not this one" in f"{mine.problem} {theirs.problem}" and index._building is None)
            # Neither begins once more by now.
            await until(lambda: mine.errors + theirs.errors > 10)
            number = index._last_number
            await until(lambda: mine.errors + theirs.errors > 15)
            assert index._last_number == number
            assert number <= 3


async def test_each_partition_is_looked_at() -> None:
    engines = [MemoryEngine(), MemoryEngine()]
    index = TroubledIndex()
    async with merged_store(*engines, may_make=False) as log:
        homes = [next(str(n) for n in range(99) if log.partition_of("order", str(n)) == one) for one in (0, 1)]
        for home in homes:
            await log.append("order", home, [NewEvent("Placed", {"n": 1})])
        before = await log.head()
        await log.append("order", homes[0], [NewEvent("Placed", {"n": 2})])
        assert await log.hash_at(before.cursor) != await log.hash_at((await log.head()).cursor)
        await catch_up(log, index)
        first = (await log.partitions[0].read_feed(limit=1)).events
        second = (await log.partitions[1].read_feed()).events
    older = [MemoryEngine(), MemoryEngine()]
    for engine, events in zip(older, (first, second), strict=True):
        async with LocalEventStore(engine, is_partition=True) as one:
            await one.append_recorded(events)
    async with merged_store(*older, may_make=False) as log:
        await log.append("order", homes[0], [NewEvent("Placed", {"n": 3})])
        with pytest.raises(IndexMismatch):
            await found(log, index)
        await rebuilt(log, index)
        assert sorted(await found(log, index)) == [1, 1, 3]


async def test_an_index_of_a_log_with_more_partitions(log: LocalEventStore) -> None:
    index = TroubledIndex()
    async with merged_store(may_make=False) as other:
        await append(other, [1])
        await catch_up(other, index)
    searching = SearchingStore(log, index, FIELDS)
    for wait_for in (None, (await log.head()).cursor):
        with pytest.raises(IndexMismatch):
            await searching.search(ALL, wait_for=wait_for)
    info = await searching.index.status()
    assert info.serving is not None
    assert info.serving.lag == 10
    assert "of a log that is not this one" in (info.problem or "")
    await catch_up(log, index)
    assert (await searching.search(ALL)).count == 10
    assert (await searching.index.status()).problem is None
