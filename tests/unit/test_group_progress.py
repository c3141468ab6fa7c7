"""The rules of a consumer group, without storage and without a clock."""

import random
from collections.abc import Iterable
from uuid import UUID

import msgspec
import pytest

from indelible.core import group_progress
from indelible.core.group_progress import NOT_IN_TIME, GroupProgress, Place
from indelible.engines.group_storage import GroupChange, GroupState, PendingEvent, StoredGroup
from indelible.errors import ParkedEventNotFound
from indelible.events import AggregateKey
from indelible.groups import GroupSettings
from indelible.limits import GROUP_AGGREGATES_MAX, GROUP_NEXT_EVENTS_MAX, GROUP_PARKED_AGGREGATES_MAX

_SECOND = 1_000_000
_SAVE_ID = UUID(int=1)
_START_US = 1_000 * _SECOND
_SETTINGS = GroupSettings(ack_timeout_s=10.0, max_attempts=3, max_in_flight=100)


def _new(settings: GroupSettings = _SETTINGS) -> GroupProgress:
    group = StoredGroup("g", settings, 100, revision=100, reached=0, last_delivery=100, reset_at=100, save_id=_SAVE_ID)
    progress = GroupProgress(GroupState(group, (), _START_US))
    progress.advance_clock(_START_US)
    return progress


def _key(aggregate: object) -> AggregateKey:
    return AggregateKey("Order", str(aggregate))


def _read(progress: GroupProgress, *aggregates: object) -> None:
    """One event more of each of these, at the next positions."""
    first = progress.group.reached + 1
    versions = progress.__dict__.setdefault("test_versions", {})
    events = []
    for position, aggregate in enumerate(aggregates, start=first):
        versions[aggregate] = versions.get(aggregate, 0) + 1
        events.append((_key(aggregate), Place(position, versions[aggregate])))
    progress.read(events, first + len(aggregates) - 1)


def _take(progress: GroupProgress, limit: int = 100) -> list[PendingEvent]:
    return progress.take(limit, "m")


def _ack(progress: GroupProgress, *ones: PendingEvent) -> None:
    for one in ones:
        assert progress.ack(one.position, one.delivery)
    assert progress.to_look_up() == []
    progress.promote_next()


def _nack(progress: GroupProgress, one: PendingEvent, **options: object) -> None:
    given = {"delay_s": 0.0, "reason": "", "park": False, **options}
    assert progress.nack(one.position, one.delivery, **given)  # type: ignore[arg-type]  # of a test


def _positions(ones: Iterable[PendingEvent]) -> list[int]:
    return [one.position for one in ones]


def _apply(stored: dict[int, PendingEvent], change: GroupChange) -> None:
    assert not set(change.dropped) & {one.position for one in change.put}
    if change.drop_all:
        stored.clear()
    for position in change.dropped:
        stored.pop(position, None)
    stored.update((one.position, one) for one in change.put)


# --- Order -----------------------------------------------------------------------------------------------------------


def test_the_next_event_of_an_aggregate_takes_the_place_of_the_one_that_is_done() -> None:
    progress = _new()
    _read(progress, "a", "b", "a", "a")
    first = _take(progress)
    assert _positions(first) == [1, 2]
    assert _take(progress) == []
    _ack(progress, first[0])
    (second,) = _take(progress)
    assert (second.position, second.version, second.following, second.attempts) == (3, 2, 1, 1)


def test_what_is_read_while_an_event_is_out_waits_behind_it() -> None:
    progress = _new()
    _read(progress, "a")
    (first,) = _take(progress)
    _read(progress, "a", "a")
    _ack(progress, first)
    for position in (2, 3):
        (one,) = _take(progress)
        assert one.position == position
        _ack(progress, one)
    assert not progress.has_pending


def test_places_beyond_those_remembered_are_looked_up() -> None:
    progress = _new()
    count = GROUP_NEXT_EVENTS_MAX + 3
    _read(progress, *["a"] * count)
    looked_up = 0
    for position in range(1, count + 1):
        (one,) = _take(progress)
        assert (one.position, one.version, one.following) == (position, position, count - position)
        assert progress.ack(one.position, one.delivery)
        for done in progress.to_look_up():
            looked_up += 1
            progress.set_following(done.key, [Place(n, n) for n in range(position + 1, count + 1)])
        progress.promote_next()
    assert looked_up == 1


def test_only_so_many_places_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_progress, "GROUP_PLACES_MAX", 3)
    progress = _new()
    names = "abcd"
    _read(progress, *names * 3)
    done, looked_up = 0, 0
    while taken := progress.take(10, ""):
        assert [one.position for one in taken] == list(range(done + 1, done + 5))
        done += len(taken)
        for one in taken:
            assert progress.ack(one.position, one.delivery)
        for one in progress.to_look_up():
            looked_up += 1
            progress.set_following(one.key, [Place(n, n // 4 + 1) for n in range(one.position + 4, 13, 4)])
        progress.promote_next()
    assert done == 12
    # The first of three aggregates were remembered; what was found fits in again as others go.
    assert 1 <= looked_up <= 8


def test_events_read_after_a_look_up_come_too() -> None:
    state = _new()
    _read(state, "a", "a")
    group = msgspec.structs.replace(state.group, last_delivery=200)
    progress = GroupProgress(GroupState(group, (PendingEvent(_key("a"), 1, 1, 1, "waiting", 0),), _START_US))
    progress.advance_clock(_START_US)
    progress.__dict__["test_versions"] = {"a": 2}
    _read(progress, "a")
    (one,) = _take(progress)
    assert progress.ack(one.position, one.delivery)
    assert [one.key for one in progress.to_look_up()] == [_key("a")]
    progress.set_following(_key("a"), [Place(2, 2), Place(3, 3)])
    progress.promote_next()
    _read(progress, "a")
    for position in (2, 3, 4):
        (one,) = _take(progress)
        assert one.position == position
        _ack(progress, one)


# --- Deliveries ------------------------------------------------------------------------------------------------------


def test_an_acknowledgement_counts_once() -> None:
    progress = _new()
    _read(progress, "a")
    (one,) = _take(progress)
    assert progress.ack(one.position, one.delivery)
    assert progress.ack(one.position, one.delivery)
    assert progress.measure.acks == 1
    assert not progress.ack(one.position, one.delivery + 1)
    assert not progress.ack(one.position, 100)
    assert not progress.ack(99, one.delivery)
    assert not progress.nack(one.position, one.delivery, delay_s=0, reason="", park=False)
    assert not progress.extend(one.position, one.delivery, timeout_s=None)


def test_only_the_newest_delivery_counts() -> None:
    progress = _new()
    _read(progress, "a", "a")
    (first,) = _take(progress)
    progress.advance_clock(_START_US + 10 * _SECOND)
    (second,) = _take(progress)
    assert (second.position, second.attempts, second.reason) == (1, 2, NOT_IN_TIME)
    assert not progress.ack(first.position, first.delivery)
    _ack(progress, second)
    assert progress.ack(first.position, first.delivery), "the event is done, whoever did it"


def test_what_is_ready_is_told_to_the_event() -> None:
    """The log is read on for those who wait when it is too little."""
    progress = _new()
    _read(progress, "a", "b")
    assert progress.ready == 2
    taken = _take(progress)
    progress.advance_clock(_START_US + 10 * _SECOND)
    assert progress.ready == 2
    _ack(progress, taken[0])
    assert (progress.ready, _positions(_take(progress)), progress.ready) == (1, [2], 0)


def test_a_deadline_that_was_put_off_does_not_end_it() -> None:
    progress = _new()
    _read(progress, "a")
    (one,) = _take(progress)
    progress.advance_clock(_START_US + 9 * _SECOND)
    assert progress.extend(one.position, one.delivery, timeout_s=None)
    progress.advance_clock(_START_US + 18 * _SECOND)
    assert _take(progress) == []
    progress.advance_clock(_START_US + 19 * _SECOND)
    assert _positions(_take(progress)) == [1]


def test_a_refused_event_waits_out_its_delay_whatever_was_before() -> None:
    """Many deadlines that never come are cleared away; what is ready stays ready once."""
    progress = _new()
    _read(progress, "late", "busy")
    late, busy = _take(progress)
    _nack(progress, late, delay_s=1.0)
    progress.advance_clock(_START_US + 2 * _SECOND)
    for _ in range(1_100):
        assert progress.extend(busy.position, busy.delivery, timeout_s=5)
    progress.advance_clock(_START_US + 3 * _SECOND)
    (late,) = _take(progress, 1)
    _nack(progress, late, delay_s=1.0)
    assert _take(progress) == []
    progress.advance_clock(_START_US + 4 * _SECOND)
    assert _positions(_take(progress)) == [1]


def test_what_nobody_got_is_as_if_it_had_not_been_delivered() -> None:
    progress = _new()
    _read(progress, "a", "b")
    taken = _take(progress)
    progress.release(taken)
    assert (progress.measure.deliveries, progress.capacity) == (0, 100)
    again = _take(progress)
    assert [(one.position, one.attempts) for one in again] == [(1, 1), (2, 1)]
    assert not {one.delivery for one in taken} & {one.delivery for one in again}
    progress.release(taken)
    assert _take(progress) == [], "the members of the later deliveries keep them"
    _ack(progress, *again)
    progress.release(again)
    assert not progress.has_pending


def test_no_more_in_flight_than_allowed() -> None:
    progress = _new(msgspec.structs.replace(_SETTINGS, max_in_flight=2))
    _read(progress, *range(4))
    first = _take(progress)
    assert (_positions(first), progress.capacity, _take(progress)) == ([1, 2], 0, [])
    _nack(progress, first[0], park=True)
    assert (progress.capacity, _positions(_take(progress))) == (1, [3])
    progress.change_settings(msgspec.structs.replace(_SETTINGS, max_in_flight=1))
    assert (progress.capacity, _take(progress)) == (0, [])


def test_bounds_of_what_is_pending() -> None:
    progress = _new(GroupSettings(max_in_flight=10_000))
    _read(progress, *range(GROUP_AGGREGATES_MAX - 1))
    assert progress.may_read_further
    _read(progress, "one more")
    assert not progress.may_read_further
    for one in progress.take(GROUP_PARKED_AGGREGATES_MAX - 1, "m"):
        _nack(progress, one, park=True)
    assert (progress.may_read_further, progress.is_stalled) == (True, False)
    (last,) = _take(progress, 1)
    _nack(progress, last, park=True)
    assert (progress.may_read_further, progress.is_stalled, progress.capacity) == (False, True, 0)
    assert progress.skip([1], "too many") == 1
    progress.promote_next()
    assert (progress.is_stalled, len(_take(progress, 1))) == (False, 1)


# --- Parking ---------------------------------------------------------------------------------------------------------


def test_a_parked_event_holds_up_its_aggregate_alone() -> None:
    progress = _new()
    _read(progress, "bad", "good", "bad", "good")
    bad, good = _take(progress)
    _nack(progress, bad, park=True, reason="broken")
    _ack(progress, good)
    assert _positions(_take(progress)) == [4]
    assert progress.redrive([1]) == 1
    (again,) = _take(progress)
    assert (again.position, again.attempts, again.following) == (1, 1, 1)
    _ack(progress, again)
    assert _positions(_take(progress)) == [3]


def test_of_several_positions_all_are_decided_on_or_none() -> None:
    progress = _new()
    _read(progress, "a", "b")
    one, _ = _take(progress)
    _nack(progress, one, park=True)
    for decide in (progress.redrive, lambda positions: progress.skip(positions, "x")):
        with pytest.raises(ParkedEventNotFound) as caught:
            decide([1, 2])
        assert caught.value.fields["position"] == 2
    assert _take(progress) == []
    assert progress.change(_SAVE_ID).skipped == ()


def test_a_reset_keeps_what_is_parked_before_its_place() -> None:
    progress = _new()
    _read(progress, "a", "b", "a", "b")
    for one in _take(progress):
        _nack(progress, one, park=True)
    assert _positions(progress.parked_before(1)) == [1]
    progress.reset(1, {_key("a"): 0})
    assert (progress.group.reached, progress.group.reset_at) == (1, progress.group.last_delivery)
    change = progress.change(_SAVE_ID)
    assert (change.drop_all, change.dropped, _positions(change.put)) == (True, (), [1])
    assert _take(progress) == []


def test_a_skip_is_recorded_with_a_reset_after_it() -> None:
    progress = _new()
    _read(progress, "a", "a")
    (one,) = _take(progress)
    _nack(progress, one, park=True, reason="broken")
    assert progress.skip([1], "a duplicate") == 1
    progress.reset(0, {})
    progress.promote_next()
    (skipped,) = progress.change(_SAVE_ID).skipped
    assert (skipped.position, skipped.parked_reason, skipped.reason) == (1, "broken", "a duplicate")


# --- Saving ----------------------------------------------------------------------------------------------------------


def test_reading_on_alone_need_not_be_saved() -> None:
    progress = _new()
    progress.read([], 50)
    assert (progress.is_changed, progress.has_read_further) == (False, True)
    _read(progress, "a")
    assert progress.is_changed
    change = progress.change(UUID(int=7))
    assert (change.expected_revision, change.group.revision, change.group.reached) == (100, 101, 51)
    progress.saved()
    assert (progress.is_changed, progress.has_read_further) == (False, False)


def test_what_is_saved_is_what_is_there() -> None:
    """Whatever is done: the changes, one upon another, lead to the same as what is known."""
    chance = random.Random(7)
    progress, stored, now_us = _new(), dict[int, PendingEvent](), _START_US
    held: list[PendingEvent] = []
    numbers = set[int]()
    for _ in range(400):
        for _ in range(chance.randrange(4)):
            _do_something(progress, held, numbers, chance)
        progress.promote_next()
        now_us += chance.randrange(3) * _SECOND
        progress.advance_clock(now_us)
        if chance.random() < 0.7:
            _apply(stored, progress.change(_SAVE_ID))
            progress.saved()
            assert stored == {one.position: one for one in progress._pending.values()}
            if chance.random() < 0.1:
                again = GroupProgress(GroupState(progress.group, tuple(stored.values()), now_us))
                again.advance_clock(now_us)
                assert {one.position for one in again.take(100, "m")} == {
                    one.position for one in stored.values() if one.state == "waiting" and one.due_us <= now_us
                }
    assert len(numbers) > 100


def _do_something(progress: GroupProgress, held: list[PendingEvent], numbers: set[int], chance: random.Random) -> None:
    kind = chance.randrange(6)
    if kind == 0:
        _read(progress, *(chance.randrange(8) for _ in range(5)))
    elif kind <= 2:
        taken = progress.take(chance.randrange(1, 4), "m")
        assert not {one.delivery for one in taken} & numbers
        numbers.update(one.delivery for one in taken)
        held += taken
    elif kind == 3 and held:
        one = held.pop(chance.randrange(len(held)))
        progress.ack(one.position, one.delivery)
        progress.promote_next()
    elif kind == 4 and held:
        one = held.pop(chance.randrange(len(held)))
        progress.nack(one.position, one.delivery, delay_s=chance.choice((0.0, 2.0)), reason="no", park=False)
    elif kind == 5:
        chance.choice((lambda: progress.redrive(None), lambda: progress.release(held[-1:])))()
