"""The planner decides as the reference model does, and what it plans is what the model stores."""

import sys
from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from indelible.conditions import AppendCondition, Scanned, condition_failed
from indelible.cursors import cursor_at
from indelible.engines.engine import AppendOutcome, ConditionBehind, LogHead
from indelible.engines.memory import MemoryEngine
from indelible.engines.planner import Plan, RecentEvent, RecentEvents, StoredState, plan, plan_in_parts, unseen_after
from indelible.errors import ConditionFailed, StoreCorrupted, VersionConflict
from indelible.events import HASH_BEFORE_FIRST, AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, AppendRequest, AtomicAppendResult
from indelible.queries import EVERYTHING, QueryItem
from indelible.testing.state_machine import engine_machine

EMPTY = StoredState(LogHead(0, 0, HASH_BEFORE_FIRST), {}, {})
KEY = AggregateKey("Order", "1")


class PlannedEngine(MemoryEngine):
    """Keeps events as the memory engine does, and decides as the durable engines do: by the planner, in small parts."""

    async def append(self, batch: Sequence[AppendRequest]) -> list[AppendOutcome]:
        parts = list(plan_in_parts(batch, await self._state(batch), self._clock_us(), events_max=2))
        decided = Plan(
            [outcome for part in parts for outcome in part.outcomes],
            [event for part in parts for event in part.events],
            parts[-1].head,
        )
        for planned in decided.events:
            stored = self._store(planned.key, planned.event, planned.timestamp_us)
            assert (stored.event.version, stored.event.position) == (planned.version, planned.position)
            assert stored.event.hash == planned.hash.hex()
        assert await self.head() == decided.head
        return decided.outcomes

    async def _state(self, batch: Sequence[AppendRequest]) -> StoredState:
        appends = [append for request in batch for append in request.appends]
        ids = {event.event_id for append in appends for event in append.events}
        head = await self.head()
        recent = [stored.event for stored in self._log[unseen_after(batch, head.position) :]]
        return StoredState(
            head,
            {append.key: self._version(append.key) for append in appends},
            {event_id: self._by_id[event_id].event for event_id in ids if event_id in self._by_id},
            [RecentEvent(event.event_type, event.aggregate_type, event.tags) for event in recent],
        )


def test_decides_as_the_model_does() -> None:
    machine = engine_machine(PlannedEngine)
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=12))


class ComparedId(UUID):
    """Counts how often ids are compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        type(self).compared += 1
        return super().__eq__(other)

    __hash__ = UUID.__hash__


def test_ids_chosen_to_have_one_hash_cost_no_more_than_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes ids can choose the hashes that Python gives them; a set of such compares all with all."""
    monkeypatch.setattr(ComparedId, "compared", 0)
    ids = [ComparedId(int=number * sys.hash_info.modulus + 5) for number in range(1, 301)]
    assert len(set(map(hash, ids))) == 1
    many = AppendRequest((AggregateAppend(KEY, tuple(NewEvent("A", event_id=one) for one in ids)),))
    again = AppendRequest((AggregateAppend(KEY, many.appends[0].events[:1]),))
    many.check(atomic=False)
    outcomes = plan([many, again, request(expected=300)], EMPTY, 1).outcomes
    assert [outcome.replayed for outcome in outcomes if isinstance(outcome, AtomicAppendResult)] == [False, True, False]
    assert ComparedId.compared < len(ids)


def request(count: int = 1, expected: int = 0, condition: AppendCondition | None = None) -> AppendRequest:
    events = tuple(NewEvent("A", tags=["x"]) for _ in range(count))
    return AppendRequest((AggregateAppend(KEY, events, expected),), condition)


@pytest.mark.parametrize(("now_us", "timestamp_us"), [(50, 100), (100, 100), (150, 150)])
def test_clock_that_goes_back_does_not_show(now_us: int, timestamp_us: int) -> None:
    state = StoredState(LogHead(7, 100, bytes(range(32))), {}, {})
    planned = plan([request()], state, now_us)
    assert (planned.head.position, planned.head.timestamp_us) == (8, timestamp_us)
    assert planned.head.hash == planned.events[0].hash


def test_batch_without_new_events_leaves_the_head() -> None:
    state = StoredState(LogHead(7, 100, bytes(range(32))), {}, {})
    planned = plan([request(expected=3)], state, 150)
    assert planned == Plan(planned.outcomes, [], state.head)
    assert isinstance(planned.outcomes[0], VersionConflict)
    assert plan([], state, 150) == Plan([], [], state.head)


def test_stored_match_of_a_condition_comes_before_a_planned_one() -> None:
    condition = AppendCondition((QueryItem(tags=("x",)),))
    batch = [request(), request(expected=1, condition=condition)]
    for tag, position in (("y", 8), ("x", 5)):
        recent = [RecentEvent("A", "Order", (tag if number == 5 else "z",)) for number in range(1, 8)]
        outcome = plan(batch, StoredState(LogHead(7, 100, bytes(32)), {}, {}, recent), 150).outcomes[1]
        assert isinstance(outcome, ConditionFailed)
        assert outcome.position == position


def test_what_a_look_has_told_counts_after_ids_and_versions() -> None:
    refusal = condition_failed(3)
    scanned = msgspec.structs.replace(
        request(condition=AppendCondition((QueryItem(tags=("no",)),))), scanned=Scanned(7, refusal)
    )
    state = StoredState(LogHead(7, 100, bytes(32)), {}, {})
    assert plan([scanned], state, 150).outcomes == [refusal]
    late = msgspec.structs.replace(scanned, appends=request(expected=3).appends)
    assert isinstance(plan([late], state, 150).outcomes[0], VersionConflict)
    first = msgspec.structs.replace(scanned, condition=None, scanned=Scanned())
    stored, replayed = plan([first, scanned], state, 150).outcomes
    assert isinstance(stored, AtomicAppendResult)
    assert isinstance(replayed, AtomicAppendResult)
    assert replayed.replayed


@pytest.mark.parametrize(("scanned_up_to", "cursor"), [(4, 0), (5, 0), (0, 4), (0, 5), (2, 5), (5, 2)])
def test_condition_is_held_against_every_event_or_none(scanned_up_to: int, cursor: int) -> None:
    """Events 6 and 7 are before the writer; a condition that was looked at up to 4 must be looked at again."""
    condition = AppendCondition((QueryItem(tags=("no",)),), cursor_at(cursor))
    one = msgspec.structs.replace(request(condition=condition), scanned=Scanned(scanned_up_to))
    recent = [RecentEvent("A", "Order", ())] * 2
    (outcome,) = plan([one], StoredState(LogHead(7, 100, bytes(32)), {}, {}, recent), 150).outcomes
    expected = AtomicAppendResult if max(scanned_up_to, cursor) == 5 else ConditionBehind
    assert isinstance(outcome, expected)


@given(
    st.lists(
        st.tuples(st.sampled_from("AB"), st.sampled_from("XY"), st.lists(st.sampled_from("abcd"), unique=True)),
        max_size=40,
    ),
    st.lists(
        st.builds(
            QueryItem,
            *[st.lists(st.sampled_from(names), unique=True, max_size=3) for names in ("ABC", "XYZ", "abcde")],
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 60),
    st.integers(0, 20),
)
def test_recent_events_are_found_as_by_looking_at_each(
    events: list[tuple[str, str, list[str]]], items: list[QueryItem], after: int, before: int
) -> None:
    recent = RecentEvents(before, [AppendCondition(tuple(items))])
    known: list[tuple[int, tuple[str, str, list[str]]]] = []
    for position, event in enumerate(events, before + 1):
        recent.add(*event)
        known.append((position, event))
        first = next((at for at, one in known if at > after and any(item.matches(*one) for item in items)), None)
        assert recent.first_match(items, after) == first


def test_planned_events_count_after_the_cursor_only() -> None:
    condition = AppendCondition((QueryItem(tags=("x",)),), cursor_at(2))
    decided = plan([request(2), request(expected=2, condition=condition)], EMPTY, 1)
    assert all(isinstance(outcome, AtomicAppendResult) for outcome in decided.outcomes)
    assert [event.position for event in decided.events] == [1, 2, 3]


async def test_memory_clock_that_goes_back_does_not_show() -> None:
    times = iter([300, 100, 200, 400])
    engine = MemoryEngine(clock_us=lambda: next(times))
    for expected, stamp in enumerate([300, 300, 300, 400]):
        await engine.append([request(expected=expected)])
        assert (await engine.head()).timestamp_us == stamp
    page = await engine.read_feed(EVERYTHING, after=0, until=4, direction="forward", limit=10)
    assert page.count == 4


def test_id_whose_event_cannot_be_found_is_neither_stored_nor_replayed() -> None:
    lost, other = request(), request()
    (event,) = lost.appends[0].events
    state = StoredState(LogHead(9, 0, HASH_BEFORE_FIRST), {}, {}, unreadable={event.event_id: 4})
    planned = plan([lost, other], state, now_us=1)
    refused, stored = planned.outcomes
    assert isinstance(refused, StoreCorrupted)
    assert refused.fields == {"position": 4}
    assert isinstance(stored, AtomicAppendResult)
    assert [one.event for one in planned.events] == list(other.appends[0].events)
