"""A relay to a real RabbitMQ server: at least once, and none without those before it, whatever dies."""

import asyncio
import json
import signal
import subprocess
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from urllib.parse import quote, unquote

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from indelible import NewEvent
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.eventstore import EventStore
from indelible.limits import RELAY_BROKER_TIMEOUT_S
from indelible.relays import at_once
from indelible.relays.rabbitmq import connection as rabbitmq_connection
from indelible.relays.rabbitmq import sink as rabbitmq_sink
from indelible.relays.relay import Relay
from indelible.relays.sink import SinkRefused, SinkUnavailable, make_sink
from postgres.server import free_port
from relays.proxy import proxy
from relays.rabbitmq_server import RabbitServer, Received, positions, rabbitmq_server
from relays.test_relay import LEASE_S, PATIENCE_S, append, first_page, is_published, running, state, until

SIZE_BYTES_MAX = 100_000
FRAME_BYTES_MAX = 32_768


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    folder, tls_port = tmp_path_factory.mktemp("rabbitmq"), free_port()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    settings = (
        f"max_message_size = {SIZE_BYTES_MAX}", f"frame_max = {FRAME_BYTES_MAX}",
        f"listeners.ssl.1 = 127.0.0.1:{tls_port}", f"ssl_options.certfile = {folder}/cert.pem",
        f"ssl_options.keyfile = {folder}/key.pem",
    )  # fmt: skip
    with rabbitmq_server(folder, *settings) as node:
        node.tls_port, node.certificate = tls_port, folder / "cert.pem"
        yield node


@pytest.fixture
def server(node: RabbitServer) -> RabbitServer:
    node.begin_anew()
    return node


@pytest.fixture
async def store() -> AsyncIterator[EventStore]:
    async with LocalEventStore(MemoryEngine()) as store:
        yield store
    # Whatever was done to a connection, nothing of it goes on.
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


@pytest.fixture
def is_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq_sink, "RELAY_BROKER_TIMEOUT_S", 2.0)
    monkeypatch.setattr(at_once, "RELAY_BROKER_TIMEOUT_S", 2.0)
    monkeypatch.setattr(rabbitmq_connection, "RELAY_LOCK_WAIT_S", 0.3)


def relay_to(server: RabbitServer, store: EventStore, more: str = "", name: str = "orders") -> Relay:
    return Relay(store, name, make_sink(server.to(more)), lease_s=LEASE_S)


def bound_by_others(server: RabbitServer) -> str:
    """The URL of a sink that makes nothing."""
    return f"amqp://127.0.0.1:{server.port}?exchange={server.exchange}"


async def is_(store: EventStore, word: str, problem: str = "") -> bool:
    relays = await store.relays.list()
    return bool(relays) and relays[0].state == word and problem in str(relays[0].problem)


def check_in_order(messages: Sequence[Received], count: int) -> list[int]:
    """In each queue each event is there, and comes first behind all those before it. How often each came."""
    queues: defaultdict[str, list[int]] = defaultdict(list)
    for one in messages:
        queues[one.place].append(int(one.headers["cloudEvents_position"]))
    for found in queues.values():
        assert list(dict.fromkeys(found)) == list(range(1, count + 1))
    return [len(found) for found in queues.values()]


async def is_published_in_part(store: EventStore) -> bool:
    return (await state(store)).published > 1


async def message_in(server: RabbitServer, queue: str, vhost: str = "/") -> AbstractIncomingMessage:
    async with await aio_pika.connect(server.amqp(vhost)) as connection, connection.channel() as channel:
        message = await (await channel.get_queue(queue)).get(no_ack=True)
        assert message is not None
        return message


# --- What is published -----------------------------------------------------------------------------------------------


async def test_events_are_cloud_events_with_what_a_consumer_needs(server: RabbitServer, store: EventStore) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    event = NewEvent("OrderPlaced", {"total": 42.5}, metadata={"traceparent": trace}, tags=["ü"])
    await store.append("order", "ó 1", [event])
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 1))
    message = await message_in(server, server.queue)
    headers = message.headers
    assert (message.exchange, message.routing_key) == (server.exchange, "indelible.events")
    assert (json.loads(message.body), message.content_type) == ({"total": 42.5}, "application/json")
    assert (headers["cloudEvents_id"], message.message_id) == (str(event.event_id), str(event.event_id))
    assert (headers["cloudEvents_type"], message.type) == ("OrderPlaced", "OrderPlaced")
    assert (headers["cloudEvents_version"], headers["cloudEvents_position"]) == ("1", "1")
    assert unquote(str(headers["cloudEvents_source"])) == "/v1/aggregates/order/ó 1"
    assert (headers["cloudEvents_subject"], headers["cloudEvents_tags"]) == ("ó 1", '["ü"]')
    assert headers["traceparent"] == trace
    own = [headers[f"indelible-{name}"] for name in ("relay", "epoch", "cursor")]
    assert own == ["orders", "1", "1"]
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    stored = (await first_page(store)).events[0]
    assert message.timestamp == stored.timestamp.replace(microsecond=0)


async def test_a_message_may_hold_the_whole_cloud_event(server: RabbitServer, store: EventStore) -> None:
    await store.append("order", "1", [NewEvent("OrderPlaced", {"total": 42.5})])
    async with running(relay_to(server, store, "&mode=structured")):
        await until(lambda: is_published(store, 1))
    (message,) = await server.received()
    event = json.loads(message.data)
    assert message.headers["content-type"] == "application/cloudevents+json"
    assert (event["type"], event["position"], event["data"]) == ("OrderPlaced", "1", {"total": 42.5})
    assert not [name for name in message.headers if name.startswith("cloudEvents")]


@pytest.mark.parametrize("more", ["", "&strict=true", "&queue_type=stream", "&queue_type=classic&exchange_type=fanout"])
async def test_every_event_is_published_once_where_nothing_fails(
    server: RabbitServer, store: EventStore, more: str
) -> None:
    await append(store, 300)
    async with running(relay_to(server, store, more)):
        await until(lambda: is_published(store, 300))
        await append(store, 5)
        await until(lambda: is_published(store, 305))
    assert positions(await server.received()) == list(range(1, 306))


async def test_names_may_be_odd(server: RabbitServer, store: EventStore) -> None:
    vhost, user, password, exchange, queue = "a/ü %41", "mé:@", "p/?#%&=+", "x/:@,+ .#", "q +_"
    server.control("add_vhost", vhost)
    server.control("add_user", user, text=password)
    server.control("set_permissions", "--vhost", vhost, user, r"^(indelible\.relay\.|x/|q)", ".*", ".*")
    await store.append("Kunde *>.# ü", "1", [NewEvent("Ü" * 255, "x" * 60_000)])
    await store.append("order", "1", [NewEvent("Placed", "")])
    url = (
        f"amqp://{quote(user, safe='')}:{quote(password, safe='')}@127.0.0.1:{server.port}/{quote(vhost, safe='')}"
        f"?exchange={quote(exchange)}&create=true&queue={quote(queue)}&routing_key={quote('a.{aggregate_type}.é')}"
    )
    name = "ü" * 255
    async with running(Relay(store, name, make_sink(url), lease_s=LEASE_S)):
        await until(lambda: is_published(store, 2, name))
    server.control("set_permissions", "--vhost", vhost, "guest", ".*", ".*", ".*")
    found = []
    for _ in range(2):
        message = await message_in(server, queue, vhost)
        found.append((message.routing_key, message.headers["cloudEvents_type"], len(message.body)))
    assert found == [("a.Kunde%20%2A%3E%2E%23%20%C3%BC.é", "Ü" * 255, 60_002), ("a.order.é", "Placed", 2)]


async def test_over_tls(server: RabbitServer, store: EventStore) -> None:
    await append(store, 3)
    url = server.to(f"&cacertfile={server.certificate}", server.tls_port).replace("amqp:", "amqps:")
    async with running(Relay(store, "orders", make_sink(url), lease_s=LEASE_S)):
        await until(lambda: is_published(store, 3))
    assert positions(await server.received()) == [1, 2, 3]
    sink = make_sink(f"amqps://127.0.0.1:{server.tls_port}?exchange=a")
    with pytest.raises(SinkUnavailable, match=r"cannot be reached at .*CERTIFICATE_VERIFY_FAILED"):
        await sink.open(await store.relays.claim("orders", "a"))
    await sink.close()


async def test_a_reset_publishes_again(server: RabbitServer, store: EventStore) -> None:
    await append(store, 3)
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 3))
        await store.relays.reset("orders", start="beginning")
        await until(lambda: is_published(store, 3))
    assert positions(await server.received()) == [1, 2, 3] * 2


# --- What fails ------------------------------------------------------------------------------------------------------


async def test_nothing_is_lost_though_the_broker_is_killed(server: RabbitServer, store: EventStore) -> None:
    async with running(relay_to(server, store, "&routing_key=shop.{aggregate_type}")):
        await append(store, 1)
        await until(lambda: is_published(store, 1))
        await asyncio.to_thread(server.keep_queues)
        for n in range(20):
            await store.append(("order", "a.b")[n % 2], "2", [NewEvent("Placed") for _ in range(200)])
        # In the middle of what it has to publish.
        await until(lambda: is_published_in_part(store))
        await asyncio.to_thread(server.kill_at_once)
        await asyncio.to_thread(server.start)
        await until(lambda: is_published(store, 4_001))
    check_in_order(await server.received(), 4_001)


async def test_nothing_is_lost_though_connections_break(server: RabbitServer, store: EventStore) -> None:
    with proxy(server.port) as way:
        sink = make_sink(server.to("&routing_key={aggregate_type}", way.port))
        async with running(Relay(store, "orders", sink, lease_s=LEASE_S)) as relay:
            for n in range(8):
                await store.append("order" if n % 3 else "other", str(n), [NewEvent("Placed") for _ in range(250)])
                await asyncio.sleep(0.03 * n)
                way.cut()
            await until(lambda: is_published(store, 2_000))
            assert not relay.done()
    (count,) = check_in_order(await server.received(), 2_000)
    assert count < 5_000


async def test_what_no_queue_takes_stops_the_relay(server: RabbitServer, store: EventStore) -> None:
    """And nothing behind it comes through, though a queue would take it."""
    await server.bind("shop.order")
    for kind in ("order", "order", "other", "order"):
        await store.append(kind, "1", [NewEvent("Placed")])
    sink = make_sink(f"{bound_by_others(server)}&routing_key=shop.{{aggregate_type}}")
    async with running(Relay(store, "orders", sink, lease_s=LEASE_S)):
        await until(lambda: is_(store, "stopped"))
        problem = str((await state(store)).problem)
        assert f"position 3: no queue takes the routing key shop.other from the exchange {server.exchange}" in problem
        assert positions(await server.received()) == [1, 2]
        await server.bind("shop.*")
        await store.relays.resume("orders")
        await until(lambda: is_published(store, 4))
    check_in_order(await server.received(), 4)


@pytest.mark.parametrize("what", ["queue", "binding", "exchange"])
async def test_what_is_taken_away_is_made_again(server: RabbitServer, store: EventStore, what: str) -> None:
    """Where the URL says what is to be made. No event is refused for good for it."""
    async with running(relay_to(server, store)):
        await append(store, 3)
        await until(lambda: is_published(store, 3))
        assert positions(await server.received()) == [1, 2, 3]
        async with await aio_pika.connect(server.amqp()) as connection, connection.channel() as channel:
            if what == "queue":
                await channel.queue_delete(server.queue)
            elif what == "exchange":
                await channel.exchange_delete(server.exchange)
            else:
                await (await channel.get_queue(server.queue)).unbind(server.exchange, "indelible.events")
        await append(store, 3)
        await until(lambda: is_published(store, 6))
    assert positions(await server.received())[3:] == [4, 5, 6]


async def test_what_no_queue_takes_though_one_was_made_is_refused(server: RabbitServer, store: EventStore) -> None:
    await append(store, 2)
    page, sink = await first_page(store), make_sink(server.to())
    lease = await store.relays.claim("orders", "one")
    await sink.open(lease)
    async with await aio_pika.connect(server.amqp()) as connection, connection.channel() as channel:
        await channel.queue_delete(server.queue)
    with pytest.raises(SinkUnavailable, match=f"no queue takes .*{server.queue} was taken away"):
        await sink.publish(page)
    sink._declare = _nothing  # type: ignore[attr-defined] # as if somebody took it away each time
    await sink.open(lease)
    with pytest.raises(SinkRefused) as caught:
        await sink.publish(page)
    assert caught.value.position == 1
    await sink.close()


async def _nothing(_: object) -> None:
    pass


async def test_what_a_rule_of_the_broker_refuses_stops_the_relay(server: RabbitServer, store: EventStore) -> None:
    await append(store, 2)
    large = {
        3: ("order", NewEvent("Placed", "x" * (SIZE_BYTES_MAX + 10)), "see max_message_size"),
        4: ("order", NewEvent("Placed", metadata={"more": "ü" * (FRAME_BYTES_MAX // 2)}), "see frame_max"),
        5: ("ü" * 100, NewEvent("Placed"), "routing key would have more than 255 bytes"),
    }
    for kind, event, _ in large.values():
        await store.append(kind, "large", [event])
    await store.append("order", "2", [NewEvent("Placed", "x" * (FRAME_BYTES_MAX + n)) for n in range(-10, 10)])
    async with running(relay_to(server, store, "&routing_key={aggregate_type}")):
        for position, (_, _, problem) in large.items():
            await until(lambda: is_(store, "stopped", f"position {position}: "))  # noqa: B023 - waited for at once
            assert problem in str((await state(store)).problem)
            await store.relays.reset("orders", after=(await store.read_feed(limit=position)).cursor)
            await store.relays.resume("orders")
        await until(lambda: is_published(store, 25))
    messages = await server.received()
    assert list(dict.fromkeys(positions(messages))) == [1, 2, *range(6, 26)]
    assert len(messages[-1].data) == FRAME_BYTES_MAX + 11


@pytest.mark.parametrize("more", ["", "&strict=true"])
async def test_a_full_queue_is_waited_for(server: RabbitServer, store: EventStore, more: str) -> None:
    await server.bind(arguments={"x-max-length": 8, "x-overflow": "reject-publish"})
    await append(store, 20)
    async with running(Relay(store, "orders", make_sink(bound_by_others(server) + more), lease_s=LEASE_S)):
        await until(lambda: is_(store, "retrying", "is full, and rejects what is published"))
        while not await is_published(store, 20):
            await server.received()
            await asyncio.sleep(0.02)
        found = await server.received()
    if more:
        assert positions(found) == list(range(1, 21))
    # Who takes each event behind the one before alone gets all of them, if not at the first time.
    taken = 0
    for position in positions(found):
        taken += position == taken + 1
    assert taken == 20


async def test_a_broker_that_is_short_of_memory_is_waited_for(
    server: RabbitServer, store: EventStore, is_impatient: None
) -> None:
    async with running(relay_to(server, store)):
        await append(store, 1)
        await until(lambda: is_published(store, 1))
        await asyncio.to_thread(server.control, "set_vm_memory_high_watermark", "0")
        try:
            await append(store, 300)
            await until(lambda: is_(store, "retrying", "short of memory or disk space"))
            # The broker does not see that the connection ended.
            await until(lambda: is_(store, "retrying", "another connection has the relay's lock"))
        finally:
            await asyncio.to_thread(server.control, "set_vm_memory_high_watermark", "0.6")
        await until(lambda: is_published(store, 301))
    check_in_order(await server.received(), 301)


async def test_a_broker_that_does_not_answer_is_told(
    server: RabbitServer, store: EventStore, is_impatient: None
) -> None:
    async with running(relay_to(server, store)):
        await append(store, 1)
        await until(lambda: is_published(store, 1))
        server.send_signal(signal.SIGSTOP)
        try:
            await append(store, 300)
            await until(lambda: is_(store, "retrying", "RabbitMQ does not answer within 2 s"))
            await asyncio.sleep(2)
        finally:
            server.send_signal(signal.SIGCONT)
        await until(lambda: is_published(store, 301))
    check_in_order(await server.received(), 301)


async def test_a_page_gets_through_a_slow_way(server: RabbitServer, store: EventStore, is_impatient: None) -> None:
    """As a whole it would take some seconds: it would never be acknowledged, and be sent again and again."""
    await store.append("order", "1", [NewEvent("Placed", "x" * 2_000) for _ in range(400)])
    with proxy(server.port) as way:
        sink = make_sink(server.to(port=way.port))
        async with running(Relay(store, "orders", sink, lease_s=LEASE_S)):
            await until(lambda: is_(store, "running"))
            way.bytes_per_s = 256 * 1024
            await until(lambda: is_published(store, 400))
    (count,) = check_in_order(await server.received(), 400)
    assert count < 1_200


async def test_what_is_confirmed_of_a_page_is_not_sent_again(server: RabbitServer, store: EventStore) -> None:
    await append(store, 200)
    page, sink = await first_page(store), make_sink(server.to())
    lease = await store.relays.claim("orders", "one")
    await sink.open(lease)
    connection: Any = sink._connection  # type: ignore[attr-defined] # the way in
    publish = connection.publish

    async def break_in_the_middle(exchange: str, messages: Sequence[Any]) -> AsyncIterator[object]:
        count = 0
        async for outcome in publish(exchange, messages):
            yield outcome
            count += 1
            if count == 50:
                raise SinkUnavailable("the connection broke")

    connection.publish = break_in_the_middle
    with pytest.raises(SinkUnavailable):
        await sink.publish(page)
    # All had been sent.
    async with asyncio.timeout(PATIENCE_S):
        while len(await server.received()) < page.count:
            pass
    await sink.open(lease)
    await sink.publish(page)
    await sink.close()
    found = positions(await server.received())[page.count :]
    assert found == list(range(found[0], page.count + 1))
    assert found[0] > 50


async def is_published_once_resumed(store: EventStore, position: int) -> bool:
    """The relay may have found the exchange before its queue was bound: then it has stopped."""
    if (await state(store)).state == "stopped":
        await store.relays.resume("orders")
    return await is_published(store, position)


async def test_an_exchange_that_is_not_there(server: RabbitServer, store: EventStore) -> None:
    await append(store, 1)
    async with running(Relay(store, "orders", make_sink(bound_by_others(server)), lease_s=LEASE_S)):
        problem = f"no exchange {server.exchange} in the virtual host /; make it, durable, or add create=true"
        await until(lambda: is_(store, "retrying", problem))
        await server.bind()
        await until(lambda: is_published_once_resumed(store, 1))
        # The broker closes the channel at the next message.
        async with await aio_pika.connect(server.amqp()) as connection, connection.channel() as channel:
            await channel.exchange_delete(server.exchange)
        await append(store, 1)
        await until(lambda: is_(store, "retrying", "no exchange"))
        await server.bind()
        await until(lambda: is_published_once_resumed(store, 2))
    check_in_order(await server.received(), 2)


@pytest.mark.parametrize(
    ("more", "problem"), [("&exchange_type=direct", "inequivalent arg 'type'"), ("&queue_type=quorum", "x-queue-type")]
)
async def test_what_is_there_with_other_properties(
    server: RabbitServer, store: EventStore, more: str, problem: str
) -> None:
    await server.bind()
    sink = make_sink(server.to(more))
    with pytest.raises(SinkUnavailable, match=f"has it already, with other properties.*{problem}"):
        await sink.open(await store.relays.claim("orders", "one"))
    await sink.close()


async def test_who_is_not_let_in_is_told_at_once(server: RabbitServer, store: EventStore) -> None:
    server.control("add_user", "reader", text="secret")
    server.control("set_permissions", "reader", "", "", ".*")
    for address, problem in (
        (f"127.0.0.1:{free_port()}", "cannot be reached at 127.0.0.1:.*Connect call failed"),
        (f"me:wrong@127.0.0.1:{server.port}", "does not let the user me in"),
        (f"127.0.0.1:{server.port}/nowhere", "does not open the virtual host nowhere: there is none, or the user"),
        (f"reader:secret@127.0.0.1:{server.port}", r"access to queue 'indelible\.relay\.orders\.a'"),
    ):
        sink = make_sink(f"amqp://{address}?exchange=a")
        async with asyncio.timeout(RELAY_BROKER_TIMEOUT_S):
            with pytest.raises(SinkUnavailable, match=problem):
                await sink.open(await store.relays.claim("orders", "one"))
        await sink.close()


async def test_a_user_needs_few_permissions(server: RabbitServer, store: EventStore) -> None:
    """Those that the how-to names."""
    exchange, queue = server.exchange, server.queue
    for user, configure, write, read, more in (
        ("maker", f"^{exchange}$|^{queue}$", f"^{exchange}$|^{queue}$", f"^{exchange}$", f"&create=true&queue={queue}"),
        ("writer", "^$", f"^{exchange}$", "^$", ""),
    ):
        lock = r"^indelible\.relay\."
        server.control("add_user", user, text="secret")
        server.control("set_permissions", user, f"{lock}|{configure}", write, f"{lock}|{read}")
        await append(store, 1)
        sink = make_sink(f"amqp://{user}:secret@127.0.0.1:{server.port}?exchange={exchange}{more}")
        async with running(Relay(store, "orders", sink, lease_s=LEASE_S)):
            position = (await store.head()).position
            await until(lambda: is_published(store, position))  # noqa: B023 - waited for at once
    server.to()
    assert positions(await server.received()) == [1, 2]


# --- One owner at a time ---------------------------------------------------------------------------------------------


async def test_another_owner_waits_until_the_first_is_gone(
    server: RabbitServer, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the first has heard nothing of it."""
    await append(store, 5)
    page = await first_page(store)
    sinks = [make_sink(server.to()) for _ in range(2)]
    leases = [await store.relays.claim("orders", "one") for _ in range(2)]
    assert await sinks[0].open(leases[0]) is None
    with monkeypatch.context() as impatient:
        impatient.setattr(rabbitmq_connection, "RELAY_LOCK_WAIT_S", 0.3)
        problem = f"has the relay's lock, the queue indelible.relay.orders.{server.exchange}"
        with pytest.raises(SinkUnavailable, match=problem):
            await sinks[1].open(leases[1])
    await sinks[0].publish(page)
    opening = asyncio.create_task(sinks[1].open(leases[1]))
    await asyncio.sleep(0.1)
    await sinks[0].close()
    await opening
    await sinks[1].publish(page)
    await sinks[1].close()
    messages = await server.received()
    assert [one.headers["indelible-epoch"] for one in messages] == ["1"] * 5 + ["2"] * 5


async def test_a_relay_that_waits_for_the_lock_ends_when_it_is_told(
    server: RabbitServer, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not when it would have given up."""
    monkeypatch.setattr(rabbitmq_sink, "RELAY_BROKER_TIMEOUT_S", 10 * PATIENCE_S)
    monkeypatch.setattr(rabbitmq_connection, "RELAY_LOCK_WAIT_S", 10 * PATIENCE_S)
    sink = make_sink(server.to())
    await sink.open(await store.relays.claim("orders", "another", lease_s=0.2))
    async with running(relay_to(server, store)) as relay:
        await until(lambda: has_epoch(store, 2))
        await asyncio.sleep(0.5)
        relay.cancel()
        _, still_running = await asyncio.wait([relay], timeout=PATIENCE_S)
        assert not still_running
    await sink.close()


async def has_epoch(store: EventStore, epoch: int) -> bool:
    return (await state(store)).epoch == epoch


async def test_a_lock_that_is_taken_away_is_taken_again(server: RabbitServer, store: EventStore) -> None:
    sink: Any = make_sink(server.to())
    async with running(Relay(store, "orders", sink, lease_s=LEASE_S)):
        await append(store, 1)
        await until(lambda: is_published(store, 1))
        connection = sink._connection
        await asyncio.to_thread(server.control, "delete_queue", f"indelible.relay.orders.{server.exchange}")
        # What is published before the broker has told that comes through.
        await until(lambda: sink._connection is not connection or connection._loss is not None)
        await append(store, 1)
        await until(lambda: is_published(store, 2))
        assert f"indelible.relay.orders.{server.exchange}" in await asyncio.to_thread(server.control, "list_queues")
    assert positions(await server.received()) == [1, 2]


async def test_relays_of_two_stores_may_share_a_name(server: RabbitServer, store: EventStore) -> None:
    await append(store, 1)
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 1))
        server.begin_anew()
        async with LocalEventStore(MemoryEngine()) as second:
            await append(second, 2)
            async with running(relay_to(server, second)):
                await until(lambda: is_published(second, 2))
    assert positions(await server.received()) == [1, 2]


@pytest.mark.parametrize(
    "refused",
    [NewEvent("Placed", metadata={"more": "x" * FRAME_BYTES_MAX}), NewEvent("Placed", "x" * SIZE_BYTES_MAX)],
    ids=["headers", "data"],
)
async def test_a_refusal_comes_behind_all_that_is_published(
    server: RabbitServer, store: EventStore, refused: NewEvent
) -> None:
    """They are stored once, and nothing is that comes after."""
    await append(store, 50)
    await store.append("order", "1", [refused])
    await append(store, 5)
    sink = make_sink(server.to())
    await sink.open(await store.relays.claim("orders", "one"))
    with pytest.raises(SinkRefused) as caught:
        await sink.publish(await first_page(store))
    await sink.close()
    found = await server.received()
    assert (positions(found), caught.value.position) == (list(range(1, 51)), 51)
