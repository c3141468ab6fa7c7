"""The check of what a query index answered finds what it is for."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache

import pytest
from msgspec.structs import replace

from faults.broken_indexes import BROKEN
from faults.index_check import Answer, Look, Seen, check
from faults.index_load import FIELDS, Writers
from faults.index_watch import Watcher, look_through
from faults.ledger import Ledger
from indelible import RecordedEvent
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.indexes.memory import MemoryIndex
from indelible.limits import PAGE_EVENTS_MAX
from indelible.testing.conformance.helpers import read_feed_to_end
from serving import searching

ROUNDS = 12
EVENTS = 25
"""A round."""
SEEN = 8
"""Looks and answers, behind each."""
Told = tuple[list[Seen], Sequence[RecordedEvent]]


async def run(make_index: Callable[[], MemoryIndex]) -> tuple[Told, list[str]]:
    """Events that are appended while somebody watches: what was seen, the log, and the violations."""
    async with (
        LocalEventStore(MemoryEngine()) as log,
        searching(log, FIELDS, make_index()) as store,
    ):
        writers = Writers([store], Ledger(), seed=1)
        watcher = Watcher(store, writers, seed=1)
        tasks = [asyncio.create_task(writers.run()), asyncio.create_task(watcher.run())]
        for _ in range(ROUNDS):
            writers.tell(EVENTS)
            await writers.until_done()
            before = len(watcher.seen)
            while len(watcher.seen) < before + SEEN and not any(task.done() for task in tasks):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.002)
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        events = await read_feed_to_end(log, limit=PAGE_EVENTS_MAX)
        return (watcher.seen, events), check([watcher.seen, await look_through(store, events)], events)


async def test_a_sound_index_breaks_nothing() -> None:
    (seen, log), violations = await run(MemoryIndex)
    assert violations == []
    assert len(log) == ROUNDS * EVENTS
    answers = [one for one in seen if isinstance(one, Answer)]
    assert any(one.positions for one in answers)
    assert any(one.wait_for for one in answers)
    assert {one.question.by for one in answers} == {"aggregate", "append", "name", "tag", "word"}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_index_is_found(name: str) -> None:
    make_index, violation = BROKEN[name]
    _, violations = await run(make_index)
    assert any(one.startswith(violation) for one in violations), violations


# --- Answers that are changed ----------------------------------------------------------------------------------------


@cache
def truth() -> Told:
    return asyncio.run(run(MemoryIndex))[0]


def _changed(change: Callable[[Answer], Answer]) -> Callable[[list[Seen]], list[Seen]]:
    """The last answer that found several events."""

    def of(seen: list[Seen]) -> list[Seen]:
        where = max(n for n, one in enumerate(seen) if isinstance(one, Answer) and len(one.positions) > 1)
        answer = seen[where]
        assert isinstance(answer, Answer)
        return [*seen[:where], change(answer), *seen[where + 1 :]]

    return of


def _with_last_look(*, generation: int = 0, cursor: int = 0) -> Callable[[list[Seen]], list[Seen]]:
    def of(seen: list[Seen]) -> list[Seen]:
        last = [one for one in seen if isinstance(one, Look)][-1]
        return [*seen, Look(last.generation + generation, last.cursor + cursor)]

    return of


CHANGES: dict[str, tuple[Callable[[list[Seen]], list[Seen]], str]] = {
    "the newest is not found": (_changed(lambda one: replace(one, positions=one.positions[1:])), "missing: "),
    "nothing is found": (_changed(lambda one: replace(one, positions=())), "missing: "),
    "an event does not fit": (
        _changed(lambda one: replace(one, positions=(*one.positions, min(one.positions) - 1))), "foreign: "
    ),
    "the cursor is behind": (_changed(lambda one: replace(one, cursor=one.positions[0] - 1)), "ahead: "),
    "an event is found again": (_changed(lambda one: replace(one, positions=one.positions * 2)), "repeated: "),
    "the order is another": (_changed(lambda one: replace(one, positions=one.positions[::-1])), "disorder: "),
    "it did not wait": (_changed(lambda one: replace(one, wait_for=one.cursor + 1)), "early: "),
    "the cursor goes back": (_with_last_look(cursor=-1), "backward: "),
    "an older generation is searched": (_with_last_look(generation=-1, cursor=1), "backward: "),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_answer_is_found(name: str) -> None:
    change, violation = CHANGES[name]
    seen, log = truth()
    assert check([seen], log) == []
    violations = check([change(seen)], log)
    assert any(one.startswith(violation) for one in violations), violations


def test_a_new_generation_may_be_behind() -> None:
    seen, log = truth()
    assert check([_with_last_look(generation=1, cursor=-3)(seen)], log) == []


def test_what_was_told_apart_is_not_compared() -> None:
    """Two watchers hear answers in no order."""
    seen, log = truth()
    assert check([seen, seen[:1]], log) == []
