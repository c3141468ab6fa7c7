"""Consumers of persistent subscriptions: what becomes of the events that are with them."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from kurrentdbclient import KurrentDBClient
from kurrentdbclient.exceptions import MaximumSubscriptionsReachedError, ServiceUnavailableError

from esdb.persistent import append, eventually, ids, new_group, new_stream, reading, take
from indelible.core.open import open_local_store
from indelible.server.esdb.persistent_read import _Consumer
from indelible.wire.esdb.pb import persistent_pb2 as pb
from serving import serving_in_a_thread


@pytest.fixture
def group(client: KurrentDBClient, stream: str) -> Iterator[str]:
    """To the stream."""
    group = new_group()
    client.create_subscription_to_stream(group, stream, max_retry_count=2)
    yield group
    client.delete_subscription(group, stream)


def parked(client: KurrentDBClient, group: str, stream: str | None) -> int:
    count: int = client.get_subscription_info(group, stream).parked_message_count
    return count


def test_a_parked_event_holds_up_its_stream_and_no_other_until_it_is_replayed(client: KurrentDBClient):
    group, first, second = new_group(), new_stream(), new_stream()
    client.create_subscription_to_all(group, from_end=True, filter_include=[first, second], filter_by_stream_name=True)
    held_up, others = append(client, first, 2), append(client, second, 2)
    bad = held_up[0].id
    found = take(client, group, None, 3, lambda event: "park" if event.id == bad else "ack")
    assert sorted(ids(found)) == sorted(ids([held_up[0], *others]))
    assert eventually(lambda: parked(client, group, None) == 1)
    client.replay_parked_events(group)
    replayed = take(client, group, None, 2)
    assert ids(replayed) == ids(held_up)
    assert replayed[0].retry_count == 0
    assert parked(client, group, None) == 0
    client.delete_subscription(group)


def test_what_is_to_be_tried_again_comes_again_and_is_parked_in_the_end(
    client: KurrentDBClient, stream: str, group: str
):
    append(client, stream)
    found = take(client, group, stream, 3, lambda _: "retry")
    assert [event.retry_count for event in found] == [0, 1, 2]
    assert eventually(lambda: parked(client, group, stream) == 1)


def test_what_is_skipped_is_done(client: KurrentDBClient, stream: str, group: str):
    events = append(client, stream, 2)
    assert ids(take(client, group, stream, 2, lambda _: "skip")) == ids(events)
    assert parked(client, group, stream) == 0
    assert eventually(lambda: client.get_subscription_info(group, stream).last_checkpointed_event_position == "1")


def test_an_unknown_action_is_to_try_again(client: KurrentDBClient, stream: str, group: str):
    append(client, stream)
    assert [one.retry_count for one in take(client, group, stream, 2, lambda _: "unknown")] == [0, 1]


def test_stop_ends_the_subscription_and_others_get_the_event(client: KurrentDBClient, stream: str, group: str):
    (event,) = append(client, stream)
    subscription = reading(client, group, stream)
    subscription.nack(next(subscription), "stop")
    with pytest.raises(StopIteration):
        next(subscription)
    assert ids(take(client, group, stream, 1)) == [str(event.id)]


def test_what_a_consumer_leaves_undone_goes_to_others_at_once(client: KurrentDBClient, stream: str, group: str):
    (event,) = append(client, stream)
    leaving = reading(client, group, stream)
    next(leaving)
    begun = time.monotonic()
    leaving.stop()
    (again,) = take(client, group, stream, 1)
    assert (again.id, again.retry_count) == (event.id, 1)
    assert time.monotonic() - begun < 25, "it is not waited for the message's time of 30 s"


def test_what_is_not_acknowledged_in_time_comes_again(client: KurrentDBClient, stream: str):
    group = new_group()
    client.create_subscription_to_stream(group, stream, message_timeout=0.2)
    append(client, stream)
    found = take(client, group, stream, 2, lambda event: "ack" if event.retry_count else "none")
    assert [event.retry_count for event in found] == [0, 1]
    client.delete_subscription(group, stream)


def test_only_some_of_what_is_parked_is_replayed_where_that_is_asked_for(client: KurrentDBClient):
    from kurrentdbclient.protos.v1 import persistent_pb2, shared_pb2

    group, streams = new_group(), [new_stream() for _ in range(3)]
    client.create_subscription_to_all(group, from_end=True, filter_include=streams, filter_by_stream_name=True)
    for stream in streams:
        append(client, stream)
    take(client, group, None, 3, lambda _: "park")
    assert eventually(lambda: parked(client, group, None) == 3)
    options = persistent_pb2.ReplayParkedReq.Options(group_name=group, all=shared_pb2.Empty(), stop_at=2)
    client.persistent_subscriptions._stub.ReplayParked(persistent_pb2.ReplayParkedReq(options=options))
    assert parked(client, group, None) == 1
    assert len(take(client, group, None, 2)) == 2
    client.delete_subscription(group)


@pytest.mark.parametrize("strategy", ["RoundRobin", "Pinned"])
def test_consumers_share_what_there_is(client: KurrentDBClient, strategy: str):
    group, streams = new_group(), [new_stream() for _ in range(20)]
    client.create_subscription_to_all(
        group, from_end=True, filter_include=streams, filter_by_stream_name=True, consumer_strategy=strategy
    )
    consumers = [reading(client, group), reading(client, group)]
    found: list[list[str]] = [[], []]

    def consume(number: int) -> None:
        for event in consumers[number]:
            found[number].append(str(event.id))
            consumers[number].ack(event)

    threads = [threading.Thread(target=consume, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    events = [event for stream in streams for event in append(client, stream)]
    deadline = time.monotonic() + 60
    while sum(map(len, found)) < len(events) and time.monotonic() < deadline:
        time.sleep(0.02)
    for consumer, thread in zip(consumers, threads, strict=True):
        consumer.stop()
        thread.join()
    assert sorted(found[0] + found[1]) == sorted(ids(events))
    assert found[0]
    assert found[1]
    client.delete_subscription(group)


def test_the_first_consumer_has_all_that_it_has_room_for(client: KurrentDBClient):
    group, streams = new_group(), [new_stream() for _ in range(6)]
    client.create_subscription_to_all(
        group, from_end=True, filter_include=streams, filter_by_stream_name=True, consumer_strategy="DispatchToSingle"
    )
    first, second = reading(client, group, event_buffer_size=4), reading(client, group, event_buffer_size=4)
    for stream in streams:
        append(client, stream)
    of_first = list(islice(first, 4))
    assert len({event.id for event in of_first}) == 4
    of_second = list(islice(second, 2))
    connections = client.get_subscription_info(group).connections
    assert [(one.in_flight_messages, one.available_slots) for one in connections] == [(4, 0), (2, 2)]
    assert not {event.id for event in of_first} & {event.id for event in of_second}
    for subscription in (first, second):
        subscription.stop()
    client.delete_subscription(group)


def test_more_subscribers_than_there_may_be_are_refused(client: KurrentDBClient, stream: str):
    group = new_group()
    client.create_subscription_to_stream(group, stream, max_subscriber_count=1)
    only = reading(client, group, stream)
    with pytest.raises(MaximumSubscriptionsReachedError, match="Maximum subscriptions reached"):
        reading(client, group, stream)
    only.stop()
    client.delete_subscription(group, stream)


def test_a_server_that_starts_again_goes_on_where_it_was(tmp_path: Path):
    group, stream = new_group(), new_stream()
    url = f"sqlite:{tmp_path / 'events.db'}"
    with serving_in_a_thread(open_local_store(url), "esdb") as address:
        client = KurrentDBClient(address)
        client.create_subscription_to_stream(group, stream, resolve_links=True)
        events = append(client, stream, 4)
        take(client, group, stream, 2)
        subscription = reading(client, group, stream)
        assert next(subscription).id == events[2].id
    with pytest.raises(ServiceUnavailableError):
        next(subscription)
    client.close()
    with serving_in_a_thread(open_local_store(url), "esdb") as address, KurrentDBClient(address) as client:
        assert client.get_subscription_info(group, stream).resolve_links
        assert ids(take(client, group, stream, 2)) == ids(events[2:])


@pytest.mark.parametrize("which", ["ack", "nack"])
async def test_others_get_their_turn_while_very_many_ids_are_read(which: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("indelible.tasks.DECODING_TURN_S", -1)
    settled: list[UUID] = []
    turns = 0

    async def settle(ids: Sequence[UUID], **_: object) -> None:
        settled.extend(ids)

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ids = [uuid4() for _ in range(100)]
    message = pb.ReadReq()
    said = getattr(message, which)
    for one in ids:
        said.ids.add().string = str(one)
    if which == "nack":
        message.nack.action = pb.ReadReq.Nack.Park

    async def requests() -> AsyncIterator[bytes]:
        yield message.SerializeToString()

    consumer = object.__new__(_Consumer)
    consumer.__dict__["member"] = SimpleNamespace(acknowledge=settle, refuse=settle)
    busy = asyncio.create_task(others())
    await consumer._hear(requests())
    busy.cancel()
    assert settled == ids
    assert turns >= len(ids)
