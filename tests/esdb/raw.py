"""Messages that the clients of KurrentDB cannot be made to send."""

from collections.abc import Iterable, Iterator, Sequence
from uuid import uuid4

import grpc

from indelible.wire.esdb.pb import records_pb2, streams_pb2
from indelible.wire.esdb.pb.shared_pb2 import ProposedMessage

_STREAMS = "/event_store.client.streams.Streams"
_RECORDS = "/kurrentdb.protocol.v2.streams.StreamsService"


def raw_channel(url: str) -> grpc.Channel:
    return grpc.insecure_channel(url.removeprefix("esdb://").partition("?")[0])


def append(channel: grpc.Channel, messages: Iterable[streams_pb2.AppendReq]) -> streams_pb2.AppendResp:
    call = channel.stream_unary(
        f"{_STREAMS}/Append", streams_pb2.AppendReq.SerializeToString, streams_pb2.AppendResp.FromString
    )
    answer: streams_pb2.AppendResp = call(iter(messages), timeout=30)
    return answer


def batch_append(
    channel: grpc.Channel, messages: Iterable[streams_pb2.BatchAppendReq], timeout: float = 30
) -> Iterator[streams_pb2.BatchAppendResp]:
    call = channel.stream_stream(
        f"{_STREAMS}/BatchAppend", streams_pb2.BatchAppendReq.SerializeToString, streams_pb2.BatchAppendResp.FromString
    )
    answers: Iterator[streams_pb2.BatchAppendResp] = call(iter(messages), timeout=timeout)
    return answers


def append_session(
    channel: grpc.Channel, messages: Iterable[records_pb2.AppendRequest]
) -> records_pb2.AppendSessionResponse:
    call = channel.stream_unary(
        f"{_RECORDS}/AppendSession",
        records_pb2.AppendRequest.SerializeToString,
        records_pb2.AppendSessionResponse.FromString,
    )
    answer: records_pb2.AppendSessionResponse = call(iter(messages), timeout=30)
    return answer


def append_records(
    channel: grpc.Channel, request: records_pb2.AppendRecordsRequest
) -> records_pb2.AppendRecordsResponse:
    call = channel.unary_unary(
        f"{_RECORDS}/AppendRecords",
        records_pb2.AppendRecordsRequest.SerializeToString,
        records_pb2.AppendRecordsResponse.FromString,
    )
    answer: records_pb2.AppendRecordsResponse = call(request, timeout=30)
    return answer


def batch(
    stream: str | bytes, *data: bytes, correlation: str | None = None, is_final: bool = True, has_options: bool = True
) -> streams_pb2.BatchAppendReq:
    """To a stream in any state, one event for each ``data``."""
    message = streams_pb2.BatchAppendReq(is_final=is_final)
    message.correlation_id.string = correlation or str(uuid4())
    if has_options:
        name = stream if isinstance(stream, bytes) else stream.encode()
        message.options.stream_identifier.stream_name = name
        message.options.any.SetInParent()
    for one in data:
        propose(message.proposed_messages.add(), one)
    return message


def propose(
    message: ProposedMessage, data: bytes = b"{}", properties: Sequence[str] = ("type", "content-type")
) -> None:
    values = {"type": "Placed", "content-type": "application/json"}
    message.id.string = str(uuid4())
    message.metadata.update({name: values[name] for name in properties})
    message.data = data
