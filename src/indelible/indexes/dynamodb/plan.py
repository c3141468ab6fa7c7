"""Which lists could lead a search. Each part of a query is either led by or looked at in every document.

An entry's sort key is a value, then the place. So the entries with one value are in the order of searches, and those of
a range of values are not.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from indelible.events import timestamp_to_us
from indelible.indexes.dynamodb.encoding import (
    LEAST,
    SUFFIX_SIZE_BYTES,
    above,
    beginning,
    encode_place,
    encode_string,
    encode_time,
    encode_value,
    is_cut,
)
from indelible.indexes.dynamodb.entries import (
    AGGREGATE_IDS,
    AGGREGATE_TYPES,
    ALL,
    EVENT_TYPES,
    TAGS,
    field_list,
    list_partition,
)
from indelible.indexes.dynamodb.table import Stretch
from indelible.indexes.index import Place
from indelible.limits import DYNAMODB_LISTS_PROBED_MAX
from indelible.search import OWN_FIELDS, CheckedQuery, FieldType, Order, Where, is_narrowing

_OWN_LISTS: Final = {"event_type": EVENT_TYPES, "aggregate_type": AGGREGATE_TYPES, "aggregate_id": AGGREGATE_IDS}
_LAST_TIME_US: Final = (1 << 63) - 1
_FIRST_TIME_US: Final = -(1 << 63)


class Lead(NamedTuple):
    """A list that could lead a search, or several: every event that fits stands in one of them."""

    name: bytes
    beginnings: tuple[bytes, ...]
    """Of sort keys, one a list in the order of places; empty for a range of values."""
    range: tuple[bytes, bytes] | None
    """From one sort key to another."""
    part: object
    """Of the query: what holds for each of its entries; None where that is to be looked at all the same."""

    @property
    def is_ordered(self) -> bool:
        return self.range is None


class Times(NamedTuple):
    """From one to before another, in microseconds."""

    first_us: int
    end_us: int

    @classmethod
    def of(cls, query: CheckedQuery) -> "Times":
        first_us, end_us = _FIRST_TIME_US, _LAST_TIME_US
        if query.since is not None:
            first_us = timestamp_to_us(query.since)
        if query.until is not None:
            end_us = timestamp_to_us(query.until)
        for one in query.where:
            if one.field == "timestamp" and one.operator in _TIMES:
                low, high = _TIMES[one.operator]
                value = int(one.value)
                first_us = first_us if low is None else max(first_us, value + low)
                end_us = end_us if high is None else min(end_us, value + high)
        return cls(first_us, end_us)


_TIMES: Final[Mapping[str, tuple[int | None, int | None]]] = {
    "=": (0, 1), ">=": (0, None), ">": (1, None), "<": (None, 0), "<=": (None, 1),
}  # fmt: skip
"""Of a condition on the timestamp: what its value is from the first microsecond, and from the end."""


def leads_of(query: CheckedQuery, fields: Mapping[str, FieldType]) -> list[Lead]:
    """The most promising first; what is in the order of places before what is not. All events are the last."""
    found = [*_condition_leads(query.where, fields)]
    found += [Lead(TAGS, (encode_string(tag),), None, ("tag", tag)) for tag in query.tags]
    if query.event_types:
        found.append(_names_lead(EVENT_TYPES, query.event_types, "event_types"))
    if query.aggregate_types:
        found.append(_names_lead(AGGREGATE_TYPES, query.aggregate_types, "aggregate_types"))
    found.sort(key=lambda one: (not one.is_ordered, len(one.beginnings)))
    return [*found, Lead(ALL, (b"",), None, "all")]


def _names_lead(name: bytes, asked: Sequence[str], part: str) -> Lead:
    return Lead(
        name, tuple({encode_string(one): None for one in asked}), None, None if any(map(is_cut, asked)) else part
    )


def _condition_leads(where: Sequence[Where], fields: Mapping[str, FieldType]) -> Iterator[Lead]:
    declared = sorted(fields)
    for number, one in enumerate(where):
        if not is_narrowing(one):
            continue
        if one.field in _OWN_LISTS and one.operator != "exists":
            yield from _leads_of_condition(_OWN_LISTS[one.field], one, "string", number)
        elif one.field in fields:
            yield from _leads_of_condition(field_list(declared, one.field), one, fields[one.field], number)


def _leads_of_condition(name: bytes, one: Where, kind: FieldType, number: int) -> Iterator[Lead]:
    if one.operator not in ("=", "in"):
        yield Lead(name, (), _range(one, kind), None)
        return
    values = one.value if one.operator == "in" else (one.value,)
    beginnings = sorted({encode_value(value, kind) for value in values})
    yield Lead(name, tuple(beginnings), None, None if any(map(is_cut, values)) else ("where", number))
    if len(beginnings) > DYNAMODB_LISTS_PROBED_MAX:
        # There may be little between the least and the greatest.
        yield Lead(name, (), (beginnings[0], _beyond(beginnings[-1])), None)


def _range(one: Where, kind: FieldType) -> tuple[bytes, bytes]:
    if one.operator == "exists":
        return LEAST, above(b"")
    if one.operator == "prefix":
        start = beginning(one.value)
        return start or LEAST, above(start)
    value = encode_value(one.value, kind)
    below, beyond = value, _beyond(value)
    if is_cut(one.value):
        # Others that begin like it may stand on either side.
        below, beyond = beginning(one.value), above(beginning(one.value))
        return (LEAST, beyond) if one.operator in ("<", "<=") else (below, above(b""))
    return {
        "<": (LEAST, below), "<=": (LEAST, beyond), ">": (beyond, above(b"")), ">=": (below, above(b"")),
    }[one.operator]  # fmt: skip


def _beyond(start: bytes) -> bytes:
    """Behind all with this value, and before those with a greater one."""
    return start + b"\xff" * (SUFFIX_SIZE_BYTES + 1)


def stretches_of(lead: Lead, generation: int, times: Times, order: Order, behind: Place | None) -> list[Stretch]:
    """Where its entries are. A range's are so whatever their places."""
    partition = list_partition(generation, lead.name)
    if lead.range is not None:
        return [Stretch(partition, *lead.range)]
    found = (_ordered(partition, start, times, order, behind) for start in lead.beginnings)
    return [one for one in found if not one.is_empty]


def _ordered(partition: bytes, start: bytes, times: Times, order: Order, behind: Place | None) -> Stretch:
    first, last = start or LEAST, _beyond(start)
    if times.first_us > _FIRST_TIME_US:
        first = start + encode_time(times.first_us)
    if times.end_us < _LAST_TIME_US:
        last = start + encode_time(times.end_us)
    if behind is not None:
        # A place alone stands before it with any step.
        place = start + encode_place(behind)
        if order == "newest":
            last = min(last, place)
        else:
            first = max(first, place + b"\xff" * 9)
    return Stretch(partition, first, last)


def is_all_said(query: CheckedQuery, lead: Lead) -> bool:
    """Whether each entry of a list in the order of places is of an event that fits."""
    parts: list[object] = [("where", n) for n, one in enumerate(query.where) if not _is_of_times(one)]
    parts += [("tag", tag) for tag in query.tags]
    parts += ["event_types"] if query.event_types else []
    parts += ["aggregate_types"] if query.aggregate_types else []
    return lead.is_ordered and all(part == lead.part for part in parts)


def _is_of_times(one: Where) -> bool:
    return (one.field == "timestamp" and one.operator in _TIMES) or (
        one.field in OWN_FIELDS and one.operator == "exists" and one.value is True
    )
