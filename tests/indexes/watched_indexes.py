"""Indexes in OpenSearch whose calls tests watch, or answer themselves."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from indelible.indexes.index import QueryIndex
from indelible.indexes.opensearch.address import Address
from indelible.indexes.opensearch.client import Answer, Request
from indelible.indexes.opensearch.index import OpenSearchIndex
from indelible.indexes.opensearch.opensearch_client import OpenSearchClient
from indexes.rewriting_proxy import Handle, RewritingProxy


@asynccontextmanager
async def opened(index: QueryIndex) -> AsyncIterator[QueryIndex]:
    await index.open()
    try:
        yield index
    finally:
        await index.close()


class Watched:
    """The client, with somebody who is asked before each call and after it."""

    def __init__(self, address: Address) -> None:
        self._client = OpenSearchClient(address)
        self.before: Callable[[Request], Awaitable[None]] = nothing
        self.after: Callable[[Request], Awaitable[None]] = nothing

    async def send(self, request: Request) -> Answer:
        await self.before(request)
        answer = await self._client.send(request)
        await self.after(request)
        return answer

    async def close(self) -> None:
        await self._client.close()


async def nothing(request: Request) -> None:
    pass


def watched(url: str) -> tuple[QueryIndex, Watched]:
    client = Watched(Address.of(url))
    return OpenSearchIndex(Address.of(url), lambda _: client), client


def refusing_above(size_bytes: int) -> Handle:
    """As a proxy does that takes no larger bodies."""

    async def handle(request: web.Request, body: bytes) -> web.Response | None:
        return web.Response(status=413, text="too large") if len(body) > size_bytes else None

    return handle


def by(proxy: RewritingProxy, url: str) -> str:
    return f"opensearch://{proxy.address}/{Address.of(url).prefix}"


async def rejected_by(index: Any, generation: int) -> list[Any]:
    return list(await index.rejected(generation))
