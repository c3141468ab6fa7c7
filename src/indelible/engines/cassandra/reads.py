"""Reads of one log. What readers see ends at a head up to which everything is in all tables (:class:`Seen`), however
far the log and parts of its index have come."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from indelible.engines.cassandra.lines import LineReader
from indelible.engines.cassandra.log_events import AggregateRow, slice_of_version
from indelible.engines.cassandra.lookups import find_aggregates, find_positions_of_ids
from indelible.engines.cassandra.places import Buckets, Seen
from indelible.engines.cassandra.session import CassandraSession
from indelible.engines.cassandra.walks import Walks
from indelible.engines.engine import Lines, LogHead
from indelible.engines.feed_walk import ConditionScan, Range, find_positions, scan_on
from indelible.engines.rows import readable_event
from indelible.errors import StoreCorrupted
from indelible.events import AggregateKey, timestamp_from_us, timestamp_to_us
from indelible.eventstore import AggregateInfo
from indelible.limits import PAGE_EVENTS_MAX, PAGE_SIZE_BYTES_MAX
from indelible.queries import Direction, EventQuery


class Reads:
    def __init__(self, session: CassandraSession, log: str) -> None:
        self._session: Final = session
        self._log: Final = log
        self._buckets: Final = Buckets(session, log)
        self.walks: Final = Walks(session, log, self._buckets)
        self.lines: Final = LineReader(session, log, self._buckets)
        self.seen: Final = self._buckets.seen

    async def head(self) -> LogHead:
        return (await self.seen()).head

    async def head_position(self) -> int:
        return (await self.head()).position

    # --- The feed ----------------------------------------------------------------------------------------------------

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
        if not within.is_empty:
            within = await self._in_time_window(query, within)
        if within.is_empty:
            return Lines(b"", 0, until, at_end=True)
        if query.is_unrestricted:
            page = within.first(limit)
            lines, count = await self.lines.page(_in_order(page), size_bytes_max)
            reached = page.place(count)
            return Lines(lines, count, reached, within.beyond(reached).is_empty)
        found = await self.walks.answered(find_positions(query.items, within, limit), within.high)
        lines, count = await self.lines.page(found.positions, size_bytes_max)
        return Lines(lines, count, *found.end(within, until, count))

    async def _in_time_window(self, query: EventQuery, within: Range) -> Range:
        low, high = within.low, within.high
        if query.since is not None:
            low = await self._first_since(low, high, timestamp_to_us(query.since))
        if query.until is not None and low <= high:
            high = await self._first_since(low, high, timestamp_to_us(query.until)) - 1
        return Range(low, high, within.direction)

    async def _first_since(self, low: int, high: int, timestamp_us: int) -> int:
        """The first position of these whose event is of that time or later; the one behind them where there is none.
        Times never decrease."""
        while low <= high:
            middle = (low + high) // 2
            if await self.lines.timestamp_us(middle) >= timestamp_us:
                high = middle - 1
            else:
                low = middle + 1
        return low

    async def scan_condition(self, scan: ConditionScan, entries_max: int) -> ConditionScan:
        return await self.walks.answered(scan_on(scan, entries_max), scan.range.high)

    # --- Aggregates --------------------------------------------------------------------------------------------------

    async def aggregate(
        self, key: AggregateKey, *, from_version: int, to_version: int, direction: Direction, limit: int
    ) -> tuple[int, Lines]:
        row = await self._aggregate(key)
        version = 0 if row is None else row.version
        versions = Range(max(from_version, 1), min(to_version, version), direction)
        if versions.is_empty:
            return version, Lines(b"", 0, to_version if direction == "forward" else from_version, at_end=True)
        page = versions.first(limit)
        places = await self.places(key, page.low, page.high)
        positions = [places[number] for number in _in_order(page) if number in places]
        if len(positions) < len(page):
            lost = next(number for number in _in_order(page) if number not in places)
            raise StoreCorrupted(f"version {lost} of {key.stream} was stored, but the index does not have it")
        lines, count = await self.lines.page(positions, PAGE_SIZE_BYTES_MAX)
        reached = page.place(count)
        return version, Lines(lines, count, reached, versions.beyond(reached).is_empty)

    async def _aggregate(self, key: AggregateKey) -> AggregateRow | None:
        """The aggregate as readers see it; None where they see none."""
        seen, rows = await asyncio.gather(self.seen(), find_aggregates(self._session, self._log, [key]))
        return await self.as_seen(key, rows[key], seen) if key in rows else None

    async def as_seen(self, key: AggregateKey, row: AggregateRow, seen: Seen) -> AggregateRow | None:
        """The row, without what readers do not see yet."""
        if row.position <= seen.head.position:
            return row
        last = row.version - 1
        while last > 0:
            places = await self.places(key, max(last - PAGE_EVENTS_MAX + 1, 1), last)
            seen_ones = [version for version, position in places.items() if position <= seen.head.position]
            if seen_ones:
                position = places[max(seen_ones)]
                last_timestamp_us = await self.lines.timestamp_us(position)
                return AggregateRow(max(seen_ones), position, row.first_timestamp_us, last_timestamp_us)
            last -= PAGE_EVENTS_MAX
        return None

    async def places(self, key: AggregateKey, low: int, high: int) -> dict[int, int]:
        """Positions by versions, both inclusive."""
        if low > high:
            return {}
        found = await asyncio.gather(
            *(
                self._session.read(
                    "read_versions",
                    log=self._log,
                    aggregate_type=key.aggregate_type,
                    aggregate_id=key.aggregate_id,
                    slice=number,
                    low=low,
                    high=high,
                )
                for number in range(slice_of_version(low), slice_of_version(high) + 1)
            )
        )
        return {version: position for rows in found for version, position, _ in rows}

    async def locate_version(self, key: AggregateKey, version: int) -> tuple[int, int] | None:
        row = await self._aggregate(key)
        if row is None or version < 1:
            return None
        last = min(version, row.version)
        places = await self.places(key, last, last)
        return (last, places[last]) if places else None

    async def aggregate_info(self, key: AggregateKey) -> AggregateInfo | None:
        row = await self._aggregate(key)
        return None if row is None else info_of(key, row)

    # --- Single events -----------------------------------------------------------------------------------------------

    async def locate_position(self, position: int) -> tuple[AggregateKey, int] | None:
        """By the line alone: no index leads from positions to aggregates."""
        if not 1 <= position <= await self.head_position():
            return None
        event = readable_event((await self.lines.found([position])).get(position))
        return None if event is None else (event.key, event.version)

    async def event(self, event_id: UUID) -> bytes | None:
        (line,) = await self.events([event_id])
        return line

    async def events(
        self, event_ids: Sequence[UUID], *, size_bytes_max: int = PAGE_SIZE_BYTES_MAX
    ) -> list[bytes | None]:
        seen, found = await asyncio.gather(
            self.seen(), find_positions_of_ids(self._session, self._log, set(event_ids))
        )  # fmt: skip
        places = [found.get(event_id, 0) for event_id in event_ids]
        places = [place if place <= seen.head.position else 0 for place in places]
        return await self.lines.at_places(places, size_bytes_max)


def _in_order(page: Range) -> range:
    """The numbers of a range in its direction."""
    if page.direction == "forward":
        return range(page.low, page.high + 1)
    return range(page.high, page.low - 1, -1)


def info_of(key: AggregateKey, row: AggregateRow) -> AggregateInfo:
    first, last = timestamp_from_us(row.first_timestamp_us), timestamp_from_us(row.last_timestamp_us)
    return AggregateInfo(key.aggregate_type, key.aggregate_id, row.version, first, last)
