"""Merges what each partition has: events by their timestamps, as far as nothing earlier can still come from one of
them, and lists by their order."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final, NamedTuple

from indelible.core.store import list_cursor
from indelible.errors import StoreCorrupted
from indelible.eventstore import AggregateInfo, AggregateList
from indelible.limits import PAGE_SIZE_BYTES_MAX
from indelible.queries import Direction

# A line's fields have one order, and inside of its texts no quotation mark stands by itself: the first is the event's.
_find_place: Final = re.compile(rb',"position":(\d+),"timestamp":"([^"]+)",').search


class MergedEvent(NamedTuple):
    """An event as the feed orders it. Timestamps are text of one form, which sorts as the times do; in each partition
    they never decrease."""

    timestamp: bytes
    partition: int
    position: int
    line: bytes

    @classmethod
    def of(cls, line: bytes, partition: int) -> "MergedEvent":
        found = _find_place(line)
        if found is None:
            raise StoreCorrupted(f"an event of partition {partition} has no position")
        return cls(found[2], partition, int(found[1]), line)


class Run:
    """What was read of one partition and has not been given out, in the direction of reading."""

    def __init__(self, partition: int, position: int) -> None:
        self.partition: Final = partition
        self.events: list[MergedEvent] = []
        self.reached = position
        """All that matches up to here was read."""
        self.at_end = False
        """Whether there was nothing more when it was read."""

    def fill(self, lines: bytes, reached: int, *, at_end: bool, up_to: int | None = None) -> None:
        """With what comes next. ``up_to``: positions above it were not asked for."""
        found = [MergedEvent.of(line, self.partition) for line in lines.split(b"\n")] if lines else []
        self.events += found if up_to is None else [one for one in found if one.position <= up_to]
        # Where reading goes on from is not above either.
        self.reached, self.at_end = reached if up_to is None else min(reached, up_to + 1), at_end

    @property
    def is_dry(self) -> bool:
        """Whether nobody can tell what comes next from here."""
        return not self.events and not self.at_end

    @property
    def is_over(self) -> bool:
        return not self.events and self.at_end


def events_share(limit: int, partitions: int) -> int:
    """How many events of a page are read in each partition at once: more than its part, so that most pages need one
    read."""
    return min(limit, limit // partitions * 2 + _LEAST)


_LEAST: Final = 8


def take_merged(
    runs: Sequence[Run], direction: Direction, limit: int, size_bytes_max: int = PAGE_SIZE_BYTES_MAX
) -> list[MergedEvent]:
    """The next events of all runs in the order of the feed, which are taken out of them: up to the last event of a run
    whose partition goes on, since what comes behind that is not known yet; and no more than asked for, at least one."""
    if any(run.is_dry for run in runs):
        return []
    backward = direction == "backward"
    known = [run.events[-1] for run in runs if not run.at_end]
    merged = sorted((one for run in runs for one in run.events), reverse=backward)
    taken = merged[: _fitting(merged, limit, size_bytes_max)]
    if known:
        bound = max(known) if backward else min(known)
        taken = [one for one in taken if (one >= bound if backward else one <= bound)]
    _remove(runs, taken)
    return taken


def _fitting(events: Iterable[MergedEvent], limit: int, size_bytes_max: int) -> int:
    size_bytes, count = 0, 0
    for one in events:
        if count == limit or size_bytes >= size_bytes_max:
            break
        size_bytes += len(one.line)
        count += 1
    return count


def _remove(runs: Sequence[Run], taken: Sequence[MergedEvent]) -> None:
    counts = [0] * len(runs)
    for one in taken:
        counts[one.partition] += 1
    for run in runs:
        del run.events[: counts[run.partition]]


# --- Lists -----------------------------------------------------------------------------------------------------------


def merged_aggregates(pages: Sequence[AggregateList], limit: int) -> AggregateList:
    """The first of all. An aggregate lies in one partition, and its name is its place in the list: so a cursor of one
    partition's page is one of any."""
    found = sorted(chain.from_iterable(page.aggregates for page in pages), key=_by_utf8)
    page = tuple(found[:limit])
    at_end = len(found) <= limit and all(one.at_end for one in pages)
    return AggregateList(page, list_cursor(page[-1]) if page else pages[0].cursor, at_end)


def _by_utf8(info: AggregateInfo) -> tuple[bytes, bytes]:
    return info.aggregate_type.encode(), info.aggregate_id.encode()


def merged_lines(answers: Sequence[Sequence[Sequence[bytes]]]) -> list[Sequence[bytes]]:
    """Of the same ids in each partition: as many of the first ones as all have answered, and a page may hold."""
    merged: list[Sequence[bytes]] = []
    size_bytes = 0
    for found in zip(*answers, strict=False):
        lines = tuple(chain.from_iterable(found))
        size_bytes += sum(map(len, lines))
        merged.append(lines)
        if size_bytes >= PAGE_SIZE_BYTES_MAX:
            break
    return merged
