"""Reads server-sent events of a feed, and turns them into pages again."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import msgspec

from indelible.cursors import Cursor
from indelible.errors import InternalError
from indelible.eventstore import FeedPage
from indelible.limits import REQUEST_SIZE_BYTES_MAX

MESSAGE_SIZE_BYTES_MAX: Final = 2 * REQUEST_SIZE_BYTES_MAX
"""Of one message. The largest event, its names and base64 included, is shorter."""


class _Message(msgspec.Struct):
    id: str = ""
    event: str = ""
    data: bytes = b""


async def read_pages(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[FeedPage]:
    """What has come together is a page; its cursor lies behind its last event. Ends when the stream does; what a break
    left half is dropped, and comes again."""
    rest = b""
    async with aclosing(chunks):
        async for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n\n")
            if len(rest) > MESSAGE_SIZE_BYTES_MAX:
                raise InternalError("the server sent a message that does not end")
            page = _page_of(_messages(whole))
            if page is not None:
                yield page


def _messages(blocks: list[bytes]) -> list[_Message]:
    return [message for message in map(_parse, blocks) if message.id]


def _parse(block: bytes) -> _Message:
    message = _Message()
    for line in block.split(b"\n"):
        name, _, value = line.partition(b": ")
        if name == b"id":
            message.id = value.decode("ascii")
        elif name == b"event":
            message.event = value.decode("ascii")
        elif name == b"data":
            message.data = value
    return message


def _page_of(messages: list[_Message]) -> FeedPage | None:
    if not messages:
        return None
    events = [message for message in messages if not message.event]
    lines = b"\n".join([event.data for event in events])
    cursors = tuple([Cursor(event.id) for event in events])
    at_end = messages[-1].event == "caught-up"
    return FeedPage(lines, len(events), Cursor.parse(messages[-1].id), at_end, cursors)
