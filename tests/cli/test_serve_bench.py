"""serve and bench."""

import json
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from cli.conftest import Run
from cli.running import COMMAND, TIMEOUT_S, environment, indelible, server


def test_serve_prints_what_to_try_and_stops_at_sigterm(tmp_path: Path) -> None:
    with server(tmp_path) as (url, process):
        assert process.stdout is not None
        printed = [process.stdout.readline().strip() for _ in range(6)]
        assert printed[0] == f"docs     {url}/docs"
        assert printed[1] == f"metrics  {url}/metrics"
        assert printed[3].startswith(f"curl -s {url}/v1/aggregates/order/o-1/events ")
        for path in ("docs", "metrics", "v1/head"):
            with urllib.request.urlopen(f"{url}/{path}", timeout=30) as answer:
                assert answer.status == 200
        assert indelible("append", "order", "1", "X", "--url", url).code == 0
        process.terminate()
        assert process.wait(timeout=TIMEOUT_S) == 0
    assert indelible("info", "--store", "sqlite:x.db", cwd=tmp_path).out.splitlines()[1] == "head   1"


def test_serve_stops_at_ctrl_c(tmp_path: Path) -> None:
    with server(tmp_path, "--log-level", "error") as (_, process):
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=TIMEOUT_S) == 0
    assert (tmp_path / "server.err").read_text() == ""


def test_serve_stops_at_sigint_though_it_was_ignored_when_it_began(tmp_path: Path) -> None:
    """As it is in a service script's background, where SIGINT is sent on purpose or not at all."""
    with subprocess.Popen(
        ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", COMMAND, "serve", "--http", "127.0.0.1:0", "--store", "memory:"],
        cwd=tmp_path, env=environment(INDELIBLE_LOG_FORMAT="console"),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("API")
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=TIMEOUT_S) == 0
        finally:
            process.kill()


def test_json_logs_are_all_that_is_printed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [COMMAND, "serve", "--http", "127.0.0.1:0", "--store", "memory:"],
        cwd=tmp_path, env=environment(INDELIBLE_LOG_FORMAT="json"), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    first = json.loads(process.stderr.readline())
    assert (first["event"], first["store"]) == ("serving", "memory:")
    process.terminate()
    out, rest = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (0, "")
    assert all(json.loads(line) for line in rest.splitlines())


def test_a_second_server_on_a_store_is_refused(tmp_path: Path) -> None:
    with server(tmp_path) as (_, process):
        ran = indelible("serve", "--store", "sqlite:x.db", "--http", "127.0.0.1:0", cwd=tmp_path)
        assert (ran.code, ran.out) == (75, "")
        assert str(process.pid) in ran.err


@pytest.mark.parametrize("flag", ["http", "grpc"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_address_that_is_taken_is_refused_before_anything_is_opened(tmp_path: Path, flag: str, workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        addresses = {"http": "127.0.0.1:0", "grpc": "127.0.0.1:0", flag: taken}
        flags = [text for name, at in addresses.items() for text in (f"--{name}", at)]
        # Nobody listens at the database's address: opening the store would say that instead.
        store = "sqlite:data/new.db" if workers == "1" else "postgresql://127.0.0.1:1/none"
        ran = indelible("serve", "--store", store, "--workers", workers, *flags, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"indelible: {flag}: cannot listen on {taken}: Address already in use. Stop what listens there, or take "
        f"another port: --{flag} 127.0.0.1:PORT, or --{flag} 127.0.0.1:0 for a free one\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_two_servers_cannot_share_a_port_for_grpc(tmp_path: Path) -> None:
    with server(tmp_path, "--grpc", "127.0.0.1:0") as (_, process):
        assert process.stdout is not None
        taken = process.stdout.readline().split()[1].removeprefix("grpc://")
        ran = indelible("serve", "--store", "sqlite:y.db", "--http", "127.0.0.1:0", "--grpc", taken, cwd=tmp_path)
        assert ran.code == 2
        assert ran.err.startswith(f"indelible: grpc: cannot listen on {taken}: Address already in use")
        assert not (tmp_path / "y.db").exists()


def test_serve_refuses_bad_settings(run: Run) -> None:
    ran = run("serve", INDELIBLE_HTTP="8080")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("indelible: http (from INDELIBLE_HTTP) must be HOST:PORT")
    assert run("serve", "--store", "redis:x").code == 2


@pytest.mark.parametrize("store", ["sqlite:x.db", "memory:"])
def test_several_workers_need_a_store_that_they_can_share(run: Run, tmp_path: Path, store: str) -> None:
    ran = run("serve", "--store", store, INDELIBLE_WORKERS="2")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (f"indelible: workers: must be 1 for the store {store}, which one process at a time may write\n")
    assert list(tmp_path.iterdir()) == []


def test_bench_measures_a_temporary_store_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    ran = run("bench", "--duration-s", "0.2", "--aggregates", "10", "--concurrency", "4", "--json")
    assert ran.code == 0
    assert list(tmp_path.iterdir()) == []
    bench = json.loads(ran.out)
    assert [one["name"] for one in bench["measured"]] == [
        "append 1 event", "append 100 events", "read an aggregate", "read the feed"
    ]  # fmt: skip
    for one in bench["measured"]:
        assert one["operations"] > 0
        assert one["errors"] == 0
        assert 0 < one["p50_ms"] <= one["p99_ms"] <= one["p99_9_ms"]
    single, batch = bench["measured"][:2]
    assert single["events_per_s"] == single["per_s"]
    assert batch["events_per_s"] * batch["duration_s"] == pytest.approx(100 * batch["operations"], rel=0.01)
    assert "fsync" in bench["durability"]
    assert bench["memory_mib"] > 10


def test_bench_ends_when_there_is_no_server() -> None:
    ran = indelible("bench", "--duration-s", "0.2", "--url", "http://127.0.0.1:9")
    assert (ran.code, ran.out) == (75, "")


def test_bench_measures_a_server(tmp_path: Path) -> None:
    with server(tmp_path) as (url, _):
        ran = indelible("bench", "--duration-s", "0.2", "--concurrency", "4", "--batch-events", "10", "--url", url)
        assert ran.code == 0, ran.err
        lines = [line.split("  ") for line in ran.out.splitlines()]
        assert [line[0] for line in lines[1:5]] == [
            "append 1 event", "append 10 events", "read an aggregate", "read the feed"
        ]  # fmt: skip
        assert f"store       {url}\n" in ran.out
        assert " MiB" in ran.out
        assert indelible("verify", "--url", url).code == 0


def test_bench_over_grpc_keeps_its_results(tmp_path: Path) -> None:
    with server(tmp_path, "--grpc", "127.0.0.1:0") as (_, process):
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        ran = indelible("bench", "--duration-s", "0.2", "--concurrency", "4", "--json", "--url", url)
        assert ran.code == 0, ran.err
        bench = json.loads(ran.out)
        assert (bench["store"], len(bench["measured"]), bench["memory_mib"]) == (url, 4, None)
