"""Start, stop and failure of a server in a process of its own."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

import programs
from rest.calls import connected, event, events, new_path

# A server as compose.run makes it. The engine commits slowly, or fails once it is told to, so that a test can be there
# when it does.
SCRIPT = """
import asyncio, os, sys
from indelible.core import open as opening
from indelible.engines.memory import MemoryEngine
from indelible.errors import StorageFailure
from indelible.server.compose import run
from indelible.server.config import Address, Settings

class Slow(MemoryEngine):
    async def append(self, batch):
        print("appending", flush=True)
        if os.environ["HOW"] == "working":
            await asyncio.sleep(0.7)
        else:
            await asyncio.to_thread(sys.stdin.readline)
        outcomes = await super().append(batch)
        if os.environ["HOW"] == "failing":
            raise StorageFailure("the disk is gone")
        if os.environ["HOW"] == "broken":
            raise ZeroDivisionError("a bug")
        print("committed", len(batch), flush=True)
        return outcomes

opening.load_engine_maker = lambda url: lambda url, read_only: Slow()
settings = Settings(store="slow:", http=Address("127.0.0.1", 0), log_format="json", shutdown_grace_s=60)
sys.exit(run(settings, on_ready=lambda urls: print(urls.url, flush=True)))
"""


@contextmanager
def slow_server(how: str = "working") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and its URL once it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], env={**programs.environment(), "HOW": how, "PATH": ""}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def _appending(process: subprocess.Popen[str], append: object) -> threading.Thread:
    """An append in a thread, which has come as far as to the engine."""
    thread = threading.Thread(target=append)  # type: ignore[arg-type]  # any callable
    thread.start()
    assert process.stdout is not None
    assert process.stdout.readline() == "appending\n"
    return thread


def _wait_until_refused(url: str) -> None:
    give_up_at = time.monotonic() + 30
    while time.monotonic() < give_up_at:
        try:
            connected(url).__enter__().connection.close()
        except OSError:
            return
        time.sleep(0.02)
    pytest.fail("the server still takes connections")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_what_is_in_flight_and_takes_no_more(number: signal.Signals):
    statuses: list[int] = []

    with slow_server() as (process, url), connected(url) as api, connected(url) as idle:
        appending = _appending(process, lambda: statuses.append(api.post(f"{new_path()}/events", events(2)).status))
        started = time.monotonic()
        process.send_signal(number)
        _wait_until_refused(url)
        with pytest.raises((http.client.HTTPException, OSError)):
            idle.get("/v1/head")
        appending.join()
        assert statuses == [201]
        assert process.wait(timeout=120) == 0
        # Well within the grace: idle connections do not hold a stop up.
        assert time.monotonic() - started < 30


def test_an_append_whose_caller_goes_away_still_commits():
    with slow_server() as (process, url):
        host, port = url.removeprefix("http://").split(":")
        body = json.dumps({"events": [event()]}).encode()
        assert process.stdout is not None
        # The first is on its way to disk, the second waits for it when both callers go.
        for number in range(2):
            with socket.create_connection((host, int(port))) as connection:
                head = f"POST {new_path()}/events HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)
                if number == 0:
                    assert process.stdout.readline() == "appending\n"
                else:
                    time.sleep(0.15)
        printed = [process.stdout.readline() for _ in range(3)]
        assert printed == ["committed 1\n", "appending\n", "committed 1\n"]
        with connected(url) as api:
            assert api.head_position() == 2


@pytest.mark.parametrize("how", ["failing", "broken"])
def test_a_storage_failure_leaves_outcomes_unknown_and_stops_the_server(how: str):
    with (
        slow_server(how) as (process, url),
        connected(url) as first,
        connected(url) as second,
        ThreadPoolExecutor() as pool,
    ):
        answers = []
        appending = _appending(process, lambda: answers.append(first.post(f"{new_path()}/events", events(1))))
        # This one waits behind the commit that fails: it is certain that nothing of it is stored.
        behind = pool.submit(second.post, f"{new_path()}/events", events(1))
        with connected(url) as other:
            while b"\nindelible_queue_depth 1.0\n" not in other.get("/metrics").body:
                assert not behind.done()
                time.sleep(0.01)
        assert process.stdin is not None
        process.stdin.write("now\n")
        process.stdin.flush()
        appending.join()
        answers[0].problem(503, "outcome_unknown")
        waiting = behind.result(60)
        waiting.problem(503, "shutting_down")
        assert waiting.headers["retry-after"] == "1"
        assert process.wait(timeout=120) == 74
        assert process.stderr is not None
        logged = [json.loads(line) for line in process.stderr.read().splitlines()]
        failed = [line["code"] for line in logged if line["event"] == "failed request"]
        assert sorted(failed) == ["outcome_unknown", "shutting_down"]
        told = [line["event"] for line in logged if line["event"] != "failed request"]
        assert told == ["serving", "the storage has failed", "stopping", "stopped"]


def test_an_address_that_is_taken_is_named(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [str(Path(sys.executable).with_name("indelible")), "serve", "--store", f"sqlite:{tmp_path}/x.db"]
        done = subprocess.run(
            [*command, "--http", address], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
        )
    assert done.returncode not in (0, 74)
    assert f"cannot listen on {address}" in done.stderr
    assert "Traceback" not in done.stderr


STUBBORN = """
import asyncio, sys
from indelible.server import compose
from indelible.server.background import Part
from indelible.server.config import Address, Settings

async def stubborn():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

def with_a_part(*args, **more):
    services = make_services(*args, **more)
    services.background.add(Part("stubborn", stubborn))
    return services

make_services, compose.make_services = compose.make_services, with_a_part
settings = Settings(store=sys.argv[1], http=Address("127.0.0.1", 0), log_format="json")
sys.exit(compose.run(settings, on_ready=lambda urls: print(urls.url, flush=True)))
"""


def test_a_part_that_never_ends_does_not_keep_the_server():
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN, "memory:"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=programs.environment(),
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            with connected(process.stdout.readline().strip()) as api:
                parts = api.get("/readyz?verbose").json["parts"]
                assert [(part["name"], part["state"]) for part in parts][2:] == [("stubborn", "running")]
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line.get("part") for line in lines].count("stubborn") == 1
    assert lines[-1]["event"] == "stopped"
