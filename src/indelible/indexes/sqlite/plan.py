"""What a search asks of a generation, in SQL.

Each part of a query gives a *filter*, which says of a document whether it fits, and mostly a *list* of the documents
that fit, from which a search may begin. A list is sorted where it is of one value, or of few: then a search reads as
much of it as its page needs. Which list it begins with is chosen in :mod:`indelible.indexes.sqlite.searching`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import apsw

from indelible.events import timestamp_to_us
from indelible.indexes.event_ids import event_ids_where, is_event_id
from indelible.indexes.index import Place
from indelible.indexes.sqlite.places import EVERYTHING, SHIFT
from indelible.queries import behind_prefix
from indelible.search import CheckedQuery, Order, Value, Where, is_narrowing, phrases_of, words_of

_TAGS: Final = 0
_NAMES: Final = ("event_type", "aggregate_type")

MERGED_MAX: Final = 16
"""Values whose sorted lists are merged into one; each entry passes through all that are before it."""

_TIME: Final = f"((d.doc >> {SHIFT}) - d.displaced_us)"
_NEVER: Final = "FALSE"
_BEHIND_ALL: Final = b"\xff" * 17
"""Ids have 16 bytes."""
_BOUND: Final = re.compile(r":(\w+)")
_BOUND_MAX: Final = 32_766
"""Values of one statement."""


def tables_of(of: str | int) -> Sequence[str]:
    """Where postings of something stand; those of a field, by its number, of tags and of aggregates in two tables."""
    return (f"postings_{of}", f"recent_{of}") if of == "aggregate" or isinstance(of, int) else (f"postings_{of}",)


class List(NamedTuple):
    """Statements that each give the numbers of documents (``doc``)."""

    selects: tuple[str, ...]
    is_sorted: bool
    """Each is, so that they can be merged."""
    is_text: bool = False
    is_window: bool = False
    """Everything, but for the time."""
    filter: str = ""
    """That all of its documents fit."""

    @property
    def bound(self) -> int:
        """How many values are bound in it."""
        return sum(one.count(":") for one in self.selects)


class Plan:
    """Of one search in one generation. ``values`` stand in SQL by name."""

    def __init__(self, fields: Mapping[str, int], displaced_us: int) -> None:
        self._fields: Final = fields
        self._displaced_us: Final = displaced_us
        self.values: dict[str, object] = {}
        self._filters: Final[list[str]] = []
        self.lists: Final[list[List]] = []
        self.window = EVERYTHING
        self._text_filter = ""
        """Stands apart, as it is dear: it is asked last, and not where the list is that of the text."""

    def add(self, query: CheckedQuery) -> None:
        if query.event_types:
            self._where(Where("event_type", "in", query.event_types))
        if query.aggregate_types:
            self._where(Where("aggregate_type", "in", query.aggregate_types))
        for tag in query.tags:
            self._value(_TAGS, Where("tags", "=", tag))
        if query.since is not None:
            self._time(Where("timestamp", ">=", timestamp_to_us(query.since)))
        if query.until is not None:
            self._time(Where("timestamp", "<", timestamp_to_us(query.until)))
        for one in query.where:
            self._where(one)
        if query.query:
            self._text(query.query)

    def begin_behind(self, place: Place, order: Order) -> None:
        if order == "newest":
            self.window = self.window.until(place.timestamp_us, self._displaced_us)
        else:
            self.window = self.window.since(place.timestamp_us)

    def finish(self) -> None:
        """Everything within the window is a list too. A list that has a thousand values, which are bound for each table
        anew, goes where the others have more than thirty thousand: SQLite takes no more."""
        self.values["low"], self.values["high"] = self.window
        self.lists[:] = [one for one in self.lists if one.bound + len(self.values) <= _BOUND_MAX]
        select = "SELECT doc FROM documents WHERE doc BETWEEN :low AND :high"
        self.lists.append(List((select,), is_sorted=True, is_window=True))

    def filter_beside(self, one: List | None) -> str:
        """What documents of a list are asked besides."""
        fit = one.filter if one else ""
        return " AND ".join(one for one in (*self._filters, self._text_filter) if one not in ("", fit)) or "TRUE"

    def run(self, connection: apsw.Connection, sql: str) -> apsw.Cursor:
        """With the values that are bound in it. SQLite looks for each name among all names before it, which with
        thousands takes seconds: it gets none."""
        values: list[object] = []

        def take(name: re.Match[str]) -> str:
            values.append(self.values[name[1]])
            return "?"

        return connection.execute(_BOUND.sub(take, sql), values)

    def _bind(self, value: object) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    # --- Parts -------------------------------------------------------------------------------------------------------

    def _where(self, where: Where) -> None:
        if where.field in self._fields:
            self._value(self._fields[where.field], where)
        elif where.operator == "exists":
            # Every event has its own fields.
            if not where.value:
                self._filters.append(_NEVER)
        elif where.field in _NAMES:
            self._name(where)
        elif where.field == "aggregate_id":
            self._aggregate_id(where)
        elif where.field == "version":
            self._version(where)
        elif where.field == "timestamp":
            self._time(where)
        else:
            self._event_id(where)

    def _value(self, field: int, where: Where) -> None:
        of_field = f"document_values AS v WHERE v.doc = d.doc AND v.field = {field}"
        if where.operator == "exists":
            self._filters.append(_has(of_field) if where.value else _has_not(of_field))
            if where.value:
                self._list(*(f"{table} AS p WHERE TRUE" for table in tables_of(field)))
            return
        condition = self._condition(where)
        if where.operator == "!=":
            self._filters.append(_has_not(f"{of_field} AND v.value = {condition.equals[0]}"))
        else:
            self._filters.append(_has(f"{of_field} AND {condition.on('v.value')}"))
            self._list_values(field, condition, condition.equals)

    def _name(self, where: Where) -> None:
        condition = self._condition(where)
        self._filters.append(_has(f"names AS n WHERE n.number = d.{where.field} AND {condition.on('n.name')}"))
        if is_narrowing(where):
            numbers = [f"(SELECT number FROM names WHERE name = {one})" for one in condition.equals]
            if 0 < len(numbers) <= MERGED_MAX:
                self._list_values(where.field, condition, numbers)
            else:
                self._list_joined(where.field, "names AS n", condition.on("n.name"), "n.number")

    def _aggregate_id(self, where: Where) -> None:
        condition = self._condition(where)
        self._filters.append(
            _has(f"aggregates AS a WHERE a.aggregate = d.aggregate AND {condition.on('a.aggregate_id')}")
        )
        if is_narrowing(where):
            self._list_joined("aggregate", "aggregates AS a", condition.on("a.aggregate_id"), "a.aggregate")

    def _version(self, where: Where) -> None:
        condition = self._condition(where)
        self._filters.append(condition.on("d.version"))
        if is_narrowing(where):
            self._list_values("version", condition, condition.equals)

    def _time(self, where: Where) -> None:
        self._filters.append(self._condition(where).on(_TIME))
        if where.operator in ("=", "in"):
            times = where.value if where.operator == "in" else (where.value,)
            self.window = self.window.since(min(times)).until(max(times), self._displaced_us)
        elif where.operator in (">", ">="):
            self.window = self.window.since(where.value)
        elif where.operator in ("<", "<="):
            self.window = self.window.until(where.value, self._displaced_us)

    def _event_id(self, where: Where) -> None:
        condition = self._event_id_condition(where)
        self._filters.append(condition.on("d.event_id"))
        if is_narrowing(where):
            self._list(f"event_ids AS p WHERE {condition.on('p.event_id')}")

    def _text(self, text: str) -> None:
        # Words are letters and digits alone: between quotation marks nothing of them is syntax.
        phrases = (" ".join(words_of(phrase)) for phrase in phrases_of(text))
        match = self._bind(" AND ".join(f'"{phrase}"' for phrase in phrases))
        self._text_filter = _has(f"words WHERE words MATCH {match} AND rowid = d.doc")
        select = f"SELECT rowid AS doc FROM words WHERE words MATCH {match} AND rowid >= :low AND rowid <= :high"
        self.lists.append(List((select,), is_sorted=True, is_text=True, filter=self._text_filter))

    # --- Lists -------------------------------------------------------------------------------------------------------

    def _list_values(self, of: str | int, condition: "_Condition", equals: Sequence[str]) -> None:
        """``of``: what has a table of postings. ``equals``: what a value is to be equal to one of, if that is the
        condition."""
        tables = tables_of(of)
        if 0 < len(equals) <= MERGED_MAX:
            sources = (f"{table} AS p WHERE p.value = {one}" for one in equals for table in tables)
            self._list(*sources, is_sorted=True)
        else:
            self._list(*(f"{table} AS p WHERE {condition.on('p.value')}" for table in tables))

    def _list_joined(self, of: str, source: str, condition: str, number: str) -> None:
        """Postings of the numbers of what fits a condition."""
        joined = (f"{source} CROSS JOIN {table} AS p" for table in tables_of(of))
        self._list(*(f"{one} WHERE {condition} AND p.value = {number}" for one in joined))

    def _list(self, *sources: str, is_sorted: bool = False) -> None:
        """Of what fits the newest filter."""
        selects = (f"SELECT p.doc FROM {one} AND p.doc BETWEEN :low AND :high" for one in sources)
        self.lists.append(List(tuple(selects), is_sorted, filter=self._filters[-1]))

    # --- Conditions --------------------------------------------------------------------------------------------------

    def _condition(self, where: Where) -> "_Condition":
        if where.operator == "in":
            equals = tuple(map(self._bind, dict.fromkeys(where.value)))
            return _Condition(f"{{0}} IN ({','.join(equals)})", equals)
        if where.operator == "prefix":
            return self._between(where.value, behind_prefix(where.value))
        bound = self._bind(where.value)
        is_equality = where.operator in ("=", "!=")
        return _Condition(f"{{0}} {where.operator} {bound}", (bound,) if is_equality else ())

    def _between(self, low: Value | bytes, end: Value | bytes | None) -> "_Condition":
        template = f"{{0}} >= {self._bind(low)}"
        return _Condition(template if end is None else f"{template} AND {{0}} < {self._bind(end)}", ())

    def _event_id_condition(self, where: Where) -> "_Condition":
        """Ids are kept as bytes, which have the order of their texts."""
        value = where.value
        if where.operator in ("=", "!=", "in"):
            ids = [UUID(one).bytes for one in (value if where.operator == "in" else (value,)) if is_event_id(one)]
            bound = ",".join(map(self._bind, ids))
            return _Condition(f"{{0}} {'NOT ' if where.operator == '!=' else ''}IN ({bound})", ())
        first, behind = event_ids_where(where.operator, value)
        return self._between(_BEHIND_ALL if first is None else first.bytes, None if behind is None else behind.bytes)


class _Condition(NamedTuple):
    template: str
    """Made of names and numbers of ours alone."""
    equals: tuple[str, ...]
    """Bound values, where the condition is to be equal to one of them."""

    def on(self, column: str) -> str:
        return self.template.format(column)


def _has(source: str) -> str:
    # SQLite would make a join of EXISTS, and choose its order by itself.
    return f"(SELECT TRUE FROM {source} LIMIT 1)"


def _has_not(source: str) -> str:
    return f"NOT EXISTS (SELECT 1 FROM {source})"
