"""Callers of the wire without a client of its own: any bytes to any method."""

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from indelible.server.esdb.features import FEATURES_SERVICE
from indelible.wire.esdb.pb import cluster_pb2, features_pb2, persistent_pb2, records_pb2, shared_pb2
from indelible.wire.esdb.pb import streams_pb2 as pb

APPEND: Final = "event_store.client.streams.Streams/Append"
DELETE: Final = "event_store.client.streams.Streams/Delete"
GOSSIP: Final = "event_store.client.gossip.Gossip/Read"
FEATURES: Final = f"{FEATURES_SERVICE}/GetSupportedMethods"
METHODS: Final = {
    f"{service.full_name}/{method.name}": method
    for file in (pb, persistent_pb2, records_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
"""All that these clients know, but for the two that say what there is."""
_OPTIONS: Final = [("grpc.use_local_subchannel_pool", 1)]


def request_class(path: str) -> type[Message]:
    return GetMessageClass(METHODS[path].input_type)


@asynccontextmanager
async def calling(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """``address``: HOST:PORT, or a URL of it."""
    async with grpc.aio.insecure_channel(target_of(address), options=_OPTIONS) as channel:
        yield channel


def target_of(address: str) -> str:
    return address.partition("://")[2].partition("?")[0] if "://" in address else address


def a_proposed_event(event_id: str | None = None, data: bytes = b"{}") -> shared_pb2.ProposedMessage:
    event = shared_pb2.ProposedMessage(id=shared_pb2.UUID(string=event_id or str(uuid4())), data=data)
    event.metadata["type"], event.metadata["content-type"] = "Placed", "application/json"
    return event


def append_request(stream: str | bytes, events: int = 1) -> list[bytes]:
    """Messages of Append."""
    name = stream if isinstance(stream, bytes) else stream.encode()
    options = pb.AppendReq.Options(
        stream_identifier=shared_pb2.StreamIdentifier(stream_name=name), any=shared_pb2.Empty()
    )
    messages = [pb.AppendReq(options=options)]
    messages += [pb.AppendReq(proposed_message=a_proposed_event()) for _ in range(events)]
    return [one.SerializeToString() for one in messages]


async def status_of(
    address: str, messages: Sequence[bytes], authorization: str | None = None, path: str = APPEND
) -> tuple[grpc.StatusCode, dict[str, Any]]:
    """How a call ends that takes encoded messages: its status, and the trailers. As kurrentdbclient calls, in a thread:
    of a call that ends while its caller sends, gRPC's core for asyncio makes an error of its own."""
    headers = () if authorization is None else (("authorization", authorization),)
    return await asyncio.to_thread(_status_of, address, messages, headers, path)


def _status_of(
    address: str, messages: Sequence[bytes], headers: Sequence[tuple[str, str]], path: str
) -> tuple[grpc.StatusCode, dict[str, Any]]:
    with grpc.insecure_channel(target_of(address), options=_OPTIONS) as channel:
        call = channel.stream_stream(f"/{path}")(iter(messages), metadata=headers, timeout=60)
        with contextlib.suppress(grpc.RpcError):
            collections.deque(call, 0)
        return call.code(), dict(call.trailing_metadata() or ())


async def end_of(address: str, path: str, messages: Sequence[bytes], *, within_s: float) -> tuple[grpc.StatusCode, str]:
    """The status and its message; a stream that goes on for ever is left after ``within_s``."""
    return await asyncio.to_thread(_end_of, address, path, messages, within_s)


def _end_of(address: str, path: str, messages: Sequence[bytes], within_s: float) -> tuple[grpc.StatusCode, str]:
    with grpc.insecure_channel(target_of(address)) as channel:
        call = channel.stream_stream(f"/{path}")(iter(messages), timeout=within_s)
        with contextlib.suppress(grpc.RpcError):
            collections.deque(call, 0)
        return call.code(), call.details() or ""


async def gossip_of(channel: grpc.aio.Channel) -> cluster_pb2.MemberInfo:
    call = channel.unary_unary(f"/{GOSSIP}", response_deserializer=cluster_pb2.ClusterInfo.FromString)
    (member,) = (await call(b"")).members
    return member


async def features_of(channel: grpc.aio.Channel) -> features_pb2.SupportedMethods:
    call = channel.unary_unary(f"/{FEATURES}", response_deserializer=features_pb2.SupportedMethods.FromString)
    found: features_pb2.SupportedMethods = await call(b"")
    return found
