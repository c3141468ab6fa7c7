"""Where a request's body ends: by its length, or by chunks (RFC 9112, sections 6 and 7)."""

import re
from typing import Final, Literal, Protocol

from indelible.errors import InvalidRequest, PayloadTooLarge
from indelible.limits import CHUNKS_AT_ONCE_MAX, HEADER_SIZE_BYTES_MAX

_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})((?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?)\r\n")
_SIZE_LENGTH_MAX: Final = 16
_TRAILER: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n")
_CRLF: Final = b"\r\n"


class Framing(Protocol):
    """Takes a body out of what comes on a connection."""

    is_whole: bool

    @property
    def size_left_bytes(self) -> int | None:
        """What is still to come; None when that is not known."""
        ...

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """The part of the body in ``data``, and what is behind that: of the next request once this body is whole; else
        more of this body, for another turn. Raises ``InvalidRequest``, ``PayloadTooLarge``; then the end of the body
        will never be known."""
        ...


class SizedBody:
    """A body whose length was said."""

    __slots__ = ("is_whole", "size_left_bytes")

    def __init__(self, size_bytes: int) -> None:
        self.size_left_bytes: int = size_bytes
        self.is_whole = size_bytes == 0

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        if len(data) < self.size_left_bytes:
            self.size_left_bytes -= len(data)
            return data, b""
        size_bytes, self.size_left_bytes, self.is_whole = self.size_left_bytes, 0, True
        return data[:size_bytes], data[size_bytes:]


class ChunkedBody:
    """A body in chunks. Extensions of chunks and trailers mean nothing here. They may take ``beside_bytes_max``: what
    the head has left of its own limit."""

    __slots__ = ("_beside_bytes_left", "_chunk_bytes_left", "_line", "_line_due", "is_whole", "size_left_bytes")

    def __init__(self, beside_bytes_max: int) -> None:
        self.is_whole = False
        self.size_left_bytes: int | None = None
        self._beside_bytes_left = beside_bytes_max
        self._chunk_bytes_left = 0
        self._line = b""
        """What has come of a line that is not whole."""
        self._line_due: Literal["size", "end of chunk", "trailer"] = "size"

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        parts: list[bytes] = []
        at = chunks = 0
        while at < len(data) and not self.is_whole and chunks < CHUNKS_AT_ONCE_MAX:
            if self._chunk_bytes_left:
                part = data[at : at + self._chunk_bytes_left]
                self._chunk_bytes_left -= len(part)
                at += len(part)
                parts.append(part)
                chunks += 1
            else:
                if self._line_due == "trailer":
                    self._refuse_endless(data, at)
                at = self._take_line(data, at)
        return b"".join(parts), data[at:]

    def _refuse_endless(self, data: bytes, at: int) -> None:
        """Trailers without an end in sight, before each is looked at: that is what costs."""
        end = at + self._beside_bytes_left + len(_CRLF)
        if len(data) > end and not self._line and data[at : at + 2] != _CRLF and data.find(_CRLF * 2, at, end) < 0:
            raise _too_much_beside()

    def _take_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at) + 1
        piece = data[at:end] if end else data[at : at + self._beside_bytes_left + _SIZE_LENGTH_MAX + len(_CRLF) + 1]
        line = self._line + piece
        if end:
            self._line = b""
            self._on_line(line)
            return end
        if len(line) > self._beside_bytes_left + _SIZE_LENGTH_MAX + len(_CRLF):
            raise _too_much_beside()
        self._line = line
        return len(data)

    def _on_line(self, line: bytes) -> None:
        if self._line_due == "size":
            self._on_size(line)
        elif self._line_due == "trailer":
            self._on_trailer(line)
        elif line == _CRLF:
            self._line_due = "size"
        else:
            raise InvalidRequest("a chunk of the body is longer than its size (RFC 9112, section 7.1)")

    def _on_size(self, line: bytes) -> None:
        found = _SIZE_LINE.fullmatch(line)
        if found is None:
            raise InvalidRequest("a chunk of the body does not begin with its size (RFC 9112, section 7.1)")
        self._count_beside(len(found[2]))
        self._chunk_bytes_left = int(found[1], 16)
        self._line_due = "end of chunk" if self._chunk_bytes_left else "trailer"

    def _on_trailer(self, line: bytes) -> None:
        if line == _CRLF:
            self.is_whole = True
            return
        self._count_beside(len(line))
        if not _TRAILER.fullmatch(line):
            raise InvalidRequest("a trailer of the body is no header (RFC 9112, section 7.1.2)")

    def _count_beside(self, size_bytes: int) -> None:
        self._beside_bytes_left -= size_bytes
        if self._beside_bytes_left < 0:
            raise _too_much_beside()


def _too_much_beside() -> PayloadTooLarge:
    message = f"the head, chunk extensions and trailers together take more than {HEADER_SIZE_BYTES_MAX} bytes"
    return PayloadTooLarge(message, size_bytes_max=HEADER_SIZE_BYTES_MAX)
