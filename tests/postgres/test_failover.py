"""The primary dies and a standby takes over: nothing acknowledged is lost, and appends go on."""

import asyncio
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from faults.ledger import Ledger
from faults.load import Load
from indelible.core.open import open_local_store
from indelible.engines.postgres import appender, hosts, pool, writer
from indelible.errors import OutcomeUnknown, Unavailable, VersionConflict
from indelible.eventstore import EventStore
from indelible.testing.conformance.helpers import some_events
from postgres.server import PostgresServer, postgres_server
from postgres.troubles import acknowledged, ask, backend_that_waits, set_for_all

APPENDS_GO_ON_WITHIN_S = 20.0


class Pair:
    """A primary, and a standby that confirms every commit."""

    def __init__(self, primary: PostgresServer, standby: PostgresServer) -> None:
        self.primary, self.standby = primary, standby

    def url(self, database: str) -> str:
        """Names both hosts."""
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        return self.primary.url_of(database).replace(f"127.0.0.1:{self.primary.port}", hosts)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        primary = stack.enter_context(postgres_server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="indelible-standby-")))
        standby = PostgresServer(folder)
        stack.callback(standby.kill)
        standby.become_standby_of(primary)
        standby.start()
        primary.query("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.query("SELECT pg_reload_conf()")
        while not primary.query("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"):
            time.sleep(0.02)
        yield Pair(primary, standby)


async def test_a_standby_takes_over(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load, which notices nothing: no append fails, none is told that it is a repeat."""
    # How long the standby takes to be promoted is the machine's affair.
    monkeypatch.setattr(appender, "DATABASE_RETRY_TOTAL_S", 60)
    await ask(pair.primary, "CREATE DATABASE log")
    load = Load(ledger := Ledger())
    async with open_local_store(pair.url("log")) as store:
        loading = asyncio.create_task(load.run(store))
        await acknowledged(ledger, 11, loading)
        await asyncio.to_thread(pair.primary.kill)
        await ask(pair.standby, "SELECT pg_promote()")
        promoted = time.monotonic()
        before = len(ledger.acknowledged)
        await acknowledged(ledger, before + 1, loading)
        took_s = time.monotonic() - promoted
        print(f"{before} appends acknowledged before; appends go on {took_s:.2f} s after the promotion")
        assert took_s < APPENDS_GO_ON_WITHIN_S
        await acknowledged(ledger, 101, loading)
        load.stop()
        assert await loading == []
        assert await ledger.check(store) > 100


async def test_a_primary_that_became_read_only_is_left(pair: Pair) -> None:
    """As some ways to fail over do first: the old primary lives on, and refuses to write."""
    await ask(pair.primary, "CREATE DATABASE log")
    async with open_local_store(pair.url("log")) as store:
        events = some_events(1)
        await store.append("order", "1", events)
        await set_for_all(pair.primary, "default_transaction_read_only", "on")
        await ask(pair.standby, "SELECT pg_promote()")
        began = time.monotonic()
        assert (await store.append("order", "1", some_events(1))).version == 2
        assert time.monotonic() - began < APPENDS_GO_ON_WITHIN_S
        assert (await store.append("order", "1", events)).replayed
        for server, position in ((pair.primary, 1), (pair.standby, 2)):
            assert await ask(server, "SELECT position FROM indelible.heads", url=server.url_of("log")) == [(position,)]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a standby waits for a second, and whoever answers has to show each time that it leads."""
    monkeypatch.setattr(appender, "DATABASE_TIMEOUT_S", 1)
    monkeypatch.setattr(hosts, "DATABASE_CONFIRM_TIMEOUT_S", 1)
    for module in (hosts, writer):
        monkeypatch.setattr(module, "DATABASE_CONFIRMED_S", 0.0)
    # But it may take a busy machine more attempts.
    monkeypatch.setattr(appender, "DATABASE_RETRY_TOTAL_S", 60)
    monkeypatch.setattr(pool, "DATABASE_TIMEOUT_S", 60)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("is_frozen", [False, True], ids=["alone", "frozen"])
async def test_a_leader_that_leads_no_more_is_left(pair: Pair, *, is_frozen: bool) -> None:
    """It lives on, or comes to again, and takes itself for the leader; but no standby follows it any more."""
    await ask(pair.primary, "CREATE DATABASE log")
    url = pair.url("log")
    async with open_local_store(url) as store, open_local_store(url) as other:
        # Both have their connections to the first leader.
        for version, each in enumerate((store, other), 1):
            assert (await each.append("order", "1", some_events(1))).version == version
            assert (await each.get_aggregate("order", "1")).version == version
        if is_frozen:
            pair.primary.signal_all(signal.SIGSTOP)
        await ask(pair.standby, "SELECT pg_promote()")
        assert (await store.append("order", "1", some_events(1))).version == 3
        if is_frozen:
            pair.primary.signal_all(signal.SIGCONT)
        # Whoever still asks the first is told nothing that is over: neither by a read nor by a refusal.
        assert (await other.get_aggregate("order", "1")).version == 3
        assert (await other.append("order", "1", some_events(1), expected_version=3)).version == 4
        assert (await store.append("order", "1", some_events(1), expected_version=4)).version == 5
        assert await ask(pair.primary, "SELECT position FROM indelible.heads", url=pair.primary.url_of("log")) == [(2,)]


@pytest.mark.usefixtures("hasty")
async def test_a_refusal_by_a_leader_that_leads_no_more(pair: Pair) -> None:
    """Nothing that waits for a standby holds the log's end there: it could refuse at once."""
    await ask(pair.primary, "CREATE DATABASE log")
    url = pair.url("log")
    async with open_local_store(url) as other:
        assert (await other.append("order", "1", some_events(1))).version == 1
        await ask(pair.standby, "SELECT pg_promote()")
        async with open_local_store(pair.standby.url_of("log")) as store:
            assert (await store.append("order", "1", some_events(1))).version == 2
            assert (await other.append("order", "1", some_events(1), expected_version=2)).version == 3
            with pytest.raises(VersionConflict) as caught:
                await other.append("order", "1", some_events(1), expected_version=1)
            assert caught.value.actual_version == 3


@pytest.mark.usefixtures("hasty")
async def test_what_no_standby_has_is_not_read(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The primary is killed while a commit waits for its standby, and starts again: it has the event, and shows it."""
    await ask(pair.primary, "CREATE DATABASE log")
    url = pair.primary.url_of("log")
    async with open_local_store(url) as store:
        assert (await store.append("order", "1", some_events(1))).version == 1
        await asyncio.to_thread(pair.standby.kill)
        for name, seconds in (("TIMEOUT_S", 30), ("LATE_TIMEOUT_S", 30), ("RETRY_TOTAL_S", 2)):
            monkeypatch.setattr(appender, f"DATABASE_{name}", seconds)
        monkeypatch.setattr(pool, "DATABASE_TIMEOUT_S", 3)
        appending = asyncio.create_task(store.append("order", "1", some_events(1)))
        await backend_that_waits(pair.primary, url, "SyncRep")
        await asyncio.to_thread(pair.primary.kill)
        with pytest.raises((OutcomeUnknown, Unavailable)):
            await appending
        await asyncio.to_thread(pair.primary.start)
        assert await ask(pair.primary, "SELECT position FROM indelible.heads", url=pair.primary.url_of("log")) == [(2,)]
        with pytest.raises(Unavailable):
            await store.get_aggregate("order", "1")
        await asyncio.to_thread(pair.standby.start)
        async with asyncio.timeout(60):
            while (found := await told(store)) is None:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.05)
        assert found == 2


async def told(store: EventStore) -> int | None:
    """An aggregate's version; None while nobody can say."""
    try:
        return (await store.get_aggregate("order", "1")).version
    except Unavailable:
        return None
