"""dynalite, an implementation of DynamoDB's API on LevelDB, which tests start, kill and start again."""

import contextlib
import fcntl
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import npm
from postgres.server import free_port

TIMEOUT_S = 60
FOLDER = Path(__file__).parent / "dynalite"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
"""dynalite wants some, and takes any."""

_numbers = itertools.count(1)


class Dynalite:
    """``program``: where it is installed. ``data``: where its tables are kept; else they are in memory. The port stays
    whatever is done to it."""

    def __init__(self, program: Path, log: Path, data: Path | None = None) -> None:
        self.port = free_port()
        self._command = ["node", str(program), "--host", "127.0.0.1", "--port", str(self.port)]
        self._command += ["--createTableMs", "0", *(["--path", str(data)] if data is not None else [])]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def new_url(self, port: int = 0) -> str:
        """Of an index in a table that nobody has used. ``port``: of a proxy."""
        return f"dynamodb://eu-central-1/index-{next(_numbers)}?endpoint=http://127.0.0.1:{port or self.port}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        give_up_at = time.monotonic() + TIMEOUT_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < give_up_at, self._log.read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(TIMEOUT_S)


def installed(shared: Path) -> Path:
    """The program, in a folder that the workers of a run share: the first of them installs it."""
    with (shared / "dynalite.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = shared / "dynalite"
        if not folder.exists():
            made = npm.installed(FOLDER, shared / f"dynalite-{os.getpid()}")
            shutil.move(made, folder)
    return folder / "node_modules" / "dynalite" / "cli.js"


@contextlib.contextmanager
def dynalite_server(program: Path, folder: Path, *, is_kept: bool = False) -> Iterator[Dynalite]:
    server = Dynalite(program, folder / "dynalite.log", folder / "data" if is_kept else None)
    server.start()
    try:
        yield server
    finally:
        server.kill()
