"""indelible ui, on a terminal."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.conftest import Run
from cli.running import COMMAND, TIMEOUT_S, environment
from indelible import Client, NewEvent

LEFT_ALTERNATE_SCREEN = b"\x1b[?1049l"


class Terminal:
    """A process whose terminal it is, and what that has shown."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self.shown = b""

    def type(self, keys: bytes) -> None:
        os.write(self._descriptor, keys)

    def until_shows(self, text: bytes) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown[-2_000:]
            try:
                self.shown += os.read(self._descriptor, 65_536)
            except OSError:
                pytest.fail(f"it ended: {self.shown[-2_000:]!r}")

    def ends(self) -> int:
        while True:
            try:
                if not (more := os.read(self._descriptor, 65_536)):
                    break
            except OSError:
                break
            self.shown += more
        return self.process.wait(TIMEOUT_S)


@contextmanager
def on_terminal(*args: str, cwd: Path) -> Iterator[Terminal]:
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [COMMAND, *args], stdin=its, stdout=its, stderr=its, cwd=cwd, start_new_session=True,
        env=environment(TERM="xterm-256color"),
    )  # fmt: skip
    os.close(its)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
def test_a_local_store_is_looked_at_and_the_terminal_given_back(tmp_path: Path, how: str):
    with Client(f"sqlite:{tmp_path}/x.db") as client:
        client.append("order", "o-1", [NewEvent("OrderPlaced")])
    with on_terminal("ui", "--store", "sqlite:x.db", cwd=tmp_path) as terminal:
        terminal.until_shows(b"OrderPlaced")
        if how == "SIGTERM":
            terminal.process.send_signal(signal.SIGTERM)
        else:
            terminal.type(b"\x03")
        assert terminal.ends() == 0
        assert LEFT_ALTERNATE_SCREEN in terminal.shown
        assert b"Traceback" not in terminal.shown


def test_what_is_parked_in_a_local_store_is_skipped(tmp_path: Path):
    url = f"sqlite:{tmp_path}/x.db"
    with Client(url) as client:
        client.append("order", "o-1", [NewEvent("OrderPlaced")])
        client.groups.create("billing")
        taken = client.groups.pull("billing")
        client.groups.nack("billing", [one.delivery_id for one in taken], reason="no card", park=True)
    with on_terminal("ui", "--store", "sqlite:x.db", cwd=tmp_path) as terminal:
        terminal.until_shows(b"OrderPlaced")
        terminal.type(b"5")
        terminal.until_shows(b"1 groups")
        terminal.type(b"\r")
        terminal.until_shows(b"no card")
        terminal.type(b"s")
        terminal.until_shows(b"Why?")
        terminal.type(b"mine\r")
        terminal.until_shows(b"is skipped")
        terminal.type(b"q")
        assert terminal.ends() == 0
    with Client(url) as client:
        assert [one.reason for one in client.groups.list_skipped("billing").skipped] == ["mine"]


def test_without_a_terminal_it_says_so(run: Run):
    done = run("ui", "--store", "memory:")
    assert (done.code, done.err) == (2, "indelible: needs a terminal to draw on; other commands print what it shows\n")


def test_without_its_packages_it_says_which(run: Run, monkeypatch: pytest.MonkeyPatch):
    for name in [one for one in sys.modules if one.startswith("indelible.ui.") or one.partition(".")[0] == "textual"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "textual", None)
    done = run("ui", "--store", "memory:")
    assert done.code == 2
    assert done.err.startswith('indelible: needs more packages: pip install "indelible[ui]"')
