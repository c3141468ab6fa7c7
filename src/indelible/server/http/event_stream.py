"""A subscription as server-sent events.

``id:`` is the cursor behind what came, so that a browser, or whoever else, resumes by ``Last-Event-ID``. Events come as
messages without a name, each with the event's JSON as data; ``caught-up`` says that the log's end is reached,
``checkpoint`` how far reading has come where nothing matched. Comments keep silent connections open.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import lru_cache
from typing import Final

import msgspec

from indelible.eventstore import FeedPage
from indelible.limits import SHARED_PAGES_MAX, STREAM_CHUNK_SIZE_BYTES_MAX
from indelible.queries import Cursor
from indelible.server.narration import Told, tell

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


def _encode(told: Told) -> bytes:
    page = told.page
    said = encode_events(page.lines) if page.count else b""
    if told.has_caught_up:
        return said + _message("caught-up", page.cursor)
    return said or _message("checkpoint", page.cursor)


async def stream_events(
    first: FeedPage, pages: AsyncGenerator[FeedPage], stopping: asyncio.Event
) -> AsyncGenerator[bytes]:
    """What goes over the wire until the caller leaves or the server stops."""
    async with aclosing(tell(first, pages, stopping)) as told_pages:
        async for told in told_pages:
            for chunk in _cut(_HEARTBEAT if told is None else _encode(told)):
                yield chunk


def _cut(said: bytes) -> Iterator[bytes]:
    """In pieces: what is given to a connection whose reader takes nothing lies there as a copy of its own."""
    if len(said) <= STREAM_CHUNK_SIZE_BYTES_MAX:
        yield said
        return
    for start in range(0, len(said), STREAM_CHUNK_SIZE_BYTES_MAX):
        yield said[start : start + STREAM_CHUNK_SIZE_BYTES_MAX]
