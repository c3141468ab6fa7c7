"""A subscription as server-sent events.

``id:`` is the cursor behind what came, so that a browser, or whoever else, resumes by ``Last-Event-ID``. Events come as
messages without a name, each with the event's JSON as data; ``caught-up`` says that the log's end is reached,
``checkpoint`` how far reading has come where nothing matched. Comments keep silent connections open.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from indelible.cursors import Cursor, cursor_behind
from indelible.limits import STREAM_CHUNK_SIZE_BYTES_MAX
from indelible.queries import EventQuery
from indelible.server.services import Services
from indelible.server.streams import FollowedFeed, StreamMessage, stream_messages

EVENT_STREAM_CONTENT_TYPE: Final = "text/event-stream"
_HEARTBEAT: Final = b":\n\n"


def encode_events(lines: Sequence[bytes], cursors: Sequence[Cursor] | None) -> bytes:
    """Events as messages."""
    behind = cursors or map(cursor_behind, lines)
    return b"".join(
        b"id: %b\ndata: %b\n\n" % (cursor.encode(), line) for line, cursor in zip(lines, behind, strict=True)
    )


def _message(name: str, cursor: Cursor) -> bytes:
    return f'id: {cursor}\nevent: {name}\ndata: {{"cursor":"{cursor}"}}\n\n'.encode()


def _encode(message: StreamMessage | None) -> bytes:
    if message is None:
        return _HEARTBEAT
    if message.has_caught_up:
        return message.data + _message("caught-up", message.cursor)
    return message.data or _message("checkpoint", message.cursor)


async def subscribe(services: Services, query: EventQuery, after: Cursor | None) -> AsyncGenerator[bytes]:
    """What goes over the wire until the caller leaves or the server stops, in pieces: what is given to a connection
    whose reader takes nothing lies there. Reads the first page now, so that what is wrong with the request is known
    before anything is sent."""
    feed = FollowedFeed(
        services.store, query, after, services.rendered_pages,
        render=encode_events, take_size_bytes_max=STREAM_CHUNK_SIZE_BYTES_MAX,
    )  # fmt: skip
    await feed.read()
    return _stream(feed, services.stopping)


async def _stream(feed: FollowedFeed, stopping: asyncio.Event) -> AsyncGenerator[bytes]:
    async with aclosing(stream_messages(feed, stopping)) as messages:
        async for message in messages:
            chunk = _encode(message)
            del message  # kept here for as long as the caller takes, it would be held twice
            yield chunk
            del chunk
