"""Looks into the index for many names at once: a request for each Cassandra partition that they are in."""

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from indelible.engines.cassandra.log_events import AggregateRow, TypeNames, parts_of, shard_of, slot_of
from indelible.engines.cassandra.session import CassandraSession, Row
from indelible.events import AggregateKey
from indelible.limits import CASSANDRA_PARTS_AT_ONCE, CASSANDRA_ROWS_AT_ONCE
from indelible.tasks import few_at_once

_K = TypeVar("_K")


async def find_aggregates(
    session: CassandraSession, log: str, keys: Iterable[AggregateKey]
) -> dict[AggregateKey, AggregateRow]:
    """The rows of those that there are, however far they are."""
    groups: dict[tuple[str, int], list[str]] = {}
    for key in keys:
        groups.setdefault((key.aggregate_type, shard_of(key.aggregate_id)), []).append(key.aggregate_id)

    async def find(aggregate_type: str, shard: int, ids: Sequence[str]) -> list[tuple[AggregateKey, AggregateRow]]:
        rows = await session.read(
            "read_aggregates", log=log, aggregate_type=aggregate_type, shard=shard, aggregate_ids=list(ids)
        )
        return [(AggregateKey(aggregate_type, row[0]), AggregateRow(*row[1:])) for row in rows]

    return dict(
        await _all(
            find(aggregate_type, shard, part)
            for (aggregate_type, shard), ids in groups.items()
            for part in parts_of(ids, CASSANDRA_ROWS_AT_ONCE)
        )
    )


async def find_positions_of_ids(session: CassandraSession, log: str, event_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Where the events stand that there are."""
    groups: dict[int, list[UUID]] = {}
    for event_id in event_ids:
        groups.setdefault(slot_of(event_id), []).append(event_id)

    async def find(slot: int, ids: Sequence[UUID]) -> list[Row]:
        return await session.read("read_event_ids", log=log, slot=slot, event_ids=list(ids))

    return dict(
        await _all(find(slot, part) for slot, ids in groups.items() for part in parts_of(ids, CASSANDRA_ROWS_AT_ONCE))
    )


async def read_counts(session: CassandraSession, log: str) -> Mapping[TypeNames, tuple[int, int]]:
    """Of types, and of aggregates where the event type is empty: how many, and up to which position that is true."""
    rows = await session.read("read_counts", log=log)
    return {(aggregate_type, event_type): (count, position) for _, aggregate_type, event_type, count, position in rows}


async def _all(finding: Iterable[Coroutine[Any, Any, Sequence[_K]]]) -> list[_K]:
    return [one for found in await few_at_once(CASSANDRA_PARTS_AT_ONCE, finding) for one in found]
