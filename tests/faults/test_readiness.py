"""``/readyz`` follows whether the store can be reached and takes appends, ``/livez`` does not; neither hangs with the
store."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psycopg
import pytest

from faults.server_process import ServerProcess, server_process
from faults.small_disk import small_disk
from indelible.client import AsyncClient
from indelible.engines.postgres.connections import parse_address
from indelible.errors import StorageFull
from indelible.events import NewEvent
from indelible.limits import READY_PROOF_S
from postgres.server import PostgresServer, postgres_server

PATIENCE_S = 60


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    """To break."""
    with postgres_server() as server:
        yield server


async def test_readiness_follows_the_database(database: PostgresServer, tmp_path: Path) -> None:
    store = await asyncio.to_thread(database.new_database)
    store += "?connect_timeout=30"  # for the start on a busy machine
    async with (
        server_process(store, log=tmp_path / "server.log") as server,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as session,
    ):
        for stop, go_on in (
            (database.kill, database.start),
            (lambda: database.signal_all(signal.SIGSTOP), lambda: database.signal_all(signal.SIGCONT)),
        ):
            await asyncio.to_thread(stop)
            await _until_not_ready(session, server)
            assert (await _get(session, server, "/livez"))[0] == 200
            assert "\nindelible_ready 0.0\n" in (await _get(session, server, "/metrics"))[1]
            await asyncio.to_thread(go_on)
            await _until_ready(session, server)


async def _until_not_ready(
    session: aiohttp.ClientSession, server: ServerProcess, why: str = "the store is out of reach"
) -> None:
    """On a busy machine it may be late with its answer for a moment, and say so first."""
    give_up_at = time.monotonic() + PATIENCE_S
    while (answer := await _get(session, server, "/readyz"))[0] == 200 or why not in answer[1]:
        assert time.monotonic() < give_up_at, answer
    status, body = answer
    assert status == 503
    assert '"code":"unavailable"' in body


async def _until_ready(session: aiohttp.ClientSession, server: ServerProcess) -> None:
    """By both."""
    give_up_at = time.monotonic() + PATIENCE_S
    for path, is_ready in (("/readyz", ""), ("/metrics", "\nindelible_ready 1.0\n")):
        while (answer := await _get(session, server, path))[0] != 200 or is_ready not in answer[1]:
            assert time.monotonic() < give_up_at, server.tail()
            await asyncio.sleep(0.05)


async def _get(session: aiohttp.ClientSession, server: ServerProcess, path: str) -> tuple[int, str]:
    async with session.get(f"{server.url}{path}") as response:
        return response.status, await response.text()


async def test_a_full_disk_takes_no_appends(tmp_path: Path) -> None:
    """Not ready as soon as one was refused, nor while nobody tries any more; ready by itself once there is space."""
    with small_disk(tmp_path / "disk", 40) as disk:
        async with (
            server_process(disk.path / "store.db", log=tmp_path / "server.log") as server,
            aiohttp.ClientSession() as session,
            AsyncClient(server.url, retry_total_s=0) as client,
        ):
            await client.append("order", "1", [NewEvent("Opened", "x" * 1_000)])
            disk.fill()
            for _ in range(35):
                with pytest.raises(StorageFull):
                    await client.append("order", "1", [NewEvent("Filled", "x" * 900_000)])
                await _is_not_ready(session, server, "no space is left")
            assert "\nindelible_ready 0.0\n" in (await _get(session, server, "/metrics"))[1]
            await asyncio.sleep(3 * READY_PROOF_S)
            await _is_not_ready(session, server, "no space is left")
            disk.free()
            await _until_ready(session, server)
            assert (await client.append("order", "1", [NewEvent("Filled", "x" * 900_000)])).version == 2


async def test_a_disk_that_is_full_before_anybody_appends(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as disk:
        async with (
            server_process(disk.path / "store.db", log=tmp_path / "server.log") as server,
            aiohttp.ClientSession() as session,
            AsyncClient(server.url, retry_total_s=0) as client,
        ):
            # Beyond what the log has room for already, where small appends still succeed.
            await client.append("order", "1", [NewEvent("Filled", "x" * 900_000)])
            disk.fill()
            await _until_not_ready(session, server, "the store takes no appends")
            disk.free()
            await _until_ready(session, server)


@pytest.mark.parametrize("table", ["events", "heads", "event_keys"])
async def test_a_table_that_is_locked_takes_no_appends(database: PostgresServer, tmp_path: Path, table: str) -> None:
    store = await asyncio.to_thread(database.new_database)
    schema = parse_address(store).schema
    async with (
        server_process(store + "?connect_timeout=30", log=tmp_path / "server.log") as server,
        aiohttp.ClientSession() as session,
    ):
        async with await psycopg.AsyncConnection.connect(store) as connection:
            # Reads go on under such a lock.
            await connection.execute(f"LOCK TABLE {schema}.{table} IN SHARE MODE")
            await _until_not_ready(session, server, "the store takes no appends")
            assert (await _get(session, server, "/v1/head"))[0] == 200
        await _until_ready(session, server)
    assert database.query(f"SELECT count(*) FROM {schema}.events", url=store) == [(0,)]


async def _is_not_ready(session: aiohttp.ClientSession, server: ServerProcess, why: str) -> None:
    """Not for a moment; and it says why, unless a busy machine is late with the answer."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        status, body = await _get(session, server, "/readyz")
        assert status == 503
        assert '"code":"unavailable"' in body
        if why in body:
            return
        assert time.monotonic() < give_up_at, body
