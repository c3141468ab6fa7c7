"""Real servers, each a process of its own."""

import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from indelible import AsyncClient
from postgres.server import free_port


class Server:
    """``indelible serve`` on a free port that it keeps over restarts."""

    def __init__(self, store: str, log: Path) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        self._command = [
            str(Path(sys.executable).with_name("indelible")), "serve", "--store", store, "--http", self.address,
        ]  # fmt: skip
        self._log = log
        self._process: subprocess.Popen | None = None

    def start(self, *, wait: bool = True) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        give_up_at = time.monotonic() + 120
        while wait and not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < give_up_at, self._log.read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=30):
                return True
        except OSError:
            return False

    def stop(self, number: int = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(120)
            self._process = None

    def requests(self, method: str, route: str) -> int:
        """How many requests to a route it has answered, whatever with."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        labels = f'{{method="{method}",route="{route}"'
        counts = re.findall(rf"^indelible_http_request_seconds_count{re.escape(labels)}.*}} (\S+)$", text, re.MULTILINE)
        return int(sum(map(float, counts)))


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in memory for all tests that need no other; not empty for long."""
    server = Server("memory:", tmp_path_factory.mktemp("server") / "log")
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def http_client(shared_server: Server) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(shared_server.url) as client:
        yield client


@pytest.fixture
def durable_server(tmp_path: Path) -> Iterator[Server]:
    """A server of its own on a database file, so that it may be killed and started again."""
    server = Server(f"sqlite:{tmp_path}/store.db", tmp_path / "log")
    server.start()
    yield server
    server.stop()
