"""Programs without a line of Python use the store: Node.js over gRPC, and curl on server-sent events."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from faults.server_process import ServerProcess, server_process
from house.source import PACKAGE, ROOT
from indelible import AsyncClient, NewEvent
from postgres.server import free_port

EXAMPLE = ROOT / "examples" / "node"
PROTO = PACKAGE / "wire" / "proto"
PRINTED = """\
appended version 1
replayed: true
refused: version_conflict
outcomes: 2, version_conflict
read 1 OrderPlaced {"total":42.5}
read 2 OrderPaid {"method":"card"}
received OrderPlaced
received OrderPaid
received OrderShipped
delivered OrderPlaced
delivered OrderPaid
delivered OrderShipped
acknowledged 3
"""


@pytest.fixture
def address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
async def server(tmp_path: Path, address: str) -> AsyncIterator[ServerProcess]:
    async with server_process(tmp_path / "store.db", flags=("--grpc", address)) as server:
        yield server


async def run(*command: str, cwd: Path, timeout_s: float) -> str:
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_program_needs_grpc_alone():
    package = json.loads((EXAMPLE / "package.json").read_text("utf-8"))
    assert set(package["dependencies"]) == {"@grpc/grpc-js", "@grpc/proto-loader"}
    assert not any(name.startswith("dev") for name in package)


async def test_node_appends_reads_subscribes_and_consumes(server: ServerProcess, address: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "node", ignore=shutil.ignore_patterns("node_modules")))
    install = ("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts")
    await run(*install, cwd=folder, timeout_s=300)
    assert await run("node", "orders.js", address, str(PROTO), cwd=folder, timeout_s=300) == PRINTED


async def test_curl_subscribes(server: ServerProcess) -> None:
    async with AsyncClient(server.url) as client:
        await client.append("order", "o-1", [NewEvent("OrderPlaced", {"total": 1})])
        curl = await asyncio.create_subprocess_exec(
            "curl", "-sN", "-H", "accept: text/event-stream", f"{server.url}/v1/events",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert curl.stdout is not None
        try:
            async with asyncio.timeout(120):
                assert await curl.stdout.readline() == b"id: 1\n"
                await curl.stdout.readuntil(b"event: caught-up\n")
                await client.append("order", "o-1", [NewEvent("OrderPaid")])
                await curl.stdout.readuntil(b"id: 2\n")
                data = await curl.stdout.readline()
        finally:
            curl.kill()
            await curl.wait()
    assert json.loads(data.removeprefix(b"data: "))["event_type"] == "OrderPaid"
