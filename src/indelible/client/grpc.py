"""GrpcEventStore: the EventStore of a server, over gRPC."""

import asyncio
import copy
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from importlib.metadata import version
from typing import Any, Final, Self, TypeVar, Unpack
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from indelible.client.connecting import CLOSED, address_of, cannot_connect, maybe_tls, reason_of_grpc, wrong_url
from indelible.client.remote import P, R, RemoteSettings, RemoteStore
from indelible.client.tls import ClientTls, read
from indelible.client.traces import trace_headers
from indelible.errors import IndelibleError, InternalError, OutcomeUnknown, PayloadTooLarge, Unavailable
from indelible.eventstore import AggregateAppend, AppendOutcome, AppendRequest, AtomicAppendResult, FeedPage
from indelible.limits import (
    CLIENT_CONNECT_TIMEOUT_S,
    CLIENT_MESSAGE_SIZE_BYTES_MAX,
    CLIENT_RETRY_WAIT_MAX_S,
    CLIENT_SILENCE_MAX_S,
    HEARTBEAT_S,
)
from indelible.operations import Operation
from indelible.operations.events import APPEND_ATOMIC, APPEND_BATCH, SUBSCRIBE, Subscribe
from indelible.tasks import hear_of_failure
from indelible.wire.errors import GRPC_DETAILS_KEY
from indelible.wire.operation_proto import answer_type, decode_answer, encode_parameters, method_of
from indelible.wire.pb.errors_pb2 import Error
from indelible.wire.pb.event_store_pb2 import AppendBatchResponse
from indelible.wire.proto_events import (
    atomic_append_message,
    decode_batch_outcomes,
    decode_error,
    encode_batch_append,
    join_members,
)

M = TypeVar("M", bound=Message)

_NOT_SENT: Final = ("failed to connect", "errors resolving", "DNS resolution failed")
"""How gRPC's own messages begin when a call found no connection, and so never left this process."""
_LOST_STATUS: Final = "Internal error from Core"
"""gRPC's own message in place of the server's status, when that comes while something is being sent."""


class _BatchStream:
    """One AppendBatches call. Answers come in the order of the batches."""

    def __init__(self, channel: grpc.aio.Channel, url: str, metadata: tuple[tuple[str, str], ...]) -> None:
        streams: Any = channel.stream_stream(_path_of(APPEND_BATCH), None, AppendBatchResponse.FromString)
        self._url: Final = url
        self._call: Final = streams(metadata=metadata)
        self._waiting: Final[deque[asyncio.Future[AppendBatchResponse]]] = deque()
        self._writing: Final = asyncio.Lock()
        self._error: IndelibleError | None = None
        self._reading: Final = asyncio.create_task(self._read(), name="grpc-batch-answers")

    @property
    def has_ended(self) -> bool:
        return self._error is not None

    async def send(self, batch: bytes) -> AppendBatchResponse:
        answer: asyncio.Future[AppendBatchResponse] = asyncio.get_running_loop().create_future()
        # Its caller may have given up by the time that the stream ends.
        answer.add_done_callback(hear_of_failure)
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
        error: IndelibleError = OutcomeUnknown(f"{address_of(self._url)} ended the stream of appends")
        try:
            while (answer := await self._call.read()) is not grpc.aio.EOF:
                waiting = self._waiting.popleft()
                if not waiting.done():
                    waiting.set_result(answer)
        except grpc.aio.AioRpcError as broken:
            error = error_of(self._url, broken)
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


def _path_of(operation: Operation[Any, Any]) -> str:
    method = method_of(operation)
    return f"/{method.containing_service.full_name}/{method.name}"


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


def _credentials(tls: ClientTls) -> grpc.ChannelCredentials:
    tls.check()
    certificate = None if tls.certificate is None else read("certificate", tls.certificate)
    return grpc.ssl_channel_credentials(
        root_certificates=None if tls.ca is None else read("ca", tls.ca),
        private_key=certificate if tls.key is None else read("key", tls.key),
        certificate_chain=certificate,
    )


def error_of(url: str, error: grpc.aio.AioRpcError) -> IndelibleError:
    """What a call that failed stands for."""
    found = _error_in_trailers(error)
    if found is not None:
        return found
    code, message, target = error.code(), error.details() or "", address_of(url)
    if code == grpc.StatusCode.UNAVAILABLE:
        return _error_of_connection(url, message)
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return PayloadTooLarge(f"{target} or this client refused a message: {message}")
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return OutcomeUnknown(f"{target} gave no answer within the time-out")
    is_internal = code == grpc.StatusCode.INTERNAL and not message.startswith(_LOST_STATUS)
    if is_internal or code == grpc.StatusCode.UNIMPLEMENTED:
        return InternalError(f"{target} gave no answer that can be read: {message}")
    return OutcomeUnknown(f"{target} gave no answer: {code.name}: {message}")


def _error_of_connection(url: str, message: str) -> IndelibleError:
    if (wrong := wrong_url(url, message)) is not None:
        return wrong
    reason = reason_of_grpc(message)
    if message.startswith(_NOT_SENT):
        return cannot_connect(url, reason + (maybe_tls(url) if reason == CLOSED else ""))
    return OutcomeUnknown(f"{address_of(url)}: {reason}")


def _error_in_trailers(error: grpc.aio.AioRpcError) -> IndelibleError | None:
    """The error that the server itself tells of, if it does."""
    details = dict(error.trailing_metadata() or ()).get(GRPC_DETAILS_KEY)
    if not isinstance(details, bytes):
        return None
    for detail in Status.FromString(details).details:
        packed = Error()
        if detail.Unpack(packed):
            return decode_error(packed)
    return None


class GrpcEventStore(RemoteStore):
    """A server's store over gRPC. ``url`` is ``grpc://HOST:PORT``, or ``grpcs://HOST:PORT`` over TLS; ``headers`` are
    sent as metadata."""

    def __init__(self, url: str, **settings: Unpack[RemoteSettings]) -> None:
        super().__init__(**settings)
        self._url: Final = url
        self._target: Final = urlsplit(url).netloc
        self._is_tls: Final = url.startswith("grpcs:")
        self._metadata: Final = tuple((name.lower(), value) for name, value in self._headers.items())
        self._channel: grpc.aio.Channel | None = None
        self._batch_stream: _BatchStream | None = None

    async def open(self) -> Self:
        if self._is_tls:
            self._channel = grpc.aio.secure_channel(self._target, _credentials(self._tls), options=_options())
        else:
            self._channel = grpc.aio.insecure_channel(self._target, options=_options())
        return self

    async def _close(self) -> None:
        if self._batch_stream is not None:
            await self._batch_stream.close()
        if self._channel is not None:
            await self._channel.close()

    async def _call(
        self, operation: Operation[Any, Any], request: Message, answer: type[M], *, wait_s: float = 0.0
    ) -> M:
        """``wait_s`` is what the server may spend waiting because it was asked to; the time-out comes after it."""
        assert self._channel is not None, "open() comes first"
        unary: Any = self._channel.unary_unary(_path_of(operation), type(request).SerializeToString, answer.FromString)
        try:
            received: M = await unary(request, timeout=self._timeout_s + wait_s, metadata=self._traced_metadata())
        except grpc.aio.AioRpcError as error:
            raise error_of(self._url, error) from error
        return received

    def _traced_metadata(self) -> tuple[tuple[str, str], ...]:
        """Of a call that is one caller's. The stream that all batches share is part of nobody's trace."""
        return (*self._metadata, *trace_headers().items())

    async def _stream(
        self, operation: Operation[Any, Any], request: Message, answer: type[M], *, silence_max_s: float | None = None
    ) -> AsyncGenerator[M]:
        """The messages of an answer. Raises ``Unavailable`` when it breaks off, or says nothing for ``silence_max_s``
        seconds; without that, the whole answer must come within the time-out of a call."""
        assert self._channel is not None, "open() comes first"
        to_stream: Any = self._channel.unary_stream(
            _path_of(operation), type(request).SerializeToString, answer.FromString
        )
        timeout_s = self._timeout_s if silence_max_s is None else None
        call = to_stream(request, timeout=timeout_s, metadata=self._traced_metadata())
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
            raise error_of(self._url, error) from error
        finally:
            call.cancel()

    async def _send_batch(self, appends: Sequence[bytes]) -> Sequence[AppendOutcome]:
        """Over a stream that all batches share."""
        assert self._channel is not None, "open() comes first"
        if self._batch_stream is None or self._batch_stream.has_ended:
            self._batch_stream = _BatchStream(self._channel, self._url, self._metadata)
        stream = self._batch_stream
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await stream.send(join_members(appends))
        except TimeoutError as error:
            # Later answers would come behind this one, so the stream is of no more use.
            await stream.close()
            raise OutcomeUnknown(f"{self._target} gave no answer within {self._timeout_s:g} s") from error
        return decode_batch_outcomes(answer)

    async def _send(self, operation: Operation[P, R], parameters: P, *, wait_s: float = 0.0) -> R:
        request, answer = encode_parameters(operation, parameters), answer_type(operation)
        if method_of(operation).server_streaming:
            return decode_answer(operation, await self._first_page(operation, request, answer))
        return decode_answer(operation, await self._call(operation, request, answer, wait_s=wait_s))

    async def _first_page(self, operation: Operation[Any, Any], request: Any, answer: type[M]) -> M:
        request.pages_max = 1
        async with aclosing(self._stream(operation, request, answer)) as messages:
            async for message in messages:
                return message
        raise InternalError("the server's answer holds no page")

    def _encode_append(self, append: AggregateAppend) -> bytes:
        return encode_batch_append(append)

    async def _send_atomic(self, request: AppendRequest) -> AtomicAppendResult:
        message, answer = atomic_append_message(request), answer_type(APPEND_ATOMIC)
        return decode_answer(APPEND_ATOMIC, await self._call(APPEND_ATOMIC, message, answer))

    async def _connect(self, asked: Subscribe) -> AsyncGenerator[FeedPage]:
        request, answer = encode_parameters(SUBSCRIBE, asked), answer_type(SUBSCRIBE)
        messages = self._stream(SUBSCRIBE, request, answer, silence_max_s=CLIENT_SILENCE_MAX_S)
        async with aclosing(messages):
            async for message in messages:
                yield decode_answer(SUBSCRIBE, message)
