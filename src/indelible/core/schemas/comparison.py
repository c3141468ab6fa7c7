"""Whether a new version of a schema keeps what it must of the one before, and where it does not.

The library decides, by what data each of two schemas lets through: it proves that one lets all through that the other
does, or that it does not, or says that it cannot tell. What is here finds the place to tell of: the first keyword that,
taken alone, already refuses data of the other.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from indelible.core.schemas.shape import step, target_of, within
from indelible.core.schemas.validators import Answer, covers
from indelible.schemas import Compatibility

Direction = Literal["backward", "forward"]
Covers = Callable[[Mapping[str, Any], Mapping[str, Any]], Answer]

_DIRECTIONS: Final[Mapping[Compatibility, tuple[Direction, ...]]] = {
    "none": (), "backward": ("backward",), "forward": ("forward",), "full": ("backward", "forward"),
}  # fmt: skip
_TOGETHER: Final[Mapping[str, tuple[str, ...]]] = {
    "additionalProperties": ("properties", "patternProperties"), "items": ("prefixItems",),
    "contains": ("minContains", "maxContains"), "minContains": ("contains",), "maxContains": ("contains",),
    "if": ("then", "else"), "then": ("if",), "else": ("if",),
}  # fmt: skip
"""Keywords that say nothing, or something else, without others."""
_DEFINITIONS: Final = ("$defs", "definitions")
_DESCENDED: Final = ("properties", "items", "additionalProperties", "prefixItems")


class Broken(Struct, frozen=True):
    direction: Direction
    pointer: str
    """Into the schema that refuses data of the other."""
    is_certain: bool


def first_broken(newer: Mapping[str, Any], older: Mapping[str, Any], compatibility: Compatibility) -> Broken | None:
    """What the newer schema does not keep. May take long; :mod:`indelible.core.schemas.compare_process` bounds it."""
    for direction in _DIRECTIONS[compatibility]:
        wide, narrow = (newer, older) if direction == "backward" else (older, newer)
        answer = covers(wide, narrow)
        if answer != "yes":
            return Broken(direction, refusing_keyword(wide, narrow), answer == "no")
    return None


def refusing_keyword(wide: Mapping[str, Any], narrow: Mapping[str, Any]) -> str:
    """Where ``wide`` refuses data of ``narrow``, or may do so; empty where only all of its keywords together do."""
    return _Search(wide, narrow).find(wide, narrow, "")


class _Search:
    def __init__(self, wide: Mapping[str, Any], narrow: Mapping[str, Any]) -> None:
        self._wide: Final = wide
        self._narrow: Final = narrow

    def find(self, wide: Mapping[str, Any], narrow: Mapping[str, Any], pointer: str) -> str:
        whole = self._with_definitions(narrow, self._narrow)
        for keyword in wide:
            if keyword in _DEFINITIONS or covers(self._alone(wide, keyword), whole) == "yes":
                continue
            return self._within(keyword, wide, narrow, pointer)
        return pointer

    def _alone(self, wide: Mapping[str, Any], keyword: str) -> dict[str, Any]:
        names = (keyword, *_TOGETHER.get(keyword, ()))
        part = {name: wide[name] for name in names if name in wide}
        if keyword == "additionalProperties":
            # Only the names count: what each may be is a matter of its own.
            part["properties"] = dict.fromkeys(wide.get("properties", ()), True)
        return self._with_definitions(part, self._wide)

    @staticmethod
    def _with_definitions(place: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
        return {**place, **{name: whole[name] for name in _DEFINITIONS if name in whole}}

    def _within(self, keyword: str, wide: Mapping[str, Any], narrow: Mapping[str, Any], pointer: str) -> str:
        """The same question of the schemas within the keyword, where both have one at the same place."""
        at = pointer + step(keyword)
        resolved = _resolved(narrow, self._narrow) or narrow
        if keyword == "$ref":
            target = _resolved(wide, self._wide)
            return at if target is None else self.find(target, resolved, target_of(wide) or "")
        if keyword not in _DESCENDED:
            return at
        theirs = dict(within(resolved, "", keyword))
        for place, one in within(wide, "", keyword):
            other = theirs.get(place, True)
            if covers(self._value(one, self._wide), self._value(other, self._narrow)) != "yes":
                both = isinstance(one, Mapping) and isinstance(other, Mapping)
                return self.find(one, other, pointer + place) if both else pointer + place
        return at

    def _value(self, place: Any, whole: Mapping[str, Any]) -> dict[str, Any]:
        return self._with_definitions(place if isinstance(place, Mapping) else {"allOf": [place]}, whole)


def _resolved(place: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Where a schema that is a reference and nothing else leads."""
    target = target_of(place)
    if target is None or place.keys() - {"$ref", *_DEFINITIONS}:
        return None
    found: Any = whole
    for name in target.split("/")[1:]:
        found = found.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) and found is not place else None
