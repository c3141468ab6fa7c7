"""Reads lines of the log by their positions: from the rows, or from beside them where a commit was large."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from indelible.engines.cassandra.log_events import parts_of
from indelible.engines.cassandra.places import Buckets
from indelible.engines.cassandra.session import CassandraSession, Row
from indelible.engines.rows import check_lines
from indelible.errors import StoreCorrupted
from indelible.limits import CASSANDRA_LINES_UNSEEN_MAX, CASSANDRA_ROWS_AT_ONCE


async def with_kept_lines(session: CassandraSession, log: str, rows: Sequence[Row]) -> dict[int, bytes | None]:
    """The lines of rows of the log (``position``, ``payload_size_bytes``, ``line``, ``commit_id``, ``log``), by
    position."""
    lines: dict[int, bytes | None] = {}
    kept: dict[UUID, list[int]] = {}
    for position, _, line, commit_id, _ in rows:
        lines[position] = line
        if line is None:
            kept.setdefault(commit_id, []).append(position)
    for commit_id, positions in kept.items():
        for part in parts_of(positions, CASSANDRA_ROWS_AT_ONCE):
            lines.update(await session.read("kept_lines", log=log, commit_id=commit_id, positions=list(part)))
    return lines


class LineReader:
    """Of one log. Positions are to be such as readers see."""

    def __init__(self, session: CassandraSession, log: str, buckets: Buckets) -> None:
        self._session: Final = session
        self._log: Final = log
        self._buckets: Final = buckets

    async def page(self, positions: Sequence[int], size_bytes_max: int) -> tuple[bytes, int]:
        """Lines of the first of these positions, in their order, up to that which brings them to so many bytes of
        payload; and how many. Raises :class:`StoreCorrupted` where one is missing."""
        found = await self.at_places(positions, size_bytes_max)
        return b"\n".join(line for line in found if line is not None), len(found)

    async def at_places(self, places: Sequence[int], size_bytes_max: int) -> list[bytes | None]:
        """The same line by line. A place is a position, or 0, where there is no line; it may be asked for twice."""
        if len(places) > CASSANDRA_LINES_UNSEEN_MAX:
            sizes = await self._rows("sizes", places)
            places = places[: _cut(places, {row[0]: row[1] for row in sizes}, size_bytes_max)]
        rows = await self._rows("lines", places)
        places = places[: _cut(places, {row[0]: row[1] for row in rows}, size_bytes_max)]
        lines = await with_kept_lines(self._session, self._log, rows)
        found = [lines[place] if place else None for place in places]
        _check(places, found)
        return found

    async def found(self, positions: Sequence[int]) -> dict[int, bytes | None]:
        """The lines at these positions, as far as they are there."""
        return await with_kept_lines(self._session, self._log, await self._rows("lines", positions))

    async def _rows(self, what: str, places: Sequence[int]) -> list[Row]:
        positions = sorted(set(places) - {0})
        if not positions:
            return []
        await self._buckets.seen_to(positions[-1])
        parts = [
            self._read(what, bucket, part)
            for bucket, of_bucket in self._buckets.split(positions)
            for part in parts_of(of_bucket, CASSANDRA_ROWS_AT_ONCE)
        ]
        return [row for rows in await asyncio.gather(*parts) for row in rows]

    async def _read(self, what: str, bucket: int, positions: Sequence[int]) -> list[Row]:
        low, high = positions[0], positions[-1]
        if high - low + 1 == len(positions):
            return await self._session.read(f"{what}_of_range", log=self._log, bucket=bucket, low=low, high=high)
        return await self._session.read(
            f"{what}_of_positions", log=self._log, bucket=bucket, positions=positions
        )  # fmt: skip

    async def timestamp_us(self, position: int) -> int:
        """When the event was committed."""
        await self._buckets.seen_to(position)
        rows = await self._session.read(
            "timestamp_of", log=self._log, bucket=self._buckets.of(position), position=position
        )  # fmt: skip
        if not rows:
            raise _missing(position)
        return int(rows[0][0])


def _cut(places: Sequence[int], sizes: dict[int, int], size_bytes_max: int) -> int:
    """How many there are up to the one that brings them to that size."""
    size_bytes = 0
    for number, place in enumerate(places, 1):
        if place and place not in sizes:
            raise _missing(place)
        size_bytes += sizes.get(place, 0)
        if size_bytes >= size_bytes_max:
            return number
    return len(places)


def _check(places: Sequence[int], found: Sequence[bytes | None]) -> None:
    for place, line in zip(places, found, strict=True):
        if place and line is None:
            raise _missing(place)
    lines = [line for line in found if line is not None]
    if lines:
        check_lines(b"\n".join(lines), len(lines))


def _missing(position: int) -> StoreCorrupted:
    return StoreCorrupted(f"the event at position {position} was stored, but is not found", position=position)
