"""A server as it is run: TLS on both ports, several workers, and a certificate that is renewed meanwhile."""

import asyncio
import os
import signal
import ssl
from pathlib import Path

import pytest

from faults.server_process import ServerProcess
from indelible.client import AsyncClient
from indelible.events import NewEvent
from network.authority import Authority
from postgres.server import PostgresServer, free_port


async def _serial_number(address: tuple[str, int], authority: Authority) -> str:
    context = ssl.create_default_context(cafile=authority.ca)
    _, writer = await asyncio.open_connection(*address, ssl=context)
    number = str(writer.get_extra_info("peercert")["serialNumber"])
    writer.close()
    return number


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_certificate_is_renewed_without_a_restart(
    workers: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """One worker is told by SIGHUP; with several, each finds out by itself, and SIGHUP does no harm."""
    store = f"sqlite:{tmp_path}/store.db"
    if workers > 1:
        database: PostgresServer = request.getfixturevalue("postgres")
        store = f"{database.new_database()}?connect_timeout=30"
    authority = Authority(tmp_path)
    certificate, key = authority.certify("server", "127.0.0.1")
    (tmp_path / "server.toml").write_text(f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n')
    grpc = free_port()
    flags = ("--config", str(tmp_path / "server.toml"), "--grpc", f"127.0.0.1:{grpc}", "--workers", str(workers))
    server = ServerProcess(store, log=tmp_path / "server.log", flags=flags)
    http = int(server.url.rpartition(":")[2])
    await server.spawn()
    try:
        async with (
            AsyncClient(f"https://127.0.0.1:{http}", tls_ca=authority.ca, retry_total_s=120) as over_http,
            AsyncClient(f"grpcs://127.0.0.1:{grpc}", tls_ca=authority.ca, retry_total_s=120) as over_grpc,
        ):
            await over_http.append("order", "1", [NewEvent("Placed")])
            assert (await over_grpc.append("order", "1", [NewEvent("Paid")])).version == 2
            first = await _serial_number(("127.0.0.1", http), authority)
            authority.certify("server", "127.0.0.1")
            os.kill(server.pid, signal.SIGHUP)
            await _until_all_are_new(("127.0.0.1", http), authority, first)
            # The connections that were open go on.
            assert (await over_http.append("order", "1", [NewEvent("Sent")])).version == 3
            assert (await over_grpc.get_aggregate("order", "1")).version == 3
        server.terminate()
        assert await server.exit_code() == 0
    finally:
        await server.kill()


async def _until_all_are_new(address: tuple[str, int], authority: Authority, old: str) -> None:
    """Several in a row: connections are spread over the workers."""
    async with asyncio.timeout(60):
        in_a_row = 0
        while in_a_row < 12:
            in_a_row = in_a_row + 1 if await _serial_number(address, authority) != old else 0
            await asyncio.sleep(0.02)
