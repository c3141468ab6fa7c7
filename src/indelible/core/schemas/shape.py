"""What a schema is made of, pure: which schemas stand within it, where its references lead, and what it costs.

The cost bounds the time that a check of data takes. Of every value in the data it says how many schemas look at that
value at the most, each counted by the keywords that it has; so a check takes no longer than the data's size times the
cost. It is reckoned level by level, down to the deepest data that there may be: a schema that looks at a value in two
ways, and leads back to itself in both, doubles with each level, and is refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from msgspec import Struct

from indelible.errors import InvalidRequest
from indelible.limits import JSON_DEPTH_MAX, SCHEMA_COST_MAX, SCHEMA_PATTERNS_SIZE_BYTES_MAX
from indelible.schemas import DIALECT

PatternSize = Callable[[str], int]
"""Of a compiled pattern, in bytes. Raises ``InvalidRequest`` for one that is not allowed, without a pointer."""

_SINGLE: Final = (
    "not", "if", "then", "else", "items", "contains", "additionalProperties", "propertyNames", "unevaluatedItems",
    "unevaluatedProperties",
)  # fmt: skip
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS: Final = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
_SAME_VALUE: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
"""Keywords whose schemas look at the same value."""
_OF_PARTS: Final = ("properties", "additionalProperties", "prefixItems", "items")
"""Keywords whose schemas look at parts of the value: each part is for one of them, of those that concern it."""
_OF_ALL_PARTS: Final = ("contains", "unevaluatedItems", "unevaluatedProperties")
"""Keywords that look at each part once more."""
_ALTERNATIVES: Final = ("anyOf", "oneOf", "not", "if", "contains", "dependentSchemas")
_REFUSED: Final = ("$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary")

_SILENT: Final = frozenset((
    "$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "deprecated",
    "readOnly", "writeOnly",
))  # fmt: skip

_UNIQUE_COST: Final = 24
_CONTAINS_COST: Final = 8
_PATTERN_BYTES_PER_COST: Final = 15
_TEXTS_PER_COST: Final = 32
_MIXED_TEXTS_PER_COST: Final = 2
"""Of an enum: texts alone are looked up, but gone through where other values stand among them."""
_WHOLE_COST: Final = 48
_FRACTION_COST: Final = 128
_NEAR_ZERO_COST: Final = 2_048
"""Of being equal to a number: unless both are whole, they are compared as fractions of as many digits as they need."""
_MULTIPLE_OF_WHOLE_COST: Final = 32
_MULTIPLE_OF_FRACTION_COST: Final = 96
_LIMIT_COST: Final = 64
"""Of a ``minimum`` and its like that is a fraction."""
"""How these compare with a keyword that compares one value, as measured on the largest data."""
_INT_BEYOND: Final = 2**63
_NEAR_ZERO: Final = 1e-30
"""Closer to it a fraction has so many digits that comparing it takes many times as long."""
_DEPENDENTS: Final = ("dependentRequired", "dependentSchemas")
_LIMITS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


class Shape(Struct, frozen=True):
    cost: int
    has_alternatives: bool
    """Whether that data does not fit may be the end of several tries."""
    has_unique_items: bool


def shape_of(schema: Mapping[str, Any], pattern_size: PatternSize) -> Shape:
    """Raises ``InvalidRequest`` with the pointer into the schema for what is not taken. It is known to be one."""
    places = dict(_places(schema, ""))
    for pointer, place in places.items():
        _check_keywords(place, pointer)
    costs = _Costs(places, pattern_size)
    has_alternatives = any(keyword in place for place in places.values() for keyword in _ALTERNATIVES)
    return Shape(costs.highest(), has_alternatives, any(place.get("uniqueItems") for place in places.values()))


def step(name: object) -> str:
    """As it stands in a JSON pointer."""
    return "/" + str(name).replace("~", "~0").replace("/", "~1")


def within(place: Mapping[str, Any], pointer: str, *keywords: str) -> Iterator[tuple[str, Any]]:
    """The schemas of some keywords of a schema, and where each stands."""
    for keyword in keywords:
        if keyword not in place:
            continue
        value, at = place[keyword], pointer + step(keyword)
        if keyword in _SINGLE:
            yield at, value
        else:
            members = enumerate(value) if keyword in _LISTS else value.items()
            for name, one in members:
                yield at + step(name), one


def _places(place: Any, pointer: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All schemas that stand in one, itself first. What is true or false says nothing of its own."""
    if isinstance(place, Mapping):
        yield pointer, place
        for at, one in within(place, pointer, *_SINGLE, *_LISTS, *_MAPS):
            yield from _places(one, at)


def _check_keywords(place: Mapping[str, Any], pointer: str) -> None:
    for keyword in _REFUSED:
        if keyword in place:
            raise InvalidRequest("is not taken here", pointer=pointer + step(keyword))
    if pointer and "$id" in place:
        raise InvalidRequest("may stand only at the top", pointer=f"{pointer}/$id")
    if place.get("$schema", DIALECT).rstrip("#") != DIALECT:
        raise InvalidRequest(f"must be {DIALECT}, or be left out", pointer=f"{pointer}/$schema")


def target_of(place: Mapping[str, Any], pointer: str = "") -> str | None:
    """Where the reference of a schema leads, as a JSON pointer."""
    reference = place.get("$ref")
    if reference is None:
        return None
    if reference != "#" and not reference.startswith("#/"):
        raise InvalidRequest(
            'must begin with "#/": references lead to schemas within this one, nothing is fetched',
            pointer=f"{pointer}/$ref",
        )
    return str(reference[1:])


class _Costs:
    def __init__(self, places: Mapping[str, Mapping[str, Any]], pattern_size: PatternSize) -> None:
        self._places: Final = places
        self._pattern_size: Final = pattern_size
        self._patterns_size_bytes = 0
        self._same: Final = {at: self._same_value(at) for at in places}
        self._order: Final = self._sorted()
        self._own: Final = {at: _own_cost(place) + self._pattern_cost(at) for at, place in places.items()}
        self._keys: Final = {at: self._cost_of_keys(at) for at in places}

    def highest(self) -> int:
        """Of any level of the data. Raises ``InvalidRequest`` beyond ``SCHEMA_COST_MAX``."""
        level: dict[str, int] = {}
        above: dict[str, int] = dict.fromkeys(self._places, 0)
        highest = 0
        for depth in range(JSON_DEPTH_MAX + 1):
            level = {}
            for at in self._order:
                cost = self._own[at] if depth == 0 else self._cost_of_parts(at, above, with_keys=depth == 1)
                again = (
                    2 if "unevaluatedProperties" in self._places[at] or "unevaluatedItems" in self._places[at] else 1
                )
                level[at] = cost + again * sum([level[one] for one in self._same[at]])
            highest = max(highest, level[""])
            if highest > SCHEMA_COST_MAX:
                raise InvalidRequest(
                    f"may look at one value more than {SCHEMA_COST_MAX} times: it has too many alternatives or "
                    "numbers to compare with, or leads back to itself in more than one of its alternatives",
                    cost_max=SCHEMA_COST_MAX,
                )
            if not any(level.values()):
                break
            above = level
        return highest

    def _same_value(self, at: str) -> list[str]:
        place = self._places[at]
        found = [one for one, inner in within(place, at, *_SAME_VALUE) if isinstance(inner, Mapping)]
        target = target_of(place, at)
        if target is not None:
            if target not in self._places:
                raise InvalidRequest("leads to no schema within this one", pointer=f"{at}/$ref")
            found.append(target)
        return found

    def _sorted(self) -> tuple[str, ...]:
        """Every schema after those that look at the same value for it."""
        try:
            return tuple(TopologicalSorter(self._same).static_order())
        except CycleError as error:
            raise InvalidRequest(
                "leads back to itself without going into the data", pointer=min(error.args[1])
            ) from None

    def _cost_of_parts(self, at: str, above: Mapping[str, int], *, with_keys: bool) -> int:
        """Of what the schema's own keywords have looked at, one level further up in the data."""
        place = self._places[at]
        plain = int(with_keys)
        """Of the schemas true and false."""
        one_of_them = max([above.get(one, plain) for one, _ in within(place, at, *_OF_PARTS)], default=0)
        all_of_them = [above.get(one, plain) for one, _ in within(place, at, "patternProperties", *_OF_ALL_PARTS)]
        cost = one_of_them + sum(all_of_them)
        if with_keys:
            cost += self._keys[at] + above.get(f"{at}/propertyNames", 0)
            cost += _CONTAINS_COST if "contains" in place else 0
        return cost

    def _pattern_cost(self, at: str) -> int:
        place = self._places[at]
        return self._cost_of_pattern(place["pattern"], f"{at}/pattern") if "pattern" in place else 0

    def _cost_of_keys(self, at: str) -> int:
        """Of the names of an object's members."""
        place = self._places[at]
        names = place.get("patternProperties", {})
        return sum([self._cost_of_pattern(one, f"{at}/patternProperties{step(one)}") for one in names])

    def _cost_of_pattern(self, pattern: str, pointer: str) -> int:
        try:
            size_bytes = self._pattern_size(pattern)
        except InvalidRequest as error:
            raise error.under(pointer) from None
        self._patterns_size_bytes += size_bytes
        if self._patterns_size_bytes > SCHEMA_PATTERNS_SIZE_BYTES_MAX:
            raise InvalidRequest(
                f"is one pattern too many: those of a schema may take {SCHEMA_PATTERNS_SIZE_BYTES_MAX} bytes, compiled",
                pointer=pointer, size_bytes_max=SCHEMA_PATTERNS_SIZE_BYTES_MAX,
            )  # fmt: skip
        return size_bytes // _PATTERN_BYTES_PER_COST


def _own_cost(place: Mapping[str, Any]) -> int:
    """Of the keywords that look at the value itself."""
    return (
        1
        + len(place.keys() - _SILENT)
        + (_cost_of_values(place["enum"]) if "enum" in place else 0)
        + (_cost_of_values([place["const"]]) if "const" in place else 0)
        # Each is looked for in every object.
        + sum([len(place.get(keyword, ())) for keyword in _DEPENDENTS])
        + sum([_LIMIT_COST for keyword in _LIMITS if not _is_whole(place.get(keyword, 0))])
        + (
            _cost_of_number(place["multipleOf"], _MULTIPLE_OF_WHOLE_COST, _MULTIPLE_OF_FRACTION_COST)
            if "multipleOf" in place
            else 0
        )
        + (_UNIQUE_COST if place.get("uniqueItems") else 0)
    )


def _cost_of_values(values: Sequence[Any]) -> int:
    """Of comparing one value with each of them."""
    texts = sum([isinstance(value, str) for value in values])
    per_cost = _TEXTS_PER_COST if texts == len(values) else _MIXED_TEXTS_PER_COST
    return texts // per_cost + sum([_cost_of_value(value) for value in values])


def _cost_of_value(value: Any) -> int:
    """What is in an array or object is compared with data of the same size: only its costliest part counts."""
    if isinstance(value, (Mapping, list)):
        parts = value.values() if isinstance(value, Mapping) else value
        return max(map(_cost_of_value, parts), default=0) or 1
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    return _cost_of_number(value, _WHOLE_COST, _FRACTION_COST)


def _cost_of_number(number: float, whole_cost: int, fraction_cost: int) -> int:
    if 0 < abs(number) < _NEAR_ZERO:
        return _NEAR_ZERO_COST
    return whole_cost if _is_whole(number) else fraction_cost


def _is_whole(number: float) -> bool:
    return isinstance(number, int) and abs(number) < _INT_BEYOND
