"""Faults to put into a true history, each with the rule that it has to break.

A fault changes what one request was answered, when it was sent, or what the log holds, as a store with that bug would.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from random import Random
from typing import Any, Final, TypeVar
from uuid import uuid4

from msgspec.structs import replace

from faults.history.groups import append_of
from faults.history.model import (
    Acknowledged,
    AggregateSeen,
    Append,
    Condition,
    ConditionRefused,
    EventSeen,
    FeedSeen,
    HeadSeen,
    History,
    IdConflicted,
    LoggedEvent,
    NotFound,
    Operation,
    Outcome,
    PartStored,
    Place,
    ReadFeed,
    Unexpected,
    Unknown,
    Unserved,
    VersionConflicted,
)
from faults.history.violations import Rule
from indelible.events import AggregateKey
from indelible.queries import QueryItem

T = TypeVar("T")


class Seed:
    """A true history, and a choice of where to put the fault."""

    def __init__(self, history: History, chance: Random) -> None:
        self.history: Final = history
        self.log: Final = list(history.log)
        self._chance: Final = chance

    def pick(self, found: Sequence[T]) -> T:
        assert found, "the history has no place for this fault"
        return self._chance.choice(found)

    def answered_with(self, kind: type[T]) -> list[tuple[Operation, T]]:
        return [(one, one.outcome) for one in self.history.operations if isinstance(one.outcome, kind)]

    def only_attempts(self, events: int = 1) -> list[tuple[Operation, Acknowledged]]:
        """Acknowledged appends of so many events or more that were tried just once."""
        return [
            (one, outcome)
            for one, outcome in self.answered_with(Acknowledged)
            if len(ids := append_of(one).ids) >= events and all(self._attempts[event_id] == 1 for event_id in ids)
        ]

    @cached_property
    def _attempts(self) -> Counter[Any]:
        appends = (one.request for one in self.history.operations if isinstance(one.request, Append))
        return Counter(event_id for append in appends for event_id in append.ids)

    @cached_property
    def _acknowledged(self) -> list[tuple[int, int]]:
        """When which position was acknowledged."""
        found = self.answered_with(Acknowledged)
        return [(one.completed_ns, part.position) for one, outcome in found for part in outcome.parts]

    def known_to(self, operation: Operation) -> int:
        """The highest position that was acknowledged before an operation began."""
        return max((position for at_ns, position in self._acknowledged if at_ns < operation.invoked_ns), default=0)

    def version_known_to(self, operation: Operation, key: AggregateKey) -> int:
        known = self.known_to(operation)
        return max((event.version for event in self.log[:known] if event.key == key), default=0)

    def answer(self, operation: Operation, outcome: Outcome) -> History:
        return self.exchange(operation, replace(operation, outcome=outcome))

    def exchange(self, operation: Operation, *instead: Operation) -> History:
        others = [one for one in self.history.operations if one is not operation]
        return replace(self.history, operations=[*others, *instead])

    def log_is(self, log: Sequence[LoggedEvent]) -> History:
        return replace(self.history, log=log)


Fault = Callable[[Seed], History]
FAULTS: Final[dict[str, tuple[Rule, Fault]]] = {}


def breaks(rule: Rule) -> Callable[[Fault], Fault]:
    def register(fault: Fault) -> Fault:
        FAULTS[fault.__name__] = rule, fault
        return fault

    return register


# --- Of the log ------------------------------------------------------------------------------------------------------


@breaks(Rule.LOST_ACKNOWLEDGEMENT)
def the_end_is_lost(seed: Seed) -> History:
    return seed.log_is(seed.log[: -seed.pick(range(1, 5))])


@breaks(Rule.LOST_ACKNOWLEDGEMENT)
def an_acknowledged_append_is_lost(seed: Seed) -> History:
    one, _ = seed.pick(seed.only_attempts())
    return seed.log_is([event for event in seed.log if event.event_id not in append_of(one).ids])


@breaks(Rule.POSITION_GAP)
def a_position_is_left_out(seed: Seed) -> History:
    first = seed.pick(range(len(seed.log)))
    moved = [replace(event, line=replace(event.line, position=event.position + 1)) for event in seed.log[first:]]
    return seed.log_is([*seed.log[:first], *moved])


@breaks(Rule.VERSION_GAP)
def two_versions_change_places(seed: Seed) -> History:
    """As when versions are given in one order, and positions in another."""
    log, index = seed.log[:], {(event.key, event.version): event.position - 1 for event in seed.log}
    key, version = seed.pick([(key, version) for key, version in index if (key, version + 1) in index])
    first, second = index[key, version], index[key, version + 1]
    log[first], log[second] = _placed(log[second], first + 1), _placed(log[first], second + 1)
    return seed.log_is(log)


def _placed(event: LoggedEvent, position: int) -> LoggedEvent:
    return replace(event, line=replace(event.line, position=position))


@breaks(Rule.TIME_WENT_BACK)
def a_clock_goes_back(seed: Seed) -> History:
    index = seed.pick(range(1, len(seed.log)))
    earlier = replace(seed.log[index], timestamp_us=seed.log[index - 1].timestamp_us - 1)
    return seed.log_is([*seed.log[:index], earlier, *seed.log[index + 1 :]])


@breaks(Rule.DOUBLED_EVENT)
def a_retry_is_stored_again(seed: Seed) -> History:
    event = seed.pick(seed.log)
    return seed.log_is([*seed.log, _appended(seed, event)])


def _appended(seed: Seed, event: LoggedEvent, ahead: int = 0) -> LoggedEvent:
    """The event again, as the last one of its aggregate and of the log."""
    version = sum(other.key == event.key for other in seed.log) + 1 + ahead
    return replace(event, line=replace(event.line, position=len(seed.log) + 1 + ahead, version=version))


@breaks(Rule.UNSENT_EVENT)
def an_event_comes_from_nowhere(seed: Seed) -> History:
    event = _appended(seed, seed.pick(seed.log))
    return seed.log_is([*seed.log, replace(event, line=replace(event.line, event_id=uuid4()))])


@breaks(Rule.CHANGED_EVENT)
def content_is_changed(seed: Seed) -> History:
    index = seed.pick(range(len(seed.log)))
    return seed.log_is([*seed.log[:index], replace(seed.log[index], content="other"), *seed.log[index + 1 :]])


@breaks(Rule.TORN_APPEND)
def half_of_an_append_is_stored(seed: Seed) -> History:
    """Of one whose outcome was unknown: nobody was promised anything, but half is too much."""
    one, _ = seed.pick(seed.only_attempts(events=2))
    lost = seed.pick(append_of(one).ids)
    log = [event for event in seed.log if event.event_id != lost]
    return replace(seed.answer(one, Unknown("no answer")), log=log)


@breaks(Rule.TORN_APPEND)
def another_event_stands_within_an_append(seed: Seed) -> History:
    one, outcome = seed.pick(
        [pair for pair in seed.only_attempts(events=2) if pair[1].parts[-1].position < len(seed.log)]
    )
    last, log = outcome.parts[-1].position, seed.log[:]
    log[last - 1], log[last] = _placed(log[last], last), _placed(log[last - 1], last + 1)
    return replace(seed.answer(one, Unknown("no answer")), log=log)


# --- Of appends ------------------------------------------------------------------------------------------------------


@breaks(Rule.REFUSED_BUT_STORED)
def a_stored_append_is_called_overloaded(seed: Seed) -> History:
    one, _ = seed.pick(seed.only_attempts())
    return seed.answer(one, Unserved("overloaded"))


@breaks(Rule.FALSE_CONFLICT)
def a_stored_append_is_called_a_conflict(seed: Seed) -> History:
    """As when the database repeats a transaction that had been committed."""
    one, outcome = seed.pick(
        [pair for pair in seed.only_attempts() if append_of(pair[0]).parts[0].expected_version != "any"]
    )
    return seed.answer(one, VersionConflicted(append_of(one).parts[0].key, outcome.parts[0].version))


@breaks(Rule.OUT_OF_ORDER)
def a_late_append_stands_among_early_ones(seed: Seed) -> History:
    """As when positions come from a sequence, before the commit."""
    one, _ = seed.pick([pair for pair in seed.only_attempts() if pair[1].parts[-1].position < len(seed.log) // 2])
    end_ns = max(other.completed_ns for other in seed.history.operations)
    return seed.exchange(one, replace(one, invoked_ns=end_ns + 1, completed_ns=end_ns + 2))


def _lost_races(seed: Seed) -> list[tuple[Operation, VersionConflicted]]:
    """Single events that came too late for the version that they expected."""
    won = {
        (part.key, part.expected_version)
        for one, _ in seed.answered_with(Acknowledged)
        for part in append_of(one).parts
    }
    return [
        (one, outcome)
        for one, outcome in seed.answered_with(VersionConflicted)
        if len(append_of(one).ids) == 1
        and isinstance(append_of(one).parts[0].expected_version, int)
        and (outcome.key, append_of(one).parts[0].expected_version) in won
    ]


def _late_winner(seed: Seed) -> History:
    one, _ = seed.pick(_lost_races(seed))
    (part,) = append_of(one).parts
    (sent,) = part.events
    like = next(event for event in seed.log if event.key == part.key)
    event = replace(
        _appended(seed, like), content=sent.content, event_type=sent.event_type, tags=sent.tags,
        line=replace(_appended(seed, like).line, event_id=sent.event_id),
    )  # fmt: skip
    stored = PartStored(event.version, event.position, (Place(sent.event_id, event.version, event.position),))
    return replace(seed.answer(one, Acknowledged((stored,))), log=[*seed.log, event])


@breaks(Rule.TWO_WINNERS)
def two_win_a_race(seed: Seed) -> History:
    return _late_winner(seed)


@breaks(Rule.UNMET_EXPECTATION)
def an_expected_version_is_not_checked(seed: Seed) -> History:
    return _late_winner(seed)


@breaks(Rule.UNMET_EXPECTATION)
def a_condition_is_not_checked(seed: Seed) -> History:
    one, outcome = seed.pick([pair for pair in seed.only_attempts() if pair[1].parts[0].position > 100])
    first = seed.log[outcome.parts[0].events[0].position - 50]
    condition = Condition((QueryItem((first.event_type,)),), after=0)
    return seed.exchange(one, replace(one, request=replace(append_of(one), condition=condition)))


@breaks(Rule.WRONG_ANSWER)
def another_position_is_told(seed: Seed) -> History:
    one, outcome = seed.pick(seed.only_attempts())
    (place, *others) = outcome.parts[0].events
    part = replace(outcome.parts[0], events=(replace(place, position=place.position + 1), *others))
    return seed.answer(one, replace(outcome, parts=(part, *outcome.parts[1:])))


@breaks(Rule.WRONG_REPLAY)
def a_first_append_is_called_a_repeat(seed: Seed) -> History:
    one, outcome = seed.pick(seed.only_attempts())
    return seed.answer(one, replace(outcome, replayed=True))


@breaks(Rule.WRONG_REPLAY)
def a_repeat_is_called_the_first(seed: Seed) -> History:
    repeats = [(one, outcome) for one, outcome in seed.answered_with(Acknowledged) if outcome.replayed]
    one, outcome = seed.pick(repeats)
    return seed.answer(one, replace(outcome, replayed=False))


@breaks(Rule.WRONG_REPLAY)
def a_repeat_is_told_another_place(seed: Seed) -> History:
    repeats = [(one, outcome) for one, outcome in seed.answered_with(Acknowledged) if outcome.replayed]
    one, outcome = seed.pick(repeats)
    (place, *others) = outcome.parts[0].events
    part = replace(outcome.parts[0], events=(replace(place, version=place.version + 1), *others))
    return seed.answer(one, replace(outcome, parts=(part, *outcome.parts[1:])))


@breaks(Rule.FALSE_CONFLICT)
def a_conflict_with_the_expected_version(seed: Seed) -> History:
    one, outcome = seed.pick(_lost_races(seed))
    expected = append_of(one).parts[0].expected_version
    assert isinstance(expected, int)
    return seed.answer(one, replace(outcome, actual_version=expected))


@breaks(Rule.FALSE_CONFLICT)
def a_conflict_with_a_version_that_never_was(seed: Seed) -> History:
    one, outcome = seed.pick(_lost_races(seed))
    return seed.answer(one, replace(outcome, actual_version=outcome.actual_version + len(seed.log)))


@breaks(Rule.FALSE_CONFLICT)
def a_conflict_with_a_version_of_the_past(seed: Seed) -> History:
    """As from a server that decides by what it remembers."""
    races = [(one, outcome, seed.version_known_to(one, outcome.key)) for one, outcome in _lost_races(seed)]
    one, outcome, known = seed.pick([race for race in races if race[2] > 1])
    stale = [version for version in range(known) if version != append_of(one).parts[0].expected_version]
    return seed.answer(one, replace(outcome, actual_version=seed.pick(stale)))


@breaks(Rule.FALSE_CONFLICT)
def a_conflict_with_a_version_of_the_future(seed: Seed) -> History:
    """As from a transaction that was rolled back, and the same version was written later."""
    one, _ = seed.pick(_lost_races(seed))
    start_ns = min(other.invoked_ns for other in seed.history.operations)
    return seed.exchange(one, replace(one, invoked_ns=start_ns - 2, completed_ns=start_ns - 1))


@breaks(Rule.FALSE_CONFLICT)
def a_condition_fails_for_another_event(seed: Seed) -> History:
    # The very first event has none before it.
    refusals = [(one, outcome) for one, outcome in seed.answered_with(ConditionRefused) if outcome.position > 1]
    one, outcome = seed.pick(refusals)
    return seed.answer(one, replace(outcome, position=seed.pick(range(1, outcome.position))))


@breaks(Rule.FALSE_CONFLICT)
def a_condition_fails_before_its_time(seed: Seed) -> History:
    one, _ = seed.pick(seed.answered_with(ConditionRefused))
    start_ns = min(other.invoked_ns for other in seed.history.operations)
    return seed.exchange(one, replace(one, invoked_ns=start_ns - 2, completed_ns=start_ns - 1))


@breaks(Rule.FALSE_CONFLICT)
def a_new_id_is_called_taken(seed: Seed) -> History:
    one, _ = seed.pick(_lost_races(seed))
    return seed.answer(one, IdConflicted(append_of(one).ids[0]))


@breaks(Rule.FALSE_CONFLICT)
def a_repeat_is_called_an_id_conflict(seed: Seed) -> History:
    repeats = [(one, outcome) for one, outcome in seed.answered_with(Acknowledged) if outcome.replayed]
    one, _ = seed.pick(repeats)
    return seed.answer(one, IdConflicted(append_of(one).ids[0]))


@breaks(Rule.UNEXPECTED_ANSWER)
def a_cursor_is_called_invalid(seed: Seed) -> History:
    """As from a server that has not heard of the head yet."""
    one, _ = seed.pick(seed.answered_with(FeedSeen))
    return seed.answer(one, Unexpected("invalid_request", "is past the head"))


# --- Of reads --------------------------------------------------------------------------------------------------------


@breaks(Rule.STALE_READ)
def a_head_is_stale(seed: Seed) -> History:
    heads = [(one, seed.known_to(one)) for one, _ in seed.answered_with(HeadSeen)]
    one, known = seed.pick([pair for pair in heads if pair[1] > 0])
    return seed.answer(one, HeadSeen(seed.pick(range(known))))


@breaks(Rule.STALE_READ)
def a_head_goes_back(seed: Seed) -> History:
    """Below what another reader was shown, acknowledged or not."""
    heads = sorted(seed.answered_with(HeadSeen), key=lambda pair: pair[0].invoked_ns)
    follows = [
        (later, seen.position)
        for (earlier, seen), (later, _) in pairwise(heads)
        if earlier.completed_ns < later.invoked_ns and seen.position > 0
    ]
    one, position = seed.pick(follows)
    return seed.answer(one, HeadSeen(position - 1))


@breaks(Rule.STALE_READ)
def an_aggregate_is_stale(seed: Seed) -> History:
    """The page as it was a version ago."""
    pages = [
        (one, seen) for one, seen in seed.answered_with(AggregateSeen) if len(seen.events) > 1 and not seen.next_version
    ]
    one, seen = seed.pick([pair for pair in pages if seed.known_to(pair[0]) >= pair[1].events[-1].position])
    return seed.answer(one, replace(seen, version=seen.version - 1, events=seen.events[:-1]))


@breaks(Rule.STALE_READ)
def an_aggregate_is_not_there_yet(seed: Seed) -> History:
    pages = [(one, seen) for one, seen in seed.answered_with(AggregateSeen) if seen.events]
    one, _ = seed.pick([pair for pair in pages if seed.known_to(pair[0]) >= pair[1].events[0].position])
    return seed.answer(one, NotFound())


@breaks(Rule.STALE_READ)
def an_acknowledged_event_is_not_found(seed: Seed) -> History:
    found = seed.answered_with(EventSeen)
    one, _ = seed.pick([pair for pair in found if seed.known_to(pair[0]) >= pair[1].event.position])
    return seed.answer(one, NotFound())


@breaks(Rule.STALE_READ)
def a_page_ends_early(seed: Seed) -> History:
    pages = [(one, seen) for one, seen in seed.answered_with(FeedSeen) if seen.at_end and seen.events]
    one, seen = seed.pick([pair for pair in pages if seed.known_to(pair[0]) >= pair[1].cursor])
    return seed.answer(one, replace(seen, events=seen.events[:-1], cursor=seen.cursor - 1))


@breaks(Rule.FUTURE_READ)
def a_head_is_ahead(seed: Seed) -> History:
    one, seen = seed.pick(seed.answered_with(HeadSeen))
    start_ns = min(other.invoked_ns for other in seed.history.operations)
    ahead = replace(seen, position=seed.pick(range(1, len(seed.log) + 1)))
    return seed.exchange(one, replace(one, outcome=ahead, invoked_ns=start_ns - 2, completed_ns=start_ns - 1))


@breaks(Rule.WRONG_READ)
def an_event_reads_otherwise(seed: Seed) -> History:
    one, seen = seed.pick([pair for pair in seed.answered_with(FeedSeen) if pair[1].events])
    index = seed.pick(range(len(seen.events)))
    other = replace(seen.events[index], digest="other")
    return seed.answer(one, replace(seen, events=(*seen.events[:index], other, *seen.events[index + 1 :])))


def _pages(seed: Seed, events: int) -> list[tuple[Operation, FeedSeen]]:
    return [(one, seen) for one, seen in seed.answered_with(FeedSeen) if len(seen.events) >= events]


@breaks(Rule.REORDERED_PAGE)
def a_page_is_out_of_order(seed: Seed) -> History:
    one, seen = seed.pick(_pages(seed, 2))
    index = seed.pick(range(len(seen.events) - 1))
    first, second = seen.events[index : index + 2]
    return seed.answer(one, replace(seen, events=(*seen.events[:index], second, first, *seen.events[index + 2 :])))


@breaks(Rule.DOUBLED_EVENT)
def a_page_shows_an_event_twice(seed: Seed) -> History:
    one, seen = seed.pick(_pages(seed, 1))
    index = seed.pick(range(len(seen.events)))
    return seed.answer(one, replace(seen, events=(*seen.events[: index + 1], *seen.events[index:])))


@breaks(Rule.SKIPPED_EVENT)
def a_page_skips_an_event(seed: Seed) -> History:
    """As when a transaction commits after one that began later."""
    one, seen = seed.pick(_pages(seed, 2))
    index = seed.pick(range(len(seen.events) - 1))
    return seed.answer(one, replace(seen, events=(*seen.events[:index], *seen.events[index + 1 :])))


def _followed(seed: Seed) -> list[tuple[Operation, FeedSeen]]:
    return [(one, seen) for one, seen in _pages(seed, 1) if one.client in seed.history.followers]


@breaks(Rule.SKIPPED_EVENT)
def a_follower_skips_a_page(seed: Seed) -> History:
    one, _ = seed.pick(_followed(seed))
    return seed.exchange(one)


@breaks(Rule.SKIPPED_EVENT)
def a_cursor_runs_ahead_of_its_page(seed: Seed) -> History:
    one, seen = seed.pick([pair for pair in _followed(seed) if pair[1].cursor < len(seed.log)])
    return seed.answer(one, replace(seen, cursor=seen.cursor + 1))


@breaks(Rule.SKIPPED_EVENT)
def a_follower_does_not_come_to_the_end(seed: Seed) -> History:
    one, _ = seed.pick(_followed(seed))
    kept = [
        other
        for other in seed.history.operations
        if other.client != one.client or not isinstance(other.request, ReadFeed) or other.invoked_ns < one.invoked_ns
    ]
    return replace(seed.history, operations=kept)
