"""Relays as processes of their own, to a real broker, and in a server."""

import asyncio
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.running import TIMEOUT_S, server
from indelible import AsyncClient, NewEvent
from relays.nats_server import NatsServer, messages_of, nats_server
from relays.relay_process import relay_processes
from relays.test_relay import is_published, until


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path) as broker:
        yield broker


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with server(tmp_path) as (url, _):
        yield url


async def has_owner(client: AsyncClient) -> bool:
    return any(one.state == "running" for one in await client.relays.list())


async def test_a_relay_ends_at_sigterm_and_gives_its_lease_back(tmp_path: Path, url: str, broker: NatsServer) -> None:
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
        metrics = await asyncio.to_thread(fetched, f"{url}/metrics")
        assert "relay orders" in await asyncio.to_thread(fetched, f"{url}/readyz?verbose")
    for line in (
        'indelible_relay_lag_events{relay="orders"} 0.0',
        'indelible_relay_published_total{relay="orders"} 2.0',
        'indelible_relay_state{relay="orders",state="running"} 1.0',
        'indelible_relay_errors_total{relay="orders"} 0.0',
        'indelible_relay_set_aside{relay="orders"} 0.0',
    ):
        assert line in metrics
    positions = [int(one.headers["ce-position"]) for one in await messages_of(broker, broker.stream)]
    assert positions == [1, 3]


def fetched(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return str(answer.read(), "utf-8")
