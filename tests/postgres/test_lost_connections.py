"""Connections to the database are lost, or the whole host is: each append ends with its true outcome, and in time."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Sequence
from random import Random

import msgspec
import psycopg
import pytest

from faults.ledger import Entry, Ledger
from faults.load import Load
from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.cursors import cursor_at
from indelible.engines.engine import AppendOutcome, Engine
from indelible.engines.group_storage import GroupChange, PendingEvent, StoredGroup
from indelible.engines.postgres import connections, writer
from indelible.errors import IndelibleError, OutcomeUnknown, Unavailable
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, AppendRequest, AppendResult
from indelible.queries import QueryItem
from indelible.testing.conformance.helpers import make_engine, read_feed_to_end, some_events
from indexes.troubled import until
from postgres.lost_changes import new_group, saved_next
from postgres.proxy import Cut, Proxy
from postgres.server import PostgresServer
from postgres.troubles import acknowledged

LOSSES = [Cut.BEFORE_COMMIT, Cut.DURING_COMMIT, Cut.AFTER_COMMIT]
FREED_WITHIN_S = 15.0 + 10.0
"""What callers are promised, and what a busy machine may add."""
BACK_WITHIN_S = 15.0


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
async def proxy(postgres: PostgresServer) -> AsyncIterator[Proxy]:
    async with Proxy(postgres.port).running() as proxy:
        yield proxy


@pytest.fixture
async def store(proxy: Proxy, url: str) -> AsyncIterator[LocalEventStore]:
    async with open_local_store(proxy.url(url)) as store:
        yield store


class TestLosses:
    """The connection is lost, the database is well: callers notice nothing."""

    @pytest.fixture(autouse=True)
    def small_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writer, "DATABASE_PART_EVENTS", 2)

    @pytest.mark.parametrize("cut", LOSSES)
    async def test_an_append_is_answered_as_if_nothing_had_happened(
        self, store: LocalEventStore, proxy: Proxy, cut: Cut
    ) -> None:
        await store.append("order", "1", some_events(1))
        proxy.cuts.append(cut)
        events = some_events(2)
        result = await store.append("order", "1", events, expected_version=1)
        assert (result.version, result.replayed, [event.version for event in result.events]) == (3, False, [2, 3])
        assert proxy.cuts == deque()
        assert await store.append("order", "1", events, expected_version=1) == replayed(result)
        assert (await store.head()).position == 3

    @pytest.mark.parametrize(
        "cuts",
        [*([cut] for cut in LOSSES), [Cut.AFTER_COMMIT, Cut.AFTER_COMMIT, Cut.BEFORE_COMMIT], LOSSES],
        ids=lambda cuts: "+".join(cut.name for cut in cuts),
    )
    async def test_a_batch_has_the_outcomes_that_it_has_without_a_loss(
        self, proxy: Proxy, url: str, cuts: list[Cut]
    ) -> None:
        """The memory engine tells which. Appends of each kind, and each kind of conflict, in one batch."""
        first, batch = mixed_batch()
        engine, model = make_engine(proxy.url(url)), make_engine("memory:")
        await engine.open()
        try:
            for one in (engine, model):
                assert not isinstance((await one.append([first]))[0], IndelibleError)
            proxy.cuts.extend(cuts)
            outcomes = await engine.append(batch)
            assert told(outcomes) == told(await model.append(batch))
            assert proxy.cuts == deque()
            assert sum(isinstance(outcome, IndelibleError) for outcome in outcomes) == 6
            assert (await engine.head()).position == (await model.head()).position
        finally:
            await engine.close()

    @pytest.mark.parametrize("cut", LOSSES)
    async def test_a_repeat_stays_a_repeat(self, store: LocalEventStore, proxy: Proxy, cut: Cut) -> None:
        events = some_events(2)
        result = await store.append("order", "1", events)
        proxy.cuts.append(cut)
        assert await store.append("order", "1", events) == replayed(result)

    @pytest.mark.parametrize("cut", LOSSES)
    async def test_recorded_events(self, store: LocalEventStore, proxy: Proxy, cut: Cut) -> None:
        async with open_local_store("memory:") as other:
            await other.append("order", "1", some_events(20))
            events = await read_feed_to_end(other)
        await store.append_recorded(events[:10])
        proxy.cuts.append(cut)
        await store.append_recorded(events[10:])
        assert proxy.cuts == deque()
        assert await read_feed_to_end(store) == events

    async def test_reads(self, store: LocalEventStore, proxy: Proxy) -> None:
        await store.append("order", "1", some_events(3))
        for _ in range(3):
            proxy.cut_all()
            assert len((await store.read_aggregate("order", "1")).events) == 3
            assert (await store.get_aggregate("order", "1")).version == 3

    async def test_saves_of_a_group(self, proxy: Proxy, url: str) -> None:
        """Each answer is true, whenever connections are lost: no change is lost, or made twice."""
        engine, chance = make_engine(proxy.url(url)), Random(4)
        await engine.open()
        try:
            group = new_group()
            assert await engine.create_group(group, groups_max=1)
            stop, saves = asyncio.Event(), list[int]()
            saving = asyncio.create_task(_save_until(stop, engine, group, saves))
            for cut in range(10):
                # However long a busy machine takes for it, some get through in between.
                await until(lambda least=3 * (cut + 1): len(saves) >= least or saving.done())
                await asyncio.sleep(chance.uniform(0, 0.2))
                proxy.cut_all()
            stop.set()
            saved = await saving
            state = await engine.load_group("billing")
            assert state is not None
            assert [one.position for one in state.pending] == list(range(1, saved + 1))
            assert state.group.revision == saved + 1 > 20
        finally:
            await engine.close()

    async def test_a_new_connection_that_keeps_silent_is_given_up(
        self, proxy: Proxy, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else the few tasks that make connections for readers would wait for ever."""
        monkeypatch.setattr(connections, "DATABASE_CONNECT_TIMEOUT_S", 0.2)
        async with await psycopg.AsyncConnection.connect(proxy.url(url), autocommit=True) as connection:
            proxy.swallow()
            with pytest.raises(psycopg.OperationalError):
                await connections.prepare(connection)

    async def test_losses_at_any_time_under_load(self, store: LocalEventStore, proxy: Proxy, url: str) -> None:
        """Two servers, one of which keeps losing connections. The ledger does not take "replayed" for an answer."""
        chance, ledger = Random(3), Ledger()
        async with open_local_store(url) as other:
            loads = [Load(ledger, range(8)), Load(ledger, range(8, 16))]
            loading = [asyncio.create_task(load.run(one)) for load, one in zip(loads, (store, other), strict=True)]
            for _ in range(8):
                await asyncio.sleep(chance.uniform(0.1, 0.3))
                proxy.cuts.append(chance.choice(LOSSES))
                if chance.random() < 0.3:
                    proxy.cut_all()
                # One after another: on a busy machine all of them might meet one append, and its time be over.
                await until(lambda: not proxy.cuts or loading[0].done())
            await acknowledged(ledger, 101, loading[1])
            for load in loads:
                load.stop()
            assert await asyncio.gather(*loading) == [[], []]
            assert await ledger.check(other) > 100


async def _save_until(stop: asyncio.Event, engine: Engine, group: StoredGroup, saves: list[int]) -> int:
    """Put one aggregate after another; how many. ``saves``: those that were done."""
    position = 0
    while not stop.is_set():
        position += 1
        then = saved_next(group)
        put = PendingEvent(AggregateKey("order", str(position)), position, 1, 0, "waiting", 0)
        assert await engine.save_group(GroupChange(group.revision, then, put=[put]))
        group = then
        saves.append(position)
    return position


def replayed(result: AppendResult) -> AppendResult:
    return msgspec.structs.replace(result, replayed=True)


def mixed_batch() -> tuple[AppendRequest, list[AppendRequest]]:
    """An append that comes first, and a batch that comes upon it."""
    before, known, twice, large = some_events(2), some_events(1), some_events(2), [NewEvent("Scanned", bytes(300_000))]

    def to(number: int, events: list[NewEvent], expected: ExpectedVersion = "any") -> AggregateAppend:
        return AggregateAppend.of("order", str(number), events, expected_version=expected)

    def after(position: int) -> AppendCondition:
        return AppendCondition((QueryItem(("Noticed",)),), cursor_at(position))

    batch = [
        AppendRequest((to(1, some_events(2), 2),)),
        AppendRequest((to(1, some_events(1), 2),)),  # a version conflict, by the one before
        AppendRequest((to(1, before),)),  # a repeat
        AppendRequest((to(2, before),)),  # an id conflict
        AppendRequest((to(3, twice),)),
        AppendRequest((to(3, twice),)),  # a repeat of the one before
        AppendRequest((to(3, [*twice, *some_events(1)]),)),  # an id conflict: stored and new ids
        AppendRequest((to(4, some_events(1)), to(5, known, "none"))),
        AppendRequest((to(6, some_events(1)), to(5, some_events(1), "none"))),  # a version conflict of one of two
        AppendRequest((to(7, [NewEvent("Noticed", 1)]),), after(2)),
        AppendRequest((to(7, [NewEvent("Noticed", 2)]),), after(2)),  # the condition fails, by the one before
        AppendRequest((to(9, some_events(1), 1),)),  # a version conflict
        AppendRequest((to(8, large, 0),)),
    ]
    return AppendRequest((to(1, before),)), batch


def told(outcomes: Sequence[AppendOutcome]) -> list[object]:
    return [(type(outcome), outcome.fields) if isinstance(outcome, IndelibleError) else outcome for outcome in outcomes]


async def test_a_host_that_dies(store: LocalEventStore, proxy: Proxy) -> None:
    """With the limits as they are: whoever appends or reads meanwhile is freed in time, and told the truth."""
    ledger = Ledger()
    await ledger.send(store, one(ledger, 0))
    proxy.cuts.append(Cut.HOST_DIES)
    callers = [asyncio.create_task(timed(ledger.send(store, one(ledger, 0))))]
    await until(lambda: proxy.is_gone)
    for number in range(1, 24):
        await asyncio.sleep(0.5)
        callers += [asyncio.create_task(timed(ledger.send(store, one(ledger, number)))) for _ in range(2)]
        callers += [asyncio.create_task(timed(store.get_aggregate("order", "0"))) for _ in range(2)]
    took_s, errors = zip(*await asyncio.gather(*callers), strict=True)
    print(f"freed after {max(took_s):.1f} s at most")
    assert max(took_s) < FREED_WITHIN_S
    assert isinstance(errors[0], OutcomeUnknown)
    assert {type(error) for error in errors[1:]} == {Unavailable}

    proxy.recover()
    events = some_events(1)
    for what in (lambda: store.append("order", "back", events), lambda: store.get_aggregate("order", "back")):
        began = time.monotonic()
        async with asyncio.timeout(BACK_WITHIN_S):
            # Attempts that come after others failed for long are given little time: on a busy machine one may fail.
            while (await timed(what()))[1] is not None:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.1)
        print(f"done {time.monotonic() - began:.2f} s after the host was back")
    await ledger.settle(store)
    assert (await store.head()).position == len(ledger.entries) + 1
    assert ledger.replays == 1


def one(ledger: Ledger, number: int) -> Entry:
    return ledger.open([AggregateAppend.of("order", str(number), some_events(1))], atomic=False)


async def timed(call: Awaitable[object]) -> tuple[float, IndelibleError | None]:
    """How long a call took, in seconds, and the store's error, if any."""
    began = time.monotonic()
    try:
        await call
    except IndelibleError as error:
        return time.monotonic() - began, error
    return time.monotonic() - began, None
