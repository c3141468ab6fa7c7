"""Compares one answer with the log: what it says of the head when its request took effect, or why it is wrong."""

from collections.abc import Callable, Sequence
from operator import eq
from typing import Any, Final
from uuid import UUID

import msgspec

from faults.history.groups import Group, append_of
from faults.history.log import END, Log
from faults.history.model import (
    Acknowledged,
    AggregateSeen,
    Append,
    ConditionRefused,
    EventSeen,
    FeedSeen,
    HeadSeen,
    IdConflicted,
    Line,
    NotFound,
    Operation,
    ReadAggregate,
    ReadEvent,
    ReadFeed,
    Unexpected,
    VersionConflicted,
    is_same,
)
from faults.history.violations import Rule
from indelible.conditions import version_conflict


class Span(msgspec.Struct, frozen=True):
    """Between which heads a request took effect."""

    seen: int = 0
    room: int = END


class WrongAnswerError(Exception):
    """The answer cannot be true of this log, whenever it was given."""

    def __init__(self, rule: Rule, text: str) -> None:
        super().__init__(text)
        self.rule: Final = rule
        self.text: Final = text


class Answers:
    """``groups`` by the ids of their events, and ``owners``, the groups that stored them, by each id."""

    def __init__(self, log: Log, groups: dict[tuple[UUID, ...], Group], owners: dict[UUID, Group]) -> None:
        self._log: Final = log
        self._groups: Final = groups
        self._owners: Final = owners
        self._spans: Final[dict[type, Callable[[Operation, Any], Span]]] = {
            Acknowledged: self._acknowledged,
            VersionConflicted: self._version_conflicted,
            IdConflicted: self._id_conflicted,
            ConditionRefused: self._condition_refused,
            HeadSeen: self._head_seen,
            AggregateSeen: self._aggregate_seen,
            FeedSeen: self._feed_seen,
            EventSeen: self._event_seen,
            NotFound: self._not_found,
            Unexpected: self._unexpected,
        }

    def span(self, operation: Operation) -> Span | None:
        """What an answer says of the head; None when it says nothing. Raises :class:`WrongAnswerError`."""
        tell = self._spans.get(type(operation.outcome))
        return None if tell is None else tell(operation, operation.outcome)

    # --- Appends -----------------------------------------------------------------------------------------------------

    def _acknowledged(self, operation: Operation, outcome: Acknowledged) -> Span:
        rule = Rule.WRONG_REPLAY if outcome.replayed else Rule.WRONG_ANSWER
        places = [place for part in outcome.parts for place in part.events]
        if tuple(place.event_id for place in places) != append_of(operation).ids:
            raise WrongAnswerError(rule, "the answer is for other events")
        for place in places:
            event = self._log.by_id.get(place.event_id)
            if event is None:
                raise WrongAnswerError(Rule.LOST_ACKNOWLEDGEMENT, f"{place} is not in the log")
            if (event.version, event.position) != (place.version, place.position):
                raise WrongAnswerError(rule, f"{place} stands at version {event.version}, position {event.position}")
        for part in outcome.parts:
            if (part.version, part.position) != (part.events[-1].version, part.events[-1].position):
                raise WrongAnswerError(rule, f"{part} does not have its last event's version and position")
        if outcome.replayed and not all(self._is_stored_by_another(place.event_id, operation) for place in places):
            raise WrongAnswerError(rule, "nobody can have stored the events before")
        return Span(seen=max(place.position for place in places))

    def _is_stored_by_another(self, event_id: UUID, operation: Operation) -> bool:
        owner = self._owners[event_id]
        return owner.kind < Group.REPLAYED and owner.begun_ns < operation.completed_ns

    def _version_conflicted(self, operation: Operation, outcome: VersionConflicted) -> Span:
        request, key, actual = append_of(operation), outcome.key, outcome.actual_version
        if all(
            version_conflict(key, part.expected_version, actual) is None for part in request.parts if part.key == key
        ):
            raise WrongAnswerError(Rule.FALSE_CONFLICT, f"version {actual} of {key.stream} is as expected")
        position = self._log.position_of(key, actual)
        if position is None:
            raise WrongAnswerError(Rule.FALSE_CONFLICT, f"{key.stream} never came to version {actual}")
        return _conflict(position, min(self._log.last_at_version(key, actual), self._room_before(request)))

    def _condition_refused(self, operation: Operation, outcome: ConditionRefused) -> Span:
        request = append_of(operation)
        match = None if request.condition is None else self._log.first_match(request.condition)
        if match != outcome.position:
            text = f"position {outcome.position} is not the first that matches, but {match}"
            raise WrongAnswerError(Rule.FALSE_CONFLICT, text)
        return _conflict(outcome.position, self._room_before(request))

    def _room_before(self, request: Append) -> int:
        """The last head without any of the request's events: with one of them it would not have been refused so."""
        stored = (self._log.by_id.get(event_id) for event_id in request.ids)
        return min((event.position for event in stored if event is not None), default=END + 1) - 1

    def _id_conflicted(self, operation: Operation, outcome: IdConflicted) -> Span:
        request = append_of(operation)
        sent = [(part.key, event) for part in request.parts for event in part.events]
        stored = [self._log.by_id.get(event.event_id) for _, event in sent]
        positions = [event.position for event in stored if event is not None]
        if outcome.event_id not in request.ids or not positions:
            raise WrongAnswerError(Rule.FALSE_CONFLICT, "none of its ids is taken")
        pairs = zip(sent, stored, strict=True)
        is_other = any(event is not None and not is_same(key, new, event) for (key, new), event in pairs)
        if is_other or len(positions) < len(sent) or not all(map(self._log.is_run, request.parts)):
            # Also before the others were stored: then they were new, and mixed with one that was not.
            return Span(seen=min(positions))
        if self._groups[request.ids].kind < Group.REPLAYED:
            text = f"its events are those stored from {min(positions)} on"
            raise WrongAnswerError(Rule.FALSE_CONFLICT, text)
        # Others stored them one after the other, and this came between.
        return _conflict(min(positions), max(positions) - 1)

    def _unexpected(self, operation: Operation, outcome: Unexpected) -> Span:
        raise WrongAnswerError(Rule.UNEXPECTED_ANSWER, f"{outcome.code}: {outcome.message}")

    # --- Reads -------------------------------------------------------------------------------------------------------

    def _head_seen(self, operation: Operation, outcome: HeadSeen) -> Span:
        if outcome.position > self._log.end:
            raise WrongAnswerError(Rule.WRONG_READ, f"the log ends at {self._log.end}")
        return Span(outcome.position, outcome.position)

    def _aggregate_seen(self, operation: Operation, outcome: AggregateSeen) -> Span:
        assert isinstance(operation.request, ReadAggregate)
        key, first, version = operation.request.key, operation.request.from_version, outcome.version
        self._check_lines(outcome.events)
        if any(self._log.at[line.position].key != key for line in outcome.events):
            raise WrongAnswerError(Rule.WRONG_READ, "events of another aggregate")
        last = max(version, first - 1) if outcome.next_version is None else outcome.next_version - 1
        versions = [line.version for line in outcome.events]
        _check_order(versions, first, last)
        position = self._log.position_of(key, version)
        if position is None or max(versions, default=0) > version:
            raise WrongAnswerError(Rule.WRONG_READ, f"{version} was never its version, or not with these events")
        return Span(position, self._log.last_at_version(key, version))

    def _feed_seen(self, operation: Operation, outcome: FeedSeen) -> Span:
        assert isinstance(operation.request, ReadFeed)
        _check_order([line.position for line in outcome.events], operation.request.after + 1, outcome.cursor)
        self._check_lines(outcome.events)
        if not outcome.events and not outcome.at_end:
            raise WrongAnswerError(Rule.WRONG_READ, "an empty page that is not the last")
        return Span(outcome.cursor, outcome.cursor if outcome.at_end else END)

    def _event_seen(self, operation: Operation, outcome: EventSeen) -> Span:
        assert isinstance(operation.request, ReadEvent)
        if operation.request.event_id != outcome.event.event_id:
            raise WrongAnswerError(Rule.WRONG_READ, "another event")
        self._check_lines([outcome.event])
        return Span(seen=outcome.event.position)

    def _not_found(self, operation: Operation, outcome: NotFound) -> Span:
        if isinstance(operation.request, ReadAggregate):
            return Span(room=self._log.last_at_version(operation.request.key, 0))
        assert isinstance(operation.request, ReadEvent)
        event = self._log.by_id.get(operation.request.event_id)
        return Span() if event is None else Span(room=event.position - 1)

    def _check_lines(self, lines: Sequence[Line]) -> None:
        for line in lines:
            event = self._log.at.get(line.position)
            if event is None or event.line != line:
                raise WrongAnswerError(Rule.WRONG_READ, f"{line} is not in the log, which has {event}")


def _conflict(seen: int, room: int) -> Span:
    if seen > room:
        text = f"it goes by position {seen}, but was refused when no more than {room} was stored"
        raise WrongAnswerError(Rule.FALSE_CONFLICT, text)
    return Span(seen, room)


def _check_order(numbers: list[int], first: int, last: int) -> None:
    """Whether a page holds what stands from ``first`` to ``last``, each once and in order."""
    wanted = range(first, last + 1)
    if len(numbers) == len(wanted) and all(map(eq, numbers, wanted)):
        return
    shown = set(numbers)
    missing = next((number for number in wanted if number not in shown), None)
    text = f"shows {len(numbers)} events, not all from {first} to {last}; the first that is missing is {missing}"
    if len(shown) < len(numbers):
        raise WrongAnswerError(Rule.DOUBLED_EVENT, text)
    raise WrongAnswerError(Rule.REORDERED_PAGE if missing is None else Rule.SKIPPED_EVENT, text)
