"""Fields are counted before a message is decoded, whatever is in it."""

from random import Random

import pytest

from esdb.callers import a_proposed_event
from esdb.random_messages import fill, mutated
from indelible.limits import GRPC_FIELDS_MAX, REQUEST_EVENTS_MAX
from indelible.wire.esdb.pb import shared_pb2
from indelible.wire.esdb.pb import streams_pb2 as pb
from indelible.wire.message_fields import TooManyFields, check_fields

KIND = pb.BatchAppendReq.DESCRIPTOR


def count(encoded: bytes) -> int:
    """By trying."""
    low, high = 0, len(encoded) + 1
    while low < high:
        middle = (low + high) // 2
        try:
            check_fields(KIND, encoded, middle)
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


def test_an_append_of_as_many_events_as_there_may_be_is_not_too_much():
    request = pb.BatchAppendReq(proposed_messages=[a_proposed_event()] * REQUEST_EVENTS_MAX)
    check_fields(KIND, request.SerializeToString(), GRPC_FIELDS_MAX)


@pytest.mark.parametrize("empty", [b"\x1a\x00", b"\x22\x00", b"\x7b", b"\x20\x00", b"\x1a\x02\x12\x00"])
def test_what_says_nothing_counts(empty: bytes):
    with pytest.raises(TooManyFields):
        check_fields(KIND, empty * (GRPC_FIELDS_MAX + 1), GRPC_FIELDS_MAX)


def test_whatever_comes_is_counted_to_its_end():
    random = Random(17)
    for _ in range(500):
        request = pb.BatchAppendReq()
        fill(request, random)
        encoded = mutated(request.SerializeToString(), random)
        assert 0 <= count(encoded) <= len(encoded)
