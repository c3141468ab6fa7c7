"""Calls: bounds them, counts them, finds their handlers, and turns errors into statuses."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, NamedTuple, NoReturn, TypeVar
from urllib.parse import quote

import grpc
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status

from indelible.errors import IndelibleError, InternalError, InvalidRequest, Overloaded
from indelible.limits import ERROR_STATUS_MESSAGE_SIZE_BYTES_MAX, GRPC_CALLS_MAX, RETRY_AFTER_S
from indelible.server.call import Call, trace_context
from indelible.server.grpc.outgoing import LargeMessages, Outgoing
from indelible.server.services import Services
from indelible.wire.errors import GRPC_CODE_KEY, GRPC_DETAILS_KEY, grpc_status_of
from indelible.wire.proto_events import error_message

MakeRoom = Callable[[int], Awaitable[None]]
"""For a message of so many bytes."""


class Unary(NamedTuple):
    """One message in, one encoded message out. ``handle`` gets a ``request``."""

    name: str
    request: type[Message]
    handle: Callable[[Call, Any], Awaitable[bytes]]


class ToStream(NamedTuple):
    """One message in, encoded messages out. A handler may make each once there is room for it."""

    name: str
    request: type[Message]
    handle: Callable[[Call, Any, MakeRoom], AsyncGenerator[bytes]]


class Streams(NamedTuple):
    """Encoded messages in and out."""

    name: str
    handle: Callable[[Call, AsyncIterator[bytes]], AsyncGenerator[bytes]]


Method = Unary | ToStream | Streams


M = TypeVar("M", bound=Message)


def decode_message(kind: type[M], encoded: bytes) -> M:
    try:
        return kind.FromString(encoded)
    except DecodeError as error:
        raise InvalidRequest(f"not an encoded {kind.DESCRIPTOR.name}: {error}") from None


_log: Final = structlog.get_logger(__name__)
_Context = Any
"""grpc.aio.ServicerContext, whose type knows nothing of encoded messages."""
_SENT_PLAINLY: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
"""In a status message; each byte of anything else takes three."""
_CANCELLED: Final = "CANCELLED"
"""In metrics only: the caller went away, or its deadline passed."""


class Calls:
    """All calls of the API that are under way in this process."""

    def __init__(self, services: Services, large: LargeMessages) -> None:
        self._services: Final = services
        self._large: Final = large
        self._times: Final = services.metrics.histogram(
            "indelible_grpc_call_seconds", "Time from a call's beginning to its end, in seconds.", "method", "status"
        )
        self._count = 0
        self._idle: Final = asyncio.Event()
        self._idle.set()

    async def wait_until_idle(self) -> None:
        await self._idle.wait()

    def handler(self, method: Method) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Messages stay encoded between gRPC and the handlers: their size counts, and pages are made encoded."""
        if isinstance(method, Unary):
            return grpc.unary_unary_rpc_method_handler(self._unary(method))
        if isinstance(method, ToStream):
            return grpc.unary_stream_rpc_method_handler(self._to_stream(method))
        return grpc.stream_stream_rpc_method_handler(self._streams(method))

    def _unary(self, method: Unary) -> Any:
        async def call(encoded: bytes, context: _Context) -> bytes:
            async with self._under_way(method.name, context):
                self._services.bodies.take(len(encoded))
                try:
                    return await method.handle(
                        _call_of(self._services, context), decode_message(method.request, encoded)
                    )
                finally:
                    self._services.bodies.give_back(len(encoded))

        return call

    def _to_stream(self, method: ToStream) -> Any:
        async def call(encoded: bytes, context: _Context) -> None:
            async with self._under_way(method.name, context):
                outgoing = Outgoing(self._large, context)
                request = decode_message(method.request, encoded)
                await _write(method.handle(_call_of(self._services, context), request, outgoing.make_room), outgoing)

        return call

    def _streams(self, method: Streams) -> Any:
        async def call(requests: AsyncIterator[bytes], context: _Context) -> None:
            async with self._under_way(method.name, context):
                await _write(method.handle(_call_of(self._services, context), requests), Outgoing(self._large, context))

        return call

    def _check_count(self) -> None:
        if self._count > GRPC_CALLS_MAX:
            raise Overloaded("too many calls are under way; nothing was stored", retry_after_s=RETRY_AFTER_S)

    @asynccontextmanager
    async def _under_way(self, name: str, context: _Context) -> AsyncIterator[None]:
        started = time.perf_counter()
        status = _CANCELLED
        self._count += 1
        self._idle.clear()
        try:
            self._check_count()
            yield
            status = "OK"
        except IndelibleError as error:
            status = grpc_status_of(error)
            await _abort(context, error)
        except grpc.aio.BaseError:
            _log.debug("the caller is gone", method=name)
        except Exception as error:  # noqa: BLE001 - whatever broke, the caller must get an answer
            _log.error("call failed", method=name, exc_info=error)
            broken = InternalError("something is wrong in the server; its log has the details")
            status = grpc_status_of(broken)
            await _abort(context, broken)
        finally:
            self._count -= 1
            if not self._count:
                self._idle.set()
            self._times.observe(time.perf_counter() - started, name, status)


def _call_of(services: Services, context: _Context) -> Call:
    metadata = dict(context.invocation_metadata() or ())
    left_s = context.time_remaining()
    return Call(
        services,
        deadline=None if left_s is None else asyncio.get_running_loop().time() + left_s,
        trace=trace_context(metadata.get("traceparent"), metadata.get("tracestate")),
    )


async def _write(messages: AsyncGenerator[bytes], outgoing: Outgoing) -> None:
    """Each waits until the caller has taken most of what came before."""
    async with outgoing, aclosing(messages):
        async for message in messages:
            await outgoing.write(message)
            del message  # the next may be long in coming


async def _abort(context: _Context, error: IndelibleError) -> NoReturn:
    status = grpc.StatusCode[grpc_status_of(error)]
    number, _ = status.value
    detail = AnyMessage()
    detail.Pack(error_message(error))
    details = Status(code=number, message=error.message, details=[detail]).SerializeToString()
    # The message alone would be long: it is sent percent-encoded, and clients bound what trailers take together.
    message = _beginning(error.message)
    await context.abort(status, message, ((GRPC_DETAILS_KEY, details), (GRPC_CODE_KEY, error.code)))
    raise AssertionError("abort() raises")


def _beginning(message: str) -> str:
    """As much as fits into a status."""
    size_bytes = 0
    for end, character in enumerate(message):
        size_bytes += len(quote(character, safe=_SENT_PLAINLY, errors="replace"))
        if size_bytes > ERROR_STATUS_MESSAGE_SIZE_BYTES_MAX:
            return message[:end]
    return message
