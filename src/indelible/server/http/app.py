"""The REST API as one ASGI application: finds the handler, sends its answer, turns errors into problem documents."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import Final

import structlog

from indelible.errors import IndelibleError, InternalError
from indelible.limits import DISCARDED_BODY_SIZE_BYTES_MAX, DISCARDED_BODY_TIMEOUT_S
from indelible.server.http.messages import (
    ClientDisconnected,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    StreamedResponse,
    problem_response,
)
from indelible.server.http.routing import Route, Router
from indelible.server.services import Services

_log: Final = structlog.get_logger(__name__)
_NO_ROUTE: Final = "none"
_STATUS_NO_CONTENT: Final = 204
"""An answer that has no body, nor headers that speak of one (RFC 9110, section 8.6)."""
_STATUS_CLIENT_DISCONNECTED: Final = 499
"""In metrics only: the caller went away before its answer was due."""


class HttpApp:
    """Serves HTTP alone: the server that runs it opens and closes the store."""

    def __init__(self, services: Services, routes: Iterable[Route]) -> None:
        self._services: Final = services
        self._router: Final = Router(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = Request(scope, receive, self._services.bodies)
        path = _NO_ROUTE
        try:
            route, request.parameters = self._router.match(request.method, request.raw_path)
            path = route.path
            response = await route.handler(self._services, request)
        except IndelibleError as error:
            response = problem_response(error)
        except ClientDisconnected:
            response = None
        except Exception as error:  # noqa: BLE001 - whatever broke, the caller must get an answer
            response = problem_response(_internal_error(request, error))
        finally:
            self._services.bodies.give_back(request.body_size_bytes)
        status = await _send(request, response, send)
        self._services.metrics.on_request(request.method, path, status, time.perf_counter() - started)


def _internal_error(request: Request, error: Exception) -> InternalError:
    _log.error("request failed", method=request.method, path=request.raw_path.decode("latin-1"), exc_info=error)
    return InternalError("something is wrong in the server; its log has the details")


async def _send(request: Request, response: Response | StreamedResponse | None, send: Send) -> int:
    """Answer; returns the status."""
    if response is None:
        return _STATUS_CLIENT_DISCONNECTED
    if isinstance(response, StreamedResponse):
        await _send_stream(request, response, send)
        return 200
    if response.status >= 400 and not request.body_is_read and _is_body_long(request):
        await _send_and_discard_body(request, response, send)
    else:
        await send(_start(response.status, _headers(response)))
        await send({"type": "http.response.body", "body": response.body})
    return response.status


def _start(status: int, headers: list[tuple[bytes, bytes]]) -> dict[str, object]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _headers(response: Response) -> list[tuple[bytes, bytes]]:
    if response.status == _STATUS_NO_CONTENT:
        return [*response.headers]
    return [
        (b"content-type", response.content_type.encode("ascii")),
        (b"content-length", b"%d" % len(response.body)),
        *response.headers,
    ]


# --- Refused bodies --------------------------------------------------------------------------------------------------


def _is_body_long(request: Request) -> bool:
    """Whether what is left of the body is too long, or may be, to read over it for the connection's next request.
    A body whose sender waits for "100 Continue" counts as such: whether it still comes is the sender's choice."""
    length = request.headers.get(b"content-length")
    if length is not None:
        return int(length) > DISCARDED_BODY_SIZE_BYTES_MAX or b"expect" in request.headers
    return b"transfer-encoding" in request.headers


async def _send_and_discard_body(request: Request, response: Response, send: Send) -> None:
    """Answer, and read on for a while before closing the connection: closing at once would reset it, and the sender,
    still busy sending, would lose the answer."""
    await send(_start(response.status, [*_headers(response), (b"connection", b"close")]))
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    if b"expect" not in request.headers:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DISCARDED_BODY_TIMEOUT_S):
                await _discard_body(request)
    await send({"type": "http.response.body", "body": b""})


async def _discard_body(request: Request) -> None:
    size_bytes = 0
    while size_bytes <= DISCARDED_BODY_SIZE_BYTES_MAX:
        message = await request.receive()
        if message["type"] != "http.request" or not message["more_body"]:
            return
        size_bytes += len(message["body"])


# --- Streams ---------------------------------------------------------------------------------------------------------


async def _send_stream(request: Request, response: StreamedResponse, send: Send) -> None:
    await send(_start(200, [(b"content-type", response.content_type.encode("ascii"))]))
    sending = asyncio.create_task(_send_chunks(request, response, send))
    # A stream may be silent for long, and should not have to speak to learn that nobody listens.
    disconnected = asyncio.create_task(request.until_disconnected())
    try:
        await asyncio.wait((sending, disconnected), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, disconnected):
            task.cancel()
        (failure, _) = await asyncio.gather(sending, disconnected, return_exceptions=True)
    if isinstance(failure, Exception):
        # The status is sent; a body cut short is all that can still tell.
        _internal_error(request, failure)
    elif failure is None:
        await send({"type": "http.response.body", "body": b""})


async def _send_chunks(request: Request, response: StreamedResponse, send: Send) -> None:
    async with contextlib.aclosing(response.chunks) as chunks:
        if request.method == "HEAD":
            return
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
