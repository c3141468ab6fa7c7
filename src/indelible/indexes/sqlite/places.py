"""Place numbers: whole numbers by which documents are known in a generation, in the order of searches.

A document's number is its timestamp in microseconds times 32, or the next one that is free. So lists of numbers are in
the order of time, whatever finds them, in whatever order the documents came; a search reads as much of a list as its
page needs. Where many events have one timestamp, as those of one commit have, numbers run on into the microseconds
after it, and a number is *displaced*: by how much is kept with the document, and the most of all with the generation,
as what is looked for by time may stand that much later. Among equal times a list need not be in the order of places.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from indelible.indexes.index import Place

SHIFT: Final = 5
"""Bits of a number below its microseconds: all times of the years 1 to 9999 fit into 64 bits."""

LEAST: Final = -(2**63)
MOST: Final = 2**63 - 1


class Numbering:
    """Gives numbers. ``last`` is the greatest there is, with its place; ``free_from`` finds the first free number at
    or behind one."""

    def __init__(self, last: int, last_place: Place | None, free_from: Callable[[int], int]) -> None:
        self._last = last
        self._last_place = last_place
        self._free_from: Final = free_from
        self.is_in_order = True
        """Whether each was beyond all before it, in number and place."""
        self.displaced_us = 0
        """The most by which one is beyond its timestamp."""

    def number(self, places: Sequence[Place]) -> list[int]:
        """Of documents that are sorted by place, and none of which is there yet."""
        docs: list[int] = []
        before = LEAST
        for place in places:
            doc = wanted = place.timestamp_us << SHIFT
            if doc <= before:
                doc = before + 1
            if doc <= self._last:
                doc = self._at_or_behind(doc, place)
            if doc != wanted:
                self.displaced_us = max(self.displaced_us, (doc >> SHIFT) - place.timestamp_us)
            if self._last_place is not None and place < self._last_place:
                self.is_in_order = False
            if doc > self._last:
                self._last, self._last_place = doc, place
            docs.append(doc)
            before = doc
        return docs

    def _at_or_behind(self, doc: int, place: Place) -> int:
        if self._last_place is not None and self._last_place.timestamp_us == place.timestamp_us:
            # More of the newest commit: its numbers are taken up to the last.
            return self._last + 1
        return self._free_from(doc)


class Window(NamedTuple):
    """Numbers, from and to: nothing that is looked for stands outside."""

    low: int
    high: int

    def since(self, time_us: int) -> "Window":
        return Window(max(self.low, _clamped(time_us << SHIFT)), self.high)

    def until(self, time_us: int, displaced_us: int) -> "Window":
        """Up to this time and with it."""
        return Window(self.low, min(self.high, _clamped((time_us + displaced_us + 1 << SHIFT) - 1)))


EVERYTHING: Final = Window(LEAST, MOST)


def _clamped(doc: int) -> int:
    return min(max(doc, LEAST), MOST)
