"""A server in a process of its own, as ``indelible serve`` runs it, for tests that break it."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import aiohttp

import measured
from postgres.server import free_port

START_TIMEOUT_S = 300.0
INDELIBLE = str(Path(sys.executable).with_name("indelible"))


class ServerProcess:
    """Starts, kills and stops a server on one store and one port; may be started again and again.

    ``store`` is an SQLite database, and the server's log stands beside it, or the URL of any store: then say where the
    ``log`` goes.
    """

    def __init__(
        self,
        store: Path | str,
        *,
        log: Path | None = None,
        flags: Sequence[str] = (),
        command: Sequence[str] = (INDELIBLE,),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._command = command
        self._variables = variables or {}
        self.store_url = store if isinstance(store, str) else f"sqlite:{store}"
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = log or self.database.with_name("server.log")
        self._flags = flags
        self._process: asyncio.subprocess.Process | None = None

    @property
    def database(self) -> Path:
        """The file of an SQLite store."""
        scheme, _, path = self.store_url.partition(":")
        assert scheme == "sqlite", f"{self.store_url} is not one file"
        return Path(path)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def spawn(self) -> None:
        """Start without waiting for anything."""
        command = [
            *self._command, "serve", *self._flags,
            "--store", self.store_url, "--http", self.url.removeprefix("http://"),
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdout=log, stderr=log,
                env={
                    **os.environ, **measured.environment(), "NO_COLOR": "1", "PYTHONFAULTHANDLER": "1",
                    "PYTHONPATH": os.pathsep.join(sys.path), "INDELIBLE_LOG_FORMAT": "console", **self._variables,
                },
            )  # fmt: skip

    async def start(self, until: str = "/readyz") -> float:
        """Start, and wait until it answers well there. Returns how long that took, in seconds."""
        await self.spawn()
        return await self.wait_until(until)

    async def wait_until(self, until: str = "/readyz") -> float:
        """The same of one that was spawned."""
        started = time.perf_counter()
        async with aiohttp.ClientSession() as session:
            while not await self._answers(session, until):
                assert self._process is not None
                assert self._process.returncode is None, f"the server did not start:\n{self.tail()}"
                if time.perf_counter() - started > START_TIMEOUT_S:
                    self._process.send_signal(signal.SIGABRT)  # shows where each thread is
                    await self._process.wait()
                    raise AssertionError(f"the server is not ready:\n{self.tail()}")
                await asyncio.sleep(0.01)
        return time.perf_counter() - started

    async def _answers(self, session: aiohttp.ClientSession, path: str) -> bool:
        try:
            async with session.get(f"{self.url}{path}") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    async def kill(self) -> None:
        """kill -9; nothing when it has stopped already, or was never started."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def terminate(self) -> None:
        assert self._process is not None
        self._process.terminate()

    async def exit_code(self, timeout_s: float = 120.0) -> int:
        """Wait until it has stopped by itself."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), timeout_s)

    def tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-3000:]


@contextlib.asynccontextmanager
async def server_process(
    store: Path | str, *, log: Path | None = None, flags: Sequence[str] = ()
) -> AsyncIterator[ServerProcess]:
    """A server that has started; killed at the end unless it has stopped."""
    server = ServerProcess(store, log=log, flags=flags)
    try:
        await server.start()
        yield server
    finally:
        await server.kill()
