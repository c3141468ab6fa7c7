"""The Cassandra engine: one partition's log, on nodes of which any may die, for any number of servers.

Order comes from one thing alone: a commit takes effect only where the log ends as it expects (:mod:`commits`,
:mod:`places`). All else follows from the log, and may be written again by whoever finds it lacking (:mod:`proposer`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from indelible.diagnostics import Capabilities, CommitCounts, Finding
from indelible.engines.cassandra import examination, managing
from indelible.engines.cassandra.address import Address
from indelible.engines.cassandra.catalogue import Catalogue
from indelible.engines.cassandra.commits import BucketSize
from indelible.engines.cassandra.groups import Groups
from indelible.engines.cassandra.layout import check_layout
from indelible.engines.cassandra.proposer import Proposer
from indelible.engines.cassandra.reads import Reads
from indelible.engines.cassandra.relays import Relays
from indelible.engines.cassandra.schema import check_tables
from indelible.engines.cassandra.session import CassandraSession, acquire, managing_session
from indelible.engines.cassandra.snapshots import Snapshots
from indelible.engines.cassandra.writes import Batch, Recorded, Write
from indelible.engines.engine import AppendOutcome, FallibleEngine, InitReport, aggregate_not_found, store_closed
from indelible.engines.group_storage import GroupChange, StoredGroup
from indelible.engines.head_signal import HeadSignal
from indelible.engines.planner import Plan
from indelible.engines.relay_storage import StoredRelay
from indelible.errors import InvalidRequest, StorageFailure
from indelible.events import RecordedEvent, Snapshot
from indelible.eventstore import AppendRequest
from indelible.limits import CASSANDRA_BUCKET_EVENTS_MAX, CASSANDRA_BUCKET_SIZE_BYTES_MAX, HEAD_POLL_S

_T = TypeVar("_T")
_P = ParamSpec("_P")
_O = TypeVar("_O")

_BUCKET_SIZE: Final = BucketSize(CASSANDRA_BUCKET_EVENTS_MAX, CASSANDRA_BUCKET_SIZE_BYTES_MAX)


def _system_clock_us() -> int:
    return time.time_ns() // 1_000


class _Opened:
    """What an engine works with while it is open."""

    def __init__(
        self,
        session: CassandraSession,
        log: str,
        bucket_size: BucketSize,
        clock_us: Callable[[], int],
        counts: CommitCounts,
    ) -> None:
        self.session: Final = session
        self.reads: Final = Reads(session, log)
        self.catalogue: Final = Catalogue(session, log, self.reads)
        self.groups: Final = Groups(session, log)
        self.relays: Final = Relays(session, log)
        self.snapshots: Final = Snapshots(session, log)
        self.proposer: Final = Proposer(session, log, self.reads.lines, bucket_size, clock_us=clock_us, counts=counts)

    async def close(self) -> None:
        await self.proposer.close()
        await self.session.release()


def _reading(
    of: Callable[[_Opened], _O], read: Callable[Concatenate[_O, _P], Awaitable[_T]]
) -> "Callable[Concatenate[CassandraEngine, _P], Coroutine[Any, Any, _T]]":
    """A read of the contract that is a method of one of these."""

    async def call(engine: "CassandraEngine", /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await read(of(engine.opened), *args, **kwargs)

    return call


class CassandraEngine(FallibleEngine):
    """Implements :class:`indelible.engines.engine.Engine` for partition ``number`` of the store at ``address``.

    ``read_only``: every write is refused. ``bucket_size`` is that of buckets which are filled from now on.
    """

    capabilities = Capabilities(durable=True, many_processes=True, read_only_beside_writer=True)

    def __init__(
        self,
        address: Address,
        number: int = 0,
        *,
        read_only: bool = False,
        bucket_size: BucketSize = _BUCKET_SIZE,
        clock_us: Callable[[], int] = _system_clock_us,
    ) -> None:
        super().__init__(read_only=read_only)
        self._address: Final = address
        self._log: Final = address.log(number)
        self._bucket_size: Final = bucket_size
        self._clock_us: Final = clock_us
        self._counts: Final = CommitCounts()
        self._opened: _Opened | None = None
        self._writing: Final = asyncio.Lock()
        self._signal: Final = HeadSignal(self._head_position, poll_s=HEAD_POLL_S)

    @property
    def opened(self) -> _Opened:
        if self._opened is None:
            raise store_closed()
        return self._opened

    # --- Opening and closing -----------------------------------------------------------------------------------------

    async def open(self) -> None:
        session = await acquire(self._address)
        opened = _Opened(session, self._log, self._bucket_size, self._clock_us, self._counts)
        try:
            await check_tables(session)
            await check_layout(session, self._log, may_keep=not self._read_only)
            if not self._read_only:
                await opened.proposer.catch_up()
        except BaseException:
            await opened.close()
            raise
        self._opened = opened
        self._signal.open()

    async def close(self) -> None:
        async with self._writing:
            opened, self._opened = self._opened, None
        await self._signal.close()
        if opened is not None:
            await opened.close()

    def commit_counts(self) -> CommitCounts:
        return self._counts

    # --- Managing ----------------------------------------------------------------------------------------------------

    async def init(
        self, *, runtime_role: str | None, password: str | None, post_deploy: bool, replication: str | None = None
    ) -> InitReport:
        if post_deploy:
            raise InvalidRequest("this kind of store has no post-deploy steps", pointer="/post_deploy")
        async with managing_session(self._address) as session:
            return await managing.init(session, replication=replication, runtime_role=runtime_role, password=password)

    async def examine(self) -> list[Finding]:
        session = await acquire(self._address)
        try:
            return await examination.examine(session)
        finally:
            await session.release()

    # --- Writing -----------------------------------------------------------------------------------------------------

    async def append(self, batch: Sequence[AppendRequest]) -> list[AppendOutcome]:
        return (await self._append(Batch(batch))).outcomes

    async def append_recorded(self, events: Sequence[RecordedEvent]) -> None:
        if events:
            await self._append(Recorded(events))

    async def _append(self, write: Write) -> Plan:
        async with self._writing:
            opened = self._require(self._opened)
            try:
                decided = await opened.proposer.append(write)
            except StorageFailure as failure:
                self._fail(failure)
                raise
        if decided.events:
            self._signal.moved(decided.head.position)
        return decided

    async def check_writable(self, size_bytes: int) -> None:  # noqa: ARG002 - nodes do not refuse by size
        await self._require(self._opened).proposer.try_out()

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        opened = self._require(self._opened)
        if await opened.reads.aggregate_info(snapshot.key) is None:
            raise aggregate_not_found(snapshot.key)
        await opened.snapshots.save(snapshot)

    async def create_group(self, group: StoredGroup, *, groups_max: int) -> bool:
        return await self._require(self._opened).groups.create(group, groups_max)

    async def save_group(self, change: GroupChange) -> bool:
        return await self._require(self._opened).groups.save(change)

    async def delete_group(self, name: str, *, created_us: int | None = None) -> bool:
        return await self._require(self._opened).groups.delete(name, created_us)

    async def save_relay(self, relay: StoredRelay, *, relays_max: int) -> bool:
        return await self._require(self._opened).relays.save(relay, relays_max)

    # --- Reading -----------------------------------------------------------------------------------------------------

    async def _head_position(self) -> int:
        return await self.opened.reads.head_position()

    async def wait_for_head(self, after: int) -> int:
        return await self._signal.wait(after)

    head = _reading(lambda opened: opened.reads, Reads.head)
    read_aggregate = _reading(lambda opened: opened.reads, Reads.aggregate)
    read_feed = _reading(lambda opened: opened.reads, Reads.feed)
    locate_position = _reading(lambda opened: opened.reads, Reads.locate_position)
    locate_version = _reading(lambda opened: opened.reads, Reads.locate_version)
    scan_condition = _reading(lambda opened: opened.reads, Reads.scan_condition)
    read_event = _reading(lambda opened: opened.reads, Reads.event)
    read_events = _reading(lambda opened: opened.reads, Reads.events)
    read_aggregate_info = _reading(lambda opened: opened.reads, Reads.aggregate_info)
    list_event_types = _reading(lambda opened: opened.catalogue, Catalogue.event_types)
    list_aggregate_types = _reading(lambda opened: opened.catalogue, Catalogue.aggregate_types)
    list_aggregates = _reading(lambda opened: opened.catalogue, Catalogue.aggregates)
    find_unindexed = _reading(lambda opened: opened.catalogue, Catalogue.unindexed)

    load_snapshot = _reading(lambda opened: opened.snapshots, Snapshots.load)
    list_groups = _reading(lambda opened: opened.groups, Groups.summaries)
    load_group = _reading(lambda opened: opened.groups, Groups.load)
    reload_group = _reading(lambda opened: opened.groups, Groups.reload)
    list_skipped = _reading(lambda opened: opened.groups, Groups.skipped)
    now_us = _reading(lambda opened: opened.groups, Groups.now_us)
    load_relay = _reading(lambda opened: opened.relays, Relays.load)
    list_relays = _reading(lambda opened: opened.relays, Relays.load_all)

    async def find_missing_end(self) -> None:
        # Whoever appends compares the log's end with the head that readers see.
        pass

    async def storage_size_bytes(self) -> int:
        # The nodes know of their own parts alone, and those include what is not compacted yet.
        return 0
