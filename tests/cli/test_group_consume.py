"""indelible group consume: a command for every event, until there is a reason to stop."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from cli.conftest import Run
from cli.running import COMMAND, TIMEOUT_S, environment, indelible, line_of, server, wait_until
from cli.test_group import Place, appended, lines, made, pulled, shown
from postgres.server import free_port

STORE = ("--store", "sqlite:x.db")
WAITS = "indelible: waits for the commands that run; once more ends them\n"


@pytest.fixture
def name() -> str:
    return f"g{uuid4().hex}"


def script(directory: Path, text: str) -> str:
    path = directory / "deal-with.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@contextmanager
def consuming(cwd: Path, *args: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [COMMAND, "group", "consume", *map(str, args)],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), process_group=0,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# --- Events ----------------------------------------------------------------------------------------------------------


def test_each_event_goes_to_a_command_in_the_order_of_its_aggregate(
    run: Run, place: Place, name: str, tmp_path: Path
) -> None:
    made(run, place, name, aggregates="1122111")
    command = script(tmp_path, "cat >> seen.ndjson")
    ran = run("group", "consume", name, "--wait", 0, *place, "--", command)
    assert (ran.code, ran.err) == (0, "")
    seen = [json.loads(line) for line in (tmp_path / "seen.ndjson").read_text().splitlines()]
    assert [one["version"] for one in seen if one["aggregate_id"] == "1"] == [1, 2, 3, 4, 5]
    assert [one["version"] for one in seen if one["aggregate_id"] == "2"] == [1, 2]
    stored = lines(run("feed", "--aggregate-type", name, "--json", *place))
    assert sorted(seen, key=lambda one: one["position"]) == stored
    info = shown(run, place, name)
    assert (info["lag"], info["in_flight"], info["waiting"], info["parked"]) == (0, 0, 0, 0)


def test_what_a_command_does_not_read_does_no_harm(tmp_path: Path) -> None:
    data = json.dumps("x" * 900_000).encode()
    assert indelible("append", "order", "1", "Placed", "-", *STORE, stdin=data, cwd=tmp_path).code == 0
    assert indelible("group", "create", "g", *STORE, cwd=tmp_path).code == 0
    ran = indelible("group", "consume", "g", "--limit", 1, *STORE, "--", "echo", "done --json", cwd=tmp_path)
    assert ran == (0, "done --json\n", "")


def test_a_command_that_fails_has_its_event_again_until_it_is_parked(
    run: Run, place: Place, name: str, tmp_path: Path
) -> None:
    first, _ = made(run, place, name, "--max-attempts", 3, aggregates="12")
    command = script(tmp_path, f"grep -q '\"position\":{first},' && exit 3; exit 0")
    args = ("group", "consume", name, "--delay", 0, "--wait", 0)
    ran = run(*args, *place, "--", command)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "".join(
        f"{name}-1 1, position {first}, attempt {n}: {command} exited with code 3\n" for n in (1, 2, 3)
    )
    (parked,) = lines(run("group", "parked", name, "--json", *place))
    assert (parked["position"], parked["reason"]) == (first, f"{command} exited with code 3")
    assert run("group", "redrive", name, "--all", *place).code == 0
    assert run(*args, *place, "--", "true") == (0, "", "")
    assert lines(run("group", "parked", name, "--json", *place)) == []


def test_a_command_that_a_signal_ended_has_failed(run: Run, tmp_path: Path) -> None:
    made(run, STORE, "g", "--max-attempts", 1, aggregates="1")
    ran = run("group", "consume", "g", "--wait", 0, *STORE, "--", script(tmp_path, "kill -KILL $$"))
    assert (ran.code, "deal-with.sh was ended by SIGKILL\n" in ran.err) == (1, True)


def test_a_failed_event_waits(run: Run, tmp_path: Path) -> None:
    made(run, STORE, "g", aggregates="1")
    assert run("group", "consume", "g", "--delay", 3600, "--wait", 0, *STORE, "--", "false").err.count("\n") == 1
    info = shown(run, STORE, "g")
    assert (info["waiting"], info["in_flight"]) == (1, 0)


def test_a_command_that_can_no_longer_be_run_ends_it(run: Run, tmp_path: Path) -> None:
    made(run, STORE, "g", aggregates="1")
    command = script(tmp_path, "exit 0")
    Path(command).write_text("neither a program nor a script")
    Path(command).write_bytes(b"\x7fELF")
    ran = run("group", "consume", "g", *STORE, "--", command)
    assert (ran.code, ran.out) == (74, "")
    assert "Exec format error" in ran.err
    assert shown(run, STORE, "g")["waiting"] == 1


def test_limit_and_jobs(run: Run, tmp_path: Path) -> None:
    made(run, STORE, "g", aggregates="1234567")
    # Two commands that wait for one another: they end only when they run at once.
    command = script(tmp_path, "touch $$.here; until [ $(ls *.here | wc -l) -ge 2 ]; do sleep 0.02; done")
    ran = run("group", "consume", "g", "--jobs", 2, "--limit", 5, *STORE, "--", "timeout", "30", command)
    assert (ran.code, ran.err) == (0, "")
    assert len(list(tmp_path.glob("*.here"))) == 5
    assert shown(run, STORE, "g")["lag"] == 2


def test_the_time_is_extended_while_a_command_runs(run: Run, tmp_path: Path) -> None:
    made(run, STORE, "g", "--ack-timeout", 6, aggregates="1")
    command = script(tmp_path, "touch begun; until [ -e may-end ]; do sleep 0.02; done")

    def deadline() -> str:
        (flying,) = lines(run("group", "in-flight", "g", "--json", *STORE))
        return str(flying["deadline"])

    with consuming(tmp_path, "g", "--limit", 1, *STORE, "--", command) as process:
        wait_until((tmp_path / "begun").exists, "nothing is consumed")
        for _ in range(2):
            before = deadline()
            wait_until(lambda before=before: deadline() > before, "the time is not extended")
        (tmp_path / "may-end").touch()
        _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err) == (0, "")
    assert shown(run, STORE, "g")["lag"] == 0


@pytest.mark.parametrize("ack_timeout_s", [0.3, 30])
def test_an_event_that_is_lost_meanwhile_is_told_of(
    run: Run, url: str, name: str, tmp_path: Path, ack_timeout_s: float
) -> None:
    place = ("--url", url)
    (position,) = made(run, place, name, "--ack-timeout", ack_timeout_s, aggregates="1")
    command = script(tmp_path, f"{COMMAND} group reset {name} --start beginning --url {url} >&2; sleep 0.5")
    ran = run("group", "consume", name, "--limit", 1, *place, "--", command)
    assert (ran.code, ran.out) == (0, "")
    assert f"{name}-1 1, position {position}, attempt 1: is lost: it was delivered to somebody else" in ran.err
    assert len(pulled(run, place, name)) == 1


def test_wait_ends_it_after_the_last_event(run: Run, tmp_path: Path) -> None:
    made(run, STORE, "g", aggregates="1")
    started = time.monotonic()
    assert run("group", "consume", "g", "--wait", 1, *STORE, "--", "true").code == 0
    assert time.monotonic() - started > 1


# --- Stopping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_it_while_it_waits(
    run: Run, place: Place, name: str, tmp_path: Path, *, number: signal.Signals, code: int
) -> None:
    made(run, place, name, aggregates="1")
    with consuming(tmp_path, name, *place, "--", "touch", "dealt-with") as process:
        wait_until(lambda: shown(run, place, name)["lag"] == 0, "nothing is consumed")
        process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out, err) == (code, "", "")
    appended(run, place, name, "2")
    (delivery,) = pulled(run, place, name)
    assert (delivery["event"]["aggregate_id"], delivery["attempt"]) == ("2", 1)


def test_a_signal_lets_the_commands_that_run_end(run: Run, tmp_path: Path) -> None:
    made(run, STORE, "g", aggregates="12")
    command = script(tmp_path, "touch begun; until [ -e may-end ]; do sleep 0.02; done; touch ended")
    with consuming(tmp_path, "g", *STORE, "--", command) as process:
        wait_until((tmp_path / "begun").exists, "nothing is consumed")
        # As a terminal does, to all in the foreground.
        os.killpg(process.pid, signal.SIGINT)
        assert line_of(process.stderr) == WAITS
        assert process.poll() is None
        (tmp_path / "may-end").touch()
        _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err) == (130, "")
    assert (tmp_path / "ended").exists()
    info = shown(run, STORE, "g")
    assert (info["lag"], info["in_flight"]) == (1, 0)


def test_the_second_signal_ends_the_commands(run: Run, tmp_path: Path) -> None:
    made(run, STORE, "g", aggregates="1")
    command = script(tmp_path, "touch begun; sleep 600")
    with consuming(tmp_path, "g", "--delay", "0", *STORE, "--", command) as process:
        wait_until((tmp_path / "begun").exists, "nothing is consumed")
        process.send_signal(signal.SIGINT)
        assert line_of(process.stderr) == WAITS
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, "was ended by SIGTERM" in err) == (130, True)
    info = shown(run, STORE, "g")
    assert (info["waiting"], info["in_flight"]) == (1, 0)


def test_a_server_that_restarts_is_waited_for_and_told_of_once(run: Run, tmp_path: Path) -> None:
    flags = ("--http", f"127.0.0.1:{free_port()}")
    with ExitStack() as consumers:
        with server(tmp_path, *flags) as (url, _):
            made(run, ("--url", url), "g", aggregates="1")
            command = ("touch", "dealt-with")
            process = consumers.enter_context(consuming(tmp_path, "g", "--limit", 2, "--url", url, "--", *command))
            wait_until((tmp_path / "dealt-with").exists, "nothing is consumed")
        with server(tmp_path, *flags):
            appended(run, ("--url", url), "g", "2")
            out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (0, "")
    lost, back = err.splitlines()
    assert lost.startswith("indelible: ")
    assert lost.endswith("; trying again")
    assert back == "indelible: the server is back"
