"""Runs the command line as a user does: in a process of its own."""

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import measured

COMMAND = Path(sys.executable).parent / "indelible"
TIMEOUT_S = 120


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """Of the tests, without what would change how commands behave."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("INDELIBLE_") and name != "PYTHONUNBUFFERED"
    }
    # Whoever runs the tests may use a context.
    return clean | measured.environment() | {"XDG_CONFIG_HOME": "/nowhere"} | more


def indelible(*args: object, stdin: bytes = b"", cwd: Path | None = None, **env: str) -> Ran:
    done = subprocess.run(
        [COMMAND, *map(str, args)],
        input=stdin, capture_output=True, cwd=cwd, env=environment(**env), timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


@contextlib.contextmanager
def server(directory: Path, *args: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server on ``sqlite:x.db`` in the directory: its URL and its process, which is stopped at the end."""
    command = [COMMAND, "serve", "--store", f"sqlite:{directory}/x.db", "--http", "127.0.0.1:0", *args]
    with (directory / "server.err").open("w") as errors:
        process = subprocess.Popen(
            command,
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(INDELIBLE_LOG_FORMAT="console"),
        )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        assert first.startswith("API"), (directory / "server.err").read_text()
        yield first.split()[1].removesuffix("/v1"), process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=TIMEOUT_S)
        process.kill()
        process.wait()
        process.stdout.close()


def line_of(stream: IO[str] | None) -> str:
    """The next line that a process writes there, once it has."""
    assert stream is not None
    assert select.select([stream], [], [], TIMEOUT_S)[0], "no line came"
    return stream.readline()


def wait_until(is_done: object, what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    assert callable(is_done)
    while not is_done():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
