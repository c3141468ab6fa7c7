"""Metadata that says how much of a stream is shown."""

import time
from uuid import uuid4

import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import KurrentDBClientError, NotFoundError, WrongCurrentVersionError


def fill(client: KurrentDBClient, stream: str, count: int) -> None:
    events = [NewEvent(type="Placed", data=b"{}") for _ in range(count)]
    client.append_to_stream(stream, current_version=StreamState.ANY, events=events)


def positions(client: KurrentDBClient, stream: str) -> list[int]:
    return [event.stream_position for event in client.get_stream(stream)]


def test_metadata_comes_back_with_its_version(client: KurrentDBClient, stream: str):
    assert client.get_stream_metadata(stream) == ({}, StreamState.NO_STREAM)
    said = {"$maxCount": 3, "$acl": {"$r": ["$all"]}, "team": "sales", "position": "first", "version": None}
    client.set_stream_metadata(stream, metadata=said, current_version=StreamState.NO_STREAM)
    assert client.get_stream_metadata(stream) == (said, 0)
    with pytest.raises(WrongCurrentVersionError):
        client.set_stream_metadata(stream, metadata={}, current_version=1)
    client.set_stream_metadata(stream, metadata={}, current_version=0)
    assert client.get_stream_metadata(stream) == ({}, 1)


def test_only_so_many_are_shown(client: KurrentDBClient, stream: str):
    fill(client, stream, 5)
    client.set_stream_metadata(stream, metadata={"$maxCount": 2, "position": "a member of the caller's own"})
    assert positions(client, stream) == [3, 4]
    fill(client, stream, 1)
    assert positions(client, stream) == [4, 5]
    client.set_stream_metadata(stream, metadata={})
    assert positions(client, stream) == [0, 1, 2, 3, 4, 5]


def test_what_is_truncated_is_not_shown(client: KurrentDBClient, stream: str):
    fill(client, stream, 3)
    client.set_stream_metadata(stream, metadata={"$tb": 2})
    assert positions(client, stream) == [2]


def test_what_is_old_is_not_shown(client: KurrentDBClient, stream: str):
    fill(client, stream, 1)
    client.set_stream_metadata(stream, metadata={"$maxAge": 10**15})
    assert positions(client, stream) == [0]
    client.set_stream_metadata(stream, metadata={"$maxAge": 4})
    time.sleep(4.1)
    fill(client, stream, 1)
    assert positions(client, stream) == [1]


def test_what_is_no_metadata_says_nothing(client: KurrentDBClient, stream: str):
    fill(client, stream, 2)
    for data in (b"[", b'{"$maxCount": 0}', b'{"$tb": -1}', b"\xff"):
        event = NewEvent(type="$metadata", data=data)
        client.append_to_stream(f"$${stream}", current_version=StreamState.ANY, events=event)
        assert positions(client, stream) == [0, 1]


def test_a_deletion_can_be_written_as_metadata_and_taken_back(client: KurrentDBClient, stream: str):
    fill(client, stream, 2)
    client.set_stream_metadata(stream, metadata={"$tb": 2**63 - 1})
    with pytest.raises(NotFoundError):
        client.get_stream(stream)
    fill(client, stream, 1)
    assert positions(client, stream) == [2]
    client.set_stream_metadata(stream, metadata={})
    assert positions(client, stream) == [0, 1, 2]


def test_a_deletion_is_metadata_too(client: KurrentDBClient, stream: str):
    fill(client, stream, 1)
    client.set_stream_metadata(stream, metadata={"team": "sales"})
    client.delete_stream(stream, current_version=StreamState.ANY)
    assert client.get_stream_metadata(stream) == ({"$tb": 2**63 - 1}, 1)


@pytest.mark.parametrize("by_metadata", [False, True])
def test_who_adds_a_member_to_the_metadata_of_a_stream_that_lives_again_hides_nothing(
    client: KurrentDBClient, stream: str, by_metadata: bool
):
    fill(client, stream, 2)
    if by_metadata:
        client.set_stream_metadata(stream, metadata={"$tb": 2**63 - 1, "team": [1.50, {"a": None}]})
    else:
        client.delete_stream(stream, current_version=StreamState.ANY)
    fill(client, stream, 2)
    for _ in range(2):
        metadata, version = client.get_stream_metadata(stream)
        assert metadata == {"$tb": 2, **({"team": [1.5, {"a": None}]} if by_metadata else {})}
        fill(client, stream, 1)
    client.set_stream_metadata(stream, metadata={**metadata, "owner": "me"}, current_version=version)
    assert positions(client, stream) == [2, 3, 4, 5]
    assert client.get_stream_metadata(stream) == ({**metadata, "owner": "me"}, 1)
    client.delete_stream(stream, current_version=StreamState.ANY)
    with pytest.raises(NotFoundError):
        client.get_stream(stream)
    assert client.get_stream_metadata(stream)[0] == {"$tb": 2**63 - 1}


def test_only_the_newest_metadata_is_shown_as_it_holds_now(client: KurrentDBClient, stream: str):
    fill(client, stream, 1)
    client.delete_stream(stream, current_version=StreamState.ANY)
    fill(client, stream, 1)
    deletion, changed = b'{"$tb":9223372036854775807}', b'{"$tb":1}'
    assert [event.data for event in client.get_stream(f"$${stream}")] == [changed]
    assert [event.data for event in client.read_all(backwards=True, filter_exclude=(), limit=2)][1] == deletion
    client.set_stream_metadata(stream, metadata={})
    assert [event.data for event in client.get_stream(f"$${stream}")] == [deletion, b"{}"]


@pytest.mark.parametrize("stream", ["$$", "$$$$order", "$$$$"])
def test_metadata_of_what_has_none_is_shown_as_it_is(client: KurrentDBClient, stream: str):
    event = NewEvent(type="$metadata", data=b'{"$tb":9223372036854775807}')
    client.append_to_stream(stream, current_version=StreamState.ANY, events=event)
    assert [event.data for event in client.get_stream(stream)] == [event.data]


@pytest.mark.parametrize("length", [253, 254, 255])
def test_streams_whose_names_leave_no_room_for_metadata_have_none(client: KurrentDBClient, length: int):
    stream = f"order-{uuid4()}".ljust(length, "x")
    fill(client, stream, 1)
    first, *others = [NewEvent(type="Placed", data=b"{}") for _ in range(3)]
    client.append_to_stream(stream, current_version=StreamState.EXISTS, events=first)
    client.append_to_stream(stream, current_version=StreamState.EXISTS, events=others)
    with pytest.raises(WrongCurrentVersionError):
        client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=NewEvent("Placed", b"{}"))
    assert positions(client, stream) == [0, 1, 2, 3]
    with client.subscribe_to_stream(stream) as subscription:
        assert next(subscription).stream_name == stream
    client.create_subscription_to_stream("group", stream, from_end=False)
    with client.read_subscription_to_stream("group", stream, max_ack_delay=0.01) as consumer:
        assert next(consumer).stream_name == stream
    link = NewEvent(type="$>", data=f"1@{stream}".encode(), content_type="application/octet-stream")
    client.append_to_stream(f"links{uuid4().hex}", current_version=StreamState.ANY, events=link)
    (found,) = client.read_all(backwards=True, resolve_links=True, limit=1, filter_exclude=())
    assert found.stream_name == stream
    if length > 253:
        with pytest.raises(KurrentDBClientError, match="a name of more than 253 characters"):
            client.delete_stream(stream, current_version=StreamState.ANY)
    else:
        client.delete_stream(stream, current_version=StreamState.ANY)
        with pytest.raises(NotFoundError):
            client.get_stream(stream)


def test_streams_without_a_dash_have_metadata(client: KurrentDBClient):
    stream = f"orders{uuid4().hex}"
    fill(client, stream, 2)
    client.set_stream_metadata(stream, metadata={"$maxCount": 1})
    assert positions(client, stream) == [1]
