"""The PostgreSQL engine: one database, any number of servers that read and write.

Whoever appends locks the head's row, so appends of all servers take effect one after another, and positions are handed
out as they are committed. Each server gathers a batch while its last one is on its way, and writes it in one
transaction.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from copy import copy
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import psycopg

from indelible.diagnostics import Capabilities, Finding
from indelible.engines.engine import AppendOutcome, FallibleEngine, InitReport, aggregate_not_found, not_replicated
from indelible.engines.group_storage import GroupChange, GroupState, StoredGroup, loaded
from indelible.engines.planner import Plan
from indelible.engines.postgres import schema
from indelible.engines.postgres.appender import Appender
from indelible.engines.postgres.connections import Address, Statements, is_pooled, parse_address
from indelible.engines.postgres.examination import WAITS_FOR_NOBODY, examine
from indelible.engines.postgres.failures import translated, unreachable
from indelible.engines.postgres.groups import Groups
from indelible.engines.postgres.head_watch import HeadWatch
from indelible.engines.postgres.hosts import Hosts
from indelible.engines.postgres.pool import Readers
from indelible.engines.postgres.reads import Reads
from indelible.engines.postgres.relays import Relays
from indelible.engines.postgres.schema import Partitions
from indelible.engines.postgres.writer import WOULD_LOSE_COMMITS, Batch, Recorded, Write, try_append
from indelible.engines.relay_storage import StoredRelay
from indelible.errors import (
    IndelibleError,
    InvalidRequest,
    OutcomeUnknown,
    PayloadTooLarge,
    StorageFailure,
    StoreCorrupted,
    Unavailable,
)
from indelible.events import RecordedEvent, Snapshot
from indelible.eventstore import AppendRequest
from indelible.limits import HEAD_POLL_S, PARTITION_POSITIONS
from indelible.postgres_connections import Connection

_T = TypeVar("_T")
_P = ParamSpec("_P")
_OnConnection = TypeVar("_OnConnection")


def _reading(
    of: Callable[[Connection, Statements], _OnConnection],
    read: Callable[Concatenate[_OnConnection, _P], Awaitable[_T]],
) -> "Callable[Concatenate[PostgresEngine, _P], Coroutine[Any, Any, _T]]":
    """A read of the contract that is a method of what is done with a connection."""

    async def call(engine: "PostgresEngine", /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await engine.readers.run(lambda connection: read(of(connection, engine.statement), *args, **kwargs))

    return call


class PostgresEngine(FallibleEngine):
    """Implements :class:`indelible.engines.engine.Engine` over the database that ``url`` names (see
    :func:`indelible.engines.postgres.connections.parse_address`).

    ``read_only``: nothing is created or migrated, and every write is refused. ``partition_positions`` is the size of
    tables of the log that are made from now on. ``readers``: those of another partition of the store in the same
    database.
    """

    capabilities = Capabilities(durable=True, many_processes=True, read_only_beside_writer=True)

    def __init__(
        self,
        url: str,
        *,
        read_only: bool = False,
        partition_positions: int = PARTITION_POSITIONS,
        readers: Readers | None = None,
    ) -> None:
        super().__init__(read_only=read_only)
        self._address: Final[Address] = parse_address(url)
        self.statement: Final = Statements(self._address.schema)
        self._hosts: Final = Hosts(self._address.conninfo, read_only=read_only)
        self.readers: Final = readers or Readers(self._hosts, self.statement)
        self._partitions = Partitions(self.statement, self._connect, positions_each=partition_positions)
        self._making_partitions: asyncio.Task[None] | None = None
        self._appender: Appender | None = None
        self._writing = asyncio.Lock()
        self._watch = HeadWatch(
            self._address.schema, connect=self._connect, read_head=self._head_position, send=self._send
        )

    async def _connect(self) -> Connection:
        return await self._hosts.connect()

    async def examine(self) -> list[Finding]:
        async with self._opened_connection() as connection:
            settings, asked_for = self.statement("settings"), self._address.may_lose_commits
            found = await examine(connection, settings, may_lose_commits=asked_for)
            if await schema.read_done(connection, self._address.schema) is None:
                found.append(Finding("store", "notice", "there is no store yet", "A server makes it, or init."))
                return found
            warnings = await self._find_warnings(connection)
            return [*found, *(Finding("database", "notice", warning) for warning in warnings)]

    # --- Opening and closing -----------------------------------------------------------------------------------------

    async def open(self) -> None:
        async with self._opened_connection() as connection:
            await self._prepare(connection)
        await self.readers.open(self)

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
        self._appender = Appender(
            self._hosts, self.statement, self._partitions, may_lose_commits=self._address.may_lose_commits
        )

    async def _check_log(self, connection: Connection) -> int:
        head, last = await Reads(connection, self.statement).ends()
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
        if await (await connection.execute(self.statement("waits_locally"))).fetchone() == (True,):
            found.append(WAITS_FOR_NOBODY)
        return tuple(found)

    async def init(
        self, *, runtime_role: str | None, password: str | None, post_deploy: bool, replication: str | None = None
    ) -> InitReport:
        if replication is not None:
            raise not_replicated()
        name = self._address.schema
        kinds: tuple[schema.Step, ...] = ("pre", "post") if post_deploy else ("pre",)
        async with self._opened_connection() as connection:
            await schema.check_server(connection)
            done = await schema.migrate(connection, name, schema.migrations(), kinds)
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
        await self.readers.close(self)

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

    async def _append(self, write: Write) -> Plan:
        async with self._writing:
            appender = self._require(self._appender)
            try:
                decided = await appender.append(write)
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

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        if not await self._change(lambda connection, _: Reads(connection, self.statement).save_snapshot(snapshot)):
            raise aggregate_not_found(snapshot.key)

    async def create_group(self, group: StoredGroup, *, groups_max: int) -> bool:
        return await self._change(
            lambda connection, may_be_done: self._groups(connection).create(group, groups_max, may_be_done)
        )

    async def save_group(self, change: GroupChange) -> bool:
        return await self._change(lambda connection, may_be_done: self._groups(connection).save(change, may_be_done))

    async def delete_group(self, name: str, *, created_us: int | None = None) -> bool:
        locked: list[int] = []
        return await self._change(lambda connection, _: self._groups(connection).delete(name, created_us, locked))

    async def save_relay(self, relay: StoredRelay, *, relays_max: int) -> bool:
        return await self._change(
            lambda connection, may_be_done: Relays(connection, self.statement).save(relay, relays_max, may_be_done)
        )

    async def _change(self, change: Callable[[Connection, bool], Awaitable[_T]]) -> _T:
        self._require(self._appender)
        # In a task of its own: a caller that gives up must not leave it half way, where nobody hears what it came to.
        return await asyncio.shield(asyncio.create_task(self._change_alone(change), name="change"))

    async def _change_alone(self, change: Callable[[Connection, bool], Awaitable[_T]]) -> _T:
        try:
            return await self.readers.change(change)
        except StorageFailure as failure:
            self._fail(failure)
            raise

    def _groups(self, connection: Connection) -> Groups:
        return Groups(connection, self.statement)

    # --- Reading -----------------------------------------------------------------------------------------------------

    async def _send(self, sql: str) -> None:
        await self.readers.run(lambda connection: connection.execute(sql, prepare=False))

    head = _reading(Reads, Reads.head)

    async def _head_position(self) -> int:
        return (await self.head()).position

    async def wait_for_head(self, after: int) -> int:
        return await self._watch.wait(after)

    read_aggregate = _reading(Reads, Reads.aggregate)
    read_feed = _reading(Reads, Reads.feed)
    locate_position = _reading(Reads, Reads.locate_position)
    locate_version = _reading(Reads, Reads.locate_version)
    scan_condition = _reading(Reads, Reads.scan_condition)
    read_event = _reading(Reads, Reads.event)
    read_events = _reading(Reads, Reads.events)
    read_aggregate_info = _reading(Reads, Reads.aggregate_info)
    list_event_types = _reading(Reads, Reads.event_types)
    list_aggregate_types = _reading(Reads, Reads.aggregate_types)
    list_aggregates = _reading(Reads, Reads.aggregates)
    find_unindexed = _reading(Reads, Reads.unindexed)
    load_snapshot = _reading(Reads, Reads.snapshot)
    list_groups = _reading(Groups, Groups.summaries)
    reload_group = _reading(Groups, Groups.load)
    list_skipped = _reading(Groups, Groups.skipped)
    now_us = _reading(Groups, Groups.now_us)
    load_relay = _reading(Relays, Relays.load)
    list_relays = _reading(Relays, Relays.load_all)

    async def load_group(self, name: str) -> GroupState | None:
        return loaded(await self.reload_group(name, None))

    async def find_missing_end(self) -> None:
        # A dump has all tables as of one moment, and opening compares the head with the log.
        pass

    async def check_writable(self, size_bytes: int) -> None:
        self._require(self._appender)
        await self.readers.run(lambda connection: try_append(connection, self.statement, size_bytes))

    async def storage_size_bytes(self) -> int:
        return await self.readers.run(
            lambda connection: Reads(connection, self.statement).storage_size_bytes(self._address.schema)
        )
