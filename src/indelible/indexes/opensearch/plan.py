"""A search as a query of OpenSearch: conditions alone, nothing is scored."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from indelible.events import timestamp_to_us
from indelible.indexes.opensearch.mapping import (
    PART_LENGTH,
    digest,
    doubles_of,
    names_of,
    tails_of,
    tokens_of,
)
from indelible.indexes.opensearch.state import Held
from indelible.search import OWN_FIELDS, CheckedQuery, FieldType, Where, phrases_of

Query = Mapping[str, Any]

_NOTHING: Final[Query] = {"match_none": {}}
_EVERYTHING: Final[Query] = {"match_all": {}}
_BOUNDS: Final = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**63 - 1


def query_of(query: CheckedQuery, held: Held) -> Query:
    names, wanted, unwanted = names_of(held.fields), list[Query](), list[Query](held.hidden)
    if query.event_types:
        wanted.append({"terms": {"event_type": query.event_types}})
    if query.aggregate_types:
        wanted.append({"terms": {"aggregate_type": query.aggregate_types}})
    wanted += ({"term": {"tags": tag}} for tag in query.tags)
    if query.since is not None:
        wanted.append({"range": {"timestamp_us": {"gte": timestamp_to_us(query.since)}}})
    if query.until is not None:
        wanted.append({"range": {"timestamp_us": {"lt": timestamp_to_us(query.until)}}})
    for where in query.where:
        field = _Field.of(where.field, held.fields, names)
        if where.operator == "!=":
            unwanted.append(field.among([where.value]))
        elif where.operator == "exists" and not where.value:
            unwanted.append(field.exists())
        else:
            wanted.append(_wanted(where, field))
    wanted += _phrases(query.query)
    return {"bool": {"filter": wanted, "must_not": unwanted}}


def _wanted(where: Where, field: "_Field") -> Query:
    if where.operator == "exists":
        return field.exists()
    if where.operator == "prefix":
        return field.prefix(where.value)
    if where.operator in _BOUNDS:
        return field.within(where.operator, where.value)
    return field.among(where.value if where.operator == "in" else [where.value])


def _phrases(text: str) -> Sequence[Query]:
    found = dict.fromkeys(tuple(tokens_of(phrase)) for phrase in phrases_of(text))
    return [
        {"term": {"words": words[0]}} if len(words) == 1 else {"match_phrase": {"words": " ".join(words)}}
        for words in found
    ]


class _Field:
    """Booleans and times are one field of the index."""

    def __init__(self, name: str, *, is_everywhere: bool) -> None:
        self.name: Final = name
        self._is_everywhere: Final = is_everywhere

    @staticmethod
    def of(path: str, fields: Mapping[str, FieldType], names: Mapping[str, str]) -> "_Field":
        kind, is_own = OWN_FIELDS.get(path) or fields[path], path in OWN_FIELDS
        name = "timestamp_us" if path == "timestamp" else path if is_own else names[path]
        return {"number": _Number, "string": _String}.get(kind, _Field)(name, is_everywhere=is_own)

    def exists(self) -> Query:
        return _EVERYTHING if self._is_everywhere else self._exists()

    def _exists(self) -> Query:
        return {"exists": {"field": self.name}}

    def among(self, values: Sequence[Any]) -> Query:
        return {"terms": {self.name: values}}

    def within(self, operator: str, bound: Any) -> Query:
        return {"range": {self.name: {_BOUNDS[operator]: bound}}}

    def prefix(self, text: str) -> Query:
        raise NotImplementedError  # of strings alone


class _String(_Field):
    """With its tails: see :mod:`indelible.indexes.opensearch.mapping`."""

    def prefix(self, text: str) -> Query:
        at = (len(text) - 1) // PART_LENGTH * PART_LENGTH
        if at <= 0:
            return {"prefix": {self.name: {"value": text}}}
        return {"prefix": {tails_of(self.name): {"value": digest(text[:at]) + text[at:]}}}

    def within(self, operator: str, bound: str) -> Query:
        if len(bound) <= PART_LENGTH:
            return super().within(operator, bound)
        is_less, starts = operator in ("<", "<="), range(PART_LENGTH, len(bound) + 1, PART_LENGTH)
        found = [self._less(bound, at) if is_less else self._greater(bound, at) for at in starts]
        # What ends where a tail of the bound begins is less, and has no such tail.
        equal = [bound[:at] for at in starts if is_less and at < len(bound)]
        equal += [bound] if operator in ("<=", ">=") else []
        head, behind = bound[:PART_LENGTH], _behind(bound[:PART_LENGTH])
        if is_less:
            found.append(super().within("<", head))
        elif behind is not None:
            found.append(super().within(">=", behind))
        return _any([*found, self.among(equal)])

    def _less(self, bound: str, at: int) -> Query:
        """Strings that are like the bound up to there, and less by what comes then."""
        head, part = digest(bound[:at]), bound[at : at + PART_LENGTH]
        return {"range": {tails_of(self.name): {"gte": head, "lt": head + part}}}

    def _greater(self, bound: str, at: int) -> Query:
        head, part = digest(bound[:at]), bound[at : at + PART_LENGTH]
        if at + len(part) == len(bound):
            return {"range": {tails_of(self.name): {"gt": head + part, "lt": _behind(head)}}}
        behind = _behind(part)
        if behind is None:
            return _NOTHING
        return {"range": {tails_of(self.name): {"gte": head + behind, "lt": _behind(head)}}}


def _behind(text: str) -> str | None:
    """The first string behind all that begin with this."""
    kept = text.rstrip("\U0010ffff")
    if not kept:
        return None
    code = ord(kept[-1]) + 1
    return kept[:-1] + chr(code if not 0xD800 <= code <= 0xDFFF else 0xE000)


class _Number(_Field):
    """Whole numbers of 64 bits are in one field, all others in another. Versions are whole, always."""

    def _exists(self) -> Query:
        return _any([super()._exists(), {"exists": {"field": doubles_of(self.name)}}])

    def among(self, values: Sequence[Any]) -> Query:
        whole = [one for one in values if isinstance(one, int)]
        others = [one for one in values if isinstance(one, float)]
        found: list[Query] = [{"terms": {self.name: whole}}] if whole else []
        if others and not self._is_everywhere:
            found.append({"terms": {doubles_of(self.name): others}})
        return _any(found)

    def within(self, operator: str, bound: Any) -> Query:
        found: list[Query] = [self._whole_within(operator, bound)]
        if not self._is_everywhere:
            found.append({"range": {doubles_of(self.name): _bound_of_doubles(operator, bound)}})
        return _any(found)

    def _whole_within(self, operator: str, bound: float) -> Query:
        if operator in (">", ">="):
            least = math.floor(bound) + 1 if operator == ">" else math.ceil(bound)
            return _NOTHING if least > _INT_MAX else {"range": {self.name: {"gte": max(least, _INT_MIN)}}}
        most = math.ceil(bound) - 1 if operator == "<" else math.floor(bound)
        return _NOTHING if most < _INT_MIN else {"range": {self.name: {"lte": min(most, _INT_MAX)}}}


def _bound_of_doubles(operator: str, bound: float) -> Mapping[str, float]:
    """The same bound for doubles alone, where a whole number may stand between two of them."""
    near = float(bound)
    if operator in (">", "<="):  # by the greatest double that is no more
        near = math.nextafter(near, -math.inf) if near > bound else near
    else:  # by the least that is no less
        near = math.nextafter(near, math.inf) if near < bound else near
    return {_BOUNDS[operator]: near}


def _any(queries: Sequence[Query]) -> Query:
    if len(queries) == 1:
        return queries[0]
    return {"bool": {"should": queries, "minimum_should_match": 1}} if queries else _NOTHING
