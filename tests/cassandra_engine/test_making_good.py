"""A server that ends between its commit and the index of it: nobody sees half of it, and the next makes it whole."""

import pytest

from cassandra_engine.stores import Ledger, OpenFaulty, opener, read_log, request_of, violations
from cassandra_sharing import SharedCassandra
from indelible.engines.cassandra import proposer
from indelible.engines.cassandra.address import parse_address
from indelible.engines.cassandra.engine import CassandraEngine
from indelible.errors import OutcomeUnknown, VersionConflict
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, AppendRequest, AtomicAppendResult


@pytest.fixture
def open_faulty(monkeypatch: pytest.MonkeyPatch) -> OpenFaulty:
    return opener(monkeypatch)


@pytest.mark.parametrize("written", [(), ("write_event_id", "write_count"), ("write_version", "write_aggregate")])
async def test_commit_without_its_index(
    cassandra: SharedCassandra, open_faulty: OpenFaulty, monkeypatch: pytest.MonkeyPatch, written: tuple[str, ...]
):
    """Whatever part of the index had been written."""
    monkeypatch.setattr(proposer, "DATABASE_RETRY_TOTAL_S", 5.0)
    url = cassandra.new_url()
    async with open_faulty(url) as dying, open_faulty(url) as other:
        ledger = Ledger()
        await ledger.append(dying, "one", 2)
        head = await other.head()
        request = request_of("one", NewEvent("Happened0", {"n": 9}, tags=["one"]))
        dying.session.may_write = lambda name: name in written
        (told,) = await dying.append([request])
        assert isinstance(told, AtomicAppendResult)  # it does not know that nothing got there
        assert await other.head() == head
        assert await other.read_event(request.appends[0].events[0].event_id) is None
        assert (await other.read_aggregate_info(AggregateKey("Order", "one"))).version == 2
        (again,) = await other.append([request])
        assert isinstance(again, AtomicAppendResult)
        assert again.replayed
        assert again.results[0].version == 3
        assert len(await read_log(other)) == 3
        await ledger.append(other, "one", 2)
        assert await violations(other, ledger) == []


async def test_index_that_cannot_be_written_leaves_the_outcome_open(
    cassandra: SharedCassandra, open_faulty: OpenFaulty, monkeypatch: pytest.MonkeyPatch
):
    async with open_faulty(cassandra.new_url()) as engine:
        ledger = Ledger()
        await ledger.append(engine, "one", 2)
        engine.session.cannot_write = True
        await ledger.append(engine, "one", 2)
        assert len(ledger.told(OutcomeUnknown)) == 2
        engine.session.cannot_write = False
        await ledger.append(engine, "two", 1)
        assert len(await read_log(engine)) == 5
        assert await violations(engine, ledger) == []


async def test_opening_makes_good(cassandra: SharedCassandra, open_faulty: OpenFaulty):
    url = cassandra.new_url()
    async with open_faulty(url, 3) as dying:
        ledger = Ledger()
        await ledger.append(dying, "one", 2)
        dying.session.cannot_write = True
        await ledger.append(dying, "two", 4)
        reader = CassandraEngine(parse_address(url), read_only=True)
        await reader.open()
        assert (await reader.head()).position == 2
        async with open_faulty(url, 3) as other:
            assert (await reader.head()).position == (await other.head()).position == 6
            assert await read_log(reader) == await read_log(other)
            assert await violations(other, ledger) == []
        await reader.close()


async def test_refusals_are_of_the_state_that_others_made(cassandra: SharedCassandra, open_faulty: OpenFaulty):
    """What a server knows from before is not what it refuses by."""
    url = cassandra.new_url()
    key = AggregateKey("Order", "one")
    async with open_faulty(url) as one, open_faulty(url) as other:
        await one.append([request_of("one", NewEvent("Happened"))])
        await other.append([request_of("one", NewEvent("Happened"))])
        third = AppendRequest((AggregateAppend(key, (NewEvent("Happened"),), 2),))
        (outcome,) = await one.append([third])
        assert isinstance(outcome, AtomicAppendResult)
        (outcome,) = await other.append([AppendRequest((AggregateAppend(key, (NewEvent("Happened"),), 2),))])
        assert isinstance(outcome, VersionConflict)
        assert outcome.actual_version == 3
