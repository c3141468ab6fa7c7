"""What the index says of an event, and by which keys it is found. Pure.

The index follows from the log alone: every row is the same whoever writes it. What a row counts or sums up is true up
to a position that stands in it, and is written with that position as its write time.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from indelible.engines.cassandra.places import Seen
from indelible.engines.cassandra.session import Statement
from indelible.engines.planner import PlannedEvent
from indelible.events import AggregateKey, RecordedEvent, timestamp_to_us
from indelible.limits import (
    CASSANDRA_PARTITIONS_AT_ONCE,
    CASSANDRA_ROWS_AT_ONCE,
    CASSANDRA_SHARDS,
    CASSANDRA_SLICE_POSITIONS,
    CASSANDRA_SLICE_VERSIONS,
)

_T = TypeVar("_T")

SLOT_BITS: Final = 36
"""Of an id's first 48, which in a UUID of version 7 count milliseconds: a slot is four seconds."""

_SMALL_ROWS: Final = 3
"""So few rows of a Cassandra partition that a request of their own costs more than they do."""

TypeNames = tuple[str, str]
"""Aggregate type and event type."""


class LogEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of the log, as far as the index is concerned."""

    key: AggregateKey
    version: int
    position: int
    timestamp_us: int
    event_id: UUID
    event_type: str
    tags: Sequence[str]

    @property
    def type_names(self) -> TypeNames:
        return self.key.aggregate_type, self.event_type


def of_planned(one: PlannedEvent) -> LogEvent:
    event = one.event
    return LogEvent(
        one.key, one.version, one.position, one.timestamp_us, event.event_id, event.event_type, event.tags
    )  # fmt: skip


def of_recorded(event: RecordedEvent) -> LogEvent:
    return LogEvent(
        event.key, event.version, event.position, timestamp_to_us(event.timestamp), event.event_id, event.event_type,
        event.tags,
    )  # fmt: skip


# --- Keys ------------------------------------------------------------------------------------------------------------


def slot_of(event_id: UUID) -> int:
    """Ids of one batch are looked for together, and written together, where they share a slot. Those that do not begin
    with a time are spread evenly, whoever chose them."""
    if event_id.version == 7:
        return event_id.int >> (128 - SLOT_BITS)
    digest = hashlib.blake2b(event_id.bytes, digest_size=8).digest()
    return -1 - (int.from_bytes(digest, "big") >> (64 - SLOT_BITS))


def shard_of(aggregate_id: str) -> int:
    return zlib.crc32(aggregate_id.encode()) % CASSANDRA_SHARDS


def slice_of_position(position: int) -> int:
    return position // CASSANDRA_SLICE_POSITIONS


def slice_of_version(version: int) -> int:
    return version // CASSANDRA_SLICE_VERSIONS


def type_number(names: TypeNames) -> int:
    """Stands for the two names: so many bits that no two pairs share them."""
    text = "\0".join(names).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "big")


def type_bytes(number: int) -> bytes:
    return number.to_bytes(16, "big")


def name_of_type(number: int) -> bytes:
    return b"e" + type_bytes(number)


def name_of_tag(tag: str) -> bytes:
    return b"t" + tag.encode()


# --- Rows ------------------------------------------------------------------------------------------------------------


class AggregateRow(msgspec.Struct, frozen=True, gc=False):
    """An aggregate as of its event at ``position``."""

    version: int
    position: int
    first_timestamp_us: int
    last_timestamp_us: int

    def with_event(self, event: LogEvent) -> "AggregateRow":
        return AggregateRow(event.version, event.position, self.first_timestamp_us, event.timestamp_us)

    @classmethod
    def of_first(cls, event: LogEvent) -> "AggregateRow":
        return cls(event.version, event.position, event.timestamp_us, event.timestamp_us)


RowKey = tuple[object, ...]
"""Table and Cassandra partition of a row: rows that share it are written together."""


def rows_of_event(log: str, event: LogEvent) -> Iterator[tuple[RowKey, Statement]]:
    """Those that say nothing of any other event."""
    key, position = event.key, event.position
    common = {"log": log, "position": position, "written_at": position}
    names = {"aggregate_type": key.aggregate_type, "aggregate_id": key.aggregate_id}
    part = slice_of_version(event.version)
    yield ("versions", key, part), ("write_version", {**common, **names, "slice": part, "version": event.version})
    slot = slot_of(event.event_id)
    yield ("event_ids", slot), ("write_event_id", {**common, "slot": slot, "event_id": event.event_id})
    number, part = type_number(event.type_names), slice_of_position(position)
    name = name_of_type(number)
    yield ("named_positions", name, part), ("write_entry", {**common, "slice": part, "name": name})
    for tag in event.tags:
        name = name_of_tag(tag)
        values = {**common, "slice": part, "name": name, "type": type_bytes(number)}
        yield ("named_positions", name, part), ("write_entry", values)


def row_of_aggregate(log: str, key: AggregateKey, row: AggregateRow) -> tuple[RowKey, Statement]:
    shard = shard_of(key.aggregate_id)
    values = {
        **msgspec.structs.asdict(row),
        "log": log,
        "aggregate_type": key.aggregate_type,
        "aggregate_id": key.aggregate_id,
        "shard": shard,
        "written_at": row.position,
    }
    return ("aggregates", key.aggregate_type, shard), ("write_aggregate", values)


def row_of_count(log: str, names: TypeNames, count: int, position: int) -> tuple[RowKey, Statement]:
    values = {"aggregate_type": names[0], "event_type": names[1], "count": count, "position": position}
    return ("counts",), ("write_count", {"log": log, **values, "written_at": position})


def row_of_bucket(log: str, bucket: int, begins_after: int) -> tuple[RowKey, Statement]:
    values = {"log": log, "bucket": bucket, "begins_after": begins_after, "written_at": begins_after + 1}
    return ("buckets",), ("write_bucket", values)


def row_of_head(log: str, seen: Seen) -> Statement:
    values = {
        "log": log,
        "position": seen.head.position,
        "timestamp_us": seen.head.timestamp_us,
        "hash": seen.head.hash,
        "bucket": seen.bucket,
        "types": seen.types,
        "written_at": seen.head.position,
    }
    return "write_head", values


def together(rows: Iterable[tuple[RowKey, Statement]]) -> list[Sequence[Statement]]:
    """By requests: those of a Cassandra partition in one, unless they are very many; and of partitions that get little,
    several."""
    groups: dict[RowKey, list[Statement]] = {}
    for row_key, statement in rows:
        groups.setdefault(row_key, []).append(statement)
    parts = [part for group in groups.values() for part in parts_of(group, CASSANDRA_ROWS_AT_ONCE)]
    small = [part for part in parts if len(part) <= _SMALL_ROWS]
    packed: list[Sequence[Statement]] = [
        [statement for part in some for statement in part] for some in parts_of(small, CASSANDRA_PARTITIONS_AT_ONCE)
    ]
    return packed + [part for part in parts if len(part) > _SMALL_ROWS]


def parts_of(items: Sequence[_T], most: int) -> list[Sequence[_T]]:
    return [items[first : first + most] for first in range(0, len(items), most)]
