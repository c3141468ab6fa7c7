"""The consumer of the example takes each event once, in order, however often it and the connections are killed."""

import asyncio
import contextlib
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import pytest

from house.source import ROOT
from indelible import NewEvent
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.relays.relay import Relay
from indelible.relays.sink import make_sink
from relays.proxy import proxy
from relays.rabbitmq_server import RabbitServer, rabbitmq_server
from relays.test_relay import LEASE_S, running, until

EXAMPLE = ROOT / "examples" / "rabbitmq_consumer.py"
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    with rabbitmq_server(tmp_path_factory.mktemp("rabbitmq")) as node:
        yield node


@pytest.fixture
def broker(node: RabbitServer) -> RabbitServer:
    node.begin_anew()
    return node


class Consumer:
    def __init__(self, folder: Path, broker: RabbitServer) -> None:
        self.broker, self.queue = broker, f"billing-{broker.queue}"
        self.database = folder / "consumer.db"
        self.errors = folder / "consumer.err"
        self._command = [
            sys.executable, EXAMPLE, broker.amqp(), "--exchange", broker.exchange, "--queue", self.queue,
            "--db", self.database,
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=errors)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_S)

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(TIMEOUT_S)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self.database, timeout=TIMEOUT_S)) as database:
            return database.execute(query).fetchall()

    def count(self) -> int:
        with contextlib.suppress(sqlite3.OperationalError):
            return int(str(self.rows("SELECT count(*) FROM events")[0][0]))
        return 0


async def test_each_event_takes_effect_once(tmp_path: Path, broker: RabbitServer) -> None:
    choose = random.Random(3)
    consumer = Consumer(tmp_path, broker)
    try:
        await until(lambda: is_bound(consumer))
        with proxy(broker.port) as way:
            async with LocalEventStore(MemoryEngine()) as store:
                sink = make_sink(broker.to(port=way.port))
                async with running(Relay(store, "orders", sink, lease_s=LEASE_S)):
                    for n in range(6):
                        for _ in range(5):
                            await store.append("order", str(n % 2), [NewEvent("Placed") for _ in range(20)])
                        await asyncio.sleep(choose.uniform(0.1, 0.6))
                        way.cut()
                        if n % 2:
                            consumer.kill()
                            consumer.start()
                    # All of them once more; and one that only a consumer takes that is not just starting any more.
                    await store.relays.reset("orders", start="beginning")
                    await store.append("order", "0", [NewEvent("Placed")])
                    await until(lambda: consumer.count() == 601)
                    await until(lambda: is_done(store))
    finally:
        code = consumer.end()
    assert (code, consumer.errors.read_text()) == (0, "")
    counts = consumer.rows("SELECT source, event_type, count FROM counts")
    assert counts == [(f"/v1/aggregates/order/{n}", "Placed", 301 - n) for n in range(2)]
    assert consumer.rows("SELECT version FROM aggregates") == [(301,), (300,)]


async def is_done(store: LocalEventStore) -> bool:
    info = await store.relays.get("orders")
    return info.lag == 0 and info.epoch > 1


async def is_bound(consumer: Consumer) -> bool:
    """Only from then on it is sent messages."""
    queues = await asyncio.to_thread(consumer.broker.control, "list_bindings", "source_name", "destination_name")
    return f"{consumer.broker.exchange}\t{consumer.queue}" in queues


async def test_events_that_come_in_another_order_stop_it(tmp_path: Path, broker: RabbitServer) -> None:
    consumer = Consumer(tmp_path, broker)
    try:
        await until(lambda: is_bound(consumer))
        async with await aio_pika.connect(broker.amqp()) as connection, connection.channel() as channel:
            exchange = await channel.get_exchange(broker.exchange)
            for version in (1, 3, 2):
                headers = {
                    "cloudEvents_id": f"id {version}", "cloudEvents_type": "Placed", "cloudEvents_source": "/order/1",
                    "cloudEvents_version": str(version),
                }  # fmt: skip
                await exchange.publish(aio_pika.Message(b"{}", headers=headers), "any")
        assert await asyncio.to_thread(consumer.process.wait, TIMEOUT_S) == 1
    finally:
        consumer.kill()
    assert "version 2 of /order/1 has come behind version 3" in consumer.errors.read_text()
    assert consumer.count() == 2
