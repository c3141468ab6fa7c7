"""The database refuses, gives up or is interrupted: each append ends with a definite answer, or an honest "unknown"."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from cli.running import indelible
from faults.small_disk import small_disk
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.engines.postgres import appender, writer
from indelible.errors import InvalidRequest, OutcomeUnknown, Overloaded, PayloadTooLarge, StorageFull, Unavailable
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, AppendResult
from indelible.limits import SMALL_APPEND_EVENTS_MAX
from indelible.testing.conformance.helpers import some_events
from postgres.server import PostgresServer, postgres_server
from postgres.troubles import (
    DEADLOCK,
    SERIALIZATION_FAILURE,
    SLEEP,
    Phase,
    ask,
    backend_that_waits,
    set_for_all,
    trouble,
)

ANSWERED_WITHIN_S = 15.0 + 10.0
"""What callers are promised, and what a busy machine may add."""
both_phases = pytest.mark.parametrize("phase", ["statement", "commit"])


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
async def store(url: str) -> AsyncIterator[LocalEventStore]:
    async with open_local_store(url) as store:
        await store.append("order", "1", some_events(1))
        yield store


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gives up a connection before the test has had its way with it."""
    for name in ("TIMEOUT_S", "RETRY_TOTAL_S"):
        monkeypatch.setattr(appender, f"DATABASE_{name}", 60)


async def check_nothing_stored(store: LocalEventStore, events: list[NewEvent]) -> None:
    """Nor is: a repeat is the first that is stored."""
    assert (await store.head()).position == 1
    assert not (await store.append("order", "1", events)).replayed
    assert (await store.get_aggregate("order", "1")).version == 1 + len(events)


class TestDefiniteRefusals:
    async def test_statement_timeout(self, postgres: PostgresServer) -> None:
        """It ends statements; COMMIT is not subject to it."""
        url = postgres.new_database()
        postgres.query(f"ALTER DATABASE {url.rpartition('/')[2]} SET statement_timeout = '3s'")
        async with open_local_store(url) as store:
            await store.append("order", "1", some_events(1))
            events = some_events(2)
            async with trouble(postgres, url, "statement", SLEEP):
                with pytest.raises(Overloaded, match=r"gave up waiting: .*timeout; nothing was stored"):
                    await store.append("order", "1", events)
                await check_nothing_stored(store, events)

    async def test_an_append_too_large_for_statement_timeout(self, postgres: PostgresServer) -> None:
        """No invitation to try again: it is as large the next time."""
        url = postgres.new_database()
        postgres.query(f"ALTER DATABASE {url.rpartition('/')[2]} SET statement_timeout = '3s'")
        async with open_local_store(url) as store:
            await store.append("order", "1", some_events(1))
            events = some_events(SMALL_APPEND_EVENTS_MAX + 1)
            async with trouble(postgres, url, "statement", SLEEP):
                says = r"statement_timeout allows, 3 s: append fewer events at once, or raise .*; nothing was stored"
                with pytest.raises(PayloadTooLarge, match=says) as caught:
                    await store.append("order", "1", events)
                assert caught.value.fields == {"pointer": "", "statement_timeout_s": 3.0}
                await check_nothing_stored(store, events)

    async def test_others_in_one_commit_with_an_append_that_is_too_large(self, postgres: PostgresServer) -> None:
        """It alone is refused, and a commit that is too large without such an append is made in parts."""
        url = postgres.new_database()
        postgres.query(f"ALTER DATABASE {url.rpartition('/')[2]} SET statement_timeout = '2s'")
        slow = f"IF new.position - old.position > {SMALL_APPEND_EVENTS_MAX} THEN {SLEEP}; END IF"
        small = [AggregateAppend.of("order", "1", some_events(SMALL_APPEND_EVENTS_MAX // 2)) for _ in range(4)]
        large = AggregateAppend.of("order", "2", some_events(SMALL_APPEND_EVENTS_MAX + 1))
        async with open_local_store(url) as store, trouble(postgres, url, "statement", slow, times=1_000):
            outcomes = await store.append_each([*small[:2], large, *small[2:]])
            kinds = [type(outcome) for outcome in outcomes]
            assert kinds == [AppendResult, AppendResult, PayloadTooLarge, AppendResult, AppendResult]
            versions = [outcome.version for outcome in outcomes if isinstance(outcome, AppendResult)]
            assert versions == [n * SMALL_APPEND_EVENTS_MAX // 2 for n in (1, 2, 3, 4)]
            assert (await store.head()).position == versions[-1]

    async def test_waiting_for_a_lock_is_not_work(self, postgres: PostgresServer) -> None:
        """However short statement_timeout is, a wait ends before it."""
        url = postgres.new_database()
        postgres.query(f"ALTER DATABASE {url.rpartition('/')[2]} SET statement_timeout = '3s'")
        async with open_local_store(url) as store:
            await store.append("order", "1", some_events(1))
            events = some_events(SMALL_APPEND_EVENTS_MAX + 1)
            for locked in ("SELECT * FROM indelible.heads FOR UPDATE", "LOCK TABLE indelible.event_types"):
                with psycopg.connect(url) as other:
                    other.execute(locked)
                    with pytest.raises(Overloaded, match="lock timeout; nothing was stored"):
                        await store.append("order", "1", events)
            await check_nothing_stored(store, events)

    @both_phases
    @pytest.mark.usefixtures("patient")
    async def test_cancelled_by_an_administrator(
        self, postgres: PostgresServer, url: str, store: LocalEventStore, phase: Phase
    ) -> None:
        events = some_events(2)
        async with trouble(postgres, url, phase, SLEEP):
            appending = asyncio.create_task(store.append("order", "1", events))
            await ask(postgres, "SELECT pg_cancel_backend(%s)", [await backend_that_waits(postgres, url, "PgSleep")])
            with pytest.raises(Overloaded, match="nothing was stored"):
                await appending
            await check_nothing_stored(store, events)

    async def test_the_head_is_locked_by_somebody_else(
        self, postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(writer.TIMEOUT_VALUES, "lock", "300ms")
        async with open_local_store(url) as store:
            await store.append("order", "1", some_events(1))
            events = some_events(1)
            with psycopg.connect(url) as other:
                other.execute("SELECT * FROM indelible.heads FOR UPDATE")
                with pytest.raises(Overloaded, match="lock timeout; nothing was stored"):
                    await store.append("order", "1", events)
                assert (await store.get_aggregate("order", "1")).version == 1
            await check_nothing_stored(store, events)

    async def test_the_disk_of_the_database_is_full(self) -> None:
        with postgres_server() as server, small_disk(server.data.parent / "small", 40) as disk:
            server.give(disk.path)
            server.query(f"CREATE TABLESPACE small LOCATION '{disk.path}'")
            server.query("CREATE DATABASE small TEMPLATE template0 TABLESPACE small")
            async with open_local_store(server.url_of("small")) as store:
                await store.append("order", "1", some_events(1))
                disk.fill()
                events = [NewEvent("Filled", "x" * 500_000 + str(n)) for n in range(2)]
                for _ in range(3):
                    with pytest.raises(StorageFull, match="no space is left for the database"):
                        await store.append("order", "1", events)
                assert (await store.get_aggregate("order", "1")).version == 1
                disk.free()
                await check_nothing_stored(store, events)


class TestRetriedWithin:
    @both_phases
    @pytest.mark.parametrize("what", [SERIALIZATION_FAILURE, DEADLOCK])
    async def test_failures_that_ask_for_another_try(
        self, postgres: PostgresServer, url: str, store: LocalEventStore, phase: Phase, what: str
    ) -> None:
        async with trouble(postgres, url, phase, what, times=2):
            result = await store.append("order", "1", some_events(2), expected_version=1)
            assert (result.version, result.replayed) == (3, False)

    @both_phases
    @pytest.mark.usefixtures("patient")
    async def test_a_connection_that_an_administrator_ends(
        self, postgres: PostgresServer, url: str, store: LocalEventStore, phase: Phase
    ) -> None:
        async with trouble(postgres, url, phase, SLEEP):
            appending = asyncio.create_task(store.append("order", "1", some_events(2), expected_version=1))
            await ask(postgres, "SELECT pg_terminate_backend(%s)", [await backend_that_waits(postgres, url, "PgSleep")])
            result = await appending
            assert (result.version, result.replayed) == (3, False)
            assert (await store.head()).position == 3


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One whose settings are changed."""
    with postgres_server() as server:
        yield server


class TestReplicationInDoubt:
    @pytest.fixture
    def url(self, server: PostgresServer) -> str:
        return server.new_database()

    @pytest.fixture
    async def store(self, server: PostgresServer, url: str) -> AsyncIterator[LocalEventStore]:
        async with open_local_store(url) as store:
            await store.append("order", "1", some_events(1))
            await set_for_all(server, "synchronous_standby_names", "nobody")
            try:
                yield store
            finally:
                await set_for_all(server, "synchronous_standby_names", None)

    async def test_the_wait_for_a_standby_is_cancelled(
        self, server: PostgresServer, url: str, store: LocalEventStore
    ) -> None:
        """With the limits as they are: what is on the primary's disk alone is not acknowledged."""
        await self.check(server, url, store, is_cancelled=True)

    async def test_no_standby_confirms(
        self, server: PostgresServer, url: str, store: LocalEventStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(appender, "DATABASE_TIMEOUT_S", 4)
        monkeypatch.setattr(appender, "DATABASE_RETRY_TOTAL_S", 5)
        await self.check(server, url, store, is_cancelled=False)

    async def check(self, server: PostgresServer, url: str, store: LocalEventStore, *, is_cancelled: bool) -> None:
        events, began = some_events(2), time.monotonic()
        appends = [asyncio.create_task(store.append("order", "1", events))]
        waits = await backend_that_waits(server, url, "SyncRep")
        if is_cancelled:
            await ask(server, "SELECT pg_cancel_backend(%s)", [waits])
        behind = some_events(1)
        appends.append(asyncio.create_task(store.append("order", "2", behind)))
        first, second = await asyncio.gather(*appends, return_exceptions=True)
        print(f"answered after {time.monotonic() - began:.1f} s")
        assert time.monotonic() - began < ANSWERED_WITHIN_S
        assert isinstance(first, OutcomeUnknown)
        assert isinstance(second, (Unavailable, OutcomeUnknown))

        await set_for_all(server, "synchronous_standby_names", None)
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            assert (await append_again(store, "1", events)).replayed
            assert (await append_again(store, "2", behind)).version == 1
        assert (await store.head()).position == 4


async def append_again(store: LocalEventStore, aggregate_id: str, events: list[NewEvent]) -> AppendResult:
    """Attempts that come after others failed for long are given little time: on a busy machine one more may fail."""
    while True:
        with contextlib.suppress(Unavailable, OutcomeUnknown):
            return await store.append("order", aggregate_id, events)
        await asyncio.sleep(0.1)


class TestCommitsThatAreNotDurable:
    def test_a_server_does_not_start(self, postgres: PostgresServer, url: str) -> None:
        postgres.query(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off")
        ran = indelible("serve", "--store", url, "--http", "127.0.0.1:0")
        assert ran.code == 2
        assert "synchronous_commit is off" in ran.err
        assert "synchronous_commit=off to the URL" in ran.err

    async def test_turned_off_while_a_server_runs(self, server: PostgresServer) -> None:
        async with open_local_store(server.new_database()) as store:
            await store.append("order", "1", some_events(1))
            events = some_events(2)
            await set_for_all(server, "synchronous_commit", "off")
            try:
                for _ in range(2):
                    with pytest.raises(Unavailable, match=r"synchronous_commit is off.* nothing was stored"):
                        await store.append("order", "1", events)
            finally:
                await set_for_all(server, "synchronous_commit", None)
            await check_nothing_stored(store, events)

    async def test_asked_for_by_name(self, postgres: PostgresServer, url: str) -> None:
        postgres.query(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off")
        with pytest.raises(InvalidRequest, match="synchronous_commit is off"):
            await open_local_store(url).open()
        async with open_local_store(f"{url}?synchronous_commit=off") as store:
            assert [warning for warning in store.warnings if "may lose acknowledged events" in warning]
            assert (await store.append("order", "1", some_events(1))).version == 1

    async def test_acknowledged_before_a_standby_has_it(self, server: PostgresServer) -> None:
        """As it may be meant so, somebody is told."""
        url = server.new_database()
        server.query(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = local")
        await set_for_all(server, "synchronous_standby_names", "nobody")
        try:
            async with open_local_store(url) as store:
                assert [warning for warning in store.warnings if "synchronous_commit is local" in warning]
                assert (await store.append("order", "1", some_events(1))).version == 1
        finally:
            await set_for_all(server, "synchronous_standby_names", None)
