"""Which of several hosts is tried first, and whether the one that answers still leads.

After a failover the old leader may go on answering, if it was frozen, or lost who watches over it. It cannot commit any
more where commits wait for a standby: the standby that took over confirms nothing to it. So a leader that commits still
leads; and it is taken to lead for a few seconds after that, less than a failover takes.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg
from psycopg.rows import tuple_row

from indelible.engines.postgres.connections import Statements, prepare
from indelible.engines.postgres.failures import is_replication_doubt
from indelible.limits import DATABASE_CONFIRM_TIMEOUT_S, DATABASE_CONFIRMED_S, DATABASE_LATE_TIMEOUT_S
from indelible.postgres_connections import Connection, Conninfo, deadline

Place = tuple[str, str]
"""Host and port."""


class Hosts:
    """The hosts that ``conninfo`` names. ``parameters`` connect to the first that takes writes, or, for who only reads,
    to the first at all.

    The one that was connected to last is tried first: another may swallow what is sent to it. One that failed is tried
    last: if it only takes itself for the leader, it would be the first to answer again."""

    def __init__(self, conninfo: Conninfo, *, read_only: bool = False) -> None:
        self.parameters: Final[dict[str, Any]] = {**conninfo, "autocommit": True}
        """Changes in place: a pool keeps it."""
        if read_only:
            self.parameters["target_session_attrs"] = "any"

    async def connect(self) -> Connection:
        """A connection that commits by itself. Raises :class:`psycopg.Error`."""
        connection: Connection = await psycopg.AsyncConnection.connect(row_factory=tuple_row, **self.parameters)
        try:
            await self.prepare(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def prepare(self, connection: Connection) -> None:
        """Set up a new connection. Raises :class:`psycopg.Error`."""
        await prepare(connection)
        place = place_of(connection)
        self._sort(lambda other: other != place)

    def failed(self, place: Place) -> None:
        """A connection there broke, or does not commit."""
        self._sort(lambda other: other == place)

    def _sort(self, is_later: Callable[[Place], bool]) -> None:
        columns: dict[str, list[str]] = {
            name: str(self.parameters[name]).split(",") for name in _NAMED if name in self.parameters
        }
        count = max(map(len, columns.values()), default=0)
        rows = [{name: each[number % len(each)] for name, each in columns.items()} for number in range(count)]
        rows.sort(key=lambda row: is_later(_place(row)))
        self.parameters.update({name: ",".join(row[name] for row in rows) for name in columns})


_NAMED: Final = ("host", "hostaddr", "port")
_PORT: Final = "5432"


def _place(row: dict[str, str]) -> Place:
    return row.get("host") or row.get("hostaddr", ""), row.get("port") or _PORT


def place_of(connection: Connection) -> Place:
    return connection.info.host, str(connection.info.port)


class Unconfirmed(Exception):
    """The leader does not commit: another may lead, or all standbys be gone."""


class Confirmations:
    """When each connection's database has last shown that it leads."""

    def __init__(self, statements: Statements) -> None:
        self._statement: Final = statements
        self._at: Final = WeakKeyDictionary[Connection, float]()

    async def have(self, connection: Connection) -> None:
        """What is read from here on shows all that was acknowledged before, and nothing that can still be lost. Raises
        :class:`Unconfirmed` and :class:`psycopg.Error`."""
        began = time.monotonic()
        if began < self._at.get(connection, float("-inf")) + DATABASE_CONFIRMED_S:
            return
        async with deadline(connection, DATABASE_CONFIRM_TIMEOUT_S + DATABASE_LATE_TIMEOUT_S):
            waits = await (await connection.execute(self._statement("waits_for_standbys"))).fetchone()
            if waits == (True,) and not await self._commits(connection):
                raise Unconfirmed("its standbys do not confirm that it leads")
        self._at[connection] = began

    async def _commits(self, connection: Connection) -> bool:
        """The database itself ends the wait: if it was only left, it would go on, and keep a connection for it."""
        with doubts_of(connection) as doubts:
            async with connection.pipeline():
                await connection.execute("BEGIN")
                await connection.execute(self._statement("confirm"), {"timeout": f"{DATABASE_CONFIRM_TIMEOUT_S}s"})
                await connection.execute("COMMIT")
        return not doubts


@contextmanager
def doubts_of(connection: Connection) -> Iterator[list[psycopg.errors.Diagnostic]]:
    """The notices, if any, that a commit is on the primary's disk alone."""
    doubts: list[psycopg.errors.Diagnostic] = []

    def listen(diagnostic: psycopg.errors.Diagnostic) -> None:
        if is_replication_doubt(diagnostic):
            doubts.append(diagnostic)

    connection.add_notice_handler(listen)
    try:
        yield doubts
    finally:
        connection.remove_notice_handler(listen)
