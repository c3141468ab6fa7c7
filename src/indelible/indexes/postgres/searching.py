"""Searches in one generation: whether its rows are walked in the order of the answer, or those that fit are looked up.

The first some hundred rows are walked, which is all that is needed where much fits. If that does not fill the page it
tells how much fits: where the rest would be a long walk, what fits is found by the indexes, all of it, and sorted. So
the one is done where much is to be found, and the other where little is, whatever the database's statistics say.
"""

import math
import time
from typing import Any, Final, NamedTuple

import msgspec
import psycopg

from indelible.cursors import Cursor
from indelible.events import AggregateKey
from indelible.indexes.index import Generation, Hits, IndexMoved, Place, SearchTooBroad
from indelible.indexes.postgres.plan import Plan
from indelible.indexes.postgres.statements import Statements
from indelible.indexes.postgres.stored import given_text
from indelible.limits import DATABASE_LOCK_TIMEOUT_S, SEARCH_TIMEOUT_S
from indelible.postgres_connections import Connection
from indelible.search import CheckedQuery, FieldType, Order

PROBE: Final = 500
"""Rows that are walked before anything else is tried; more for a large page."""
_LOOK_UP_COST: Final = 2
"""Of a row that an index leads to, where a row of a walk is 1."""
_MEMORY: Final = "64MB"
_MUCH_S: Final = 0.1
"""Of a search's time."""


class _Sorted(NamedTuple):
    """What a search gives, and in which order."""

    columns: str
    descending: bool = False
    is_distinct: bool = False

    @property
    def order(self) -> str:
        return ", ".join(f"{one} DESC" if self.descending else one for one in self.columns.split(", "))


_PLACES: Final = "d.timestamp_us, d.position, d.event_id"
_AGGREGATES: Final = _Sorted("d.aggregate_type, d.aggregate_id", is_distinct=True)

Rows = list[tuple[Any, ...]]


class Search:
    """One, in a transaction that it begins; whoever gave the connection ends that."""

    def __init__(self, connection: Connection, statements: Statements) -> None:
        self._connection: Final = connection
        self._statements: Final = statements
        self._give_up_at: Final = time.monotonic() + SEARCH_TIMEOUT_S

    async def events(
        self, query: CheckedQuery, *, order: Order, limit: int, behind: Place | None
    ) -> tuple[Hits, Generation]:
        generation = await self._begin()
        plan = Plan(generation.fields)
        plan.add(query)
        if behind is not None:
            plan.begin_behind(behind, order)
        rows = await self._found(generation, plan, _Sorted(_PLACES, order == "newest"), limit)
        return Hits([Place(*row) for row in rows[:limit]], (), len(rows) <= limit), generation

    async def aggregates(
        self, query: CheckedQuery, *, limit: int, behind: AggregateKey | None
    ) -> tuple[Hits, Generation]:
        generation = await self._begin()
        plan = Plan(generation.fields)
        plan.add(query)
        plan.within.clear()
        plan.stay_within_names(query, behind)
        rows = await self._found(generation, plan, _AGGREGATES, limit)
        keys = [AggregateKey(given_text(kind), given_text(name)) for kind, name in rows[:limit]]
        return Hits((), keys, len(rows) <= limit), generation

    async def _begin(self) -> Generation:
        # Without values of callers, it is one message.
        begin = self._statements(
            "begin_search", statement_ms=math.ceil(SEARCH_TIMEOUT_S * 1_000),
            lock_ms=math.ceil(DATABASE_LOCK_TIMEOUT_S * 1_000), memory=_MEMORY,
        )  # fmt: skip
        cursor = await self._connection.execute(begin)
        cursor.nextset()
        rows = await cursor.fetchall()
        if not rows:
            raise IndexMoved("no generation is complete")
        return generation_of(*rows[0][:5])

    async def _fetch(self, sql: str, values: dict[str, Any]) -> Rows:
        cursor = self._connection.cursor(binary=True)
        try:
            await cursor.execute(sql, values)
            return await cursor.fetchall()
        except psycopg.errors.QueryCanceled as error:
            raise SearchTooBroad("the search took too long") from error

    # --- Finding -----------------------------------------------------------------------------------------------------

    async def _found(self, generation: Generation, plan: Plan, by: _Sorted, limit: int) -> Rows:
        """One more than the limit, if there are so many."""
        table = self._statements.table(generation.number)
        within = " AND ".join(plan.within) or "TRUE"
        walked = f"SELECT * FROM {table} AS d WHERE {within} ORDER BY {by.order}"
        count = max(PROBE, 2 * limit)
        hits, is_whole = await self._probed(plan, by, walked, count)
        if is_whole or len(hits) > limit:
            return hits[: limit + 1]
        kind = "SELECT DISTINCT" if by.is_distinct else "SELECT"
        tail = f"ORDER BY {by.order} LIMIT {limit + 1}"
        if plan.is_narrow and _is_better_looked_up(len(hits), count, limit, generation.documents):
            found = f"SELECT {by.columns} FROM {table} AS d WHERE {within} AND {plan.narrow_filter}"
            sql = f"WITH found AS MATERIALIZED ({found}) {kind} {by.columns} FROM found AS d {tail}"
        else:
            # OFFSET keeps the database from doing it in another order.
            sql = f"{kind} {by.columns} FROM ({walked} OFFSET 0) AS d WHERE {plan.filter} {tail}"
        await self._take_what_is_left()
        return await self._fetch(sql, plan.values)

    async def _take_what_is_left(self) -> None:
        """Of the time for a search, for the next statement: each has as much as the last one that was set."""
        left_s = self._give_up_at - time.monotonic()
        if left_s < SEARCH_TIMEOUT_S - _MUCH_S:
            timeout = f"{max(left_s, 0.001):.3f}s"
            await self._connection.execute("SELECT set_config('statement_timeout', %s, true)", [timeout])

    async def _probed(self, plan: Plan, by: _Sorted, walked: str, count: int) -> tuple[Rows, bool]:
        """Those that fit of the first ``count`` rows, and whether there are no more rows."""
        numbered = f"SELECT *, row_number() OVER () AS n FROM ({walked} LIMIT {count + 1}) AS w"
        sql = f"SELECT d.n, {by.columns} FROM ({numbered}) AS d WHERE {plan.filter} OR d.n = {count + 1} ORDER BY d.n"
        rows = await self._fetch(sql, plan.values)
        is_whole = not rows or rows[-1][0] <= count
        hits = [row[1:] for row in (rows if is_whole else rows[:-1])]
        return list(dict.fromkeys(hits)) if by.is_distinct else hits, is_whole


def _is_better_looked_up(hits: int, walked: int, limit: int, documents: int) -> bool:
    """``hits`` of so many rows that were walked: whether it takes longer to walk on until the page is full than to look
    at all that fits."""
    if not hits:
        return True
    to_walk = limit * walked / hits
    to_look_up = _LOOK_UP_COST * documents * hits / walked
    return to_look_up < to_walk


def generation_of(number: int, fields: str, cursor: str, documents: int, log_hash: str) -> Generation:
    declared = msgspec.json.decode(fields, type=dict[str, FieldType])
    return Generation(number, declared, Cursor(cursor), documents, log_hash)
