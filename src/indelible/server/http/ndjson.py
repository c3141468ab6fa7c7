"""Events as NDJSON: one a line, page after page, without a page limit."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from indelible.server.http.messages import NDJSON_CONTENT_TYPE, StreamedResponse


async def stream_lines(pages: AsyncIterator[bytes]) -> StreamedResponse:
    """The answer that holds all pages. Reads the first one now, so that what is wrong with the request is known
    before anything is sent."""
    first = await anext(pages)
    return StreamedResponse(_chunks(first, pages), NDJSON_CONTENT_TYPE)


async def _chunks(page: bytes | None, pages: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Each page as a chunk; the next is read while the caller takes this one. Keeps no other page in memory: callers
    may take their time."""
    following: asyncio.Task[bytes | None] | None = None
    try:
        while page is not None:
            following = asyncio.create_task(_next_page(pages))
            if page:
                page += b"\n"
                yield page
            page = await following
    finally:
        if following is not None:
            following.cancel()


async def _next_page(pages: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pages, None)
