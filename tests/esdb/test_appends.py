"""Append and Delete, by the clients of KurrentDB and by messages that these do not send."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import grpc
import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import (
    GrpcError,
    KurrentDBClientError,
    NotFoundError,
    StreamIsDeletedError,
    WrongCurrentVersionError,
)

from esdb.raw import append as raw_append
from esdb.raw import propose, raw_channel
from indelible.errors import Overloaded, PayloadTooLarge
from indelible.limits import EVENT_SIZE_BYTES_MAX, REQUEST_EVENTS_MAX, REQUEST_SIZE_BYTES_MAX
from indelible.server.esdb import gathering
from indelible.server.esdb.gathering import Gathering
from indelible.server.grpc.exchange import Refused
from indelible.server.services import BodyMemory
from indelible.wire.esdb.pb import streams_pb2 as pb

EXPECTED = (StreamState.ANY, StreamState.NO_STREAM, StreamState.EXISTS, 0, 1, 5)


def event(data: bytes = b"{}") -> NewEvent:
    return NewEvent(type="Placed", data=data)


def append(client: KurrentDBClient, stream: str, expected: int | StreamState, *events: NewEvent) -> int:
    position: int = client.append_to_stream(stream, current_version=expected, events=list(events))
    return position


def append_singly(client: KurrentDBClient, stream: str, expected: int | StreamState, one: NewEvent) -> int:
    """By the call Append and not BatchAppend."""
    position: int = client.append_to_stream(stream, current_version=expected, events=one)
    return position


@pytest.fixture(scope="module")
def channel(esdb_url: str) -> Iterator[grpc.Channel]:
    with raw_channel(esdb_url) as channel:
        yield channel


def requests(stream: str | bytes, *messages: pb.AppendReq) -> list[pb.AppendReq]:
    options = pb.AppendReq()
    options.options.stream_identifier.stream_name = stream if isinstance(stream, bytes) else stream.encode()
    options.options.any.SetInParent()
    return [options, *messages]


def proposed(data: bytes = b"{}", properties: tuple[str, ...] = ("type", "content-type")) -> pb.AppendReq:
    message = pb.AppendReq()
    propose(message.proposed_message, data, properties)
    return message


def refusal(channel: grpc.Channel, messages: list[pb.AppendReq]) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    with pytest.raises(grpc.RpcError) as caught:
        raw_append(channel, messages)
    trailers = {key: value for key, value in caught.value.trailing_metadata() if isinstance(value, str)}
    return caught.value.code(), caught.value.details(), trailers


# --- What is expected ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [append, append_singly])
def test_each_expected_revision_is_kept(client: KurrentDBClient, stream: str, by):
    for refused in (StreamState.EXISTS, 0, 5):
        with pytest.raises(WrongCurrentVersionError, match="does not exist"):
            by(client, stream, refused, event())
    by(client, stream, StreamState.NO_STREAM, event())
    by(client, stream, 0, event())
    by(client, stream, StreamState.EXISTS, event())
    by(client, stream, StreamState.ANY, event())
    for refused in (StreamState.NO_STREAM, 2, 4):
        with pytest.raises(WrongCurrentVersionError, match="Stream position of last event is 3") as caught:
            by(client, stream, refused, event())
        assert (caught.value.actual_version, caught.value.expected_version) == (3, refused)


@pytest.mark.parametrize("expected", [StreamState.ANY, StreamState.NO_STREAM])
@pytest.mark.parametrize("by", [append, append_singly])
def test_the_same_append_again_is_answered_with_its_first_position(
    client: KurrentDBClient, stream: str, expected: StreamState, by
):
    one = event()
    first = by(client, stream, expected, one)
    append(client, stream, 0, event())
    assert by(client, stream, expected, one) == first


def test_an_append_to_a_stream_that_exists_is_repeated_also_when_that_is_deleted(client: KurrentDBClient, stream: str):
    append(client, stream, StreamState.NO_STREAM, event())
    again = event()
    first = append(client, stream, StreamState.EXISTS, again)
    client.delete_stream(stream, current_version=StreamState.ANY)
    assert append(client, stream, StreamState.EXISTS, again) == first
    with pytest.raises(WrongCurrentVersionError):
        append(client, stream, StreamState.EXISTS, again, event())


def test_ids_that_are_stored_and_new_ones_do_not_mix(client: KurrentDBClient, stream: str):
    stored = event()
    append(client, stream, StreamState.NO_STREAM, stored)
    with pytest.raises(WrongCurrentVersionError):
        append(client, stream, 0, event(), stored)


def test_an_id_of_another_stream_is_refused_by_name(client: KurrentDBClient, stream: str):
    taken = event()
    append(client, stream, StreamState.NO_STREAM, taken)
    with pytest.raises(KurrentDBClientError, match=str(taken.id)):
        append(client, f"order-{uuid4()}", StreamState.NO_STREAM, taken)


def test_nothing_can_be_appended_where_the_stream_is_as_expected(client: KurrentDBClient, stream: str, channel):
    assert append(client, stream, StreamState.NO_STREAM) == 0
    answer = raw_append(channel, requests(stream))
    assert answer.success.HasField("no_stream")
    append(client, stream, StreamState.NO_STREAM, event())
    assert raw_append(channel, requests(stream)).success.current_revision == 0
    with pytest.raises(WrongCurrentVersionError):
        append(client, stream, StreamState.NO_STREAM)


# --- Deleted streams -------------------------------------------------------------------------------------------------


def test_a_stream_that_never_was_cannot_be_deleted(client: KurrentDBClient, stream: str):
    for expected in EXPECTED:
        with pytest.raises(NotFoundError):
            client.delete_stream(stream, current_version=expected)


def test_a_deleted_stream_is_there_for_nobody_and_goes_on(client: KurrentDBClient, stream: str):
    append(client, stream, StreamState.NO_STREAM, event(), event())
    with pytest.raises(WrongCurrentVersionError):
        client.delete_stream(stream, current_version=0)
    client.delete_stream(stream, current_version=1)
    with pytest.raises(NotFoundError):
        client.get_stream(stream)
    assert client.get_current_version(stream) is StreamState.NO_STREAM
    with pytest.raises(WrongCurrentVersionError):
        append(client, stream, StreamState.EXISTS, event())
    with pytest.raises(WrongCurrentVersionError):
        append(client, stream, 0, event())
    append(client, stream, StreamState.NO_STREAM, event())
    append(client, stream, StreamState.EXISTS, event())
    assert [found.stream_position for found in client.get_stream(stream)] == [2, 3]


def test_a_deleted_stream_is_deleted_again_without_a_word_unless_it_must_exist(client: KurrentDBClient, stream: str):
    append(client, stream, StreamState.NO_STREAM, event())
    client.delete_stream(stream, current_version=StreamState.EXISTS)
    end = client.get_commit_position(filter_exclude=[])
    client.delete_stream(stream, current_version=StreamState.ANY)
    client.delete_stream(stream, current_version=0)
    with pytest.raises(WrongCurrentVersionError):
        client.delete_stream(stream, current_version=1)
    with pytest.raises(StreamIsDeletedError):
        client.delete_stream(stream, current_version=StreamState.EXISTS)
    assert client.get_commit_position(filter_exclude=[]) == end
    append(client, stream, 0, event())
    client.delete_stream(stream, current_version=1)
    with pytest.raises(NotFoundError):
        client.get_stream(stream)


def test_metadata_is_not_deleted_and_no_stream_is_closed(client: KurrentDBClient, stream: str):
    append(client, stream, StreamState.NO_STREAM, event())
    with pytest.raises(GrpcError, match="metadata cannot be deleted"):
        client.delete_stream(f"$${stream}", current_version=StreamState.ANY)
    with pytest.raises(GrpcError, match="cannot be tombstoned"):
        client.tombstone_stream(stream, current_version=StreamState.ANY)


# --- What cannot be appended -----------------------------------------------------------------------------------------


def test_what_is_too_large_is_refused_with_the_bound(stream: str, channel: grpc.Channel):
    code, text, trailers = refusal(channel, requests(stream, proposed(b'"%s"' % bytes(EVENT_SIZE_BYTES_MAX))))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text.startswith("Maximum Append Size Exceeded")
    assert trailers["exception"] == "maximum-append-size-exceeded"
    assert trailers["maximum-append-size"] == str(EVENT_SIZE_BYTES_MAX)


@pytest.mark.parametrize(("size_bytes", "events"), [(1, REQUEST_EVENTS_MAX), (REQUEST_SIZE_BYTES_MAX // 4, 4)])
def test_what_comes_is_bounded_and_counts_until_the_end(size_bytes: int, events: int):
    bodies = BodyMemory(REQUEST_SIZE_BYTES_MAX)
    with Gathering(bodies) as held:
        for _ in range(events):
            held.add(size_bytes)
        with pytest.raises(PayloadTooLarge):
            held.add(size_bytes)
        with pytest.raises(Overloaded):
            bodies.take(REQUEST_SIZE_BYTES_MAX - size_bytes * events + 1)
    bodies.take(REQUEST_SIZE_BYTES_MAX)


def test_an_append_has_a_time_to_come_in(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gathering, "ESDB_APPEND_S", 0.01)
    with pytest.raises(Refused, match="did not come whole") as caught:
        asyncio.run(gathering.in_time(asyncio.sleep(60)))
    assert caught.value.status == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize("properties", [("type",), ("content-type",), ()])
def test_events_say_their_type_and_content_type(stream: str, channel: grpc.Channel, properties):
    code, text, trailers = refusal(channel, requests(stream, proposed(b"{}", properties)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "Required Metadata Property" in text
    assert trailers["exception"] == "missing-required-metadata-property"
    assert trailers["required-metadata-properties"] == "type,content-type"


def _with_id(text: str) -> pb.AppendReq:
    message = proposed()
    message.proposed_message.id.string = text
    return message


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([], "/options: "),
        ([proposed()], "/options: "),
        (requests("order-1", pb.AppendReq()), "/proposed_message: "),
        ([*requests("order-1"), *requests("order-1")], "/proposed_message: "),
        (requests(""), "/stream_name: "),
        (requests("order-" + "x" * 255), "/stream_name: "),
        (requests("order-\n"), "/stream_name: "),
        (requests(b"order-\xff"), "/stream_name: not UTF-8"),
        (requests("order-1", _with_id("1")), "/events/0/id: "),
        (requests("order-1", proposed(), _with_id("")), "/events/1/id: "),
        (requests("$indelible-keys", proposed()), None),
    ],
)
def test_what_is_malformed_is_named(channel: grpc.Channel, messages: list[pb.AppendReq], text: str | None):
    if text is None:
        assert raw_append(channel, messages).success.current_revision >= 0  # a stream as any other
        return
    code, found, _ = refusal(channel, messages)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert found.startswith(text)
