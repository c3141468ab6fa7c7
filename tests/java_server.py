"""Servers in Java that tests start, kill and start again, on jars that ``make`` fetches."""

import contextlib
import fcntl
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 240
"""To start: with others that start, on a busy machine."""
_ROOT: Final = Path(__file__).parents[1]
_LOG_END: Final = 5_000


class JavaServer:
    """In ``folder``. ``home`` is where its jars are; the server is what ``arguments`` of java say."""

    home: Path
    jvm: Sequence[str] = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self._process: subprocess.Popen[bytes] | None = None

    def arguments(self) -> Sequence[str | Path]:
        """Class and what it is told; may prepare what the server needs."""
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self, classes: Sequence[str] = ()) -> None:
        """And wait until it answers."""
        self.launch(classes or (f"-XX:SharedArchiveFile={_archive(self.home)}",))
        self.wait()

    def launch(self, classes: Sequence[str] = ()) -> None:
        """Start it, and do not wait."""
        arguments = self.arguments()
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*java(self.home), *self.jvm, *classes, *arguments], stdout=log, stderr=log
            )

    def wait(self, timeout_s: float = TIMEOUT_S) -> None:
        """Until it answers."""
        give_up_at = time.monotonic() + timeout_s
        while not self.answers():
            assert time.monotonic() < give_up_at, self.log()
            assert self._process is not None, "it is started first"
            assert self._process.poll() is None, self.log()
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        assert self._process is not None, "it is started first"
        return self._process.pid

    def log(self) -> str:
        """The end of it."""
        return (self.folder / "server.log").read_text(errors="replace")[-_LOG_END:]

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """From now on it does nothing, though connections stay."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """For good."""
        self.kill()

    def _signal(self, number: int) -> None:
        assert self._process is not None, "it is started first"
        self._process.send_signal(number)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(TIMEOUT_S)
            self._process = None


def fetched(name: str) -> Path:
    """The folder that ``make NAME/.fetched`` fills."""
    return _ROOT / name


def java(home: Path) -> list[str]:
    program = shutil.which("java")
    assert program is not None, "install a Java of 17 or newer"
    assert (home / "lib").exists(), f"run: make {home.name}/.fetched"
    return [program, "-cp", f"{home / 'lib'}/*"]


def prepare(home: Path, make: Callable[[Path], JavaServer]) -> None:
    """What all servers of a kind share: the classes as the Java machine has them in memory. With them a server starts
    in a third of the time. ``make`` gives a server in a folder that is empty."""
    assert (home / "lib").exists(), f"run: make {home.name}/.fetched"
    with _locked(home):
        if not _archive(home).exists():
            first = home / "first"
            shutil.rmtree(first, ignore_errors=True)
            first.mkdir()
            server, part = make(first), _archive(home).with_suffix(".part")
            try:
                server.start((f"-XX:ArchiveClassesAtExit={part}",))
                server.stop()
            finally:
                server.close()
            part.rename(_archive(home))


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _archive(home: Path) -> Path:
    return home / "classes.jsa"
