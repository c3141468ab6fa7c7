"""The events at the end of the log that are not in the index yet, held in memory by what the index would find them by.

Pure. Segments follow one another without gaps: the last one grows; those before it are being indexed, and are let go of
whole once they are. Nothing is ever changed in what a segment says of a position, so a reader in another thread that
took the segments before it asked the index finds every event up to its head in one of the two, or in both.
"""

import heapq
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Final

from indelible.engines.feed_walk import Range, Walk, Walked
from indelible.engines.planner import RecentEvent
from indelible.events import AggregateKey
from indelible.queries import QueryItem


class Stretch:
    """An aggregate's events within a segment."""

    __slots__ = ("aggregate", "first_version", "positions")

    def __init__(self, aggregate: int, first_version: int) -> None:
        self.aggregate: Final = aggregate
        """Position of its first event of all."""
        self.first_version: Final = first_version
        self.positions: Final[list[int]] = []


TailEvent = tuple[AggregateKey, int, int, bytes, int, str, Sequence[str]]
"""Its aggregate and the position of that one's first event, version, event id, number and name of its type, tags. No
class of its own: one is made for each event."""


class Segment:
    """The events after ``start``, up to ``end``."""

    def __init__(self, start: int) -> None:
        self.start: Final = start
        self.end = start
        self.weight = 0
        """What it takes, in events without tags."""
        self.stretches: Final[dict[AggregateKey, Stretch]] = {}
        self.ids: Final[dict[bytes, int]] = {}
        self.events: Final[list[RecentEvent]] = []
        self.types: Final[list[int]] = []
        self.by_type: Final[dict[int, list[int]]] = {}
        self.by_tag: Final[dict[str, list[int]]] = {}

    def add(self, added: Sequence[TailEvent]) -> None:
        stretches, ids, events, types, by_type = self.stretches, self.ids, self.events, self.types, self.by_type
        position, weight = self.end, self.weight
        for key, aggregate, version, event_id, type_id, event_type, tags in added:
            position += 1
            stretch = stretches.get(key)
            if stretch is None:
                stretch = stretches[key] = Stretch(aggregate, version)
            stretch.positions.append(position)
            ids[event_id] = position
            events.append(RecentEvent(event_type, key.aggregate_type, tags))
            types.append(type_id)
            positions = by_type.get(type_id)
            if positions is None:
                positions = by_type[type_id] = []
            positions.append(position)
            for tag in tags:
                self.by_tag.setdefault(tag, []).append(position)
            weight += 1 + len(tags)
        # Last: what is beyond the end is not there.
        self.weight, self.end = weight, position

    def at(self, position: int) -> RecentEvent:
        return self.events[position - self.start - 1]

    def entries(self, walk: Walk, low: int, high: int) -> Iterator[int]:
        """Positions that a walk looks at, in its direction."""
        step = 1 if walk.range.direction == "forward" else -1
        if walk.tag is not None:
            return iter(between(self.by_tag.get(walk.tag, []), low, high)[::step])
        if walk.types is not None:
            parts = [between(self.by_type.get(one, []), low, high)[::step] for one in walk.types]
            return heapq.merge(*filter(None, parts), reverse=step < 0)
        return iter(range(max(low, self.start + 1), min(high, self.end) + 1)[::step])

    def matches(self, walk: Walk, position: int) -> bool:
        """Whether an entry of a walk matches what else it asks for."""
        event = self.events[position - self.start - 1]
        if walk.whole is not None:
            return _matches(walk.whole, event)
        if walk.types is not None and walk.tag is not None and self.types[position - self.start - 1] not in walk.types:
            return False
        return all(tag in event.tags for tag in walk.other_tags)


def between(positions: list[int], low: int, high: int) -> list[int]:
    """Those of ascending positions that are in a range, both inclusive."""
    return positions[bisect_left(positions, low) : bisect_right(positions, high)]


def _matches(item: QueryItem, event: RecentEvent) -> bool:
    return (
        (not item.event_types or event.event_type in item.event_types)
        and (not item.aggregate_types or event.aggregate_type in item.aggregate_types)
        and all(tag in event.tags for tag in item.tags)
    )


class TailView:
    """The tail as one reader sees it: up to ``head``, whatever comes meanwhile."""

    def __init__(self, segments: tuple[Segment, ...], head: int) -> None:
        self._segments: Final = segments
        self.head: Final = head
        self.start: Final = segments[0].start
        """Every event up to here is in the index."""

    def stretch(self, key: AggregateKey) -> Stretch | None:
        """All events of an aggregate in here."""
        found: Stretch | None = None
        for segment in self._segments:
            stretch = segment.stretches.get(key)
            if stretch is None:
                continue
            positions = between(stretch.positions, 0, self.head)
            if positions and found is None:
                found = Stretch(stretch.aggregate, stretch.first_version)
            if found is not None:
                found.positions.extend(positions)
        return found

    def position_of(self, event_id: bytes) -> int | None:
        return next((position for _, position in self.positions_of([event_id])), None)

    def positions_of(self, ids: Sequence[bytes]) -> list[tuple[bytes, int]]:
        """Where those stand that are in here."""
        return [
            (event_id, position)
            for segment in self._segments
            for event_id in ids
            if (position := segment.ids.get(event_id)) is not None and position <= self.head
        ]

    def walk(self, walk: Walk, within: Range, chunk: int) -> Walked:
        """As an index answers a walk, over a part of its range."""
        high = min(within.high, self.head)
        segments = self._segments if within.direction == "forward" else self._segments[::-1]
        entries = chain.from_iterable(
            ((segment, position) for position in segment.entries(walk, within.low, high)) for segment in segments
        )
        looked_at = list(islice(entries, chunk))
        positions = [position for segment, position in looked_at if segment.matches(walk, position)]
        return Walked(positions, len(looked_at), looked_at[-1][1] if looked_at else None)

    def first_with_tag(self, tag: str, within: Range) -> int | None:
        high = min(within.high, self.head)
        for segment in self._segments:
            positions = segment.by_tag.get(tag, [])
            place = bisect_left(positions, within.low)
            if place < len(positions) and positions[place] <= high:
                return positions[place]
        return None

    def count(self, tag: str | None, types: Sequence[int] | None, within: Range) -> int:
        """Entries of a tag, or of event types, in a range."""
        high = min(within.high, self.head)
        return sum(
            len(between(positions, within.low, high))
            for segment in self._segments
            for positions in (
                [segment.by_tag.get(tag, [])] if tag is not None else map(segment.by_type.get, types or ())
            )
            if positions
        )

    def recent(self, after: int, events_max: int) -> Iterator[RecentEvent]:
        """The events after ``after``, newest first; needs ``after`` to be no less than :attr:`start`."""
        for position in range(self.head, max(after, self.head - events_max), -1):
            for segment in self._segments:
                if segment.start < position <= segment.end:
                    yield segment.at(position)

    def key_at(self, position: int) -> tuple[AggregateKey, int] | None:
        """Whose event stands at a position, and its version; by a walk through all."""
        if position > self.head:
            return None
        for segment in self._segments:
            for key, stretch in segment.stretches.copy().items():
                place = bisect_left(stretch.positions, position)
                if place < len(stretch.positions) and stretch.positions[place] == position:
                    return key, stretch.first_version + place
        return None

    def keys(self, aggregate_type: str, prefix: str, after_id: str) -> set[AggregateKey]:
        after = after_id.encode()
        return {
            key
            for segment in self._segments
            for key in segment.stretches.copy()
            if key.aggregate_type == aggregate_type
            and key.aggregate_id.startswith(prefix)
            and key.aggregate_id.encode() > after
        }

    def count_types(self, after: int) -> Counter[int]:
        """Events after a position, of each event type."""
        counts: Counter[int] = Counter()
        for segment in self._segments:
            for type_id, positions in segment.by_type.copy().items():
                counts[type_id] += len(between(positions, after + 1, self.head))
        return counts

    def count_aggregates(self, after: int) -> Counter[str]:
        """Aggregates whose first event stands after a position, of each type."""
        return Counter(
            key.aggregate_type
            for segment in self._segments
            for key, stretch in segment.stretches.copy().items()
            if stretch.first_version == 1 and after < stretch.aggregate <= self.head
        )


class Tail:
    """Grown, sealed and let go of by one thread at a time; :meth:`view` is for any."""

    def __init__(self, start: int) -> None:
        self._segments: tuple[Segment, ...] = (Segment(start),)

    @property
    def end(self) -> int:
        return self._segments[-1].end

    @property
    def start(self) -> int:
        return self._segments[0].start

    @property
    def weight(self) -> int:
        return sum([segment.weight for segment in self._segments])

    def view(self, head: int) -> TailView:
        return TailView(self._segments, head)

    def add(self, events: Sequence[TailEvent]) -> None:
        """The events that follow the last one."""
        self._segments[-1].add(events)

    def seal(self) -> int:
        """Begin a new segment; gives the end of those that are there."""
        end = self.end
        if self._segments[-1].start < end:
            self._segments += (Segment(end),)
        return end

    def drop(self, indexed: int) -> None:
        """Let go of the segments that are in the index whole."""
        kept = tuple(segment for segment in self._segments[:-1] if segment.end > indexed)
        self._segments = (*kept, self._segments[-1])
