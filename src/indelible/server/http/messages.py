"""Requests as handlers see them, and what handlers answer. Paths and query strings are read strictly: nothing unknown,
nothing said twice, nothing guessed."""

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from indelible.errors import (
    IndelibleError,
    InvalidRequest,
    PayloadTooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from indelible.events import JSON_CONTENT_TYPE
from indelible.limits import LINK_SIZE_BYTES_MAX, REQUEST_SIZE_BYTES_MAX, RETRY_AFTER_S
from indelible.operations import Operation, Parameters
from indelible.server.services import BodyMemory
from indelible.wire.errors import PROBLEM_CONTENT_TYPE, encode_problem, status_of
from indelible.wire.json_events import decode_percent
from indelible.wire.operation_json import QueryNames, decode_parameters, query_names

if TYPE_CHECKING:
    from indelible.server.http.exchange import Exchange


def parse_query(text: bytes, names: QueryNames) -> dict[str, list[str]]:
    """The values of each parameter that a query string holds, in its order. Errors point at "/" + the parameter's
    name."""
    values: dict[str, list[str]] = {}
    for pair in text.split(b"&") if text else ():
        raw_name, equals, raw_value = pair.partition(b"=")
        name = _decode(raw_name, "")
        pointer = f"/{name}"
        if name not in names.single and name not in names.repeatable:
            known = ", ".join((*names.single, *names.repeatable))
            allowed = f"allowed are {known}" if known else "none is taken here"
            raise InvalidRequest(f"is not a known parameter; {allowed}", pointer=pointer)
        if not equals and name not in names.flags:
            raise InvalidRequest("needs a value", pointer=pointer)
        if name in values and name in names.single:
            raise InvalidRequest("must stand only once", pointer=pointer)
        values.setdefault(name, []).append(_decode(raw_value, pointer))
    return values


def _decode(text: bytes, pointer: str) -> str:
    return decode_percent(text.replace(b"+", b" "), pointer)


P = TypeVar("P", bound=Parameters)
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
    code: str | None = None
    """Of the error that it tells of."""
    is_verbatim: bool = False
    """Whether the body is text of somebody else's, to which not a byte may be added."""


class StreamedResponse(msgspec.Struct, frozen=True):
    """A 200 whose body comes in chunks; each waits until the caller has taken most of what came before."""

    chunks: AsyncGenerator[bytes]
    content_type: str
    is_endless: bool = False
    """Whether it goes on until the caller leaves."""


class Request:
    """One HTTP request."""

    __slots__ = (
        "_bodies", "_exchange", "_query_string", "body_size_bytes", "headers", "method", "parameters", "raw_path",
    )  # fmt: skip

    def __init__(self, exchange: "Exchange", bodies: BodyMemory) -> None:
        head = exchange.head
        self.method: Final = head.method
        self.raw_path: Final = head.raw_path
        self.headers: Final = head.headers
        """Names in lower case. Of a repeated header the last."""
        self.parameters: dict[str, bytes] = {}
        """The path's variable segments, still percent-encoded."""
        self.body_size_bytes = 0
        """What is taken of the memory for bodies."""
        self._exchange: Final = exchange
        self._bodies: Final = bodies
        self._query_string: Final = head.query_string

    def parameter(self, name: str) -> str:
        return decode_percent(self.parameters[name], f"/{name}")

    def query(self, operation: Operation[Any, Any]) -> dict[str, list[str]]:
        """The values of each parameter in the query string, which may hold the operation's and no others."""
        return parse_query(self._query_string, query_names(operation)) if self._query_string else {}

    async def asked_with(self, operation: Operation[P, Any]) -> P:
        """What the operation is asked with. Raises ``InvalidRequest``; as :meth:`json_body`, if it has a body."""
        texts = {name: [self.parameter(name)] for name in operation.path_parameters}
        texts.update(self.query(operation))
        return decode_parameters(
            operation, texts, await self.json_body(operation.request_size_bytes_max) if operation.has_body else None
        )

    def next_page(self, operation: Operation[Any, Any], path: str, name: str, value: str) -> Headers:
        """A link to the page that this parameter leads to, the others being as they are."""
        pairs = [(other, text) for other, texts in self.query(operation).items() for text in texts if other != name]
        return next_link(path, [*pairs, (name, value)])

    async def json_body(self, size_bytes_max: int = REQUEST_SIZE_BYTES_MAX) -> bytes:
        """The whole body. Raises ``UnsupportedMediaType``, ``PayloadTooLarge``, ``Overloaded``."""
        return (await self.body(_JSON_ALONE, size_bytes_max))[1]

    async def body(self, supported: tuple[str, ...], size_bytes_max: int = REQUEST_SIZE_BYTES_MAX) -> tuple[str, bytes]:
        """The body's media type, the first supported one when it is not said, and the whole body. Raises as
        :meth:`json_body`."""
        content_type = self.headers.get(b"content-type")
        if content_type is None or content_type == b"application/json":
            return supported[0], await self.whole_body(size_bytes_max)
        return _check_content_type(content_type, supported), await self.whole_body(size_bytes_max)

    async def until_disconnected(self) -> None:
        """Until the caller goes away, or says that it sends nothing any more: nobody can tell these apart."""
        await self._exchange.until_left()

    async def whole_body(self, size_bytes_max: int = REQUEST_SIZE_BYTES_MAX) -> bytes:
        """Whatever its media type. Raises as :meth:`json_body`."""
        if self.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedMediaType("the body must not be compressed", supported=[JSON_CONTENT_TYPE])
        declared = self.headers.get(b"content-length")
        if declared is not None and int(declared) > size_bytes_max:
            raise body_too_large(size_bytes_max)
        exchange = self._exchange
        if exchange.is_body_whole:
            # Nearly always: what came with its head.
            return self._take(exchange.take(), size_bytes_max)
        whole = bytearray()
        while not exchange.is_body_read:
            whole += self._take(await exchange.read(), size_bytes_max)
        return bytes(whole)

    def _take(self, part: bytes, size_bytes_max: int) -> bytes:
        self._bodies.take(len(part))
        self.body_size_bytes += len(part)
        if self.body_size_bytes > size_bytes_max:
            raise body_too_large(size_bytes_max)
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


def body_too_large(size_bytes_max: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"the body takes more than {size_bytes_max} bytes", size_bytes_max=size_bytes_max)


def problem_response(error: IndelibleError, status: int | None = None, headers: Headers = ()) -> Response:
    """The answer that an error is."""
    status = status_of(error) if status is None else status
    if status == 503 or isinstance(error, Unavailable):
        retry_after_s = error.fields.get("retry_after_s", RETRY_AFTER_S)
        headers = (*headers, (b"retry-after", str(retry_after_s).encode()))
    if isinstance(error, Unauthenticated):
        headers = (*headers, (b"www-authenticate", b"Bearer"))
    if allowed := error.fields.get("allowed"):
        headers = (*headers, (b"allow", ", ".join(allowed).encode()))
    return Response(status, encode_problem(error, status), PROBLEM_CONTENT_TYPE, headers, error.code)


def etag(version: int) -> Headers:
    return ((b"etag", b'"%d"' % version),)


def next_link(path: str, parameters: Sequence[tuple[str, str]]) -> Headers:
    """``Link: rel="next"`` (RFC 8288), relative to the server. Nothing, where it would be longer than many clients
    take: the page's own fields say how to go on."""
    link = f'<{path}?{urlencode(parameters)}>; rel="next"'.encode("ascii")
    return ((b"link", link),) if len(link) <= LINK_SIZE_BYTES_MAX else ()
