"""What a search asks of a generation, in SQL.

Each part of a query gives a *filter*, which says exactly whether a row fits, and mostly what *narrows*: a condition
that an index can answer, and that all rows that fit meet. What stands *within* says where a walk in the order of the
answer begins and ends. How they are put together is chosen in :mod:`indelible.indexes.postgres.searching`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from indelible.events import AggregateKey, timestamp_to_us
from indelible.indexes.event_ids import event_ids_where, is_event_id
from indelible.indexes.index import Place
from indelible.indexes.postgres.rows import term_of
from indelible.indexes.postgres.stored import KEY_LENGTH, decimal_text, kept_text, tag_term, word_term
from indelible.queries import behind_prefix
from indelible.search import CheckedQuery, FieldType, Order, Value, Where, is_narrowing, phrases_of, words_of

SQL_TYPES: Final[Mapping[FieldType, str]] = {
    "string": "text", "number": "numeric", "boolean": "boolean", "time": "bigint",
}  # fmt: skip

_NAMES: Final = ("event_type", "aggregate_type", "aggregate_id")
_LOWER: Final = (">", ">=")
_NEVER: Final = "FALSE"
_VERSION_MOST: Final = 2**63 - 1


class _Bounds(NamedTuple):
    """Of a field's index: what its greatest value is at or above, and its least at or below. ``{0}`` is the value."""

    lower: list[str]
    upper: list[str]


class Plan:
    """Of one search in a generation with these fields. ``values`` stand in SQL by name."""

    def __init__(self, fields: Mapping[str, FieldType]) -> None:
        self._numbers: Final = {path: number for number, path in enumerate(fields, start=1)}
        self._kinds: Final = fields
        self.values: Final[dict[str, Any]] = {}
        self.within: Final[list[str]] = []
        self._filters: Final[list[str]] = []
        self._of_text: Final[list[str]] = []
        """Asked last, as a text may be long."""
        self._narrows: Final[list[str]] = []
        self._terms: Final[set[int]] = set()
        """All of which a row must have."""
        self._bounds: Final[dict[str, _Bounds]] = {}
        self.is_narrow = False
        """Whether an index knows which rows to look at."""

    def add(self, query: CheckedQuery) -> None:
        if query.event_types:
            self._where(Where("event_type", "in", query.event_types))
        if query.aggregate_types:
            self._where(Where("aggregate_type", "in", query.aggregate_types))
        if query.tags:
            self.is_narrow = True
            self._terms.update(map(tag_term, query.tags))
            self._filters.append(f"d.tags @> {self._bind([kept_text(one) for one in query.tags], 'text[]')}")
        if query.since is not None:
            self._where(Where("timestamp", ">=", timestamp_to_us(query.since)))
        if query.until is not None:
            self._where(Where("timestamp", "<", timestamp_to_us(query.until)))
        for one in query.where:
            self._where(one)
        self._text(query.query)

    # --- What is asked -----------------------------------------------------------------------------------------------

    @property
    def filter(self) -> str:
        return " AND ".join((*self._filters, *self._of_text)) or "TRUE"

    @property
    def narrow_filter(self) -> str:
        """With all that indexes can answer."""
        conditions = [*self._narrows, *(_by_bounds(column, bounds) for column, bounds in self._bounds.items())]
        if self._terms:
            conditions.append(f"d.terms @> {self._bind(sorted(self._terms), 'integer[]')}")
        return " AND ".join((*conditions, self.filter))

    def begin_behind(self, place: Place, order: Order) -> None:
        sign = "<" if order == "newest" else ">"
        bound = (self._bind(place.timestamp_us, "bigint"), self._bind(place.position, "bigint"))
        row = f"({', '.join(bound)}, {self._bind(place.event_id, 'uuid')})"
        self.within.append(f"(d.timestamp_us, d.position, d.event_id) {sign} {row}")

    def stay_within_names(self, query: CheckedQuery, behind: AggregateKey | None) -> None:
        """Where aggregates that are looked for may stand in the order of their names."""
        if behind is not None:
            names = [self._text_value(one) for one in (behind.aggregate_type, behind.aggregate_id)]
            self.within.append(f"(d.aggregate_type, d.aggregate_id) > ({', '.join(names)})")
        if query.aggregate_types:
            self.within.append(f"d.aggregate_type <= {self._text_value(max(query.aggregate_types))}")
            if behind is None:
                self.within.append(f"d.aggregate_type >= {self._text_value(min(query.aggregate_types))}")

    def _bind(self, value: object, kind: str) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"%({name})s::{kind}"

    def _text_value(self, text: str) -> str:
        return self._bind(kept_text(text), "text")

    # --- Parts -------------------------------------------------------------------------------------------------------

    def _where(self, where: Where) -> None:
        if where.field in self._numbers:
            self._field(where)
        elif where.operator == "exists":
            # Every event has its own fields.
            self._filters.extend([] if where.value else [_NEVER])
            return
        elif where.field in _NAMES:
            self._name(where)
        elif where.field == "version":
            self._version(where)
        elif where.field == "event_id":
            self._event_id(where)
        else:
            self._time(where)
            return
        self.is_narrow |= is_narrowing(where)

    def _name(self, where: Where) -> None:
        column = f"d.{where.field}"
        if where.operator == "prefix":
            self._filters.append(f"starts_with({column}, {self._text_value(where.value)})")
            lower, upper = self._prefix_bounds(kept_text(where.value), "{0}")
            self._narrows.extend(one.format(column) for one in (*lower, *upper))
        else:
            self._filters.append(self._compared(column, where, "string"))

    def _version(self, where: Where) -> None:
        """Compared as whole numbers, as the index has them."""
        operator, value = where.operator, where.value
        if operator in ("=", "!=", "in"):
            asked = value if operator == "in" else (value,)
            whole = [one for one in asked if isinstance(one, int) and 0 <= one <= _VERSION_MOST]
            found = f"d.version = ANY({self._bind(whole, 'bigint[]')})"
            self._filters.append(f"NOT {found}" if operator == "!=" else found)
        else:
            # Between 2 and 3 is what is above 2, and what is from 3 on.
            whole_number = math.floor(value) if operator in (">", "<=") else math.ceil(value)
            bound = self._bind(max(min(whole_number, _VERSION_MOST), -_VERSION_MOST), "bigint")
            self._filters.append(f"d.version {operator} {bound}")

    def _time(self, where: Where) -> None:
        condition = self._compared("d.timestamp_us", where, "time")
        self._filters.append(condition)
        if where.operator != "!=":
            self.within.append(condition)

    def _event_id(self, where: Where) -> None:
        operator, value = where.operator, where.value
        if operator in ("=", "!=", "in"):
            ids = [UUID(one) for one in (value if operator == "in" else (value,)) if is_event_id(one)]
            found = f"d.event_id = ANY({self._bind(ids, 'uuid[]')})"
            self._filters.append(f"NOT {found}" if operator == "!=" else found)
            return
        first, behind = event_ids_where(operator, value)
        self._filters.append(_NEVER if first is None else f"d.event_id >= {self._bind(first, 'uuid')}")
        if behind is not None:
            self._filters.append(f"d.event_id < {self._bind(behind, 'uuid')}")

    def _text(self, query: str) -> None:
        for phrase in phrases_of(query):
            words = words_of(phrase)
            self.is_narrow = True
            self._terms.update(map(word_term, words))
            spaced = " ".join(("", *words, ""))
            self._of_text.append(f"strpos(d.words, {self._bind(spaced, 'text')}) > 0")

    # --- Declared fields ---------------------------------------------------------------------------------------------

    def _field(self, where: Where) -> None:
        column = f"d.f{self._numbers[where.field]}"
        kind = self._kinds[where.field]
        if where.operator == "exists":
            self._filters.append(f"{column} IS {'NOT NULL' if where.value else 'NULL'}")
        elif where.operator in ("=", "!=", "in"):
            self._field_equal(where, column, kind)
        elif where.operator == "prefix":
            prefix = self._text_value(where.value)
            several = f"SELECT FROM unnest({column}_all) AS v (value) WHERE starts_with(v.value, {prefix})"
            self._filters.append(f"(starts_with({column}, {prefix}) OR EXISTS ({several}))")
            key = kept_text(where.value)[:KEY_LENGTH]
            self._add_bounds(column, *self._prefix_bounds(key, _key("{0}")))
        else:
            self._field_range(where, column, kind)

    def _field_equal(self, where: Where, column: str, kind: FieldType) -> None:
        asked: Sequence[Value] = where.value if where.operator == "in" else (where.value,)
        values = self._bind([_sent(one, kind) for one in asked], f"{SQL_TYPES[kind]}[]")
        found = f"({column} = ANY({values}) OR {column}_all && {values})"
        if where.operator == "!=":
            self._filters.append(f"{found} IS NOT TRUE")
            return
        self._filters.append(found)
        number = self._numbers[where.field]
        terms = self._bind(sorted({term_of(number, kind, one) for one in asked}), "integer[]")
        if kind == "string":
            keys = self._bind(sorted({str(_sent(one, kind))[:KEY_LENGTH] for one in asked}), "text[]")
            self._narrows.append(f"({_key(column)} = ANY({keys}) OR d.terms && {terms})")
        else:
            self._narrows.append(f"({column} = ANY({values}) OR d.terms && {terms})")

    def _field_range(self, where: Where, column: str, kind: FieldType) -> None:
        value = self._bind(_sent(where.value, kind), SQL_TYPES[kind])
        operator = where.operator
        condition = f"{column} {operator} {value}"
        if operator in _LOWER:
            condition = f"({condition} OR {column}_high {operator} {value})"
        self._filters.append(condition)
        if kind == "string":
            # Keys are cut: those of strings that differ behind that are equal.
            operator = ">=" if operator in _LOWER else "<="
            value = self._bind(kept_text(where.value)[:KEY_LENGTH], "text")
            template = f"{_key('{0}')} {operator} {value}"
        else:
            template = f"{{0}} {operator} {value}"
        if operator in _LOWER:
            self._add_bounds(column, [template], [])
        else:
            self._add_bounds(column, [], [template])

    def _add_bounds(self, column: str, lower: Sequence[str], upper: Sequence[str]) -> None:
        bounds = self._bounds.setdefault(column, _Bounds([], []))
        bounds.lower.extend(lower)
        bounds.upper.extend(upper)

    def _prefix_bounds(self, prefix: str, template: str) -> tuple[list[str], list[str]]:
        end = behind_prefix(prefix)
        lower = [f"{template} >= {self._bind(prefix, 'text')}"]
        return lower, [] if end is None else [f"{template} < {self._bind(end, 'text')}"]

    def _compared(self, column: str, where: Where, kind: FieldType) -> str:
        """Of what every row has one of."""
        if where.operator == "in":
            return f"{column} = ANY({self._bind([_sent(one, kind) for one in where.value], f'{SQL_TYPES[kind]}[]')})"
        operator = "<>" if where.operator == "!=" else where.operator
        return f"{column} {operator} {self._bind(_sent(where.value, kind), SQL_TYPES[kind])}"


def _key(column: str) -> str:
    """What is in the index of strings."""
    return f"left({column}, {KEY_LENGTH})"


def _by_bounds(column: str, bounds: _Bounds) -> str:
    """Where a field has one value all bounds are for that; where it has several each may be met by another, and so all
    lower ones by the greatest, all upper ones by the least."""
    low = [one.format(column) for one in (*bounds.lower, *bounds.upper)]
    several = [one.format(f"{column}_high") for one in bounds.lower] + [one.format(column) for one in bounds.upper]
    return f"({' AND '.join(low)} OR {column}_high IS NOT NULL AND {' AND '.join(several)})"


def _sent(value: Any, kind: FieldType) -> Any:
    if kind == "string":
        return kept_text(value)
    return decimal_text(value) if kind == "number" else value
