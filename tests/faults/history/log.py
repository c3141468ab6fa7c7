"""The final log of a history: its own rules, and an index of it for the rules of the requests."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from faults.history.model import Condition, LoggedEvent, Part
from faults.history.violations import Rule, Violation
from indelible.events import AggregateKey
from indelible.queries import QueryItem

END: Final = 2**62
"""Above every position."""


def check_log(log: Sequence[LoggedEvent], start: int = 0) -> list[Violation]:
    """Positions and versions without gaps and in one order, timestamps that do not go back, no event id twice."""
    return [*_check_positions(log, start), *_check_versions(log), *_check_ids(log)]


def _check_positions(log: Sequence[LoggedEvent], start: int) -> Iterator[Violation]:
    position, timestamp_us = start, 0
    for event in log:
        if event.position != position + 1:
            text = f"position {event.position} comes after {position}"
            yield Violation(Rule.POSITION_GAP, text)
        if event.timestamp_us < timestamp_us:
            text = f"position {event.position} has the time {event.timestamp_us} µs, less than {timestamp_us}"
            yield Violation(Rule.TIME_WENT_BACK, text)
        position, timestamp_us = event.position, event.timestamp_us


def _check_versions(log: Sequence[LoggedEvent]) -> Iterator[Violation]:
    versions: defaultdict[AggregateKey, int] = defaultdict(int)
    for event in log:
        if event.version != versions[event.key] + 1:
            text = f"version {event.version} of {event.key.stream} comes after {versions[event.key]}"
            yield Violation(Rule.VERSION_GAP, f"{text}, at position {event.position}")
        versions[event.key] = event.version


def _check_ids(log: Sequence[LoggedEvent]) -> Iterator[Violation]:
    positions: dict[UUID, int] = {}
    for event in log:
        first = positions.setdefault(event.event_id, event.position)
        if first != event.position:
            text = f"the event {event.event_id} stands at the positions {first} and {event.position}"
            yield Violation(Rule.DOUBLED_EVENT, text)


class Log:
    """Finds events of the log. Of an event that stands in it twice, the first one."""

    def __init__(self, log: Sequence[LoggedEvent], start: int) -> None:
        self.events: Final = log
        self.start: Final = start
        self.end = max((event.position for event in log), default=start)
        self.at: dict[int, LoggedEvent] = {event.position: event for event in log}
        self.by_id: dict[UUID, LoggedEvent] = {event.event_id: event for event in reversed(log)}
        self._positions: defaultdict[AggregateKey, dict[int, int]] = defaultdict(dict)
        self._by_name: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for event in log:
            self._positions[event.key].setdefault(event.version, event.position)
            self._by_name["type", event.event_type].append(event.position)
            for tag in event.tags:
                self._by_name["tag", tag].append(event.position)

    def position_of(self, key: AggregateKey, version: int) -> int | None:
        """Where an aggregate came to a version: the start for 0, None when it never did."""
        return self.start if version == 0 else self._positions.get(key, {}).get(version)

    def last_at_version(self, key: AggregateKey, version: int) -> int:
        """The last head with which an aggregate is still at a version, or below."""
        return self._positions.get(key, {}).get(version + 1, END + 1) - 1

    def is_run(self, part: Part) -> bool:
        """Whether a part's events, all stored, have versions one after the other."""
        versions = [self.by_id[event.event_id].version for event in part.events]
        return versions == list(range(versions[0], versions[0] + len(versions)))

    def first_match(self, condition: Condition) -> int | None:
        """Position of the first event after the condition's cursor that matches."""
        firsts = (self._first_match(item, condition.after) for item in condition.fail_if)
        return min((first for first in firsts if first is not None), default=None)

    def _first_match(self, item: QueryItem, after: int) -> int | None:
        firsts = (self._first_in(positions, item, after) for positions in self._candidates(item))
        return min((first for first in firsts if first is not None), default=None)

    def _candidates(self, item: QueryItem) -> list[list[int]]:
        """Lists of positions that hold every match."""
        if item.tags:
            return [min((self._by_name.get(("tag", tag), []) for tag in item.tags), key=len)]
        if item.event_types:
            return [self._by_name.get(("type", event_type), []) for event_type in item.event_types]
        return [list(self.at)]

    def _first_in(self, positions: list[int], item: QueryItem, after: int) -> int | None:
        for index in range(bisect_right(positions, after), len(positions)):
            event = self.at[positions[index]]
            if item.matches(event.event_type, event.key.aggregate_type, event.tags):
                return event.position
        return None
