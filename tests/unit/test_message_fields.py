"""Fields are counted before a message is decoded, whatever is in it."""

from random import Random

import pytest
from google.protobuf.message import Message

from esdb.callers import a_proposed_event
from esdb.random_messages import fill, mutated
from held import held_at_most
from indelible.errors import PayloadTooLarge
from indelible.limits import (
    CONDITION_ITEMS_MAX,
    GRPC_FIELDS_MAX,
    QUERY_NAMES_MAX,
    REQUEST_EVENTS_MAX,
    REQUEST_SIZE_BYTES_MAX,
    REQUEST_TAGS_MAX,
)
from indelible.server.grpc.calls import decode_message
from indelible.wire.esdb.pb import shared_pb2
from indelible.wire.esdb.pb import streams_pb2 as pb
from indelible.wire.message_fields import TooManyFields, check_each_field, check_fields
from indelible.wire.pb import event_store_pb2 as store_pb
from indelible.wire.pb import events_pb2 as events_pb

KIND = pb.BatchAppendReq.DESCRIPTOR


def count(encoded: bytes) -> int:
    """By trying."""
    low, high = 0, len(encoded) + 1
    while low < high:
        middle = (low + high) // 2
        try:
            check_each_field(KIND, encoded, middle)
            high = middle
        except TooManyFields:
            low = middle + 1
    return low


def test_fields_of_parts_count():
    request = pb.BatchAppendReq(is_final=True)
    assert count(request.SerializeToString()) == 1
    request.options.stream_identifier.stream_name = b"x"
    assert count(request.SerializeToString()) == 1 + 3
    event = request.proposed_messages.add(data=b"\n\0\n\0", id=shared_pb2.UUID(string="x"))
    event.metadata["type"] = "Placed"
    # The event, its data, its id and what that says, and an entry with key and value.
    assert count(request.SerializeToString()) == 4 + 1 + 1 + 2 + 3
    # What is small is taken for as many as could be in it.
    request.proposed_messages[0].metadata.clear()
    request.proposed_messages[0].metadata["a"] = "b"
    assert count(request.SerializeToString()) == 4 + 1 + 1 + 2 + 1 + 3


def test_a_message_of_as_much_as_there_may_be_is_not_too_much():
    request = pb.BatchAppendReq(proposed_messages=[a_proposed_event()] * REQUEST_EVENTS_MAX)
    check_fields(KIND, request.SerializeToString(), GRPC_FIELDS_MAX)
    own = store_pb.AppendAtomicRequest()
    names = ["x"] * QUERY_NAMES_MAX
    items = [events_pb.QueryItem(event_types=names, aggregate_types=names, tags=names)] * CONDITION_ITEMS_MAX
    own.condition.after = "1"
    own.condition.fail_if.extend(items)
    event = events_pb.NewEvent(
        event_id="x", event_type="x", event_data=b"1", metadata="{}", content_type="x",
        tags=["x"] * (REQUEST_TAGS_MAX // REQUEST_EVENTS_MAX),
    )  # fmt: skip
    append = store_pb.AggregateAppend(aggregate_type="x", aggregate_id="x", expected_version=1, events=[event])
    own.appends.extend([append] * REQUEST_EVENTS_MAX)
    encoded = own.SerializeToString()
    check_fields(own.DESCRIPTOR, encoded, GRPC_FIELDS_MAX)
    # Even where most of its bytes look like the beginning of what is repeated.
    append.events[0].event_data = b'"' + b"\x1a" * 100 + b'"'
    own.appends.extend([append])
    check_fields(own.DESCRIPTOR, own.SerializeToString(), GRPC_FIELDS_MAX)


@pytest.mark.parametrize("empty", [b"\x1a\x00", b"\x9a\x00\x00", b"\x1a\x02\x12\x00", b"\x1a\x04\x1a\x02\x0a\x00"])
def test_what_says_nothing_counts(empty: bytes):
    """Where it is kept each time that it comes, however its number is written."""
    with pytest.raises(TooManyFields):
        check_fields(KIND, empty * (GRPC_FIELDS_MAX + 1), GRPC_FIELDS_MAX)


@pytest.mark.parametrize("empty", [b"\x22\x00", b"\x20\x00", b"\x0a\x00", b"\x7a\x00", b"\x7b\x7c"])
def test_what_takes_no_more_when_it_comes_again_does_not(empty: bytes):
    encoded = empty * (GRPC_FIELDS_MAX + 1)
    check_fields(KIND, encoded, GRPC_FIELDS_MAX)
    pb.BatchAppendReq.FromString(encoded)


@pytest.mark.parametrize(
    ("kind", "empty"),
    [
        (store_pb.AggregateAppend, b"\x1a\x00"),
        (store_pb.AggregateAppend, b"\x1a\x02\x2a\x00"),
        (store_pb.AppendBatchRequest, b"\x0a\x02\x1a\x00"),
        (store_pb.AppendAtomicRequest, b"\x12\x02\x0a\x00"),
    ],
)
def test_a_message_that_would_take_long_to_decode_is_refused_soon(kind: type[Message], empty: bytes):
    encoded = empty * (REQUEST_SIZE_BYTES_MAX // len(empty))
    with held_at_most(1.0), pytest.raises(PayloadTooLarge, match="fields"):
        decode_message(kind, encoded)


def test_whatever_comes_is_counted_to_its_end():
    random = Random(17)
    for _ in range(500):
        request = pb.BatchAppendReq()
        fill(request, random)
        encoded = mutated(request.SerializeToString(), random)
        assert 0 <= count(encoded) <= len(encoded)
