"""Keeps the partitioned log ahead of its head: the next table is there well before a position needs it."""

from collections.abc import Awaitable, Callable
from typing import Final

import psycopg

from indelible.engines.postgres.connections import Connection, deadline
from indelible.engines.postgres.failures import translated
from indelible.engines.postgres.statements import Statements
from indelible.limits import DATABASE_TIMEOUT_S


class Partitions:
    """``connect`` gives a connection of its own: making a table must not wait for an append, nor the other way."""

    def __init__(
        self, statements: Statements, connect: Callable[[], Awaitable[Connection]], *, positions_each: int
    ) -> None:
        self._statement: Final = statements
        self._connect: Final = connect
        self._positions_each: Final = positions_each
        self._end = 0
        """The first position that has no table, as far as is known."""

    def is_short(self, head: int) -> bool:
        """Whether less than half a table is left beyond the head."""
        return self._end - head < self._positions_each // 2

    async def make(self, head: int) -> None:
        """Make tables until one whole table is left beyond the head. Raises what the database's errors mean."""
        try:
            connection = await self._connect()
            async with connection, deadline(connection, DATABASE_TIMEOUT_S):
                up_to = head + self._positions_each
                await connection.execute(self._statement("make_event_partitions"), (up_to, self._positions_each))
                row = await (await connection.execute(self._statement("partitions_end"))).fetchone()
        except psycopg.Error as error:
            raise translated(error) from error
        assert row is not None
        self._end = row[0]
