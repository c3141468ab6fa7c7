"""BatchAppend as other clients than Python's send it: many appends in one call, and appends in several messages."""

import queue
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import grpc
import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import BadRequestError, MaximumAppendSizeExceededError, NotFoundError

from esdb.raw import batch, batch_append, raw_channel
from indelible.errors import Overloaded
from indelible.limits import (
    ESDB_APPEND_S,
    ESDB_APPENDS_OPEN_MAX,
    EVENT_SIZE_BYTES_MAX,
    REQUEST_EVENTS_MAX,
    REQUEST_SIZE_BYTES_MAX,
)
from indelible.server.esdb.open_appends import OpenAppends
from indelible.server.services import BodyMemory
from indelible.wire.esdb.pb import shared_pb2 as shared
from indelible.wire.esdb.pb import streams_pb2 as pb

NAME = str(uuid4())


@pytest.fixture(scope="module")
def channel(esdb_url: str) -> Iterator[grpc.Channel]:
    with raw_channel(esdb_url) as channel:
        yield channel


def kind(answer: pb.BatchAppendResp) -> str:
    """Of the answer: "success", or the name of the only detail."""
    return "success" if answer.HasField("success") else answer.error.details.TypeName().rpartition(".")[2]


def test_many_appends_of_one_call_are_answered_in_order(channel: grpc.Channel, client: KurrentDBClient, stream: str):
    messages = [batch(stream, b'{"n":%d}' % n) for n in range(40)]
    answers = list(batch_append(channel, messages))
    assert [answer.correlation_id for answer in answers] == [message.correlation_id for message in messages]
    assert [answer.success.current_revision for answer in answers] == list(range(40))
    assert answers[0].stream_identifier.stream_name.decode() == stream
    assert answers[0].WhichOneof("expected_stream_position") == "any"
    assert [event.data for event in client.get_stream(stream)] == [b'{"n":%d}' % n for n in range(40)]


def test_appends_in_several_messages_are_told_apart(channel: grpc.Channel, client: KurrentDBClient, stream: str):
    one, other = str(uuid4()), str(uuid4())
    messages = [
        batch(stream, b"1", correlation=one, is_final=False),
        batch(f"{stream}-2", b"2", correlation=other, is_final=False),
        batch(stream, b"3", correlation=one, is_final=False, has_options=False),
        batch("", b"4", correlation=other, has_options=False),
        batch("", correlation=one, has_options=False),
        batch(f"{stream}-3", b"5", correlation=one),
    ]
    answers = list(batch_append(channel, messages))
    assert [answer.correlation_id.string for answer in answers] == [other, one, one]
    assert {kind(answer) for answer in answers} == {"success"}
    found = [[event.data for event in client.get_stream(name)] for name in (stream, f"{stream}-2", f"{stream}-3")]
    assert found == [[b"1", b"3"], [b"2", b"4"], [b"5"]]


def test_what_is_wrong_with_one_append_is_its_own_answer(channel: grpc.Channel, stream: str):
    conflict, nameless, nothing = batch(stream, b"1"), batch("", b"1"), batch(f"{stream}-2")
    conflict.options.stream_position = 7
    no_state = batch(stream, b"1")
    no_state.options.ClearField("any")
    no_type = batch(stream, b"1")
    del no_type.proposed_messages[0].metadata["type"]
    messages = [conflict, nameless, no_state, no_type, batch("", b"1", has_options=False), nothing, batch(stream, b"1")]
    answers = list(batch_append(channel, messages))
    assert [kind(answer) for answer in answers] == [
        "WrongExpectedVersion", "BadRequest", "BadRequest", "BadRequest", "BadRequest", "success", "success",
    ]  # fmt: skip
    wrong, bad = shared.WrongExpectedVersion(), shared.BadRequest()
    assert answers[0].error.details.Unpack(wrong)
    assert (wrong.expected_stream_position, wrong.HasField("current_no_stream")) == (7, True)
    assert answers[3].error.details.Unpack(bad)
    assert bad.message == "Required Metadata Property 'type' is missing"
    assert answers[5].success.HasField("no_stream")


def test_what_its_clients_raise(client: KurrentDBClient, stream: str):
    large = NewEvent(type="Placed", data=bytes(EVENT_SIZE_BYTES_MAX + 1), content_type="application/octet-stream")
    with pytest.raises(MaximumAppendSizeExceededError, match=str(EVENT_SIZE_BYTES_MAX)):
        client.append_to_stream(stream, current_version=StreamState.ANY, events=[large])
    with pytest.raises(BadRequestError, match="control characters"):
        client.append_to_stream(f"{stream}\n", current_version=StreamState.ANY, events=[NewEvent("Placed", b"{}")])
    with pytest.raises(BadRequestError, match="255 characters"):
        client.append_to_stream(stream, current_version=StreamState.ANY, events=[NewEvent("P" * 256, b"{}")])


def test_a_deadline_that_has_passed_is_told_and_nothing_stored(
    channel: grpc.Channel, client: KurrentDBClient, stream: str
):
    passed, before_now = batch(stream, b"1"), batch(stream, b"2")
    passed.options.deadline.seconds = -1
    before_now.options.deadline_21_10_0.seconds = int(time.time()) - 1
    in_time, never = batch(f"{stream}-2", b"3"), batch(f"{stream}-2", b"4")
    in_time.options.deadline_21_10_0.seconds = int(time.time()) + 60
    never.options.deadline.seconds = 315_576_000_000
    answers = list(batch_append(channel, [passed, before_now, in_time, never]))
    assert [kind(answer) for answer in answers] == ["Timeout", "Timeout", "success", "success"]
    assert [event.data for event in client.get_stream(f"{stream}-2")] == [b"3", b"4"]
    with pytest.raises(NotFoundError):
        client.get_stream(stream)


def test_an_append_that_does_not_become_whole_is_given_up_at_its_deadline(
    channel: grpc.Channel, client: KurrentDBClient, stream: str
):
    sent: queue.Queue[pb.BatchAppendReq | None] = queue.Queue()
    answers = batch_append(channel, iter(sent.get, None))
    begun = batch(stream, b"1", correlation=NAME, is_final=False)
    begun.options.deadline.nanos = 200_000_000
    sent.put(begun)
    late = next(answers)
    assert (kind(late), late.correlation_id.string) == ("Timeout", NAME)
    sent.put(batch("", b"2", correlation=NAME, has_options=False))  # is passed over
    sent.put(batch(f"{stream}-2", b"3"))
    assert kind(next(answers)) == "success"
    sent.put(None)
    assert list(answers) == []
    with pytest.raises(NotFoundError):
        client.get_stream(stream)


def test_nothing_of_an_append_is_stored_whose_end_never_comes(
    channel: grpc.Channel, client: KurrentDBClient, stream: str
):
    messages = [batch(stream, b"1", is_final=False), batch(f"{stream}-2", b"2")]
    assert [kind(answer) for answer in batch_append(channel, messages)] == ["success"]
    with pytest.raises(NotFoundError):
        client.get_stream(stream)


def test_what_cannot_be_told_apart_ends_the_call_after_what_was_begun(channel: grpc.Channel, stream: str):
    nameless = batch(stream, b"2", is_final=False)
    nameless.correlation_id.string = "1"
    answers = batch_append(channel, [batch(stream, b"1"), nameless])
    assert kind(next(answers)) == "success"
    with pytest.raises(grpc.RpcError, match="/correlation_id"):
        next(answers)


# --- Appends that are not whole --------------------------------------------------------------------------------------


class Bodies(BodyMemory):
    """As much as two appends of the largest size."""

    def __init__(self) -> None:
        super().__init__(2 * REQUEST_SIZE_BYTES_MAX)

    @property
    def held_bytes(self) -> int:
        return 2 * REQUEST_SIZE_BYTES_MAX - self._free_bytes


def test_all_that_is_held_counts_until_it_is_let_go():
    bodies = Bodies()
    still_open = OpenAppends(bodies)
    assert still_open.add(batch("order-1", b"1", correlation=NAME, is_final=False), 1_000, 0.0) is None
    whole = still_open.add(batch("", b"2", correlation=NAME, has_options=False), 500, 1.0)
    assert whole is not None
    assert ([one.data for one in whole.request.proposed_messages], bodies.held_bytes) == ([b"1", b"2"], 1_500)
    whole.let_go()
    assert still_open.add(batch("order-1", b"1", is_final=False), 1_000, 0.0) is None
    still_open.let_go()
    assert bodies.held_bytes == 0


@pytest.mark.parametrize(
    ("sizes", "events", "code"),
    [
        ((REQUEST_SIZE_BYTES_MAX, 1), 1, "payload_too_large"),
        ((1, 1), REQUEST_EVENTS_MAX // 2 + 1, "payload_too_large"),
        ((REQUEST_SIZE_BYTES_MAX - 1, 1), 1, None),
    ],
)
def test_what_is_too_large_is_refused_once_and_holds_nothing(sizes: tuple[int, int], events: int, code: str | None):
    bodies = Bodies()
    still_open = OpenAppends(bodies)
    data = [b"1"] * events
    assert still_open.add(batch("order-1", *data, correlation=NAME, is_final=False), sizes[0], 0.0) is None
    second = still_open.add(batch("order-1", *data, correlation=NAME, is_final=False), sizes[1], 0.0)
    assert (getattr(second and second.error, "code", None), bodies.held_bytes) == (code, 0 if code else sum(sizes))
    last = still_open.add(batch("", correlation=NAME), 1, 0.0)
    assert (last is None) == (code is not None)


def test_the_memory_of_all_requests_is_a_bound_too():
    bodies = Bodies()
    still_open = OpenAppends(bodies)
    for _ in range(2):
        assert still_open.add(batch("order-1", b"1", is_final=False), REQUEST_SIZE_BYTES_MAX, 0.0) is None
    refused = still_open.add(batch("order-1", b"1"), 1, 0.0)
    assert refused is not None
    assert isinstance(refused.error, Overloaded)


def test_so_many_are_open_at_the_most():
    still_open = OpenAppends(Bodies())
    for _ in range(ESDB_APPENDS_OPEN_MAX):
        assert still_open.add(batch("order-1", b"1", is_final=False), 10, 0.0) is None
    assert still_open.add(batch("order-1", b"1"), 10, 0.0) is not None  # it is whole
    with pytest.raises(Overloaded):
        still_open.add(batch("order-1", b"1", is_final=False), 10, 0.0)


def test_they_are_given_up_in_time():
    bodies = Bodies()
    still_open = OpenAppends(bodies)
    soon = batch("order-1", b"1", is_final=False)
    soon.options.deadline.seconds = 5
    still_open.add(batch("order-1", b"1", correlation=NAME, is_final=False), 10, 100.0)
    still_open.add(soon, 20, 100.0)
    assert still_open.first_end == 105.0
    assert [UUID(one.request.correlation_id.string) for one in still_open.late(105.0)] == [
        UUID(soon.correlation_id.string)
    ]
    assert (still_open.first_end, bodies.held_bytes) == (100.0 + ESDB_APPEND_S, 10)
    assert len(still_open.late(100.0 + ESDB_APPEND_S)) == 1
    assert (still_open.first_end, bodies.held_bytes) == (None, 0)


def test_a_name_that_is_none_is_not_kept():
    still_open = OpenAppends(Bodies())
    refused = still_open.add(batch(b"x" * 100_000, *[b"1"] * (REQUEST_EVENTS_MAX + 1), is_final=False), 10, 0.0)
    assert refused is not None
    assert refused.request.ByteSize() < 100
