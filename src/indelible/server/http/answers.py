"""Answers as the bytes that go over the connection (RFC 9112)."""

import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from indelible.server.http.messages import Response, StreamedResponse

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\ndate: " % (status.value, status.phrase.encode("ascii")) for status in HTTPStatus
}
_WITHOUT_BODY: Final = (204, 304)
"""An answer that has no body, nor headers that speak of one (RFC 9110, sections 8.6 and 15.4.5)."""
_CLOSE: Final = b"connection: close\r\n"
_KEEP_ALIVE: Final = b"connection: keep-alive\r\n"
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
    parts = [_STATUS_LINES[response.status], _clock.date(), b"\r\n"]
    if response.status not in _WITHOUT_BODY:
        content_type = response.content_type.encode("ascii")
        parts.append(b"content-type: %b\r\ncontent-length: %d\r\n" % (content_type, len(response.body)))
    parts += [b"%b: %b\r\n" % header for header in response.headers]
    if is_last:
        parts.append(_CLOSE)
    elif is_version_1_0:
        parts.append(_KEEP_ALIVE)
    parts.append(b"\r\n")
    if not is_head and response.status not in _WITHOUT_BODY:
        parts.append(response.body)
    return b"".join(parts)


def render_stream_head(response: StreamedResponse, *, is_chunked: bool, is_last: bool) -> bytes:
    """What goes before a stream. One that is not chunked ends with the connection."""
    return b"%b%b\r\ncontent-type: %b\r\n%b%b\r\n" % (
        _STATUS_LINES[200],
        _clock.date(),
        response.content_type.encode("ascii"),
        b"transfer-encoding: chunked\r\n" if is_chunked else b"",
        _CLOSE if is_last else b"",
    )


def chunk(data: bytes) -> tuple[bytes, bytes, bytes]:
    return b"%x\r\n" % len(data), data, b"\r\n"
