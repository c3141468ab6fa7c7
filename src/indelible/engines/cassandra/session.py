"""One session a process and cluster, shared by whoever uses it: the partitions of a store, and stores of one keyspace.

The driver has a thread of its own for the connections; what it answers is handed to the event loop of whoever asked.
Each statement is a file ``cql/{name}.cql``, prepared when it is first used.

Three ways to ask, because they differ in what a lost answer means:

- :meth:`CassandraSession.read` and :meth:`CassandraSession.write` may be done twice, so they are, until they succeed or
  their time is over. What is written this way must be the same whoever writes it: see ``tables.cql``.
- :meth:`CassandraSession.compare_and_set` is sent once. A lost answer is :class:`InDoubt`, and it is the caller's to
  find out.
"""

import asyncio
import contextlib
import functools
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from importlib import resources
from typing import Any, Final

from cassandra import ConsistencyLevel, UnresolvableContactPoints
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import (
    ConstantReconnectionPolicy,
    DCAwareRoundRobinPolicy,
    FallthroughRetryPolicy,
    TokenAwarePolicy,
)
from cassandra.pool import Host
from cassandra.query import BatchStatement, BatchType, BoundStatement, dict_factory, tuple_factory

from indelible.engines.cassandra.address import Address
from indelible.engines.cassandra.answers import (
    ForeignAnswer,
    OneAnswerConnection,
    check_outcome,
    check_rows,
    check_written,
)
from indelible.engines.cassandra.failures import (
    DRIVER_ERRORS,
    InDoubt,
    NothingDone,
    classified,
    told,
    unknown_datacenter,
    unreachable,
)
from indelible.engines.engine import store_closed
from indelible.errors import IndelibleError
from indelible.limits import (
    CASSANDRA_DEFINE_HEARTBEAT_S,
    CASSANDRA_DEFINE_TIMEOUT_S,
    CASSANDRA_HEARTBEAT_INTERVAL_S,
    CASSANDRA_HEARTBEAT_TIMEOUT_S,
    CASSANDRA_RECONNECT_S,
    CASSANDRA_REQUESTS_MAX,
    CASSANDRA_TIMEOUT_PER_ROW_S,
    CASSANDRA_TIMEOUT_S,
    DATABASE_CONNECT_TIMEOUT_S,
    DATABASE_RETRY_WAIT_S,
    DATABASE_TIMEOUT_S,
)
from indelible.tasks import taken_by_turns

Values = Mapping[str, Any]
Row = tuple[Any, ...]
Statement = tuple[str, Values]
"""The name of a statement, and what is bound in it. What is not bound is not written: a NULL would be a tombstone."""

Check = Callable[[object], None]
"""Raises :class:`ForeignAnswer` where an answer is not that of its request."""

_NAMED: Final = "named"


class CassandraSession:
    """Made by :func:`acquire`; whoever has one gives it back with :meth:`release`. Methods may be called from any event
    loop, and raise the store's errors."""

    def __init__(self, address: Address, *, is_patient: bool = False) -> None:
        self._address: Final = address
        self._cluster: Final = _make_cluster(address, is_patient=is_patient)
        self._read_timeout_s: Final = CASSANDRA_DEFINE_TIMEOUT_S if is_patient else DATABASE_TIMEOUT_S
        self._session: Session | None = None
        self._prepared: Final[dict[str, Any]] = {}
        self._columns: Final[dict[str, Sequence[str]]] = {}
        """What each prepared statement that reads answers with."""
        self._preparing: Final = threading.Lock()
        is_local = address.consistency == "LOCAL_QUORUM"
        self._quorum: Final = ConsistencyLevel.LOCAL_QUORUM if is_local else ConsistencyLevel.QUORUM
        self._serial: Final = ConsistencyLevel.LOCAL_SERIAL if is_local else ConsistencyLevel.SERIAL
        self._room: Final = weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]()
        self.users = 0

    @property
    def address(self) -> Address:
        """The part of it that names the cluster and the keyspace."""
        return self._address

    def connect(self) -> None:
        """Blocks. Raises the driver's errors, and ``InvalidRequest`` where the cluster lacks the datacenter."""
        try:
            self._session = self._cluster.connect()
        except NoHostAvailable:
            # Of nodes in other datacenters none is asked, though they answer.
            known = sorted({str(node.datacenter) for node in self.nodes if node.datacenter})
            if known and self._address.datacenter not in (None, *known):
                raise unknown_datacenter(str(self._address.datacenter), known) from None
            raise
        # A page of the driver's would have to be asked for again and again; ours have their bounds in the statements.
        self._session.default_fetch_size = None

    def shut_down(self) -> None:
        """Blocks, until what is under way has ended or is given up."""
        self._session = None
        self._cluster.shutdown()

    async def release(self) -> None:
        """Give it back. The last one to do so closes it."""
        await asyncio.to_thread(_release, self)

    def _connected(self) -> Session:
        if self._session is None:
            raise store_closed()
        return self._session

    # --- Asking ------------------------------------------------------------------------------------------------------

    async def read(self, name: str, /, *, serial: bool = False, **values: Any) -> list[Row]:
        """Rows, as a quorum has them. ``serial``: of one Cassandra partition, with every compare-and-set that was
        decided before. One whose answer was lost may be decided later. Raises ``Unavailable``."""
        statement = await self._bound(name, values)
        statement.consistency_level = self._serial if serial else self._quorum
        columns = self._columns[name]
        rows: list[Row] = await self._until_done(
            statement, "nothing was read", lambda answer: check_rows(answer, columns, values), self._read_timeout_s
        )
        return rows

    async def write(self, statements: Sequence[Statement], *, timeout_s: float = DATABASE_TIMEOUT_S) -> None:
        """Write to one Cassandra partition or a few, to a quorum; what one gets is written as a whole. Raises
        ``Unavailable`` when that is not known to be done."""
        statement = await self._batch(statements)
        statement.consistency_level = self._quorum
        await self._until_done(statement, "what was to be written may be written in part", check_written, timeout_s)

    async def compare_and_set(self, statements: Sequence[Statement]) -> dict[str, Any] | None:
        """Write to one table and Cassandra partition if the conditions in the statements hold. None when it was
        written; else what the nodes gave instead: the columns of the conditions, or less where there is no row.
        Raises :class:`NothingDone` and :class:`InDoubt`, and the store's error for what is refused."""
        statement = await self._batch(statements)
        statement.consistency_level = self._quorum
        statement.serial_consistency_level = self._serial
        timeout_s = CASSANDRA_TIMEOUT_S + CASSANDRA_TIMEOUT_PER_ROW_S * len(statements)
        values = statements[0][1]
        rows = await self._once(statement, _NAMED, timeout_s, lambda answer: check_outcome(answer, values))
        answer: dict[str, Any] = rows[0]
        return None if answer["[applied]"] else answer

    async def define(self, text: str) -> None:
        """Run a statement that makes a keyspace or a table, and wait until all nodes that are up agree. Statements that
        make things are not to be run by two at once. Raises the store's error: ``Unavailable`` where it may be done."""
        if self._session is None:
            raise store_closed()
        try:
            await asyncio.to_thread(self._session.execute, text, timeout=CASSANDRA_DEFINE_TIMEOUT_S)
        except DRIVER_ERRORS as error:
            raise told(error, "look what is there") from error

    async def agree(self) -> None:
        """Wait until all nodes that are up know of the same tables. Raises ``Unavailable``."""
        end = time.monotonic() + CASSANDRA_DEFINE_TIMEOUT_S
        while True:
            trouble: Exception | None = None
            agreed = functools.partial(
                self._cluster.control_connection.wait_for_schema_agreement, wait_time=DATABASE_TIMEOUT_S
            )
            try:
                if await asyncio.to_thread(agreed):
                    return
            except DRIVER_ERRORS as error:
                trouble = error
            if time.monotonic() + DATABASE_RETRY_WAIT_S > end:
                raise unreachable(trouble, "its nodes do not agree about the tables that there are") from trouble
            await asyncio.sleep(DATABASE_RETRY_WAIT_S)

    # --- Nodes -------------------------------------------------------------------------------------------------------

    @property
    def nodes(self) -> tuple[Host, ...]:
        """All that the cluster has, as far as the driver knows; by address."""
        return tuple(sorted(self._cluster.metadata.all_hosts(), key=lambda host: str(host.address)))

    async def ask(self, node: Host, text: str) -> list[Row]:
        """What one node says, of itself alone. Raises the store's errors."""
        end = time.monotonic() + DATABASE_TIMEOUT_S
        while True:
            asked = functools.partial(self._connected().execute, text, host=node, timeout=DATABASE_CONNECT_TIMEOUT_S)
            try:
                return list(await asyncio.to_thread(asked))
            except DRIVER_ERRORS as error:
                # The driver may just be about to connect.
                is_refused = isinstance(classified(error), IndelibleError)
                if is_refused or time.monotonic() + DATABASE_RETRY_WAIT_S > end:
                    raise told(error, f"{node.address} was not asked") from error
            await asyncio.sleep(DATABASE_RETRY_WAIT_S)

    # --- Statements --------------------------------------------------------------------------------------------------

    async def _batch(self, statements: Sequence[Statement]) -> BatchStatement | BoundStatement:
        if len(statements) == 1:
            return await self._bound(*statements[0])
        for name in {name for name, _ in statements} - self._prepared.keys():
            await asyncio.to_thread(self._prepare, name)
        batch = BatchStatement(BatchType.UNLOGGED)
        for bound in await taken_by_turns(self._prepared[name].bind(values) for name, values in statements):
            batch.add(bound)
        return batch

    async def _bound(self, name: str, values: Values) -> BoundStatement:
        prepared: Any = self._prepared.get(name)
        if prepared is None:
            prepared = await asyncio.to_thread(self._prepare, name)
        bound: BoundStatement = prepared.bind(values)
        return bound

    def _prepare(self, name: str) -> Any:
        with self._preparing:
            if name not in self._prepared:
                session, text = self._connected(), text_of(name, self._address.keyspace)
                try:
                    prepared = session.prepare(text)
                except DRIVER_ERRORS as error:
                    raise told(error, "nothing was done") from error
                self._columns[name] = [column[2] for column in prepared.result_metadata or ()]
                self._prepared[name] = prepared
            return self._prepared[name]

    # --- Requests ----------------------------------------------------------------------------------------------------

    async def _until_done(self, statement: Any, what: str, check: Check, timeout_s: float = DATABASE_TIMEOUT_S) -> Any:
        """What may be done twice. Each attempt goes to another node, as the driver spreads them."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                return await self._once(statement, EXEC_PROFILE_DEFAULT, CASSANDRA_TIMEOUT_S, check)
            except (NothingDone, InDoubt) as failed:
                error = failed
            if time.monotonic() + DATABASE_RETRY_WAIT_S > end:
                raise unreachable(error, what) from error
            await asyncio.sleep(DATABASE_RETRY_WAIT_S)

    async def _once(self, statement: Any, profile: str, timeout_s: float, check: Check) -> Any:
        """An answer that is not that of the request is as good as none."""
        loop = asyncio.get_running_loop()
        room = self._room.setdefault(loop, asyncio.Semaphore(CASSANDRA_REQUESTS_MAX))
        await room.acquire()
        try:
            answer = await self._sent(loop, room, statement, profile, timeout_s)
            check(answer)
        except DRIVER_ERRORS as error:
            raise classified(error) from error
        except ForeignAnswer as error:
            raise InDoubt(error) from error
        return answer

    def _sent(
        self, loop: asyncio.AbstractEventLoop, room: asyncio.Semaphore, statement: Any, profile: str, timeout_s: float
    ) -> "asyncio.Future[Any]":
        """The answer that is to come. Gives back its room once the driver has ended the request: whoever gives up
        before that leaves it under way. Raises what the driver raises."""
        answered: asyncio.Future[Any] = loop.create_future()
        ended: asyncio.Future[None] = loop.create_future()
        ended.add_done_callback(lambda _: room.release())
        try:
            future = self._connected().execute_async(statement, timeout=timeout_s, execution_profile=profile)
        except BaseException:
            ended.set_result(None)
            raise
        future.add_callbacks(
            _handing_to(loop, ended, answered, answered.set_result),
            _handing_to(loop, ended, answered, answered.set_exception),
        )
        return answered


def _handing_to(
    loop: asyncio.AbstractEventLoop,
    ended: "asyncio.Future[None]",
    answered: "asyncio.Future[Any]",
    settle: Callable[[Any], None],
) -> Callable[[Any], None]:
    """What the driver's thread calls with an answer."""

    def settled(answer: Any) -> None:
        # An answer that comes after the time for it, the driver tells as well.
        if not ended.done():
            ended.set_result(None)
        if not answered.done():
            settle(answer)

    def hand_over(answer: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settled, answer)

    return hand_over


# --- Who shares one --------------------------------------------------------------------------------------------------

_sessions: Final[dict[Address, CassandraSession]] = {}
_sharing: Final = threading.Lock()


async def acquire(address: Address) -> CassandraSession:
    """The process's session with the cluster and keyspace of ``address``; the first to ask connects it. Raises
    ``Unavailable`` where no node answers."""
    return await asyncio.to_thread(_acquire, address.of_cluster)


def _acquire(address: Address) -> CassandraSession:
    with _sharing:
        session = _sessions.get(address)
        if session is None:
            session = _sessions[address] = _connected(address)
        session.users += 1
        return session


@contextlib.asynccontextmanager
async def managing_session(address: Address) -> AsyncIterator[CassandraSession]:
    """A session of its own, for who makes tables: what is slow to answer is not given up. Raises as :func:`acquire`."""
    session = await asyncio.to_thread(_connected, address.of_cluster, is_patient=True)
    try:
        yield session
    finally:
        await asyncio.to_thread(session.shut_down)


def _connected(address: Address, *, is_patient: bool = False) -> CassandraSession:
    what = "is it running, and is the store's URL right?"
    try:
        session = CassandraSession(address, is_patient=is_patient)
    except UnresolvableContactPoints:
        unknown = OSError(f"no address is known for {', '.join(address.hosts)}")
        raise unreachable(unknown, what) from None
    try:
        session.connect()
    except DRIVER_ERRORS as error:
        session.shut_down()
        raise told(error, what) from error
    except BaseException:
        session.shut_down()
        raise
    return session


def _release(session: CassandraSession) -> None:
    with _sharing:
        session.users -= 1
        if session.users == 0:
            del _sessions[session.address]
            session.shut_down()


# --- What the driver is told -----------------------------------------------------------------------------------------


def _make_cluster(address: Address, *, is_patient: bool) -> Cluster:
    login = None if address.user is None else PlainTextAuthProvider(address.user, address.password)
    return Cluster(
        contact_points=address.hosts,
        port=address.port,
        # Of Cassandra 4.0 and later: the first that keeps checksums of what is sent.
        protocol_version=5,
        auth_provider=login,
        connection_class=OneAnswerConnection,
        execution_profiles={
            EXEC_PROFILE_DEFAULT: _profile(address, tuple_factory), _NAMED: _profile(address, dict_factory)
        },
        reconnection_policy=ConstantReconnectionPolicy(CASSANDRA_RECONNECT_S, max_attempts=None),
        connect_timeout=DATABASE_CONNECT_TIMEOUT_S,
        control_connection_timeout=DATABASE_CONNECT_TIMEOUT_S,
        # Of tables that nobody here asks the driver about.
        schema_metadata_enabled=False,
        **_patience(is_patient),
    )  # fmt: skip


def _patience(is_patient: bool) -> Mapping[str, float]:
    if not is_patient:
        return {
            "idle_heartbeat_interval": CASSANDRA_HEARTBEAT_INTERVAL_S,
            "idle_heartbeat_timeout": CASSANDRA_HEARTBEAT_TIMEOUT_S,
        }
    return {
        "idle_heartbeat_interval": CASSANDRA_DEFINE_HEARTBEAT_S,
        "idle_heartbeat_timeout": CASSANDRA_DEFINE_HEARTBEAT_S,
        "max_schema_agreement_wait": CASSANDRA_DEFINE_TIMEOUT_S,
    }


def _profile(address: Address, row_factory: Callable[..., Any]) -> ExecutionProfile:
    """Without retries of the driver's, and without speculation: a conditional write that is sent twice behind the back
    of who asked is what a lost answer hides best."""
    return ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(address.datacenter or "")),
        retry_policy=FallthroughRetryPolicy(),
        row_factory=row_factory,
    )


def text_of(name: str, keyspace: str) -> str:
    """The text of ``cql/{name}.cql``. A keyspace's name needs no quotes: an :class:`Address` has seen to that."""
    text = resources.files(__package__).joinpath("cql", f"{name}.cql").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return " ".join(" ".join(lines).split()).replace("{keyspace}", keyspace)
