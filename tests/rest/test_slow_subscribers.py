"""Subscribers that do not read, go away, or are there when the server stops: what they cost, and for how long."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from faults.server_process import ServerProcess, server_process
from indelible import AsyncClient, NewEvent
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.server import streams
from indelible.server.compose import http_app
from indelible.server.config import Address
from indelible.server.http.connection import serving
from postgres.server import PostgresServer

SSE = {"accept": "text/event-stream"}
EVENTS_A_COMMIT = 100
GRACE = ("--shutdown-grace-s", "300")
QUIET_STOP_S = 60.0
"""Far below the grace time of a stop, and far above what one takes on a busy machine."""


@asynccontextmanager
async def _served(store: LocalEventStore) -> AsyncIterator[str]:
    async with store, serving(http_app(store), Address("127.0.0.1", 0), shutdown_grace_s=60) as url:
        yield url


def _unread(url: str, count: int, stack: ExitStack, after: int = 0) -> list[socket.socket]:
    """Subscribers that ask and then take nothing. Small buffers of the kernel, so that its share is soon used up."""
    host, port = url.removeprefix("http://").split(":")
    found = []
    for _ in range(count):
        each = stack.enter_context(socket.socket())
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        each.connect((host, int(port)))
        request = f"GET /v1/events?after={after} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
        each.sendall(request.encode())
        found.append(each)
    return found


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


async def _append(client: AsyncClient, size_bytes: int) -> None:
    """Events of 1 kB each."""
    for _ in range(size_bytes // (EVENTS_A_COMMIT * 1_000)):
        await client.append("order", "1", [NewEvent("Filled", "x" * 1_000) for _ in range(EVENTS_A_COMMIT)])


async def test_500_subscribers_that_never_read_cost_a_bounded_buffer(tmp_path: Path) -> None:
    """They are behind by 30 MB each, 15 GB together."""
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url) as client:
        with ExitStack() as stack:
            await _append(client, 1_000_000)
            before = _resident_bytes(server.pid)
            unread = _unread(server.url, 500, stack)
            await _append(client, 30_000_000)
            await asyncio.sleep(1)
            growth = _resident_bytes(server.pid) - before
            print(f"memory of 500 subscribers that never read: {growth / 1e6:.1f} MB")
            assert growth < 400e6
            # The store serves as before, and one that begins to read gets all of it.
            assert (await client.head()).position == 31_000
            assert await asyncio.to_thread(_positions, unread[0], 31_000) == [*range(1, 31_001)]


def _positions(connection: socket.socket, last: int) -> list[int]:
    """Of the events that come, up to that one."""
    connection.settimeout(60)
    data = bytearray()
    ending = b'event: caught-up\ndata: {"cursor":"%d"}' % last
    while ending not in data[-300:]:
        part = connection.recv(1 << 20)
        assert part, "the stream ended"
        data += part
    blocks = [block.split(b"\n") for block in _unchunked(bytes(data)).split(b"\n\n")]
    return [int(lines[0][4:]) for lines in blocks if lines[0].startswith(b"id: ") and lines[1].startswith(b"data: ")]


def _unchunked(answer: bytes) -> bytes:
    at, parts = answer.index(b"\r\n\r\n") + 4, []
    while at < len(answer):
        size_end = answer.index(b"\r\n", at)
        start = size_end + 2
        at = start + int(answer[at:size_end], 16)
        parts.append(answer[start:at])
        at += 2
    return b"".join(parts)


@pytest.fixture
def _no_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """By which it would be found out that a subscriber is gone."""
    monkeypatch.setattr(streams, "HEARTBEAT_S", 3_600.0)


@pytest.mark.usefixtures("_no_heartbeat")
async def test_a_subscriber_that_goes_is_forgotten_at_once() -> None:
    async with _served(open_local_store("memory:")) as url, AsyncClient(url) as client:
        await client.append("order", "1", [NewEvent("Opened")])
        await client.head()
        before = len(asyncio.all_tasks())
        async with aiohttp.ClientSession(headers=SSE) as session:
            for _ in range(20):
                response = await session.get(f"{url}/v1/events")
                await response.content.readuntil(b"caught-up")
                response.close()
        await _until(lambda: len(asyncio.all_tasks()) <= before)


@pytest.mark.usefixtures("_no_heartbeat")
async def test_a_subscriber_that_goes_while_it_is_behind_is_forgotten_at_once() -> None:
    async with _served(open_local_store("memory:")) as url, AsyncClient(url) as client:
        await _append(client, 20_000_000)
        before = len(asyncio.all_tasks())
        with ExitStack() as stack:
            _unread(url, 20, stack)
            await _until(lambda: len(asyncio.all_tasks()) >= before + 20)
        await _until(lambda: len(asyncio.all_tasks()) <= before)


async def _until(is_done: object) -> None:
    assert callable(is_done)
    give_up_at = time.monotonic() + 60
    while not is_done():
        assert time.monotonic() < give_up_at, [task.get_name() for task in asyncio.all_tasks()]
        await asyncio.sleep(0.02)


async def _stop_with_subscribers(server: ServerProcess) -> None:
    async with AsyncClient(server.url) as client, aiohttp.ClientSession(headers=SSE) as session:
        await _append(client, 20_000_000)
        with ExitStack() as stack:
            _unread(server.url, 10, stack)
            responses = [await session.get(f"{server.url}/v1/events?after=20000") for _ in range(10)]
            for response in responses:
                await response.content.readuntil(b"caught-up")
            started = time.monotonic()
            server.terminate()
            for response in responses:
                # The stream ends as it should; it is not cut off.
                assert b"id:" not in (await response.read()).partition(b"\n\n")[2]
            assert await server.exit_code() == 0
            assert time.monotonic() - started < QUIET_STOP_S


async def test_a_stop_does_not_wait_for_subscribers(tmp_path: Path) -> None:
    async with server_process(tmp_path / "store.db", flags=GRACE) as server:
        await _stop_with_subscribers(server)


async def test_a_stop_of_several_workers_does_not_wait_for_subscribers(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    log = tmp_path / "server.log"
    async with server_process(postgres.new_database(), log=log, flags=(*GRACE, "--workers", "2")) as server:
        await _stop_with_subscribers(server)
