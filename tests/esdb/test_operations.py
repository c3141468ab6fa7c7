"""The wire as a part of the server: what is configured and shown, one server and several workers, limits, metrics, and
that it stops like the others."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import KurrentDBClientError

from authentication.guarded import guarded
from cli.running import COMMAND, TIMEOUT_S, environment, wait_until
from cli.test_systemd import handed_over, listener
from esdb.callers import append_request, calling, status_of
from indelible.errors import InvalidRequest
from indelible.server.compose import serve
from indelible.server.config import Address, EsdbSettings, Settings, load_settings
from indelible.server.network_settings import LimitSettings, check_addresses
from postgres.server import PostgresServer


def append(client: KurrentDBClient, stream: str = "order-1") -> None:
    client.append_to_stream(
        stream, current_version=StreamState.ANY, events=NewEvent("Placed", b"{}"), timeout=TIMEOUT_S
    )


class Server:
    """A process that serves."""

    def __init__(self, process: "subprocess.Popen[str]", said: dict[str, str]) -> None:
        self.process = process
        self.http, self.esdb = said["url"], said["esdb"]

    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self.http}/metrics", timeout=TIMEOUT_S) as answer:
            return str(answer.read().decode())


@contextmanager
def serving(
    folder: Path, *flags: object, store: str = "memory:", command: Sequence[object] = (COMMAND, "serve")
) -> Iterator[Server]:
    (folder / "indelible.toml").write_text(
        f'store = "{store}"\nhttp = "127.0.0.1:0"\n[wire.esdb]\naddress = "127.0.0.1:0"\n'
    )
    with (folder / "server.err").open("wb") as log:
        process = subprocess.Popen(
            [*map(str, (*command, *flags))], cwd=folder, text=True, close_fds=False,
            env=environment(INDELIBLE_LOG_FORMAT="json"), stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield Server(process, _said_when_serving(process, folder / "server.err"))
    finally:
        process.kill()
        process.wait()


def _said_when_serving(process: "subprocess.Popen[str]", log: Path) -> dict[str, str]:
    workers_ready = re.compile(r'^\{.*"event": ?"serving".*\}$', re.MULTILINE)
    for _ in range(int(TIMEOUT_S / 0.05)):
        found = [json.loads(line) for line in workers_ready.findall(log.read_text())]
        whole = [one for one in found if "worker" not in one]
        if whole:
            return dict(whole[0])
        assert process.poll() is None, log.read_text()
        threading.Event().wait(0.05)
    pytest.fail(log.read_text())


# --- Settings --------------------------------------------------------------------------------------------------------


def settings(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "a.toml").write_text(text)
    return load_settings({}, environ={}, config_file=tmp_path / "a.toml").settings


def test_the_table_alone_serves_at_the_port_that_clients_take(tmp_path: Path):
    assert settings(tmp_path, "[wire.esdb]").wire.esdb == EsdbSettings(Address("127.0.0.1", 2113))
    given = settings(tmp_path, '[wire.esdb]\naddress = "[::1]:1"\nadvertised = "events.example:2113"')
    assert given.wire.esdb == EsdbSettings(Address("::1", 1), Address("events.example", 2113))


@pytest.mark.parametrize(
    ("text", "pointer", "message"),
    [
        ("[wire.other]", "/wire/other", "unknown table 'other'"),
        ("[wire.esdb]\nport = 1", "/wire/esdb/port", "allowed are address, advertised"),
        ('[wire.esdb]\naddress = "here"', "/wire/esdb/address", "HOST:PORT"),
        ("[wire.esdb]\naddress = 2113", "/wire/esdb/address", "HOST:PORT"),
        ('[wire.esdb]\nadvertised = "a:0"', "/wire/esdb/advertised", "must have a port"),
        ('wire = "esdb"', "/wire", "tables"),
        ("[wire]\nesdb = true", "/wire", "tables"),
    ],
)
def test_what_is_no_such_setting_is_named(tmp_path: Path, text: str, pointer: str, message: str):
    with pytest.raises(InvalidRequest, match=re.escape(message)) as caught:
        settings(tmp_path, text)
    assert caught.value.pointer == pointer


def test_an_address_that_others_reach_needs_access_and_tls(tmp_path: Path):
    with pytest.raises(InvalidRequest, match=r"no \[access\] and no \[tls\]") as caught:
        check_addresses(settings(tmp_path, '[wire.esdb]\naddress = "0.0.0.0:2113"'))
    assert caught.value.pointer == "/wire/esdb/address"


async def test_a_server_that_cannot_serve_them_says_why_and_makes_no_store(tmp_path: Path):
    store = f'store = "sqlite:{tmp_path}/a.db"\nhttp = "127.0.0.1:0"\n'
    with listener() as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(InvalidRequest, match=r"already in use.*wire\.esdb\.address = 127\.0\.0\.1:PORT"):
            await serve(settings(tmp_path, f'{store}[wire.esdb]\naddress = "{address}"'))
    two = store.replace("a.db", f"a.db sqlite:{tmp_path}/b.db")
    with pytest.raises(InvalidRequest, match=r"wire\.esdb needs a store of one partition"):
        await serve(settings(tmp_path, f'{two}[wire.esdb]\naddress = "127.0.0.1:0"'))
    assert not any((tmp_path / name).exists() for name in ("a.db", "b.db"))


def test_packages_that_are_missing_are_named(tmp_path: Path):
    (tmp_path / "a.toml").write_text('store = "memory:"\nhttp = "127.0.0.1:0"\n[wire.esdb]')
    program = (
        "import sys; sys.modules['google.protobuf'] = None; sys.modules['hpack'] = None\n"
        "from indelible.cli.main import main; sys.argv = ['indelible', 'serve', '--config', 'a.toml']; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert 'pip install "indelible[esdb]"' in done.stderr


# --- A server as it is run -------------------------------------------------------------------------------------------


def test_a_server_says_where_counts_calls_and_ends_what_is_open(tmp_path: Path):
    with serving(tmp_path) as server:
        client = KurrentDBClient(server.esdb)
        append(client)
        with pytest.raises(KurrentDBClientError):
            client.delete_stream("order-none", current_version=StreamState.ANY)
        client.close()
        # They are counted once they have been answered.
        for labels in ('method="Append",status="OK"', 'method="Delete",status="FAILED_PRECONDITION"'):
            counted = f"indelible_esdb_call_seconds_count{{{labels}}} 1"
            wait_until(lambda counted=counted: counted in server.metrics(), counted)
        asyncio.run(_hold_a_call(server))
        assert server.process.wait(timeout=TIMEOUT_S) == 0


async def _hold_a_call(server: Server) -> None:
    """The server ends a call that goes on, and its caller hears of that."""
    async with calling(server.esdb) as channel:
        open_call = channel.stream_stream("/event_store.client.streams.Streams/BatchAppend")()
        await open_call.wait_for_connection()
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await open_call.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_systemd_hands_over_its_socket(tmp_path: Path):
    with listener() as http, listener() as esdb:
        command = handed_over([http, esdb], "http:esdb")
        with serving(tmp_path, command=command) as server:
            assert server.esdb == f"esdb://127.0.0.1:{esdb.getsockname()[1]}?tls=false"
            client = KurrentDBClient(server.esdb)
            append(client)
            client.close()
            server.process.terminate()
            assert server.process.wait(timeout=TIMEOUT_S) == 0


def calls_counted(server: Server) -> int:
    """By all workers."""
    counts = re.findall(r'indelible_esdb_call_seconds_count\{.*worker="\d"\} (\d+)', server.metrics())
    return sum(map(int, counts))


def test_workers_share_the_port(tmp_path: Path, postgres: PostgresServer):
    with serving(tmp_path, "--workers", 2, store=postgres.new_database()) as server:
        for number in range(12):
            client = KurrentDBClient(server.esdb)
            append(client, f"order-{number}")
            client.close()
        wait_until(lambda: calls_counted(server) == 12, "calls are not counted")
        server.process.terminate()
        assert server.process.wait(timeout=TIMEOUT_S) == 0


# --- Limits ----------------------------------------------------------------------------------------------------------


async def test_limits_of_principals_hold_here_too():
    async with guarded(limits=LimitSettings(requests_per_s=0.01)) as server:
        key = await server.key("append:*")
        found = [await status_of(server.esdb, append_request("order-1"), f"Bearer {key}") for _ in range(3)]
        assert grpc.StatusCode.RESOURCE_EXHAUSTED in [code for code, _ in found]
        assert "rate_limited" in [trailers.get("indelible-code") for _, trailers in found]


async def test_events_are_counted_too():
    async with guarded(limits=LimitSettings(events_per_s=0.1)) as server:
        key = await server.key("append:*")
        first, _ = await status_of(server.esdb, append_request("order-1", 40), f"Bearer {key}")
        second, _ = await status_of(server.esdb, append_request("order-1", 1), f"Bearer {key}")
        assert (first, second) == (grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED)
