"""The consumer of NATS is killed in the middle of its work, and counts each event once."""

import asyncio
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import nats
import pytest
from nats.js.errors import NotFoundError

from cli.running import environment
from indelible import NewEvent
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.relays.relay import Relay
from indelible.relays.sink import make_sink
from relays.nats_server import NatsServer, nats_server
from relays.test_relay import is_published, running, until

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "nats_consumer.py"
TIMEOUT_S = 300
"""Each event is a transaction, with a sync of the disk."""
ORDERS, EVENTS = 10, 100


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """With a stream that a relay has published to."""
    with nats_server(tmp_path) as server:
        async with LocalEventStore(MemoryEngine()) as store:
            for n in range(EVENTS):
                for order in range(ORDERS):
                    await store.append("order", f"ö {order}", [NewEvent("ItemAdded", {"amount": n})])
                await store.append("other", "1", [NewEvent("ItemAdded", {"amount": n})])
            relay = Relay(store, "orders", make_sink(f"{server.url}?stream=EVENTS&create=true"))
            async with running(relay):
                await until(lambda: is_published(store, EVENTS * (ORDERS + 1)))
        yield server


async def test_each_event_counts_once_though_it_is_killed(broker: NatsServer, tmp_path: Path) -> None:
    database = tmp_path / "billing.db"
    command = [
        sys.executable, str(PROGRAM), "--nats", broker.url, "--stream", "EVENTS", "--database", str(database),
        "--ack-wait", "1", "--once",
    ]  # fmt: skip
    await asyncio.to_thread(start_and_kill, command)
    # It ends when nothing came for a while, which on a busy machine need not be the end.
    while await left(broker):
        await asyncio.to_thread(subprocess.run, command, check=True, timeout=TIMEOUT_S, env=environment())
    rows = sqlite3.connect(database).execute("SELECT order_id, version, total FROM orders ORDER BY order_id").fetchall()
    assert rows == [(f"ö {order}", EVENTS, float(sum(range(EVENTS)))) for order in range(ORDERS)]


def start_and_kill(command: Sequence[str]) -> None:
    """Some times."""
    choose = random.Random(3)
    for _ in range(4):
        killed = subprocess.Popen(command, env=environment())
        time.sleep(choose.uniform(0.4, 0.8))
        killed.kill()
        killed.wait(TIMEOUT_S)


async def left(broker: NatsServer) -> int:
    """Messages that are not acknowledged."""
    client = await nats.connect(broker.url)
    try:
        info = await client.jetstream().consumer_info("EVENTS", "billing")
    except NotFoundError:
        return EVENTS * (ORDERS + 1)
    finally:
        await client.close()
    return (info.num_pending or 0) + (info.num_ack_pending or 0)
