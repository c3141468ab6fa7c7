"""Subscriptions: one loop that reads a page up to the head, hands it on, and waits for the head to move.

There is no separate live path, so nothing can fall between two. A reader that is slow is served from the log at its own
pace. Readers at the same place ask for the same page at the same time, above all when the head moves: they share it.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, NamedTuple

from indelible.cursors import cursor_at
from indelible.engines.engine import Lines
from indelible.eventstore import FeedPage
from indelible.limits import (
    SHARED_PAGES_SIZE_BYTES_MAX,
    SUBSCRIPTION_PAGE_EVENTS_MAX,
    SUBSCRIPTION_PAGE_SIZE_BYTES_MAX,
    SUBSCRIPTION_READS_AT_ONCE_MAX,
)
from indelible.queries import EventQuery
from indelible.size_bounded import SizeBounded


class PageBounds(NamedTuple):
    """What ends a page of a subscription."""

    events: int = SUBSCRIPTION_PAGE_EVENTS_MAX
    size_bytes: int = SUBSCRIPTION_PAGE_SIZE_BYTES_MAX
    """With at least one event."""


WHOLE_PAGE: Final = PageBounds()

ReadPage = Callable[[EventQuery, int, int, PageBounds], Awaitable[Lines]]
"""Query, position after which to read, position up to which."""


class Subscriptions:
    """All subscriptions of one store. ``wait_for_head`` gives the head's position once it is beyond another."""

    def __init__(self, read_page: ReadPage, wait_for_head: Callable[[int], Awaitable[int]]) -> None:
        self._pages: Final = _SharedPages(read_page)
        self._wait_for_head: Final = wait_for_head

    async def follow(
        self, query: EventQuery, after: int, head: int, gather_s: float, bounds: PageBounds
    ) -> AsyncGenerator[FeedPage]:
        """Pages from ``after`` on, for ever; ``head`` is where the log ends now. See ``EventStore.follow``."""
        reader = _Reader(query, after, head, gather_s, bounds)
        while True:
            # Not kept in a variable: a page is large, and its taker may take its time.
            yield await reader.next_page(self._pages, self._wait_for_head)


class _Reader:
    """How far one subscription has come."""

    __slots__ = ("_after", "_bounds", "_gather_s", "_gathers_until_s", "_head", "_query")

    def __init__(self, query: EventQuery, after: int, head: int, gather_s: float, bounds: PageBounds) -> None:
        self._query: Final = query
        self._bounds: Final = bounds
        self._after = after
        self._head: int | None = head
        """Up to where to read; None where the log ended at the last look."""
        self._gather_s: Final = gather_s
        self._gathers_until_s = 0.0

    async def next_page(self, pages: "_SharedPages", wait_for_head: Callable[[int], Awaitable[int]]) -> FeedPage:
        if self._head is None:
            self._head = await wait_for_head(self._after)
            if (left_s := self._gathers_until_s - time.monotonic()) > 0.0:
                await asyncio.sleep(left_s)
                self._head = await wait_for_head(self._after)
        lines = await pages.read(self._query, self._after, self._head, self._bounds)
        self._after = lines.reached
        if lines.at_end:
            self._head = None
            self._gathers_until_s = time.monotonic() + self._gather_s
        return FeedPage(lines.lines, lines.count, cursor_at(lines.reached), lines.at_end)


_Key = tuple[EventQuery, int, int, PageBounds]


class _SharedPages:
    """Pages that are being read, and the last few that were: those who come a moment later find them."""

    def __init__(self, read_page: ReadPage) -> None:
        self._read_page: Final = read_page
        self._reading: Final[dict[_Key, asyncio.Task[Lines]]] = {}
        self._read: Final = SizeBounded[_Key, Lines](SHARED_PAGES_SIZE_BYTES_MAX, lambda page: len(page.lines))
        self._room: Final = asyncio.Semaphore(SUBSCRIPTION_READS_AT_ONCE_MAX)

    async def read(self, query: EventQuery, after: int, head: int, bounds: PageBounds) -> Lines:
        if after >= head:
            return Lines(b"", 0, after, True)
        key = (query, after, head, bounds)
        found = self._read.get(key)
        if found is not None:
            return found
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.create_task(self._read_new(key), name="subscription-page")
        # Shielded: others may wait for it too.
        return await asyncio.shield(reading)

    async def _read_new(self, key: _Key) -> Lines:
        try:
            async with self._room:
                lines = await self._read_page(*key)
        finally:
            del self._reading[key]
        self._read.keep(key, lines)
        return lines
