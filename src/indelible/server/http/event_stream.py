"""A subscription as server-sent events.

``id:`` is the cursor behind what came, so that a browser, or whoever else, resumes by ``Last-Event-ID``. Events come as
messages without a name, each with the event's JSON as data; ``caught-up`` says that the log's end is reached,
``checkpoint`` how far reading has come where nothing matched. Comments keep silent connections open.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from functools import lru_cache
from typing import Final

import msgspec

from indelible.eventstore import FeedPage
from indelible.limits import CHECKPOINT_INTERVAL_S, HEARTBEAT_S, SHARED_PAGES_MAX, STREAM_CHUNK_SIZE_BYTES_MAX
from indelible.queries import Cursor

EVENT_STREAM_CONTENT_TYPE: Final = "text/event-stream"
_HEARTBEAT: Final = b":\n\n"


class _Placed(msgspec.Struct):
    position: int


_decode: Final = msgspec.json.Decoder(_Placed).decode


@lru_cache(maxsize=SHARED_PAGES_MAX)
def encode_events(lines: bytes) -> bytes:
    """A page's events as messages. Many subscribers get the same page, so it is made once."""
    return b"".join(
        b"id: %b\ndata: %b\n\n" % (Cursor.at(_decode(line).position).encode(), line) for line in lines.split(b"\n")
    )


def _message(name: str, cursor: Cursor) -> bytes:
    return f'id: {cursor}\nevent: {name}\ndata: {{"cursor":"{cursor}"}}\n\n'.encode()


class _Narrator:
    """Decides what is said of each page."""

    def __init__(self) -> None:
        self._is_caught_up = False
        self._told_at = time.monotonic()

    def tell(self, page: FeedPage) -> bytes:
        said = encode_events(page.lines) if page.count else b""
        if page.at_end and not self._is_caught_up:
            said += _message("caught-up", page.cursor)
        elif not said and time.monotonic() >= self._told_at + CHECKPOINT_INTERVAL_S:
            said = _message("checkpoint", page.cursor)
        self._is_caught_up = page.at_end
        if said:
            self._told_at = time.monotonic()
        return said


async def stream_events(
    first: FeedPage, pages: AsyncGenerator[FeedPage], stopping: asyncio.Event
) -> AsyncGenerator[bytes]:
    """What goes over the wire until the caller leaves or the server stops. The next page is read once this one is
    taken, so a caller that takes nothing costs no more than its connection and a page."""
    narrator = _Narrator()
    stop = asyncio.create_task(stopping.wait())
    following: asyncio.Task[FeedPage] | None = None
    try:
        # Also shows at once that the subscription stands, however long the first event is away.
        for chunk in _cut(narrator.tell(first) or _HEARTBEAT):
            yield chunk
        while not stop.done():
            following = following or asyncio.create_task(_next(pages))
            await asyncio.wait((following, stop), timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                said, following = narrator.tell(following.result()), None
                for chunk in _cut(said):
                    yield chunk
            elif not stop.done():
                yield _HEARTBEAT
    finally:
        stop.cancel()
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        await pages.aclose()


def _cut(said: bytes) -> Iterator[bytes]:
    """In pieces: what is given to a connection whose reader takes nothing lies there as a copy of its own."""
    if len(said) <= STREAM_CHUNK_SIZE_BYTES_MAX:
        if said:
            yield said
        return
    for start in range(0, len(said), STREAM_CHUNK_SIZE_BYTES_MAX):
        yield said[start : start + STREAM_CHUNK_SIZE_BYTES_MAX]


async def _next(pages: AsyncGenerator[FeedPage]) -> FeedPage:
    return await anext(pages)
