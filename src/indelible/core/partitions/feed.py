"""The feed of several partitions: pages of each, merged by their timestamps.

A cursor is a place in each partition. Whatever a partition gets later comes behind the place that a cursor has in it,
since places are never ahead of a partition's head. So nothing is missed, whatever the timestamps are; they decide only
how the partitions alternate within what is read at once.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from indelible.core.partitions.merging import MergedEvent, Run, events_share, take_merged
from indelible.core.store import LocalEventStore
from indelible.cursors import NONE_OF_THEM, Cursor, Places, cursor_at, cursor_over, position_of
from indelible.errors import InvalidRequest
from indelible.eventstore import FeedPage
from indelible.limits import MERGED_FILLS_MAX, PAGE_SIZE_BYTES_MAX
from indelible.queries import Direction, EventQuery

Partitions = Sequence[LocalEventStore]


async def read_heads(partitions: Partitions) -> tuple[int, ...]:
    return tuple([head.position for head in await asyncio.gather(*[one.head() for one in partitions])])


async def check_places(partitions: Partitions, places: Places, pointer: str) -> tuple[int, ...]:
    """The heads. Raises ``InvalidRequest`` for a place past one of them."""
    heads = await read_heads(partitions)
    for position, head in zip(places.positions, heads, strict=True):
        if position > head:
            raise InvalidRequest("is past the head: not a cursor of this store", pointer=pointer)
    return heads


class _Reader:
    """Reads one partition for one page."""

    def __init__(self, store: LocalEventStore, query: EventQuery, direction: Direction, run: Run) -> None:
        self._store: Final = store
        self._query: Final = query
        self._direction: Final = direction
        self.run: Final = run
        self.next_after: Cursor | None = None
        """Where the next read begins; None: at the head."""
        self.up_to: int | None = None
        self.is_bare = False
        """Whether a read looked at as much as one may, and found nothing."""

    async def fill(self, limit: int, size_bytes_max: int) -> None:
        page = await self._store.read_feed(
            self._query,
            after=self.next_after,
            direction=self._direction,
            limit=limit,
            size_bytes_max=size_bytes_max,
        )
        self.next_after = page.cursor
        self.is_bare = not page.count
        self.run.fill(page.lines, position_of(page.cursor), at_end=page.at_end, up_to=self.up_to)


async def read_forward(partitions: Partitions, query: EventQuery, places: Places, limit: int) -> FeedPage:
    readers = []
    for n, (store, position) in enumerate(zip(partitions, places.positions, strict=True)):
        reader = _Reader(store, query, "forward", Run(n, position))
        reader.next_after = cursor_at(position)
        readers.append(reader)
    taken = await _page(readers, "forward", limit)
    reached = [run.events[0].position - 1 if run.events else run.reached for run in (one.run for one in readers)]
    at_end = all(one.run.is_over for one in readers)
    return _page_of(taken, cursor_over(Places(tuple(reached))), at_end=at_end)


async def read_backward(
    partitions: Partitions, query: EventQuery, places: Places | None, heads: Sequence[int], limit: int
) -> FeedPage:
    """From the event on that a reader who has come to ``places`` has passed before the last; None: from the newest."""
    if places is not None and places.last is None:
        places = Places(places.positions, await _newest(partitions, places.positions))
    readers = []
    for n, store in enumerate(partitions):
        position = heads[n] if places is None else places.positions[n]
        reader = _Reader(store, query, "backward", Run(n, position))
        if places is not None:
            _begin_before(reader, position, heads[n], is_passed=places.last == n)
        readers.append(reader)
    taken = await _page(readers, "backward", limit)
    runs = [one.run for one in readers]
    if all(run.is_over for run in runs):
        return _page_of(taken, cursor_over(Places((0,) * len(partitions))), at_end=True)
    left = [_next_place(run) for run in runs]
    last = NONE_OF_THEM
    if taken:
        last = taken[-1].partition
        left[last] = taken[-1].position
    return _page_of(taken, cursor_over(Places(tuple(left), last)), at_end=False)


def _next_place(run: Run) -> int:
    """Where reading backward goes on."""
    if run.events:
        return run.events[0].position
    return 0 if run.at_end else run.reached - 1


def _begin_before(reader: _Reader, position: int, head: int, *, is_passed: bool) -> None:
    """With the event at ``position``, or before it where that is passed already."""
    if position == 0:
        reader.run.at_end = True
    elif is_passed:
        reader.next_after = cursor_at(position)
    elif position < head:
        reader.next_after = cursor_at(position + 1)
    else:
        # Nothing stands behind it to begin before; and by the time of the read something may.
        reader.up_to = position


async def _newest(partitions: Partitions, positions: Sequence[int]) -> int | None:
    """The partition whose event at its position is the newest."""
    at = [(n, position) for n, position in enumerate(positions) if position]
    pages = await asyncio.gather(
        *[partitions[n].read_feed(after=cursor_at(position - 1), limit=1) for n, position in at]
    )
    found = [MergedEvent.of(page.lines, n) for (n, _), page in zip(at, pages, strict=True)]
    return max(found).partition if found else None


async def _page(readers: Sequence[_Reader], direction: Direction, limit: int) -> list[MergedEvent]:
    """The next events; fewer than ``limit`` where not more is known after so many reads as one page may cost."""
    taken: list[MergedEvent] = []
    size_bytes = 0
    runs = [one.run for one in readers]
    for _ in range(MERGED_FILLS_MAX):
        going_on = max(sum(not run.at_end for run in runs), 1)
        share = events_share(limit, going_on), max((PAGE_SIZE_BYTES_MAX - size_bytes) // going_on, 1)
        await asyncio.gather(*[one.fill(*share) for one in readers if one.run.is_dry])
        taken += (some := take_merged(runs, direction, limit - len(taken), PAGE_SIZE_BYTES_MAX - size_bytes))
        size_bytes += sum(len(one.line) for one in some)
        is_full = len(taken) >= limit or size_bytes >= PAGE_SIZE_BYTES_MAX
        # What looked at much and found nothing is not asked again: its caller may go on.
        if is_full or all(run.is_over for run in runs) or any(one.is_bare and one.run.is_dry for one in readers):
            break
    return taken


def _page_of(events: Sequence[MergedEvent], cursor: Cursor, *, at_end: bool) -> FeedPage:
    return FeedPage(b"\n".join([one.line for one in events]), len(events), cursor, at_end)
