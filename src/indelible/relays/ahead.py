"""A feed that is read ahead, so that whoever takes its pages can wait for something else too, and takes much at once:
a broker's answer, a transaction, a sync of its disk are for all of it, and the disk is often the store's as well."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from indelible.eventstore import FeedPage
from indelible.limits import RELAY_BATCH_EVENTS_MAX, RELAY_BATCH_SIZE_BYTES_MAX
from indelible.tasks import hear_of_failure


class Ahead:
    """Pages of a feed that does not end. What comes while the last one is dealt with is one page."""

    def __init__(self, pages: AsyncGenerator[FeedPage]) -> None:
        self._pages: Final = pages
        self._read: list[FeedPage] = []
        self._arrived: Final = asyncio.Event()
        self._has_room: Final = asyncio.Event()
        self._reading: Final = asyncio.create_task(self._read_on())

    async def _read_on(self) -> None:
        try:
            async for page in self._pages:
                self._read.append(page)
                self._arrived.set()
                if _is_full(self._read):
                    self._has_room.clear()
                    await self._has_room.wait()
        finally:
            self._arrived.set()

    @property
    def is_there(self) -> bool:
        """Whether :meth:`take` may be called."""
        return self._arrived.is_set()

    async def arrives(self) -> None:
        """Return when a page is there, or reading it has failed."""
        await self._arrived.wait()

    def take(self) -> FeedPage:
        """What was read. Raises what reading it has raised, behind all that was."""
        if not self._read:
            self._reading.result()
            raise RuntimeError("the feed has ended")
        page, self._read = _joined(self._read)
        if not self._read and not self._reading.done():
            self._arrived.clear()
        self._has_room.set()
        return page

    async def aclose(self) -> None:
        # A generator cannot be closed while somebody waits for it.
        self._reading.cancel()
        await asyncio.wait([self._reading])
        hear_of_failure(self._reading)
        await self._pages.aclose()


def _is_full(pages: Sequence[FeedPage]) -> bool:
    return (
        sum(page.count for page in pages) >= RELAY_BATCH_EVENTS_MAX
        or sum(len(page.lines) for page in pages) >= RELAY_BATCH_SIZE_BYTES_MAX
    )


def _joined(pages: list[FeedPage]) -> tuple[FeedPage, list[FeedPage]]:
    """The first pages as one, and those that are left: some have cursors of their own behind each event, some not."""
    first = pages[0]
    if len(pages) == 1:
        return first, []
    alike = len(pages)
    for number, page in enumerate(pages):
        if (page.cursors is None) != (first.cursors is None):
            alike = number
            break
    parts, last = pages[:alike], pages[alike - 1]
    cursors = None if first.cursors is None else tuple([one for page in parts for one in page.cursors or ()])
    lines = b"\n".join([page.lines for page in parts if page.count])
    return FeedPage(lines, sum([page.count for page in parts]), last.cursor, last.at_end, cursors), pages[alike:]
