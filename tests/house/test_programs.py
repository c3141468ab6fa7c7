"""What tests start hears signals, and ends with them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import programs

TESTS = Path(programs.__file__).parent
TIMEOUT_S = 60
STARTS_SOME = """
import os, signal, subprocess, sys, time
import programs
programs.take_charge()
other = subprocess.Popen(["sleep", "600"], start_new_session=True)
# A program with an environment that it has written over, of which only its parent tells.
lost = subprocess.Popen(["sh", "-c", "env -i sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
print(other.pid, lost.pid, lost.stdout.readline().strip(), flush=True)
time.sleep(600)
"""
INTERRUPTS_ONE = """
import signal, subprocess
import programs
programs.take_charge()
child = subprocess.Popen(["sleep", "600"])
child.send_signal(signal.SIGINT)
print(child.wait())
"""


def test_programs_are_interrupted_though_the_shell_ignores_it() -> None:
    ran = subprocess.run(
        ["sh", "-c", "trap '' INT HUP QUIT; exec \"$@\"", "sh", sys.executable, "-c", INTERRUPTS_ONE],
        env={**os.environ, "PYTHONPATH": str(TESTS)}, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert int(ran.stdout) == -signal.SIGINT


def test_programs_end_when_the_tests_are_killed() -> None:
    killed = subprocess.Popen(
        [sys.executable, "-c", STARTS_SOME],
        env={**os.environ, "PYTHONPATH": str(TESTS)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert killed.stdout is not None
    started = [int(pid) for pid in killed.stdout.readline().split()]
    assert len(started) == 3
    # One may be just about to become what it is to be.
    _wait_until(lambda: all(_runs(pid) for pid in started))
    killed.kill()
    killed.communicate()
    _wait_until(lambda: not any(_runs(pid) for pid in started))


def _wait_until(is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return "sleep" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
