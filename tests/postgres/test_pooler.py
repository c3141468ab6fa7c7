"""The store works through PgBouncer in transaction mode, where nothing outlives a transaction, and says so."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from indelible.core.open import init_store, open_local_store
from indelible.core.store import LocalEventStore
from indelible.core.verify import verify
from indelible.engines.postgres.engine import PostgresEngine
from indelible.engines.postgres.schema import migrations
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.indexes.postgres import PostgresIndex
from indelible.postgres_connections import Connection
from indelible.testing.conformance import ReopenIndexConformance, SharedConformance
from indelible.testing.conformance.appending import AppendConformance
from indelible.testing.conformance.conditions import ConditionConformance
from indelible.testing.conformance.engine import EngineFactory
from indelible.testing.conformance.group_storage import GroupStorageConformance
from indelible.testing.conformance.helpers import OpenStore, some_events
from indelible.testing.conformance.idempotency import IdempotencyConformance
from indelible.testing.conformance.index_helpers import MakeIndex
from indelible.testing.conformance.relay_storage import RelayStorageConformance
from indelible.testing.conformance.snapshots import SnapshotConformance
from postgres.pooler import pooler, through
from postgres.server import PostgresServer


@pytest.fixture(scope="module")
def port(postgres: PostgresServer) -> Iterator[int]:
    with pooler(postgres) as port:
        yield port


@pytest.fixture
def url(postgres: PostgresServer, port: int) -> str:
    return through(postgres.new_database(), port)


@pytest.fixture(scope="module")
def shared_url(postgres: PostgresServer, port: int) -> str:
    return through(postgres.new_database(), port)


class TestStore(AppendConformance, IdempotencyConformance, ConditionConformance, SnapshotConformance):
    @pytest.fixture
    async def store(self, shared_url: str) -> AsyncIterator[LocalEventStore]:
        async with open_local_store(shared_url) as store:
            yield store


class TestGroups(GroupStorageConformance, RelayStorageConformance):
    @pytest.fixture
    def make_engine(self, shared_url: str) -> EngineFactory:
        return lambda: PostgresEngine(shared_url)


class TestIndex(ReopenIndexConformance):
    @pytest.fixture
    def make_index(self, shared_url: str) -> MakeIndex:
        return lambda: PostgresIndex(shared_url)


class TestShared(SharedConformance):
    @pytest.fixture
    def open_store(self, url: str) -> OpenStore:
        return lambda: open_local_store(url)


async def test_says_that_it_polls(url: str, postgres: PostgresServer) -> None:
    async with open_local_store(url) as store:
        rights, pooled = store.warnings
    assert "superuser" in rights
    assert pooled == (
        "a connection pooler stands before the database, so no notifications come through: the head is looked at every "
        "0.1 s instead"
    )


async def test_head_of_another_server_comes_by_polling(url: str) -> None:
    waiting, other = PostgresEngine(url), PostgresEngine(url)
    await waiting.open()
    await other.open()
    try:
        for _ in range(3):
            head = (await waiting.head()).position
            woken = asyncio.create_task(waiting.wait_for_head(head))
            await asyncio.sleep(0.05)
            assert not woken.done()
            append = AggregateAppend.of("order", "1", some_events(1))
            await other.append([AppendRequest((append,))])
            started = time.monotonic()
            assert await asyncio.wait_for(woken, 60) == head + 1
            # Many times the interval, for a machine that is busy; a listener that waits in vain waits longer.
            assert time.monotonic() - started < 10
    finally:
        await waiting.close()
        await other.close()


async def test_no_statement_is_kept_on_a_connection(url: str, postgres: PostgresServer) -> None:
    """It would be on one server connection, and the next transaction on another."""
    async with open_local_store(url) as store:
        for n in range(20):
            await store.append("order", f"{n}", [NewEvent("Opened", tags=["t"])])
            await store.read_feed()
            await store.read_aggregate("order", f"{n}")

        # Each answer comes from one of the pool's connections; none must know a statement.
        async def prepared() -> int:
            engine = store._engine
            assert isinstance(engine, PostgresEngine)
            return await engine.readers.run(_count_prepared)

        assert set(await asyncio.gather(*(prepared() for _ in range(20)))) == {0}


async def _count_prepared(connection: Connection) -> int:
    row = await (await connection.execute("SELECT count(*) FROM pg_prepared_statements", prepare=False)).fetchone()
    assert row is not None
    return int(row[0])


async def test_schema_is_made_through_it_by_many_at_once(url: str) -> None:
    reports = await asyncio.gather(*(init_store(url) for _ in range(4)))
    assert [len(report.steps) for report in reports if report.steps] == [len(migrations())]
    stores = [open_local_store(url) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    try:
        await asyncio.gather(
            *(store.append("order", f"{n % 3}", some_events(2)) for n in range(40) for store in stores)
        )
        report = await verify(stores[0])
        assert (report.damage, report.verified) == (None, 320)
    finally:
        await asyncio.gather(*(store.aclose() for store in stores))
