"""What a subscriber is told, and when: the same over every transport."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import NamedTuple

from indelible.eventstore import FeedPage
from indelible.limits import CHECKPOINT_INTERVAL_S, HEARTBEAT_S


class Told(NamedTuple):
    """A page that is worth a message: it has events, or has just caught up, or it says how far reading has come."""

    page: FeedPage
    has_caught_up: bool
    """Whether the end of the log is reached, which it was not before."""


async def tell(
    first: FeedPage, pages: AsyncGenerator[FeedPage], stopping: asyncio.Event
) -> AsyncGenerator[Told | None]:
    """What is to be said until the caller leaves or the server stops; None when there was nothing to say for
    ``HEARTBEAT_S``. The next page is read once the last is taken, so a caller that takes nothing costs no more than its
    connection and a page."""
    narrator = _Narrator()
    stop = asyncio.create_task(stopping.wait())
    following: asyncio.Task[FeedPage] | None = None
    try:
        # Also shows at once that the subscription stands, however long the first event is away.
        yield narrator.tell(first) or Told(first, has_caught_up=False)
        while not stop.done():
            following = following or asyncio.create_task(_next(pages))
            await asyncio.wait((following, stop), timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                told, following = narrator.tell(following.result()), None
                if told is not None:
                    yield told
            elif not stop.done():
                yield None
    finally:
        stop.cancel()
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        await pages.aclose()


class _Narrator:
    def __init__(self) -> None:
        self._is_caught_up = False
        self._told_at = time.monotonic()

    def tell(self, page: FeedPage) -> Told | None:
        has_caught_up = page.at_end and not self._is_caught_up
        self._is_caught_up = page.at_end
        is_checkpoint_due = time.monotonic() >= self._told_at + CHECKPOINT_INTERVAL_S
        if not (page.count or has_caught_up or is_checkpoint_due):
            return None
        self._told_at = time.monotonic()
        return Told(page, has_caught_up)


async def _next(pages: AsyncGenerator[FeedPage]) -> FeedPage:
    return await anext(pages)
