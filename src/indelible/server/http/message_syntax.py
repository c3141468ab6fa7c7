"""Requests as bytes: the head, and where the body ends.

Heads are read by llhttp, which takes nothing that is not strictly HTTP/1 (no bare CR or LF, no space before a colon, no
folded line, no two lengths), and held to what RFC 9110 and RFC 9112 ask of a server beyond that. A body ends by its
length, or by chunks (RFC 9112, sections 6 and 7).
"""

import re
from typing import Final, Literal, Protocol

import httptools

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


_HOST: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
_FROM_PATH: Final = re.compile(rb"[/?]")


class Head:
    """A head that is whole."""

    __slots__ = ("framing", "headers", "is_last", "is_version_1_0", "method", "query_string", "raw_path")

    method: str
    raw_path: bytes
    """Still percent-encoded."""
    query_string: bytes
    headers: dict[bytes, bytes]
    """Names in lower case. Of a repeated header the last."""
    framing: Framing | None
    """Where the body ends; None without one."""
    is_last: bool
    """Whether the caller wants the connection to end after the answer."""
    is_version_1_0: bool

    @property
    def expects_continue(self) -> bool:
        """Whether the caller waits for "100 Continue" before it sends the body."""
        return not self.is_version_1_0 and self.headers.get(b"expect", b"").lower() == b"100-continue"


class HeadReader:
    """Reads one head, in as many pieces as it comes in. Give it no byte beyond."""

    __slots__ = ("_found", "_parser", "_size_bytes")

    def __init__(self) -> None:
        self._found: Final = _Found()
        self._parser: Final = httptools.HttpRequestParser(self._found)
        self._size_bytes = 0

    def feed(self, data: bytes) -> None:
        """Raises ``InvalidRequest`` once it is clear that this is no head, ``PayloadTooLarge`` when it is too long."""
        self._size_bytes += len(data)
        if self._size_bytes > HEADER_SIZE_BYTES_MAX:
            message = f"the request line and headers take more than {HEADER_SIZE_BYTES_MAX} bytes"
            raise PayloadTooLarge(message, size_bytes_max=HEADER_SIZE_BYTES_MAX)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # An offer of another protocol, such as HTTP/2 by Java's own client: a server is free to pass over it
            # (RFC 9110, section 7.8).
            pass
        except httptools.HttpParserError as error:
            raise InvalidRequest(f"this is not HTTP/1.1: {error}") from None

    def head(self) -> Head:
        """Once all of it was fed. Raises ``InvalidRequest``."""
        found = self._found
        if not found.is_whole:
            raise InvalidRequest("this is not HTTP/1.1: the head does not end with its empty line")
        version = self._parser.get_http_version()
        is_version_1_0 = version == "1.0"
        if version != "1.1" and not is_version_1_0:
            raise InvalidRequest(f"the version must be HTTP/1.1 or HTTP/1.0, not {version}")
        headers = found.headers
        _check_host(headers.get(b"host"), found.hosts, is_version_1_0=is_version_1_0)
        head = Head()
        head.method = self._parser.get_method().decode("ascii")
        head.raw_path, head.query_string = _split_target(found.target)
        head.headers = headers
        head.is_version_1_0 = is_version_1_0
        head.is_last = _is_last(headers.get(b"connection"), is_version_1_0=is_version_1_0)
        head.framing = _framing(headers, self._size_bytes, is_version_1_0=is_version_1_0)
        return head


_JOINED: Final = (b"connection", b"authorization")
"""Headers of which all count: options of the connection; and two tokens are none, whichever a proxy looked at."""


class _Found:
    """What the parser has found. Apart from who feeds it, so that no request leaves a cycle of objects."""

    __slots__ = ("headers", "hosts", "is_whole", "target")

    def __init__(self) -> None:
        self.target = b""
        self.headers: dict[bytes, bytes] = {}
        self.hosts = 0
        self.is_whole = False

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"host":
            self.hosts += 1
        elif name in _JOINED and name in self.headers:
            value = self.headers[name] + b"," + value
        self.headers[name] = value

    def on_headers_complete(self) -> None:
        self.is_whole = True


def _split_target(target: bytes) -> tuple[bytes, bytes]:
    """Path and query string. Of a target with scheme and host, as for proxies, what follows them."""
    if b"#" in target:
        raise InvalidRequest("the request's target must not hold a fragment (#); write # in a path as %23")
    if not target.startswith(b"/"):
        _, scheme_ends, rest = target.partition(b"://")
        if scheme_ends:
            start = _FROM_PATH.search(rest)
            target = b"/" if start is None else rest[start.start() :]
            if target.startswith(b"?"):
                target = b"/" + target
    path, _, query_string = target.partition(b"?")
    return path, query_string


def _is_last(connection: bytes | None, *, is_version_1_0: bool) -> bool:
    if connection is None:
        return is_version_1_0
    options = {option.strip() for option in connection.lower().split(b",")}
    return b"close" in options or (is_version_1_0 and b"keep-alive" not in options)


def _check_host(host: bytes | None, count: int, *, is_version_1_0: bool) -> None:
    if count != 1 and not (is_version_1_0 and count == 0):
        what = "must be there once" if count else "is missing"
        raise InvalidRequest(f"the header Host {what} (RFC 9112, section 3.2)", pointer="/Host")
    if host is not None and not _HOST.fullmatch(host):
        raise InvalidRequest("the header Host must be a host, and a port if need be", pointer="/Host")


def _framing(headers: dict[bytes, bytes], size_bytes: int, *, is_version_1_0: bool) -> Framing | None:
    coding = headers.get(b"transfer-encoding")
    if coding is not None:
        if coding.lower() != b"chunked" or is_version_1_0:
            message = "the header Transfer-Encoding must be chunked, and nothing else, of a request in HTTP/1.1"
            raise InvalidRequest(message, pointer="/Transfer-Encoding")
        return ChunkedBody(HEADER_SIZE_BYTES_MAX - size_bytes)
    declared = headers.get(b"content-length")
    length = 0 if declared is None else int(declared)
    return SizedBody(length) if length else None
