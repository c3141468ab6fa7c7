"""The indexer keeps an index up to date, whatever index and log do, and whoever else indexes."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest

from held import held_at_most
from indelible import NewEvent
from indelible.core.store import LocalEventStore
from indelible.cursors import START, Cursor
from indelible.engines.memory import MemoryEngine
from indelible.errors import StoreCorrupted, Unavailable
from indelible.eventstore import FeedPage, MeasuringStore
from indelible.indexes import indexer as module
from indelible.indexes.document_making import documents_of
from indelible.indexes.documents import DocumentMaker
from indelible.indexes.indexer import Indexer
from indelible.indexes.memory import MemoryIndex
from indelible.indexes.searching import SearchingStore
from indelible.limits import INDEX_BATCH_EVENTS_MAX, INDEX_REJECTED_MAX, INDEX_REJECTED_SHOWN_MAX
from indelible.search import FieldType, SearchQuery
from indelible.store_around import StoreAround
from indexes.troubled import FIELDS, PATIENCE_S, MovedOnce, TroubledIndex, has_come_to_the_head, running, until
from opaque_stores import merged_store

OTHER_FIELDS: Mapping[str, FieldType] = {"event_data.n": "number", "metadata.user": "string"}


@pytest.fixture(params=["one partition", "two partitions"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[MeasuringStore]:
    async with LocalEventStore(MemoryEngine()) if request.param == "one partition" else merged_store() as store:
        yield store


@pytest.fixture
def index() -> TroubledIndex:
    return TroubledIndex()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INDEX_STAND_BY_S", 0.1)
    monkeypatch.setattr(module, "INDEX_LOOK_INTERVAL_S", 0.05)
    # Far below what one that stands by takes for the end of another.
    monkeypatch.setattr(module, "INDEX_GATHER_S", 0.005)


async def append(store: MeasuringStore, count: int = 1, first: int = 0) -> None:
    for n in range(first, first + count, 100):
        events = [NewEvent("Placed", {"n": m}) for m in range(n, min(n + 100, first + count))]
        await store.append("order", f"o-{n}", events)


async def numbers(index: MemoryIndex) -> list[object]:
    """What is found."""
    serving = (await MemoryIndex.state(index)).serving
    assert serving is not None
    documents = index._documents[serving.number].values()
    return sorted(one.values["event_data.n"][0] for one in documents)


async def test_all_that_is_there_and_all_that_comes_is_indexed(store: MeasuringStore, index: TroubledIndex) -> None:
    await append(store, 2_500)
    async with running(Indexer(store, index, FIELDS)) as indexer:
        await until(has_come_to_the_head(store, index))
        assert max(index.applied) > 128, "what is there is indexed in large steps"
        assert max(index.applied) <= INDEX_BATCH_EVENTS_MAX
        for n in range(2_500, 2_510):
            await append(store, 1, n)
        await until(has_come_to_the_head(store, index))
        assert await numbers(index) == list(range(2_510))
        assert (indexer.indexed, indexer.errors, indexer.problem, indexer.is_running) == (2_510, 0, None, True)
    assert not indexer.is_running


async def test_events_are_gathered_until_somebody_waits_for_them(
    store: MeasuringStore, index: TroubledIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INDEX_GATHER_S", 10 * PATIENCE_S)
    is_gathering, wait = asyncio.Event(), module.is_set_within

    async def noted(timeout_s: float, event: asyncio.Event) -> bool:
        if timeout_s == 10 * PATIENCE_S:
            is_gathering.set()
        return await wait(timeout_s, event)

    monkeypatch.setattr(module, "is_set_within", noted)
    async with running(Indexer(store, index, FIELDS)) as indexer:
        await append(store)
        await until(has_come_to_the_head(store, index))
        await is_gathering.wait()
        for n in range(1, 6):
            await append(store, 1, n)
        assert sum(index.applied) == 1
        searching = SearchingStore(store, index, FIELDS, indexer=indexer)
        page = await searching.search(SearchQuery(), wait_for=(await store.head()).cursor, wait_s=PATIENCE_S)
        assert page.count == 6
        assert index.applied[-1] == 5


async def test_an_empty_log_is_indexed_too(store: MeasuringStore, index: TroubledIndex) -> None:
    async with running(Indexer(store, index, {})):
        await until(has_come_to_the_head(store, index))
    state = await index.state()
    assert (state.serving.number, state.serving.fields, state.building) == (1, {}, None)


async def test_it_goes_on_where_another_ended(store: MeasuringStore, index: TroubledIndex) -> None:
    for round_ in range(3):
        await append(store, 100, 100 * round_)
        async with running(Indexer(store, index, FIELDS)) as indexer:
            await until(has_come_to_the_head(store, index))
            assert indexer.indexed == 100
    assert await numbers(index) == list(range(300))
    assert (await index.state()).serving.number == 1


async def test_an_index_that_is_away_is_waited_for(store: MeasuringStore, index: TroubledIndex) -> None:
    index.is_away = True
    await append(store, 300)
    async with running(Indexer(store, index, FIELDS)) as indexer:
        await until(lambda: indexer.errors >= 3)
        assert indexer.problem == "the query index is out of reach: it is away"
        index.is_away = False
        await until(has_come_to_the_head(store, index))
        await until(lambda: indexer.problem is None)
        index.is_away = True
        await append(store, 1, 300)
        await until(lambda: indexer.problem is not None)
        index.is_away = False
        await until(has_come_to_the_head(store, index))
    assert await numbers(index) == list(range(301))


async def test_waits_between_attempts_grow(store: MeasuringStore, index: TroubledIndex) -> None:
    index.is_away = True
    began_at = time.monotonic()
    async with running(Indexer(store, index, FIELDS)):
        await until(lambda: index.asked >= 6)
    # Half of 0.1, 0.2, 0.4, 0.8 and 1.6 s at the least.
    assert time.monotonic() - began_at > 1.5


async def test_a_slow_index_holds_nothing_but_the_index_up(
    store: MeasuringStore, index: TroubledIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_asked, answers = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        is_asked.set()
        await answers.wait()

    async with running(Indexer(store, index, FIELDS)):
        await append(store)
        await until(has_come_to_the_head(store, index))
        monkeypatch.setattr(index, "_trouble", slow)
        async with asyncio.timeout(PATIENCE_S):
            await is_asked.wait()
            for n in range(1, 20):
                await append(store, 1, n)
        answers.set()
        await until(has_come_to_the_head(store, index))
    assert await numbers(index) == list(range(20))


async def test_who_is_overtaken_stands_by_and_goes_on_when_nobody_else_does(store: MeasuringStore) -> None:
    index = MovedOnce()
    await append(store, 10)
    async with running(Indexer(store, index, FIELDS)) as indexer:
        await until(lambda: index.was_moved)
        await until(has_come_to_the_head(store, index))
        await append(store, 10, 10)
        await until(has_come_to_the_head(store, index))
        assert indexer.is_running
        assert indexer.errors == 0
    assert await numbers(index) == list(range(20))


async def test_of_several_indexers_one_works(
    store: MeasuringStore, index: TroubledIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a busy machine keeps one that works from its turn.
    monkeypatch.setattr(module, "INDEX_STAND_BY_S", 1.0)
    indexers = [Indexer(store, index, FIELDS) for _ in range(3)]
    async with running(indexers[0]), running(indexers[1]), running(indexers[2]):
        for n in range(0, 1_000, 20):
            await append(store, 20, n)
            await asyncio.sleep(0.005)
        await until(has_come_to_the_head(store, index))
        await until(lambda: sum(one.is_running for one in indexers) == 1)
        assert [one.problem for one in indexers] == [None] * 3
        before = [one.indexed for one in indexers]
        for n in range(1_000, 1_800, 20):
            await append(store, 20, n)
            await asyncio.sleep(0.05)
        await until(has_come_to_the_head(store, index))
        assert sum(one.indexed > was for one, was in zip(indexers, before, strict=True)) == 1
    assert await numbers(index) == list(range(1_800))
    assert sum(one.indexed for one in indexers) == 1_800


async def test_another_takes_over(store: MeasuringStore, index: TroubledIndex) -> None:
    first, second = Indexer(store, index, FIELDS), Indexer(store, index, FIELDS)
    async with running(second):
        async with running(first):
            for n in range(200):
                await append(store, 1, n)
                await asyncio.sleep(0)
            await until(has_come_to_the_head(store, index))
        await append(store, 100, 200)
        await until(has_come_to_the_head(store, index))
    assert await numbers(index) == list(range(300))


# --- Generations -----------------------------------------------------------------------------------------------------


async def test_other_fields_begin_another_generation_beside_the_one_that_serves(
    store: MeasuringStore, index: TroubledIndex
) -> None:
    await append(store, 1_000)
    async with running(Indexer(store, index, FIELDS)):
        await until(has_come_to_the_head(store, index))
    index.slow_s = 0.02
    seen: list[Mapping[str, FieldType]] = []
    async with running(Indexer(store, index, OTHER_FIELDS)):
        while True:
            state = await MemoryIndex.state(index)
            assert state.serving is not None, "there is always one that serves"
            seen.append(state.serving.fields)
            if state.serving.fields == OTHER_FIELDS:
                break
            await asyncio.sleep(0.005)
        assert FIELDS in seen
        await until(has_come_to_the_head(store, index))
    state = await MemoryIndex.state(index)
    assert (state.serving.number, state.building) == (2, None)
    assert await numbers(index) == list(range(1_000))


async def test_both_generations_are_kept_up_to_date(
    store: MeasuringStore, index: TroubledIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    await append(store, 3_000)
    async with running(Indexer(store, index, FIELDS)) as indexer:
        await until(has_come_to_the_head(store, index))
        goes_on, apply = asyncio.Event(), index.apply

        async def held_up(generation: int, *documents: Any, **at: Any) -> Any:
            if generation == 2:
                await goes_on.wait()
            return await apply(generation, *documents, **at)

        async def goes_on_beside_it() -> bool:
            state = await MemoryIndex.state(index)
            return state.serving.number == 1 and state.building is not None and state.serving.documents > 3_000

        monkeypatch.setattr(index, "apply", held_up)
        await MemoryIndex.begin(index, FIELDS)
        indexer.look()
        await append(store, 1, 3_000)
        await until(goes_on_beside_it)
        goes_on.set()
        n = 3_001
        while (await MemoryIndex.state(index)).building is not None:
            await append(store, 1, n)
            n += 1
            await asyncio.sleep(0.005)
        await until(has_come_to_the_head(store, index))
    assert (await MemoryIndex.state(index)).serving.number == 2
    assert await numbers(index) == list(range(n))


async def test_a_generation_that_is_not_wanted_any_more_is_not_finished(
    store: MeasuringStore, index: TroubledIndex
) -> None:
    await append(store, 10)
    async with running(Indexer(store, index, FIELDS)):
        await until(has_come_to_the_head(store, index))
    await MemoryIndex.begin(index, OTHER_FIELDS)
    async with running(Indexer(store, index, FIELDS)):
        await until(has_come_to_the_head(store, index))
        await until(lambda: index._building is None)
    state = await MemoryIndex.state(index)
    assert (state.serving.number, state.serving.fields) == (3, FIELDS)


async def test_two_servers_with_other_fields_do_not_take_turns_for_ever(
    store: MeasuringStore, index: TroubledIndex
) -> None:
    await append(store, 10)
    async with running(Indexer(store, index, FIELDS)):
        await until(has_come_to_the_head(store, index))
        async with running(Indexer(store, index, OTHER_FIELDS)):
            await until(lambda: index._generations[index._serving].fields == OTHER_FIELDS)
            await asyncio.sleep(0.5)
            await append(store, 10, 10)
            await until(has_come_to_the_head(store, index))
    assert (await MemoryIndex.state(index)).serving.number == 2
    assert await numbers(index) == list(range(20))


async def test_what_is_dropped_is_made_anew(store: MeasuringStore, index: TroubledIndex) -> None:
    await append(store, 10)
    async with running(Indexer(store, index, FIELDS)):
        await until(has_come_to_the_head(store, index))
        await index.drop()
        await until(has_come_to_the_head(store, index))
    assert (await index.state()).serving.number == 2
    assert await numbers(index) == list(range(10))


# --- What goes wrong -------------------------------------------------------------------------------------------------


class DamagedStore(StoreAround):
    """Has an event that cannot be read, at first."""

    def __init__(self, inner: LocalEventStore, position: int) -> None:
        super().__init__(inner)
        self.lag_behind, self.has_passed, self.read_lines = inner.lag_behind, inner.has_passed, inner.read_lines
        self.hash_at = inner.hash_at
        self._position = position
        self.is_damaged = True
        self.is_away = False
        self.reads = 0

    async def read_feed(self, query=None, *, after=None, direction="forward", limit=1):
        return self._sound(await self._asked().read_feed(after=after, limit=limit))

    async def follow(self, query=None, *, after=None, gather_s=0.0):
        async for page in self._asked().follow(after=after):
            yield self._sound(page)

    def _asked(self) -> LocalEventStore:
        self.reads += 1
        if self.is_away:
            raise Unavailable("the store is away")
        return self.inner

    def _sound(self, page: FeedPage) -> FeedPage:
        events = page.events
        good = [one for one in events if one.position < self._position]
        if not self.is_damaged or len(good) == len(events):
            return page
        if not good:
            raise StoreCorrupted("it cannot be read", position=self._position)
        lines = b"\n".join(page.lines.split(b"\n")[: len(good)])
        return FeedPage(lines, len(good), Cursor(good[-1].position), at_end=False)


async def test_an_event_that_cannot_be_read_is_a_stated_problem(index: TroubledIndex) -> None:
    async with LocalEventStore(MemoryEngine()) as inner:
        store = DamagedStore(inner, 7)
        await append(inner, 10)
        async with running(Indexer(store, index, FIELDS)) as indexer:
            await until(lambda: indexer.errors >= 3)
            assert indexer.problem == "behind cursor 6: it cannot be read"
            building = (await index.state()).building
            assert (building.cursor, building.documents) == ("6", 6), "what comes before it is indexed"
            before, began_at = store.reads, time.monotonic()
            await asyncio.sleep(0.5)
            assert store.reads - before < 10 * (time.monotonic() - began_at)
            store.is_damaged = False
            await until(has_come_to_the_head(inner, index))
            assert indexer.problem is None
    assert await numbers(index) == list(range(10))


async def test_a_line_that_is_no_event_is_told_by_its_position() -> None:
    async with LocalEventStore(MemoryEngine()) as store:
        await append(store, 2)
        lines = (await store.read_feed()).lines
    assert len(await documents_of(lines, DocumentMaker(FIELDS))) == 2
    with pytest.raises(StoreCorrupted) as caught:
        await documents_of(lines.replace(b'"version":2', b'"version":"x"'), DocumentMaker(FIELDS))
    assert caught.value.fields == {"position": 2}
    with pytest.raises(StoreCorrupted):
        await documents_of(b"{", DocumentMaker(FIELDS))


async def test_a_number_that_no_double_holds_is_no_value() -> None:
    async with LocalEventStore(MemoryEngine()) as store:
        data = msgspec.Raw(b'{"n":[1e999,5,1e999],"s":"some words"}')
        await store.append("order", "1", [NewEvent("Placed", data, metadata={"user": "u"})])
        (document,) = await documents_of((await store.read_feed()).lines, DocumentMaker(OTHER_FIELDS))
    assert (document.values, document.text) == ({"event_data.n": (5,), "metadata.user": ("u",)}, "some words")


async def test_numbers_that_are_slow_to_read_hold_nobody_up() -> None:
    """Whichever thread reads them: the process does nothing else meanwhile."""
    async with LocalEventStore(MemoryEngine()) as store:
        data = msgspec.Raw(b'{"n":[5' + b",1e300" * 150_000 + b"]}")
        await store.append("order", "1", [NewEvent("Placed", data)])
        lines = (await store.read_feed()).lines
    maker = DocumentMaker(OTHER_FIELDS)
    with held_at_most(0.5):
        document = maker.document_of(lines)
    assert document.values == {"event_data.n": (5, 1e300)}


async def test_a_store_that_is_away_is_waited_for(index: TroubledIndex) -> None:
    async with LocalEventStore(MemoryEngine()) as inner:
        store = DamagedStore(inner, 10**6)
        store.is_away = True
        await append(inner, 10)
        async with running(Indexer(store, index, FIELDS)) as indexer:
            await until(lambda: indexer.errors >= 2)
            assert "the store is away" in (indexer.problem or "")
            store.is_away = False
            await until(has_come_to_the_head(inner, index))
            assert indexer.problem is None


async def test_documents_that_are_refused_are_listed(store: MeasuringStore, index: TroubledIndex) -> None:
    index.refused = {3, 5}
    await append(store, 10)
    async with running(Indexer(store, index, FIELDS)) as indexer:
        await until(has_come_to_the_head(store, index))
        assert [one.reason for one in await index.rejected(1)] == ["it is bad"] * 2
        index.refused = set()
        await index.begin(FIELDS)
        indexer.look()
        await until(lambda: index._serving == 2)
        await until(has_come_to_the_head(store, index))
        assert await index.rejected(2) == []
    assert await numbers(index) == list(range(10))


async def test_a_full_list_stops_indexing(store: MeasuringStore, index: TroubledIndex) -> None:
    index.refused = set(range(INDEX_REJECTED_MAX + 100))
    await append(store, INDEX_REJECTED_MAX + 100)
    async with running(Indexer(store, index, FIELDS)) as indexer:
        await until(lambda: indexer.problem is not None)
        assert "mend the cause, and have them tried again" in (indexer.problem or "")
        assert INDEX_REJECTED_MAX <= len(await index.rejected(1)) < INDEX_REJECTED_MAX + INDEX_BATCH_EVENTS_MAX
        await append(store, 1, 5_000)
        await asyncio.sleep(0.1)
        index.refused = set()
        await index.begin({})
        await index.begin(FIELDS)
        indexer.look()
        await until(has_come_to_the_head(store, index))
        await until(lambda: indexer.problem is None)


async def test_a_full_list_of_one_that_is_being_built_is_no_dead_end(
    store: MeasuringStore, index: TroubledIndex
) -> None:
    index.refused = set(range(INDEX_REJECTED_MAX))
    await append(store, INDEX_REJECTED_MAX + 10)
    indexer = Indexer(store, index, FIELDS)
    searching = SearchingStore(store, index, FIELDS, indexer=indexer)
    async with running(indexer):
        await until(lambda: indexer.problem is not None)
        info = await searching.index.status()
        assert info.serving is None
        assert info.rejected_count >= INDEX_REJECTED_MAX
        assert len(info.rejected) == INDEX_REJECTED_SHOWN_MAX
        index.refused = {7}
        info = await searching.index.retry()
        assert [one.reason for one in info.rejected] == ["it is bad"]
        await until(has_come_to_the_head(store, index))
        await until(lambda: indexer.problem is None)
    assert await numbers(index) == [n for n in range(INDEX_REJECTED_MAX + 10) if n != 7]


async def test_whoever_begins_tries_once_what_was_refused_before(store: MeasuringStore, index: TroubledIndex) -> None:
    index.refused = {3, 5}
    await append(store, 10)
    async with running(Indexer(store, index, FIELDS)):
        await until(has_come_to_the_head(store, index))
    index.refused, index.applied = {5}, []
    async with running(Indexer(store, index, FIELDS)) as indexer:
        await until(lambda: index.applied == [2])
        await append(store, 1, 10)
        await until(has_come_to_the_head(store, index))
        indexer.look()
        await append(store, 1, 11)
        await until(has_come_to_the_head(store, index))
        assert index.applied[0] == 2
        assert sum(index.applied) == 4, "once"
    assert [one.reason for one in await index.rejected(1)] == ["it is bad"]
    assert await numbers(index) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]


async def test_making_documents_lets_others_have_their_turns() -> None:
    words = {f"k{n}": "some words " * 20 for n in range(2_000)}
    async with LocalEventStore(MemoryEngine()) as store:
        await store.append("order", "1", [NewEvent("Placed", words)])
        await store.append("order", "2", [NewEvent("Placed", {"n": n}) for n in range(1_000)])
        lines = b"\n".join([(await store.read_feed(after=after, limit=1_000)).lines for after in (START, Cursor("1"))])
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    documents = await documents_of(lines, DocumentMaker(FIELDS))
    counting.cancel()
    assert len(documents) >= 1_001
    assert turns >= 3
