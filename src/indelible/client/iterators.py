"""Events page after page: to the end of what is there, with the next page on its way while the caller works on the
current one; or for ever."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from indelible.cursors import START, Cursor
from indelible.events import RecordedEvent
from indelible.eventstore import AggregatePage, EventStore, FeedPage
from indelible.limits import PAGE_EVENTS_MAX
from indelible.queries import EVERYTHING, Direction, EventQuery
from indelible.tasks import hear_of_failure


class Page(Protocol):
    @property
    def events(self) -> tuple[RecordedEvent, ...]: ...


PageT = TypeVar("PageT", bound=Page)
ReadNext = Callable[[PageT | None], Coroutine[Any, Any, PageT] | None]
"""Given the page before (None at the start): the call that reads the next one, or None at the end."""


class EventIterator(Generic[PageT]):
    """Iterate with ``async for`` over events, or call :meth:`next_page` for whole pages; not both at once.

    One page is read ahead, never more. An iterator may be left before its end; there is nothing to close.
    Errors of the store come out of the step that needs the page, and again out of every later step.
    """

    def __init__(self, read_next: ReadNext[PageT]) -> None:
        self._read_next: Final = read_next
        self._started = False
        self._ahead: asyncio.Task[PageT] | None = None
        self._events: Iterator[RecordedEvent] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RecordedEvent:
        while True:
            for event in self._events:
                return event
            page = await self.next_page()
            if page is None:
                raise StopAsyncIteration
            self._events = iter(page.events)

    async def next_page(self) -> PageT | None:
        """The next page, perhaps an empty one; None after the last."""
        if not self._started:
            self._started = True
            self._read_ahead(None)
        if self._ahead is None:
            return None
        # Shielded: a caller whose wait is cancelled (a time-out) may come back for this page.
        page = await asyncio.shield(self._ahead)
        self._read_ahead(page)
        return page

    async def aclose(self) -> None:
        """Let go of the page that was read ahead. Not needed: an iterator may just be left."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    def _read_ahead(self, page: PageT | None) -> None:
        reading = self._read_next(page)
        self._ahead = None if reading is None else asyncio.create_task(reading, name="read-ahead")
        if self._ahead is not None:
            # An iterator that is left early never looks at its last page.
            self._ahead.add_done_callback(hear_of_failure)


def iterate_aggregate(
    store: EventStore,
    aggregate_type: str,
    aggregate_id: str,
    *,
    from_version: int | None = None,
    to_version: int | None = None,
    direction: Direction = "forward",
    page_size: int = PAGE_EVENTS_MAX,
) -> EventIterator[AggregatePage]:
    """All events of one aggregate, both versions inclusive, page after page, one page ahead of the caller.

    The iterator raises ``AggregateNotFound`` when the aggregate has no events.
    """

    def read_next(page: AggregatePage | None) -> Coroutine[Any, Any, AggregatePage] | None:
        first, last = from_version, to_version
        if page is not None:
            if page.next_version is None:
                return None
            first, last = (page.next_version, last) if direction == "forward" else (first, page.next_version)
        return store.read_aggregate(
            aggregate_type, aggregate_id, from_version=first, to_version=last, direction=direction, limit=page_size
        )

    return EventIterator(read_next)


def iterate_feed(
    store: EventStore,
    query: EventQuery = EVERYTHING,
    *,
    after: Cursor | None = None,
    direction: Direction = "forward",
    page_size: int = PAGE_EVENTS_MAX,
) -> EventIterator[FeedPage]:
    """All events of the log that match, up to the head, page after page, one page ahead of the caller.

    To go on later from where you came to, take pages (``next_page()``) and keep the last one's ``cursor``.
    """

    def read_next(page: FeedPage | None) -> Coroutine[Any, Any, FeedPage] | None:
        if page is not None and page.at_end:
            return None
        return store.read_feed(
            query, after=after if page is None else page.cursor, direction=direction, limit=page_size
        )

    return EventIterator(read_next)


class Subscription:
    """Iterate with ``async for`` over events, or call :meth:`next_page` for whole pages; not both at once.

    :attr:`cursor` says how far the caller has come: every event that was given out lies at or before it. Keep it with
    what you make of the events, and subscribe after it the next time. Leave by :meth:`aclose`, or as ``async with``.
    A step whose wait is cancelled (a time-out) may be taken again; nothing is lost.
    """

    def __init__(self, pages: AsyncGenerator[FeedPage], after: Cursor | None) -> None:
        self._pages: Final = pages
        self._page_cursor = self.cursor = START if after is None else after
        self._events: Iterator[tuple[RecordedEvent, Cursor]] = iter(())
        self._ahead: asyncio.Task[FeedPage] | None = None
        """Waits for the next page."""
        self._is_waited_for = False

    def __del__(self) -> None:
        # Forgotten after a wait that was cancelled: nobody comes back for the page. Perhaps on another thread.
        ahead = self._ahead
        if ahead is not None:
            with suppress(RuntimeError):  # the loop is closed, and the task has ended
                ahead.get_loop().call_soon_threadsafe(ahead.cancel)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RecordedEvent:
        while True:
            for event, cursor in self._events:
                self.cursor = cursor
                return event
            self.cursor = self._page_cursor
            page = await self._next()
            self._events, self._page_cursor = page.events_with_cursors(), page.cursor

    async def next_page(self) -> FeedPage:
        """The next page, perhaps an empty one, which tells how far reading has come. ``at_end`` says that all that was
        there is given out."""
        page = await self._next()
        self.cursor = self._page_cursor = page.cursor
        return page

    async def _next(self) -> FeedPage:
        """In a task of its own: a caller whose wait is cancelled (a time-out) may come back for this page, where a
        generator that is cancelled has ended."""
        if self._is_waited_for:
            raise RuntimeError("another task waits for the next page of this subscription")
        if self._ahead is None:
            self._ahead = asyncio.create_task(_next_of(self._pages), name="next-page")
            self._ahead.add_done_callback(hear_of_failure)
        ahead = self._ahead
        self._is_waited_for = True
        try:
            await asyncio.wait({ahead})
        finally:
            self._is_waited_for = False
        self._ahead = None
        if ahead.cancelled():
            raise StopAsyncIteration
        return ahead.result()

    async def aclose(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.cancel()
            await asyncio.wait({ahead})
        await self._pages.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def _next_of(pages: AsyncGenerator[FeedPage]) -> FeedPage:
    return await anext(pages)
