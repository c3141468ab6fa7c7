"""Reads, as plain functions over a connection: each takes a few statements that run without the interpreter's lock."""

import contextlib
from collections.abc import Generator, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

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
from indelible.engines.rows import check_lines, names_of, snapshot_of
from indelible.engines.sqlite.connections import directed, fetch, statement
from indelible.errors import StoreCorrupted
from indelible.events import HASH_BEFORE_FIRST, AggregateKey, Snapshot, timestamp_from_us, timestamp_to_us
from indelible.eventstore import AggregateInfo, AggregateTypeInfo, EventTypeInfo
from indelible.limits import (
    CONDITION_TAIL_EVENTS_MAX,
    CONDITION_TAIL_SIZE_BYTES_MAX,
    PAGE_SIZE_BYTES_MAX,
    TYPES_MERGED_MAX,
    TYPES_SEARCHED_MAX,
    VERSION_MAX,
)
from indelible.queries import Direction, EventQuery

_T = TypeVar("_T")


# --- Searches --------------------------------------------------------------------------------------------------------


def answered_on(connection: apsw.Connection, search: Generator[Question, Any, _T]) -> _T:
    return answered(search, lambda question: _answer(connection, question))


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


def _answer(connection: apsw.Connection, question: Question) -> Sequence[int] | int | Walked | None:
    match question:
        case FindTypes():
            return _find_types(connection, question)
        case Count():
            return _count(connection, question)
        case Walk():
            return _walk(connection, question)


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


def _count(connection: apsw.Connection, question: Count) -> int:
    values: dict[str, int | str | None] = {
        "low": question.range.low,
        "high": question.range.high,
        "most": question.most,
    }
    if question.tag is not None:
        sql, values["tag"] = statement("count_tag_bounded"), question.tag
    else:
        sql, values["event_types"] = statement("count_types_bounded"), _json(question.types)
    return int(fetch(connection, sql, values)[0][0])


def _walk(connection: apsw.Connection, question: Walk) -> Walked:
    name, values = _candidates(question)
    values |= {"low": question.range.low, "high": question.range.high, "chunk": question.chunk}
    text, count, last = fetch(connection, directed(name, question.range.direction), values)[0]
    return Walked(msgspec.json.decode(text), count, last)


def _candidates(question: Walk) -> tuple[str, dict[str, int | str | None]]:
    item, others = question.whole, question.other_tags
    if item is not None:
        return "candidates_by_position", {
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
    if question.tag is None:
        return "candidates_by_type", values
    return "candidates_by_tag", {**values, "tag": question.tag}


def _json_or_none(names: Sequence[str]) -> str | None:
    return _json(names) if names else None


def _json(names: Sequence[str] | Sequence[int] | None) -> str:
    return msgspec.json.encode(names).decode()


_NO_BOUND = 2**62

_decode_tags: Final = msgspec.json.Decoder(tuple[str, ...]).decode


# --- The head --------------------------------------------------------------------------------------------------------


def read_head(connection: apsw.Connection) -> LogHead:
    rows = fetch(connection, statement("head"))
    return LogHead(*rows[0]) if rows else LogHead(0, 0, HASH_BEFORE_FIRST)


def read_sound_head(connection: apsw.Connection) -> LogHead:
    """The head to append to. Raises :class:`StoreCorrupted` when the last event's row is not where it must be."""
    head, count = read_head(connection), _count_events(connection)
    if head.position != count:
        raise StoreCorrupted(
            f"the log ends at position {head.position}, but {count} events were appended",
            position=min(head.position, count) + 1,
        )
    return head


def read_visible_head(connection: apsw.Connection) -> LogHead:
    """The head for a reader. Its position is known even where the last event is damaged, so that verify gets there."""
    count = _count_events(connection)
    with contextlib.suppress(apsw.Error):
        head = read_head(connection)
        if head.position >= count:
            return head
    return LogHead(count, 0, HASH_BEFORE_FIRST)


def _count_events(connection: apsw.Connection) -> int:
    return int(fetch(connection, statement("count_all_events"))[0][0])


# --- Pages -----------------------------------------------------------------------------------------------------------


class _Selection(msgspec.Struct, frozen=True):
    """A set of events to render: a condition on the view, the column that orders it, and the condition's values."""

    range: str
    key: str
    direction: Direction
    values: dict[str, int | str]


def _render(
    connection: apsw.Connection, selection: _Selection, count: int, size_bytes_max: int = PAGE_SIZE_BYTES_MAX
) -> tuple[bytes, int]:
    """The first ``count`` events of a selection that holds as many, or fewer when they take more than a page may; and
    how many."""
    values = {**selection.values, "limit": count}
    page = directed("render_page", selection.direction, range=selection.range, key=selection.key)
    lines = fetch(connection, page, {**values, "size_bytes_max": size_bytes_max})[0][0]
    if lines is None:
        sizes = directed("page_sizes", selection.direction, range=selection.range, key=selection.key)
        found = msgspec.json.decode(fetch(connection, sizes, values)[0][0], type=list[int])
        if not found:
            raise StoreCorrupted("no event stands where the log has some")
        count = _fitting(found, size_bytes_max)
        values["limit"] = count
        # The bound is on the whole selection, of which only the first part is rendered now.
        lines = fetch(connection, page, {**values, "size_bytes_max": _NO_BOUND})[0][0]
    check_lines(lines or b"", count)
    return lines, count


def _fitting(sizes_bytes: list[int], size_bytes_max: int) -> int:
    """How many events a page takes: up to the one that brings it to its size."""
    total = 0
    for count, size_bytes in enumerate(sizes_bytes, 1):
        total += size_bytes
        if total >= size_bytes_max:
            return count
    return len(sizes_bytes)


def read_aggregate(
    connection: apsw.Connection,
    key: AggregateKey,
    *,
    from_version: int,
    to_version: int,
    direction: Direction,
    limit: int,
) -> tuple[int, Lines]:
    rows = fetch(connection, statement("find_aggregate"), names_of(key))
    aggregate, version = rows[0] if rows else (0, 0)
    versions = Range(max(from_version, 1), min(to_version, version), direction)
    if versions.is_empty:
        return version, Lines(b"", 0, to_version if direction == "forward" else from_version, True)
    page = versions.first(limit)
    selection = _Selection(
        "aggregate = :aggregate AND version BETWEEN :first AND :last", "version", direction,
        {"aggregate": aggregate, "first": page.low, "last": page.high},
    )  # fmt: skip
    lines, count = _render(connection, selection, len(page))
    reached = page.place(count)
    return version, Lines(lines, count, reached, versions.beyond(reached).is_empty)


def read_feed(
    connection: apsw.Connection,
    query: EventQuery,
    *,
    after: int,
    until: int,
    direction: Direction,
    limit: int,
    size_bytes_max: int = PAGE_SIZE_BYTES_MAX,
) -> Lines:
    asked = Range.of_feed(after, until, direction)
    within = Range(*time_window(connection, query, asked.low, asked.high), direction)
    if within.is_empty:
        return Lines(b"", 0, until, True)
    if query.is_unrestricted:
        return _unfiltered_page(connection, within, limit, size_bytes_max)
    return _filtered_page(connection, query, within, until, limit, size_bytes_max=size_bytes_max)


def _unfiltered_page(connection: apsw.Connection, within: Range, limit: int, size_bytes_max: int) -> Lines:
    page = within.first(limit)
    selection = _Selection(
        "position BETWEEN :first AND :last", "position", page.direction, {"first": page.low, "last": page.high}
    )
    lines, count = _render(connection, selection, len(page), size_bytes_max)
    reached = page.place(count)
    return Lines(lines, count, reached, within.beyond(reached).is_empty)


def _filtered_page(
    connection: apsw.Connection, query: EventQuery, within: Range, until: int, limit: int, *, size_bytes_max: int
) -> Lines:
    found = answered_on(connection, find_positions(query.items, within, limit))
    reached, at_end = found.end(within, until)
    if not found.positions:
        return Lines(b"", 0, reached, at_end)
    selection = _Selection(
        "position IN (SELECT value FROM json_each(:positions))",
        "position",
        within.direction,
        {"positions": msgspec.json.encode(found.positions).decode()},
    )
    lines, count = _render(connection, selection, len(found.positions), size_bytes_max)
    if count < len(found.positions):
        reached, at_end = found.positions[count - 1], False
    return Lines(lines, count, reached, at_end)


# --- Conditions ------------------------------------------------------------------------------------------------------


def scan_condition(connection: apsw.Connection, scan: ConditionScan, entries_max: int) -> ConditionScan:
    return answered_on(connection, scan_on(scan, entries_max))


def recent_events(connection: apsw.Connection, after: int, head: int) -> list[RecentEvent]:
    """The events after ``after``, or as many of the last ones as the writer looks at."""
    if after >= head:
        return []
    events, left_bytes = [], CONDITION_TAIL_SIZE_BYTES_MAX
    values = {"after": after, "events_max": CONDITION_TAIL_EVENTS_MAX}
    for event_type, aggregate_type, tags in connection.execute(statement("recent_events"), values):
        left_bytes -= len(tags or "")
        if left_bytes < 0:
            break
        events.append(RecentEvent(event_type, aggregate_type, _decode_tags(tags) if tags else ()))
    return events[::-1]


# --- Single things and catalogues ------------------------------------------------------------------------------------


def locate_position(connection: apsw.Connection, position: int) -> tuple[AggregateKey, int] | None:
    """Whose event stands at a position, and its version; as the index says, which may be sound where the event's row is
    not. None when it does not know."""
    for name in ("locate_by_row", "locate_by_index"):
        # Names that are no text any more say nothing either.
        with contextlib.suppress(apsw.CorruptError, UnicodeError):
            for aggregate_type, aggregate_id, version in fetch(connection, statement(name), {"position": position}):
                return AggregateKey(aggregate_type, aggregate_id), version
    return None


def locate_version(connection: apsw.Connection, key: AggregateKey, version: int) -> tuple[int, int] | None:
    rows = fetch(connection, statement("locate_version"), {**names_of(key), "version": version})
    return rows[0] if rows else None


def read_event(connection: apsw.Connection, event_id: UUID) -> bytes | None:
    rows = fetch(connection, statement("read_event"), {"event_id": event_id.bytes})
    if not rows:
        return None
    line: bytes = rows[0][0]
    check_lines(line, 1)
    return line


def read_aggregate_info(connection: apsw.Connection, key: AggregateKey) -> AggregateInfo | None:
    rows = fetch(connection, statement("aggregate_info"), names_of(key))
    return _info(key.aggregate_type, key.aggregate_id, *rows[0]) if rows else None


def _info(aggregate_type: str, aggregate_id: str, version: int, first_us: int, last_us: int) -> AggregateInfo:
    return AggregateInfo(aggregate_type, aggregate_id, version, timestamp_from_us(first_us), timestamp_from_us(last_us))


def find_unindexed(connection: apsw.Connection, first: int, last: int) -> tuple[int, str] | None:
    rows = fetch(connection, statement("find_unindexed"), {"first": first, "last": last})
    return rows[0] if rows else None


def list_event_types(connection: apsw.Connection) -> tuple[EventTypeInfo, ...]:
    return tuple(EventTypeInfo(*row) for row in fetch(connection, statement("list_event_types")))


def list_aggregate_types(connection: apsw.Connection) -> tuple[AggregateTypeInfo, ...]:
    return tuple(AggregateTypeInfo(*row) for row in fetch(connection, statement("list_aggregate_types")))


def list_aggregates(
    connection: apsw.Connection, *, aggregate_type: str | None, after: AggregateKey | None, limit: int
) -> tuple[AggregateInfo, ...]:
    names = [aggregate_type] if aggregate_type else [row.aggregate_type for row in list_aggregate_types(connection)]
    found: list[AggregateInfo] = []
    for name in names:
        if after is not None and name.encode() < after.aggregate_type.encode():
            continue
        after_id = after.aggregate_id if after is not None and name == after.aggregate_type else ""
        values = {"aggregate_type": name, "after": after_id, "limit": limit - len(found)}
        rows = fetch(connection, statement("list_aggregates"), values)
        found += [_info(name, *row) for row in rows]
        if len(found) >= limit:
            break
    return tuple(found)


# --- Snapshots -------------------------------------------------------------------------------------------------------


def load_snapshot(connection: apsw.Connection, key: AggregateKey, *, at_version: int | None) -> Snapshot | None:
    values = {**names_of(key), "at_version": VERSION_MAX if at_version is None else at_version}
    for version, timestamp_us, state, metadata in fetch(connection, statement("load_snapshot"), values):
        return snapshot_of(key, version, timestamp_from_us(timestamp_us), state, metadata)
    return None


def snapshot_values(aggregate: int, snapshot: Snapshot) -> dict[str, int | str]:
    return {
        "aggregate": aggregate,
        "version": snapshot.version,
        "timestamp_us": timestamp_to_us(snapshot.timestamp),
        "state": bytes(snapshot.state_raw).decode(),
        "metadata": bytes(snapshot.metadata_raw).decode(),
    }
