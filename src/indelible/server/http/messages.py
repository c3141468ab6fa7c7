"""Requests as handlers see them, and what handlers answer."""

from collections.abc import AsyncGenerator
from typing import Final, Protocol

import msgspec

from indelible.errors import IndelibleError, PayloadTooLarge, Unavailable, UnsupportedMediaType
from indelible.events import JSON_CONTENT_TYPE, AggregateKey
from indelible.limits import REQUEST_SIZE_BYTES_MAX, RETRY_AFTER_S
from indelible.server.http.head import Head
from indelible.server.http.percent import decode_percent
from indelible.server.http.query_string import QueryString
from indelible.server.services import BodyMemory
from indelible.wire.errors import PROBLEM_CONTENT_TYPE, encode_problem, status_of

Headers = tuple[tuple[bytes, bytes], ...]

_JSON_ALONE: Final = (JSON_CONTENT_TYPE,)
NDJSON_CONTENT_TYPE: Final = "application/x-ndjson"


class ClientDisconnected(Exception):
    """The caller went away before its request was whole. Nobody is left to answer."""


class BadFraming(Exception):
    """Where a request's body ends cannot be known. The answer says so with ``status``, and is the connection's last."""

    def __init__(self, error: IndelibleError, status: int) -> None:
        super().__init__(error.message)
        self.error: Final = error
        self.status: Final = status


class Response(msgspec.Struct, frozen=True):
    status: int
    body: bytes
    content_type: str = JSON_CONTENT_TYPE
    headers: Headers = ()


class StreamedResponse(msgspec.Struct, frozen=True):
    """A 200 whose body comes in chunks; each waits until the caller has taken most of what came before."""

    chunks: AsyncGenerator[bytes]
    content_type: str
    is_endless: bool = False
    """Whether it goes on until the caller leaves."""


class Incoming(Protocol):
    """A request as it comes. See :class:`~indelible.server.http.exchange.Exchange`."""

    @property
    def head(self) -> Head: ...

    @property
    def is_body_read(self) -> bool: ...

    async def read(self) -> bytes: ...

    async def until_left(self) -> None: ...


class Request:
    """One HTTP request."""

    __slots__ = (
        "_bodies", "_incoming", "_query_string", "body_size_bytes", "headers", "method", "parameters", "raw_path",
    )  # fmt: skip

    def __init__(self, incoming: Incoming, bodies: BodyMemory) -> None:
        head = incoming.head
        self.method: Final = head.method
        self.raw_path: Final = head.raw_path
        self.headers: Final = head.headers
        """Names in lower case. Of a repeated header the last."""
        self.parameters: dict[str, bytes] = {}
        """The path's variable segments, still percent-encoded."""
        self.body_size_bytes = 0
        """What is taken of the memory for bodies."""
        self._incoming: Final = incoming
        self._bodies: Final = bodies
        self._query_string: Final = head.query_string

    def parameter(self, name: str) -> str:
        return decode_percent(self.parameters[name], f"/{name}")

    def aggregate_key(self) -> AggregateKey:
        """The aggregate that the path names, not checked yet."""
        return AggregateKey(self.parameter("aggregate_type"), self.parameter("aggregate_id"))

    def query(self, *single: str, repeatable: tuple[str, ...] = (), flags: tuple[str, ...] = ()) -> QueryString:
        """The query string, which may hold these parameters and no others."""
        return QueryString.parse(self._query_string, single, repeatable, flags)

    async def json_body(self) -> bytes:
        """The whole body. Raises ``UnsupportedMediaType``, ``PayloadTooLarge``, ``Overloaded``."""
        return (await self.body(_JSON_ALONE))[1]

    async def body(self, supported: tuple[str, ...]) -> tuple[str, bytes]:
        """The body's media type, the first supported one when it is not said, and the whole body. Raises as
        :meth:`json_body`."""
        content_type = self.headers.get(b"content-type")
        if content_type is None or content_type == b"application/json":
            return supported[0], await self.whole_body()
        return _check_content_type(content_type, supported), await self.whole_body()

    async def until_disconnected(self) -> None:
        """Until the caller goes away, or says that it sends nothing any more: nobody can tell these apart."""
        await self._incoming.until_left()

    async def whole_body(self) -> bytes:
        """Whatever its media type. Raises as :meth:`json_body`."""
        if self.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedMediaType("the body must not be compressed", supported=[JSON_CONTENT_TYPE])
        declared = self.headers.get(b"content-length")
        if declared is not None and int(declared) > REQUEST_SIZE_BYTES_MAX:
            raise body_too_large()
        part = await self._take_part()
        if self._incoming.is_body_read:
            return part
        whole = bytearray(part)
        while not self._incoming.is_body_read:
            whole += await self._take_part()
        return bytes(whole)

    async def _take_part(self) -> bytes:
        part = await self._incoming.read()
        self._bodies.take(len(part))
        self.body_size_bytes += len(part)
        if self.body_size_bytes > REQUEST_SIZE_BYTES_MAX:
            raise body_too_large()
        return part


def _check_content_type(content_type: bytes, supported: tuple[str, ...]) -> str:
    given, *parameters = content_type.decode("latin-1").lower().split(";")
    media_type = given.strip()
    if media_type not in supported or _charset(parameters) != "utf-8":
        message = f"the body must be {' or '.join(supported)} in UTF-8"
        raise UnsupportedMediaType(message, supported=list(supported))
    return media_type


def _charset(parameters: list[str]) -> str:
    """Other parameters mean nothing here."""
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "charset":
            return value.strip('"')
    return "utf-8"


def body_too_large() -> PayloadTooLarge:
    return PayloadTooLarge(
        f"the body takes more than {REQUEST_SIZE_BYTES_MAX} bytes", size_bytes_max=REQUEST_SIZE_BYTES_MAX
    )


def problem_response(error: IndelibleError, status: int | None = None, headers: Headers = ()) -> Response:
    """The answer that an error is."""
    status = status_of(error) if status is None else status
    if status == 503 or isinstance(error, Unavailable):
        retry_after_s = error.fields.get("retry_after_s", RETRY_AFTER_S)
        headers = (*headers, (b"retry-after", str(retry_after_s).encode()))
    if allowed := error.fields.get("allowed"):
        headers = (*headers, (b"allow", ", ".join(allowed).encode()))
    return Response(status, encode_problem(error, status), PROBLEM_CONTENT_TYPE, headers)


def etag(version: int) -> Headers:
    return ((b"etag", b'"%d"' % version),)
