"""What a subscriber is told, and when: the same over every transport."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import NamedTuple

from indelible.cursors import Cursor
from indelible.limits import CHECKPOINT_INTERVAL_S, HEARTBEAT_S
from indelible.server.followed_feed import FollowedFeed


class Told(NamedTuple):
    """What is worth a message: events, or that the end of the log is reached, or how far reading has come."""

    data: bytes
    """Events, or a part of one, as they go over the wire; empty when there are none."""
    cursor: Cursor
    """Behind the last event that is told whole by now."""
    at_end: bool
    """Whether nothing more is there yet."""
    has_caught_up: bool
    """Whether that was not so before."""


async def tell(feed: FollowedFeed, stopping: asyncio.Event) -> AsyncGenerator[Told | None]:
    """What is to be said until the caller leaves or the server stops; None when there was nothing to say for
    ``HEARTBEAT_S``. Begins with the page that ``feed`` has read. The next is read once the last is taken, so a caller
    that takes nothing costs no more than its connection."""
    narrator = _Narrator()
    stop = asyncio.create_task(stopping.wait())
    following: asyncio.Task[None] | None = None
    try:
        # Also shows at once that the subscription stands, however long the first event is away.
        yield await narrator.next(feed)
        while True:
            # Nothing of what is said is kept in a variable: its taker may take its time.
            while feed.has_more:
                yield await narrator.next(feed)
            if stop.done():
                return
            following = following or asyncio.create_task(feed.read())
            await asyncio.wait((following, stop), timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
                following = None
                if narrator.has_to_tell(feed):
                    yield await narrator.next(feed)
            elif not stop.done():
                yield None
    finally:
        stop.cancel()
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        await feed.aclose()


class _Narrator:
    def __init__(self) -> None:
        self._is_caught_up = False
        self._told_at = time.monotonic()

    def has_to_tell(self, feed: FollowedFeed) -> bool:
        """Whether a page that was just read is worth a message."""
        has_caught_up = feed.at_end and not self._is_caught_up
        is_checkpoint_due = time.monotonic() >= self._told_at + CHECKPOINT_INTERVAL_S
        if feed.has_more or has_caught_up or is_checkpoint_due:
            return True
        self._is_caught_up = feed.at_end
        return False

    async def next(self, feed: FollowedFeed) -> Told:
        data = await feed.take() if feed.has_more else b""
        self._told_at = time.monotonic()
        at_end = feed.at_end and not feed.has_more
        has_caught_up = at_end and not self._is_caught_up
        self._is_caught_up = at_end
        return Told(data, feed.cursor, at_end, has_caught_up)
