"""What an index found, as the log has it."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from indelible.errors import IndexMismatch, StoreCorrupted
from indelible.events import timestamp_to_us
from indelible.eventstore import MeasuringStore
from indelible.indexes.index import Place

# A line's fields have one order, and inside of its texts no quotation mark stands by itself: the first are the event's.
_find: Final = re.compile(
    rb'"aggregate_type":("(?:[^"\\]|\\.)*"),.*?,"position":(\d+),"timestamp":("[^"]+"),', re.DOTALL
).search


class LogLine(NamedTuple):
    line: bytes
    aggregate_type: str
    position: int
    timestamp_us: int

    @classmethod
    def of(cls, line: bytes) -> "LogLine":
        """Raises ``StoreCorrupted``."""
        found = _find(line)
        try:
            if found is not None:
                time_us = timestamp_to_us(msgspec.json.decode(found[3], type=datetime))
                return cls(line, msgspec.json.decode(found[1], type=str), int(found[2]), time_us)
        except (ValueError, TypeError) as error:
            raise StoreCorrupted(f"a stored event is not what an event is: {error}") from error
        raise StoreCorrupted("a stored event is not what an event is: it does not say where it stands")

    def is_at(self, place: Place) -> bool:
        return (self.timestamp_us, self.position) == (place.timestamp_us, place.position)


async def lines_of(log: MeasuringStore, places: Sequence[Place]) -> list[LogLine]:
    """The lines of the events at these places, or of the first of them, as many as :meth:`MeasuringStore.read_lines`
    gives. Raises ``IndexMismatch`` for one that the log does not have."""
    lines: list[LogLine] = []
    for place, found in zip(places, await log.read_lines([one.event_id for one in places]), strict=False):
        # Each partition may have an event of this id.
        at_place = [one for one in map(LogLine.of, found) if one.is_at(place)]
        if not at_place:
            raise IndexMismatch(
                f"the query index holds the event {place.event_id}, which the log does not have there: it was made of "
                "another log, or the log was restored from a backup; build it anew: indelible index rebuild",
                event_id=str(place.event_id),
            )
        lines.append(at_place[0])
    return lines
