"""Relays as processes of their own, to a real broker: killed, stopped and continued, with the broker killed too."""

import asyncio
import contextlib
import random
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.running import COMMAND, TIMEOUT_S, environment, server
from indelible import AsyncClient, NewEvent
from relays.nats_server import NatsServer, messages_of, nats_server
from relays.test_nats import check_whole, is_published
from relays.test_relay import until

STREAM = "EVENTS"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path) as broker:
        yield broker


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with server(tmp_path) as (url, _):
        yield url


class RelayProcess:
    def __init__(self, folder: Path, url: str, broker: NatsServer, name: str) -> None:
        self.log = folder / f"{name}.log"
        self._command = [
            COMMAND, "relay", "run", "orders", "--url", url, "--to", f"{broker.url}?stream={STREAM}&create=true",
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=environment())

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_S)


@contextlib.contextmanager
def relay_processes(folder: Path, url: str, broker: NatsServer, *names: str) -> Iterator[list[RelayProcess]]:
    relays = [RelayProcess(folder, url, broker, name) for name in names]
    try:
        yield relays
    finally:
        for relay in relays:
            relay.signal(signal.SIGCONT)
            relay.kill()


async def write(client: AsyncClient, count: int, pause_s: float) -> None:
    """Appends of one event each to 20 aggregates."""
    for n in range(count):
        await client.append("order", str(n % 20), [NewEvent("Placed", {"n": n})])
        await asyncio.sleep(pause_s)


async def test_each_event_is_stored_once_whatever_is_killed(tmp_path: Path, url: str, broker: NatsServer) -> None:
    choose = random.Random(1)
    async with AsyncClient(url) as client:
        with relay_processes(tmp_path, url, broker, "one", "two") as relays:
            writing = asyncio.create_task(write(client, 1_500, 0.004))
            for _ in range(6):
                await asyncio.sleep(choose.uniform(0.3, 1.2))
                what = choose.choice([broker, *relays])
                what.kill()
                await asyncio.sleep(choose.uniform(0, 0.3))
                what.start()
            await writing
            await until(lambda: is_published(client, 1_500))
    check_whole(await messages_of(broker, STREAM), 1_500)


async def test_one_that_was_stopped_for_long_is_refused(tmp_path: Path, url: str, broker: NatsServer) -> None:
    """The active one is stopped for longer than its lease, and goes on: the other has taken over within 10 s, and
    nothing of the first is seen any more."""
    async with AsyncClient(url) as client:
        with relay_processes(tmp_path, url, broker, "one", "two") as relays:
            await until(lambda: has_owner(client))
            writing = asyncio.create_task(write(client, 1_200, 0.01))
            await asyncio.sleep(1)
            owner = (await client.relays.get("orders")).owner
            (first,) = [one for one in relays if f" {one.process.pid} " in owner]
            first.signal(signal.SIGSTOP)
            async with asyncio.timeout(10):
                await until(lambda: is_taken_over(client, owner))
            await asyncio.sleep(0.5)
            first.signal(signal.SIGCONT)
            await writing
            await until(lambda: is_published(client, 1_200))
            await until(lambda: "another owner" in first.log.read_text())
            info = await client.relays.get("orders")
    messages = await messages_of(broker, STREAM)
    check_whole(messages, 1_200)
    assert info.epoch == 2
    assert {one.headers["indelible-epoch"] for one in messages} == {"1", "2"}


async def is_taken_over(client: AsyncClient, owner: str) -> bool:
    return (await client.relays.get("orders")).owner != owner


async def has_owner(client: AsyncClient) -> bool:
    return any(one.state == "running" for one in await client.relays.list())


async def test_a_relay_ends_at_sigterm_and_gives_its_lease_back(tmp_path: Path, url: str, broker: NatsServer) -> None:
    async with AsyncClient(url) as client:
        with relay_processes(tmp_path, url, broker, "one") as (relay,):
            await until(lambda: has_owner(client))
            relay.signal(signal.SIGTERM)
            assert relay.process.wait(TIMEOUT_S) == 0
            assert (await client.relays.get("orders")).state == "unowned"


async def test_a_server_runs_the_relays_of_its_configuration(tmp_path: Path, broker: NatsServer) -> None:
    config = tmp_path / "indelible.toml"
    config.write_text(f'[relays.orders]\nto = "{broker.url}?stream={STREAM}&create=true"\nevent_types = ["Placed"]\n')
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
    ):
        assert line in metrics
    positions = [int(one.headers["ce-position"]) for one in await messages_of(broker, STREAM)]
    assert positions == [1, 3]


def fetched(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return str(answer.read(), "utf-8")
