"""indelible tail: events as they come, until Ctrl-C."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from cli.conftest import Run
from cli.running import COMMAND, TIMEOUT_S, environment, line_of
from indelible import Client, NewEvent


@contextmanager
def tailing(url: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    """``indelible tail`` with its output in a pipe."""
    process = subprocess.Popen(
        [COMMAND, "tail", "--url", url, *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1, env=environment(),
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def append(url: str, tag: str, count: int = 1) -> int:
    """The head after it."""
    with Client(url) as client:
        client.append("order", uuid4().hex, [NewEvent("Placed", {"n": n}, tags=[tag]) for n in range(count)])
        return client.head().position


def test_events_are_seen_as_they_come_and_ctrl_c_ends_it(url: str):
    tag = uuid4().hex
    head = append(url, tag)
    with tailing(url, "--after", str(head - 1), "--tag", tag, "--json") as process:
        assert json.loads(line_of(process.stdout))["position"] == head
        for number in range(1, 4):
            append(url, tag)
            assert json.loads(line_of(process.stdout))["position"] == head + number
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
        assert (process.returncode, out, err) == (130, "", "")


def test_without_a_start_it_begins_at_the_end(url: str):
    tag = uuid4().hex
    append(url, tag, 3)
    with tailing(url, "--tag", tag, "--limit", "1") as process:
        # Until it has come to the end nothing says so; what it shows must be none of what was before.
        give_up_at = time.monotonic() + TIMEOUT_S
        while process.poll() is None and time.monotonic() < give_up_at:
            append(url, tag)
            time.sleep(0.2)
        assert process.returncode == 0
        assert int(line_of(process.stdout).split()[0]) > 3


def test_limit_after_and_from_start(url: str, run: Run):
    tag = uuid4().hex
    head = append(url, tag, 5)
    ran = run("tail", "--url", url, "--after", head - 3, "--limit", 2, "--json")
    assert [json.loads(line)["position"] for line in ran.out.splitlines()] == [head - 2, head - 1]
    ran = run("tail", "--url", url, "--from-start", "--limit", 1, "--json")
    assert json.loads(ran.out)["position"] == 1
    ran = run("tail", "--url", url, "--from-start", "--tag", tag, "--limit", 2)
    assert [line.split()[0] for line in ran.out.splitlines()] == [str(head - 4), str(head - 3)]


def test_after_and_from_start_are_not_for_one_call(url: str, run: Run):
    ran = run("tail", "--url", url, "--after", 0, "--from-start")
    assert (ran.code, ran.out) == (2, "")
    assert "not both" in ran.err


@pytest.mark.parametrize("after", ["x", "999999999"])
def test_a_cursor_that_is_none(url: str, run: Run, after: str):
    ran = run("tail", "--url", url, "--after", after)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err


def test_a_reader_that_goes_ends_it(url: str):
    """As after ``| head``."""
    tag = uuid4().hex
    head = append(url, tag, 2)
    with tailing(url, "--after", str(head - 2), "--tag", tag) as process:
        line_of(process.stdout)
        assert process.stdout is not None
        process.stdout.close()
        give_up_at = time.monotonic() + TIMEOUT_S
        while process.poll() is None and time.monotonic() < give_up_at:
            append(url, tag)
            time.sleep(0.1)
        assert process.returncode == 141
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.stdout = None


def test_a_local_store(tmp_path: Path, run: Run):
    with Client(f"sqlite:{tmp_path}/x.db") as client:
        client.append("order", "1", [NewEvent("Placed", {"n": 1})])
    ran = run("tail", "--store", f"sqlite:{tmp_path}/x.db", "--from-start", "--limit", 1)
    assert (ran.code, ran.out.split()[0]) == (0, "1"), ran
