"""A relay to a real Kafka broker that takes no large messages, or few at a time."""

import secrets
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from indelible import NewEvent
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.eventstore import EventStore
from indelible.limits import RELAY_BROKER_TIMEOUT_S
from indelible.relays import at_once
from indelible.relays.kafka import connection as kafka_connection
from indelible.relays.kafka.connection import Connection
from indelible.relays.relay import Relay
from indelible.relays.sink import make_sink
from relays.kafka_server import KafkaServer, kafka_server
from relays.test_kafka import check_whole, positions, relay_to
from relays.test_relay import LEASE_S, append, is_published, running, state, until


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


@pytest.mark.parametrize(
    ("who", "limit"), [("&message.max.bytes=60000", "60000"), ("", "60000"), ("&message.max.bytes=60000", "9000")]
)
async def test_an_event_that_is_too_large_stops_the_relay(
    server: KafkaServer, store: EventStore, who: str, limit: str
) -> None:
    """By the client's limit, or the broker's. All before it are published, however many are sent together."""
    server.make_topic(server.topic, 2, **{"max.message.bytes": limit})
    await append(store, 100)
    await store.append("order", "1", [NewEvent("Placed", "x" * 70_000), NewEvent("Placed")])
    async with running(relay_to(server, store, who)):
        await until(lambda: _is(store, "stopped"))
    problem = str((await state(store)).problem)
    assert "position 101" in problem
    assert "larger than Kafka takes" in problem
    check_whole(await server.received(), 100)


async def test_a_refused_event_is_found_soon_and_sooner_the_next_time(
    server: KafkaServer, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the broker's reports, not by halves. Each attempt has a time of its own: here all together take longer."""
    server.make_topic(server.topic, 1, **{"max.message.bytes": "65536"})
    connected, connect = 0, Connection._connect

    def connect_from_far(connection: Connection, patience: Any) -> Any:
        nonlocal connected
        connected += 1
        time.sleep(RELAY_BROKER_TIMEOUT_S / 3)
        return connect(connection, patience)

    monkeypatch.setattr(Connection, "_connect", connect_from_far)
    found = []
    async with running(relay_to(server, store, on_refusal="set_aside")):
        for count in (401, 802):
            await store.append("order", "1", [
                NewEvent("Placed", "x" * 70_000), *[NewEvent("Placed", "x" * 500) for _ in range(400)]
            ])  # fmt: skip
            await until(lambda: is_published(store, count))  # noqa: B023 - waited for at once
            found.append(connected)
    assert [one.position for one in await store.relays.list_set_aside("orders")] == [1, 402]
    assert sorted(positions(await server.received())) == [*range(2, 402), *range(403, 803)]
    assert found[0] < 8
    assert found[1] - found[0] <= 2


@pytest.mark.parametrize("headers", [False, True])
async def test_large_events_one_after_another_are_refused_one_by_one(
    server: KafkaServer, store: EventStore, headers: bool
) -> None:
    """Nothing tells at first whether each is too large, or all together are. Headers count as well."""

    def large() -> NewEvent:
        return NewEvent("Placed", metadata={"note": "x" * 9_000}) if headers else NewEvent("Placed", "x" * 9_000)

    server.make_topic(server.topic, 2, **{"max.message.bytes": "8000"})
    await append(store, 5)
    for n in range(2):
        await store.append("order", str(n), [large(), large()])
    await append(store, 5)
    async with running(relay_to(server, store, on_refusal="set_aside")):
        await until(lambda: is_published(store, 14))
    assert [one.position for one in await store.relays.list_set_aside("orders")] == [6, 7, 8, 9]
    assert sorted(positions(await server.received())) == [*range(1, 6), *range(10, 15)]


async def test_a_page_gets_through_a_slow_way(
    server: KafkaServer, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a whole it would take longer than a transaction may."""
    for module in (kafka_connection, at_once):
        monkeypatch.setattr(module, "RELAY_BROKER_TIMEOUT_S", 4.0)
    monkeypatch.setattr(kafka_connection, "_LIMIT_MS", 4_000)
    await store.append("order", "1", [NewEvent("Placed", secrets.token_hex(1_000)) for _ in range(300)])
    sink = make_sink(server.url(server.proxied_address, "&create=true"))
    async with running(Relay(store, "orders", sink, lease_s=LEASE_S)):
        await until(lambda: _is(store, "running"))
        server.proxy.bytes_per_s = 160 * 1024
        try:
            await until(lambda: is_published(store, 300))
        finally:
            server.proxy.bytes_per_s = None
    check_whole(await server.received(), 300)


async def test_events_that_are_too_many_for_one_batch_are_published(server: KafkaServer, store: EventStore) -> None:
    server.make_topic(server.topic, 1, **{"max.message.bytes": "20000"})
    await store.append("order", "1", [NewEvent("Placed", "x" * 10_000) for _ in range(5)])
    await append(store, 200)
    async with running(relay_to(server, store)):
        await until(lambda: is_published(store, 205))
    check_whole(await server.received(), 205)


async def _is(store: EventStore, name: str) -> bool:
    return any(one.state == name for one in await store.relays.list())
