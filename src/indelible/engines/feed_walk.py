"""Finds the positions of a filtered feed, through an index whatever the filter. Pure: it asks, an engine answers.

Each item of a query is walked along its rarest part (one tag, or its event types); the rest is checked on the way. A
page looks at a bounded number of index entries, all items together, so its cost has a bound at any size of the log and
for any query.

:func:`find_positions` and :func:`scan_on` are generators of :data:`Question`; each is answered by sending the value
that its class names. So an engine that blocks and one that awaits share the walk.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from indelible.limits import PAGE_SCAN_EVENTS_MAX, TAGS_PER_EVENT_MAX
from indelible.queries import Direction, QueryItem

_T = TypeVar("_T")

COUNT_MAX: Final = 1_000
"""How far entries are counted to find an item's rarest part; beyond it, common is common."""

_COUNTED_PER_LOOK: Final = 10
"""Entries that can be counted in the time that it takes to look at one."""

_CHUNK_LEAST: Final = 256


class Range(msgspec.Struct, frozen=True):
    """Positions (or versions) to look at, both inclusive, and from which end."""

    low: int
    high: int
    direction: Direction

    def beyond(self, position: int) -> "Range":
        """What is left once the walk has passed ``position``."""
        if self.direction == "forward":
            return Range(position + 1, self.high, self.direction)
        return Range(self.low, position - 1, self.direction)

    def first(self, limit: int) -> "Range":
        """The first ``limit`` of them, in the direction of reading."""
        if self.direction == "forward":
            return Range(self.low, min(self.high, self.low + limit - 1), self.direction)
        return Range(max(self.low, self.high - limit + 1), self.high, self.direction)

    def place(self, number: int) -> int:
        """The one that is read as the first, second, …"""
        return self.low + number - 1 if self.direction == "forward" else self.high - number + 1

    def __len__(self) -> int:
        return max(self.high - self.low + 1, 0)

    @property
    def is_empty(self) -> bool:
        return self.low > self.high

    @classmethod
    def of_feed(cls, after: int, until: int, direction: Direction) -> "Range":
        """As a reader of the feed asks: ``after`` exclusive, ``until`` inclusive."""
        return cls(after + 1, until, direction) if direction == "forward" else cls(until, after - 1, direction)


class Found(msgspec.Struct, frozen=True):
    """Matching positions in the order of reading. ``reached``: all that matches up to there is among them; None when
    the whole range was walked. ``size_bytes``: what their payloads take at the most; None when that is not known."""

    positions: Sequence[int]
    reached: int | None
    size_bytes: int | None = None

    def end(self, within: Range, until: int, count: int) -> tuple[int, bool]:
        """How far a page with the first ``count`` of them reaches, of a search up to ``until``, and whether that is the
        end."""
        if count < len(self.positions):
            return self.positions[count - 1], False
        if self.reached is None:
            return until, True
        return self.reached, within.beyond(self.reached).is_empty


# --- Questions -------------------------------------------------------------------------------------------------------


class FindTypes(msgspec.Struct, frozen=True):
    """Answer: a sequence of the numbers by which the engine knows these event types of these aggregate types; an empty
    part does not restrict. None: they are too many to be merged, so the log itself is walked and names are compared."""

    event_types: tuple[str, ...]
    aggregate_types: tuple[str, ...]


class Count(msgspec.Struct, frozen=True):
    """Answer: how many entries of a tag (of event types, when it is None) a range holds, up to ``most``."""

    range: Range
    most: int
    tag: str | None
    types: Sequence[int] | None


class Walk(msgspec.Struct, frozen=True):
    """Answer: :class:`Walked`, over at most ``chunk`` entries of a tag (of event types, when it is None)."""

    range: Range
    chunk: int
    """0: not chosen yet."""
    tag: str | None
    types: Sequence[int] | None
    """None does not restrict."""
    other_tags: tuple[str, ...]
    """That a match has too."""
    whole: QueryItem | None = None
    """Where all positions are walked: what is compared at each."""

    @property
    def cost(self) -> int:
        """Index entries that are looked at for one of the walk."""
        return 1 + len(self.other_tags) + (self.whole is not None)

    @property
    def filters(self) -> bool:
        return bool(self.other_tags) or (self.tag is not None and self.types is not None) or self.whole is not None


class Walked(msgspec.Struct, frozen=True):
    positions: Sequence[int]
    """Those that match, in the order of reading."""
    count: int
    """Entries looked at."""
    last: int | None
    """Position of the last of them."""
    size_bytes: int | None = None
    """What the payloads of those that match take; None when the engine does not know without reading them."""

    def and_then(self, more: "Walked") -> "Walked":
        last = self.last if more.last is None else more.last
        return Walked([*self.positions, *more.positions], self.count + more.count, last, _sum_bytes((self, more)))


Question = FindTypes | Count | Walk
Search = Generator[Question, Any, Found]


class ConditionScan(msgspec.Struct, frozen=True):
    """How far the search for the first match of an append condition has come. Item by item, because nobody needs to
    know which of several matches: each is looked for up to the first match so far."""

    items: tuple[QueryItem, ...]
    """Those that are not done; the first of them is under way."""
    range: Range
    """Where a match would come before the first one so far."""
    position: int | None = None
    """Of the first match so far."""
    entries: int = 0
    """Index entries that were looked at."""
    walk: Walk | None = None
    """What is left of the first item's."""

    @property
    def is_done(self) -> bool:
        return not self.items or self.range.is_empty

    @property
    def name_count(self) -> int:
        """Each takes a look at the least."""
        return sum([item.name_count for item in self.items])


def find_positions(items: Sequence[QueryItem], within: Range, limit: int) -> Search:
    """The first ``limit`` positions that match any item, looking at ``PAGE_SCAN_EVENTS_MAX`` index entries, or a few
    more than that."""
    found = []
    left = PAGE_SCAN_EVENTS_MAX
    for number, item in enumerate(items):
        # What one item leaves is shared by those after it.
        one, cost = yield from _walk_item(item, within, limit, max(left // (len(items) - number), 1))
        found.append(one)
        left -= cost
    return _merge(found, within, limit)


def scan_on(scan: ConditionScan, entries_max: int) -> Generator[Question, Any, ConditionScan]:
    """Look at ``entries_max`` more index entries, or a few more than that."""
    items, within, position, walk = scan.items, scan.range, scan.position, scan.walk
    spent = 0
    while items and not within.is_empty and spent < entries_max:
        most = entries_max - spent
        if walk is None:
            found, cost = yield from _walk_item(items[0], within, 1, most, resumable := _Resumable())
        else:
            rest = msgspec.structs.replace(walk, range=Range(walk.range.low, within.high, within.direction))
            found, cost = yield from _walk_along(rest, 1, most, resumable := _Resumable())
        spent += max(cost, 1)
        if found.positions:
            position = found.positions[0]
            within = Range(within.low, position - 1, within.direction)
        walk = None if found.positions or found.reached is None else resumable.walk
        if walk is None:
            items = items[1:]
    return ConditionScan(items, within, position, scan.entries + spent, walk)


def answered(search: Generator[Question, Any, _T], answer: Callable[[Question], Any]) -> _T:
    """Run a search to its end, where every question can be answered at once."""
    try:
        question = next(search)
        while True:
            question = search.send(answer(question))
    except StopIteration as end:
        found: _T = end.value
        return found


def _sum_bytes(parts: "Sequence[Found | Walked]") -> int | None:
    total = 0
    for one in parts:
        if one.positions:
            if one.size_bytes is None:
                return None
            total += one.size_bytes
    return total


def _merge(found: Sequence[Found], within: Range, limit: int) -> Found:
    nearest, furthest = (min, max) if within.direction == "forward" else (max, min)
    ends = [one.reached for one in found if one.reached is not None]
    reached = nearest(ends) if ends else None
    merged = sorted({position for one in found for position in one.positions}, reverse=within.direction == "backward")
    if reached is not None:
        merged = [position for position in merged if furthest(position, reached) == reached]
    size_bytes = _sum_bytes(found)
    if len(merged) >= limit:
        return Found(merged[:limit], merged[limit - 1], size_bytes)
    return Found(merged, reached, size_bytes)


_Walking = Generator[Question, Any, tuple[Found, int]]
"""What was found, and how many index entries were looked at for it."""


class _Resumable:
    """What a walk left, for who wants to go on with it."""

    walk: Walk | None = None


def _walk_item(item: QueryItem, within: Range, limit: int, most: int, left: _Resumable | None = None) -> _Walking:
    if item.is_unrestricted:
        return _walk_all(within, limit), 1
    if len(item.tags) > TAGS_PER_EVENT_MAX:
        return Found([], None), 1  # no event has so many
    types: Sequence[int] | None = None
    if item.event_types or item.aggregate_types:
        types = yield FindTypes(item.event_types, item.aggregate_types)
        if types is None:
            return (yield from _walk_along(Walk(within, 0, None, None, item.tags, item), limit, most, left))
        if not types:
            return Found([], None), 1
    walk, counted = yield from _along_rarest(item, types, within, most)
    if walk is None:
        return Found([], None), counted
    found, cost = yield from _walk_along(walk, limit, most, left)
    return found, cost + counted


def _walk_all(within: Range, limit: int) -> Found:
    """Every position matches an item that restricts nothing."""
    ordered = range(within.low, within.high + 1)[:: 1 if within.direction == "forward" else -1]
    return Found(ordered[:limit], ordered[limit - 1] if len(ordered) >= limit else None)


def _along_rarest(
    item: QueryItem, types: Sequence[int] | None, within: Range, most: int
) -> Generator[Question, Any, tuple[Walk | None, int]]:
    """The walk along the tag, or the event types, that has the fewest entries; None when one has none at all. And what
    it cost to find that out."""
    parts: list[str | None] = [*item.tags] if types is None else [*item.tags, None]
    rarest, counted = parts[0], 0
    if len(parts) > 1:
        # Counting costs no more than the walk may.
        least = max(min(COUNT_MAX, most // len(parts)), 1) + 1
        for part in parts:
            count: int = yield Count(within, least, part, types if part is None else None)
            counted += count
            if count == 0:
                return None, _counting_cost(counted, parts)
            if count < least:
                rarest, least = part, count
    others = tuple(tag for tag in item.tags if tag != rarest)
    return Walk(within, 0, rarest, types, others), _counting_cost(counted, parts)


def _counting_cost(counted: int, parts: Sequence[object]) -> int:
    return counted // _COUNTED_PER_LOOK + len(parts)


def _walk_along(walk: Walk, limit: int, most: int, left: _Resumable | None = None) -> _Walking:
    """Walk until ``limit`` matches are found, or ``most`` index entries were looked at: at least one step."""
    found = Walked([], 0, None)
    spent, within = 0, walk.range
    # Seldom a match far away: one that was gone on with is gone on with in long steps.
    chunk = walk.chunk or (max(_CHUNK_LEAST, 2 * limit) if walk.filters else limit)
    while not within.is_empty:
        chunk = max(min(chunk, (most - spent) // walk.cost), 1)
        walked: Walked = yield msgspec.structs.replace(walk, range=within, chunk=chunk)
        found = found.and_then(walked)
        spent += walked.count * walk.cost
        if len(found.positions) >= limit:
            return Found(found.positions[:limit], found.positions[limit - 1], found.size_bytes), spent
        if walked.last is None:
            break
        within = within.beyond(walked.last)
        if spent + walk.cost > most and not within.is_empty:
            if left is not None:
                left.walk = msgspec.structs.replace(walk, range=within, chunk=4 * chunk)
            return Found(found.positions, walked.last, found.size_bytes), spent
        chunk *= 4
    return Found(found.positions, None, found.size_bytes), spent
