"""HttpEventStore: the EventStore of a server, over its REST API."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from importlib.metadata import version
from typing import Final, Self
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
import msgspec
from yarl import URL

from indelible.client.remote import P, R, RemoteStore
from indelible.conditions import AppendCondition
from indelible.cursors import START, Cursor
from indelible.errors import IndelibleError, InternalError, OutcomeUnknown, Unavailable
from indelible.events import (
    AggregateKey,
    RecordedEvent,
    check_event_id,
    check_version,
)
from indelible.eventstore import (
    AggregateAppend,
    AggregatePage,
    AppendOutcome,
    AppendRequest,
    AtomicAppendResult,
    FeedPage,
    Replay,
)
from indelible.limits import (
    CLIENT_CONNECT_TIMEOUT_S,
    CLIENT_RETRY_TOTAL_MAX_S,
    CLIENT_SILENCE_MAX_S,
    CLIENT_TIMEOUT_S,
    PAGE_EVENTS_DEFAULT,
    REQUEST_SIZE_BYTES_MAX,
)
from indelible.operations import Operation
from indelible.queries import EVERYTHING, Direction, EventQuery, check_page
from indelible.wire import requests, responses
from indelible.wire.errors import decode_problem
from indelible.wire.feed_query import query_parameters
from indelible.wire.operation_json import decode_answer, encode_parameters
from indelible.wire.paths import aggregate_path

Parameters = Sequence[tuple[str, object]]


class Transport:
    """One server's connections. Belongs to one event loop. Every call is a single attempt.

    Raises ``Unavailable`` when the server was not reached, ``OutcomeUnknown`` when it may have been, but gave no
    (whole) answer, and what the server's error answer stands for.
    """

    def __init__(self, url: str, *, timeout_s: float, headers: Mapping[str, str]) -> None:
        self._url: Final = url.rstrip("/")
        self._timeout_s: Final = timeout_s
        self._headers: Final = {"User-Agent": f"indelible-python/{version('indelible')}", **headers}
        self._session: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None
        self._reading: Final[set[aiohttp.StreamReader]] = set()

    def open(self) -> None:
        self._session = self._new_session(aiohttp.TCPConnector())
        # Each stream, and each call that waits, keeps its connection: any number of them must leave the other calls the
        # connections that they need.
        self._streams = self._new_session(aiohttp.TCPConnector(limit=0))

    def _new_session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector, timeout=self._timeout(), headers=self._headers, cookie_jar=aiohttp.DummyCookieJar()
        )

    def _timeout(self, wait_s: float = 0.0) -> aiohttp.ClientTimeout:
        connect_s = min(CLIENT_CONNECT_TIMEOUT_S, self._timeout_s)
        return aiohttp.ClientTimeout(total=self._timeout_s + wait_s, sock_connect=connect_s)

    async def close(self) -> None:
        # A session that closes its connections does not wake those who read from them.
        for content in self._reading:
            content.set_exception(aiohttp.ClientConnectionError("the client is closed"))
        for session in (self._session, self._streams):
            if session is not None:
                await session.close()

    async def get(self, path: str, parameters: Parameters = ()) -> bytes:
        """``None`` parameters are left out."""
        return await self.send("GET", path, parameters)

    async def stream(
        self, path: str, parameters: Parameters, *, headers: Mapping[str, str], silence_max_s: float
    ) -> AsyncGenerator[bytes]:
        """The chunks of an answer that may never end. Raises ``Unavailable`` when it breaks off, or says nothing for
        ``silence_max_s`` seconds."""
        assert self._streams is not None, "open() comes first"
        given = [(name, value) for name, value in parameters if value is not None]
        url = URL(f"{self._url}{path}?{urlencode(given)}" if given else self._url + path, encoded=True)
        timeout = aiohttp.ClientTimeout(sock_connect=CLIENT_CONNECT_TIMEOUT_S, sock_read=silence_max_s)
        try:
            async with self._streams.get(url, headers=headers, timeout=timeout, allow_redirects=False) as response:
                if response.status >= 300:
                    raise _error(response.status, await response.read(), response.headers.get("Retry-After", ""))
                self._reading.add(response.content)
                try:
                    async for chunk in response.content.iter_any():
                        yield chunk
                finally:
                    self._reading.discard(response.content)
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{self._url} broke off: {str(error) or type(error).__name__}") from error

    async def post(self, path: str, body: bytes) -> bytes:
        return await self.send("POST", path, body=body)

    async def send(
        self, method: str, path: str, parameters: Parameters = (), body: bytes | None = None, *, wait_s: float = 0.0
    ) -> bytes:
        """``wait_s``: how long the server may take for what it has to wait for, beside the time-out."""
        given = [(name, value) for name, value in parameters if value is not None]
        return await self._send(method, f"{path}?{urlencode(given)}" if given else path, body, wait_s=wait_s)

    async def _send(self, method: str, target: str, body: bytes | None, *, wait_s: float) -> bytes:
        session = self._streams if wait_s else self._session
        assert session is not None, "open() comes first"
        headers = None if body is None else {"Content-Type": "application/json"}
        # Encoded already: an id may hold any character, and must come out of the path as it went in.
        url = URL(self._url + target, encoded=True)
        try:
            async with session.request(
                method, url, data=body, headers=headers, timeout=self._timeout(wait_s), allow_redirects=False
            ) as response:
                answer = await response.read()
                if response.status < 300:
                    return answer
                raise _error(response.status, answer, response.headers.get("Retry-After", ""))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unavailable(f"cannot reach {self._url}: {error}") from error
        except (aiohttp.ClientError, OSError) as error:
            # TimeoutError is an OSError.
            reason = str(error) or type(error).__name__
            raise OutcomeUnknown(f"{self._url} gave no answer: {reason}") from error


def _error(status: int, body: bytes, retry_after: str) -> IndelibleError:
    error = decode_problem(status, body)
    if retry_after.isdigit():
        error.fields.setdefault("retry_after_s", int(retry_after))
    return error


MESSAGE_SIZE_BYTES_MAX: Final = 2 * REQUEST_SIZE_BYTES_MAX
"""Of one message. The largest event, its names and base64 included, is shorter."""


class _Message(msgspec.Struct):
    id: str = ""
    event: str = ""
    data: bytes = b""


async def read_pages(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[FeedPage]:
    """What has come together is a page; its cursor lies behind its last event. Ends when the stream does; what a break
    left half is dropped, and comes again."""
    rest = b""
    async with aclosing(chunks):
        async for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n\n")
            if len(rest) > MESSAGE_SIZE_BYTES_MAX:
                raise InternalError("the server sent a message that does not end")
            page = _page_of(_messages(whole))
            if page is not None:
                yield page


def _messages(blocks: list[bytes]) -> list[_Message]:
    return [message for message in map(_parse, blocks) if message.id]


def _parse(block: bytes) -> _Message:
    message = _Message()
    for line in block.split(b"\n"):
        name, _, value = line.partition(b": ")
        if name == b"id":
            message.id = value.decode("ascii")
        elif name == b"event":
            message.event = value.decode("ascii")
        elif name == b"data":
            message.data = value
    return message


def _page_of(messages: list[_Message]) -> FeedPage | None:
    if not messages:
        return None
    events = [message for message in messages if not message.event]
    lines = b"\n".join([event.data for event in events])
    cursors = tuple([Cursor(event.id) for event in events])
    at_end = messages[-1].event == "caught-up"
    return FeedPage(lines, len(events), Cursor.parse(messages[-1].id), at_end, cursors)


class HttpEventStore(RemoteStore):
    """Implements :class:`indelible.eventstore.EventStore`. Belongs to one event loop.

    Every call is repeated as :class:`Retry` says; that is safe for appends because events carry their ids. Appends of
    concurrent tasks travel together, see :class:`AppendBatches`; above ``CLIENT_APPENDS_WAITING_MAX`` of them further
    callers wait. An append may come back ``replayed`` because an earlier attempt, whose answer was lost, stored it.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = CLIENT_TIMEOUT_S,
        retry_total_s: float = CLIENT_RETRY_TOTAL_MAX_S,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(retry_total_s)
        self._transport: Final = Transport(url, timeout_s=timeout_s, headers=headers or {})

    async def open(self) -> Self:
        self._transport.open()
        return self

    async def aclose(self) -> None:
        """Finish what is in flight, but retry no more."""
        await self._calls.stop()
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _send(self, operation: Operation[P, R], parameters: P, *, wait_s: float = 0.0) -> R:
        path, query, body = encode_parameters(operation, parameters)
        return decode_answer(operation, await self._transport.send(operation.method, path, query, body, wait_s=wait_s))

    async def _read(self, decode: Callable[[bytes], R], path: str, parameters: Parameters = ()) -> R:
        return decode(await self._calls.read(partial(self._transport.get, path, parameters)))

    # --- Appending ---------------------------------------------------------------------------------------------------

    def _encode_append(self, append: AggregateAppend) -> bytes:
        return requests.encode_batch_append(append)

    async def _send_batch(self, appends: Sequence[bytes]) -> Sequence[AppendOutcome]:
        return responses.decode_batch_results(await self._transport.post("/v1/batch", requests.join_batch(appends)))

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        request = AppendRequest(tuple(appends), condition)
        request.check(atomic=True)
        body = requests.encode_atomic_append(request.appends, request.condition)
        return await self._calls.append(lambda: self._send_atomic(body))

    async def _send_atomic(self, body: bytes) -> AtomicAppendResult:
        return responses.decode_atomic_append_result(await self._transport.post("/v1/append", body))

    # --- Reading -----------------------------------------------------------------------------------------------------

    async def read_aggregate(
        self,
        aggregate_type: str,
        aggregate_id: str,
        *,
        from_version: int | None = None,
        to_version: int | None = None,
        direction: Direction = "forward",
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> AggregatePage:
        path = _aggregate_path(aggregate_type, aggregate_id)
        versions = [_version("from_version", from_version), _version("to_version", to_version)]
        parameters = [*versions, *_page(limit, direction)]
        return await self._read(responses.decode_aggregate_page, f"{path}/events", parameters)

    async def read_feed(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        direction: Direction = "forward",
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> FeedPage:
        parameters = [*query_parameters(query.checked()), *_page(limit, direction)]
        cursor = None if after is None else Cursor.parse(after)
        return await self._read(responses.decode_feed_page, "/v1/events", [*parameters, ("after", cursor)])

    async def follow(self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None) -> AsyncGenerator[FeedPage]:
        """Connects anew by itself, see :meth:`Calls.follow`."""
        parameters = query_parameters(query.checked())
        cursor = START if after is None else Cursor.parse(after)
        async with aclosing(self._calls.follow(partial(self._connect_feed, parameters), cursor)) as pages:
            async for page in pages:
                yield page

    def _connect_feed(self, parameters: list[tuple[str, str]], after: Cursor) -> AsyncGenerator[FeedPage]:
        chunks = self._transport.stream(
            "/v1/events",
            [*parameters, ("after", after)],
            headers={"Accept": "text/event-stream"},
            silence_max_s=CLIENT_SILENCE_MAX_S,
        )
        return read_pages(chunks)

    async def get_event(self, event_id: UUID) -> RecordedEvent:
        return await self._read(responses.decode_recorded_event, f"/v1/events/{check_event_id(event_id)}")

    async def replay(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Replay:
        path = _aggregate_path(aggregate_type, aggregate_id)
        return await self._read(responses.decode_replay, f"{path}/replay", [_version("at_version", at_version)])


# A query string knows only text, where 1, "1" and 1.0 look alike: what is wrong must be found before it becomes text.


def _version(name: str, value: int | None) -> tuple[str, object]:
    return name, None if value is None else check_version(value, f"/{name}")


def _page(limit: int, direction: Direction = "forward") -> list[tuple[str, object]]:
    check_page(limit, direction)
    return [("direction", None if direction == "forward" else direction), ("limit", limit)]


def _aggregate_path(aggregate_type: str, aggregate_id: str) -> str:
    return aggregate_path(AggregateKey.checked(aggregate_type, aggregate_id))
