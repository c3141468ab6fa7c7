"""Lists of what a log holds, and what its index lacks. Counts, and aggregates in a list, may be ahead of the head by
what is being committed."""

import asyncio
from collections.abc import Sequence
from typing import Final

from indelible.engines.cassandra.log_events import (
    AggregateRow,
    LogEvent,
    name_of_tag,
    name_of_type,
    of_recorded,
    type_bytes,
    type_number,
)
from indelible.engines.cassandra.lookups import find_aggregates, find_positions_of_ids, read_counts
from indelible.engines.cassandra.reads import Reads, info_of
from indelible.engines.cassandra.session import CassandraSession, Row
from indelible.engines.rows import range_of, readable_event
from indelible.events import AggregateKey
from indelible.eventstore import AggregateInfo, AggregateTypeInfo, EventTypeInfo
from indelible.limits import CASSANDRA_SHARDS

_LEAST: Final = "\0"
"""Behind a name it makes the next one."""


class Catalogue:
    """Of one log."""

    def __init__(self, session: CassandraSession, log: str, reads: Reads) -> None:
        self._session: Final = session
        self._log: Final = log
        self._reads: Final = reads

    async def event_types(self, *, prefix: str = "") -> tuple[EventTypeInfo, ...]:
        counts = await read_counts(self._session, self._log)
        found = [
            EventTypeInfo(event_type, aggregate_type, count)
            for (aggregate_type, event_type), (count, _) in counts.items()
            if event_type and event_type.startswith(prefix)
        ]
        return tuple(sorted(found, key=lambda one: (one.event_type.encode(), one.aggregate_type.encode())))

    async def aggregate_types(self, *, prefix: str = "") -> tuple[AggregateTypeInfo, ...]:
        counts = await read_counts(self._session, self._log)
        events: dict[str, int] = {}
        for (aggregate_type, event_type), (count, _) in counts.items():
            if aggregate_type.startswith(prefix):
                events[aggregate_type] = events.get(aggregate_type, 0) + (count if event_type else 0)
        return tuple(
            AggregateTypeInfo(name, counts.get((name, ""), (0, 0))[0], events[name])
            for name in sorted(events, key=str.encode)
        )

    # --- Aggregates --------------------------------------------------------------------------------------------------

    async def aggregates(
        self, *, aggregate_type: str | None, prefix: str = "", after: AggregateKey | None, limit: int
    ) -> tuple[AggregateInfo, ...]:
        names = [one.aggregate_type for one in await self.aggregate_types()]
        found: list[AggregateInfo] = []
        for name in names:
            is_listed = name >= after.aggregate_type if after is not None else True
            if not is_listed or aggregate_type not in (None, name):
                continue
            after_id = after.aggregate_id if after is not None and after.aggregate_type == name else ""
            found += await self._of_type(name, prefix, after_id, limit - len(found))
            if len(found) >= limit:
                break
        return tuple(found)

    async def _of_type(self, aggregate_type: str, prefix: str, after_id: str, limit: int) -> list[AggregateInfo]:
        """The first ``limit``, part by part. Every shard gives its share of a part, which is whole up to where the
        first of those that have more ends."""
        seen = await self._reads.seen()
        bounds, found = range_of(prefix), list[AggregateInfo]()
        first = max(bounds["prefix"], after_id + _LEAST if after_id else "")
        while True:
            most = (limit - len(found)) // CASSANDRA_SHARDS + 2
            shards = await self._read_shards(aggregate_type, first, bounds["behind"], most)
            end = min((rows[-1][0] for rows in shards if len(rows) == most), default=None)
            for name, *values in sorted(row for rows in shards for row in rows if end is None or row[0] <= end):
                key = AggregateKey(aggregate_type, name)
                row = await self._reads.as_seen(key, AggregateRow(*values), seen)
                if row is not None:
                    found.append(info_of(key, row))
                if len(found) == limit:
                    return found
            if end is None:
                return found
            first = end + _LEAST

    async def _read_shards(self, aggregate_type: str, first: str, behind: str, most: int) -> list[list[Row]]:
        return await asyncio.gather(
            *(
                self._session.read(
                    "list_aggregates", log=self._log, aggregate_type=aggregate_type, shard=shard, first=first,
                    behind=behind, most=most,
                )
                for shard in range(CASSANDRA_SHARDS)
            )
        )  # fmt: skip

    # --- What the index lacks ----------------------------------------------------------------------------------------

    async def unindexed(self, first: int, last: int) -> tuple[int, str] | None:
        lines = await self._reads.lines.found(range(first, last + 1))
        readable = [event for line in lines.values() if (event := readable_event(line)) is not None]
        events = sorted(map(of_recorded, readable), key=lambda event: event.position)
        lost = await asyncio.gather(
            self._without_id(events), self._without_aggregate(events), self._without_version(events),
            self._without_type(events), self._without_tag(events),
        )  # fmt: skip
        # Of one event's fields the first in this order.
        named = [
            (position, number) for number, positions in enumerate(lost) for position in positions
        ]  # fmt: skip
        if not named:
            return None
        position, number = min(named)
        return position, ("event_id", "aggregate_id", "version", "event_type", "tag")[number]

    async def _without_id(self, events: Sequence[LogEvent]) -> list[int]:
        found = await find_positions_of_ids(self._session, self._log, [event.event_id for event in events])
        return [event.position for event in events if found.get(event.event_id) != event.position]

    async def _without_aggregate(self, events: Sequence[LogEvent]) -> list[int]:
        found = await find_aggregates(self._session, self._log, {event.key for event in events})
        return [
            event.position for event in events if event.key not in found or found[event.key].version < event.version
        ]

    async def _without_version(self, events: Sequence[LogEvent]) -> list[int]:
        versions: dict[AggregateKey, list[int]] = {}
        for event in events:
            versions.setdefault(event.key, []).append(event.version)
        places = dict(
            zip(
                versions,
                await asyncio.gather(
                    *(self._reads.places(key, min(numbers), max(numbers)) for key, numbers in versions.items())
                ),
                strict=True,
            )
        )
        return [event.position for event in events if places[event.key].get(event.version) != event.position]

    async def _without_type(self, events: Sequence[LogEvent]) -> list[int]:
        positions: dict[bytes, list[int]] = {}
        for event in events:
            positions.setdefault(name_of_type(type_number(event.type_names)), []).append(event.position)
        found = await asyncio.gather(*(self._reads.walks.entries_at(*asked) for asked in positions.items()))
        counts = await read_counts(self._session, self._log)
        lost = [
            one for having, asked in zip(found, positions.values(), strict=True) for one in asked if one not in having
        ]
        return lost + [event.position for event in events if event.type_names not in counts]

    async def _without_tag(self, events: Sequence[LogEvent]) -> list[int]:
        tagged: dict[str, list[LogEvent]] = {}
        for event in events:
            for tag in event.tags:
                tagged.setdefault(tag, []).append(event)
        found = await asyncio.gather(
            *(
                self._reads.walks.entries_at(name_of_tag(tag), [one.position for one in of_tag])
                for tag, of_tag in tagged.items()
            )
        )
        return [
            one.position
            for having, of_tag in zip(found, tagged.values(), strict=True)
            for one in of_tag
            if having.get(one.position) != type_bytes(type_number(one.type_names))
        ]
