"""Answers the questions of :mod:`indelible.engines.feed_walk` from the table ``named_positions``."""

import asyncio
from collections.abc import Generator, Sequence
from typing import Any, Final, TypeVar

from indelible.engines.cassandra.log_events import (
    TypeNames,
    name_of_tag,
    name_of_type,
    parts_of,
    slice_of_position,
    type_number,
)
from indelible.engines.cassandra.lookups import read_counts
from indelible.engines.cassandra.places import Buckets
from indelible.engines.cassandra.session import CassandraSession, Row
from indelible.engines.feed_walk import Count, FindTypes, Question, Range, Walk, Walked
from indelible.limits import CASSANDRA_ROWS_AT_ONCE, CASSANDRA_SLICE_POSITIONS, CASSANDRA_SLICES_AT_ONCE

_T = TypeVar("_T")


class Walks:
    """Over one log. Ranges are to end at positions that readers see."""

    def __init__(self, session: CassandraSession, log: str, buckets: Buckets) -> None:
        self._session: Final = session
        self._log: Final = log
        self._buckets: Final = buckets
        self._types: dict[TypeNames, int] = {}
        """All that there are up to some position, and their numbers."""

    async def answered(self, search: Generator[Question, Any, _T], up_to: int) -> _T:
        """Run a search of positions up to one that readers see to its end."""
        try:
            question = next(search)
            while True:
                question = search.send(await self._answer(question, up_to))
        except StopIteration as end:
            found: _T = end.value
            return found

    async def _answer(self, question: Question, up_to: int) -> Sequence[int] | int | Walked:
        match question:
            case FindTypes(event_types, aggregate_types):
                return await self._find_types(event_types, aggregate_types, up_to)
            case Count(range, most, tag, types):
                return await self._count(range, most, tag, types)
            case Walk(tag=None):
                return await self._walk_types(question)
            case Walk():
                return await self._walk_tag(question)

    async def _find_types(self, event_types: Sequence[str], aggregate_types: Sequence[str], up_to: int) -> list[int]:
        # There are never fewer, and none becomes another.
        if (await self._buckets.seen_to(up_to)).types > len(self._types):
            counts = await read_counts(self._session, self._log)
            self._types = {names: type_number(names) for names in counts if names[1]}
        return [
            number
            for (aggregate_type, event_type), number in self._types.items()
            if (not event_types or event_type in event_types)
            and (not aggregate_types or aggregate_type in aggregate_types)
        ]

    async def _count(self, within: Range, most: int, tag: str | None, types: Sequence[int] | None) -> int:
        names = [name_of_tag(tag)] if tag is not None else [name_of_type(one) for one in types or ()]
        count = 0
        for part in parts_of(names, CASSANDRA_SLICES_AT_ONCE):
            found = await asyncio.gather(*(self._entries(name, within, most - count) for name in part))
            count = min(count + sum(map(len, found)), most)
            if count == most:
                break
        return count

    async def _walk_tag(self, walk: Walk) -> Walked:
        assert walk.tag is not None
        entries = await self._entries(name_of_tag(walk.tag), walk.range, walk.chunk)
        types = None if walk.types is None else set(walk.types)
        positions = [
            position for position, type_ in entries if types is None or int.from_bytes(type_, "big") in types
        ]  # fmt: skip
        matching = await self._with_tags(positions, walk.other_tags)
        return Walked(matching, len(entries), entries[-1][0] if entries else None)

    async def _walk_types(self, walk: Walk) -> Walked:
        """A merge of the first entries of each. Every type gives its share of a chunk, so that many types cost no more
        than few; the merge is whole up to where the first of those that have more ends."""
        types = walk.types or ()
        share = walk.chunk // max(len(types), 1) + 1
        found = await asyncio.gather(*(self._entries(name_of_type(one), walk.range, share) for one in types))
        forward = walk.range.direction == "forward"
        ends = [entries[-1][0] for entries in found if len(entries) == share]
        merged = sorted((position for entries in found for position, _ in entries), reverse=not forward)
        if ends:
            whole_up_to = min(ends) if forward else max(ends)
            merged = [one for one in merged if (one <= whole_up_to if forward else one >= whole_up_to)]
        matching = await self._with_tags(merged, walk.other_tags)
        return Walked(matching, len(merged), merged[-1] if merged else None)

    async def _with_tags(self, positions: list[int], tags: Sequence[str]) -> list[int]:
        """Those of the positions whose events have all the tags."""
        for tag in tags:
            having = await self.entries_at(name_of_tag(tag), positions)
            positions = [position for position in positions if position in having]
        return positions

    async def entries_at(self, name: bytes, positions: Sequence[int]) -> dict[int, bytes | None]:
        """The entries of a name at positions: those that there are, and what type they have."""
        slices: dict[int, list[int]] = {}
        for position in positions:
            slices.setdefault(slice_of_position(position), []).append(position)
        found = await asyncio.gather(
            *(
                self._session.read("read_entries", log=self._log, name=name, slice=number, positions=list(part))
                for number, of_slice in slices.items()
                for part in parts_of(of_slice, CASSANDRA_ROWS_AT_ONCE)
            )
        )
        return {row[0]: row[1] for rows in found for row in rows}

    async def _entries(self, name: bytes, within: Range, most: int) -> list[Row]:
        """The first entries of a name in a range, in its direction."""
        low, high = slice_of_position(within.low), slice_of_position(within.high)
        slices = range(low, high + 1) if within.direction == "forward" else range(high, low - 1, -1)
        found: list[Row] = []
        # Most names stand in the slice where one looks first, or in few: then the rest is empty, and quickly seen.
        for part in [slices[:1], *parts_of(slices[1:], CASSANDRA_SLICES_AT_ONCE)]:
            left = most - len(found)
            if left <= 0:
                break
            for rows in await asyncio.gather(*(self._read_slice(name, number, within, left) for number in part)):
                found += rows
        return found[:most]

    async def _read_slice(self, name: bytes, number: int, within: Range, most: int) -> list[Row]:
        first = number * CASSANDRA_SLICE_POSITIONS
        return await self._session.read(
            f"walk_{within.direction}",
            log=self._log,
            name=name,
            slice=number,
            low=max(within.low, first),
            high=min(within.high, first + CASSANDRA_SLICE_POSITIONS - 1),
            most=most,
        )
