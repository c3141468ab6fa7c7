"""A server that ends between its commit and the index of it: nobody sees half of it, and the next makes it whole."""

import asyncio
from typing import Any

import pytest

from cassandra_engine.stores import (
    Ledger,
    OpenFaulty,
    at_once,
    impatient,
    opener,
    read_log,
    request_of,
    violations,
)
from cassandra_sharing import SharedCassandra
from indelible.engines.cassandra import catching_up, places
from indelible.engines.cassandra.address import parse_address
from indelible.engines.cassandra.engine import CassandraEngine
from indelible.errors import OutcomeUnknown, Unavailable, VersionConflict
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, AppendRequest, AtomicAppendResult


@pytest.fixture
def open_faulty(monkeypatch: pytest.MonkeyPatch) -> OpenFaulty:
    return opener(monkeypatch)


@pytest.mark.parametrize("written", [(), ("write_event_id", "write_count"), ("write_version", "write_aggregate")])
async def test_commit_without_its_index(cassandra: SharedCassandra, open_faulty: OpenFaulty, written: tuple[str, ...]):
    """Whatever part of the index had been written."""
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
    cassandra: SharedCassandra, open_faulty: OpenFaulty
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


# --- Step by step -----------------------------------------------------------------------------------------------------


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (catching_up, places):
        monkeypatch.setattr(module, "CASSANDRA_TAIL_EVENTS", 4)


@pytest.mark.usefixtures("small_steps")
async def test_an_index_that_takes_longer_than_anyone_waits(
    cassandra: SharedCassandra, open_faulty: OpenFaulty, monkeypatch: pytest.MonkeyPatch
):
    """Appends are refused until it is there, and each finds it further: nothing is written twice."""
    async with open_faulty(cassandra.new_url()) as engine:
        ledger = Ledger()
        await ledger.append(engine, "one", 1)
        engine.session.written.clear()
        let_through = asyncio.Semaphore(0)
        engine.session.before_write = let_through.acquire
        last, refusals = request_of("one", NewEvent("Happened", tags=["one"])), list[str]()
        with impatient(monkeypatch, 1.0):
            # On a busy machine the time may be over before anything was sent.
            while not ledger.told(OutcomeUnknown):
                await ledger.append(engine, "many", 40)
        assert len(ledger.told(OutcomeUnknown)) == 40
        assert (await engine.head()).position == 1
        with impatient(monkeypatch, 0.2):
            # Each finds it one write further.
            while engine.session.written.count("write_event_id") < 40:
                with pytest.raises(Unavailable) as refused:
                    await engine.append([last])
                refusals.append(refused.value.message)
                let_through.release()
        engine.session.before_write = at_once
        # Of those writes that wait already there may be some.
        for _ in range(40):
            let_through.release()
        (told,) = await engine.append([last])
        assert isinstance(told, AtomicAppendResult)
        assert len(refusals) > 2
        assert any("index" in refusal for refusal in refusals)
        assert engine.session.written.count("write_event_id") == 41
        assert (await engine.head()).position == 42
        ledger.outcomes.clear()
        assert await violations(engine, ledger) == []


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("is_written", [False, True])
async def test_opening_goes_on_as_long_as_it_gets_further(
    cassandra: SharedCassandra, open_faulty: OpenFaulty, monkeypatch: pytest.MonkeyPatch, is_written: bool
):
    """Each step fails at first, before it has written its rows or after that."""
    url = cassandra.new_url()
    async with open_faulty(url, 30) as dying:
        ledger = Ledger()
        dying.session.cannot_write = True
        await ledger.append(dying, "many", 40)
        step, failed = catching_up.CatchUp._step, list[int]()

        async def fail_at_first(self: Any, knowledge: Any, events: Any, *more: Any, is_indexed: bool = False) -> None:
            assert not is_indexed
            before = knowledge.end
            await step(self, knowledge, events, *more, is_indexed=not is_written and events[0].position not in failed)
            if events[0].position not in failed:
                failed.append(events[0].position)
                knowledge.end = before
                self._steps -= 1
                raise Unavailable("injected: no node answers", retry_after_s=1)

        monkeypatch.setattr(catching_up.CatchUp, "_step", fail_at_first)
        with pytest.raises(Unavailable, match="no node answers"):
            async with open_faulty(url, 30):
                pass
        async with open_faulty(url, 30) as other:
            assert (await other.head()).position == 40
            assert failed == list(range(1, 41, 4))
            monkeypatch.setattr(catching_up.CatchUp, "_step", step)
            await ledger.append(other, "one", 3)
            assert await violations(other, ledger) == []


@pytest.mark.usefixtures("small_steps")
async def test_what_a_server_has_indexed_it_does_not_index_again(cassandra: SharedCassandra, open_faulty: OpenFaulty):
    """Where its own commit could be indexed in part."""
    async with open_faulty(cassandra.new_url()) as engine:
        ledger = Ledger()
        await ledger.append(engine, "one", 1)
        engine.session.written.clear()

        async def fail_later() -> None:
            if engine.session.written.count("write_event_id") >= 20:
                raise Unavailable("injected: no node takes it", retry_after_s=1)

        engine.session.before_write = fail_later
        await ledger.append(engine, "many", 40)
        assert len(ledger.told(OutcomeUnknown)) == 40
        assert engine.session.written.count("write_event_id") == 20
        engine.session.before_write = at_once
        engine.session.written.clear()
        await ledger.append(engine, "one", 1)
        assert engine.session.written.count("write_event_id") <= 1 + 20 + 4
        assert await violations(engine, ledger) == []


@pytest.mark.usefixtures("small_steps")
async def test_closing_ends_what_is_under_way(cassandra: SharedCassandra, open_faulty: OpenFaulty):
    url = cassandra.new_url()
    async with open_faulty(url) as engine:
        await engine.append([request_of("one", NewEvent("Happened"))])
        is_held_up = asyncio.Event()

        async def hold_up() -> None:
            is_held_up.set()
            await asyncio.Event().wait()

        engine.session.before_write = hold_up
        given_up = asyncio.create_task(engine.append([request_of("one", NewEvent("Happened"))]))
        await is_held_up.wait()
        given_up.cancel()
        await asyncio.wait({given_up})
        assert [task for task in asyncio.all_tasks() if task.get_name() == "catch-up"]
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "catch-up"]
    async with open_faulty(url) as engine:
        assert (await engine.head()).position == 2


async def test_a_large_append_leaves_others_room(
    cassandra: SharedCassandra, open_faulty: OpenFaulty, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(catching_up, "CASSANDRA_PARTS_AT_ONCE", 3)
    async with open_faulty(cassandra.new_url()) as engine:
        at_once: list[int] = []
        under_way = 0

        async def count() -> None:
            nonlocal under_way
            under_way += 1
            at_once.append(under_way)
            await asyncio.sleep(0.001)
            under_way -= 1

        engine.session.before_write = count
        tags = [f"tag{number}" for number in range(20)]
        await engine.append([request_of(f"a{n}", NewEvent("Happened", tags=tags)) for n in range(50)])
        assert len(at_once) > 6
        assert max(at_once) == 3


async def test_a_server_that_rested_does_not_read_all_that_others_appended(
    cassandra: SharedCassandra, open_faulty: OpenFaulty, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(catching_up, "CASSANDRA_BEHIND_EVENTS_MAX", 10)
    url = cassandra.new_url()
    async with open_faulty(url, 30) as rested, open_faulty(url, 30) as other:
        ledger = Ledger()
        await ledger.append(rested, "one", 2)
        for _ in range(4):
            await ledger.append(other, "other", 12)
        await ledger.append(other, "one", 1)
        lines: list[int] = []
        read = rested.session._session.read

        async def count(name: str, /, **values: Any) -> Any:
            rows = await read(name, **values)
            lines.extend(row[0] for row in rows if name == "lines_of_range")
            return rows

        monkeypatch.setattr(rested.session, "read", count, raising=False)
        await ledger.append(rested, "one", 2)
        assert lines == []
        assert len(ledger.told(AtomicAppendResult)) == len(ledger.outcomes)
        await ledger.append(other, "one", 2)
        await ledger.append(rested, "one", 2)
        assert len(lines) == 2
        assert await violations(other, ledger) == []
