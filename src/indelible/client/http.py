"""HttpEventStore: the EventStore of a server, over its REST API."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from importlib.metadata import version
from typing import Any, Final, Self, Unpack
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from indelible.client.connecting import (
    CLOSED,
    address_of,
    cannot_connect,
    maybe_tls,
    no_http,
    reason_of,
    speaks_grpc,
    wrong_url,
)
from indelible.client.remote import P, R, RemoteSettings, RemoteStore
from indelible.client.traces import trace_headers
from indelible.cursors import Cursor
from indelible.errors import IndelibleError, InternalError, OutcomeUnknown
from indelible.eventstore import AggregateAppend, AppendOutcome, AppendRequest, AtomicAppendResult, FeedPage
from indelible.limits import (
    CLIENT_CONNECT_TIMEOUT_S,
    CLIENT_SILENCE_MAX_S,
    REQUEST_SIZE_BYTES_MAX,
)
from indelible.operations import Operation
from indelible.operations.events import APPEND_ATOMIC, APPEND_BATCH, SUBSCRIBE, Subscribe
from indelible.wire.errors import SPEAKS_GRPC, decode_problem
from indelible.wire.json_events import decode_batch_results, encode_atomic_append, encode_batch_append, join_batch
from indelible.wire.operation_json import decode_answer, encode_parameters

Pairs = Sequence[tuple[str, str]]

_CLOSED: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientOSError, ConnectionError)
"""What a connection raises that the other side has closed."""


def _error(url: str, status: int, body: bytes, retry_after: str) -> IndelibleError:
    if body.startswith(SPEAKS_GRPC):
        return speaks_grpc(url)
    error = decode_problem(status, body)
    if retry_after.isdigit():
        error.fields.setdefault("retry_after_s", int(retry_after))
    return error


MESSAGE_SIZE_BYTES_MAX: Final = 2 * REQUEST_SIZE_BYTES_MAX
"""Of one message. The largest event, its names and base64 included, is shorter."""


async def read_pages(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[FeedPage]:
    """What has come together is a page; its cursor lies behind its last event. Ends when the stream does; what a break
    left half is dropped, and comes again."""
    rest = b""
    async with aclosing(chunks):
        async for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n\n")
            if len(rest) > MESSAGE_SIZE_BYTES_MAX:
                raise InternalError("the server sent a message that does not end")
            page = _page_of(whole)
            if page is not None:
                yield page


def _page_of(blocks: list[bytes]) -> FeedPage | None:
    messages = [message for message in map(_fields_of, blocks) if b"id" in message]
    if not messages:
        return None
    events = [message for message in messages if b"event" not in message]
    lines = b"\n".join([event[b"data"] for event in events])
    cursors = tuple([Cursor(event[b"id"].decode("ascii")) for event in events])
    last = messages[-1]
    at_end = last.get(b"event") == b"caught-up"
    return FeedPage(lines, len(events), Cursor.parse(last[b"id"].decode("ascii")), at_end, cursors)


def _fields_of(block: bytes) -> dict[bytes, bytes]:
    """Of one message, by name; comments have none."""
    return {name: value for name, _, value in (line.partition(b": ") for line in block.split(b"\n"))}


class HttpEventStore(RemoteStore):
    """A server's store over its REST API. ``headers`` go with every request."""

    def __init__(self, url: str, **settings: Unpack[RemoteSettings]) -> None:
        super().__init__(**settings)
        self._url: Final = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None
        self._reading: Final[set[aiohttp.StreamReader]] = set()
        self._has_answered = False
        """Whether HTTP is spoken there at all."""

    async def open(self) -> Self:
        ssl = self._tls.context() if self._url.startswith("https:") else True
        self._session = self._new_session(aiohttp.TCPConnector(ssl=ssl))
        # Each stream, and each call that waits, keeps its connection: any number of them must leave the other calls the
        # connections that they need.
        self._streams = self._new_session(aiohttp.TCPConnector(limit=0, ssl=ssl))
        return self

    def _new_session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        headers = {"User-Agent": f"indelible-python/{version('indelible')}", **self._headers}
        return aiohttp.ClientSession(
            connector=connector, timeout=self._timeout(), headers=headers, cookie_jar=aiohttp.DummyCookieJar()
        )

    def _timeout(self, wait_s: float = 0.0) -> aiohttp.ClientTimeout:
        connect_s = min(CLIENT_CONNECT_TIMEOUT_S, self._timeout_s)
        return aiohttp.ClientTimeout(total=self._timeout_s + wait_s, sock_connect=connect_s)

    async def _close(self) -> None:
        # A session that closes its connections does not wake those who read from them.
        for content in self._reading:
            content.set_exception(aiohttp.ClientConnectionError("the client is closed"))
        for session in (self._session, self._streams):
            if session is not None:
                await session.close()

    async def _stream(self, path: str, query: Pairs) -> AsyncGenerator[bytes]:
        """The chunks of a subscription. Raises as a request does when it breaks off, or says nothing for
        ``CLIENT_SILENCE_MAX_S``."""
        assert self._streams is not None, "open() comes first"
        headers = {"Accept": SUBSCRIBE.media_type, **trace_headers()}
        timeout = aiohttp.ClientTimeout(sock_connect=CLIENT_CONNECT_TIMEOUT_S, sock_read=CLIENT_SILENCE_MAX_S)
        try:
            async with self._streams.get(
                self._target(path, query), headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                self._has_answered = True
                if response.status >= 300:
                    raise _error(
                        self._url, response.status, await response.read(), response.headers.get("Retry-After", "")
                    )
                self._reading.add(response.content)
                try:
                    async for chunk in response.content.iter_any():
                        yield chunk
                finally:
                    self._reading.discard(response.content)
        except (aiohttp.ClientError, OSError) as error:
            raise self._failure(error, CLIENT_SILENCE_MAX_S) from error

    def _target(self, path: str, query: Pairs) -> URL:
        # Encoded already: an id may hold any character, and must come out of the path as it went in.
        return URL(f"{self._url}{path}?{urlencode(query)}" if query else self._url + path, encoded=True)

    async def _request(
        self,
        method: str,
        path: str,
        query: Pairs = (),
        body: bytes | None = None,
        *,
        wait_s: float = 0.0,
        is_of_one: bool = True,
    ) -> bytes:
        """``wait_s``: how long the server may take for what it has to wait for, beside the time-out. ``is_of_one``:
        whether it is one caller's, and so part of that one's trace."""
        session = self._streams if wait_s else self._session
        assert session is not None, "open() comes first"
        headers = trace_headers() if is_of_one else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with session.request(
                method,
                self._target(path, query),
                data=body,
                headers=headers,
                timeout=self._timeout(wait_s),
                allow_redirects=False,
            ) as response:
                self._has_answered = True
                answer = await response.read()
                if response.status < 300:
                    return answer
                raise _error(self._url, response.status, answer, response.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, OSError) as error:
            raise self._failure(error, self._timeout_s + wait_s) from error

    def _failure(self, error: aiohttp.ClientError | OSError, silence_s: float) -> IndelibleError:
        """What stands for it: ``Unavailable`` where no connection came about, ``InvalidRequest`` where the URL is
        wrong, else ``OutcomeUnknown``."""
        if (wrong := wrong_url(self._url, str(error))) is not None:
            return wrong
        if isinstance(error, aiohttp.ClientConnectorError):
            return cannot_connect(self._url, reason_of(error.os_error))
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return cannot_connect(self._url, f"no answer within {min(CLIENT_CONNECT_TIMEOUT_S, silence_s):g} s")
        address = address_of(self._url)
        if isinstance(error, TimeoutError):
            return OutcomeUnknown(f"{address} gave no answer within {silence_s:g} s")
        if isinstance(error, aiohttp.ClientResponseError) and not self._has_answered:
            return no_http(self._url)
        is_closed = isinstance(error, _CLOSED)
        hint = maybe_tls(self._url) if is_closed and not self._has_answered else ""
        return OutcomeUnknown(f"{address}: {CLOSED if is_closed else error}{hint}")

    async def _send(self, operation: Operation[P, R], parameters: P, *, wait_s: float = 0.0) -> R:
        path, query, body = encode_parameters(operation, parameters)
        return decode_answer(operation, await self._request(operation.method, path, query, body, wait_s=wait_s))

    def _encode_append(self, append: AggregateAppend) -> bytes:
        return encode_batch_append(append)

    async def _send_batch(self, appends: Sequence[bytes]) -> Sequence[AppendOutcome]:
        return decode_batch_results(await self._post(APPEND_BATCH, join_batch(appends), is_of_one=False))

    async def _send_atomic(self, request: AppendRequest) -> AtomicAppendResult:
        return decode_answer(APPEND_ATOMIC, await self._post(APPEND_ATOMIC, encode_atomic_append(request)))

    async def _post(self, operation: Operation[Any, Any], body: bytes, *, is_of_one: bool = True) -> bytes:
        return await self._request(operation.method, operation.path, body=body, is_of_one=is_of_one)

    def _connect(self, asked: Subscribe) -> AsyncGenerator[FeedPage]:
        path, query, _ = encode_parameters(SUBSCRIBE, asked)
        return read_pages(self._stream(path, query))
