"""A query index in a schema of a PostgreSQL database.

Values, words and tags stand in one row a document; which rows to look at is known by B-trees of values and an inverted
index of terms: see ``generation.sql``. Any number of processes may use it, each with a :class:`PostgresIndex` of its
own.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

import psycopg

from indelible.cursors import Cursor
from indelible.events import AggregateKey
from indelible.indexes.index import (
    Capabilities,
    Document,
    Generation,
    Hits,
    IndexMoved,
    IndexState,
    IndexUnavailable,
    Place,
    Rejected,
)
from indelible.indexes.postgres.catalog import Catalog
from indelible.indexes.postgres.database import Database, Missing
from indelible.indexes.postgres.rows import HEADER, TRAILER, Rows
from indelible.indexes.postgres.searching import Search
from indelible.indexes.postgres.statements import Statements
from indelible.limits import INDEX_SLICE_S
from indelible.postgres_connections import Connection, check_schema, take_apart
from indelible.search import CheckedQuery, FieldType, Order
from indelible.store_urls import STORE_SCHEMA_DEFAULT

T = TypeVar("T")

SCHEMA_DEFAULT: Final = f"{STORE_SCHEMA_DEFAULT}_search"
_SCHEMA_LENGTH_MAX: Final = 47
"""That of a store, and "_search"."""

_ATTEMPTS: Final = 5
"""To find the table of the generation that is searched: it may be swapped just then."""


class PostgresIndex:
    """Implements :class:`indelible.indexes.index.QueryIndex`. ``url``: of the database, with the parameter ``schema``
    of ours. Belongs to one event loop between :meth:`open` and :meth:`close`. Raises ``InvalidRequest`` for a URL that
    names nothing."""

    capabilities: Final = Capabilities(text=True)

    def __init__(self, url: str) -> None:
        conninfo, own = take_apart(url, {"schema": SCHEMA_DEFAULT}, "/index/store")
        schema = check_schema(own["schema"], _SCHEMA_LENGTH_MAX, "/index/store")
        self._statements: Final = Statements(schema)
        self._database: Final = Database(conninfo)
        self._opening: Final = asyncio.Lock()
        self._is_open = False
        self._is_prepared = False
        self._rows: tuple[Sequence[object], Rows] | None = None
        """Of the fields that the last batch had, in their order."""

    async def open(self) -> IndexState:
        self._is_open = True
        return await self.state()

    async def state(self) -> IndexState:
        return await self._read(lambda catalog: catalog.state())

    async def begin(self, fields: Mapping[str, FieldType]) -> Generation:
        return await self._write(lambda catalog: catalog.begin(fields))

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        await self._write(
            lambda catalog: self._apply(catalog, generation, documents, after=after, cursor=cursor, log_hash=log_hash)
        )
        return ()

    async def rejected(self, generation: int) -> Sequence[Rejected]:
        state = await self.state()
        if all(one is None or one.number != generation for one in (state.serving, state.building)):
            raise IndexMoved(f"generation {generation} is gone")
        return ()

    async def swap(self, generation: int) -> None:
        await self._write(lambda catalog: catalog.swap(generation))

    async def drop(self) -> None:
        await self._write(lambda catalog: catalog.drop())

    async def search(
        self, query: CheckedQuery, *, order: Order, limit: int, behind: Place | None
    ) -> tuple[Hits, Generation]:
        return await self._search(lambda search: search.events(query, order=order, limit=limit, behind=behind))

    async def search_aggregates(
        self, query: CheckedQuery, *, limit: int, behind: AggregateKey | None
    ) -> tuple[Hits, Generation]:
        return await self._search(lambda search: search.aggregates(query, limit=limit, behind=behind))

    async def close(self) -> None:
        self._is_open = self._is_prepared = False
        async with self._opening:
            await self._database.close()

    # --- The database ------------------------------------------------------------------------------------------------

    async def _opened(self) -> Database:
        """With the schema as it should be; made anew where something of it went missing."""
        if not self._is_prepared:
            async with self._opening:
                if not self._is_open:
                    raise IndexUnavailable("the query index is not open")
                if not self._is_prepared:
                    await self._database.open(lambda connection: Catalog(connection, self._statements).prepare())
                    self._is_prepared = True
        return self._database

    async def _read(self, work: Callable[[Catalog], Awaitable[T]]) -> T:
        return await self._whole(lambda database: database.read(lambda one: work(Catalog(one, self._statements))))

    async def _write(self, work: Callable[[Catalog], Awaitable[T]]) -> T:
        return await self._whole(lambda database: database.write(lambda one: work(Catalog(one, self._statements))))

    async def _search(self, work: Callable[[Search], Awaitable[T]]) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            database = await self._opened()
            try:
                return await database.search(lambda one: work(Search(one, self._statements)))
            except Missing:
                if attempt == _ATTEMPTS:
                    self._is_prepared = False
                    raise
        raise AssertionError

    async def _whole(self, work: Callable[[Database], Awaitable[T]]) -> T:
        try:
            return await work(await self._opened())
        except Missing:
            self._is_prepared = False
            raise

    # --- Adding ------------------------------------------------------------------------------------------------------

    async def _apply(
        self,
        catalog: Catalog,
        number: int,
        documents: Sequence[Document],
        *,
        after: Cursor,
        cursor: Cursor,
        log_hash: str,
    ) -> None:
        by_place = {one.place: one for one in documents}
        async with catalog.changing():
            at, fields = await catalog.cursor_of(number)
            if at != after:
                raise IndexMoved(f"generation {number} is at cursor {at}, not at {after}")
            table = self._statements.table(number)
            rows = self._rows_of(fields)
            replaced = await self._add(catalog.connection, table, rows, by_place) if by_place else 0
            await catalog.advance(number, cursor, log_hash, len(by_place) - replaced)

    def _rows_of(self, fields: Mapping[str, FieldType]) -> Rows:
        if self._rows is None or self._rows[0] != list(fields.items()):
            self._rows = list(fields.items()), Rows(fields)
        return self._rows[1]

    async def _add(self, connection: Connection, table: str, rows: Rows, by_place: Mapping[Place, Document]) -> int:
        """How many take the place of others. As a rule none do: that is looked at when there are some."""
        documents = list(by_place.values())
        try:
            async with connection.transaction():
                await self._copy(connection, table, rows, documents)
        except psycopg.errors.UniqueViolation:
            forgotten = await connection.execute(
                f"DELETE FROM {table} AS d USING unnest(%s::bigint[], %s::bigint[], %s::uuid[]) "
                "AS p (time_us, pos, id) WHERE d.timestamp_us = p.time_us AND d.position = p.pos AND d.event_id = p.id",
                [list(part) for part in zip(*by_place, strict=True)],
            )
            await self._copy(connection, table, rows, documents)
            return forgotten.rowcount
        return 0

    async def _copy(self, connection: Connection, table: str, rows: Rows, documents: Sequence[Document]) -> None:
        """Others on the event loop get their turns meanwhile."""
        made = [HEADER]
        began_at = time.perf_counter()
        async with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
            for document in documents:
                made.append(rows.row(document))
                if time.perf_counter() - began_at > INDEX_SLICE_S:
                    await copy.write(b"".join(made))
                    await asyncio.sleep(0)
                    made.clear()
                    began_at = time.perf_counter()
            await copy.write(b"".join((*made, TRAILER)))
