"""Searches in one generation: which list of a plan a search begins with, and how much of it is read.

The shortest list is begun with, as far as that can be told by counting a few thousand entries. A list that is not
sorted is read whole, and only when it is short. Where all are long, what is looked for is probably near, and a sorted
one is followed until the page is full.
"""

import time
from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from uuid import UUID

import apsw

from indelible.events import AggregateKey
from indelible.indexes.index import Hits, Place
from indelible.indexes.sqlite.generation import State
from indelible.indexes.sqlite.places import SHIFT
from indelible.indexes.sqlite.plan import List, Plan, tables_of
from indelible.search import CheckedQuery, Order

SHORT: Final = 5_000
"""Entries of a list that is short; so many are counted."""
_SHORT_ENOUGH: Final = 50
"""Entries of a list beside which no other is counted."""

_STEPS: Final = 20_000
"""Of SQLite's machine, between two looks at the clock: about a millisecond."""
_ROWS_KEPT: Final = 1_000
"""Of equal times, beside a page."""


def set_deadline(connection: apsw.Connection, deadline_s: float) -> None:
    """On the monotonic clock. What runs then ends with ``apsw.InterruptError``."""
    connection.set_progress_handler(lambda: time.monotonic() > deadline_s, _STEPS)


def find_events(
    connection: apsw.Connection, state: State, query: CheckedQuery, *, order: Order, limit: int, behind: Place | None
) -> Hits:
    plan = _plan(state, query)
    if behind is not None:
        plan.begin_behind(behind, order)
    chosen = _chosen(connection, plan)
    if not chosen.entries:
        return Hits((), (), is_last=True)
    direction = "DESC" if order == "newest" else "ASC"
    rows = plan.run(
        connection,
        "SELECT d.doc, d.displaced_us, d.position, d.event_id "
        f"FROM {_documents(chosen.one, direction)} WHERE {plan.filter_beside(chosen.one)}",
    )
    page = _Page(order, limit, behind, state)
    page.fill(rows)
    return page.hits()


def find_aggregates(
    connection: apsw.Connection, state: State, query: CheckedQuery, *, limit: int, behind: AggregateKey | None
) -> Hits:
    plan = _plan(state, query)
    chosen = _chosen(connection, plan)
    if not chosen.entries:
        return Hits((), (), is_last=True)
    plan.values["limit"] = limit + 1
    sql = _few_aggregates(plan, chosen.one) if chosen.is_short else _many_aggregates(plan)
    within = _names_within(plan, query, behind)
    rows = plan.run(connection, f"{sql} AND {within} ORDER BY 1, 2 LIMIT :limit")
    keys = [AggregateKey(*row) for row in rows]
    return Hits((), keys[:limit], is_last=len(keys) <= limit)


def _names_within(plan: Plan, query: CheckedQuery, behind: AggregateKey | None) -> str:
    """Where aggregates that are looked for may stand in the order of their names."""
    within = []
    if behind is not None:
        plan.values |= {"behind_type": behind.aggregate_type, "behind_id": behind.aggregate_id}
        within.append("(a.aggregate_type, a.aggregate_id) > (:behind_type, :behind_id)")
    if query.aggregate_types:
        # Strings are in the order of their code points, as their UTF-8 is.
        plan.values |= {"first_type": min(query.aggregate_types), "last_type": max(query.aggregate_types)}
        within.append("a.aggregate_type <= :last_type")
        if behind is None:
            within.append("a.aggregate_type >= :first_type")
    return " AND ".join(within) or "TRUE"


def _plan(state: State, query: CheckedQuery) -> Plan:
    plan = Plan(state.numbers, state.displaced_us)
    plan.add(query)
    return plan


# --- Lists -----------------------------------------------------------------------------------------------------------


class _Chosen(NamedTuple):
    one: List
    entries: int
    """Counted as far as just above ``SHORT``."""

    @property
    def is_short(self) -> bool:
        return self.entries <= SHORT

    @property
    def rank(self) -> tuple[int, bool, bool, bool]:
        """Less is better. Of long ones a sorted one; that of the text, as it is dear to ask about each document
        whether it has words; and the whole window last."""
        return self.entries, not self.one.is_sorted, not self.one.is_text, self.one.is_window


def _chosen(connection: apsw.Connection, plan: Plan) -> _Chosen:
    plan.finish()
    best: _Chosen | None = None
    for one in plan.lists:
        found = _Chosen(one, _count(connection, one, plan))
        if best is None or found.rank < best.rank:
            best = found
        if best.entries <= _SHORT_ENOUGH:
            break
    assert best is not None, "a plan has one list at least"
    return best


def _count(connection: apsw.Connection, one: List, plan: Plan) -> int:
    entries = 0
    for select in one.selects:
        ((counted,),) = plan.run(connection, f"SELECT count(*) FROM ({select} LIMIT {SHORT + 1 - entries})")
        entries += counted
        if entries > SHORT:
            break
    return entries


def _documents(one: List, direction: str) -> str:
    entries = " UNION ".join(one.selects)
    if not one.is_sorted:
        # A document may have several values that fit.
        entries = f"SELECT DISTINCT doc FROM ({entries})"
    # With a limit, as SQLite may leave out the order of what is joined without one.
    merged = f"{entries} ORDER BY 1 {direction} LIMIT -1"
    return f"({merged}) AS l CROSS JOIN documents AS d ON d.doc = l.doc"


def _few_aggregates(plan: Plan, one: List) -> str:
    """Of all documents of a short list."""
    return (
        "SELECT a.aggregate_type, a.aggregate_id FROM aggregates AS a WHERE a.aggregate IN "
        f"(SELECT d.aggregate FROM {_documents(one, 'ASC')} WHERE {plan.filter_beside(one)})"
    )


def _many_aggregates(plan: Plan) -> str:
    """One after another, each looked at whether it has a document that fits, until there are enough."""
    has_one = " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} AS p CROSS JOIN documents AS d ON d.doc = p.doc "
        f"WHERE p.value = a.aggregate AND p.doc BETWEEN :low AND :high AND {plan.filter_beside(None)} LIMIT 1)"
        for table in tables_of("aggregate")
    )
    return (
        f"SELECT a.aggregate_type, a.aggregate_id FROM aggregates AS a INDEXED BY aggregates_by_name WHERE ({has_one})"
    )


# --- Pages of events -------------------------------------------------------------------------------------------------


class _Page:
    """Takes documents in the order of their numbers until no later one can be among its places."""

    def __init__(self, order: Order, limit: int, behind: Place | None, state: State) -> None:
        self._is_newest: Final = order == "newest"
        self._limit: Final = limit
        self._behind: Final = None if behind is None else (behind.timestamp_us, behind.position, behind.event_id.bytes)
        self._state: Final = state
        self._places: list[tuple[int, int, bytes]] = []
        self._edge_us: int | None = None
        """Of a place that is at the page's end or behind it."""

    def fill(self, rows: Iterable[tuple[Any, ...]]) -> None:
        for doc, displaced_us, position, event_id in rows:
            time_us = doc >> SHIFT
            if self._is_beyond(time_us):
                break
            self._add((time_us - displaced_us, position, event_id))
            if self._state.is_in_order and len(self._places) > self._limit:
                break

    def _is_beyond(self, time_us: int) -> bool:
        if self._edge_us is None:
            return False
        if self._is_newest:
            return time_us < self._edge_us
        return time_us - self._state.displaced_us > self._edge_us

    def _add(self, place: tuple[int, int, bytes]) -> None:
        if self._behind is not None and (place >= self._behind if self._is_newest else place <= self._behind):
            return
        self._places.append(place)
        count = len(self._places)
        if count > self._limit and (self._edge_us is None or count > self._limit + _ROWS_KEPT):
            self._sort()
            del self._places[self._limit + 1 :]
            self._edge_us = self._places[-1][0]

    def _sort(self) -> None:
        self._places.sort(reverse=self._is_newest)

    def hits(self) -> Hits:
        self._sort()
        found = self._places[: self._limit]
        places = [Place(time_us, position, UUID(bytes=event_id)) for time_us, position, event_id in found]
        return Hits(places, (), is_last=len(self._places) <= self._limit)
