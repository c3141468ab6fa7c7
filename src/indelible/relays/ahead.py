"""A feed that is read one page ahead, so that whoever takes its pages can wait for something else too."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from indelible.eventstore import FeedPage
from indelible.tasks import hear_of_failure


class Ahead:
    """Pages of a feed that does not end. The next one is read while nobody waits; one at most."""

    def __init__(self, pages: AsyncGenerator[FeedPage]) -> None:
        self._pages: Final = pages
        self._next: asyncio.Future[FeedPage] = asyncio.ensure_future(anext(pages))

    @property
    def is_there(self) -> bool:
        """Whether :meth:`take` may be called."""
        return self._next.done()

    async def arrives(self) -> None:
        """Return when the next page is there, or reading it has failed."""
        await asyncio.wait([self._next])

    def take(self) -> FeedPage:
        """The next page. Raises what reading it has raised."""
        page = self._next.result()
        self._next = asyncio.ensure_future(anext(self._pages))
        return page

    async def aclose(self) -> None:
        # A generator cannot be closed while somebody waits for it.
        self._next.cancel()
        await asyncio.wait([self._next])
        hear_of_failure(self._next)
        await self._pages.aclose()
