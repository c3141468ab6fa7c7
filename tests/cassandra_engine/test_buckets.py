"""Logs over several buckets, and lines beside them."""

import pytest

from cassandra_engine.stores import Ledger, OpenFaulty, append_at_once, opener, read_log, request_of, violations
from cassandra_sharing import SharedCassandra
from indelible.core.store import LocalEventStore
from indelible.engines.cassandra import layout
from indelible.errors import InvalidRequest
from indelible.events import NewEvent, decode_event
from indelible.queries import EVERYTHING
from indelible.testing.conformance.helpers import make_engine


@pytest.fixture
def open_faulty(monkeypatch: pytest.MonkeyPatch) -> OpenFaulty:
    return opener(monkeypatch)


async def test_positions_go_on_from_bucket_to_bucket(cassandra: SharedCassandra, open_faulty: OpenFaulty):
    """Of whatever size the buckets are, for servers that do not agree on it."""
    url = cassandra.new_url()
    async with open_faulty(url, 3) as one, open_faulty(url, 8) as other:
        ledger = Ledger()
        await append_at_once([one, other], ledger, 6, each=4, names=3)
        assert await violations(one, ledger) == []
        lines = await read_log(other)
        assert len(lines) == len(ledger.outcomes)
        page = await other.read_feed(EVERYTHING, after=len(lines) + 1, until=1, direction="backward", limit=1_000)
        assert page.lines.split(b"\n") == lines[::-1]
        async with open_faulty(url, 5) as again:
            assert await read_log(again) == lines
            await ledger.append(again, "1", 2)
            assert await violations(other, ledger) == []


async def test_a_batch_larger_than_a_bucket(cassandra: SharedCassandra, open_faulty: OpenFaulty):
    """What is appended together stays together."""
    async with open_faulty(cassandra.new_url(), 3) as engine:
        ledger = Ledger()
        for _ in range(3):
            await ledger.append(engine, "one", 10)
        assert await violations(engine, ledger) == []


async def test_a_commit_that_is_too_large_for_paxos(cassandra: SharedCassandra, open_faulty: OpenFaulty):
    """Its lines are beside the log, and are read like all others."""
    async with open_faulty(cassandra.new_url()) as engine:
        await engine.append([request_of("one", NewEvent("Small"))])
        large = [NewEvent("Large", "x" * 700_000) for _ in range(2)]
        await engine.append([request_of("one", *large)])
        await engine.append([request_of("one", NewEvent("Small"))])
        lines = await read_log(engine)
        assert [decode_event(line).event_data for line in lines[1:3]] == ["x" * 700_000] * 2
        rows = await engine.session.read("lines_of_range", log=engine._log, bucket=0, low=1, high=4)
        assert [row[2] is None for row in rows] == [False, True, True, False]
        assert await engine.read_event(large[1].event_id) == lines[2]
        async with open_faulty(cassandra.new_url()) as fresh:
            assert (await fresh.head()).position == 0


async def test_a_log_that_another_version_has_cut_otherwise_is_refused(
    cassandra: SharedCassandra, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows would be looked for where they are not: versions would begin again, and events be missed."""
    url = cassandra.new_url()
    async with LocalEventStore(make_engine(url)) as store:
        await store.append("order", "1", [NewEvent("Placed")])
    monkeypatch.setattr(layout, "LAYOUT", "1 shard")
    for read_only in (False, True):
        with pytest.raises(InvalidRequest, match="cuts into 1 shard"):
            await make_engine(url, read_only=read_only).open()
    monkeypatch.undo()
    async with LocalEventStore(make_engine(url)) as store:
        assert (await store.append("order", "1", [NewEvent("Paid")])).version == 2
