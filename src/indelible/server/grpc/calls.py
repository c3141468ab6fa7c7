"""Calls: finds their handlers, bounds and counts them, and turns errors into statuses."""

import asyncio
import contextlib
import re
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar, cast

import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status

from indelible.access import Principal
from indelible.errors import IndelibleError, InternalError, InvalidRequest, Overloaded, PayloadTooLarge, Unauthenticated
from indelible.eventstore import EventStore
from indelible.limits import (
    GRPC_CALLS_MAX,
    GRPC_FIELDS_COUNTED_SIZE_BYTES,
    GRPC_FIELDS_MAX,
    GRPC_FIRST_MESSAGE_S,
    GRPC_HEAR_OUT_S,
    REQUEST_SIZE_BYTES_MAX,
    RETRY_AFTER_S,
)
from indelible.server.call import Call, TraceContext, trace_context
from indelible.server.callers import caller_of
from indelible.server.grpc.exchange import Exchange, Refused, Trailers, shortened, too_large
from indelible.server.grpc.outgoing import LargeMessages, Outgoing
from indelible.server.reader_room import LARGE_BYTES
from indelible.server.services import Services
from indelible.server.tracing import RequestWatch
from indelible.wire.errors import GRPC_CODE_KEY, GRPC_DETAILS_KEY, GRPC_NUMBERS, grpc_status_of
from indelible.wire.message_fields import TooManyFields, check_fields
from indelible.wire.proto_events import error_message

MakeRoom = Callable[[int], Awaitable[None]]
"""For a message of so many bytes."""


class Unary(NamedTuple):
    """One message in, one encoded message out. ``handle`` gets a ``request``."""

    name: str
    request: type[Message]
    handle: Callable[[Call, Any], Awaitable[bytes]]
    is_read: bool = False
    size_bytes_max: int = REQUEST_SIZE_BYTES_MAX
    """Of the message that comes in."""


class ToStream(NamedTuple):
    """One message in, encoded messages out. A handler may make each once there is room for it."""

    name: str
    request: type[Message]
    handle: Callable[[Call, Any, MakeRoom], AsyncGenerator[bytes]]


class FromStream(NamedTuple):
    """Encoded messages in, one out."""

    name: str
    handle: Callable[[Call, AsyncIterator[bytes]], Awaitable[bytes]]


class Streams(NamedTuple):
    """Encoded messages in and out."""

    name: str
    handle: Callable[[Call, AsyncIterator[bytes]], AsyncGenerator[bytes]]


Method = Unary | ToStream | FromStream | Streams


M = TypeVar("M", bound=Message)


def decode_message(kind: type[M], encoded: bytes) -> M:
    """Raises ``InvalidRequest``; ``PayloadTooLarge`` for what would take much more than it does now."""
    if len(encoded) > GRPC_FIELDS_COUNTED_SIZE_BYTES:
        _check_fields(kind, encoded)
    try:
        return kind.FromString(encoded)
    except DecodeError as error:
        raise InvalidRequest(f"not an encoded {kind.DESCRIPTOR.name}: {error}") from None


def _check_fields(kind: type[Message], encoded: bytes) -> None:
    try:
        check_fields(cast("Descriptor", kind.DESCRIPTOR), encoded, GRPC_FIELDS_MAX)
    except TooManyFields:
        message = f"a message may have at most {GRPC_FIELDS_MAX} fields, those of its parts counted"
        raise PayloadTooLarge(message, size_bytes_max=REQUEST_SIZE_BYTES_MAX) from None


_log: Final = structlog.get_logger(__name__)
_CONTENT_TYPE: Final = re.compile(rb"application/grpc(?:[+;].*)?", re.IGNORECASE)
_UNSUPPORTED_MEDIA_TYPE: Final = b"415"
_WITHDRAWN: Final = Refused("UNAUTHENTICATED", "the token that the stream was opened with has been withdrawn")
_SPAN_ATTRIBUTES: Final = ("rpc.method", "rpc.response.status_code")
_FAILURES: Final = ("UNKNOWN", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
"""Statuses that are the server's own doing; the others are about the call."""
_MAY_WAIT: Final = ("Pull", "Search")
"""Methods whose callers say how long they may wait for something."""


class Answer(NamedTuple):
    """What a caller gets of an error."""

    status: str
    message: str
    trailers: Trailers = ()


def answer_of(error: IndelibleError) -> Answer:
    """The error whole, in the trailers that gRPC has for it."""
    status = grpc_status_of(error)
    detail = AnyMessage()
    detail.Pack(error_message(error))
    # The same as beside it. The detail has all of it: said whole three times, it would be more than clients take.
    details = Status(code=GRPC_NUMBERS[status], message=shortened(error.message), details=[detail]).SerializeToString()
    trailers = (
        (GRPC_DETAILS_KEY.encode(), b64encode(details).rstrip(b"=")),
        (GRPC_CODE_KEY.encode(), error.code.encode()),
    )
    return Answer(status, error.message, trailers)


class Dialect(NamedTuple):
    """In what the APIs that are offered over gRPC differ, beside their methods."""

    name: str = "grpc"
    answer_of: Callable[[IndelibleError], Answer] = answer_of
    authorization_of: Callable[[bytes | None], bytes | None] = lambda header: header
    """The header ``authorization`` as it would be over HTTP. Raises ``Unauthenticated``."""
    store_of: Callable[[Services, Principal], EventStore] = Services.store_of
    """The store as a caller may use it."""


GRPC: Final = Dialect()


class Calls:
    """All calls that are under way in this process. ``services``: the API's methods, by the full name of their service;
    ``others`` the same of gRPC's own, which are neither counted nor bounded beyond their connection."""

    def __init__(
        self,
        services: Services,
        own: Mapping[str, Sequence[Method]],
        others: Mapping[str, Sequence[Method]],
        dialect: Dialect = GRPC,
    ) -> None:
        self._services: Final = services
        self._dialect: Final = dialect
        self._large: Final = LargeMessages()
        times = services.metrics.histogram(
            f"indelible_{dialect.name}_call_seconds",
            "Time from a call's beginning to its end, in seconds.",
            "method",
            "status",
        )
        self._watch: Final = RequestWatch(services, dialect.name, times, _SPAN_ATTRIBUTES)
        self._methods: Final = {
            f"/{service}/{method.name}".encode(): (method, table is own)
            for table in (own, others)
            for service, methods in table.items()
            for method in methods
        }
        self._tasks: Final[set[asyncio.Task[Any]]] = set()
        self._count = 0
        self._idle: Final = asyncio.Event()
        self._idle.set()

    async def wait_until_idle(self) -> None:
        """Until none of the API's calls is under way."""
        await self._idle.wait()

    async def wait_until_done(self) -> None:
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    def begin(self, exchange: Exchange) -> None:
        head = exchange.head
        if not _CONTENT_TYPE.fullmatch(head.fields.get(b"content-type", b"")) or head.method != b"POST":
            exchange.reject(_UNSUPPORTED_MEDIA_TYPE)
            return
        # A path that leads nowhere too: who is not known learns nothing.
        method, is_own = self._methods.get(head.path, (None, False))
        run = self._run_counted(method, exchange) if method and is_own else self._run(method, exchange)
        task = asyncio.get_running_loop().create_task(run)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(exchange.done)
        try:
            exchange.begin(task, self._services.bodies)
        except Refused as refused:
            exchange.finish(refused.status, refused.message)
            task.cancel()

    async def _run_counted(self, method: Method, exchange: Exchange) -> None:
        begun = self._watch.begin(_trace_of(exchange))
        self._count += 1
        self._idle.clear()
        status = "CANCELLED"
        try:
            status = await self._run(method, exchange, is_own=True, is_over_bound=self._count > GRPC_CALLS_MAX)
        finally:
            self._count -= 1
            if not self._count:
                self._idle.set()
            self._watch.end(
                begun, method.name, method.name, status,
                code=exchange.code, is_failure=status in _FAILURES, may_wait=_may_wait(method),
            )  # fmt: skip

    async def _run(
        self, method: Method | None, exchange: Exchange, *, is_own: bool = False, is_over_bound: bool = False
    ) -> str:
        """Gives the status that it ended with."""
        try:
            _check_count(is_over_bound=is_over_bound)
            await self._handle(method, exchange, is_own=is_own)
        except IndelibleError as error:
            return self._finish(exchange, error)
        except Refused as refused:
            exchange.finish(refused.status, refused.message, refused.trailers)
            return refused.status
        except asyncio.CancelledError:
            return exchange.cancelled()
        except Exception as error:  # noqa: BLE001 - whatever broke, the caller must get an answer
            _log.error("call failed", path=exchange.head.path.decode("latin-1"), exc_info=error)
            return self._finish(exchange, InternalError("something is wrong in the server; its log has the details"))
        return "OK"

    def _finish(self, exchange: Exchange, error: IndelibleError) -> str:
        exchange.code = error.code
        answer = self._dialect.answer_of(error)
        exchange.finish(answer.status, answer.message, answer.trailers)
        return answer.status

    async def _handle(self, method: Method | None, exchange: Exchange, *, is_own: bool) -> None:
        try:
            call = await self._call_of(exchange, is_own=is_own)
        except IndelibleError as error:
            if isinstance(method, FromStream):
                await exchange.hear_out(GRPC_HEAR_OUT_S)
            elif isinstance(method, Streams) and isinstance(error, Unauthenticated):
                await _hear_first_message(exchange)
            raise
        if method is None:
            raise Refused("UNIMPLEMENTED", f"there is no method {exchange.head.path.decode('latin-1')}")
        if isinstance(method, Unary):
            message = await exchange.only_message()
            if len(message) > method.size_bytes_max:
                raise too_large(method.size_bytes_max)
            request = decode_message(method.request, message)
            answer = await method.handle(call, request)
            if method.is_read and len(answer) > LARGE_BYTES:
                async with Outgoing(self._large, exchange) as outgoing:
                    await outgoing.make_room(len(answer), made_bytes=len(answer))
                    await exchange.answer(answer)
            else:
                await exchange.answer(answer)
            return
        with self._watching(call, exchange):
            if isinstance(method, FromStream):
                await exchange.answer(await _heard_out(method, call, exchange))
                return
            outgoing = Outgoing(self._large, exchange)
            if isinstance(method, ToStream):
                request = decode_message(method.request, await exchange.only_message())
                await _write(method.handle(call, request, outgoing.make_room), outgoing, may_be_refused=True)
            else:
                await _write(method.handle(call, exchange), outgoing, may_be_refused=False)
        exchange.finish()

    async def _call_of(self, exchange: Exchange, *, is_own: bool) -> Call:
        """Raises ``Unauthenticated``, ``RateLimited``."""
        fields = exchange.head.fields
        caller = await caller_of(
            self._services.authenticator,
            fields.get(b"authorization"),
            exchange.connection,
            self._dialect.authorization_of,
        )
        limits = self._services.principal_limits if is_own else None
        use = None if limits is None else limits.begin_request(caller.principal, exchange.connection)
        return Call(
            self._services,
            principal=caller.principal,
            credentials=caller.credentials,
            use=use,
            deadline=exchange.deadline,
            trace=_trace_of(exchange),
            store=self._dialect.store_of(self._services, caller.principal),
            authority=fields.get(b":authority", b"").decode("latin-1"),
        )

    def _watching(self, call: Call, exchange: Exchange) -> AbstractContextManager[None]:
        """A stream ends when its caller's credentials are withdrawn."""
        authenticator = self._services.authenticator
        if authenticator is None:
            return nullcontext()
        return authenticator.watching(call.credentials, partial(exchange.cancel, _WITHDRAWN))


async def _heard_out(method: FromStream, call: Call, exchange: Exchange) -> bytes:
    """Callers send all that they have before they look for the answer; a refusal waits for that."""
    try:
        return await method.handle(call, exchange)
    except (IndelibleError, Refused):
        await exchange.hear_out(GRPC_HEAR_OUT_S)
        raise


async def _hear_first_message(exchange: Exchange) -> None:
    """gRPC's core forgets the status of a call that ends while the client sends its first message."""
    with contextlib.suppress(TimeoutError, Refused):
        async with asyncio.timeout(GRPC_FIRST_MESSAGE_S):
            await anext(exchange, None)


def _check_count(*, is_over_bound: bool) -> None:
    if is_over_bound:
        raise Overloaded("too many calls are under way; nothing was stored", retry_after_s=RETRY_AFTER_S)


def _trace_of(exchange: Exchange) -> TraceContext | None:
    fields = exchange.head.fields
    return trace_context(fields.get(b"traceparent"), fields.get(b"tracestate"))


def _may_wait(method: Method) -> bool:
    return not isinstance(method, Unary) or method.name in _MAY_WAIT


async def _write(messages: AsyncGenerator[bytes], outgoing: Outgoing, *, may_be_refused: bool) -> None:
    """Each waits until the caller has had room for what came before."""
    async with outgoing, aclosing(messages):
        async for message in messages:
            await outgoing.write(message, may_be_refused=may_be_refused)
            del message  # the next may be long in coming
