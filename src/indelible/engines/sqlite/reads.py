"""Reads of what is found by its position or by a filter, as plain functions: each takes a few statements that run
without the interpreter's lock. Those that need the index take a :class:`View`, and look through the tail as well."""

import contextlib
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import apsw
import msgspec

from indelible.engines.engine import Lines, LogHead
from indelible.engines.feed_walk import (
    ConditionScan,
    Count,
    FindTypes,
    Question,
    Range,
    Walk,
    Walked,
    answered,
    find_positions,
    scan_on,
)
from indelible.engines.planner import RecentEvent
from indelible.engines.rows import check_lines
from indelible.engines.sqlite.connections import directed, fetch, statement
from indelible.engines.sqlite.views import View
from indelible.errors import StoreCorrupted
from indelible.events import HASH_BEFORE_FIRST, format_timestamp, timestamp_to_us
from indelible.limits import (
    CONDITION_TAIL_EVENTS_MAX,
    CONDITION_TAIL_SIZE_BYTES_MAX,
    PAGE_SIZE_BYTES_MAX,
    TYPES_MERGED_MAX,
    TYPES_SEARCHED_MAX,
)
from indelible.queries import Direction, EventQuery

_T = TypeVar("_T")


# --- Searches --------------------------------------------------------------------------------------------------------


def answered_in(view: View, search: Generator[Question, Any, _T]) -> _T:
    indexed = view.tail.start
    return answered(search, lambda question: _answer(view, indexed, question))


def time_window(connection: apsw.Connection, query: EventQuery, low: int, high: int) -> tuple[int, int]:
    """The part of ``low`` to ``high`` (positions, inclusive) whose timestamps are in the query's time window."""
    if query.since is not None:
        low = _first_position_since(connection, low, high + 1, query.since)
    if query.until is not None and low <= high:
        high = _first_position_since(connection, low, high + 1, query.until) - 1
    return low, high


def _first_position_since(connection: apsw.Connection, low: int, high: int, moment: datetime) -> int:
    values = {"low": low, "high": high, "timestamp": format_timestamp(timestamp_to_us(moment))}
    return int(fetch(connection, statement("first_position_since"), values)[0][0])


def _answer(view: View, indexed: int, question: Question) -> Sequence[int] | int | Walked | None:
    match question:
        case FindTypes():
            return _find_types(view.connection, question)
        case Count():
            in_index, in_tail = _parts(question.range, indexed)
            count = 0 if in_index.is_empty else _count(view.connection, question, in_index)
            if not in_tail.is_empty:
                count += view.tail.count(question.tag, question.types, in_tail)
            return min(count, question.most)
        case Walk():
            return _walk(view, indexed, question)


def _parts(within: Range, indexed: int) -> tuple[Range, Range]:
    """What of a range the index has, and what the tail has."""
    return (
        Range(within.low, min(within.high, indexed), within.direction),
        Range(max(within.low, indexed + 1), within.high, within.direction),
    )


def _walk(view: View, indexed: int, question: Walk) -> Walked:
    """Through the one part, and then on through the other."""
    in_index, in_tail = _parts(question.range, indexed)
    parts = [(in_index, _walk_index), (in_tail, _walk_tail)]
    walked = Walked([], 0, None)
    for part, walk in parts if question.range.direction == "forward" else parts[::-1]:
        if not part.is_empty and walked.count < question.chunk:
            walked = walked.and_then(walk(view, question, part, question.chunk - walked.count))
    return walked


def _walk_tail(view: View, question: Walk, within: Range, chunk: int) -> Walked:
    return view.tail.walk(question, within, chunk)


def _find_types(connection: apsw.Connection, question: FindTypes) -> list[int] | None:
    values = {
        "event_types": _json_or_none(question.event_types),
        "aggregate_types": _json_or_none(question.aggregate_types),
        "found_max": TYPES_MERGED_MAX,
    }
    known = fetch(connection, "SELECT max(id) FROM event_types")[0][0]
    if known is not None and known > TYPES_SEARCHED_MAX:
        return None
    ids = msgspec.json.decode(fetch(connection, statement("event_type_ids"), values)[0][0], type=list[int])
    return ids if len(ids) <= TYPES_MERGED_MAX else None


def _count(connection: apsw.Connection, question: Count, within: Range) -> int:
    values: dict[str, int | str | None] = {"low": within.low, "high": within.high, "most": question.most}
    if question.tag is not None:
        sql, values["tag"] = statement("count_tag_bounded"), question.tag
    else:
        sql, values["event_types"] = statement("count_types_bounded"), _json(question.types)
    return int(fetch(connection, sql, values)[0][0])


def _walk_index(view: View, question: Walk, within: Range, chunk: int) -> Walked:
    sql, values = _candidates(question, within.direction)
    values |= {"low": within.low, "high": within.high, "chunk": chunk}
    text, *rest = fetch(view.connection, sql, values)[0]
    return Walked(msgspec.json.decode(text), *rest)


def _candidates(question: Walk, direction: Direction) -> tuple[str, dict[str, int | str | None]]:
    item, others = question.whole, question.other_tags
    if item is not None:
        return directed("candidates_by_position", direction), {
            "event_types": _json_or_none(item.event_types),
            "aggregate_types": _json_or_none(item.aggregate_types),
            "tags": _json(item.tags),
        }
    values: dict[str, int | str | None] = {
        "event_types": None if question.types is None else _json(question.types),
        # One other tag is the usual case, and cheaper to look up by itself than as a list.
        "other_tag": others[0] if others else None,
        "more_tags": _json(others[1:]) if len(others) > 1 else None,
    }
    if question.tag is not None:
        sql = directed("candidates_along_one", direction, entries="event_tags", key="tag")
        return sql, {**values, "key": question.tag}
    if question.types is not None and len(question.types) == 1:
        # A merge of one takes seven times as long.
        sql = directed("candidates_along_one", direction, entries="positions_by_type", key="event_type")
        return sql, {**values, "event_types": None, "key": question.types[0]}
    return directed("candidates_by_type", direction), values


def _json_or_none(names: Sequence[str]) -> str | None:
    return _json(names) if names else None


def _json(names: Sequence[str] | Sequence[int] | None) -> str:
    return msgspec.json.encode(names).decode()


_decode_tags: Final = msgspec.json.Decoder(tuple[str, ...]).decode


# --- The head --------------------------------------------------------------------------------------------------------


def read_sound_head(connection: apsw.Connection) -> LogHead:
    """The head to append to. Raises :class:`StoreCorrupted` unless the last event follows the one before it: a row that
    damage has put elsewhere does not."""
    try:
        rows = fetch(connection, statement("last_events"))
        if not rows:
            return LogHead(0, 0, HASH_BEFORE_FIRST)
        position, timestamp, digest = rows[0]
        head = LogHead(position, timestamp_to_us(msgspec.convert(timestamp, datetime)), bytes.fromhex(digest))
    except (ValueError, TypeError) as error:
        raise StoreCorrupted(f"the last event is damaged: {error}") from error
    before = rows[1][0] if len(rows) > 1 else 0
    if before != position - 1:
        raise StoreCorrupted(
            f"the log ends at position {position}, but {before} comes before it", position=min(position, before) + 1
        )
    return head


def read_visible_head(connection: apsw.Connection, noted_end: int) -> LogHead:
    """The head for a reader. Its position is known even where the last event is damaged, so that verify gets there: by
    its row's key, or by what was noted of the log's end."""
    with contextlib.suppress(apsw.Error, StoreCorrupted):
        return read_sound_head(connection)
    with contextlib.suppress(apsw.Error):
        noted_end = max(noted_end, fetch(connection, "SELECT coalesce(max(position), 0) FROM events")[0][0])
    return LogHead(noted_end, 0, HASH_BEFORE_FIRST)


# --- Pages -----------------------------------------------------------------------------------------------------------


class Selection(msgspec.Struct, frozen=True):
    """A set of events to render: a condition on their positions, and its values."""

    range: str
    direction: Direction
    values: dict[str, int | str]

    @classmethod
    def at(cls, positions: Sequence[int], direction: Direction) -> "Selection":
        condition = "position IN (SELECT value FROM json_each(:positions))"
        return cls(condition, direction, {"positions": _json(positions)})


def render(
    connection: apsw.Connection,
    selection: Selection,
    count: int,
    size_bytes_max: int = PAGE_SIZE_BYTES_MAX,
    size_bytes: int | None = None,
) -> tuple[bytes, int]:
    """The first ``count`` events of a selection that holds as many, or fewer when they take more than a page may; and
    how many. ``size_bytes``, what they take at the most, is looked up where it is not known."""
    values = {**selection.values, "limit": count}
    page = directed("render_page", selection.direction, range=selection.range)
    is_small = size_bytes is not None and size_bytes <= size_bytes_max
    lines = fetch(connection, page, {**values, "size_bytes_max": None if is_small else size_bytes_max})[0][0]
    if lines is None and not is_small:
        sizes = directed("page_sizes", selection.direction, range=selection.range)
        found = msgspec.json.decode(fetch(connection, sizes, values)[0][0], type=list[int])
        if not found:
            raise StoreCorrupted("no event stands where the log has some")
        count = _fitting(found, size_bytes_max)
        values["limit"] = count
        # The bound is on the whole selection, of which only the first part is rendered now.
        lines = fetch(connection, page, {**values, "size_bytes_max": None})[0][0]
    lines = lines or b""
    check_lines(lines, count)
    return lines, count


def _fitting(sizes_bytes: list[int], size_bytes_max: int) -> int:
    """How many events a page takes: up to the one that brings it to its size."""
    total = 0
    for count, size_bytes in enumerate(sizes_bytes, 1):
        total += size_bytes
        if total >= size_bytes_max:
            return count
    return len(sizes_bytes)


def read_log(
    connection: apsw.Connection,
    query: EventQuery,
    *,
    after: int,
    until: int,
    direction: Direction,
    limit: int,
    size_bytes_max: int = PAGE_SIZE_BYTES_MAX,
) -> Lines:
    """A page of the feed where the query has no filter but a time window: the log alone has it."""
    within = _within(connection, query, after, until, direction)
    if within.is_empty:
        return Lines(b"", 0, until, True)
    page = within.first(limit)
    selection = Selection("position BETWEEN :first AND :last", page.direction, {"first": page.low, "last": page.high})
    lines, count = render(connection, selection, len(page), size_bytes_max)
    reached = page.place(count)
    return Lines(lines, count, reached, within.beyond(reached).is_empty)


def _within(connection: apsw.Connection, query: EventQuery, after: int, until: int, direction: Direction) -> Range:
    asked = Range.of_feed(after, until, direction)
    return Range(*time_window(connection, query, asked.low, asked.high), direction)


def read_filtered(
    view: View,
    query: EventQuery,
    *,
    after: int,
    until: int,
    direction: Direction,
    limit: int,
    size_bytes_max: int = PAGE_SIZE_BYTES_MAX,
) -> Lines:
    within = _within(view.connection, query, after, until, direction)
    if within.is_empty:
        return Lines(b"", 0, until, True)
    found = answered_in(view, find_positions(query.items, within, limit))
    if not found.positions:
        return Lines(b"", 0, *found.end(within, until, 0))
    selection = Selection.at(found.positions, within.direction)
    lines, count = render(view.connection, selection, len(found.positions), size_bytes_max, found.size_bytes)
    return Lines(lines, count, *found.end(within, until, count))


# --- Conditions ------------------------------------------------------------------------------------------------------


def scan_condition(view: View, scan: ConditionScan, entries_max: int) -> ConditionScan:
    if all(item.is_lone_tag for item in scan.items):
        return _first_with_tags(view, scan)
    return answered_in(view, scan_on(scan, entries_max))


def _first_with_tags(view: View, scan: ConditionScan) -> ConditionScan:
    """The scan done. Where an item is one tag alone, each takes one look."""
    within, position = scan.range, scan.position
    for item in scan.items:
        found = _first_with_tag(view, item.tags[0], within)
        if found is not None:
            within, position = Range(within.low, found - 1, "forward"), found
    return ConditionScan((), within, position, scan.entries + len(scan.items))


def _first_with_tag(view: View, tag: str, within: Range) -> int | None:
    in_index, in_tail = _parts(within, view.tail.start)
    if not in_index.is_empty:
        rows = fetch(view.connection, statement("first_with_tag"), (tag, in_index.low, in_index.high))
        if rows:
            return int(rows[0][0])
    return view.tail.first_with_tag(tag, in_tail)


def recent_events(view: View, after: int, head: int) -> list[RecentEvent]:
    """The events after ``after``, or as many of the last ones as the writer looks at."""
    if after >= head:
        return []
    newest_first = (
        view.tail.recent(after, CONDITION_TAIL_EVENTS_MAX)
        if after >= view.tail.start
        else _recent_in_log(view.connection, after)
    )
    events, left_bytes = [], CONDITION_TAIL_SIZE_BYTES_MAX
    for event in newest_first:
        left_bytes -= sum([len(tag) + 3 for tag in event.tags])
        if left_bytes < 0:
            break
        events.append(event)
    return events[::-1]


def _recent_in_log(connection: apsw.Connection, after: int) -> Iterator[RecentEvent]:
    values = {"after": after, "events_max": CONDITION_TAIL_EVENTS_MAX}
    for event_type, aggregate_type, tags in connection.execute(statement("recent_events"), values):
        yield RecentEvent(event_type, aggregate_type, _decode_tags(tags) if tags else ())


def find_unlike(connection: apsw.Connection, first: int, last: int) -> tuple[int, str] | None:
    """The first event of these positions whose row does not say what its line says, and the field."""
    rows = fetch(connection, statement("find_unlike"), {"first": first, "last": last})
    return rows[0] if rows else None


def find_unindexed(view: View, first: int, last: int) -> tuple[int, str] | None:
    """The first event of these positions that is in the index, and not found there by one of its fields."""
    values = {"first": first, "last": min(last, view.read_indexed())}
    rows = fetch(view.connection, statement("find_unindexed"), values)
    return rows[0] if rows else None
