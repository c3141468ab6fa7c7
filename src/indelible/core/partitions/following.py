"""Subscriptions over several partitions: one in each, and what they give is merged.

A partition that has not come to its head holds the others up, so that what was stored long ago comes in the order of
its timestamps. One that has come there does not: what comes live is given as it comes.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from indelible.core.partitions.merging import MergedEvent, Run, events_share, take_merged
from indelible.core.store import LocalEventStore
from indelible.core.subscriptions import PageBounds
from indelible.cursors import Cursor, Places, cursor_at, cursor_over, position_of
from indelible.eventstore import FeedPage
from indelible.limits import SUBSCRIPTION_PAGE_EVENTS_MAX, SUBSCRIPTION_PAGE_SIZE_BYTES_MAX
from indelible.queries import EventQuery


class _Follower:
    """One partition's subscription, read one page ahead."""

    def __init__(
        self, store: LocalEventStore, query: EventQuery, partition: int, position: int, bounds: PageBounds
    ) -> None:
        self.run: Final = Run(partition, position)
        self._pages: Final = store.follow(query, after=cursor_at(position), bounds=bounds)
        self.next: asyncio.Task[FeedPage] | None = None
        """Reads the next page, or waits for one."""

    def ask(self) -> None:
        """For the next page, once all of the last one was given out."""
        if self.next is None and not self.run.events:
            self.next = asyncio.create_task(self._next_page(), name="partition-page")

    async def _next_page(self) -> FeedPage:
        return await anext(self._pages)

    def take_in(self) -> None:
        """What has come. Raises what reading it raised."""
        if self.next is not None and self.next.done():
            page, self.next = self.next.result(), None
            self.run.fill(page.lines, position_of(page.cursor), at_end=page.at_end)

    async def close(self) -> None:
        if self.next is not None:
            self.next.cancel()
            await asyncio.gather(self.next, return_exceptions=True)
        await self._pages.aclose()


def _bounds(partitions: int) -> PageBounds:
    """Of each partition's pages. All are held at once, as long as a subscriber takes his time: together they are less
    than two pages. One for all would make merged pages half as large, since each ends where the first of them does."""
    size_bytes = SUBSCRIPTION_PAGE_SIZE_BYTES_MAX * 2 // (partitions + 1)
    return PageBounds(events_share(SUBSCRIPTION_PAGE_EVENTS_MAX, partitions), size_bytes)


class MergedSubscription:
    """Follows all partitions, from a place in each on."""

    def __init__(
        self, partitions: Sequence[LocalEventStore], query: EventQuery, places: Places, gather_s: float
    ) -> None:
        bounds = _bounds(len(partitions))
        self._followers: Final = [
            _Follower(store, query, n, position, bounds)
            for n, (store, position) in enumerate(zip(partitions, places.positions, strict=True))
        ]
        self._runs: Final = [one.run for one in self._followers]
        self._positions: Final = list(places.positions)
        self._gather_s: Final = gather_s
        self._caught_up_s: float | None = None
        """When the last page was given, if that had caught up."""

    async def pages(self) -> AsyncGenerator[FeedPage]:
        try:
            while True:
                # Not kept in a variable: a page is large, and its taker may take its time.
                yield await self._next()
        finally:
            for one in self._followers:
                await one.close()

    async def _next(self) -> FeedPage:
        self._ask()
        if self._caught_up_s is not None:
            await self._wait(first=True)
            await asyncio.sleep(self._caught_up_s + self._gather_s - time.monotonic())
        self._take_in()
        while any(run.is_dry for run in self._runs):
            self._ask()
            await self._wait(first=False)
            self._take_in()
        return self._page(
            take_merged(self._runs, "forward", SUBSCRIPTION_PAGE_EVENTS_MAX, SUBSCRIPTION_PAGE_SIZE_BYTES_MAX)
        )

    def _ask(self) -> None:
        for one in self._followers:
            one.ask()

    async def _wait(self, *, first: bool) -> None:
        """For the first page of any partition, or for those of all that are read and not waited for."""
        asked = [one.next for one in self._followers if one.next is not None and (first or one.run.is_dry)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED if first else asyncio.ALL_COMPLETED)

    def _take_in(self) -> None:
        for one in self._followers:
            one.take_in()

    def _page(self, taken: Sequence[MergedEvent]) -> FeedPage:
        cursors: list[Cursor] = []
        for one in taken:
            self._positions[one.partition] = one.position
            cursors.append(self._cursor())
        for run in self._runs:
            if not run.events:
                self._positions[run.partition] = run.reached
        at_end = all(run.is_over for run in self._runs)
        self._caught_up_s = time.monotonic() if at_end else None
        lines = b"\n".join([one.line for one in taken])
        return FeedPage(lines, len(taken), self._cursor(), at_end, tuple(cursors))

    def _cursor(self) -> Cursor:
        return cursor_over(Places(tuple(self._positions)))
