"""What each partition says of the store that it is a part of, as an event of the store's own in its log: so any engine
keeps it, and no partition is taken for a whole store, or put in another's place."""

import contextlib
from collections.abc import Sequence
from typing import Final, Protocol
from uuid import uuid4

import msgspec

from indelible.conditions import ExpectedVersion
from indelible.errors import InvalidRequest, StoreCorrupted, VersionConflict
from indelible.events import NewEvent
from indelible.eventstore import AggregateList, AggregatePage, AppendResult, Head
from indelible.partition_keys import MARK_AGGREGATE_TYPE

PARTITION_MADE: Final = "PartitionMade"


class Mark(msgspec.Struct, frozen=True):
    """The data of a ``PartitionMade``."""

    store_id: str
    partition: int
    """From 0."""
    partitions: int
    partition_keys: dict[str, str]


class _Log(Protocol):
    """What of a partition is needed here."""

    async def list_aggregates(self, *, aggregate_type: str, limit: int) -> AggregateList: ...

    async def read_aggregate(self, aggregate_type: str, aggregate_id: str, *, limit: int) -> AggregatePage: ...

    async def append_reserved(
        self, aggregate_type: str, aggregate_id: str, events: Sequence[NewEvent], *, expected_version: ExpectedVersion
    ) -> AppendResult: ...

    async def head(self) -> Head: ...


async def read_mark(log: _Log) -> Mark | None:
    for one in (await log.list_aggregates(aggregate_type=MARK_AGGREGATE_TYPE, limit=1)).aggregates:
        page = await log.read_aggregate(MARK_AGGREGATE_TYPE, one.aggregate_id, limit=1)
        return msgspec.convert(page.events[0].event_data, Mark)
    return None


async def check_whole(log: _Log) -> None:
    """Raises ``InvalidRequest`` for a log that is one of several partitions."""
    mark = None
    # One that is damaged is opened all the same, to be verified.
    with contextlib.suppress(StoreCorrupted):
        mark = await read_mark(log)
    if mark is not None:
        raise InvalidRequest(
            f"this is partition {mark.partition} of {mark.partitions} of a store; open it as that: its URL has "
            f"?partitions={mark.partitions}, or names all of its databases",
            pointer="/store",
        )


async def check_partitions(logs: Sequence[_Log], configured: dict[str, str] | None, *, may_make: bool) -> Mark | None:
    """The mark of the first of the partitions, once all have theirs: those that are new get one if it ``may_make``
    them. ``configured``: the partition keys that a store gets when it is made, and that one that is there must have;
    None asks for nothing. None where there is no mark and none may be made. Raises ``InvalidRequest`` for partitions
    that do not make one store."""
    first = await _marked(logs[0], Mark(uuid4().hex, 0, len(logs), configured or {}), may_make=may_make)
    if first is None:
        return None
    if first.partitions != len(logs):
        raise InvalidRequest(
            f"the store has {first.partitions} partitions, for ever, not {len(logs)}", pointer="/store",
            partitions=first.partitions,
        )  # fmt: skip
    if configured is not None and configured != first.partition_keys:
        raise InvalidRequest(
            f"the store was made with other partition keys, for ever: {first.partition_keys}", pointer="/partition_keys"
        )
    for n, log in enumerate(logs):
        expected = msgspec.structs.replace(first, partition=n)
        mark = await _marked(log, expected, may_make=may_make)
        if mark not in (None, expected):
            raise InvalidRequest(
                f"what is given as partition {n} says that it is another: name a store's databases always in the same "
                "order",
                pointer="/store",
            )
    return first


async def _marked(log: _Log, mark: Mark, *, may_make: bool) -> Mark | None:
    """The log's mark, perhaps made just now."""
    before = (await log.head()).position
    there = await read_mark(log)
    if there is not None or not may_make:
        return there
    if before:
        raise InvalidRequest(
            f"partition {mark.partition} holds a store of its own already. A store gets its partitions when it is "
            "made, and keeps their number",
            pointer="/store",
        )
    return await _make(log, mark)


async def _make(log: _Log, mark: Mark) -> Mark:
    """The mark that the log has now: another process may have come first."""
    event = NewEvent(PARTITION_MADE, msgspec.to_builtins(mark))
    try:
        await log.append_reserved(MARK_AGGREGATE_TYPE, str(mark.partition), [event], expected_version="none")
    except VersionConflict:
        made = await read_mark(log)
        assert made is not None
        return made
    return mark
