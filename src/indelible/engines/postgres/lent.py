"""A connection that is lent for one purpose, and the statements that it is lent for."""

from typing import Any

import msgspec

from indelible.engines.postgres.connections import Connection
from indelible.engines.postgres.statements import Statements
from indelible.queries import Direction

Rows = list[tuple[Any, ...]]


class Lent(msgspec.Struct, frozen=True):
    """What is done with it is the subclass's."""

    connection: Connection
    statement: Statements

    async def _fetch(self, name: str, direction: Direction = "forward", /, **values: Any) -> Rows:
        cursor = self.connection.cursor(binary=True)
        await cursor.execute(self.statement(name, direction), values)
        return await cursor.fetchall()
