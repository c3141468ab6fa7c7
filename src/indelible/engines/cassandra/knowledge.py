"""What a server that appends knows of a log, exactly as of its end: so that an append asks for little before it is
decided. Whether that is still the end, its commit shows.

Pure, but for what it is told. Events are told one after the other, those of others too.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from indelible.engines.cassandra.log_events import (
    AggregateRow,
    LogEvent,
    RowKey,
    TypeNames,
    row_of_aggregate,
    row_of_count,
    rows_of_event,
)
from indelible.engines.cassandra.places import LogEnd
from indelible.engines.cassandra.session import Statement
from indelible.engines.planner import RecentEvent
from indelible.events import AggregateKey
from indelible.limits import CASSANDRA_AGGREGATES_KEPT_MAX, CONDITION_TAIL_EVENTS_MAX, CONDITION_TAIL_SIZE_BYTES_MAX

_AGGREGATES: Final = ""
"""Stands for the event type where aggregates are counted. No type has this name."""

Count = tuple[int, int]
"""How many, and up to which position that is true."""


class Knowledge:
    """Of a log up to ``end``, all of which is in the index."""

    def __init__(self, end: LogEnd, counts: Mapping[TypeNames, Count]) -> None:
        self.end = end
        self._counts: Final = dict(counts)
        self._aggregates: Final[OrderedDict[AggregateKey, AggregateRow | None]] = OrderedDict()
        """None: there is no such aggregate."""
        self._told = end.head.position
        """The last event."""
        self._recent: Final[deque[RecentEvent]] = deque()
        self._recent_size_bytes = 0

    @property
    def types(self) -> int:
        """How many types of events there are."""
        return sum(event_type != _AGGREGATES for _, event_type in self._counts)

    # --- Aggregates --------------------------------------------------------------------------------------------------

    def unknown(self, keys: Iterable[AggregateKey]) -> list[AggregateKey]:
        return [key for key in keys if key not in self._aggregates]

    def learn(self, rows: Mapping[AggregateKey, AggregateRow | None]) -> None:
        """As of the end, or of what is told next."""
        self._aggregates.update(rows)

    def versions(self, keys: Iterable[AggregateKey]) -> dict[AggregateKey, int]:
        """Of aggregates that are known."""
        versions = {}
        for key in keys:
            self._aggregates.move_to_end(key)
            row = self._aggregates[key]
            versions[key] = 0 if row is None else row.version
        return versions

    def forget_some(self) -> None:
        """Those that were not used for longest, if there are too many. Not while a batch is under way."""
        while len(self._aggregates) > CASSANDRA_AGGREGATES_KEPT_MAX:
            self._aggregates.popitem(last=False)

    # --- Events ------------------------------------------------------------------------------------------------------

    def add(self, log: str, events: Sequence[LogEvent]) -> Iterator[tuple[RowKey, Statement]]:
        """Events that follow those that were told before, whose aggregates are known; all or the last of them may be
        told again. Gives their rows of the index. They are known once it has come to its end."""
        changed: dict[AggregateKey, AggregateRow] = {}
        counted: dict[TypeNames, None] = {}
        for event in events:
            yield from rows_of_event(log, event)
            if event.position > self._told:
                self._remember(event)
                self._told = event.position
            row = self._aggregates[event.key]
            # Not by the row: that may have been written, and the count not.
            if event.version == 1:
                counted[event.key.aggregate_type, _AGGREGATES] = None
                self._count((event.key.aggregate_type, _AGGREGATES), event.position)
            if row is None or row.version < event.version:
                row = AggregateRow.of_first(event) if row is None else row.with_event(event)
                self._aggregates[event.key] = row
            changed[event.key] = row
            counted[event.type_names] = None
            self._count(event.type_names, event.position)
        for key, row in changed.items():
            yield row_of_aggregate(log, key, row)
        for names in counted:
            yield row_of_count(log, names, *self._counts[names])

    def _count(self, names: TypeNames, position: int) -> None:
        count, up_to = self._counts.get(names, (0, 0))
        if position > up_to:
            self._counts[names] = count + 1, position

    # --- Conditions --------------------------------------------------------------------------------------------------

    def _remember(self, event: LogEvent) -> None:
        self._recent.append(RecentEvent(event.event_type, event.key.aggregate_type, event.tags))
        self._recent_size_bytes += _size_bytes(event.tags)
        while len(self._recent) > CONDITION_TAIL_EVENTS_MAX or self._recent_size_bytes > CONDITION_TAIL_SIZE_BYTES_MAX:
            self._recent_size_bytes -= _size_bytes(self._recent.popleft().tags)

    def recent(self, after: int) -> list[RecentEvent]:
        """The events after a position, or as many of them as are remembered."""
        return list(islice(reversed(self._recent), max(self.end.head.position - after, 0)))[::-1]

    def not_remembered(self, after: int) -> tuple[int, int]:
        """Positions after a position, and before the events that are remembered; the second is the lower one where
        there are none."""
        if self._recent_size_bytes >= CONDITION_TAIL_SIZE_BYTES_MAX:
            return 1, 0
        head = self.end.head.position
        return max(after, head - CONDITION_TAIL_EVENTS_MAX) + 1, head - len(self._recent)

    def recall(self, events: Sequence[RecentEvent]) -> None:
        """Events right before those that are remembered, newest first."""
        for event in events:
            self._recent.appendleft(event)
            self._recent_size_bytes += _size_bytes(event.tags)


def _size_bytes(tags: Sequence[str]) -> int:
    return sum(map(len, tags))
