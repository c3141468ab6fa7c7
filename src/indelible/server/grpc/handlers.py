"""What handles each method of the API. Those without a handler of their own here are asked as their row says."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any, Final

from indelible.errors import ShuttingDown
from indelible.limits import RETRY_AFTER_S
from indelible.operations import OPERATIONS, Operation
from indelible.operations.deliveries import PULL
from indelible.operations.events import APPEND, APPEND_ATOMIC, READ_AGGREGATE, READ_FEED, SUBSCRIBE
from indelible.operations.search import SEARCH
from indelible.server.call import Call
from indelible.server.grpc.append_batches import append_batches
from indelible.server.grpc.calls import MakeRoom, Method, Streams, ToStream, Unary
from indelible.server.grpc.consume import consume
from indelible.server.services import pull_until, unless_stopping
from indelible.server.streams import FollowedFeed, read_pages, stream_messages
from indelible.wire.operation_proto import decode_parameters, encode_answer, method_of, request_type
from indelible.wire.pb.event_store_pb2 import (
    AggregateAppend,
    AppendAtomicRequest,
    ReadAggregateRequest,
    ReadFeedRequest,
    SubscribeRequest,
)
from indelible.wire.pb.groups_pb2 import PullRequest
from indelible.wire.pb.search_pb2 import SearchRequest
from indelible.wire.proto_events import decode_append, decode_atomic_append, encode_lines, encode_subscription


async def ask(operation: Operation[Any, Any], call: Call, request: Any) -> bytes:
    """One question, one answer."""
    return encode_answer(operation, await call.ask(operation, decode_parameters(operation, request)))


async def append(call: Call, request: AggregateAppend) -> bytes:
    asked = decode_append(request)
    call.take_events(len(asked.events))
    result = await call.store.append(
        asked.key.aggregate_type, asked.key.aggregate_id, asked.events, expected_version=asked.expected_version
    )
    return encode_answer(APPEND, result)


async def append_atomic(call: Call, request: AppendAtomicRequest) -> bytes:
    asked = decode_atomic_append(request)
    call.take_events(sum(len(one.events) for one in asked.appends))
    return encode_answer(APPEND_ATOMIC, await call.store.append_atomic(asked.appends, condition=asked.condition))


async def pull(call: Call, request: PullRequest) -> bytes:
    """The wait ends when the caller goes away, who then gets nothing, or when the server stops."""
    asked = decode_parameters(PULL, request)
    pulling = PULL.ask(call.store, asked)
    return encode_answer(PULL, await pull_until(call.store.groups, asked.group, pulling, *call.ends()))


async def search(call: Call, request: SearchRequest) -> bytes:
    """What is found, waited for if need be."""
    answer = SEARCH.ask(call.store, decode_parameters(SEARCH, request))
    return encode_answer(SEARCH, await unless_stopping(call.stopping, answer))


async def pages(
    operation: Operation[Any, Any],
    call: Call,
    request: ReadAggregateRequest | ReadFeedRequest,
    _: MakeRoom,
) -> AsyncGenerator[bytes]:
    asked = decode_parameters(operation, request)
    pages_max = request.pages_max if request.HasField("pages_max") else None
    if operation is READ_FEED and pages_max is None:
        call.tell_export(operation, asked)
    async with aclosing(read_pages(operation, call.store, asked, pages_max=pages_max)) as found:
        async for page in found:
            message = encode_answer(operation, page)
            del page  # held by nobody while the message waits
            yield message
            del message


async def subscribe(call: Call, request: SubscribeRequest, make_room: MakeRoom) -> AsyncGenerator[bytes]:
    asked = decode_parameters(SUBSCRIBE, request)
    call.tell_export(SUBSCRIBE, asked)
    feed = FollowedFeed(
        call.store, asked.query, asked.after, call.rendered_pages,
        render=encode_lines, gather_s=asked.gather_s, make_room=make_room,
    )  # fmt: skip
    with call.subscribed():
        await feed.read()
        cursor, at_end = feed.cursor, False
        async with aclosing(stream_messages(feed, call.stopping)) as messages:
            async for message in messages:
                if message is None:
                    yield encode_subscription(b"", cursor, at_end=at_end)
                    continue
                _, cursor, at_end, _ = message
                encoded = encode_subscription(message.data, cursor, at_end=at_end)
                del message  # kept here for as long as the caller takes, it would be held twice
                yield encoded
                del encoded
    raise ShuttingDown("the server stops; subscribe again after the last cursor", retry_after_s=RETRY_AFTER_S)


_OWN_HANDLERS: Final[dict[str, Any]] = {
    "append": append,
    "append_atomic": append_atomic,
    "append_batch": append_batches,
    "read_aggregate": partial(pages, READ_AGGREGATE),
    "read_feed": partial(pages, READ_FEED),
    "subscribe": subscribe,
    "pull": pull,
    "search": search,
    "consume": consume,
}
"""Of operations that take more than asking the store."""


def _method(operation: Operation[Any, Any]) -> Method:
    declared = method_of(operation)
    handle: Any = _OWN_HANDLERS.get(operation.name) or partial(ask, operation)
    if declared.client_streaming:
        return Streams(declared.name, handle)
    if declared.server_streaming:
        return ToStream(declared.name, request_type(operation), handle)
    is_read, size_bytes_max = operation.permission == "read", operation.request_size_bytes_max
    return Unary(declared.name, request_type(operation), handle, is_read, size_bytes_max)


def _services() -> dict[str, tuple[Method, ...]]:
    found: dict[str, tuple[Method, ...]] = {}
    for operation in OPERATIONS:
        if operation.grpc:
            service = method_of(operation).containing_service.full_name
            found[service] = (*found.get(service, ()), _method(operation))
    return found


SERVICES: Final = _services()
"""The methods, by the full name of their service."""
