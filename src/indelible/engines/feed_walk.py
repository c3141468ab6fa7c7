"""Finds the positions of a filtered feed, through an index whatever the filter. Pure: it asks, an engine answers.

Each item of a query is walked along its rarest part (one tag, or its event types); the rest is checked on the way. A
page looks at a bounded number of index entries, so its cost has a bound at any size of the log.

:func:`find_positions` is a generator of :data:`Question`; each is answered by sending the value that its class names.
So an engine that blocks and one that awaits share the walk.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, Final

import msgspec

from indelible.queries import Direction, QueryItem

COUNT_MAX: Final = 1_000
"""How far entries are counted to find an item's rarest part; beyond it, common is common."""

_CHUNK_LEAST: Final = 256


class Range(msgspec.Struct, frozen=True):
    """Positions to look at, both inclusive, and from which end."""

    low: int
    high: int
    direction: Direction

    def beyond(self, position: int) -> "Range":
        """What is left once the walk has passed ``position``."""
        if self.direction == "forward":
            return Range(position + 1, self.high, self.direction)
        return Range(self.low, position - 1, self.direction)

    @property
    def is_empty(self) -> bool:
        return self.low > self.high


class Found(msgspec.Struct, frozen=True):
    """Matching positions in the order of reading. ``reached``: all that matches up to there is among them; None when
    the whole range was walked."""

    positions: Sequence[int]
    reached: int | None


# --- Questions -------------------------------------------------------------------------------------------------------


class FindTypes(msgspec.Struct, frozen=True):
    """Answer: a sequence of the numbers by which the engine knows these event types of these aggregate types; an empty
    part does not restrict."""

    event_types: tuple[str, ...]
    aggregate_types: tuple[str, ...]


class Count(msgspec.Struct, frozen=True):
    """Answer: how many entries of a tag (of event types, when it is None) a range holds, up to ``COUNT_MAX``."""

    range: Range
    tag: str | None
    types: Sequence[int] | None


class Walk(msgspec.Struct, frozen=True):
    """Answer: :class:`Walked`, over at most ``chunk`` entries of a tag (of event types, when it is None)."""

    range: Range
    chunk: int
    tag: str | None
    types: Sequence[int] | None
    """None does not restrict."""
    other_tags: tuple[str, ...]
    """That a match has too."""


class Walked(msgspec.Struct, frozen=True):
    positions: Sequence[int]
    """Those that match, in the order of reading."""
    count: int
    """Entries looked at."""
    last: int | None
    """Position of the last of them."""


Question = FindTypes | Count | Walk
Search = Generator[Question, Any, Found]


def find_positions(items: Sequence[QueryItem], wanted: Range, limit: int, scan_max: int | None) -> Search:
    """The first ``limit`` positions that match any item, looking at no more than ``scan_max`` index entries an item."""
    found = []
    for item in items:
        found.append((yield from _walk_item(item, wanted, limit, scan_max)))  # noqa: PERF401 - it yields
    return _merge(found, wanted, limit)


def answered(search: Search, answer: Callable[[Question], Any]) -> Found:
    """Run a search to its end, where every question can be answered at once."""
    try:
        question = next(search)
        while True:
            question = search.send(answer(question))
    except StopIteration as end:
        found: Found = end.value
        return found


def _merge(found: Sequence[Found], wanted: Range, limit: int) -> Found:
    nearest, furthest = (min, max) if wanted.direction == "forward" else (max, min)
    ends = [one.reached for one in found if one.reached is not None]
    reached = nearest(ends) if ends else None
    merged = sorted({position for one in found for position in one.positions}, reverse=wanted.direction == "backward")
    if reached is not None:
        merged = [position for position in merged if furthest(position, reached) == reached]
    if len(merged) >= limit:
        return Found(merged[:limit], merged[limit - 1])
    return Found(merged, reached)


def _walk_item(item: QueryItem, wanted: Range, limit: int, scan_max: int | None) -> Search:
    if item.is_unrestricted:
        return _walk_all(wanted, limit)
    types: Sequence[int] | None = None
    if item.event_types or item.aggregate_types:
        types = yield FindTypes(item.event_types, item.aggregate_types)
        if not types:
            return Found([], None)
    tag = yield from _rarest(item, types, wanted)
    other_tags = tuple(other for other in item.tags if other != tag)
    filters = bool(other_tags) or (tag is not None and types is not None)
    chunk = max(_CHUNK_LEAST, 2 * limit) if filters else limit
    return (yield from _walk_along(Walk(wanted, chunk, tag, types, other_tags), limit, scan_max))


def _walk_all(wanted: Range, limit: int) -> Found:
    """Every position matches an item that restricts nothing."""
    ordered = range(wanted.low, wanted.high + 1)[:: 1 if wanted.direction == "forward" else -1]
    return Found(ordered[:limit], ordered[limit - 1] if len(ordered) >= limit else None)


def _rarest(item: QueryItem, types: Sequence[int] | None, wanted: Range) -> Generator[Question, Any, str | None]:
    """The tag to walk along; None for the event types."""
    parts = [*item.tags] if types is None else [*item.tags, None]
    if len(parts) == 1:
        return parts[0]
    counts: list[int] = []
    for tag in parts:
        counts.append((yield Count(wanted, tag, types if tag is None else None)))  # noqa: PERF401 - it yields
    return parts[counts.index(min(counts))]


def _walk_along(walk: Walk, limit: int, scan_max: int | None) -> Search:
    positions: list[int] = []
    scanned, chunk, wanted = 0, walk.chunk, walk.range
    while not wanted.is_empty:
        if scan_max is not None:
            chunk = min(chunk, scan_max - scanned)
        walked: Walked = yield msgspec.structs.replace(walk, range=wanted, chunk=chunk)
        positions += walked.positions
        scanned += walked.count
        if len(positions) >= limit:
            return Found(positions[:limit], positions[limit - 1])
        if walked.last is None:
            break
        wanted = wanted.beyond(walked.last)
        if scan_max is not None and scanned >= scan_max and not wanted.is_empty:
            return Found(positions, walked.last)
        chunk *= 4
    return Found(positions, None)
