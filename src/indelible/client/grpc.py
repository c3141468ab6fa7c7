"""GrpcEventStore: the EventStore of a server, over gRPC."""

import asyncio
import copy
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from importlib.metadata import version
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import grpc
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from indelible.client.remote import P, R, RemoteStore
from indelible.conditions import AppendCondition
from indelible.cursors import START, Cursor
from indelible.errors import IndelibleError, InternalError, OutcomeUnknown, PayloadTooLarge, Unavailable
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
    CLIENT_MESSAGE_SIZE_BYTES_MAX,
    CLIENT_RETRY_TOTAL_MAX_S,
    CLIENT_RETRY_WAIT_MAX_S,
    CLIENT_SILENCE_MAX_S,
    CLIENT_TIMEOUT_S,
    HEARTBEAT_S,
    PAGE_EVENTS_DEFAULT,
)
from indelible.operations import Operation
from indelible.queries import EVERYTHING, Direction, EventQuery, check_page
from indelible.wire import proto_requests as requests
from indelible.wire import proto_responses as responses
from indelible.wire.errors import GRPC_DETAILS_KEY
from indelible.wire.operation_proto import answer_type, decode_answer, encode_parameters
from indelible.wire.pb import event_store_pb2 as pb
from indelible.wire.pb import groups_pb2 as groups_pb
from indelible.wire.pb.errors_pb2 import Error
from indelible.wire.pb.events_pb2 import EventQuery as EventQueryMessage
from indelible.wire.proto_requests import join_members
from indelible.wire.proto_responses import decode_batch_outcomes, decode_error

M = TypeVar("M", bound=Message)

_PATHS: Final[dict[str, str]] = {
    method.name: f"/{service.full_name}/{method.name}"
    for file in (pb.DESCRIPTOR, groups_pb.DESCRIPTOR)
    for service in file.services_by_name.values()
    for method in service.methods
}
"""Of each method; no two services have one of the same name."""
_NOT_SENT: Final = "failed to connect"
"""How gRPC's own message begins when a call found no connection, and so never left this process."""
_LOST_STATUS: Final = "Internal error from Core"
"""gRPC's own message in place of the server's status, when that comes while something is being sent."""


class Channel:
    """One server's connection. Belongs to one event loop. Every call is a single attempt.

    Raises ``Unavailable`` when the server was not reached, ``OutcomeUnknown`` when it may have been, but gave no
    (whole) answer, and what the server's error stands for.
    """

    def __init__(self, target: str, *, timeout_s: float, headers: Mapping[str, str]) -> None:
        self._target: Final = target
        self._timeout_s: Final = timeout_s
        self._metadata: Final = tuple((name.lower(), value) for name, value in headers.items())
        self._channel: grpc.aio.Channel | None = None
        self._batches: _BatchStream | None = None

    def open(self) -> None:
        self._channel = grpc.aio.insecure_channel(self._target, options=_options())

    async def close(self) -> None:
        if self._batches is not None:
            await self._batches.close()
        if self._channel is not None:
            await self._channel.close()

    async def call(self, method: str, request: Message, answer: type[M], *, wait_s: float = 0.0) -> M:
        """``wait_s`` is what the server may spend waiting because it was asked to; the time-out comes after it."""
        assert self._channel is not None, "open() comes first"
        unary: Any = self._channel.unary_unary(_PATHS[method], type(request).SerializeToString, answer.FromString)
        try:
            received: M = await unary(request, timeout=self._timeout_s + wait_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise error_of(self._target, error) from error
        return received

    async def stream(
        self, method: str, request: Message, answer: type[M], *, silence_max_s: float | None = None
    ) -> AsyncGenerator[M]:
        """The messages of an answer. Raises ``Unavailable`` when it breaks off, or says nothing for ``silence_max_s``
        seconds; without that, the whole answer must come within the time-out of a call."""
        assert self._channel is not None, "open() comes first"
        to_stream: Any = self._channel.unary_stream(_PATHS[method], type(request).SerializeToString, answer.FromString)
        timeout_s = self._timeout_s if silence_max_s is None else None
        call = to_stream(request, timeout=timeout_s, metadata=self._metadata)
        try:
            while True:
                async with asyncio.timeout(silence_max_s):
                    message = await call.read()
                if message is grpc.aio.EOF:
                    return
                yield message
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            raise Unavailable("the client is closed") from None
        except TimeoutError as error:
            raise Unavailable(f"{self._target} says nothing any more") from error
        except grpc.aio.AioRpcError as error:
            raise error_of(self._target, error) from error
        finally:
            call.cancel()

    async def append_batch(self, appends: Sequence[bytes]) -> Sequence[AppendOutcome]:
        """Encoded appends, over a stream that all batches share."""
        assert self._channel is not None, "open() comes first"
        if self._batches is None or self._batches.has_ended:
            self._batches = _BatchStream(self._channel, self._target, self._metadata)
        stream = self._batches
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await stream.send(join_members(appends))
        except TimeoutError as error:
            # Later answers would come behind this one, so the stream is of no more use.
            await stream.close()
            raise OutcomeUnknown(f"{self._target} gave no answer within {self._timeout_s:g} s") from error
        return decode_batch_outcomes(answer)


class _BatchStream:
    """One AppendBatches call. Answers come in the order of the batches."""

    def __init__(self, channel: grpc.aio.Channel, target: str, metadata: tuple[tuple[str, str], ...]) -> None:
        streams: Any = channel.stream_stream(_PATHS["AppendBatches"], None, pb.AppendBatchResponse.FromString)
        self._target: Final = target
        self._call: Final = streams(metadata=metadata)
        self._waiting: Final[deque[asyncio.Future[pb.AppendBatchResponse]]] = deque()
        self._writing: Final = asyncio.Lock()
        self._error: IndelibleError | None = None
        self._reading: Final = asyncio.create_task(self._read(), name="grpc-batch-answers")

    @property
    def has_ended(self) -> bool:
        return self._error is not None

    async def send(self, batch: bytes) -> pb.AppendBatchResponse:
        answer: asyncio.Future[pb.AppendBatchResponse] = asyncio.get_running_loop().create_future()
        async with self._writing:
            if self._error is not None:
                raise Unavailable(self._error.message, **self._error.fields)
            self._waiting.append(answer)
            try:
                await self._call.write(batch)
            except (grpc.aio.AioRpcError, grpc.aio.BaseError, asyncio.InvalidStateError):
                # Why it ended, the reader knows.
                await asyncio.wait({self._reading})
        return await answer

    async def _read(self) -> None:
        error: IndelibleError = OutcomeUnknown(f"{self._target} ended the stream of appends")
        try:
            while (answer := await self._call.read()) is not grpc.aio.EOF:
                waiting = self._waiting.popleft()
                if not waiting.done():
                    waiting.set_result(answer)
        except grpc.aio.AioRpcError as broken:
            error = error_of(self._target, broken)
        except asyncio.CancelledError:
            error = OutcomeUnknown("the stream of appends was closed")
        finally:
            self._end(error)

    def _end(self, error: IndelibleError) -> None:
        self._error = error
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                # A copy each: every caller adds its own traceback.
                waiting.set_exception(copy.copy(error))

    async def close(self) -> None:
        self._reading.cancel()
        self._call.cancel()
        await asyncio.wait({self._reading})


def _is_cancelled() -> bool:
    """Whether it is this task that is cancelled, and not just its call, as a channel does that is closed."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _options() -> list[tuple[str, Any]]:
    return [
        ("grpc.primary_user_agent", f"indelible-python/{version('indelible')}"),
        ("grpc.max_receive_message_length", CLIENT_MESSAGE_SIZE_BYTES_MAX),
        ("grpc.max_send_message_length", -1),
        ("grpc.keepalive_time_ms", int(HEARTBEAT_S * 1_000)),
        ("grpc.keepalive_timeout_ms", int(HEARTBEAT_S * 1_000)),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", int(CLIENT_CONNECT_TIMEOUT_S * 1_000)),
        ("grpc.max_reconnect_backoff_ms", int(CLIENT_RETRY_WAIT_MAX_S * 1_000)),
        # Clients of one process do not share connections: each opens and closes its own.
        ("grpc.use_local_subchannel_pool", 1),
        # What failed is repeated by Retry, which knows what may have been stored.
        ("grpc.enable_retries", 0),
    ]


def error_of(target: str, error: grpc.aio.AioRpcError) -> IndelibleError:
    """What a call that failed stands for."""
    said = _said(error)
    if said is not None:
        return said
    code, message = error.code(), error.details() or ""
    if code == grpc.StatusCode.UNAVAILABLE and message.startswith(_NOT_SENT):
        return Unavailable(f"cannot reach {target}: {message}")
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return PayloadTooLarge(f"{target} or this client refused a message: {message}")
    is_internal = code == grpc.StatusCode.INTERNAL and not message.startswith(_LOST_STATUS)
    if is_internal or code == grpc.StatusCode.UNIMPLEMENTED:
        return InternalError(f"{target} gave no answer that can be read: {message}")
    return OutcomeUnknown(f"{target} gave no answer: {code.name}: {message}")


def _said(error: grpc.aio.AioRpcError) -> IndelibleError | None:
    """The error that the server itself tells of, if it does."""
    details = dict(error.trailing_metadata() or ()).get(GRPC_DETAILS_KEY)
    if not isinstance(details, bytes):
        return None
    for detail in Status.FromString(details).details:
        told = Error()
        if detail.Unpack(told):
            return decode_error(told)
    return None


class GrpcEventStore(RemoteStore):
    """Implements :class:`indelible.eventstore.EventStore`. Belongs to one event loop.

    Behaves as :class:`indelible.client.http.HttpEventStore` does. ``url`` is ``grpc://HOST:PORT``; ``headers`` are sent
    as metadata.
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
        self._channel = Channel(urlsplit(url).netloc, timeout_s=timeout_s, headers=headers or {})

    async def open(self) -> Self:
        self._channel.open()
        return self

    async def aclose(self) -> None:
        """Finish what is in flight, but retry no more."""
        await self._calls.stop()
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _send(self, operation: Operation[P, R], parameters: P, *, wait_s: float = 0.0) -> R:
        request, method = encode_parameters(operation, parameters), operation.grpc.partition(".")[2]
        answer = await self._channel.call(method, request, answer_type(operation), wait_s=wait_s)
        return decode_answer(operation, answer)

    async def _read(self, decode: Callable[[M], R], method: str, request: Message, answer: type[M]) -> R:
        return decode(await self._calls.read(partial(self._channel.call, method, request, answer)))

    async def _read_page(self, decode: Callable[[M], R], method: str, request: Message, answer: type[M]) -> R:
        return decode(await self._calls.read(partial(self._first, method, request, answer)))

    async def _first(self, method: str, request: Message, answer: type[M]) -> M:
        async with aclosing(self._channel.stream(method, request, answer)) as messages:
            async for message in messages:
                return message
        raise InternalError("the server's answer holds no page")

    # --- Appending ---------------------------------------------------------------------------------------------------

    def _encode_append(self, append: AggregateAppend) -> bytes:
        return requests.encode_batch_append(append)

    async def _send_batch(self, appends: Sequence[bytes]) -> Sequence[AppendOutcome]:
        return await self._channel.append_batch(appends)

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        request = AppendRequest(tuple(appends), condition)
        request.check(atomic=True)
        message = requests.atomic_append_message(request.appends, request.condition)
        send = partial(self._channel.call, "AppendAtomic", message, pb.AppendAtomicResponse)
        return responses.decode_atomic_append_result(await self._calls.append(send))

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
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        check_page(limit, direction)
        request = pb.ReadAggregateRequest(
            aggregate_type=key.aggregate_type,
            aggregate_id=key.aggregate_id,
            from_version=_version("/from_version", from_version),
            to_version=_version("/to_version", to_version),
            direction=requests.direction_value(direction),
            limit=limit,
            pages_max=1,
        )
        return await self._read_page(
            responses.decode_aggregate_page, "ReadAggregate", request, pb.ReadAggregateResponse
        )

    async def read_feed(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        direction: Direction = "forward",
        limit: int = PAGE_EVENTS_DEFAULT,
    ) -> FeedPage:
        query = query.checked()
        check_page(limit, direction)
        request = pb.ReadFeedRequest(
            query=requests.query_message(query),
            after=None if after is None else Cursor.parse(after),
            direction=requests.direction_value(direction),
            limit=limit,
            pages_max=1,
        )
        return await self._read_page(responses.decode_feed_page, "ReadFeed", request, pb.ReadFeedResponse)

    async def follow(self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None) -> AsyncGenerator[FeedPage]:
        """Connects anew by itself, see :meth:`Calls.follow`."""
        message = requests.query_message(query.checked())
        cursor = START if after is None else Cursor.parse(after)
        async with aclosing(self._calls.follow(lambda after: self._subscribe(message, after), cursor)) as pages:
            async for page in pages:
                yield page

    async def _subscribe(self, query: EventQueryMessage, after: Cursor) -> AsyncGenerator[FeedPage]:
        request = pb.SubscribeRequest(query=query, after=after)
        messages = self._channel.stream("Subscribe", request, pb.SubscribeResponse, silence_max_s=CLIENT_SILENCE_MAX_S)
        async with aclosing(messages):
            async for message in messages:
                yield responses.decode_told_page(message)

    async def get_event(self, event_id: UUID) -> RecordedEvent:
        request = pb.GetEventRequest(event_id=str(check_event_id(event_id)))
        return await self._read(responses.decode_recorded_event, "GetEvent", request, pb.GetEventResponse)

    async def replay(self, aggregate_type: str, aggregate_id: str, *, at_version: int | None = None) -> Replay:
        key = AggregateKey.checked(aggregate_type, aggregate_id)
        request = pb.ReplayRequest(
            aggregate_type=key.aggregate_type,
            aggregate_id=key.aggregate_id,
            at_version=_version("/at_version", at_version),
        )
        return await self._read(responses.decode_replay, "Replay", request, pb.ReplayResponse)


def _version(pointer: str, value: int | None) -> int | None:
    return None if value is None else check_version(value, pointer)
