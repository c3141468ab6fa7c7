"""BatchAppend as other clients than Python's send it: many appends in one call, and appends in several messages."""

import asyncio
import queue
import time
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import BadRequestError, MaximumAppendSizeExceededError, NotFoundError

from esdb.raw import batch, batch_append, raw_channel
from indelible.core.open import open_local_store
from indelible.errors import Overloaded
from indelible.eventstore import EventStore
from indelible.limits import (
    ESDB_APPEND_S,
    ESDB_APPENDS_OPEN_MAX,
    EVENT_SIZE_BYTES_MAX,
    GRPC_BATCHES_UNDER_WAY_MAX,
    REQUEST_EVENTS_MAX,
    REQUEST_SIZE_BYTES_MAX,
)
from indelible.server.esdb.batch_appends import _begin_all
from indelible.server.esdb.batch_appends import batch_append as begin_appends
from indelible.server.esdb.open_appends import OpenAppends
from indelible.server.grpc.under_way import UnderWay
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


def expecting(state: int | str, stream: str, *data: bytes) -> pb.BatchAppendReq:
    """``state``: a revision, or the name of a field."""
    message = batch(stream, *data)
    if isinstance(state, int):
        message.options.stream_position = state
    else:
        getattr(message.options, state).SetInParent()
    return message


def revisions_of(channel: grpc.Channel, *messages: pb.BatchAppendReq) -> list[int]:
    """That the appends are answered with: all must be successes."""
    answers = list(batch_append(channel, messages))
    assert [kind(answer) for answer in answers] == ["success"] * len(answers)
    return [answer.success.current_revision for answer in answers]


async def stored_at_once(store: EventStore, *messages: pb.BatchAppendReq) -> list[pb.BatchAppendResp]:
    """By messages that are all there when the call begins."""

    async def requests() -> AsyncIterator[bytes]:
        for message in messages:
            yield message.SerializeToString()

    async def has_room(_: int) -> None:
        pass

    call: Any = SimpleNamespace(store=store, bodies=Bodies(), wait_for_events=has_room, stopping=asyncio.Event())
    return [pb.BatchAppendResp.FromString(one) async for one in begin_appends(call, requests())]


@pytest.mark.parametrize("state", ["any", 599, "stream_exists"])
async def test_appends_to_one_stream_are_stored_as_they_come_however_many_events_they_have(state: int | str):
    many = expecting("any", "order-1", *(b"%d" % n for n in range(600)))
    async with open_local_store("memory:") as store:
        answers = await stored_at_once(store, many, expecting(state, "order-1", b"600"))
        assert [answer.success.current_revision for answer in answers] == [599, 600]
        page = await store.read_aggregate("order", "1", limit=1_000)
        assert [event.event_data for event in page.events] == list(range(601))


async def test_what_the_store_finds_out_before_its_first_append_lets_none_overtake():
    async with open_local_store("memory:") as store:
        answers = await stored_at_once(store, *(batch(f"order-{n % 2}", b"%d" % n) for n in range(40)))
        assert [answer.success.current_revision for answer in answers] == [n // 2 for n in range(40)]


def test_appends_that_look_at_the_stream_first_keep_their_place_too(channel: grpc.Channel, stream: str):
    """Those that expect that it exists, or that there is none where it was deleted; and those of nothing."""
    states: list[tuple[int | str, int]] = [
        ("any", 1), ("stream_exists", 1), ("any", 1), (2, 0), ("stream_exists", 1), (3, 1), ("any", 0),
    ]  # fmt: skip
    revisions = revisions_of(channel, *(expecting(state, stream, *[b"1"] * events) for state, events in states))
    assert revisions == [0, 1, 2, 2, 3, 4, 4]


def test_who_appends_to_a_deleted_stream_as_to_none_keeps_its_place(
    channel: grpc.Channel, client: KurrentDBClient, stream: str
):
    client.append_to_stream(stream, current_version=StreamState.ANY, events=[NewEvent("Placed", b"{}")])
    client.delete_stream(stream, current_version=0)
    states = ("no_stream", "any", 2)
    assert revisions_of(channel, *(expecting(state, stream, b"1") for state in states)) == [1, 2, 3]


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


async def test_what_is_whole_and_not_begun_when_the_client_leaves_is_held_no_longer():
    bodies = Bodies()
    under_way = UnderWay[pb.BatchAppendResp]()
    for _ in range(GRPC_BATCHES_UNDER_WAY_MAX):
        await under_way.wait_for_room()

    async def requests() -> AsyncIterator[bytes]:
        yield batch("order-1", b"1").SerializeToString()

    call: Any = SimpleNamespace(bodies=bodies)
    begin_all = asyncio.create_task(_begin_all(call, requests(), under_way))
    for _ in range(10):
        await asyncio.sleep(0)
    assert bodies.held_bytes
    begin_all.cancel()
    await asyncio.wait([begin_all])
    assert bodies.held_bytes == 0


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
