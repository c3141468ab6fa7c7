"""What the programs that tests start get from the process that starts them: ordinary signals, and an end.

A shell that starts something in the background lets it ignore SIGINT, as ``nohup`` does with SIGHUP, and a program
that starts with a signal ignored lets it stay so. Programs that tests want to interrupt would go on.

Fixtures stop what tests start, but not once the tests' own process is killed, or a helper of theirs gives up on a
program that has started others. So all programs carry a mark in their environment, and a guardian, which no signal to
the tests' process group reaches, ends whatever carries it once that process is gone.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

_MARK = "TESTS_THAT_STARTED_THIS"
_GRACE_S = 0.5
"""For what ends by itself, once it sees that the tests' process is gone."""
_GUARD_S = 30.0
"""How long the guardian looks for what has just been started by what it ends."""


def take_charge() -> None:
    """Once in each process that starts programs, before the first. The programs' environment must come from its own."""
    _let_programs_be_interrupted()
    # What its client does about a fork may break the child, before that becomes another program.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    if _MARK in os.environ and os.environ[_MARK].startswith(f"{os.getpid()}-"):
        return
    os.environ[_MARK] = mark = f"{os.getpid()}-{uuid.uuid4().hex}"
    # The pipe's other end is not inherited: it closes with this process, whatever ends it.
    guardian = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, mark],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={}, start_new_session=True,
    )  # fmt: skip
    _guardians.append(guardian)


_guardians: list["subprocess.Popen[bytes]"] = []
"""Held, as the pipe to it must stay open."""


def environment() -> dict[str, str]:
    """What a program needs whose environment is not that of the tests."""
    return {_MARK: os.environ[_MARK]}


def _let_programs_be_interrupted() -> None:
    """What is ignored is inherited, what is handled is not. This process itself goes on ignoring."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


# --- The guardian ----------------------------------------------------------------------------------------------------


def _guard(mark: str) -> None:
    sys.stdin.buffer.read()
    time.sleep(_GRACE_S)
    give_up_at = time.monotonic() + _GUARD_S
    while (found := _marked(f"{_MARK}={mark}".encode())) and time.monotonic() < give_up_at:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _marked(entry: bytes) -> set[int]:
    """The processes that have the entry in their environment, and all that descend from them: some, as PostgreSQL's,
    write over their environment."""
    processes = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    found = {pid for pid in processes if entry in _read(pid, "environ").split(b"\0")}
    parents = dict(_parents(processes))
    while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= more
    return found


def _parents(processes: Iterable[int]) -> Iterable[tuple[int, int]]:
    for pid in processes:
        state, _, rest = _read(pid, "stat").rpartition(b")")[2].strip().partition(b" ")
        if state not in {b"", b"Z"}:
            yield pid, int(rest.split()[0])


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # it has ended, or is somebody else's
        return b""


if __name__ == "__main__":
    _guard(sys.argv[1])
