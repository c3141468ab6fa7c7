"""Relays as processes of their own, to a real broker, and in a server."""

import asyncio
import signal
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cli.running import TIMEOUT_S, server
from indelible import AsyncClient, NewEvent
from relays.nats_server import NatsServer, messages_of, nats_server
from relays.relay_process import relay_processes
from relays.test_relay import is_published, until

METRICS = (
    'indelible_relay_lag_events{relay="orders"} 0.0',
    'indelible_relay_published_total{relay="orders"} 2.0',
    'indelible_relay_state{relay="orders",state="running"} 1.0',
    'indelible_relay_errors_total{relay="orders"} 0.0',
    'indelible_relay_set_aside{relay="orders"} 0.0',
)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path) as broker:
        yield broker


async def has_owner(client: AsyncClient) -> bool:
    return any(one.state == "running" for one in await client.relays.list())


async def test_a_relay_ends_at_sigterm_and_gives_its_lease_back(tmp_path: Path, broker: NatsServer) -> None:
    # It gives up on a store that takes longer than a second for that, as one on a busy disk may.
    with server(tmp_path, "--store", "memory:") as (url, _):
        async with AsyncClient(url) as client:
            with relay_processes(tmp_path, url, broker.to(), "one") as (relay,):
                await until(lambda: has_owner(client))
                relay.signal(signal.SIGTERM)
                assert relay.process.wait(TIMEOUT_S) == 0
                assert (await client.relays.get("orders")).state == "unowned"


async def test_a_server_runs_the_relays_of_its_configuration(tmp_path: Path, broker: NatsServer) -> None:
    config = tmp_path / "indelible.toml"
    config.write_text(f'[relays.orders]\nto = "{broker.to()}"\nevent_types = ["Placed"]\n')
    with server(tmp_path) as (url, _):
        async with AsyncClient(url) as client:
            await client.append("order", "1", [NewEvent("Placed"), NewEvent("Other"), NewEvent("Placed")])
            await until(lambda: is_published(client, 3))
            assert (await client.relays.get("orders")).published == 2
        # The relay hears of its last save a little later than others see it.
        await until(lambda: tells(f"{url}/metrics", METRICS))
        assert "relay orders" in await asyncio.to_thread(fetched, f"{url}/readyz?verbose")
    positions = [int(one.headers["ce-position"]) for one in await messages_of(broker, broker.stream)]
    assert positions == [1, 3]


async def tells(url: str, lines: Sequence[str]) -> bool:
    text = await asyncio.to_thread(fetched, url)
    return all(line in text for line in lines)


def fetched(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return str(answer.read(), "utf-8")
