"""The feed as somebody may read it who may not read all of it: events of other aggregate types are left out.

What can be said to the engine is said to it: where names alone are granted, the query asks for these. Else pages are
read as they are, and what may not be read is taken out of them. Cursors are the log's own, so reading goes on behind
what is left out, and a page may be short, or empty, without being the last.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Final

import msgspec
from msgspec.structs import replace

from indelible.access import RESERVED_PREFIX, Reach, is_own
from indelible.cursors import Cursor
from indelible.errors import StoreCorrupted
from indelible.eventstore import EventStore, FeedPage
from indelible.limits import PAGE_EVENTS_MAX, QUERY_NAMES_MAX, READABLE_PAGES_MAX
from indelible.queries import EVERYTHING, Direction, EventQuery, QueryItem, check_query
from indelible.store_around import StoreAround

_OWN: Final = f'"aggregate_type":"{RESERVED_PREFIX}'.encode()
"""In the line of each of the store's own events, and seldom in others."""


class _Line(msgspec.Struct, gc=False):
    aggregate_type: str


_decode: Final = msgspec.json.Decoder(_Line).decode


class ReadableFeed:
    """Of what ``reach`` covers."""

    def __init__(self, inner: EventStore, reach: Reach) -> None:
        self._inner: Final = inner
        self._reach: Final = reach

    async def read_feed(self, query: EventQuery, *, after: Cursor | None, direction: Direction, limit: int) -> FeedPage:
        """As ``EventStore.read_feed``. Raises ``Forbidden`` when the query names what may not be read."""
        query = self._narrowed(query)
        page = await self._inner.read_feed(query, after=after, direction=direction, limit=limit)
        if _names_all(query):
            return page
        found = self._readable(page)
        for _ in range(READABLE_PAGES_MAX):
            if found.count or found.at_end:
                break
            # So that whoever may read little need not ask a thousand times.
            after = page.cursor
            page = await self._inner.read_feed(query, after=after, direction=direction, limit=PAGE_EVENTS_MAX)
            found = self._readable(page)
            if found.count > limit:
                # The same page once more, to the last event that there is room for: a cursor is had at an end alone.
                looked_at = self._place_of(page, limit)
                page = await self._inner.read_feed(query, after=after, direction=direction, limit=looked_at)
                found = self._readable(page)
        return found

    async def follow(self, query: EventQuery, *, after: Cursor | None, gather_s: float) -> AsyncGenerator[FeedPage]:
        """As ``EventStore.follow``. Raises ``Forbidden`` when the query names what may not be read."""
        query = self._narrowed(query)
        names_all = _names_all(query)
        async with aclosing(self._inner.follow(query, after=after, gather_s=gather_s)) as pages:
            while True:
                # Not kept in a variable: a page is large, and its taker may take its time.
                yield await anext(pages) if names_all else self._readable(await anext(pages))

    def _narrowed(self, query: EventQuery) -> EventQuery:
        query = check_query(query)
        for item in query.items:
            for aggregate_type in item.aggregate_types:
                self._reach.check(aggregate_type)
        if self._reach.prefixes or self._reach.with_own or len(self._reach.names) > QUERY_NAMES_MAX:
            return query
        names = tuple(sorted(self._reach.names))
        items = query.items or (QueryItem(),)
        return replace(
            query, items=tuple(one if one.aggregate_types else replace(one, aggregate_types=names) for one in items)
        )

    def _readable(self, page: FeedPage) -> FeedPage:
        if not page.count or (self._reach.covers_all and _OWN not in page.lines):
            return page
        lines = page.lines.split(b"\n")
        keep = list(self._are_readable(lines))
        if all(keep):
            return page
        kept = [line for line, is_kept in zip(lines, keep, strict=True) if is_kept]
        cursors = page.cursors
        if cursors is not None:
            cursors = tuple(cursor for cursor, is_kept in zip(cursors, keep, strict=True) if is_kept)
        return replace(page, lines=b"\n".join(kept), count=len(kept), cursors=cursors)

    def _are_readable(self, lines: list[bytes]) -> Iterator[bool]:
        for line in lines:
            try:
                yield self._reach.covers(_decode(line).aggregate_type)
            except ValueError as error:
                raise StoreCorrupted(f"an event is not what an event is: {error}") from error

    def _place_of(self, page: FeedPage, count: int) -> int:
        """How many events of a page it takes to have so many that may be read."""
        for place, is_readable in enumerate(self._are_readable(page.lines.split(b"\n")), start=1):
            count -= is_readable
            if not count:
                return place
        raise AssertionError("there are more")


def _names_all(query: EventQuery) -> bool:
    """Whether it lets through nothing but aggregate types that it names."""
    return bool(query.items) and all(item.aggregate_types for item in query.items)


class WithoutOwn(StoreAround):
    """The store, but for its own events where nobody asks for them by name: for what publishes the feed."""

    def __init__(self, inner: EventStore) -> None:
        super().__init__(inner)
        self._feed: Final = ReadableFeed(inner, Reach("read", prefixes=("",)))

    async def follow(
        self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None, gather_s: float = 0.0
    ) -> AsyncGenerator[FeedPage]:
        asks_for_own = any(is_own(name) for item in query.items for name in item.aggregate_types)
        feed = self.inner if asks_for_own else self._feed
        async with aclosing(feed.follow(query, after=after, gather_s=gather_s)) as pages:
            while True:
                yield await anext(pages)
