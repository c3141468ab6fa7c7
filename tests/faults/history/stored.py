"""What was appended against what is stored: nothing lost, nothing torn, nothing that should have been refused."""

from collections import defaultdict
from typing import Final
from uuid import UUID

from faults.history.groups import Group, append_of
from faults.history.log import Log
from faults.history.model import Append, LoggedEvent, Operation, is_same
from faults.history.report import Report, named
from faults.history.violations import Rule
from indelible.conditions import version_conflict
from indelible.events import AggregateKey


class StoredAppends:
    """``groups`` by the ids of their events, and ``owners``, the groups that stored them, by each id."""

    def __init__(
        self, log: Log, groups: dict[tuple[UUID, ...], Group], owners: dict[UUID, Group], report: Report
    ) -> None:
        self._log: Final = log
        self._groups: Final = groups
        self._owners: Final = owners
        self._report: Final = report

    def check(self) -> None:
        for event in self._log.events:
            if event.event_id not in self._owners:
                self._report.say(Rule.UNSENT_EVENT, f"nobody appended {named(event)}")
        for ids, group in self._groups.items():
            self._check_group(ids, group)
        self._check_winners()

    def _check_group(self, ids: tuple[UUID, ...], group: Group) -> None:
        if len(group.firsts) > 1:
            text = f"{len(group.firsts)} attempts with the same ids were answered as if they were the first"
            self._report.say(Rule.WRONG_REPLAY, text, group.firsts[-1])
        stored = [self._log.by_id[event_id] for event_id in ids if event_id in self._log.by_id]
        if not stored or not any(self._owners[event.event_id] is group for event in stored):
            return
        if group.kind == Group.REFUSED:
            self._report.say(Rule.REFUSED_BUT_STORED, f"{named(stored[0])} is in the log", group.storers[0])
        if len(stored) < len(ids):
            text = f"{len(stored)} of its {len(ids)} events are stored, {named(stored[0])} among them"
            self._report.say(Rule.TORN_APPEND, text, group.storers[0])
            return
        self._check_shape(group, stored)
        self._check_content(group)
        unmet = [self._unmet_expectation(append_of(attempt), stored) for attempt in group.storers]
        if all(unmet):
            self._report.say(Rule.UNMET_EXPECTATION, f"stored, although {unmet[0]}", group.storers[0])

    def _check_shape(self, group: Group, stored: list[LoggedEvent]) -> None:
        """In one piece, and in the order of the request."""
        positions = [event.position for event in stored]
        first = min(positions)
        whole = sorted(positions) == list(range(first, first + len(positions)))
        if not (whole and all(self._log.is_run(part) for part in group.request.parts)):
            self._report.say(Rule.TORN_APPEND, f"stored at the positions {positions}", group.storers[0])

    def _check_content(self, group: Group) -> None:
        changed = [self._changed(append_of(attempt)) for attempt in group.storers]
        if all(changed):
            self._report.say(Rule.CHANGED_EVENT, f"{changed[0]} is not what was sent", group.storers[0])

    def _changed(self, request: Append) -> str:
        """The first event that is stored otherwise than it was sent; nothing when all is as sent."""
        for part in request.parts:
            for event in part.events:
                stored = self._log.by_id[event.event_id]
                if not is_same(part.key, event, stored):
                    return named(stored)
        return ""

    def _unmet_expectation(self, request: Append, stored: list[LoggedEvent]) -> str:
        """Why the append should have been refused at its place; nothing when it is all right."""
        for part in request.parts:
            before = self._log.by_id[part.events[0].event_id].version - 1
            if version_conflict(part.key, part.expected_version, before) is not None:
                return f"{part.key.stream} was at version {before}"
        if request.condition is not None:
            match = self._log.first_match(request.condition)
            if match is not None and match < min(event.position for event in stored):
                return f"the event at {match} matches its condition"
        return ""

    def _check_winners(self) -> None:
        winners: defaultdict[tuple[AggregateKey, int], list[Operation]] = defaultdict(list)
        for group in self._groups.values():
            for attempt in group.firsts[:1]:
                for part in append_of(attempt).parts:
                    expected = 0 if part.expected_version == "none" else part.expected_version
                    if isinstance(expected, int):
                        winners[part.key, expected].append(attempt)
        for (key, expected), attempts in winners.items():
            if len(attempts) > 1:
                text = f"one of {len(attempts)} that expected version {expected} of {key.stream} and were acknowledged"
                self._report.say(Rule.TWO_WINNERS, text, attempts[-1])
