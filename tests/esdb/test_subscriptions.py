"""Catch-up subscriptions, as KurrentDB's client has them."""

import itertools
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import grpc
import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import KurrentDBClientError

from indelible.wire.esdb.pb import shared_pb2
from indelible.wire.esdb.pb import streams_pb2 as pb

TIMEOUT_S = 120.0
MAX = 2**64 - 1


def append(client: KurrentDBClient, stream: str, count: int = 1, *, event_type: str = "Placed") -> list[NewEvent]:
    events = [NewEvent(type=event_type, data=b"{}") for _ in range(count)]
    client.append_to_stream(stream, current_version=StreamState.ANY, events=events)
    return events


def take(subscription: Any, count: int) -> list[Any]:
    return list(itertools.islice(subscription, count))


def until_caught_up(subscription: Any) -> list[Any]:
    """What is there; the last is that it is caught up."""
    found = []
    for event in subscription:
        found.append(event)
        if event.is_caught_up:
            break
    return found


def ids(events: list[Any]) -> list[Any]:
    return [event.id for event in events]


# --- One stream ------------------------------------------------------------------------------------------------------


def test_a_stream_is_given_from_its_start_and_goes_on(client: KurrentDBClient, stream: str):
    there = append(client, stream, 3)
    append(client, f"{stream}-other")
    with client.subscribe_to_stream(stream, include_caught_up=True, timeout=TIMEOUT_S) as subscription:
        *found, caught_up = until_caught_up(subscription)
        assert ids(found) == ids(there)
        assert [event.stream_position for event in found] == [0, 1, 2]
        assert {event.stream_name for event in found} == {stream}
        assert caught_up.stream_position == 2
        assert caught_up.recorded_at is not None
        append(client, f"{stream}-other")
        come = append(client, stream, 2)
        assert ids(take(subscription, 2)) == ids(come)


def test_the_revision_that_is_named_was_seen_already(client: KurrentDBClient, stream: str):
    there = append(client, stream, 4)
    with client.subscribe_to_stream(stream, stream_position=1, timeout=TIMEOUT_S) as subscription:
        assert ids(take(subscription, 2)) == ids(there[2:])


def test_only_what_comes_is_given_from_the_end(client: KurrentDBClient, stream: str):
    append(client, stream, 2)
    with client.subscribe_to_stream(stream, from_end=True, include_caught_up=True, timeout=TIMEOUT_S) as subscription:
        assert [event.stream_position for event in until_caught_up(subscription)] == [1]
        come = append(client, stream)
        assert ids(take(subscription, 1)) == ids(come)


def test_a_stream_that_is_not_there_is_waited_for(client: KurrentDBClient, stream: str):
    with client.subscribe_to_stream(stream, timeout=TIMEOUT_S) as subscription:
        come = append(client, stream, 2)
        assert ids(take(subscription, 2)) == ids(come)


def test_a_revision_that_is_not_there_is_waited_for(client: KurrentDBClient, stream: str):
    append(client, stream, 2)
    with client.subscribe_to_stream(
        stream, stream_position=3, include_caught_up=True, timeout=TIMEOUT_S
    ) as subscription:
        assert len(until_caught_up(subscription)) == 1
        come = append(client, stream, 4)
        assert ids(take(subscription, 2)) == ids(come[2:])


@pytest.mark.parametrize("stream", ["$$order-1", "orders", "-", "~-orders", 'quoted-"{\\n}', "größe-ü"])
def test_any_name_can_be_followed(client: KurrentDBClient, stream: str):
    append(client, stream)
    with client.subscribe_to_stream(stream, from_end=True, timeout=TIMEOUT_S) as subscription:
        come = append(client, stream, 2)
        found = take(subscription, 2)
    assert ids(found) == ids(come)
    assert {event.stream_name for event in found} == {stream}


def test_what_a_deletion_hides_is_not_given(client: KurrentDBClient, stream: str):
    append(client, stream, 3)
    client.delete_stream(stream, current_version=StreamState.ANY)
    with client.subscribe_to_stream(stream, timeout=TIMEOUT_S) as subscription:
        come = append(client, stream, 2)
        assert [(event.id, event.stream_position) for event in take(subscription, 2)] == [
            (come[0].id, 3),
            (come[1].id, 4),
        ]


@pytest.mark.parametrize("metadata", [{"$tb": 2}, {"$maxCount": 2}])
def test_what_metadata_hide_is_not_given(client: KurrentDBClient, stream: str, metadata: dict[str, int]):
    append(client, stream, 4)
    client.set_stream_metadata(stream, metadata=metadata, current_version=StreamState.ANY)
    with client.subscribe_to_stream(stream, include_caught_up=True, timeout=TIMEOUT_S) as subscription:
        assert [event.stream_position for event in until_caught_up(subscription)[:-1]] == [2, 3]
        append(client, stream, 3)
        assert [event.stream_position for event in take(subscription, 3)] == [4, 5, 6]


def test_nothing_is_missed_or_doubled_while_others_append(client: KurrentDBClient, esdb_url: str, stream: str):
    """Subscriptions begin while the stream grows: where the pages of the stream end, the feed goes on."""
    total = 600
    appending = threading.Thread(target=_append_by_two, args=(esdb_url, stream, total))
    append(client, stream)
    appending.start()
    for _ in range(10):
        with client.subscribe_to_stream(stream, timeout=TIMEOUT_S) as subscription:
            assert [event.stream_position for event in take(subscription, 150)] == [*range(150)]
    with client.subscribe_to_stream(stream, timeout=TIMEOUT_S) as subscription:
        assert [event.stream_position for event in take(subscription, total)] == [*range(total)]
    appending.join()


def _append_by_two(url: str, stream: str, total: int) -> None:
    client = KurrentDBClient(url)
    for _ in range(total // 2):
        append(client, stream, 2)
    client.close()


# --- All -------------------------------------------------------------------------------------------------------------


def test_all_streams_are_given_behind_a_position(client: KurrentDBClient, stream: str):
    before = client.append_to_stream(stream, current_version=StreamState.ANY, events=NewEvent(type="A", data=b"{}"))
    there = [*append(client, stream, 2), *append(client, f"$system-{uuid4()}"), *append(client, f"other-{uuid4()}")]
    with client.subscribe_to_all(
        commit_position=before, filter_exclude=(), include_caught_up=True, timeout=TIMEOUT_S
    ) as subscription:
        *found, caught_up = until_caught_up(subscription)
        assert ids(found) == ids(there)
        assert [event.commit_position for event in found] == [before + 1 + i for i in range(4)]
        assert caught_up.commit_position == caught_up.prepare_position == before + 4
        assert caught_up.recorded_at is not None
        come = append(client, stream)
        assert ids(take(subscription, 1)) == ids(come)


def test_only_what_comes_to_any_stream_is_given_from_the_end(client: KurrentDBClient, stream: str):
    append(client, stream)
    with client.subscribe_to_all(from_end=True, timeout=TIMEOUT_S) as subscription:
        come = append(client, stream)
        assert ids(take(subscription, 1)) == ids(come)


def test_a_position_past_the_log_is_refused(client: KurrentDBClient):
    with pytest.raises(KurrentDBClientError, match="past the head"):
        client.subscribe_to_all(commit_position=10**9)


@pytest.mark.parametrize("by_prefix", [False, True])
@pytest.mark.parametrize("by_stream", [False, True])
def test_a_filter_chooses(client: KurrentDBClient, stream: str, by_stream: bool, by_prefix: bool):
    wanted = f"Wanted{uuid4().hex}"
    start = client.get_commit_position(filter_exclude=())
    name = stream if by_stream else wanted
    with client.subscribe_to_all(
        commit_position=start, filter_include=[name], filter_by_stream_name=by_stream, filter_by_prefix=by_prefix,
        timeout=TIMEOUT_S,
    ) as subscription:  # fmt: skip
        append(client, f"other-{uuid4()}")
        come = append(client, stream, 2, event_type=wanted)
        append(client, f"other-{uuid4()}")
        come += append(client, stream, event_type=wanted)
        assert ids(take(subscription, 3)) == ids(come)


EVERY_10 = [("Checkpoint", 10), ("RecordedEvent", 15), ("Checkpoint", 20), ("Checkpoint", 23), ("CaughtUp", 23)]
LOOKED_UP = [("RecordedEvent", 15), ("Checkpoint", 15), ("Checkpoint", 23), ("CaughtUp", 23)]
"""The store looks up events of a type that is named: nobody looks at the others."""


@pytest.mark.parametrize(("pattern", "expected"), [("Ra[rR]e", EVERY_10), ("Rare", LOOKED_UP)])
def test_checkpoints_come_after_so_many_events(
    client: KurrentDBClient, stream: str, pattern: str, expected: list[tuple[str, int]]
):
    start = client.get_commit_position(filter_exclude=())
    append(client, stream, 14)
    append(client, stream, event_type="Rare")
    append(client, stream, 8)
    with client.subscribe_to_all(
        commit_position=start, filter_include=[pattern], window_size=5, checkpoint_interval_multiplier=2,
        include_checkpoints=True, include_caught_up=True, timeout=TIMEOUT_S,
    ) as subscription:  # fmt: skip
        found = until_caught_up(subscription)
    assert [(type(event).__name__, event.commit_position - start) for event in found] == expected
    assert all(event.prepare_position == event.commit_position for event in found)
    assert all(event.recorded_at is not None for event in found)


def test_checkpoints_go_on_while_nothing_matches(client: KurrentDBClient, stream: str):
    start = client.get_commit_position(filter_exclude=())
    with client.subscribe_to_all(
        commit_position=start, filter_include=["Never"], window_size=2, checkpoint_interval_multiplier=2,
        include_checkpoints=True, timeout=TIMEOUT_S,
    ) as subscription:  # fmt: skip
        append(client, stream, 4)
        checkpoint = next(subscription)
        assert checkpoint.is_checkpoint
        assert start < checkpoint.commit_position <= start + 4


# --- Links -----------------------------------------------------------------------------------------------------------


def link_to(client: KurrentDBClient, stream: str, *targets: str) -> list[NewEvent]:
    links = [NewEvent(type="$>", data=target.encode(), content_type="application/octet-stream") for target in targets]
    client.append_to_stream(stream, current_version=StreamState.ANY, events=links)
    return links


def test_links_are_resolved_where_that_is_asked_for(client: KurrentDBClient, stream: str):
    there = append(client, stream, 2)
    links = link_to(client, f"links-{stream}", f"1@{stream}", f"0@{stream}")
    with client.subscribe_to_stream(f"links-{stream}", resolve_links=True, timeout=TIMEOUT_S) as subscription:
        found = take(subscription, 2)
        links += link_to(client, f"links-{stream}", f"1@{stream}")
        found += take(subscription, 1)
    assert ids(found) == [there[1].id, there[0].id, there[1].id]
    assert ids([event.link for event in found]) == ids(links)
    assert [event.link.stream_position for event in found] == [0, 1, 2]
    with client.subscribe_to_stream(f"links-{stream}", timeout=TIMEOUT_S) as subscription:
        assert ids(take(subscription, 3)) == ids(links)


def test_links_are_resolved_in_all(client: KurrentDBClient, stream: str):
    with client.subscribe_to_all(
        from_end=True, filter_exclude=(), resolve_links=True, timeout=TIMEOUT_S
    ) as subscription:
        (event,) = append(client, stream)
        (link,) = link_to(client, f"links-{stream}", f"0@{stream}")
        plain, resolved = take(subscription, 2)
    assert (plain.id, plain.link) == (event.id, None)
    assert (resolved.id, resolved.link.id) == (event.id, link.id)
    assert resolved.link.commit_position == plain.commit_position + 1


@pytest.mark.parametrize("kind", ["$ce-{category}", "$et-{event_type}"])
@pytest.mark.parametrize("resolve_links", [True, False])
def test_categories_and_event_types_are_streams(client: KurrentDBClient, kind: str, resolve_links: bool):
    category, event_type = f"cat{uuid4().hex}", f"Type{uuid4().hex}"
    name = kind.format(category=category, event_type=event_type)
    streams = [f"{category}-{number}" for number in range(2)]
    there = [*append(client, streams[0], 2, event_type=event_type), *append(client, streams[1], event_type=event_type)]
    append(client, f"other-{uuid4()}")
    with client.subscribe_to_stream(
        name, resolve_links=resolve_links, include_caught_up=True, timeout=TIMEOUT_S
    ) as subscription:
        *found, caught_up = until_caught_up(subscription)
        there += append(client, streams[0], event_type=event_type)
        found += take(subscription, 1)
    links = [event.link if resolve_links else event for event in found]
    assert [link.type for link in links] == ["$>"] * 4
    assert {link.stream_name for link in links} == {name}
    assert [link.data.decode() for link in links] == [
        f"{revision}@{streams[n]}" for n, revision in ((0, 0), (0, 1), (1, 0), (0, 2))
    ]
    assert caught_up.stream_position == links[2].stream_position
    if resolve_links:
        assert ids(found) == ids(there)
    with client.subscribe_to_stream(
        name, stream_position=links[1].stream_position, resolve_links=resolve_links, timeout=TIMEOUT_S
    ) as subscription:
        assert ids(take(subscription, 2)) == ids(found[2:])


def test_only_what_comes_to_a_category_is_given_from_its_end(client: KurrentDBClient):
    category = f"cat{uuid4().hex}"
    append(client, f"{category}-1")
    with client.subscribe_to_stream(
        f"$ce-{category}", from_end=True, resolve_links=True, timeout=TIMEOUT_S
    ) as subscription:
        come = append(client, f"{category}-1")
        assert ids(take(subscription, 1)) == ids(come)


# --- The messages themselves -----------------------------------------------------------------------------------------


@pytest.fixture
def channel(esdb_url: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(esdb_url.removeprefix("esdb://").partition("?")[0]) as channel:
        yield channel


def read(channel: grpc.Channel, request: pb.ReadReq) -> Iterator[pb.ReadResp]:
    method = channel.unary_stream(
        "/event_store.client.streams.Streams/Read",
        request_serializer=pb.ReadReq.SerializeToString,
        response_deserializer=pb.ReadResp.FromString,
    )
    messages: Iterator[pb.ReadResp] = method(request, timeout=TIMEOUT_S)
    return messages


def subscription_to(stream: str | None = None) -> pb.ReadReq:
    request = pb.ReadReq()
    request.options.subscription.SetInParent()
    request.options.no_filter.SetInParent()
    request.options.uuid_option.string.SetInParent()
    if stream is not None:
        request.options.stream.stream_identifier.stream_name = stream.encode()
        request.options.stream.start.SetInParent()
    return request


def test_ids_come_in_the_form_that_is_asked_for(client: KurrentDBClient, channel: grpc.Channel, stream: str):
    (event,) = append(client, stream)
    request = subscription_to(stream)
    request.options.uuid_option.structured.SetInParent()
    confirmation, told, caught_up = itertools.islice(read(channel, request), 3)
    assert confirmation.confirmation.subscription_id
    expected = shared_pb2.UUID()
    expected.structured.most_significant_bits = int.from_bytes(event.id.bytes[:8], signed=True)
    expected.structured.least_significant_bits = int.from_bytes(event.id.bytes[8:], signed=True)
    assert told.event.event.id == expected
    assert told.event.commit_position == told.event.event.commit_position
    assert caught_up.caught_up.stream_revision == 0


def test_an_empty_stream_has_no_last_revision(channel: grpc.Channel, stream: str):
    _, caught_up = itertools.islice(read(channel, subscription_to(stream)), 2)
    assert caught_up.WhichOneof("content") == "caught_up"
    assert not caught_up.caught_up.HasField("stream_revision")
    assert not caught_up.caught_up.HasField("position")


@pytest.mark.parametrize("place", [MAX, 2**63])
def test_the_largest_numbers_stand_for_the_end(client: KurrentDBClient, channel: grpc.Channel, stream: str, place: int):
    append(client, stream, 2)
    of_stream = subscription_to(stream)
    of_stream.options.stream.revision = place
    of_all = subscription_to()
    of_all.options.all.position.commit_position = of_all.options.all.position.prepare_position = place
    for request in (of_stream, of_all):
        kinds = [message.WhichOneof("content") for message in itertools.islice(read(channel, request), 2)]
        assert kinds == ["confirmation", "caught_up"]


def _backwards(request: pb.ReadReq) -> None:
    request.options.read_direction = pb.ReadReq.Backwards


def _filtered(request: pb.ReadReq) -> None:
    request.options.filter.event_type.regex = "^a"


def _nowhere(request: pb.ReadReq) -> None:
    request.options.stream.ClearField("revision_option")


def _of_nothing(request: pb.ReadReq) -> None:
    request.options.ClearField("stream_option")


def _nameless(request: pb.ReadReq) -> None:
    request.options.stream.stream_identifier.stream_name = b""


@pytest.mark.parametrize("change", [_backwards, _filtered, _nowhere, _of_nothing, _nameless])
def test_what_makes_no_sense_is_refused(channel: grpc.Channel, stream: str, change: Any):
    request = subscription_to(stream)
    change(request)
    with pytest.raises(grpc.RpcError) as raised:
        next(read(channel, request))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
