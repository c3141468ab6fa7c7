"""A connection is lost while a group or a snapshot is written: the answer is true, or says that nobody can tell."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import repeat

import msgspec
import pytest

from indelible import AsyncClient
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.engines.engine import Engine
from indelible.engines.group_storage import GroupChange, PendingEvent
from indelible.engines.postgres import pool
from indelible.errors import GroupNotFound, OutcomeUnknown
from indelible.events import AggregateKey, NewEvent
from indelible.testing.conformance.helpers import make_engine
from postgres.lost_changes import new_group, new_relay, saved_next
from postgres.proxy import Cut, Proxy
from postgres.server import PostgresServer
from serving import serving_in_a_thread

LOSSES = [Cut.BEFORE_COMMIT, Cut.DURING_COMMIT, Cut.AFTER_COMMIT]
SAVE = b"UPDATE indelible.consumer_groups"
SAVE_RELAY = b"UPDATE indelible.relays"
SNAPSHOT = b"INSERT INTO indelible.snapshots"


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
async def proxy(postgres: PostgresServer) -> AsyncIterator[Proxy]:
    async with Proxy(postgres.port).running() as proxy:
        yield proxy


@pytest.fixture
async def engine(proxy: Proxy, url: str) -> AsyncIterator[Engine]:
    engine = make_engine(proxy.url(url))
    await engine.open()
    yield engine
    await engine.close()


@pytest.fixture
async def elsewhere(url: str, engine: Engine) -> AsyncIterator[Engine]:
    """Of another server, which loses nothing."""
    other = make_engine(url)
    await other.open()
    yield other
    await other.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine needs long for a new connection, and here are several to be made."""
    monkeypatch.setattr(pool, "DATABASE_TIMEOUT_S", 60.0)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("cuts", [*([cut] for cut in LOSSES), LOSSES], ids=["before", "during", "after", "all"])
class TestRepeated:
    """The next attempt finds out what became of the one before."""

    async def test_a_new_group(self, engine: Engine, proxy: Proxy, cuts: list[Cut]) -> None:
        proxy.cuts.extend(cuts)
        group = new_group()
        assert await engine.create_group(group, groups_max=1)
        assert proxy.cuts == deque()
        assert not await engine.create_group(msgspec.structs.replace(new_group(), created_us=2), groups_max=1)
        state = await engine.load_group("billing")
        assert state is not None
        assert state.group == group

    async def test_a_save(self, engine: Engine, proxy: Proxy, cuts: list[Cut]) -> None:
        group = new_group()
        await engine.create_group(group, groups_max=1)
        proxy.alone = SAVE
        proxy.cuts.extend(cuts)
        then = saved_next(group)
        put = PendingEvent(AggregateKey("order", "1"), 1, 1, 0, "waiting", 0)
        assert await engine.save_group(GroupChange(group.revision, then, put=[put]))
        assert proxy.cuts == deque()
        state = await engine.load_group("billing")
        assert state is not None
        assert (state.group, state.pending) == (then, (put,))
        assert not await engine.save_group(GroupChange(group.revision, saved_next(group)))

    async def test_a_relay(self, engine: Engine, proxy: Proxy, cuts: list[Cut]) -> None:
        relay = new_relay()
        proxy.alone = SAVE_RELAY
        for saved in (relay, saved_next(relay)):
            proxy.cuts.extend(cuts)
            assert await engine.save_relay(saved, relays_max=1)
            assert proxy.cuts == deque()
            assert await engine.load_relay("orders") == saved
        assert not await engine.save_relay(new_relay(), relays_max=1)
        assert not await engine.save_relay(saved_next(relay), relays_max=1)

    async def test_a_deleted_group(self, engine: Engine, proxy: Proxy, cuts: list[Cut]) -> None:
        await engine.create_group(new_group(), groups_max=1)
        proxy.cuts.extend(cuts)
        assert await engine.delete_group("billing")
        assert proxy.cuts == deque()
        assert not await engine.delete_group("billing")

    async def test_a_snapshot(self, url: str, proxy: Proxy, cuts: list[Cut]) -> None:
        async with open_local_store(proxy.url(url)) as store:
            await store.append("order", "1", [NewEvent("Opened")])
            proxy.alone = SNAPSHOT
            proxy.cuts.extend(cuts)
            await store.save_snapshot("order", "1", version=1, state={"n": 1})
            assert proxy.cuts == deque()
            assert (await store.get_snapshot("order", "1")).state == {"n": 1}

    async def test_what_people_decide(self, url: str, proxy: Proxy, cuts: list[Cut]) -> None:
        """Done once, and told as done, though each may be done but once."""
        async with open_local_store(proxy.url(url)) as store:
            await store.append("order", "1", [NewEvent("Opened"), NewEvent("Moved")])
            await store.groups.create("billing")
            proxy.alone = SAVE

            async def park() -> None:
                (one,) = await store.groups.pull("billing")
                await store.groups.nack("billing", [one.delivery_id], reason="no", park=True)

            await park()
            proxy.cuts.extend(cuts)
            assert await store.groups.redrive_parked("billing", [1]) == 1
            assert proxy.cuts == deque()
            await park()
            proxy.cuts.extend(cuts)
            assert await store.groups.skip_parked("billing", [1], reason="a duplicate") == 1
            assert proxy.cuts == deque()
            proxy.cuts.extend(cuts)
            await store.groups.reset("billing", start="end")
            assert [one.position for one in (await store.groups.list_skipped("billing")).skipped] == [1]
            proxy.cuts.extend(cuts)
            await store.groups.delete("billing")
            with pytest.raises(GroupNotFound):
                await store.groups.get("billing")


@pytest.mark.usefixtures("patient")
class TestOthersInBetween:
    """Somebody else changes the group before the attempt is repeated."""

    @pytest.fixture
    def lose_then(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> "LoseThen":
        return LoseThen(monkeypatch)

    async def test_a_save_upon_ours_hides_it(
        self, engine: Engine, elsewhere: Engine, proxy: Proxy, lose_then: "LoseThen"
    ) -> None:
        group = new_group()
        await engine.create_group(group, groups_max=1)
        ours = saved_next(group)

        async def save_upon_ours() -> None:
            assert await elsewhere.save_group(GroupChange(ours.revision, saved_next(ours)))

        lose_then.do = save_upon_ours
        proxy.alone = SAVE
        proxy.cuts.append(Cut.AFTER_COMMIT)
        with pytest.raises(OutcomeUnknown, match="others have changed the group"):
            await engine.save_group(GroupChange(group.revision, ours))

    async def test_a_save_upon_that_of_a_relay_hides_it(
        self, engine: Engine, elsewhere: Engine, proxy: Proxy, lose_then: "LoseThen"
    ) -> None:
        relay = new_relay()
        await engine.save_relay(relay, relays_max=1)
        ours = saved_next(relay)

        async def save_upon_ours() -> None:
            assert await elsewhere.save_relay(saved_next(ours), relays_max=1)

        lose_then.do = save_upon_ours
        proxy.alone = SAVE_RELAY
        proxy.cuts.append(Cut.AFTER_COMMIT)
        with pytest.raises(OutcomeUnknown, match="others have changed the relay"):
            await engine.save_relay(ours, relays_max=1)

    async def test_a_save_in_place_of_ours_is_known_for_one(
        self, engine: Engine, elsewhere: Engine, proxy: Proxy, lose_then: "LoseThen"
    ) -> None:
        group = new_group()
        await engine.create_group(group, groups_max=1)

        async def save_first() -> None:
            assert await elsewhere.save_group(GroupChange(group.revision, saved_next(group)))

        lose_then.do = save_first
        proxy.alone = SAVE
        proxy.cuts.append(Cut.BEFORE_COMMIT)
        assert not await engine.save_group(GroupChange(group.revision, saved_next(group)))

    async def test_a_group_that_was_made_anew_is_left_alone(
        self, engine: Engine, elsewhere: Engine, proxy: Proxy, lose_then: "LoseThen"
    ) -> None:
        await engine.create_group(new_group(), groups_max=1)

        async def make_anew() -> None:
            assert await elsewhere.create_group(msgspec.structs.replace(new_group(), created_us=7), groups_max=1)

        lose_then.do = make_anew
        proxy.cuts.append(Cut.AFTER_COMMIT)
        assert await engine.delete_group("billing")
        state = await engine.load_group("billing")
        assert state is not None
        assert state.group.created_us == 7


class LoseThen:
    """Does something when an attempt was lost, before the next."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.do = _nothing

        async def wait(duration_s: float) -> None:
            do, self.do = self.do, _nothing
            await do()
            await asyncio.sleep(duration_s)

        monkeypatch.setattr(pool, "_wait_before_next", wait)


async def _nothing() -> None:
    pass


@asynccontextmanager
async def served(url: str, transport: str) -> AsyncIterator[AsyncClient]:
    """Starts and stops beside this event loop, which the proxy needs."""
    serving = serving_in_a_thread(open_local_store(url), transport)
    address = await asyncio.to_thread(serving.__enter__)
    try:
        async with AsyncClient(address) as client:
            yield client
    finally:
        await asyncio.to_thread(serving.__exit__, None, None, None)


class TestGivenUp:
    """The database stays away for so long that the caller has to be told something."""

    async def test_what_may_be_done_is_unknown(
        self, engine: Engine, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        group = new_group()
        await engine.create_group(group, groups_max=1)
        proxy.alone = SAVE
        for change in (
            engine.save_group(GroupChange(group.revision, saved_next(group))),
            engine.create_group(new_group("other"), groups_max=2),
            engine.delete_group("billing"),
        ):
            # So that there is a connection to be lost.
            await engine.list_groups()
            proxy.cuts.extend([Cut.AFTER_COMMIT, *repeat(Cut.BEFORE_COMMIT, 100)])
            with monkeypatch.context() as impatient:
                impatient.setattr(pool, "DATABASE_TIMEOUT_S", 2.0)
                with pytest.raises(OutcomeUnknown, match="ask again to learn the outcome"):
                    await change
            proxy.cuts.clear()
        assert await engine.list_groups() != ()

    @pytest.mark.parametrize("transport", ["http", "grpc"])
    async def test_a_client_hears_that_nobody_can_tell(
        self, proxy: Proxy, url: str, transport: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with served(proxy.url(url), transport) as store:
            await store.groups.create("billing")
            monkeypatch.setattr(pool, "DATABASE_TIMEOUT_S", 2.0)
            proxy.cuts.extend([Cut.AFTER_COMMIT, *repeat(Cut.BEFORE_COMMIT, 100)])
            with pytest.raises(OutcomeUnknown):
                await store.groups.delete("billing")
            proxy.cuts.clear()


async def test_a_group_is_ensured_once(proxy: Proxy, url: str) -> None:
    async with open_local_store(proxy.url(url)) as store:
        assert isinstance(store, LocalEventStore)
        proxy.cuts.append(Cut.AFTER_COMMIT)
        assert (await store.groups.create("billing")).is_new
