"""A server that a service manager starts: it says that it is ready, takes the sockets that are handed over, and gives
its callers up to others before it stops."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cli.running import COMMAND, TIMEOUT_S, environment
from indelible.client import AsyncClient
from indelible.events import NewEvent
from postgres.server import PostgresServer, free_port

# What a service manager does between fork and exec.
_HAND_OVER = """
import os, sys
count, names = int(sys.argv[1]), sys.argv[2]
for number in range(count):
    os.dup2(int(sys.argv[3 + number]), 3 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count), LISTEN_FDNAMES=names)
os.execv(sys.argv[3 + count], sys.argv[3 + count:])
"""


class Notified:
    """What a process tells its service manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(TIMEOUT_S)

    def wait_for(self, line: str) -> str:
        while True:
            told = self._socket.recv(4096).decode()
            if line in told.split("\n"):
                return told

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def notified(tmp_path: Path) -> Iterator[Notified]:
    notified = Notified(tmp_path / "notify")
    yield notified
    notified.close()


@contextmanager
def started(command: Sequence[object], directory: Path, **env: str) -> Iterator["subprocess.Popen[bytes]"]:
    with (directory / "server.err").open("ab") as errors:
        process = subprocess.Popen(
            [*map(str, command)], cwd=directory, stdout=errors, stderr=errors, env=environment(**env), close_fds=False
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=512)


def handed_over(sockets: Sequence[socket.socket], names: str, *command: object) -> list[object]:
    for one in sockets:
        one.set_inheritable(True)
    numbers = [one.fileno() for one in sockets]
    return [sys.executable, "-c", _HAND_OVER, len(sockets), names, *numbers, COMMAND, "serve", *command]


def url_of(one: socket.socket, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{one.getsockname()[1]}"


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_systemd_starts_a_server_at_the_first_connection(tmp_path: Path, notified: Notified) -> None:
    address = f"127.0.0.1:{free_port()}"
    url = f"http://{address}"
    command = ["systemd-socket-activate", "-l", address, "--fdname=http"]
    command += [f"-E{name}" for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "PATH")]
    serve = (COMMAND, "serve", "--store", "memory:", "--drain-delay-s", "60", "--http", "127.0.0.1:1")
    variables = {"NOTIFY_SOCKET": str(notified.path), "WATCHDOG_USEC": "100000"}
    with started([*command, *serve], tmp_path, **variables) as process:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                assert status(f"{url}/readyz") == 200
                break
            except urllib.error.URLError:
                assert time.monotonic() < deadline, (tmp_path / "server.err").read_text()
                time.sleep(0.02)
        assert f"STATUS=serving at {url}" in notified.wait_for("READY=1")
        notified.wait_for("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        notified.wait_for("STOPPING=1")
        # It serves on, and says that it stops.
        assert (status(f"{url}/readyz"), status(f"{url}/v1/head"), status(f"{url}/livez")) == (503, 200, 200)
        with urllib.request.urlopen(f"{url}/v1/head") as answer:
            assert answer.headers["connection"] == "close"
        # A second signal ends the wait.
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0


def test_what_is_no_socket_for_a_server_is_refused(tmp_path: Path) -> None:
    with ExitStack() as stack:
        good = [stack.enter_context(listener()) for _ in range(3)]
        bad = stack.enter_context(socket.socket())
        # systemd names a socket after its unit, unless it is told otherwise.
        for sockets, names, message in (
            ([bad], "http", "is no TCP socket that listens"),
            (good, "a:b:c", "3 sockets are handed over"),
        ):
            with started(handed_over(sockets, names, "--store", "memory:"), tmp_path) as process:
                assert process.wait(TIMEOUT_S) == 2
            assert message in (tmp_path / "server.err").read_text()


def test_workers_share_a_socket_that_is_handed_over(
    tmp_path: Path, notified: Notified, postgres: PostgresServer
) -> None:
    store = ("--store", postgres.new_database(), "--workers", "2")
    with listener() as http, listener() as grpc:
        command = handed_over([http], "", *store)
        with started(command, tmp_path, NOTIFY_SOCKET=str(notified.path), WATCHDOG_USEC="100000") as process:
            notified.wait_for("READY=1")
            notified.wait_for("WATCHDOG=1")
            assert status(f"{url_of(http)}/readyz") == 200
            process.send_signal(signal.SIGTERM)
            notified.wait_for("STOPPING=1")
            assert process.wait(TIMEOUT_S) == 0
        with started(handed_over([http, grpc], "", *store), tmp_path) as process:
            assert process.wait(TIMEOUT_S) == 2
        assert "gRPC cannot be served by several workers" in (tmp_path / "server.err").read_text()


class Instance:
    """One of two servers of a store, on the sockets that both share."""

    def __init__(self, folder: Path, command: Sequence[object]) -> None:
        folder.mkdir()
        self._folder = folder
        self._command = command
        self._notified = Notified(folder / "notify")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "server.err").open("ab") as errors:
            self._process = subprocess.Popen(
                [*map(str, self._command)], cwd=self._folder, stdout=errors, stderr=errors, close_fds=False,
                env=environment(NOTIFY_SOCKET=str(self._notified.path)),
            )  # fmt: skip
        self._notified.wait_for("READY=1")

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(TIMEOUT_S) == 0

    def close(self) -> None:
        self._notified.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()


async def test_callers_notice_nothing_of_servers_that_are_started_anew(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """Two servers of one store are stopped and started in turn under load; callers know one address."""
    store = postgres.new_database()
    with ExitStack() as stack:
        sockets = [stack.enter_context(listener()) for _ in range(2)]
        command = handed_over(sockets, "http:grpc", "--store", store, "--drain-delay-s", "0.3")
        servers = [Instance(tmp_path / name, command) for name in ("one", "two")]
        for server in servers:
            stack.callback(server.close)
            await asyncio.to_thread(server.start)
        urls = (url_of(sockets[0]), url_of(sockets[1], "grpc"))
        http, grpc = (AsyncClient(url, retry_total_s=60) for url in urls)
        async with http, grpc:
            over, appended = asyncio.Event(), list[str]()
            callers = [
                asyncio.create_task(_append(client, f"{kind}-{number}", over, appended))
                for kind, client in (("http", http), ("grpc", grpc))
                for number in range(4)
            ]
            seen = [asyncio.create_task(_follow(client, over, appended)) for client in (http, grpc)]
            for number, server in enumerate(servers):
                while len(appended) <= 10 * (number + 1):
                    assert not any(one.done() for one in callers)
                    await asyncio.sleep(0.02)
                await asyncio.to_thread(server.stop)
                await asyncio.to_thread(server.start)
            over.set()
            await asyncio.gather(*callers)
            await http.append("end", "1", [NewEvent("Ended")])
            events = await asyncio.wait_for(asyncio.gather(*seen), TIMEOUT_S)
            assert [sorted(names) for names in events] == [sorted(appended)] * 2


async def _append(client: AsyncClient, name: str, over: asyncio.Event, appended: list[str]) -> None:
    """Any failure ends the test."""
    number = 0
    while not over.is_set():
        await client.append("order", name, [NewEvent("Counted", f"{name} {number}")], expected_version=number)
        appended.append(f"{name} {number}")
        number += 1


async def _follow(client: AsyncClient, over: asyncio.Event, appended: list[str]) -> list[str]:
    seen = []
    async for page in client.follow():
        for line in page.lines.splitlines():
            event = json.loads(line)
            if event["event_type"] == "Ended":
                return seen
            seen.append(event["event_data"])
    raise AssertionError("the subscription ended")
