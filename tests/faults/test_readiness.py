"""``/readyz`` follows whether the store can be reached, ``/livez`` does not; neither hangs with the store."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from faults.server_process import ServerProcess, server_process
from postgres.server import PostgresServer, postgres_server


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
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
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
            assert "\nindelible_ready 1.0\n" in (await _get(session, server, "/metrics"))[1]


async def _until_not_ready(session: aiohttp.ClientSession, server: ServerProcess) -> None:
    give_up_at = time.monotonic() + 30
    while (answer := await _get(session, server, "/readyz"))[0] == 200:
        assert time.monotonic() < give_up_at
    status, body = answer
    assert status == 503
    assert '"code":"unavailable"' in body
    assert "the store is out of reach" in body


async def _until_ready(session: aiohttp.ClientSession, server: ServerProcess) -> None:
    give_up_at = time.monotonic() + 60
    while (await _get(session, server, "/readyz"))[0] != 200:
        assert time.monotonic() < give_up_at, server.tail()
        await asyncio.sleep(0.05)


async def _get(session: aiohttp.ClientSession, server: ServerProcess, path: str) -> tuple[int, str]:
    async with session.get(f"{server.url}{path}") as response:
        return response.status, await response.text()
