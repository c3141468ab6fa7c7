"""A gate before DynamoDB's API: it lets requests pass, refuses, loses or holds them, as a test says."""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Literal

import aiohttp
from aiohttp import web

Fate = Literal["pass", "throttle", "halve", "lose", "lose answer"]
"""``halve``: of a batch the second half is not processed. ``lose``: it never comes to the service."""
Decide = Callable[[str, Mapping[str, Any]], Awaitable[Fate]]
"""What becomes of a request, by the operation's name and what is asked."""


async def let_pass(operation: str, asked: Mapping[str, Any]) -> Fate:
    return "pass"


class Gate:
    def __init__(self, behind: str) -> None:
        self._behind = behind
        self.port = 0
        self.decide: Decide = let_pass
        self.count = 0
        self.under_way = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Goes on though whoever asks has gone."""
        self.under_way += 1
        try:
            return await self._handled(request)
        finally:
            self.under_way -= 1

    async def _handled(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        asked = json.loads(body)
        self.count += 1
        fate = await self.decide(operation, asked)
        if fate == "throttle":
            return _throttled()
        if fate == "lose":
            return _lost(request)
        left = _halve(asked) if fate == "halve" and operation == "BatchWriteItem" else {}
        headers = {name: request.headers[name] for name in ("X-Amz-Target", "Authorization", "X-Amz-Date")}
        headers["Content-Type"] = "application/x-amz-json-1.0"
        try:
            async with self._session.post(self._behind, data=json.dumps(asked), headers=headers) as answer:
                data = await answer.read()
        except aiohttp.ClientError:
            return _lost(request)
        if fate == "lose answer":
            return _lost(request)
        if left:
            data = json.dumps({**json.loads(data), "UnprocessedItems": left}).encode()
        return web.Response(status=answer.status, body=data, content_type="application/x-amz-json-1.0")

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Gate"]:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/", self.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as self._session:
            try:
                yield self
            finally:
                await runner.cleanup()


def _throttled() -> web.Response:
    problem = {
        "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", "message": "too much",
    }  # fmt: skip
    return web.Response(status=400, body=json.dumps(problem), content_type="application/x-amz-json-1.0")


def _lost(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def _halve(asked: Any) -> dict[str, Any]:
    """The second half of a batch, which is taken out."""
    left = {}
    for table, requests in asked["RequestItems"].items():
        if len(requests) > 1:
            left[table] = requests[len(requests) // 2 :]
            del requests[len(requests) // 2 :]
    return left
