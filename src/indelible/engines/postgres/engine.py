"""The PostgreSQL engine: one database, any number of servers that read and write.

Whoever appends locks the head's row, so appends of all servers take effect one after another, and positions are handed
out as they are committed. Each server gathers a batch while its last one is on its way, and writes it in one
transaction.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from copy import copy
from typing import Final, TypeVar
from uuid import UUID

import psycopg

from indelible.diagnostics import Capabilities
from indelible.engines.engine import AppendOutcome, InitReport, Lines, LogHead
from indelible.engines.feed_walk import Look
from indelible.engines.group_storage import GroupChange, GroupState, GroupSummary, GroupUnmoved, StoredGroup, loaded
from indelible.engines.planner import Plan
from indelible.engines.postgres import schema
from indelible.engines.postgres.appender import Appender
from indelible.engines.postgres.connections import Address, Connection, Statements, connect, is_pooled, parse_address
from indelible.engines.postgres.failures import translated, unreachable
from indelible.engines.postgres.groups import Groups
from indelible.engines.postgres.head_watch import HeadWatch
from indelible.engines.postgres.pool import Readers
from indelible.engines.postgres.reads import Reads
from indelible.engines.postgres.schema import Partitions
from indelible.engines.postgres.writer import WOULD_LOSE_COMMITS, Batch, Recorded, Wanted, try_append
from indelible.errors import (
    AggregateNotFound,
    IndelibleError,
    InvalidRequest,
    OutcomeUnknown,
    PayloadTooLarge,
    ShuttingDown,
    StorageFailure,
    StoreCorrupted,
    Unavailable,
)
from indelible.events import AggregateKey, RecordedEvent, Snapshot
from indelible.eventstore import AggregateInfo, AggregateTypeInfo, AppendRequest, EventTypeInfo
from indelible.groups import SkippedEvent
from indelible.limits import HEAD_POLL_S, PAGE_SIZE_BYTES_MAX, PARTITION_POSITIONS, RETRY_AFTER_S
from indelible.queries import Direction, EventQuery

_T = TypeVar("_T")


class PostgresEngine:
    """Implements :class:`indelible.engines.engine.Engine` over the database that ``url`` names (see
    :func:`indelible.engines.postgres.connections.parse_address`).

    ``read_only``: nothing is created or migrated, and every write is refused. ``partition_positions`` is the size of
    tables of the log that are made from now on.
    """

    capabilities = Capabilities(durable=True, many_processes=True, read_only_beside_writer=True)

    def __init__(self, url: str, *, read_only: bool = False, partition_positions: int = PARTITION_POSITIONS) -> None:
        self._address: Final[Address] = parse_address(url)
        self._read_only: Final = read_only
        self._statement: Final = Statements(self._address.schema)
        self._readers = Readers(self._address, read_only=read_only)
        self._partitions = Partitions(self._statement, self._connect, positions_each=partition_positions)
        self._making_partitions: asyncio.Task[None] | None = None
        self._appender: Appender | None = None
        self._writing = asyncio.Lock()
        self._failure: StorageFailure | None = None
        self._watch = HeadWatch(
            self._address.schema, connect=self._connect, read_head=self._head_position, send=self._send
        )
        self.on_failure: Callable[[StorageFailure], None] = _tell_nobody
        self.warnings: tuple[str, ...] = ()

    async def _connect(self) -> Connection:
        return await connect(self._address, read_only=self._read_only)

    # --- Opening and closing -----------------------------------------------------------------------------------------

    async def open(self) -> None:
        async with self._opened_connection() as connection:
            await self._prepare(connection)
        await self._readers.open()

    @contextlib.asynccontextmanager
    async def _opened_connection(self) -> AsyncIterator[Connection]:
        """A connection for one purpose, whose errors come as the store's."""
        try:
            connection = await self._connect()
        except psycopg.Error as error:
            raise unreachable(error, "is it running, and is the store's URL right?") from error
        try:
            async with connection:
                yield connection
        except psycopg.Error as error:
            raise translated(error) from error

    async def _prepare(self, connection: Connection) -> None:
        steps, name = schema.migrations(), self._address.schema
        await schema.check_server(connection)
        done = await schema.read_done(connection, name)
        is_behind = done is None or done.pre < schema.newest(steps)
        if is_behind and not self._read_only and await schema.may_migrate(connection, name):
            await schema.migrate(connection, name, steps)
            done = await schema.read_done(connection, name)
        schema.check_fits(done, steps, name)
        head = await self._check_log(connection)
        if self._read_only:
            return
        await self._check_durability(connection)
        self.warnings = await self._find_warnings(connection)
        await self._partitions.make(head)
        self._appender = Appender(self._address, self._statement, self._partitions)

    async def _check_log(self, connection: Connection) -> int:
        head, last = await Reads(connection, self._statement).ends()
        if head != last:
            raise StoreCorrupted(
                f"the log ends at position {last}, but its head says {head}: was only a part restored?",
                position=min(head, last) + 1,
            )
        return head

    async def _check_durability(self, connection: Connection) -> None:
        row = await (await connection.execute("SHOW synchronous_commit")).fetchone()
        if row == ("off",) and not self._address.may_lose_commits:
            raise InvalidRequest(WOULD_LOSE_COMMITS, pointer="/store")

    async def _find_warnings(self, connection: Connection) -> tuple[str, ...]:
        found = []
        rights = await schema.excessive_rights(connection, self._address.schema)
        if rights:
            found.append(
                f'the database role "{connection.info.user}" can do more than append: it {", ".join(rights)}. '
                '"indelible init --runtime-role NAME" makes one that cannot'
            )
        if is_pooled(connection):
            found.append(
                "a connection pooler stands before the database, so no notifications come through: the head is looked "
                f"at every {HEAD_POLL_S:g} s instead"
            )
        if self._address.may_lose_commits:
            found.append("synchronous_commit=off: a crash of the database may lose acknowledged events")
        return tuple(found)

    async def init(self, *, runtime_role: str | None, password: str | None, post_deploy: bool) -> InitReport:
        name = self._address.schema
        wanted: tuple[schema.Step, ...] = ("pre", "post") if post_deploy else ("pre",)
        async with self._opened_connection() as connection:
            await schema.check_server(connection)
            done = await schema.migrate(connection, name, schema.migrations(), wanted)
            is_new = runtime_role is not None and await schema.grant_runtime_role(
                connection, name, runtime_role, password
            )
            await self._partitions.make(await self._check_log(connection))
        return InitReport(tuple(f"{one.version:04d} {one.step}" for one in done), runtime_role, is_new)

    async def close(self) -> None:
        async with self._writing:
            appender, self._appender = self._appender, None
            await self._watch.close()
            if self._making_partitions is not None:
                await asyncio.gather(self._making_partitions, return_exceptions=True)
            if appender is not None:
                await appender.close()
        await self._readers.close()

    # --- Writing -----------------------------------------------------------------------------------------------------

    async def append(self, batch: Sequence[AppendRequest]) -> list[AppendOutcome]:
        try:
            return (await self._append(Batch(batch))).outcomes
        except PayloadTooLarge as error:
            return [error] if len(batch) == 1 else await self._append_by_halves(batch)

    async def _append_by_halves(self, batch: Sequence[AppendRequest]) -> list[AppendOutcome]:
        """For a batch that is too large for one transaction, though no request of it may be."""
        middle = len(batch) // 2
        outcomes, rest = await self.append(batch[:middle]), batch[middle:]
        # From here on something may be stored, so what fails is an outcome.
        try:
            outcomes += await self.append(rest)
        except Unavailable as error:
            outcomes += [copy(error) for _ in rest]
        except StorageFailure as failure:
            message = (
                f"the commit failed ({failure.message}); append again with the same event ids to learn the outcome"
            )
            outcomes += [OutcomeUnknown(message) for _ in rest]
        return outcomes

    async def append_recorded(self, events: Sequence[RecordedEvent]) -> None:
        if events:
            await self._append(Recorded(events))

    async def _append(self, wanted: Wanted) -> Plan:
        async with self._writing:
            appender = self._require_appender()
            try:
                decided = await appender.append(wanted)
            except StorageFailure as failure:
                self._fail(failure)
                raise
        if decided.events:
            self._moved(decided.head.position)
        return decided

    def _moved(self, head: int) -> None:
        self._watch.moved(head)
        if self._partitions.is_short(head) and self._making_partitions is None:
            self._making_partitions = asyncio.create_task(self._make_partitions(head), name="make-partitions")

    async def _make_partitions(self, head: int) -> None:
        try:
            # What keeps it from being made now is told by the append that needs it, if it is not gone by then.
            with contextlib.suppress(IndelibleError):
                await self._partitions.make(head)
        finally:
            self._making_partitions = None

    def _fail(self, failure: StorageFailure) -> None:
        self._failure = failure
        self.on_failure(failure)

    def _require_appender(self) -> Appender:
        if self._failure is not None:
            raise StorageFailure(self._failure.message, nothing_stored=True)
        if self._read_only:
            raise InvalidRequest("the store is open for reading only")
        if self._appender is None:
            raise ShuttingDown("the store is closed", retry_after_s=RETRY_AFTER_S)
        return self._appender

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        if not await self._change(lambda connection, _: Reads(connection, self._statement).save_snapshot(snapshot)):
            raise AggregateNotFound(
                f"no aggregate {snapshot.key.stream}",
                aggregate_type=snapshot.aggregate_type,
                aggregate_id=snapshot.aggregate_id,
            )

    async def create_group(self, group: StoredGroup, *, groups_max: int) -> bool:
        return await self._change(
            lambda connection, may_be_done: self._groups(connection).create(group, groups_max, may_be_done)
        )

    async def save_group(self, change: GroupChange) -> bool:
        return await self._change(lambda connection, may_be_done: self._groups(connection).save(change, may_be_done))

    async def delete_group(self, name: str) -> bool:
        locked: list[int] = []
        return await self._change(lambda connection, _: self._groups(connection).delete(name, locked))

    async def _change(self, change: Callable[[Connection, bool], Awaitable[_T]]) -> _T:
        self._require_appender()
        # In a task of its own: a caller that gives up must not leave it half way, where nobody hears what it came to.
        return await asyncio.shield(asyncio.create_task(self._change_alone(change), name="change"))

    async def _change_alone(self, change: Callable[[Connection, bool], Awaitable[_T]]) -> _T:
        try:
            return await self._readers.change(change)
        except StorageFailure as failure:
            self._fail(failure)
            raise

    def _groups(self, connection: Connection) -> Groups:
        return Groups(connection, self._statement)

    # --- Reading -----------------------------------------------------------------------------------------------------

    async def _read(self, read: Callable[[Reads], Awaitable[_T]]) -> _T:
        return await self._readers.run(lambda connection: read(Reads(connection, self._statement)))

    async def _with_groups(self, use: Callable[[Groups], Awaitable[_T]]) -> _T:
        return await self._readers.run(lambda connection: use(self._groups(connection)))

    async def _send(self, sql: str) -> None:
        await self._readers.run(lambda connection: connection.execute(sql, prepare=False))

    async def head(self) -> LogHead:
        return await self._read(Reads.head)

    async def _head_position(self) -> int:
        return (await self.head()).position

    async def wait_for_head(self, after: int) -> int:
        return await self._watch.wait(after)

    async def read_aggregate(
        self, key: AggregateKey, *, from_version: int, to_version: int, direction: Direction, limit: int
    ) -> tuple[int, Lines]:
        return await self._read(
            lambda reads: reads.aggregate(
                key, from_version=from_version, to_version=to_version, direction=direction, limit=limit
            )
        )

    async def read_feed(
        self,
        query: EventQuery,
        *,
        after: int,
        until: int,
        direction: Direction,
        limit: int,
        size_bytes_max: int = PAGE_SIZE_BYTES_MAX,
    ) -> Lines:
        return await self._read(
            lambda reads: reads.feed(
                query, after=after, until=until, direction=direction, limit=limit, size_bytes_max=size_bytes_max
            )
        )

    async def locate_position(self, position: int) -> tuple[AggregateKey, int] | None:
        return await self._read(lambda reads: reads.locate_position(position))

    async def locate_version(self, key: AggregateKey, version: int) -> tuple[int, int] | None:
        return await self._read(lambda reads: reads.locate_version(key, version))

    async def look(self, look: Look, entries_max: int) -> Look:
        return await self._read(lambda reads: reads.look(look, entries_max))

    async def read_event(self, event_id: UUID) -> bytes | None:
        return await self._read(lambda reads: reads.event(event_id))

    async def read_aggregate_info(self, key: AggregateKey) -> AggregateInfo | None:
        return await self._read(lambda reads: reads.aggregate_info(key))

    async def list_event_types(self) -> tuple[EventTypeInfo, ...]:
        return await self._read(Reads.event_types)

    async def list_aggregate_types(self) -> tuple[AggregateTypeInfo, ...]:
        return await self._read(Reads.aggregate_types)

    async def list_aggregates(
        self, *, aggregate_type: str | None, after: AggregateKey | None, limit: int
    ) -> tuple[AggregateInfo, ...]:
        return await self._read(lambda reads: reads.aggregates(aggregate_type, after, limit))

    async def load_snapshot(self, key: AggregateKey, *, at_version: int | None) -> Snapshot | None:
        return await self._read(lambda reads: reads.snapshot(key, at_version))

    async def list_groups(self, name: str | None = None) -> tuple[GroupSummary, ...]:
        return await self._with_groups(lambda groups: groups.summaries(name))

    async def load_group(self, name: str) -> GroupState | None:
        return loaded(await self._with_groups(lambda groups: groups.load(name)))

    async def reload_group(self, name: str, revision: int) -> GroupState | GroupUnmoved | None:
        return await self._with_groups(lambda groups: groups.load(name, revision))

    async def list_skipped(self, name: str, *, after: int, limit: int) -> tuple[SkippedEvent, ...]:
        return await self._with_groups(lambda groups: groups.skipped(name, after, limit))

    async def now_us(self) -> int:
        return await self._with_groups(Groups.now_us)

    async def find_missing_end(self) -> None:
        # A dump has all tables as of one moment, and opening compares the head with the log.
        pass

    async def check_writable(self, size_bytes: int) -> None:
        self._require_appender()
        await self._readers.run(lambda connection: try_append(connection, self._statement, size_bytes))

    async def find_unindexed(self, first: int, last: int) -> tuple[int, str] | None:
        return await self._read(lambda reads: reads.unindexed(first, last))

    async def storage_size_bytes(self) -> int:
        return await self._read(lambda reads: reads.storage_size_bytes(self._address.schema))


def _tell_nobody(failure: StorageFailure) -> None:
    pass
