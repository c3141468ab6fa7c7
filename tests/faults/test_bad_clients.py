"""Clients that stop reading, or go away in the middle: nobody else notices."""

import asyncio
import contextlib
import socket
import struct
import time
from pathlib import Path

import aiohttp

from faults.server_process import ServerProcess, server_process
from indelible.client import AsyncClient
from indelible.core.verify import verify
from indelible.events import NewEvent

MIB = 1024 * 1024
READERS = 8
STORED = 60
"""Events of nearly 1 MiB before the readers come: far more than sockets and buffers hold."""
APPENDED = 80
"""Such events while the readers stand still: more than the engine lets the write-ahead log grow to."""
MEMORY_OF_READER_BYTES_MAX = 15 * MIB
"""A stream holds the pages that it sends and the next one, here of 2 MB each, in a few copies on their way."""
WAL_SIZE_BYTES_MAX = 80 * MIB
VANISHED = 30
"""Clients of each kind."""
READERS_FILES_MAX = 16
"""Each of four threads opens the log and its index at its first read, with their write-ahead logs."""
CLOSED_TIMEOUT_S = 60.0


def large() -> NewEvent:
    return NewEvent("Filled", "x" * 1_000_000)


async def test_readers_that_stand_still_hold_up_nobody(tmp_path: Path) -> None:
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url) as client:
        await asyncio.gather(*(client.append("archive", "1", [large()]) for _ in range(STORED)))
        memory_bytes = _memory_bytes(server)
        async with contextlib.AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession(headers={"accept": "application/x-ndjson"}))
            readers = [await stack.enter_async_context(session.get(f"{server.url}/v1/events")) for _ in range(READERS)]
            for reader in readers:
                await reader.content.readexactly(100)
            waits_s, wal_max = await _append_some(client, tmp_path)
            grown = _memory_bytes(server) - memory_bytes
            print(f"log {wal_max / MIB:.0f} MiB, append {max(waits_s):.3f} s, {grown / MIB:.0f} MiB more memory")
            assert wal_max < WAL_SIZE_BYTES_MAX
            assert grown < READERS * MEMORY_OF_READER_BYTES_MAX
            assert max(waits_s) < 30
            count = (await readers[0].read()).count(b"\n")  # the stream goes on where it stood
        assert STORED <= count <= STORED + APPENDED


async def _append_some(client: AsyncClient, folder: Path) -> tuple[list[float], int]:
    """How long each append took, in seconds, and how large the write-ahead log was at most."""
    waits_s, wal_max = [], 0
    for _ in range(APPENDED):
        started = asyncio.get_running_loop().time()
        await client.append("archive", "2", [large()])
        waits_s.append(asyncio.get_running_loop().time() - started)
        wal_max = max(wal_max, _wal_size_bytes(folder))
    return waits_s, wal_max


async def test_clients_that_vanish_leave_nothing_behind(tmp_path: Path) -> None:
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url) as client:
        await asyncio.gather(*(client.append("archive", "1", [large()]) for _ in range(10)))
        files = _open_files(server)
        body = b'{"events":[{"event_type":"Opened","event_data":1},{"event_type":"Closed","event_data":2}]}'
        head = b"POST /v1/aggregates/order/%d/events HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n"
        stream = b"GET /v1/events HTTP/1.1\r\nhost: a\r\naccept: application/x-ndjson\r\n\r\n"
        for number in range(VANISHED):
            whole = head % (number, len(body)) + body
            await _send_and_vanish(server, whole[: len(whole) // 2])
            await _send_and_vanish(server, whole[:-1])
            await _send_and_vanish(server, whole)
            await _send_and_vanish(server, stream)
        await client.append("order", "last", [NewEvent("Opened", 1)])
        await _until_files_are_closed(server, files)
        assert "Traceback" not in server.tail()
        # An append whose body was whole may be stored, and then whole; the others are not.
        async for event in client.iter_feed():
            if event.aggregate_type == "order" and event.aggregate_id != "last":
                assert (await client.get_aggregate("order", event.aggregate_id)).version == 2
        assert (await verify(client)).damage is None


async def _send_and_vanish(server: ServerProcess, data: bytes) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    await writer.drain()
    if data.startswith(b"GET"):
        await reader.read(100)
    # Closing resets the connection, as when a machine or a container dies.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _until_files_are_closed(server: ServerProcess, count: int) -> None:
    give_up_at = time.monotonic() + CLOSED_TIMEOUT_S
    while _open_files(server) > count + READERS_FILES_MAX:
        assert time.monotonic() < give_up_at, f"{_open_files(server)} open files, {count} before"
        await asyncio.sleep(0.05)


def _open_files(server: ServerProcess) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


def _memory_bytes(server: ServerProcess) -> int:
    status = Path(f"/proc/{server.pid}/status").read_text("ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def _wal_size_bytes(folder: Path) -> int:
    return (folder / "store.db-wal").stat().st_size
