"""uvicorn, held to this project's limits, as one part of an event loop that others use too."""

import asyncio
import contextlib
import math
import re
import socket
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from indelible.errors import IndelibleError, InvalidRequest, Overloaded, PayloadTooLarge
from indelible.limits import (
    CONNECTIONS_MAX,
    CONNECTIONS_WAITING_MAX,
    HEADER_SIZE_BYTES_MAX,
    KEEP_ALIVE_S,
    RETRY_AFTER_S,
    SHUTDOWN_STALLED_S,
)
from indelible.server.config import Address
from indelible.server.corked_transport import CorkedTransport
from indelible.server.listening import listen
from indelible.wire.errors import PROBLEM_CONTENT_TYPE, encode_problem, status_of

_UPGRADE: Final = re.compile(rb"\r\nupgrade:[^\r\n]*\r\n", re.IGNORECASE)


@contextlib.asynccontextmanager
async def serving(app: Any, at: Address | socket.socket, *, shutdown_grace_s: float) -> AsyncIterator[str]:
    """Serve an ASGI application while the context is open; gives the URL. A socket that listens is closed at the end.

    Leaving stops graciously: nothing new is accepted, what is in flight is answered, within ``shutdown_grace_s``
    seconds. Raises ``InvalidRequest`` when the address cannot be had.
    """
    with listen(at) if isinstance(at, Address) else at as listener:
        host, port = listener.getsockname()[:2]
        server = _Server(_config(app, shutdown_grace_s))
        task = asyncio.create_task(server.serve(sockets=[listener]), name="http-server")
        started = asyncio.create_task(server.is_started.wait())
        await asyncio.wait((task, started), return_when=asyncio.FIRST_COMPLETED)
        try:
            if task.done():
                task.result()
            yield f"http://{Address(host, port)}"
        finally:
            started.cancel()
            server.should_exit = True
            await task


def _config(app: Any, shutdown_grace_s: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=CONNECTIONS_WAITING_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(shutdown_grace_s),
    )


class _Server(uvicorn.Server):
    """Leaves signals to whoever owns the event loop, and says when it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_started: Final = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_started.set()


class _Protocol(HttpToolsProtocol):
    """Bounds what uvicorn does not: the size of a request's head, how long the rest of a request may stay away, and
    the number of connections, each with a problem document for an answer."""

    _is_in_head = False
    _head_size_bytes = 0
    _refusal: IndelibleError | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn asks for more than asyncio.BaseTransport
        super().connection_made(cast("asyncio.Transport", CorkedTransport(transport, self.loop)))
        self._expect_more()

    def data_received(self, data: bytes) -> None:
        self._head_size_bytes += len(data)
        if b"pgrade:" in data and (self.cycle is None or not self.cycle.more_body):
            data = _without_upgrade(data)
        super().data_received(data)
        if self._is_in_head:
            if self._head_size_bytes > HEADER_SIZE_BYTES_MAX and not self.transport.is_closing():
                self._refusal = _head_too_large()
                self.send_400_response("")
            self._expect_more()
        elif self.cycle is not None and self.cycle.more_body:
            self._expect_more()
        else:
            self._head_size_bytes = 0

    def _expect_more(self) -> None:
        """Close the connection when nothing more comes. uvicorn drops this timer when something does."""
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(KEEP_ALIVE_S, self.timeout_keep_alive_handler)

    def shutdown(self) -> None:
        super().shutdown()
        self._abort_if_stalled(0)

    def _abort_if_stalled(self, waiting_before: int) -> None:
        """Give up a reader that has taken nothing since the last look."""
        waiting = self.transport.get_write_buffer_size()
        if waiting and waiting == waiting_before:
            self.transport.abort()
        elif self in self.connections:
            self.loop.call_later(SHUTDOWN_STALLED_S, self._abort_if_stalled, waiting)

    def on_message_begin(self) -> None:
        self._is_in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        if self._head_size_bytes > HEADER_SIZE_BYTES_MAX:
            self._check_head_size()
        if len(self.connections) > CONNECTIONS_MAX:
            self._refusal = Overloaded("too many connections are open", retry_after_s=RETRY_AFTER_S)
            raise self._refusal
        super().on_headers_complete()

    def _check_head_size(self) -> None:
        """Much came at once; only now is it clear how much of it is the head."""
        size_bytes = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size_bytes > HEADER_SIZE_BYTES_MAX:
            self._refusal = _head_too_large()
            raise self._refusal

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for a request that it cannot parse, or when a callback above raised."""
        error = self._refusal or InvalidRequest(msg)
        status = 431 if isinstance(error, PayloadTooLarge) else status_of(error)
        body = encode_problem(error, status)
        retry_after = f"retry-after: {RETRY_AFTER_S}\r\n" if status == 503 else ""
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {PROBLEM_CONTENT_TYPE}\r\n"
            f"content-length: {len(body)}\r\n{retry_after}connection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()


def _without_upgrade(data: bytes) -> bytes:
    """A request without its offer of another protocol, such as HTTP/2 by Java's own client. Servers are free to pass
    over it (RFC 9110, section 7.8), but the parser would pass over the body as well."""
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\n", head + end) + rest


def _head_too_large() -> PayloadTooLarge:
    return PayloadTooLarge(
        f"the request line and headers take more than {HEADER_SIZE_BYTES_MAX} bytes",
        size_bytes_max=HEADER_SIZE_BYTES_MAX,
    )
