"""The history checker finds nothing in what a correct store answers, and every fault that is put into it."""

import asyncio
import time
from collections.abc import Awaitable, Iterable
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from faults.contention import Board, Reader, Scene, Writer, follow
from faults.history.checker import check
from faults.history.model import (
    Acknowledged,
    AggregateSeen,
    ConditionRefused,
    FeedSeen,
    HeadSeen,
    History,
    IdConflicted,
    Operation,
    VersionConflicted,
)
from faults.history.partitions import histories
from faults.history.recording import HistoryFile, Recorder, read_log, read_operations
from faults.history.report import shown
from faults.history.violations import Rule
from faults.seeded_faults import FAULTS, Seed
from indelible.core.open import open_local_store
from indelible.cursors import START
from indelible.errors import Conflict, InvalidRequest, NotFound
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, AppendRequest, EventStore
from indelible.testing.scripts import KEYS, Script

OPERATIONS_LEAST = 2_000
"""Of the history that faults are put into."""


async def contended(store: EventStore, seconds: float, partitions: int = 1, acknowledged: int = 0) -> list[History]:
    """What many clients of one store do in a short time, as if it had three servers; of each partition. They go on
    until so many appends are ``acknowledged``."""
    operations: list[Operation] = []
    start = (await store.head()).cursor
    until_ns = time.monotonic_ns() + int(seconds * 1e9)
    scene = Scene(
        "test", until_ns, acknowledged=acknowledged, slot_ns=10_000_000, pause_s=0.002, start=start,
        partitions=partitions,
    )  # fmt: skip
    board, over = Board(), asyncio.Event()

    def at_doors(name: str) -> tuple[Scene, Board, list[Recorder], Random]:
        doors = [
            Recorder(store, f"{name} at {server}", operations.append, partitions=partitions) for server in range(3)
        ]
        return scene, board, doors, Random(name)

    clients = [Writer(*at_doors(f"writer {n}"), name=str(n), home=n % 3) for n in range(12)]
    readers = [Reader(*at_doors(f"reader {n}")) for n in range(4)]
    follower = Recorder(store, "follower", operations.append, partitions=partitions)
    following = asyncio.create_task(follow([follower], start, 0.002, over.is_set))
    await asyncio.gather(*(client.run() for client in [*clients, *readers]))
    over.set()
    await following
    return list(histories(partitions, operations, await read_log(store, start), frozenset({"follower"}), start))


@pytest.fixture(scope="module")
def true_history() -> History:
    async def make(seconds: float) -> History:
        async with open_local_store("memory:") as store:
            (history,) = await contended(store, seconds)
            return history

    # On a busy machine less happens in a second, and every fault needs a place.
    for seconds in (0.5, 1, 2, 4, 8):
        history = asyncio.run(make(seconds))
        if len(history.operations) >= OPERATIONS_LEAST:
            break
    return history


def test_a_true_history_breaks_no_rule(true_history: History) -> None:
    assert list(shown(check(true_history))) == []
    outcomes = {type(operation.outcome) for operation in true_history.operations}
    assert {Acknowledged, VersionConflicted, IdConflicted, ConditionRefused} < outcomes
    assert len(true_history.log) > 200


async def test_a_true_history_of_several_partitions_breaks_no_rule_in_any() -> None:
    async with open_local_store("memory:?partitions=3") as store:
        each = await contended(store, 1, partitions=3, acknowledged=300)
    for history in each:
        assert list(shown(check(history))) == []
        outcomes = {type(operation.outcome) for operation in history.operations}
        assert {Acknowledged, FeedSeen, HeadSeen, AggregateSeen} < outcomes
        lost = replace(history, log=history.log[:-1])
        assert {violation.rule for violation in check(lost)} & {Rule.LOST_ACKNOWLEDGEMENT, Rule.WRONG_READ}


@pytest.mark.parametrize("name", FAULTS)
@given(chance=st.randoms(use_true_random=False))
@settings(max_examples=5)
def test_each_fault_is_caught(true_history: History, name: str, chance: Random) -> None:
    rule, fault = FAULTS[name]
    violations = check(fault(Seed(true_history, chance)))
    assert rule in {violation.rule for violation in violations}, list(shown(violations))


@given(data=st.data())
@settings(max_examples=40)
def test_what_the_model_answers_breaks_no_rule(data: st.DataObject) -> None:
    """Ids taken, moved, mixed and reordered, conditions, conflicts: all that the state machine thinks up."""
    script = Script()
    rounds = [
        [script.request(data, data.draw(st.integers(1, 2)), after_max=0) for _ in range(data.draw(st.integers(1, 4)))]
        for _ in range(data.draw(st.integers(1, 6)))
    ]
    history = asyncio.run(_played([[*filter(_is_allowed, requests)] for requests in rounds]))
    assert list(shown(check(history))) == []


async def test_what_was_mixed_with_a_stored_event_may_be_stored_later_in_another_order() -> None:
    stored, one, other = (NewEvent("Placed", number) for number in range(3))

    def append(*events: NewEvent) -> AggregateAppend:
        return AggregateAppend.of("Order", "1", events)

    history = await _played(
        [
            [AppendRequest((append(stored),))],
            [AppendRequest((append(one, other), append(stored)))],
            [AppendRequest((append(other, one),))],
        ]
    )
    assert [type(operation.outcome) for operation in history.operations].count(IdConflicted) == 1
    assert list(shown(check(history))) == []


async def _played(rounds: list[list[AppendRequest]]) -> History:
    """Each round at once, its end seen by a follower and a reader, on a clock that just counts."""
    operations: list[Operation] = []
    clock = count(1)
    async with open_local_store("memory:") as store:
        door, follower = (Recorder(store, name, operations.append, clock.__next__) for name in ("door", "follower"))
        after = START
        for requests in rounds:
            await _at_once(*map(door.append, requests), door.head())
            await _at_once(*map(door.get_event, _ids(requests)))
            await _at_once(*(door.read_aggregate(AggregateKey(*key)) for key in KEYS))
            page = await follower.read_feed(after)
            after = page.cursor
        return History(operations, await read_log(store), frozenset({"follower"}))


def _is_allowed(request: AppendRequest) -> bool:
    try:
        request.check(atomic=len(request.appends) > 1 or request.condition is not None)
    except InvalidRequest:
        return False
    return True


async def _at_once(*asking: Awaitable[Any]) -> None:
    for answer in await asyncio.gather(*asking, return_exceptions=True):
        if isinstance(answer, BaseException) and not isinstance(answer, (Conflict, NotFound)):
            raise answer


def _ids(requests: Iterable[AppendRequest]) -> list[UUID]:
    return [event.event_id for request in requests for append in request.appends for event in append.events]


async def test_a_history_is_the_same_from_a_file(tmp_path: Path) -> None:
    with HistoryFile(tmp_path / "history") as file:
        async with open_local_store(f"sqlite:{tmp_path / 'store.db'}") as store:
            (history,) = await contended(store, 0.3)
        for operation in history.operations:
            file.write(operation)
    assert read_operations(tmp_path / "history") == list(history.operations)
    assert check(history) == []
