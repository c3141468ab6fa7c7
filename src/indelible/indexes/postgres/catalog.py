"""The schema: which generations there are, and which is searched.

Each generation is a table of its own, so that a rebuild never stands in the way of searches, to swap is to change two
rows, and to drop one is to drop a table. Numbers never come again. Whoever changes the generations locks the catalog's
row first, and whoever adds to one locks that one's.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import psycopg

from indelible.cursors import START, Cursor
from indelible.indexes.index import Generation, IndexMoved, IndexState, IndexUnavailable
from indelible.indexes.postgres.searching import generation_of
from indelible.indexes.postgres.statements import PENDING_SERVING_KIB, Statements
from indelible.limits import DATABASE_LOCK_TIMEOUT_S, INDEX_WRITE_TIMEOUT_S, SEARCH_TIMEOUT_S
from indelible.postgres_connections import Connection
from indelible.search import FieldType

_log: Final = logging.getLogger(__name__)

FORMAT: Final = 2
"""Of all tables. There are no migrations: an index of an older format is made anew."""
_MEMORY: Final = "64MB"
_FEW: Final = 1_000
"""Documents that are found soon, whatever the database thinks of them."""
_DROP_WAIT_S: Final = SEARCH_TIMEOUT_S + 5
"""Longer than a search goes on in a generation that was dropped."""


class Catalog:
    """On a connection that is had for one of these."""

    def __init__(self, connection: Connection, statements: Statements) -> None:
        self.connection: Final = connection
        self._statements: Final = statements
        self._schema: Final = statements.schema

    @asynccontextmanager
    async def changing(self, *, lock_wait_s: float | None = None) -> AsyncIterator[None]:
        """A transaction."""
        settings = {
            "lock": f"{lock_wait_s or DATABASE_LOCK_TIMEOUT_S:g}s", "statement": f"{INDEX_WRITE_TIMEOUT_S:g}s",
            "idle": f"{INDEX_WRITE_TIMEOUT_S:g}s", "memory": _MEMORY,
        }  # fmt: skip
        async with self.connection.transaction():
            await self.connection.execute(self._statements("settings"), settings)
            yield

    async def fetch(self, sql: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return await (await self.connection.execute(sql, values)).fetchall()

    # --- The schema --------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Make what is missing. Raises ``IndexUnavailable``."""
        async with self.changing():
            # Two processes that start together: one makes it, the other waits.
            await self.fetch("SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))", {"name": self._lock_name})
            last_number = await self._last_number()
            if last_number is not None:
                await self.connection.execute(self._statements("catalog", format=FORMAT, last_number=last_number))
        await self._sweep()

    @property
    def _lock_name(self) -> str:
        return f"indelible index {self._schema}"

    async def _last_number(self) -> int | None:
        """None where the schema is as it should be; else it is there and empty, and generations begin behind this."""
        tables = {name for (name,) in await self.fetch(self._statements("tables"), {"schema": self._schema})}
        if not tables:
            found = await self.fetch("SELECT FROM pg_namespace WHERE nspname = %(name)s", {"name": self._schema})
            if not found:
                await self.connection.execute(f"CREATE SCHEMA {self._schema}")
            return 0
        if "catalog" not in tables:
            raise IndexUnavailable(
                f'the schema "{self._schema}" is in use by something that is no query index of Indelible; name another '
                "one with ?schema="
            )
        ((format_, last_number),) = await self.fetch(f"SELECT format, last_number FROM {self._schema}.catalog")
        if format_ > FORMAT:
            raise IndexUnavailable(
                f'the schema "{self._schema}" is a query index of format {format_}, this Indelible knows up to {FORMAT}'
            )
        if format_ == FORMAT and "generations" in tables:
            await self._forget_those_without_a_table(tables)
            return None
        await self.connection.execute(f"DROP TABLE IF EXISTS {self._schema}.catalog, {self._schema}.generations")
        return int(last_number)

    async def _forget_those_without_a_table(self, tables: set[str]) -> None:
        for (number,) in await self.fetch(f"SELECT number FROM {self._schema}.generations"):
            if f"documents_{number}" not in tables:
                _log.warning("generation %s of the query index is gone from its database: it is made anew", number)
                await self._forget(number)

    # --- Generations -------------------------------------------------------------------------------------------------

    async def state(self) -> IndexState:
        serving = building = None
        for *row, is_serving in await self.fetch(self._statements("generations")):
            if is_serving:
                serving = generation_of(*row)
            else:
                building = generation_of(*row)
        return IndexState(serving, building)

    async def begin(self, fields: Mapping[str, FieldType]) -> Generation:
        async with self.changing():
            last_number = await self._lock()
            building = (await self.state()).building
            if building is not None:
                if building.fields == fields:
                    return building
                await self._forget(building.number)
            number = last_number + 1
            await self.connection.execute(self._statements.make_generation(number, list(fields.values())))
            await self.fetch_nothing(f"UPDATE {self._schema}.catalog SET last_number = %(number)s", number=number)
            await self.fetch_nothing(
                f"INSERT INTO {self._schema}.generations VALUES (%(number)s, %(fields)s, %(cursor)s, 0, '', FALSE)",
                number=number, fields=msgspec.json.encode(dict(fields)).decode(), cursor=START,
            )  # fmt: skip
        await self._sweep()
        return Generation(number, dict(fields), START, 0)

    async def swap(self, number: int) -> None:
        state = await self.state()
        if state.serving is not None and state.serving.number == number:
            return
        if state.building is not None and state.building.number == number:
            async with self.changing():
                settled = self._statements("settle_generation", number=number, pending_serving_kib=PENDING_SERVING_KIB)
                await self.connection.execute(settled)
                if state.building.documents > _FEW:
                    await self.connection.execute(self._statements("analyze_generation", number=number))
        async with self.changing():
            await self._lock()
            state = await self.state()
            if state.building is None or state.building.number != number:
                raise IndexMoved(f"generation {number} is gone")
            if state.serving is not None:
                await self._forget(state.serving.number)
            await self.fetch_nothing(
                f"UPDATE {self._schema}.generations SET is_serving = TRUE WHERE number = %(number)s", number=number
            )
        await self._sweep()

    async def drop(self) -> None:
        async with self.changing():
            await self._lock()
            await self.fetch_nothing(f"DELETE FROM {self._schema}.generations")
        await self._sweep()

    async def cursor_of(self, number: int) -> tuple[Cursor, dict[str, FieldType]]:
        """With its fields; nobody else changes it until the transaction ends. Raises ``IndexMoved``."""
        rows = await self.fetch(
            f"SELECT cursor, fields FROM {self._schema}.generations WHERE number = %(number)s FOR UPDATE",
            {"number": number},
        )
        if not rows:
            raise IndexMoved(f"generation {number} is gone")
        return Cursor(rows[0][0]), msgspec.json.decode(rows[0][1], type=dict[str, FieldType])

    async def advance(self, number: int, cursor: Cursor, log_hash: str, added: int) -> None:
        await self.fetch_nothing(
            f"UPDATE {self._schema}.generations SET cursor = %(cursor)s, log_hash = %(log_hash)s, "
            "documents = documents + %(added)s WHERE number = %(number)s",
            number=number, cursor=cursor, log_hash=log_hash, added=added,
        )  # fmt: skip

    async def _lock(self) -> int:
        """Nobody else changes what generations there are, until the transaction ends. The last number."""
        ((last_number,),) = await self.fetch(f"SELECT last_number FROM {self._schema}.catalog FOR UPDATE")
        return int(last_number)

    async def _forget(self, number: int) -> None:
        await self.fetch_nothing(f"DELETE FROM {self._schema}.generations WHERE number = %(number)s", number=number)

    async def fetch_nothing(self, sql: str, **values: object) -> None:
        await self.connection.execute(sql, values)

    async def _sweep(self) -> None:
        """Tables of generations that are none any more. One that is still read, as by a backup, goes another time."""
        for (table,) in await self.fetch(self._statements("strays"), {"schema": self._schema}):
            try:
                async with self.changing(lock_wait_s=_DROP_WAIT_S):
                    await self.connection.execute(f"DROP TABLE IF EXISTS {self._schema}.{table}")
            except psycopg.errors.LockNotAvailable:
                _log.warning("%s.%s of the query index is read by somebody: it is dropped later", self._schema, table)
