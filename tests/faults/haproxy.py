"""A real HAProxy before servers of a test, with the configuration of ``deploy/haproxy``."""

import asyncio
import csv
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from postgres.server import free_port

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
UP_TIMEOUT_S = 60.0


class HAProxy:
    def __init__(self, log: Path) -> None:
        self._log = log
        http, grpc, metrics = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self._addresses = {"LISTEN_HTTP": http, "LISTEN_GRPC": grpc, "LISTEN_METRICS": metrics}
        self.url, self.grpc_url, self._stats = f"http://{http}", f"grpc://{grpc}", f"http://{metrics}/stats;csv"

    @asynccontextmanager
    async def running(self, servers: Sequence[tuple[str, str]]) -> AsyncIterator[None]:
        """Before three servers: HOST:PORT of each one's HTTP and gRPC."""
        addresses = dict(self._addresses)
        for number, (http, grpc) in enumerate(servers, 1):
            addresses |= {f"INDELIBLE_{number}_HTTP": http, f"INDELIBLE_{number}_GRPC": grpc}
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                program(), "-db", "-f", CONFIGURATION, stdout=log, stderr=log, env={**os.environ, **addresses}
            )
        try:
            yield
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def wait_until_up(self, server: int) -> None:
        """Until it takes a server, by its number from 0, for one that is fit for requests."""
        name = f"indelible-{server + 1}"
        async with asyncio.timeout(UP_TIMEOUT_S), aiohttp.ClientSession() as session:
            while not await self._is_up(session, name):  # noqa: ASYNC110 - what is waited for sets no event
                await asyncio.sleep(0.05)

    async def _is_up(self, session: aiohttp.ClientSession, name: str) -> bool:
        try:
            async with session.get(self._stats) as response:
                rows = csv.DictReader((await response.text()).removeprefix("# ").splitlines())
        except aiohttp.ClientError:
            return False
        states = [row["status"] for row in rows if row["svname"] == name]
        return bool(states) and all(state.startswith("UP") for state in states)


def program() -> str:
    found = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    assert found is not None, "install haproxy"
    return found
