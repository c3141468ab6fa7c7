"""The consumer for Kafka takes each event once, though it is killed, and the relay publishes all of them again."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from indelible import NewEvent
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from relays.kafka_server import KafkaServer, kafka_server
from relays.test_kafka import relay_to
from relays.test_relay import is_published, running, until

PROGRAM = Path(__file__).parents[2] / "examples" / "kafka_consumer.py"
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with kafka_server(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@contextmanager
def consumer(server: KafkaServer, database: Path) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable,
        PROGRAM,
        server.address,
        server.topic,
        database,
        "--group",
        server.topic,
        "--name",
        "one",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=TIMEOUT_S)


def rows(database: Path, table: str) -> list[tuple[str | int, ...]]:
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(database)) as connection:
        return connection.execute(f"SELECT source, version FROM {table} ORDER BY 1, 2").fetchall()
    return []


async def test_each_event_is_stored_once(server: KafkaServer, tmp_path: Path) -> None:
    database = tmp_path / "orders.db"
    async with LocalEventStore(MemoryEngine()) as store:
        for n in range(1_200):
            await store.append("order", str(n % 5), [NewEvent("Placed", {"n": n})])
        async with running(relay_to(server, store, "&partitions=2")):
            await until(lambda: is_published(store, 1_200))
            with consumer(server, database):
                await until(lambda: len(rows(database, "events")) > 0)
            await store.relays.reset("orders", start="beginning")
            await store.append("order", "0", [NewEvent("Placed")])
            await until(lambda: is_published(store, 1_201))
        with consumer(server, database) as process:
            await until(lambda: len(rows(database, "events")) == 1_201)
            await asyncio.sleep(0.5)
            process.terminate()
            out, _ = process.communicate(timeout=TIMEOUT_S)
            assert process.returncode == 0, out
    sources = [f"/v1/aggregates/order/{n}" for n in range(5)]
    expected = [(source, version) for source in sources for version in range(1, 241 + (source == sources[0]))]
    assert rows(database, "events") == expected
    assert rows(database, "aggregates") == [(source, 240 + (source == sources[0])) for source in sources]


async def test_it_stops_where_versions_are_out_of_order(server: KafkaServer, tmp_path: Path) -> None:
    server.begin_anew()
    async with LocalEventStore(MemoryEngine()) as one, LocalEventStore(MemoryEngine()) as other:
        for store, relay in ((one, "one"), (other, "two")):
            await store.append("order", "1", [NewEvent("Placed")])
            async with running(relay_to(server, store, f"&cursor_topic={server.topic}_{relay}", name=relay)):
                await until(lambda: is_published(store, 1, relay))  # noqa: B023 - waited for at once
    with consumer(server, tmp_path / "orders.db") as process:
        out, _ = process.communicate(timeout=TIMEOUT_S)
    assert "is at version 1, and 1 comes" in out
    assert process.returncode != 0
