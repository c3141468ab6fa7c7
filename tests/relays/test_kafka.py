"""A relay to a real Kafka broker: who reads what is committed gets each event once, in order, whatever dies."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from indelible import Cursor, NewEvent, RecordedEvent
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.eventstore import EventStore, FeedPage
from indelible.limits import RELAY_BROKER_TIMEOUT_S
from indelible.relay_state import RelayLease
from indelible.relays.kafka import sink as kafka_sink
from indelible.relays.kafka.connection import MessageMaker
from indelible.relays.messages import Message, message_maker
from indelible.relays.relay import Relay
from indelible.relays.sink import Replay, Sink, SinkFenced, SinkUnavailable, make_sink
from postgres.server import free_port
from relays.kafka_server import KafkaServer, Received, kafka_server
from relays.test_relay import LEASE_S, PATIENCE_S, append, first_page, is_published, running, state, until


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with kafka_server(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture
def server(broker: KafkaServer) -> KafkaServer:
    """With topics that nobody has used."""
    broker.begin_anew()
    return broker


@pytest.fixture
async def store() -> AsyncIterator[EventStore]:
    async with LocalEventStore(MemoryEngine()) as store:
        yield store


def relay_to(server: KafkaServer, store: EventStore, more: str = "", name: str = "orders", **settings: Any) -> Relay:
    return Relay(store, name, make_sink(server.to(more)), lease_s=LEASE_S, **settings)


def positions(received: Sequence[Received]) -> list[int]:
    return [int(one.headers["ce_position"]) for one in received]


def check_whole(received: Sequence[Received], count: int) -> None:
    """Every event once, and those of each partition in order."""
    assert sorted(positions(received)) == list(range(1, count + 1))
    places: dict[str, list[Received]] = defaultdict(list)
    for one in received:
        places[one.place].append(one)
    for place in places.values():
        assert positions(place) == sorted(positions(place))
        epochs = [int(one.headers["indelible-epoch"]) for one in place]
        assert epochs == sorted(epochs)


def records(server: KafkaServer) -> list[Any]:
    """Of the relay's cursor topic."""
    return [json.loads(one.data) for one in server.read([TopicPartition(server.cursor_topic, 0, 0)])]


# --- What a consumer gets --------------------------------------------------------------------------------------------


async def test_events_are_cloud_events_with_what_a_consumer_needs(server: KafkaServer, store: EventStore) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    event = NewEvent("OrderPlaced", {"total": 42.5}, metadata={"traceparent": trace}, tags=["eu"])
    await store.append("order", "ó 1", [event])
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 1))
    (message,) = await server.received()
    headers = message.headers
    assert (message.place, message.key) == (f"{server.topic}/0", "order-ó 1")
    assert (json.loads(message.data), headers["content-type"]) == ({"total": 42.5}, "application/json")
    assert (headers["ce_specversion"], headers["ce_id"]) == ("1.0", str(event.event_id))
    assert (headers["ce_type"], headers["ce_version"], headers["ce_position"]) == ("OrderPlaced", "1", "1")
    assert (headers["ce_source"], headers["ce_subject"]) == ("/v1/aggregates/order/%C3%B3%201", "ó 1")
    assert headers["ce_tags"] == '["eu"]'
    assert headers["traceparent"] == trace
    assert (headers["indelible-relay"], headers["indelible-epoch"], headers["indelible-cursor"]) == ("orders", "1", "1")
    assert "indelible-replay" not in headers


async def test_a_message_may_hold_the_whole_cloud_event(server: KafkaServer, store: EventStore) -> None:
    await store.append("order", "1", [NewEvent("OrderPlaced", {"total": 42.5})])
    async with running(relay_to(server, store, "&mode=structured")):
        await until(lambda: is_published(store, 1))
    (message,) = await server.received()
    event = json.loads(message.data)
    assert message.headers["content-type"] == "application/cloudevents+json"
    assert (event["type"], event["position"], event["data"]) == ("OrderPlaced", "1", {"total": 42.5})
    assert not [name for name in message.headers if name.startswith("ce_")]


async def test_an_aggregate_s_events_are_in_one_partition_in_order(server: KafkaServer, store: EventStore) -> None:
    for n in range(200):
        await store.append("order", str(n % 40), [NewEvent("Placed"), NewEvent("Paid")])
    async with running(relay_to(server, store, "&partitions=5")):
        await until(lambda: is_published(store, 400))
    received = await server.received()
    check_whole(received, 400)
    places = {(one.key, one.place) for one in received}
    assert len(places) == 40
    assert len({place for _, place in places}) == 5


@pytest.mark.parametrize(
    ("key", "keys"),
    [("aggregate_id", {"1", "2"}), ("aggregate_type", {"order"}), ("event_type", {"Placed", "Paid"})],
)
async def test_the_key_may_be_another(server: KafkaServer, store: EventStore, key: str, keys: set[str]) -> None:
    for n in "12":
        await store.append("order", n, [NewEvent("Placed"), NewEvent("Paid")])
    async with running(relay_to(server, store, f"&key={key}")):
        await until(lambda: is_published(store, 4))
    assert {one.key for one in await server.received()} == keys


async def test_each_aggregate_type_may_have_a_topic_of_its_own(server: KafkaServer, store: EventStore) -> None:
    """Also one that was not seen before, and those whose characters Kafka takes in no topic."""
    long = "ü" * 100
    kinds = {"order": "order", "a.b": "a-2Eb", "Kunde *": "Kunde-20-2A", "a_b": "a_b", "ó": "-C3-B3"}
    async with running(relay_to(server, store, f"&topic={server.topic}.{{aggregate_type}}.v1")):
        for n, kind in enumerate([*kinds, long], start=1):
            await store.append(kind, "1", [NewEvent("Placed")])
            await until(lambda: is_published(store, n))  # noqa: B023 - waited for at once
    topics = {one.key: one.place for one in await server.received()}
    last = topics.pop(f"{long}-1")
    assert topics == {f"{kind}-1": f"{server.topic}.{name}.v1/0" for kind, name in kinds.items()}
    assert len(last) == len("/0") + 249
    assert "--" in last


# --- Whatever dies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["&partitions=3", "&topic={topic}.{aggregate_type}"])
async def test_each_event_is_seen_once_though_the_broker_is_killed(
    server: KafkaServer, store: EventStore, more: str
) -> None:
    async with running(relay_to(server, store, more.replace("{topic}", server.topic))):
        for n in range(3):
            for kind in ("order", "Kunde *>. ü"):
                await store.append(kind, str(n), [NewEvent("Placed", {"n": i}) for i in range(400)])
            await asyncio.sleep(0.1 * n)
            if n == 1:
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
        await until(lambda: is_published(store, 2_400))
    check_whole(await server.received(), 2_400)


async def test_each_event_is_seen_once_though_connections_break(server: KafkaServer, store: EventStore) -> None:
    sink = make_sink(server.url(server.proxied_address, "&create=true&partitions=2"))
    async with running(Relay(store, "orders", sink, lease_s=LEASE_S)):
        for n in range(20):
            await store.append("order", str(n), [NewEvent("Placed", {"n": i}) for i in range(100)])
            await asyncio.sleep(0.01 * (n % 7))
            server.proxy.cut()
        await until(lambda: is_published(store, 2_000))
    check_whole(await server.received(), 2_000)


async def test_the_broker_alone_knows_how_far_a_relay_came(server: KafkaServer, store: EventStore) -> None:
    """The checkpoint is late by all that was published, as after kill -9 of relay and store's last save."""
    await append(store, 300)
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 300))
    behind = LocalEventStore(MemoryEngine())
    async with behind:
        await behind.append_recorded((await store.read_feed(limit=1_000)).events)
        await behind.append("order", "1", [NewEvent("Placed")])
        await behind.relays.claim("orders", "a")
        await behind.relays.claim("orders", "a", lease_s=0.2)
        async with running(relay_to(server, behind)):
            await until(lambda: is_published(behind, 301))
    check_whole(await server.received(), 301)


async def test_the_last_record_is_found_behind_many_that_came_to_nothing(
    server: KafkaServer, store: EventStore
) -> None:
    await append(store, 3)
    lease, page = await store.relays.claim("orders", "one"), await first_page(store)
    sink = make_sink(server.to())
    await sink.open(lease)
    await sink.publish(page)
    await sink.close()
    other = Producer({"bootstrap.servers": server.address, "transactional.id": f"other {server.topic}"})
    other.init_transactions()
    for _ in range(10):
        other.begin_transaction()
        for _ in range(50):
            other.produce(server.cursor_topic, b"no record", "orders", partition=0)
        other.flush()
        other.abort_transaction()
    assert await sink.open(lease) == page.cursor
    await sink.close()


# --- Owners ----------------------------------------------------------------------------------------------------------


async def two_owners(server: KafkaServer, store: EventStore) -> tuple[list[Sink], list[Any], FeedPage]:
    await append(store, 5)
    sinks = [make_sink(server.to()) for _ in range(2)]
    leases = [await store.relays.claim("orders", "one") for _ in range(2)]
    return sinks, leases, await first_page(store)


@pytest.mark.parametrize("pause_s", [0.0, 0.2])
async def test_an_earlier_owner_s_events_are_refused(
    server: KafkaServer, store: EventStore, monkeypatch: pytest.MonkeyPatch, pause_s: float
) -> None:
    """Its sink goes on as if it had heard nothing of the store's. ``pause_s``: between a page's messages, so that the
    broker says it before all are sent."""

    def make_slowly(*settings: Any) -> MessageMaker:
        make = message_maker(*settings)

        def make_one(event: RecordedEvent, cursor: Cursor) -> Message:
            time.sleep(pause_s)
            return make(event, cursor)

        return make_one

    monkeypatch.setattr(kafka_sink, "message_maker", make_slowly)
    sinks, leases, page = await two_owners(server, store)
    for sink, lease in zip(sinks, leases, strict=True):
        assert await sink.open(lease) is None
    with pytest.raises(SinkFenced, match="epoch 2"):
        await sinks[0].publish(page)
    await sinks[1].publish(page)
    with pytest.raises(SinkFenced, match="epoch 2"):
        await sinks[0].open(leases[0])
    with pytest.raises(SinkUnavailable, match="another process"):
        await sinks[1].publish(page)  # the earlier one has come between
    assert await sinks[1].open(leases[1]) == page.cursor
    for sink in sinks:
        await sink.close()
    check_whole(await server.received(), 5)


class SlowToSay:
    """A producer whose library says why it cannot go on when it is asked the second time."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._asked_count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def commit_transaction(self, _: float) -> None:
        raise KafkaException(KafkaError(KafkaError._FATAL, fatal=True))

    def abort_transaction(self, slice_s: float) -> None:
        self._asked_count += 1
        if self._asked_count == 1:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, retriable=True))
        self._producer.abort_transaction(slice_s)


async def test_a_fence_is_told_though_the_library_takes_its_time(server: KafkaServer, store: EventStore) -> None:
    sinks, leases, page = await two_owners(server, store)
    for sink, lease in zip(sinks, leases, strict=True):
        await sink.open(lease)
    stale: Any = sinks[0]
    connection = stale._worker.connection
    connection._producer = SlowToSay(connection._producer)
    with pytest.raises(SinkFenced, match="epoch 2"):
        await stale.publish(page)
    for sink in sinks:
        await sink.close()


async def test_an_earlier_owner_that_connects_late_finds_the_newer_one(server: KafkaServer, store: EventStore) -> None:
    """And takes its place at the broker; but nothing of its is seen, and the newer one is opened again."""
    sinks, leases, page = await two_owners(server, store)
    assert await sinks[1].open(leases[1]) is None
    with pytest.raises(SinkFenced, match="epoch 2"):
        await sinks[0].open(leases[0])
    with pytest.raises(SinkUnavailable, match="another process"):
        await sinks[1].publish(page)
    assert await sinks[1].open(leases[1]) is None
    await sinks[1].publish(page)
    for sink in sinks:
        await sink.close()
    check_whole(await server.received(), 5)
    assert [(one["epoch"], one["cursor"]) for one in records(server)] == [(2, None), (2, page.cursor)]


async def test_an_owner_that_is_held_up_in_the_middle_of_a_page_publishes_nothing(
    server: KafkaServer, store: EventStore
) -> None:
    """Its transaction is open, with all of the page sent, when the next owner connects."""
    sinks, leases, page = await two_owners(server, store)
    await sinks[0].open(leases[0])
    held_up: Any = sinks[0]
    connection = held_up._worker.connection
    commit = connection._commit

    def commit_late(_: Any) -> None:
        connection._producer.flush()
        asyncio.run_coroutine_threadsafe(other_publishes(), loop).result(PATIENCE_S)
        # Of its own time nothing need be left by now.
        commit(connection._patience())

    async def other_publishes() -> None:
        assert await sinks[1].open(leases[1]) is None
        await sinks[1].publish(page)

    loop, connection._commit = asyncio.get_running_loop(), commit_late
    with pytest.raises(SinkFenced, match="epoch 2"):
        await sinks[0].publish(page)
    for sink in sinks:
        await sink.close()
    received = await server.received()
    check_whole(received, 5)
    assert {one.headers["indelible-epoch"] for one in received} == {"2"}


async def test_two_relays_of_one_topic_do_not_meet(server: KafkaServer, store: EventStore) -> None:
    await append(store, 300)
    other = make_sink(server.to().replace(server.cursor_topic, f"{server.cursor_topic}2"))
    async with (
        running(relay_to(server, store)),
        running(Relay(store, "second", other, lease_s=LEASE_S)),
    ):
        await until(lambda: is_published(store, 300))
        await until(lambda: is_published(store, 300, "second"))
    assert sorted(positions(await server.received())) == sorted([*range(1, 301)] * 2)


async def test_another_relay_s_cursor_topic_is_left_alone(server: KafkaServer, store: EventStore) -> None:
    await append(store, 1)
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 1))
    sink = make_sink(server.to())
    with pytest.raises(SinkUnavailable, match="that of the relay orders; name another for cursor_topic"):
        await sink.open(await store.relays.claim("second", "one"))
    await sink.close()


# --- Resets and replays ----------------------------------------------------------------------------------------------


async def test_a_reset_publishes_again(server: KafkaServer, store: EventStore) -> None:
    await append(store, 3)
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 3))
        await store.relays.reset("orders", start="beginning")
        await until(lambda: is_published(store, 3))
    # Opened once more, it goes on from there.
    await append(store, 1)
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 4))
    assert positions(await server.received()) == [1, 2, 3, 1, 2, 3, 4]


async def test_what_was_published_before_a_reset_is_not_counted_again(server: KafkaServer, store: EventStore) -> None:
    """Though a later owner than that of the reset has opened, and published nothing."""
    await append(store, 3)
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 3))
    await store.relays.reset("orders", start="beginning")
    for _ in range(2):
        sink = make_sink(server.to())
        assert await sink.open(await store.relays.claim("orders", "one")) is None
        await sink.close()


async def test_a_replay_leaves_the_cursor_where_it_is(server: KafkaServer, store: EventStore) -> None:
    await append(store, 5)
    lease, page = await store.relays.claim("orders", "one"), await first_page(store)
    sink = make_sink(server.to())
    await sink.open(lease)
    await sink.publish(page)
    await append(store, 2)
    for name in ("r1", "r2"):
        await sink.publish(page, Replay(name, page.cursor))
    assert await sink.open(lease) == page.cursor
    await sink.close()
    received = await server.received()
    assert positions(received) == [1, 2, 3, 4, 5] * 3
    assert [one.headers.get("indelible-replay") for one in received] == [None] * 5 + ["r1"] * 5 + ["r2"] * 5
    assert {one.headers["indelible-cursor"] for one in received[5:]} == {page.cursor}


# --- What is refused -------------------------------------------------------------------------------------------------


async def _is(store: EventStore, name: str) -> bool:
    return any(one.state == name for one in await store.relays.list())


async def test_topics_that_are_not_there_are_named_and_waited_for(server: KafkaServer, store: EventStore) -> None:
    await append(store, 1)
    sink = make_sink(server.url(server.address))

    async def has_problem(text: str) -> bool:
        return text in str((await state(store)).problem)

    async with running(Relay(store, "orders", sink, lease_s=LEASE_S)):
        await until(lambda: _is(store, "retrying"))
        await until(lambda: has_problem(f"no topic {server.cursor_topic}; make it with one partition and cleanup"))
        server.make_topic(server.cursor_topic, 1, **{"cleanup.policy": "compact"})
        await until(lambda: has_problem(f"no topic {server.topic}; make it, or add create=true to the URL"))
        assert server.partitions(server.topic) == 0
        server.make_topic(server.topic, 3)
        await until(lambda: is_published(store, 1))
    assert server.partitions(server.topic) == 3


async def test_topics_are_made_as_the_url_says(server: KafkaServer, store: EventStore) -> None:
    sink = make_sink(server.to("&partitions=4&replication=1"))
    await sink.open(await store.relays.claim("orders", "one"))
    await sink.close()
    assert (server.partitions(server.topic), server.partitions(server.cursor_topic)) == (4, 1)
    assert server.config(server.cursor_topic)["cleanup.policy"] == "compact"
    assert server.config(server.topic)["cleanup.policy"] == "delete"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("&partitions=3", "has 2 for partitions, and the URL asks for 3"),
        ("&replication=3", "has 1 for replication, and the URL asks for 3"),
        ("&topic={topic}.new&replication=3", "does not make the topic .*_cursor: .*[Rr]eplication"),
        ("&cursor_topic={topic}.deleted", "must have cleanup.policy=compact, not delete"),
        ("&cursor_topic={topic}.many", "must have one partition, not 2"),
    ],
)
async def test_topics_that_are_not_as_they_must_be(
    server: KafkaServer, store: EventStore, more: str, problem: str
) -> None:
    server.make_topic(server.topic, 2)
    if "cursor_topic" in more:
        server.make_topic(f"{server.topic}.deleted")
        server.make_topic(f"{server.topic}.many", 2, **{"cleanup.policy": "compact"})
    elif "new" not in more:
        server.make_topic(server.cursor_topic, 1, **{"cleanup.policy": "compact"})
    more = more.replace("{topic}", server.topic)
    if "&replication" in more and "new" not in more:
        problem = f"{server.cursor_topic} {problem}"
    sink = make_sink(server.to(more))
    with pytest.raises(SinkUnavailable, match=problem):
        await sink.open(await store.relays.claim("orders", "one"))
    await sink.close()


async def test_events_and_cursors_are_kept_apart(server: KafkaServer, store: EventStore) -> None:
    await store.append(server.topic, "1", [NewEvent("Placed")])
    sink = make_sink(server.to("&topic={aggregate_type}_cursor"))
    await sink.open(await store.relays.claim("orders", "one"))
    with pytest.raises(SinkUnavailable, match="name another for cursor_topic"):
        await sink.publish(await first_page(store))
    await sink.close()


async def test_a_broker_that_is_not_there_or_lets_nobody_in_is_told_at_once(
    server: KafkaServer, store: EventStore
) -> None:
    lease = await store.relays.claim("orders", "one")
    for address, problem in (
        (f"127.0.0.1:{free_port()}", "cannot be reached: .*refused"),
        (f"me:wrong@{server.sasl_address}", "cannot be reached: .*[Aa]uthentication"),
    ):
        sink = make_sink(server.url(address))
        async with asyncio.timeout(RELAY_BROKER_TIMEOUT_S):
            with pytest.raises(SinkUnavailable, match=problem):
                await sink.open(lease)
        await sink.close()


async def test_who_has_the_password_and_the_permissions_publishes(server: KafkaServer, store: EventStore) -> None:
    """Those that the page for it names."""
    await append(store, 3)
    sink = make_sink(server.url(f"me:right%3A%2F%2B@{server.sasl_address}", "&create=true"))
    lease, page = await store.relays.claim("orders", "one"), await first_page(store)
    with pytest.raises(SinkUnavailable, match=f"see the topic {server.cursor_topic}: .*authorization"):
        await sink.open(lease)
    for topic in (server.topic, server.cursor_topic):
        server.grant("topic", topic, "write", "describe", "create")
    server.grant("topic", server.cursor_topic, "read", "describe_configs")
    server.grant("group", server.cursor_topic, "read", "describe")
    with pytest.raises(SinkUnavailable, match="Transactional Id authorization failed"):
        await sink.open(lease)
    server.grant("transactional_id", server.cursor_topic, "write", "describe")
    for _ in range(2):
        await sink.open(lease)
        await sink.publish(page)
    await sink.close()
    assert positions(await server.received()) == [1, 2, 3] * 2


# --- Time and threads ------------------------------------------------------------------------------------------------


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


async def test_nothing_waits_for_a_broker_that_hangs_longer_than_it_may(server: KafkaServer, store: EventStore) -> None:
    await append(store, 3)
    lease, page = await store.relays.claim("orders", "one"), await first_page(store)
    before = threads()
    opened, new = make_sink(server.to()), make_sink(server.to())
    await opened.open(lease)
    server.freeze()
    try:
        began_at = time.monotonic()
        for done in await asyncio.gather(opened.publish(page), new.open(lease), return_exceptions=True):
            assert isinstance(done, SinkUnavailable), done
            assert "does not answer within 10 s" in str(done)
        # Nor do they wait one after another, for each thing anew.
        assert time.monotonic() - began_at < 2 * RELAY_BROKER_TIMEOUT_S
        began_at = time.monotonic()
        await opened.close()
        await new.close()
        assert time.monotonic() - began_at < RELAY_BROKER_TIMEOUT_S
        await until(lambda: threads() <= before)
    finally:
        server.thaw()
    await until(lambda: publishes(opened, lease, page))
    await opened.close()
    check_whole(await server.received(), 3)


async def publishes(sink: Sink, lease: RelayLease, page: FeedPage) -> bool:
    """Whether the broker knows who it is again."""
    try:
        if await sink.open(lease) is None:
            await sink.publish(page)
    except SinkUnavailable as error:
        print(error)
        return False
    return True


async def test_who_is_cancelled_lets_go_of_the_broker_soon(server: KafkaServer, store: EventStore) -> None:
    """With a transaction that is under way, which would hold up consumers."""
    await append(store, 3)
    lease, page = await store.relays.claim("orders", "one"), await first_page(store)
    before = threads()
    sink = make_sink(server.to())
    await sink.open(lease)
    server.freeze()
    try:
        task = asyncio.create_task(sink.publish(page))
        await asyncio.sleep(0.3)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    finally:
        server.thaw()
    began_at = time.monotonic()
    await sink.close()
    await sink.close()
    assert time.monotonic() - began_at < RELAY_BROKER_TIMEOUT_S
    await until(lambda: threads() <= before)
    assert positions(await server.received()) in ([], [1, 2, 3])
