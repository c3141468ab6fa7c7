"""Reads, as methods over a connection that is had for one of them."""

from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import psycopg

from indelible.engines.engine import Lines, LogHead
from indelible.engines.feed_walk import (
    ConditionScan,
    Count,
    FindTypes,
    Question,
    Range,
    Walk,
    Walked,
    find_positions,
    scan_on,
)
from indelible.engines.postgres.arrays import uuids
from indelible.engines.postgres.connections import Session, Statements, is_pooled
from indelible.engines.rows import BEHIND_NAMES, check_lines, lines_in_places, names_of, range_of, snapshot_of
from indelible.errors import StoreCorrupted
from indelible.events import AggregateKey, Snapshot, timestamp_to_us
from indelible.eventstore import AggregateInfo, AggregateTypeInfo, EventTypeInfo
from indelible.limits import PAGE_SIZE_BYTES_MAX, VERSION_MAX
from indelible.postgres_connections import Connection
from indelible.queries import Direction, EventQuery

_T = TypeVar("_T")
_Cursor = psycopg.AsyncCursor[tuple[Any, ...]]


# --- Searches --------------------------------------------------------------------------------------------------------


async def answered_on(connection: Connection, statements: Statements, search: Generator[Question, Any, _T]) -> _T:
    """Run a search to its end."""
    try:
        question = next(search)
        while True:
            cursor = await _ask(connection, statements, question)
            question = search.send(_answer(question, await cursor.fetchone()))
    except StopIteration as end:
        found: _T = end.value
        return found


async def time_window(
    connection: Connection, statements: Statements, query: EventQuery, low: int, high: int
) -> tuple[int, int]:
    """The part of ``low`` to ``high`` (positions, inclusive) whose timestamps are in the query's time window."""
    if query.since is not None:
        low = await _first_position_since(connection, statements, (low, high + 1), query.since, "forward")
    if query.until is not None and low <= high:
        high = await _first_position_since(connection, statements, (low, high + 1), query.until, "backward") - 1
    return low, high


async def _first_position_since(
    connection: Connection, statements: Statements, within: tuple[int, int], timestamp: datetime, direction: Direction
) -> int:
    values = {
        "low": within[0], "high": within[1], "timestamp": timestamp, "none_is_before": direction == "backward",
    }  # fmt: skip
    row = await (await connection.execute(statements("first_position_since", direction), values)).fetchone()
    assert row is not None
    return int(row[0])


async def _ask(connection: Connection, statements: Statements, question: Question) -> _Cursor:
    name, values = _statement_for(question)
    direction = "forward" if isinstance(question, FindTypes) else question.range.direction
    cursor = connection.cursor(binary=True)
    return await cursor.execute(statements(name, direction), values, prepare=not is_pooled(connection))


def _statement_for(question: Question) -> tuple[str, dict[str, Any]]:
    match question:
        case FindTypes(event_types, aggregate_types):
            values = {"event_types": event_types, "aggregate_types": aggregate_types}
            return "event_type_ids", {name: list(names) or None for name, names in values.items()}
        case Count(range, most, tag, types):
            bounds = {"low": range.low, "high": range.high, "most": most}
            if tag is None:
                return "count_types_bounded", {**bounds, "event_types": types}
            return "count_tag_bounded", {**bounds, "tag": tag}
        case Walk(range, chunk, tag, types, other_tags):
            bounds = {"low": range.low, "high": range.high, "chunk": chunk}
            rest = {"event_types": types, "other_tags": list(other_tags)}
            if tag is None:
                return "candidates_by_type", {**bounds, **rest}
            return "candidates_by_tag", {**bounds, **rest, "tag": tag}


def _answer(question: Question, row: tuple[Any, ...] | None) -> Sequence[int] | int | Walked:
    assert row is not None
    match question:
        case FindTypes():
            types: list[int] = row[0]
            return types
        case Count():
            return int(row[0])
        case Walk():
            return Walked(*row)


# --- Reads -----------------------------------------------------------------------------------------------------------


class Reads(Session, frozen=True):
    """One connection, for one read."""

    async def head(self) -> LogHead:
        position, timestamp, hash_ = (await self._fetch("head"))[0]
        return LogHead(position, timestamp_to_us(timestamp), hash_)

    # --- Pages -------------------------------------------------------------------------------------------------------

    async def aggregate(
        self, key: AggregateKey, *, from_version: int, to_version: int, direction: Direction, limit: int
    ) -> tuple[int, Lines]:
        rows = await self._fetch(
            "read_aggregate",
            direction,
            **names_of(key),
            from_version=max(from_version, 1),
            to_version=to_version,
            limit=limit,
            size_bytes_max=PAGE_SIZE_BYTES_MAX,
        )
        version, lines, count, reached = rows[0] if rows else (0, None, 0, None)
        versions = Range(max(from_version, 1), min(to_version, version), direction)
        if versions.is_empty:
            return version, Lines(b"", 0, to_version if direction == "forward" else from_version, True)
        if _has_gap(versions, count, reached):
            raise _missing(f"versions {versions.low} to {versions.high} of {key.stream}")
        check_lines(lines, count)
        return version, Lines(lines, count, reached, versions.beyond(reached).is_empty)

    async def feed(
        self,
        query: EventQuery,
        *,
        after: int,
        until: int,
        direction: Direction,
        limit: int,
        size_bytes_max: int = PAGE_SIZE_BYTES_MAX,
    ) -> Lines:
        within = Range.of_feed(after, until, direction)
        if not within.is_empty and (query.since is not None or query.until is not None):
            window = await time_window(self.connection, self.statement, query, within.low, within.high)
            within = Range(*window, direction)
        if within.is_empty:
            return Lines(b"", 0, until, True)
        if query.is_unrestricted:
            return await self._unfiltered_page(within, limit, size_bytes_max)
        return await self._filtered_page(query, within, until, limit, size_bytes_max)

    async def _unfiltered_page(self, within: Range, limit: int, size_bytes_max: int) -> Lines:
        page = within.first(limit)
        ((lines, count, reached),) = await self._fetch(
            "read_range", page.direction, low=page.low, high=page.high, limit=limit, size_bytes_max=size_bytes_max
        )
        if _has_gap(page, count, reached):
            raise _missing(f"positions {page.low} to {page.high}")
        check_lines(lines, count)
        return Lines(lines, count, reached, within.beyond(reached).is_empty)

    async def _filtered_page(
        self, query: EventQuery, within: Range, until: int, limit: int, size_bytes_max: int
    ) -> Lines:
        found = await answered_on(self.connection, self.statement, find_positions(query.items, within, limit))
        if not found.positions:
            return Lines(b"", 0, *found.end(within, until, 0))
        ((lines, count, last),) = await self._fetch(
            "read_positions",
            within.direction,
            positions=list(found.positions),
            size_bytes_max=size_bytes_max,
        )
        if count == 0 or last != found.positions[count - 1]:
            raise _missing(f"some of the positions {found.positions[0]} to {found.positions[-1]}")
        check_lines(lines, count)
        return Lines(lines, count, *found.end(within, until, count))

    async def scan_condition(self, scan: ConditionScan, entries_max: int) -> ConditionScan:
        return await answered_on(self.connection, self.statement, scan_on(scan, entries_max))

    # --- Single things and catalogues --------------------------------------------------------------------------------

    async def locate_position(self, position: int) -> tuple[AggregateKey, int] | None:
        """Whose event stands at a position, and which version of it; by the keys, which stay when a partition is taken
        off."""
        for aggregate_type, aggregate_id, version in await self._fetch("locate_position", position=position):
            return AggregateKey(aggregate_type, aggregate_id), version
        return None

    async def locate_version(self, key: AggregateKey, version: int) -> tuple[int, int] | None:
        rows = await self._fetch("locate_version", **names_of(key), version=version)
        return (rows[0][0], rows[0][1]) if rows else None

    async def event(self, event_id: UUID) -> bytes | None:
        rows = await self._fetch("read_event", event_id=event_id)
        if not rows:
            return None
        position, line = rows[0]
        if line is None:
            raise _missing(f"positions {position} to {position}")
        check_lines(line, 1)
        return bytes(line)

    async def events(
        self, event_ids: Sequence[UUID], *, size_bytes_max: int = PAGE_SIZE_BYTES_MAX
    ) -> list[bytes | None]:
        ((found, lines, behind, missing),) = await self._fetch(
            "read_events", event_ids=uuids(event_ids), size_bytes_max=size_bytes_max
        )
        if missing is not None:
            raise _missing(f"positions {missing} to {missing}")
        places = [place - 1 for place in found or ()]
        return lines_in_places(lines, places, len(event_ids) if behind is None else behind - 1)

    async def aggregate_info(self, key: AggregateKey) -> AggregateInfo | None:
        rows = await self._fetch("aggregate_info", **names_of(key))
        return _info(key.aggregate_type, key.aggregate_id, *rows[0]) if rows else None

    async def event_types(self, *, prefix: str = "") -> tuple[EventTypeInfo, ...]:
        return tuple(EventTypeInfo(*row) for row in await self._fetch("list_event_types", **range_of(prefix)))

    async def aggregate_types(self, *, prefix: str = "") -> tuple[AggregateTypeInfo, ...]:
        return tuple(AggregateTypeInfo(*row) for row in await self._fetch("list_aggregate_types", **range_of(prefix)))

    async def aggregates(
        self, *, aggregate_type: str | None, prefix: str = "", after: AggregateKey | None, limit: int
    ) -> tuple[AggregateInfo, ...]:
        after_type, after_id = ("", "") if after is None else (after.aggregate_type, after.aggregate_id)
        rows = await self._fetch(
            "list_aggregates",
            first_type=max(after_type, aggregate_type or ""),
            last_type=aggregate_type or BEHIND_NAMES,
            after_type=after_type,
            after_id=after_id,
            limit=limit,
            **range_of(prefix),
        )
        return tuple(_info(*row) for row in rows)

    async def unindexed(self, first: int, last: int) -> tuple[int, str] | None:
        rows = await self._fetch("find_unindexed", first=first, last=last)
        return (rows[0][0], rows[0][1]) if rows else None

    async def storage_size_bytes(self, schema: str) -> int:
        return int((await self._fetch("storage_size", schema_name=schema))[0][0])

    async def ends(self) -> tuple[int, int]:
        """Where the log ends by its head, and by its events: the same in a sound store."""
        head, last = (await self._fetch("ends"))[0]
        return head, last

    # --- Snapshots ---------------------------------------------------------------------------------------------------

    async def snapshot(self, key: AggregateKey, *, at_version: int | None) -> Snapshot | None:
        rows = await self._fetch(
            "load_snapshot", **names_of(key), at_version=VERSION_MAX if at_version is None else at_version
        )
        for version, timestamp, state, metadata in rows:
            return snapshot_of(key, version, _utc(timestamp), state, metadata)
        return None

    async def save_snapshot(self, snapshot: Snapshot) -> bool:
        """False when there is no such aggregate."""
        cursor = await self.connection.execute(
            self.statement("save_snapshot"),
            {
                **names_of(snapshot.key),
                "version": snapshot.version,
                "timestamp": snapshot.timestamp,
                "state": bytes(snapshot.state_raw).decode(),
                "metadata": bytes(snapshot.metadata_raw).decode(),
            },
        )
        return cursor.rowcount > 0


def _info(
    aggregate_type: str, aggregate_id: str, version: int, first: datetime | None, last: datetime | None
) -> AggregateInfo:
    if first is None or last is None:
        raise _missing(f"versions 1 to {version} of {AggregateKey(aggregate_type, aggregate_id).stream}")
    return AggregateInfo(aggregate_type, aggregate_id, version, _utc(first), _utc(last))


def _utc(timestamp: datetime) -> datetime:
    """The database's session may live in another time zone."""
    return timestamp.astimezone(UTC)


def _has_gap(asked: Range, count: int, reached: int | None) -> bool:
    """Whether a page lacks a number of its range before the one that it reaches: a reader must not pass over events
    that are gone, or whose partition was taken off, unawares."""
    return count == 0 or reached != asked.place(count)


def _missing(what: str) -> StoreCorrupted:
    return StoreCorrupted(f"events that were stored cannot be found among {what}: was a partition taken off?")
