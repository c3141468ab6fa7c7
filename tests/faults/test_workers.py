"""``serve --workers N``: several processes on one port, over one PostgreSQL database, and what becomes of them."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from faults.ledger import Ledger
from faults.server_process import ServerProcess, server_process
from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.core.verify import verify
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend
from indelible.groups import Settled
from postgres.server import PostgresServer, free_port

WORKERS = 3
NUMBERS = {str(number) for number in range(1, WORKERS + 1)}
FLAGS = ("--workers", str(WORKERS), "--log-format", "json")


@pytest.fixture
async def server(postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """Of which every worker serves."""
    store = f"{postgres.new_database()}?connect_timeout=30"  # a busy machine is not what is tested
    async with server_process(store, log=tmp_path / "server.log", flags=FLAGS) as server:
        await until(lambda: served_whole(server) == 1, server)
        yield server


async def until(is_so: Callable[[], bool], server: ServerProcess, timeout_s: float = 120) -> None:
    give_up_at = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < give_up_at, server.tail()
        await asyncio.sleep(0.02)


def log_of(server: ServerProcess) -> list[dict[str, Any]]:
    text = server.log.read_text("utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def served_whole(server: ServerProcess) -> int:
    """How often it was said that all workers serve."""
    return len([line for line in log_of(server) if line["event"] == "serving" and line.get("workers") == WORKERS])


def starts(server: ServerProcess) -> int:
    """How many workers have come to serve so far."""
    return len([line for line in log_of(server) if line["event"] == "serving" and "worker" in line])


def workers_of(server: ServerProcess) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]


def runs(pid: int) -> bool:
    """Whether there is such a process. Of a dead one that nobody collects, an entry without a command stays."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    return False


async def metrics_of(
    server: ServerProcess, session: aiohttp.ClientSession, of_all: str = "indelible_ready"
) -> dict[str, Any]:
    """The samples of each family, once every worker tells this one: on a busy machine some are late with it."""
    give_up_at = time.monotonic() + 60
    while True:
        async with session.get(f"{server.url}/metrics") as response:
            assert response.status == 200
            families = list(text_string_to_metric_families(await response.text()))
        assert len({family.name for family in families}) == len(families), "each family stands in one place"
        metrics = {family.name: family.samples for family in families}
        if {sample.labels["worker"] for sample in metrics.get(of_all, ())} == NUMBERS:
            return metrics
        assert time.monotonic() < give_up_at, metrics.get(of_all)


def one_connection_a_request() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16, force_close=True))


# --- Serving ---------------------------------------------------------------------------------------------------------


async def test_connections_reach_all_workers_and_any_gives_the_metrics_of_all(server: ServerProcess) -> None:
    async with one_connection_a_request() as session:
        for _ in range(90):
            async with session.get(f"{server.url}/livez") as response:
                assert response.status == 200
        metrics = await metrics_of(server, session)
    served = {
        sample.labels["worker"]: sample.value
        for sample in metrics["indelible_http_request_seconds"]
        if sample.name.endswith("_count") and sample.labels["route"] == "/livez"
    }
    assert sum(served.values()) == 90
    assert set(served) == NUMBERS
    assert min(served.values()) >= 8
    for family in ("indelible_ready", "indelible_append_seconds", "process_start_time_seconds"):
        assert {sample.labels["worker"] for sample in metrics[family]} == NUMBERS


async def test_workers_share_one_log_of_events(server: ServerProcess) -> None:
    body = {"events": [{"event_type": "Counted", "event_data": 1}]}
    path = f"{server.url}/v1/aggregates/order/1/events"
    async with one_connection_a_request() as session:
        for version in range(1, 31):
            async with session.post(path, json=body | {"expected_version": version - 1}) as response:
                assert (response.status, (await response.json())["position"]) == (201, version)
            async with session.get(path, params={"limit": 1000}) as response:
                assert len((await response.json())["events"]) == version
        metrics = await metrics_of(server, session)
    appends = [one.value for one in metrics["indelible_append_seconds"] if one.name.endswith("_count")]
    assert (sum(appends), len([count for count in appends if count > 0])) == (30, WORKERS)


async def test_workers_add_up_what_a_group_does_and_agree_on_how_far_it_is(server: ServerProcess) -> None:
    async with AsyncClient(server.url) as client:
        for number in range(20):
            await client.append("order", str(number), [NewEvent("Counted", number)])
        await client.groups.create("billing")
    for _ in range(19):
        # On a connection of its own, hence at any of the workers.
        async with AsyncClient(server.url) as client:
            (delivery,) = await client.groups.pull("billing", limit=1)
            assert await client.groups.ack("billing", [delivery.delivery_id]) == Settled(1)
    async with one_connection_a_request() as session:
        metrics = await metrics_of(server, session, "indelible_group_lag")
    acks = {one.labels["worker"]: one.value for one in metrics["indelible_group_acks"]}
    assert (sum(acks.values()), len(acks) > 1) == (19, True)
    lags = {one.labels["worker"]: (one.labels["group"], one.value) for one in metrics["indelible_group_lag"]}
    assert lags == dict.fromkeys(NUMBERS, ("billing", 1))


async def test_every_line_of_a_worker_says_which(server: ServerProcess) -> None:
    own = [line for line in log_of(server) if "worker" in line]
    assert {line["worker"] for line in own} == {1, 2, 3}
    assert all(line["url"] == server.url for line in log_of(server) if line["event"] == "serving")


# --- Workers that die ------------------------------------------------------------------------------------------------


async def test_kill_9_of_workers_under_load_is_ridden_over(server: ServerProcess) -> None:
    ledger, stop = Ledger(), asyncio.Event()
    async with AsyncClient(server.url, retry_total_s=60) as client:
        writing = asyncio.gather(*(_write(ledger, client, f"writer {number}", stop) for number in range(12)))
        for round_number, pid in enumerate(workers_of(server), 1):
            await asyncio.sleep(0.3)
            os.kill(pid, signal.SIGKILL)
            await until(lambda expected=WORKERS + round_number: starts(server) == expected, server)  # type: ignore[misc]  # mypy cannot infer a lambda's default
        stop.set()
        await writing
        assert await ledger.check(client) > WORKERS
    deaths = [line for line in log_of(server) if line["event"] == "a worker has ended"]
    assert [line["exit_code"] for line in deaths] == [-signal.SIGKILL] * WORKERS
    assert {str(line["number"]) for line in deaths} == NUMBERS
    assert served_whole(server) == 1
    async with one_connection_a_request() as session:
        assert {one.labels["worker"] for one in (await metrics_of(server, session))["indelible_ready"]} == NUMBERS


async def _write(ledger: Ledger, client: AsyncClient, name: str, stop: asyncio.Event) -> None:
    """The client repeats what a dying worker leaves open, with the same event ids."""
    version = 0
    while not stop.is_set():
        append = AggregateAppend.of("order", name, [NewEvent("Counted", version)], expected_version=version)
        entry = ledger.open([append], atomic=False)
        entry.may_be_stored = True  # the client's own repeats find it stored
        await ledger.send(client, entry)
        version += 1


async def test_a_worker_that_is_told_to_stop_is_replaced(server: ServerProcess) -> None:
    pid = workers_of(server)[0]
    os.kill(pid, signal.SIGTERM)
    await until(lambda: starts(server) == WORKERS + 1, server)
    assert not runs(pid)
    assert [line["exit_code"] for line in log_of(server) if line["event"] == "a worker has ended"] == [0]


# --- Stopping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_answers_what_is_in_flight(server: ServerProcess, number: signal.Signals) -> None:
    workers = workers_of(server)
    async with one_connection_a_request() as session:
        posting = [asyncio.create_task(_post(session, server, number)) for number in range(200)]
        await asyncio.wait(posting, return_when=asyncio.FIRST_COMPLETED)
        os.kill(server.pid, number)
        answers = await asyncio.gather(*posting, return_exceptions=True)
    assert await server.exit_code() == 0
    assert not any(map(runs, workers))
    statuses = Counter(answer for answer in answers if isinstance(answer, int))
    refused = [answer for answer in answers if isinstance(answer, aiohttp.ClientConnectionError)]
    assert set(statuses) <= {201, 503}
    assert statuses.total() + len(refused) == 200, answers
    async with open_local_store(server.store_url) as store:
        assert (await store.head()).position == statuses[201] > 0
        assert (await verify(store)).damage is None
    lines = log_of(server)
    assert [line["exit_code"] for line in lines if line["event"] == "stopped"] == [0] * (WORKERS + 1)
    assert not any(line["level"] == "error" for line in lines)


async def _post(session: aiohttp.ClientSession, server: ServerProcess, number: int) -> int:
    body = {"events": [{"event_type": "Counted", "event_data": "x" * 20_000}]}
    async with session.post(f"{server.url}/v1/aggregates/order/{number}/events", json=body) as response:
        return response.status


async def test_no_worker_outlives_its_supervisor(server: ServerProcess) -> None:
    workers = workers_of(server)
    assert len(workers) == WORKERS
    await server.kill()
    await until(lambda: not any(map(runs, workers)), server)
    await server.start()
    await until(lambda: served_whole(server) == 2, server)


# --- What cannot serve -----------------------------------------------------------------------------------------------


async def test_a_store_out_of_reach_ends_the_start_with_one_error(tmp_path: Path) -> None:
    store = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    server = ServerProcess(store, log=tmp_path / "server.log", flags=("--workers", "2"))
    await server.spawn()
    assert await server.exit_code() == 75
    assert len(server.log.read_text().splitlines()) == 1, server.tail()


async def test_two_servers_do_not_share_a_port_unnoticed(server: ServerProcess, tmp_path: Path) -> None:
    other = ServerProcess(server.store_url, log=tmp_path / "other.log", flags=FLAGS)
    other.url = server.url
    await other.spawn()
    assert await other.exit_code() == 2
    address = server.url.removeprefix("http://")
    assert other.log.read_text().startswith(f"indelible: http: cannot listen on {address}: ")


async def test_a_storage_failure_of_one_worker_ends_the_server(server: ServerProcess, postgres: PostgresServer) -> None:
    async with AsyncClient(server.url, retry_total_s=0) as client:
        await client.append("order", "1", [NewEvent("Placed", 1)])
        postgres.query("DROP SCHEMA indelible CASCADE", url=server.store_url)
        with contextlib.suppress(Exception):
            await client.append("order", "1", [NewEvent("Placed", 2)])
    assert await server.exit_code() == 74
