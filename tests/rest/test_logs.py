"""The server's log has one form, whoever writes to it."""

import json
import logging
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from indelible.server.config import LogFormat
from indelible.server.process import configure_logs


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configured = structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configured)


def _write(log_format: LogFormat) -> None:
    configure_logs(log_format, "info")
    log = structlog.get_logger("test")
    log.debug("too quiet")
    log.info("serving", url="http://x")
    logging.getLogger("asyncio").warning("a library %s", "warns")
    log.error("request failed", exc_info=_failure())


def _failure() -> Exception:
    secret = "an event's" + " content"
    try:
        return ZeroDivisionError(len(secret) / 0)
    except ZeroDivisionError as error:
        return error


@pytest.mark.usefixtures("restored")
def test_json_is_one_object_a_line(capfd: pytest.CaptureFixture[str]):
    _write("json")
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in err.splitlines()]
    assert out == ""
    assert [(line["event"], line["level"]) for line in lines] == [
        ("serving", "info"), ("a library warns", "warning"), ("request failed", "error"),
    ]  # fmt: skip
    assert (lines[0]["url"], lines[1]["logger"]) == ("http://x", "asyncio")
    assert lines[2]["exception"][0]["exc_value"] == "division by zero"
    assert "an event's content" not in err
    assert all(line["timestamp"].endswith("Z") for line in lines)


@pytest.mark.usefixtures("restored")
def test_console_is_for_people(capfd: pytest.CaptureFixture[str]):
    _write("console")
    err = capfd.readouterr().err
    assert "url=http://x" in err
    assert "ZeroDivisionError: division by zero" in err
    assert "an event's content" not in err
    assert "too quiet" not in err


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path):
    command = [Path(sys.executable).with_name("indelible"), "serve", "--store", "memory:", "--http", "127.0.0.1:0"]
    command += ["--log-format", "console"]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("wb", buffering=0) as full:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=full, cwd=tmp_path, env=buffered, text=True)
    assert server.stdout is not None
    with server.stdout:
        url = server.stdout.readline().removeprefix("API").strip()
        with urllib.request.urlopen(f"{url}/head", timeout=60) as answer:
            assert answer.read() == b'{"position":0,"cursor":"0","partitions":1}\n'
        server.terminate()
        assert server.wait(timeout=120) == 0
