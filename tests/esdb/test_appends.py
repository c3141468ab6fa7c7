"""What streams expect, and ids that come again, as clients of KurrentDB and EventStoreDB see it."""

from uuid import uuid4

import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import KurrentDBClientError, WrongCurrentVersionError


def event(data: bytes = b"{}") -> NewEvent:
    return NewEvent(type="Placed", data=data)


def append(client: KurrentDBClient, stream: str, expected: int | StreamState, *events: NewEvent) -> int:
    position: int = client.append_to_stream(stream, current_version=expected, events=list(events))
    return position


def test_each_expected_revision_is_kept(client: KurrentDBClient, stream: str):
    for refused in (StreamState.EXISTS, 0, 5):
        with pytest.raises(WrongCurrentVersionError):
            append(client, stream, refused, event())
    append(client, stream, StreamState.NO_STREAM, event(), event())
    append(client, stream, 1, event())
    append(client, stream, StreamState.EXISTS, event())
    append(client, stream, StreamState.ANY, event())
    for refused in (StreamState.NO_STREAM, 3, 5):
        with pytest.raises(WrongCurrentVersionError, match="Stream position of last event is 4"):
            append(client, stream, refused, event())


def test_the_same_append_again_is_answered_with_its_first_position(client: KurrentDBClient, stream: str):
    events = [event(), event()]
    first = append(client, stream, StreamState.NO_STREAM, *events)
    append(client, stream, 1, event())
    assert append(client, stream, StreamState.NO_STREAM, *events) == first


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
