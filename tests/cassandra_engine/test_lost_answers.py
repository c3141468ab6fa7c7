"""Commits whose answers get lost: none is stored twice, none is lost, and callers are told the truth."""

import asyncio
from typing import Any

import pytest

from cassandra_engine.stores import (
    Ledger,
    OpenFaulty,
    append_at_once,
    append_until_sent,
    impatient,
    in_turns,
    opener,
    read_log,
    request_of,
    violations,
)
from cassandra_sharing import SharedCassandra
from indelible.engines.cassandra import places
from indelible.engines.cassandra.commits import Commits
from indelible.engines.cassandra.failures import InDoubt
from indelible.errors import OutcomeUnknown, Unavailable
from indelible.events import NewEvent
from indelible.eventstore import AtomicAppendResult

ALL = ("lost", "unheard", "late")


@pytest.fixture
def open_faulty(monkeypatch: pytest.MonkeyPatch) -> OpenFaulty:
    return opener(monkeypatch)


@pytest.mark.parametrize("fault", ALL)
async def test_a_lost_answer_is_found_out(cassandra: SharedCassandra, open_faulty: OpenFaulty, fault: str):
    url = cassandra.new_url()
    async with open_faulty(url) as engine:
        faults = [None, fault, None, None]
        engine.session.fault = lambda: faults.pop(0) if faults else None
        ledger = Ledger()
        for _ in range(4):
            await ledger.append(engine, "one", 2)
        assert engine.session.faults == 1
        assert len(ledger.told(AtomicAppendResult)) == 8
        assert await violations(engine, ledger) == []


async def test_many_lost_answers_at_two_servers(cassandra: SharedCassandra, open_faulty: OpenFaulty):
    """Of every kind, while the log goes from bucket to bucket."""
    url = cassandra.new_url()
    async with open_faulty(url, 7) as one, open_faulty(url, 10) as other:
        one.session.fault, other.session.fault = in_turns(1, ALL, 0.4), in_turns(2, ALL, 0.4)
        ledger = Ledger()
        await append_at_once([one, other], ledger, 12, each=3, names=4)
        assert one.session.faults + other.session.faults >= 8
        assert len(ledger.told(AtomicAppendResult)) == len(ledger.outcomes)
        assert await violations(one, ledger) == []
        assert await read_log(one) == await read_log(other)


@pytest.mark.parametrize("is_stored", [True, False])
async def test_what_is_not_known_in_time_is_said_to_be_unknown(
    cassandra: SharedCassandra, open_faulty: OpenFaulty, monkeypatch: pytest.MonkeyPatch, is_stored: bool
):
    """And it is no failure for good: the next append finds out, and the same one sent again is never stored twice."""
    async with open_faulty(cassandra.new_url()) as engine:
        await engine.append([request_of("one", NewEvent("Happened"))])

        async def looks_in_vain(*_: Any, **__: Any) -> None:
            return None

        request = request_of("one", NewEvent("Happened"))
        with monkeypatch.context() as patched, impatient(monkeypatch, 1.0):
            patched.setattr(Commits, "_look_for", looks_in_vain)
            engine.session.fault = lambda: "lost"
            if is_stored:
                faults = ["unheard"]
                engine.session.fault = lambda: faults.pop() if faults else "lost"
            outcome = await append_until_sent(engine, request)
        assert isinstance(outcome, OutcomeUnknown)
        engine.session.fault = lambda: None
        (again,) = await engine.append([request])
        assert isinstance(again, AtomicAppendResult)
        assert again.replayed == is_stored
        assert len(await read_log(engine)) == 2


async def test_nothing_is_stored_where_no_node_is_reached(
    cassandra: SharedCassandra, open_faulty: OpenFaulty, monkeypatch: pytest.MonkeyPatch
):
    async with open_faulty(cassandra.new_url()) as engine:
        session, read = engine.session, engine.session._session.read

        async def unreachable(*_: Any, **__: Any) -> Any:
            raise Unavailable("injected: no node answers", retry_after_s=1)

        session._session.read = unreachable
        try:
            with impatient(monkeypatch, 0.5):
                for _ in range(2):
                    with pytest.raises(Unavailable, match="no node answers"):
                        await engine.append([request_of("one", NewEvent("Happened"))])
        finally:
            session._session.read = read
        assert len(await engine.append([request_of("one", NewEvent("Happened"))])) == 1
        assert len(await read_log(engine)) == 1


# --- Faults that the checks have to find ------------------------------------------------------------------------------


async def test_a_lost_answer_that_is_taken_for_a_failure_is_seen(
    cassandra: SharedCassandra, open_faulty: OpenFaulty, monkeypatch: pytest.MonkeyPatch
):
    async def fails(self: Commits, commit: Any, planned: Any, sent: Any, *, lines_are_kept: bool) -> bool:
        try:
            return await self._session.compare_and_set(self._statements(commit, lines_are_kept)) is None
        except InDoubt as error:
            raise Unavailable(f"{error}; nothing was stored") from error

    monkeypatch.setattr(Commits, "make", fails)
    async with open_faulty(cassandra.new_url()) as engine:
        assert await seen_with(engine, "unheard", "was told to be a repeat")


async def test_a_commit_that_is_sent_again_and_not_known_again_is_seen(
    cassandra: SharedCassandra, open_faulty: OpenFaulty, monkeypatch: pytest.MonkeyPatch
):
    async def has_no_id(self: Commits, commit: Any, *, has_moved: bool) -> bool | None:
        return None if await places.read_end(self._session, self._log, commit.end) == commit.end else False

    monkeypatch.setattr(Commits, "_look_for", has_no_id)
    async with open_faulty(cassandra.new_url()) as engine:
        assert await seen_with(engine, "unheard", "was told to be a repeat")


@pytest.mark.parametrize(
    ("statement", "lost"),
    [
        ("write_event_id", (2, "event_id")), ("write_version", (2, "version")), ("write_entry", (2, "event_type")),
        ("write_aggregate", (2, "aggregate_id")), ("write_count", (3, "event_type")),
    ],
)  # fmt: skip
async def test_an_index_row_that_is_lost_is_seen(
    cassandra: SharedCassandra, open_faulty: OpenFaulty, statement: str, lost: tuple[int, str]
):
    async with open_faulty(cassandra.new_url()) as engine:
        ledger = Ledger()
        await ledger.append(engine, "one", 1)
        engine.session.may_write = lambda name: name != statement
        await ledger.append(engine, "two", 2)
        assert await engine.find_unindexed(1, 3) == lost


async def test_an_end_that_is_read_from_a_quorum_alone_does_no_harm(
    cassandra: SharedCassandra, open_faulty: OpenFaulty, monkeypatch: pytest.MonkeyPatch
):
    """Where a read of the end is behind, the next commit finds that out: nothing is concluded from an end that has not
    moved but to send the same commit again."""
    async with open_faulty(cassandra.new_url(), 7) as engine:
        read = engine.session._session.read

        async def read_plainly(name: str, /, *, serial: bool = False, **values: Any) -> Any:
            return await read(name, **values)

        monkeypatch.setattr(engine.session, "read", read_plainly, raising=False)
        engine.session.fault = in_turns(3, ALL, 0.4)
        ledger = Ledger()
        await append_at_once([engine], ledger, 8, each=3, names=2)
        assert len(ledger.told(AtomicAppendResult)) == len(ledger.outcomes)
        assert await violations(engine, ledger) == []


async def seen_with(engine: Any, fault: str, what: str) -> bool:
    """Whether the checks see what comes of one such fault."""
    ledger = Ledger()
    await ledger.append(engine, "one", 1)
    faults = [fault]
    engine.session.fault = lambda: faults.pop() if faults else None
    await ledger.append(engine, "one", 1)
    await asyncio.sleep(0)
    return any(what in found for found in await violations(engine, ledger))
