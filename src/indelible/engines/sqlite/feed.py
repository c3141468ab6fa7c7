"""Finds the positions of a filtered feed, through an index whatever the filter.

Each item of a query is walked along its rarest part (one tag, or its event types); the rest is checked on the way. A
page looks at a bounded number of index entries, so its cost has a bound at any size of the log.
"""

from collections.abc import Sequence
from typing import Final

import apsw
import msgspec

from indelible.engines.sqlite.statements import directed, fetch, statement
from indelible.events import timestamp_to_us
from indelible.queries import Direction, EventQuery, QueryItem

_COUNT_MOST: Final = 1_000
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

    positions: list[int]
    reached: int | None


def find_positions(
    connection: apsw.Connection, items: Sequence[QueryItem], wanted: Range, limit: int, scan_max: int | None
) -> Found:
    """The first ``limit`` positions that match any item, looking at no more than ``scan_max`` index entries an item."""
    found = [_walk_item(connection, item, wanted, limit, scan_max) for item in items]
    nearest, furthest = (min, max) if wanted.direction == "forward" else (max, min)
    ends = [one.reached for one in found if one.reached is not None]
    reached = nearest(ends) if ends else None
    merged = sorted({position for one in found for position in one.positions}, reverse=wanted.direction == "backward")
    if reached is not None:
        merged = [position for position in merged if furthest(position, reached) == reached]
    if len(merged) >= limit:
        return Found(merged[:limit], merged[limit - 1])
    return Found(merged, reached)


def time_window(connection: apsw.Connection, query: EventQuery, low: int, high: int) -> tuple[int, int]:
    """The part of ``low`` to ``high`` (positions, inclusive) whose timestamps are in the query's time window."""
    if query.since is not None:
        low = _first_position_since(connection, low, high + 1, timestamp_to_us(query.since))
    if query.until is not None and low <= high:
        high = _first_position_since(connection, low, high + 1, timestamp_to_us(query.until)) - 1
    return low, high


def _first_position_since(connection: apsw.Connection, low: int, high: int, timestamp_us: int) -> int:
    values = {"low": low, "high": high, "timestamp_us": timestamp_us}
    return int(fetch(connection, statement("first_position_since"), values)[0][0])


class _Walk(msgspec.Struct, frozen=True):
    """How to walk one item: a statement, and its values beside range and chunk."""

    sql: str
    values: dict[str, str | None]
    filters: bool
    """Whether an entry on the way may fail to match."""


def _walk_item(connection: apsw.Connection, item: QueryItem, wanted: Range, limit: int, scan_max: int | None) -> Found:
    if item.is_unrestricted:
        return _walk_all(wanted, limit)
    walk = _plan_walk(connection, item, wanted)
    if walk is None:
        return Found([], None)
    positions: list[int] = []
    chunk = max(_CHUNK_LEAST, 2 * limit) if walk.filters else limit
    scanned = 0
    while not wanted.is_empty:
        if scan_max is not None:
            chunk = min(chunk, scan_max - scanned)
        values = {**walk.values, "low": wanted.low, "high": wanted.high, "chunk": chunk}
        text, count, last = fetch(connection, walk.sql, values)[0]
        positions += msgspec.json.decode(text)
        scanned += count
        if len(positions) >= limit:
            return Found(positions[:limit], positions[limit - 1])
        if count == 0:
            break
        wanted = wanted.beyond(last)
        if scan_max is not None and scanned >= scan_max and not wanted.is_empty:
            return Found(positions, last)
        chunk *= 4
    return Found(positions, None)


def _walk_all(wanted: Range, limit: int) -> Found:
    """Every position matches an item that restricts nothing."""
    ordered = range(wanted.low, wanted.high + 1)[:: 1 if wanted.direction == "forward" else -1]
    return Found(list(ordered[:limit]), ordered[limit - 1] if len(ordered) >= limit else None)


def _plan_walk(connection: apsw.Connection, item: QueryItem, wanted: Range) -> _Walk | None:
    """Along the rarest part. None when a name in the item does not exist, so that nothing can match."""
    types = _type_ids(connection, item) if item.event_types or item.aggregate_types else None
    if types == "[]":
        return None
    bounds: dict[str, int] = {"low": wanted.low, "high": wanted.high, "most": _COUNT_MOST}
    rarest: tuple[int, str | None] | None = None
    if len(item.tags) + (types is not None) > 1:
        counts: list[tuple[int, str | None]] = [(_count_tag(connection, tag, bounds), tag) for tag in item.tags]
        if types is not None:
            counts.append((_count_types(connection, types, bounds), None))
        rarest = min(counts, key=lambda entry: entry[0])
    tag = rarest[1] if rarest is not None else next(iter(item.tags), None)
    others = [other for other in item.tags if other != tag]
    # One other tag is the usual case, and cheaper to look up by itself than as a list.
    values = {
        "event_types": types,
        "other_tag": others[0] if others else None,
        "more_tags": _json(others[1:]) if len(others) > 1 else None,
    }
    if tag is None:
        return _Walk(directed("candidates_by_type", wanted.direction), values, bool(others))
    filters = bool(others) or types is not None
    return _Walk(directed("candidates_by_tag", wanted.direction), {**values, "tag": tag}, filters)


def _type_ids(connection: apsw.Connection, item: QueryItem) -> str:
    values = {
        "event_types": _json(item.event_types) if item.event_types else None,
        "aggregate_types": _json(item.aggregate_types) if item.aggregate_types else None,
    }
    return str(fetch(connection, statement("event_type_ids"), values)[0][0])


def _count_tag(connection: apsw.Connection, tag: str, bounds: dict[str, int]) -> int:
    return int(fetch(connection, statement("count_tag_bounded"), {**bounds, "tag": tag})[0][0])


def _count_types(connection: apsw.Connection, types: str, bounds: dict[str, int]) -> int:
    return int(fetch(connection, statement("count_types_bounded"), {**bounds, "event_types": types})[0][0])


def _json(names: Sequence[str]) -> str:
    return msgspec.json.encode(names).decode()
