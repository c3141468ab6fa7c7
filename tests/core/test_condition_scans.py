"""A look at a condition, and the writer after it: when others get in between, and what they keep from others."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indelible.conditions import AppendCondition
from indelible.core import condition_scans
from indelible.core.store import LocalEventStore
from indelible.engines import memory
from indelible.engines.engine import ConditionBehind
from indelible.engines.feed_walk import ConditionScan
from indelible.engines.memory import MemoryEngine
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.errors import ConditionFailed, ConditionTooCostly, Overloaded
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend
from indelible.limits import (
    CONDITION_ITEMS_MAX,
    CONDITION_LONG_SCANS_MAX,
    CONDITION_SCANS_MAX,
    CONDITION_SHORT_EVENTS,
    REQUEST_EVENTS_MAX,
)
from indelible.queries import QueryItem
from indelible.testing.conformance.helpers import unique

FAR = 2 * CONDITION_SHORT_EVENTS
"""So many events, and a condition is not left to the writer."""


def claim(tag: str) -> list[AggregateAppend]:
    return [AggregateAppend.of("Seat", unique(), [NewEvent("Taken", tags=[tag])])]


def nobody_has(*tags: str) -> AppendCondition:
    return AppendCondition((QueryItem(tags=tags),))


async def fill(store: LocalEventStore, count: int = FAR, **fields: Any) -> None:
    for first in range(0, count, REQUEST_EVENTS_MAX):
        some = [NewEvent("Filler", **fields) for _ in range(min(REQUEST_EVENTS_MAX, count - first))]
        await store.append("Filler", unique(), some)


class Interrupted(MemoryEngine):
    """Something happens between a look and the writer."""

    between: Callable[[], Any] | None = None
    looks = 0

    async def scan_condition(self, scan: ConditionScan, entries_max: int) -> ConditionScan:
        scanned = await super().scan_condition(scan, entries_max)
        self.looks += 1
        if self.between is not None and scanned.is_done:
            await self.between()
        return scanned


async def test_what_is_stored_between_the_look_and_the_writer_counts() -> None:
    engine = Interrupted()
    async with LocalEventStore(engine) as store:
        await fill(store)
        engine.between = lambda: store.append_atomic(claim("a"))
        with pytest.raises(ConditionFailed) as caught:
            await store.append_atomic(claim("a"), condition=nobody_has("a"))
        assert caught.value.position == FAR + 1
        assert (await store.append_atomic(claim("b"), condition=nobody_has("b"))).position == FAR + 3


async def test_look_is_repeated_when_too_much_was_stored_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CONDITION_TAIL_EVENTS_MAX", 10)
    engine = Interrupted()
    async with LocalEventStore(engine) as store:
        await fill(store)

        async def once() -> None:
            engine.between = None
            await store.append_atomic(claim("a"))
            await fill(store)

        engine.between = once
        with pytest.raises(ConditionFailed) as caught:
            await store.append_atomic(claim("a"), condition=nobody_has("a"))
        assert caught.value.position == FAR + 1
        engine.between = once
        assert not (await store.append_atomic(claim("b"), condition=nobody_has("b"))).replayed


async def test_look_is_not_repeated_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CONDITION_TAIL_EVENTS_MAX", 10)
    engine = Interrupted()
    async with LocalEventStore(engine) as store:
        await fill(store)
        engine.between = lambda: fill(store)
        head = (await store.head()).position
        with pytest.raises(Overloaded) as caught:
            await store.append_atomic(claim("a"), condition=nobody_has("a"))
        assert isinstance(caught.value, ConditionBehind)
        assert caught.value.code == "overloaded"
        assert (await store.head()).position == head + CONDITION_SCANS_MAX * FAR, "the append itself is not stored"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


async def two_halves(store: LocalEventStore, each: int) -> AppendCondition:
    """Two tags that each stand on half of the events and never together, and a condition that asks for both."""
    for first in range(0, each, REQUEST_EVENTS_MAX // 2):
        count = min(REQUEST_EVENTS_MAX // 2, each - first)
        events = [NewEvent("Filler", tags=[tag]) for _ in range(count) for tag in ("even", "odd")]
        await store.append("Filler", unique(), events)
    items = [QueryItem(("Filler", f"T{number}"), tags=("even", "odd")) for number in range(CONDITION_ITEMS_MAX)]
    return AppendCondition(tuple(items))


async def test_writer_does_little_whatever_a_condition_asks_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in steps of SQLite, not in seconds. An append without a condition takes a few hundred."""
    monkeypatch.setattr(condition_scans, "CONDITION_ENTRIES_MAX", 10**9)
    engine = SqliteEngine(path)
    async with LocalEventStore(engine) as store:
        condition = await two_halves(store, 20_000)
        assert engine._writer is not None
        assert engine._writer._lookups is not None
        thousands = 0

        def stepped() -> bool:
            nonlocal thousands
            thousands += 1
            return False

        for connection in (engine._writer.connection, engine._writer._lookups.connection):
            connection.set_progress_handler(stepped, 1_000)
        assert not (await store.append_atomic(claim("a"), condition=condition)).replayed
        assert thousands < 100


async def test_condition_that_costs_too_much_is_refused_and_what_is_stored_is_replayed(path: Path) -> None:
    async with LocalEventStore(SqliteEngine(path)) as store:
        condition = await two_halves(store, 10_000)
        appends = claim("a")
        first = await store.append_atomic(appends)
        with pytest.raises(ConditionTooCostly) as caught:
            await store.append_atomic(claim("a"), condition=condition)
        fields = caught.value.fields
        assert fields["pointer"] == "/condition"
        assert 2 * fields["entries_looked_at_max"] > fields["entries_looked_at"] >= fields["entries_looked_at_max"]
        again = await store.append_atomic(appends, condition=condition)
        assert again.replayed
        assert again.position == first.position


async def test_cheap_conditions_do_not_wait_for_costly_ones(path: Path) -> None:
    async with LocalEventStore(SqliteEngine(path)) as store:
        condition = await two_halves(store, 10_000)
        overtook = list[bool]()
        # Where the disk takes its time just then, the others are done before it is.
        while not any(overtook) and len(overtook) < 10:
            costly = [asyncio.create_task(store.append_atomic(claim("a"), condition=condition)) for _ in range(8)]
            await asyncio.sleep(0.05)
            for _ in range(3):
                tag = unique()
                await store.append_atomic(claim(tag), condition=nobody_has(tag))
            overtook.append(not any(task.done() for task in costly))
            outcomes = await asyncio.gather(*costly, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [ConditionTooCostly] * 8
        assert any(overtook), "they take hundreds of pages each, and turns"


async def test_too_many_costly_conditions_are_refused_at_once(path: Path) -> None:
    async with LocalEventStore(SqliteEngine(path)) as store:
        condition = await two_halves(store, 1_000)
        calls = [store.append_atomic(claim("a"), condition=condition) for _ in range(CONDITION_LONG_SCANS_MAX + 3)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(Overloaded) == 3


async def test_caller_that_gives_up_leaves_the_place_to_others(path: Path) -> None:
    async with LocalEventStore(SqliteEngine(path)) as store:
        condition = await two_halves(store, 10_000)
        calls = [store.append_atomic(claim("a"), condition=condition) for _ in range(CONDITION_LONG_SCANS_MAX)]
        tasks = [asyncio.create_task(call) for call in calls]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(ConditionTooCostly):
            await store.append_atomic(claim("a"), condition=condition)


async def test_a_look_of_a_few_steps_asks_no_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SqliteEngine(tmp_path / "store.db")
    asked: list[ConditionScan] = []
    beside = engine._scan_beside

    async def scan_beside(scan: ConditionScan, entries_max: int) -> ConditionScan:
        asked.append(scan)
        return await beside(scan, entries_max)

    monkeypatch.setattr(engine, "_scan_beside", scan_beside)
    async with LocalEventStore(engine) as store:
        await store.append_atomic(claim("a"))
        for tag in ("x", "y"):
            await fill(store, tags=[tag])
        with pytest.raises(ConditionFailed):
            await store.append_atomic(claim("a"), condition=nobody_has("a"))
        await store.append_atomic(claim("b"), condition=nobody_has("b"))
        assert asked == []
        await store.append_atomic(claim("c"), condition=nobody_has("x", "y"))
        assert asked
        assert asked[0].entries > 0
