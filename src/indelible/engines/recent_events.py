"""The events that a batch's conditions have not been held against yet, found by name. Pure.

They are few (``CONDITION_TAIL_EVENTS_MAX``, and the batch itself), so where a name stands is one integer with a bit for
each event: whatever a condition asks for, every name costs one step over a few kilobytes.
"""

from collections.abc import Collection, Iterable, Sequence

from indelible.conditions import AppendCondition
from indelible.queries import QueryItem


class RecentEvents:
    """Events in position order, without gaps, after the position ``after``. Only the names that ``conditions`` ask for
    are kept."""

    def __init__(self, after: int, conditions: Iterable[AppendCondition]) -> None:
        self._after = after
        self._count = 0
        items = [item for condition in conditions for item in condition.fail_if]
        self._event_types = _Names(name for item in items for name in item.event_types)
        self._aggregate_types = _Names(name for item in items for name in item.aggregate_types)
        self._tags = _Names(name for item in items for name in item.tags)

    def add(self, event_type: str, aggregate_type: str, tags: Collection[str]) -> None:
        number = self._count
        self._count += 1
        self._event_types.add(event_type, number)
        self._aggregate_types.add(aggregate_type, number)
        for tag in tags:
            self._tags.add(tag, number)

    def first_match(self, items: Sequence[QueryItem], after: int) -> int | None:
        """Position of the first event after the given one that matches any item."""
        skipped = max(after - self._after, 0)
        found = 0
        for item in items:
            found |= self._matching(item) >> skipped
        if not found:
            return None
        first = (found & -found).bit_length()
        return self._after + skipped + first

    def _matching(self, item: QueryItem) -> int:
        matching = (1 << self._count) - 1
        for tag in item.tags:
            matching &= self._tags.places(tag)
            if not matching:
                return 0
        for wanted, known in ((item.event_types, self._event_types), (item.aggregate_types, self._aggregate_types)):
            if wanted:
                any_of = 0
                for name in wanted:
                    any_of |= known.places(name)
                matching &= any_of
        return matching


class _Names:
    """Where each of some names stands: the numbers of events."""

    def __init__(self, names: Iterable[str]) -> None:
        self._numbers: dict[str, list[int]] = {name: [] for name in names}
        self._places: dict[str, tuple[int, int]] = {}
        """As bits; and how many of the numbers are in there."""

    def add(self, name: str, number: int) -> None:
        numbers = self._numbers.get(name)
        if numbers is not None:
            numbers.append(number)

    def places(self, name: str) -> int:
        numbers = self._numbers[name]
        places, count = self._places.get(name, (0, 0))
        if count < len(numbers):
            places |= _bits(numbers[count:])
            self._places[name] = places, len(numbers)
        return places


def _bits(numbers: Sequence[int]) -> int:
    """An integer with these bits set; they ascend."""
    bits = bytearray(numbers[-1] // 8 + 1)
    for number in numbers:
        bits[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(bits, "little")
