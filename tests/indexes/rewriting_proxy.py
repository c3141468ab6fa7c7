"""An HTTP proxy before OpenSearch: what the client of Elasticsearch wants changed is changed, and tests may put in
answers of their own, as a proxy before a real service does. It runs in the event loop of the test.

The client of Elasticsearch names its own media types, and refuses a server that does not say it is Elasticsearch. All
else goes through as it is.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import aiohttp
from aiohttp import web

SIZE_BYTES_MAX: Final = 64 * 1024 * 1024
_MEDIA_TYPE: Final = re.compile(r"application/vnd\.elasticsearch\+([a-z-]+); compatible-with=\d+")

Handle = Callable[[web.Request, bytes], Awaitable[web.Response | None]]
"""Gives an answer in the server's place, or None."""


class RewritingProxy:
    def __init__(self, behind: str) -> None:
        self._behind: Final = behind
        self.address = ""
        self.handle: Handle = _nothing

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        own = await self.handle(request, body)
        return own or await self.pass_on(request, body)

    async def pass_on(self, request: web.Request, body: bytes) -> web.Response:
        headers = {
            name: _MEDIA_TYPE.sub(r"application/\1", request.headers[name])
            for name in ("accept", "content-type", "authorization") if name in request.headers
        }  # fmt: skip
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, f"http://{self._behind}{request.rel_url}", data=body, headers=headers
            ) as answer,
        ):
            return web.Response(
                status=answer.status, body=await answer.read(), content_type=answer.content_type,
                headers={"X-Elastic-Product": "Elasticsearch"},
            )  # fmt: skip


async def _nothing(request: web.Request, body: bytes) -> None:
    pass


@contextlib.asynccontextmanager
async def rewriting_proxy(behind: str) -> AsyncIterator[RewritingProxy]:
    proxy = RewritingProxy(behind)
    app = web.Application(client_max_size=SIZE_BYTES_MAX)
    app.router.add_route("*", "/{path:.*}", proxy.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        proxy.address = f"{host}:{port}"
        yield proxy
    finally:
        await runner.cleanup()
