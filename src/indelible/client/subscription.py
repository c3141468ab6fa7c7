"""A subscription as applications use it: events for ever, and where to go on from."""

from collections.abc import AsyncGenerator, Iterator
from typing import Final, Self

from indelible.cursors import START, Cursor
from indelible.events import RecordedEvent
from indelible.eventstore import FeedPage


class Subscription:
    """Iterate with ``async for`` over events, or call :meth:`next_page` for whole pages; not both at once.

    :attr:`cursor` says how far the caller has come: every event that was given out lies at or before it. Keep it with
    what you make of the events, and subscribe after it the next time. Leave by :meth:`aclose`, or as ``async with``.
    """

    def __init__(self, pages: AsyncGenerator[FeedPage], after: Cursor | None) -> None:
        self._pages: Final = pages
        self._page_cursor = self.cursor = START if after is None else after
        self._events: Iterator[tuple[RecordedEvent, Cursor]] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RecordedEvent:
        while True:
            for event, cursor in self._events:
                self.cursor = cursor
                return event
            self.cursor = self._page_cursor
            page = await anext(self._pages)
            self._events, self._page_cursor = page.events_with_cursors(), page.cursor

    async def next_page(self) -> FeedPage:
        """The next page, perhaps an empty one, which tells how far reading has come. ``at_end`` says that all that was
        there is given out."""
        page = await anext(self._pages)
        self.cursor = self._page_cursor = page.cursor
        return page

    async def aclose(self) -> None:
        await self._pages.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
