"""The events of a stream, or of the feed, one after the other, for a reader who may take his time.

Of each page only so much is kept as a reader who takes nothing may cost. The rest is read again when its turn comes;
pages grow and shrink so that this is seldom.
"""

from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple, Protocol

from indelible.cursors import Cursor, cursor_at, position_of
from indelible.events import AggregateKey, RecordedEvent, decode_event
from indelible.eventstore import EventStore, FeedPage
from indelible.limits import ESDB_READ_PAGE_EVENTS, ESDB_READ_PAGE_EVENTS_MAX
from indelible.queries import Direction, EventQuery
from indelible.server.reader_room import LARGE_BYTES


class Part(NamedTuple):
    """Some of what is read."""

    lines: bytes
    following: int | None
    """Where reading goes on behind them; None at the end."""


class Source(Protocol):
    """What is read. A place is the version or the position of the event that is read next."""

    async def read(self, place: int, limit: int) -> Part: ...

    def place_of(self, event: RecordedEvent) -> int: ...

    def has(self, event: RecordedEvent) -> bool:
        """Of what was read."""
        ...


class OfAggregate(NamedTuple):
    """Versions ``first`` to ``last`` of one aggregate."""

    store: EventStore
    key: AggregateKey
    first: int
    last: int
    direction: Direction

    async def read(self, version: int, limit: int) -> Part:
        is_forward = self.direction == "forward"
        if not self.first <= version <= self.last:
            return Part(b"", None)
        page = await self.store.read_aggregate(
            self.key.aggregate_type, self.key.aggregate_id,
            from_version=version if is_forward else self.first,
            to_version=self.last if is_forward else version,
            direction=self.direction, limit=limit,
        )  # fmt: skip
        return Part(page.lines, page.next_version)

    def place_of(self, event: RecordedEvent) -> int:
        return event.version

    def has(self, event: RecordedEvent) -> bool:
        return self.first <= event.version <= self.last


class OfFeed(NamedTuple):
    """Positions 1 to ``last`` of the feed, the newest that there is, or was when reading began."""

    store: EventStore
    query: EventQuery
    last: int
    direction: Direction

    async def read(self, position: int, limit: int) -> Part:
        if not 1 <= position <= self.last:
            return Part(b"", None)
        step = 1 if self.direction == "forward" else -1
        # There is no cursor behind the newest event.
        after = None if step < 0 and position == self.last else cursor_at(position - step)
        page = await self._page(after, limit)
        if after is None and not page.at_end and position_of(page.cursor) > self.last:
            # All of it was committed since. So there is a cursor now.
            page = await self._page(cursor_at(self.last + 1), limit)
        return Part(page.lines, None if page.at_end else position_of(page.cursor) + step)

    async def _page(self, after: Cursor | None, limit: int) -> FeedPage:
        return await self.store.read_feed(self.query, after=after, direction=self.direction, limit=limit)

    def place_of(self, event: RecordedEvent) -> int:
        return event.position

    def has(self, event: RecordedEvent) -> bool:
        """Pages may have newer ones."""
        return event.position <= self.last


async def read_events(
    source: Source, start: int, count: int, is_wanted: Callable[[RecordedEvent], bool]
) -> AsyncGenerator[RecordedEvent]:
    """Up to ``count`` of those that are wanted, from the place ``start`` on."""
    following: int | None = start
    limit = max(min(ESDB_READ_PAGE_EVENTS, count), 1)
    while following is not None and count:
        part = await source.read(following, limit)
        kept = _kept(source, part, is_wanted, limit)
        del part
        following, limit = kept.following, kept.limit
        while kept.events and count:
            count -= 1
            yield kept.events.popleft()


class _Kept(NamedTuple):
    events: deque[RecordedEvent]
    following: int | None
    limit: int
    """For the next page."""


def _kept(source: Source, part: Part, is_wanted: Callable[[RecordedEvent], bool], limit: int) -> _Kept:
    events: deque[RecordedEvent] = deque()
    size_bytes = 0
    # Decoded one by one: an event keeps all of the bytes that it was decoded from.
    for i, line in enumerate(part.lines.split(b"\n") if part.lines else ()):
        event = decode_event(line)
        if not (source.has(event) and is_wanted(event)):
            continue
        size_bytes += len(line)
        if events and size_bytes > LARGE_BYTES:
            return _Kept(events, source.place_of(event), i)
        events.append(event)
    if size_bytes < LARGE_BYTES // 2:
        limit = min(2 * limit, ESDB_READ_PAGE_EVENTS_MAX)
    return _Kept(events, part.following, limit)
