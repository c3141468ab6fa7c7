"""One request on a connection, and its answer as bytes (RFC 9112)."""

import asyncio
import contextlib
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import structlog

from indelible.events import JSON_CONTENT_TYPE
from indelible.limits import DISCARDED_BODY_SIZE_BYTES_MAX, UNREAD_SIZE_BYTES_MAX
from indelible.server.http.message_syntax import Framing, Head
from indelible.server.http.messages import ClientDisconnected, Response, StreamedResponse
from indelible.tasks import first_of
from indelible.wire.cloudevents import CLOUDEVENT_CONTENT_TYPE, CLOUDEVENTS_BATCH_CONTENT_TYPE
from indelible.wire.errors import PROBLEM_CONTENT_TYPE

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\ndate: " % (status.value, status.phrase.encode("ascii")) for status in HTTPStatus
}
_WITHOUT_BODY: Final = (204, 304)
"""An answer that has no body, nor headers that speak of one (RFC 9110, sections 8.6 and 15.4.5)."""
_ENDING_WITH_A_LINE: Final = frozenset(
    (JSON_CONTENT_TYPE, PROBLEM_CONTENT_TYPE, CLOUDEVENT_CONTENT_TYPE, CLOUDEVENTS_BATCH_CONTENT_TYPE)
)
"""JSON of our own, for people who look at it in a terminal: the prompt is to stand below it."""
_CLOSE: Final = b"\r\nconnection: close"
_KEEP_ALIVE: Final = b"\r\nconnection: keep-alive"
"""Said to callers in HTTP/1.0 only: they expect the end."""


class _Clock:
    """The header Date, which changes once a second."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = 0
        self._text = b""

    def date(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True).encode("ascii")
        return self._text


_clock: Final = _Clock()


def render(response: Response, *, is_head: bool, is_last: bool, is_version_1_0: bool) -> bytes:
    """A whole answer; without its body when HEAD asked for it."""
    has_body = response.status not in _WITHOUT_BODY
    parts = [_STATUS_LINES[response.status], _clock.date()]
    body, ending = response.body, b""
    if has_body:
        if response.content_type in _ENDING_WITH_A_LINE and not response.is_verbatim:
            ending = b"\n"
        content_type = response.content_type.encode("ascii")
        parts.append(b"\r\ncontent-type: %b\r\ncontent-length: %d" % (content_type, len(body) + len(ending)))
    parts += [b"\r\n%b: %b" % header for header in response.headers]
    if is_last:
        parts.append(_CLOSE)
    elif is_version_1_0:
        parts.append(_KEEP_ALIVE)
    parts.append(b"\r\n\r\n")
    if has_body and not is_head:
        parts += (body, ending)
    return b"".join(parts)


def render_stream_head(response: StreamedResponse, *, is_chunked: bool, is_last: bool) -> bytes:
    """What goes before a stream. One that is not chunked ends with the connection."""
    return b"%b%b\r\ncontent-type: %b%b%b\r\n\r\n" % (
        _STATUS_LINES[200],
        _clock.date(),
        response.content_type.encode("ascii"),
        b"\r\ntransfer-encoding: chunked" if is_chunked else b"",
        _CLOSE if is_last else b"",
    )


def chunk(data: bytes) -> tuple[bytes, bytes, bytes]:
    return b"%x\r\n" % len(data), data, b"\r\n"


if TYPE_CHECKING:
    from indelible.server.http.connection import Connection

_log: Final = structlog.get_logger(__name__)


class Exchange:
    """The connection puts in what comes of the body, and says when the caller has left; the application reads the one
    and sends an answer."""

    __slots__ = (
        "_failure", "_framing", "_has_body_begun", "_has_left", "_left", "_unread", "_waiter", "connection",
        "head", "is_over",
    )  # fmt: skip

    def __init__(self, connection: "Connection", head: Head) -> None:
        self.head: Final = head
        self.is_over = False
        """Whether it is answered, or never will be."""
        self.connection: Final = connection
        self._framing: Final[Framing | None] = head.framing
        self._has_body_begun = False
        self._unread = b""
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._has_left = False
        self._left: asyncio.Future[None] | None = None

    # --- What the connection says ------------------------------------------------------------------------------------

    def feed(self, part: bytes) -> None:
        """More of the body, or its end."""
        self._has_body_begun = True
        self._unread = self._unread + part if self._unread else part
        _wake(self._waiter)

    def fail(self, failure: Exception) -> None:
        """The rest of the body will not come."""
        self._failure = failure
        _wake(self._waiter)

    def leave(self) -> None:
        """The caller sends nothing any more."""
        self._has_left = True
        _wake(self._left)
        if not self.is_body_whole:
            self.fail(ClientDisconnected())

    @property
    def is_full(self) -> bool:
        return len(self._unread) > UNREAD_SIZE_BYTES_MAX

    # --- What the application asks -----------------------------------------------------------------------------------

    @property
    def is_body_read(self) -> bool:
        return not self._unread and self.is_body_whole

    @property
    def is_body_whole(self) -> bool:
        return self._framing is None or self._framing.is_whole

    async def read(self) -> bytes:
        """More of the body; nothing at its end. Raises ``ClientDisconnected`` when the caller goes before that, and
        ``BadFraming`` when the end cannot be known."""
        if not self._unread and not self.is_body_whole:
            if self.head.expects_continue and not self._has_body_begun:
                self._has_body_begun = True
                self.connection.write(CONTINUE)
            while not self._unread and not self.is_body_whole:
                if self._failure is not None:
                    raise self._failure
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
        part = self.take()
        if not self.is_body_whole:
            self.connection.body_taken()
        return part

    def take(self) -> bytes:
        """What has come of the body."""
        part, self._unread = self._unread, b""
        return part

    async def until_left(self) -> None:
        """Until the caller goes away. One that has said all that it will ever say cannot be told from one that went."""
        if not self._has_left:
            self._left = asyncio.get_running_loop().create_future()
            await self._left

    def answer(self, response: Response) -> None:
        """Answer."""
        head = self.head
        is_last = self._is_last
        self.connection.write(
            render(response, is_head=head.method == "HEAD", is_last=is_last, is_version_1_0=head.is_version_1_0)
        )
        self._end(is_last=is_last)

    def abandon(self, *, at_once: bool = False) -> None:
        """No answer, or no more of it: nobody is there to read it, or it cannot be made."""
        self.is_over = True
        self.connection.abandon(at_once=at_once)

    # --- Streams -----------------------------------------------------------------------------------------------------

    async def stream(self, response: StreamedResponse) -> None:
        """Answer, part by part."""
        # A body in HTTP/1.0 has no chunks: only the connection's end shows its own.
        is_chunked = not self.head.is_version_1_0
        is_last = self._is_last or not is_chunked
        self.connection.write(render_stream_head(response, is_chunked=is_chunked, is_last=is_last))
        if self.head.method == "HEAD":
            await response.chunks.aclose()
            self._end(is_last=is_last)
            return
        try:
            if response.is_endless:
                await self._send_until_left(response, is_chunked=is_chunked)
            else:
                await self._send_chunks(response, is_chunked=is_chunked)
        except ClientDisconnected:
            self.abandon()
        except asyncio.CancelledError:
            # Ended from here: the caller must not take what came for all.
            self.abandon(at_once=not is_chunked)
            raise
        except Exception as error:  # noqa: BLE001 - whatever broke, the caller must not take what came for all
            # The status is sent; a body cut short is all that can still tell.
            _log.error("stream failed", path=self.head.raw_path.decode("latin-1"), exc_info=error)
            self.abandon(at_once=not is_chunked)
        else:
            if is_chunked:
                self.connection.write(LAST_CHUNK)
            self._end(is_last=is_last)

    async def _send_until_left(self, response: StreamedResponse, *, is_chunked: bool) -> None:
        """Such a stream may be silent for long, and should not have to speak to learn that nobody listens."""
        sending = asyncio.create_task(self._send_chunks(response, is_chunked=is_chunked))
        await first_of(sending, self.until_left())
        if not sending.cancelled():
            sending.result()

    async def _send_chunks(self, response: StreamedResponse, *, is_chunked: bool) -> None:
        async with contextlib.aclosing(response.chunks) as chunks:
            async for data in chunks:
                self.connection.write_parts(chunk(data) if is_chunked else (data,))
                await self.connection.drain()

    # --- The end -----------------------------------------------------------------------------------------------------

    @property
    def _is_last(self) -> bool:
        """Whether the connection ends with the answer that is sent now: because somebody wants it to, or because what
        is left of the body is too long, or may be, to read over it for the next request. So it may be when its sender
        waits for "100 Continue": whether it still comes is the sender's choice."""
        if self.head.is_last or self.connection.is_last:
            return True
        if self.is_body_whole:
            return False
        assert self._framing is not None
        left = self._framing.size_left_bytes
        return left is None or left > DISCARDED_BODY_SIZE_BYTES_MAX or self.head.expects_continue

    def _end(self, *, is_last: bool) -> None:
        self.is_over = True
        self._unread = b""
        self.connection.answered(is_last=is_last)


def _wake(waiter: "asyncio.Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
