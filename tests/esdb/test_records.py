"""Records for several streams, appended together."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import grpc
import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.events import NewEvents, NewRecord, StreamStateCheck
from kurrentdbclient.exceptions import (
    ConsistencyChecksFailedError,
    GrpcError,
    MultiAppendToSameStreamError,
    NotFoundError,
    RecordMaxSizeExceededError,
    TransactionMaxSizeExceededError,
    WrongCurrentVersionError,
)

from esdb.raw import append_records, append_session, raw_channel
from indelible.errors import InvalidRequest
from indelible.events import NewEvent as StoredEvent
from indelible.limits import ESDB_CHECKS_MAX, ESDB_VIOLATIONS_SIZE_BYTES_MAX, EVENT_SIZE_BYTES_MAX
from indelible.wire.esdb.pb import records_pb2 as pb
from indelible.wire.esdb.records import Violation, checks_failed, recorded_event

BINARY = "application/octet-stream"


@pytest.fixture
def streams() -> tuple[str, str]:
    return f"order-{uuid4()}", f"stock-{uuid4()}"


@pytest.fixture(scope="module")
def channel(esdb_url: str) -> Iterator[grpc.Channel]:
    with raw_channel(esdb_url) as channel:
        yield channel


def event(data: bytes = b"{}", metadata: bytes = b"", content_type: Any = "application/json") -> NewEvent:
    return NewEvent(type="Placed", data=data, metadata=metadata, content_type=content_type)


def record(stream: str, data: bytes = b"{}") -> NewRecord:
    return NewRecord(stream_name=stream, type="Placed", data=data)


def check(stream: str, expected: int | StreamState) -> StreamStateCheck:
    return StreamStateCheck(stream_name=stream, expected_state=expected)


def count(client: KurrentDBClient, stream: str) -> int:
    try:
        return len(client.get_stream(stream))
    except NotFoundError:
        return 0


# --- AppendSession ---------------------------------------------------------------------------------------------------


def test_several_streams_are_appended_to_together(client: KurrentDBClient, streams: tuple[str, str]):
    first, second = streams
    mine = event(b'{"n": 1}', b'{"user":"ada"}'), event(b"\xff\x00", content_type=BINARY)
    position = client.multi_append_to_stream(
        [NewEvents(first, mine, StreamState.NO_STREAM), NewEvents(second, [event()], StreamState.ANY)]
    )
    found = client.get_stream(first)
    assert [(one.id, one.data, one.metadata, one.content_type) for one in found] == [
        (one.id, one.data, one.metadata, one.content_type) for one in mine
    ]
    assert client.get_stream(second)[0].commit_position == position == found[-1].commit_position + 1


def test_if_one_stream_is_not_as_expected_nothing_is_stored(client: KurrentDBClient, streams: tuple[str, str]):
    first, second = streams
    for expected in (0, 7, StreamState.EXISTS):
        with pytest.raises(WrongCurrentVersionError) as caught:
            client.multi_append_to_stream(
                [NewEvents(first, [event()], StreamState.ANY), NewEvents(second, [event()], expected)]
            )
        assert caught.value.stream_name == second
        assert caught.value.expected_version == expected
        assert caught.value.actual_version is StreamState.NO_STREAM
    assert (count(client, first), count(client, second)) == (0, 0)


def test_deleted_streams_do_not_exist_and_go_on(client: KurrentDBClient, streams: tuple[str, str]):
    for stream in streams:
        client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=event())
        client.delete_stream(stream, current_version=0)
    with pytest.raises(WrongCurrentVersionError):
        client.multi_append_to_stream([NewEvents(stream, [event()], StreamState.EXISTS) for stream in streams])
    client.multi_append_to_stream([NewEvents(stream, [event()], StreamState.NO_STREAM) for stream in streams])
    assert [client.get_current_version(stream) for stream in streams] == [1, 1]
    with pytest.raises(WrongCurrentVersionError) as caught:
        client.multi_append_to_stream([NewEvents(streams[1], [event()], StreamState.NO_STREAM)])
    assert caught.value.actual_version == 1


def test_the_same_again_is_answered_with_its_first_position(client: KurrentDBClient, streams: tuple[str, str]):
    both = [NewEvents(stream, [event()], StreamState.NO_STREAM) for stream in streams]
    first = client.multi_append_to_stream(both)
    client.append_to_stream(streams[0], current_version=0, events=event())
    assert client.multi_append_to_stream(both) == first
    mixed = NewEvents(streams[0], [*both[0].events, event()], StreamState.ANY)
    with pytest.raises(WrongCurrentVersionError) as caught:
        client.multi_append_to_stream([mixed])
    assert (caught.value.stream_name, caught.value.actual_version) == (streams[0], 1)


def test_a_stream_stands_once_in_a_session(client: KurrentDBClient, stream: str):
    with pytest.raises(MultiAppendToSameStreamError) as caught:
        client.multi_append_to_stream([NewEvents(stream, [event()], StreamState.ANY)] * 2)
    assert caught.value.stream_name == stream
    assert count(client, stream) == 0


def test_what_is_too_large_says_how_large_it_is(client: KurrentDBClient, stream: str):
    large = event(bytes(EVENT_SIZE_BYTES_MAX + 1), content_type=BINARY)
    with pytest.raises(RecordMaxSizeExceededError) as caught:
        client.multi_append_to_stream([NewEvents(stream, [large], StreamState.ANY)])
    assert (caught.value.stream_name, caught.value.event_id) == (stream, large.id)
    assert (caught.value.size, caught.value.max_size) == (EVENT_SIZE_BYTES_MAX + 1, EVENT_SIZE_BYTES_MAX)
    halves = [
        NewEvents(f"{stream}-{n}", [event(bytes(1_000_000), content_type=BINARY) for _ in range(9)], StreamState.ANY)
        for n in range(2)
    ]
    with pytest.raises(TransactionMaxSizeExceededError) as together:
        client.multi_append_to_stream(halves)
    assert together.value.size > together.value.max_size


def test_a_session_says_something(channel: grpc.Channel, client: KurrentDBClient, stream: str):
    with pytest.raises(grpc.RpcError, match="no requests"):
        append_session(channel, [])
    with pytest.raises(grpc.RpcError, match="/appends/0/events"):
        append_session(channel, [pb.AppendRequest(stream=stream)])
    with pytest.raises(grpc.RpcError, match="/expected_revision"):
        append_session(channel, [pb.AppendRequest(stream=stream, expected_revision=-3)])
    with pytest.raises(grpc.RpcError, match="/records/0/schema/format"):
        append_session(channel, [pb.AppendRequest(stream=stream, records=[pb.AppendRecord()])])


def session_of(name: str, categories: int, expected: int) -> list[pb.AppendRequest]:
    """An event for one stream of each category."""
    requests = [pb.AppendRequest(stream=f"{name}{i}-1", expected_revision=expected) for i in range(categories)]
    for request in requests:
        added = request.records.add(record_id=str(uuid4()), data=b"{}")
        added.schema.name, added.schema.format = "Placed", 1
    return requests


@pytest.mark.parametrize("categories", [128, 129, 300])
def test_streams_of_many_categories_may_be_expected_to_exist(channel: grpc.Channel, categories: int):
    name = uuid4().hex
    for expected in (-1, -4):
        answer = append_session(channel, session_of(name, categories, expected))
        assert {one.stream_revision for one in answer.output} == {0 if expected == -1 else 1}


def test_what_is_refused_with_a_name_of_any_length_is_said(channel: grpc.Channel):
    requests = session_of("x" * 20_000, 1, -2)
    with pytest.raises(grpc.RpcError) as caught:
        append_session(channel, [*requests, *requests])
    assert caught.value.code() is grpc.StatusCode.ABORTED


def test_what_has_no_room_in_a_condition_is_said(channel: grpc.Channel):
    with pytest.raises(grpc.RpcError, match="8100 categories are expected to exist"):
        append_session(channel, session_of(uuid4().hex, 8_100, -4))


# --- AppendRecords ---------------------------------------------------------------------------------------------------


def test_records_keep_their_order_over_streams(client: KurrentDBClient, streams: tuple[str, str]):
    first, second = streams
    given = [record(first, b"1"), record(second, b"2"), record(first, b"3")]
    done = client.append_records(given, [check(first, StreamState.NO_STREAM)])
    found = sorted((*client.get_stream(first), *client.get_stream(second)), key=lambda one: one.commit_position)
    assert [one.id for one in found] == [one.id for one in given]
    assert done.commit_position == found[-1].commit_position
    assert [(one.stream_name, one.stream_position) for one in done.stream_positions] == [(first, 1), (second, 0)]
    assert client.append_records(given, [check(first, StreamState.NO_STREAM)]) == done


@pytest.mark.parametrize("is_appended_to", [True, False])
def test_checks_hold_or_nothing_is_stored(client: KurrentDBClient, streams: tuple[str, str], is_appended_to: bool):
    checked, other = streams
    given = record(checked if is_appended_to else other)

    def refused(state: int | StreamState) -> tuple[int, str, int, int]:
        with pytest.raises(ConsistencyChecksFailedError) as caught:
            client.append_records(given, [check(f"{checked}-2", StreamState.NO_STREAM), check(checked, state)])
        (failure,) = caught.value.failures
        found = failure.stream_state_failure
        return failure.check_index, found.stream_name, found.expected_state, found.actual_state

    assert refused(StreamState.EXISTS) == (1, checked, -4, -1)
    assert refused(0) == (1, checked, 0, -1)
    client.append_to_stream(checked, current_version=StreamState.NO_STREAM, events=event())
    assert refused(StreamState.NO_STREAM) == (1, checked, -1, 0)
    client.delete_stream(checked, current_version=0)
    assert refused(StreamState.EXISTS) == (1, checked, -4, -1)
    client.append_records(given, [check(checked, StreamState.NO_STREAM)])
    assert count(client, given.stream_name) == 1


def test_a_check_of_another_stream_holds_at_the_moment_of_the_append(client: KurrentDBClient, streams: tuple[str, str]):
    """Whoever withdraws first marks the account; a booking that is stored later would be one too many."""
    account, bookings = streams
    client.append_to_stream(account, current_version=StreamState.NO_STREAM, events=event())

    def book(_: int) -> int | None:
        try:
            return int(client.append_records(record(bookings), [check(account, 0)]).commit_position)
        except ConsistencyChecksFailedError:
            return None

    with ThreadPoolExecutor(4) as threads:
        booking = threads.map(book, range(30))
        while count(client, bookings) < 5:
            time.sleep(0.01)
        closed = client.append_to_stream(account, current_version=0, events=event())
        positions = list(booking)
    stored = [position for position in positions if position is not None]
    assert len(stored) >= 5
    assert max(stored) < closed
    assert None in positions or len(stored) == 30


def test_checks_are_bounded_and_say_one_thing(channel: grpc.Channel, stream: str):
    def with_checks(*checks: pb.ConsistencyCheck) -> pb.AppendRecordsRequest:
        return pb.AppendRecordsRequest(records=[_record(stream=stream)], checks=checks)

    def one(name: str, state: int = -1) -> pb.ConsistencyCheck:
        found = pb.ConsistencyCheck()
        found.stream_state.stream, found.stream_state.expected_state = name, state
        return found

    for request, pointer in (
        (pb.AppendRecordsRequest(), "/records"),
        (with_checks(one("a"), one("a")), "/checks/1/stream_state/stream"),
        (with_checks(one("a", -3)), "/checks/0/stream_state/expected_state"),
        (with_checks(pb.ConsistencyCheck()), "/checks/0"),
        (with_checks(*(one(f"a{n}") for n in range(ESDB_CHECKS_MAX + 1))), "/checks: at most"),
    ):
        with pytest.raises(grpc.RpcError, match=pointer) as caught:
            append_records(channel, request)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    most = with_checks(*(one(f"t{n}-{uuid4()}") for n in range(ESDB_CHECKS_MAX)))
    assert append_records(channel, most).revisions[0].revision == 0


def test_what_checks_failed_has_room_in_the_trailers():
    many = [Violation(n, "stream" * 40, "exists", 0) for n in range(100)]
    ((_, details),) = checks_failed(many).trailers
    assert 1_000 < len(details) < 1.5 * ESDB_VIOLATIONS_SIZE_BYTES_MAX


# --- Records and events ----------------------------------------------------------------------------------------------


def _record(properties: dict[str, object] | None = None, **fields: Any) -> pb.AppendRecord:
    made = pb.AppendRecord(data=b"{}", **fields)
    made.schema.name, made.schema.format = "Placed", pb.SCHEMA_FORMAT_JSON
    for name, value in (properties or {}).items():
        if isinstance(value, list):
            made.properties[name].list_value.extend(value)
        elif isinstance(value, dict):
            made.properties[name].struct_value.update(value)
        elif isinstance(value, bool):
            made.properties[name].bool_value = value
        elif isinstance(value, (int, float)):
            made.properties[name].number_value = value
        elif isinstance(value, str):
            made.properties[name].string_value = value
        else:
            made.properties[name].null_value = 0
    return made


def test_properties_are_metadata():
    properties = {"z": 1, "half": 0.5, "on": True, "no": None, "who": "ada", "in": {"a": [1, "b"]}, "large": 1e300}
    found = recorded_event(_record(properties))
    assert json.loads(found.metadata_raw) == properties
    assert b'"z":1}' in found.metadata_raw
    assert recorded_event(_record()).metadata_raw == b"{}"
    with pytest.raises(InvalidRequest, match="finite"):
        recorded_event(_record({"a": float("nan")}))


def test_tags_are_a_property():
    assert recorded_event(_record({"$tags": ["b", "a", "b"]})).tags == ("a", "b")
    found: StoredEvent = recorded_event(_record({"$tags": "course:c1, student:s1"}))
    assert found.tags == ("course:c1", "student:s1")
    assert found.metadata == {"$tags": "course:c1, student:s1"}
    for bad in (7, [7], {"a": 1}, "a,,b"):
        with pytest.raises(InvalidRequest, match="must be"):
            recorded_event(_record({"$tags": bad}))


def test_a_schema_s_format_is_the_content_type():
    made = _record()
    made.schema.id = "7"
    assert recorded_event(made).metadata == {"$schema.id": "7"}
    types = []
    for made.schema.format in (pb.SCHEMA_FORMAT_PROTOBUF, pb.SCHEMA_FORMAT_AVRO, pb.SCHEMA_FORMAT_BYTES):
        types.append(recorded_event(made).content_type)
    assert types == ["application/vnd.google.protobuf", "application/vnd.apache.avro", BINARY]
    made.schema.format = pb.SCHEMA_FORMAT_UNSPECIFIED
    with pytest.raises(InvalidRequest, match="JSON, PROTOBUF"):
        recorded_event(made)


def test_an_id_is_made_where_none_is_given():
    assert recorded_event(_record()).event_id.version == 7
    with pytest.raises(InvalidRequest, match="UUID"):
        recorded_event(_record(record_id="7"))


def test_metadata_of_python_s_client_is_text(client: KurrentDBClient, stream: str):
    with pytest.raises(GrpcError, match="/appends/0/events"):
        client.multi_append_to_stream([NewEvents(stream, [], StreamState.ANY)])
