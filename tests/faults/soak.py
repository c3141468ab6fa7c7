"""Even load for an hour: whether memory and open files stay as they are, appends stay quick, and nothing fails::

PYTHONPATH=tests .venv/bin/python -m faults.soak --minutes 60

A server in a process of its own; here writers at an even pace, who read back some of what they wrote, and subscribers,
half of all that over HTTP and half over gRPC. A line a minute, and a verdict: exits with 1 unless all is well.

Memory is the median of what was resident in an interval, and open files are the fewest, so that a moment's connections
are no leak. Neither may grow by more than a twentieth after the warm-up.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import msgspec
from benchmarks.process import Process

import programs
from faults.paced_load import Callers, Load, p99
from faults.server_process import ServerProcess
from indelible.client import AsyncClient
from indelible.tasks import first_of
from postgres.server import free_port

CLIENTS_A_TRANSPORT = 2
GROWTH_MAX = 0.05
P99_MAX_S = 0.2
SAMPLE_EVERY_S = 1.0


class Settings(msgspec.Struct, frozen=True):
    load: Load
    intervals: int = 60
    interval_s: float = 60.0
    warm_up: int = 10
    """Intervals whose memory and open files are not judged."""


class Interval(msgspec.Struct, frozen=True):
    appends: int
    append_p99_s: float
    read_p99_s: float
    failures: int
    memory_bytes: float
    open_files: int
    cpu_s: float

    def shown(self, number: int) -> str:
        return (
            f"{number:>4}  {self.appends:>8,} appends  p99 {self.append_p99_s * 1e3:7.1f} ms  reads p99"
            f" {self.read_p99_s * 1e3:7.1f} ms  {self.failures} failed  {self.memory_bytes / 2**20:7.1f} MiB"
            f"  {self.open_files} files  {self.cpu_s:.1f} s of CPU"
        )


class _Watched(Process):
    def __init__(self, pid: int) -> None:
        self.pid = pid

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208 - as fast as can be


async def soak(store: str, settings: Settings, folder: Path) -> tuple[list[Interval], list[str]]:
    """What was measured, and what is wrong with it."""
    address = f"127.0.0.1:{free_port()}"
    server = ServerProcess(store, log=folder / "server.log", flags=["--grpc", address])
    try:
        await server.start()
        async with _clients(server.url, f"grpc://{address}") as clients:
            callers = Callers(clients, settings.load)
            loading = asyncio.create_task(callers.run())
            await first_of(callers.begun.wait(), asyncio.shield(loading))
            intervals = [
                await _interval(_Watched(server.pid), callers, settings.interval_s, number)
                for number in range(1, settings.intervals + 1)
            ]
            callers.finish()
            await loading
        assert server.is_running, server.tail()
    finally:
        await server.kill()
    problems = [*callers.heard.first_failures, *callers.missed()]
    return intervals, [*problems, *_judged(intervals, settings.warm_up)]


@asynccontextmanager
async def _clients(url: str, grpc_url: str) -> AsyncIterator[list[AsyncClient]]:
    clients = [AsyncClient(each) for each in (url, grpc_url) * CLIENTS_A_TRANSPORT]
    try:
        yield clients
    finally:
        for client in clients:
            await client.aclose()


async def _interval(server: _Watched, callers: Callers, seconds: float, number: int) -> Interval:
    clock = asyncio.get_running_loop().time
    over, cpu_s = clock() + seconds, server.cpu_s()
    memory, files = list[int](), list[int]()
    while clock() < over:
        await asyncio.sleep(SAMPLE_EVERY_S)
        memory.append(server.memory_bytes()["now"])
        files.append(server.open_files())
    heard = callers.heard
    appends_s, heard.appends_s = heard.appends_s, []
    reads_s, heard.reads_s = heard.reads_s, []
    interval = Interval(
        len(appends_s), p99(appends_s), p99(reads_s), heard.failures, median(memory), min(files), server.cpu_s() - cpu_s
    )
    print(interval.shown(number), flush=True)
    return interval


def _judged(intervals: list[Interval], warm_up: int) -> list[str]:
    first, *later = intervals[warm_up:]
    problems = [
        f"{what} went from {start:,.0f} to {most:,.0f}"
        for what, start, most in (
            ("memory in bytes", first.memory_bytes, max(one.memory_bytes for one in later)),
            ("the number of open files", first.open_files, max(one.open_files for one in later)),
        )
        if most > (1 + GROWTH_MAX) * start
    ]
    slowest = max(one.append_p99_s for one in intervals)
    problems += [f"p99 of appends was {slowest * 1e3:.0f} ms in an interval"] if slowest > P99_MAX_S else []
    return problems + (["an interval had no appends"] if not all(one.appends for one in intervals) else [])


def main() -> None:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Even load, and whether anything grows.")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--warm-up-minutes", type=int, default=10)
    parser.add_argument("--appends-per-s", type=float, default=1_000.0)
    parser.add_argument("--writers", type=int, default=64)
    parser.add_argument("--subscribers", type=int, default=50)
    parser.add_argument("--store", help="URL; a file of SQLite unless it is given")
    given = parser.parse_args()
    load = Load(given.appends_per_s, given.writers, given.subscribers)
    settings = Settings(load, given.minutes, 60.0, min(given.warm_up_minutes, given.minutes - 2))
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        store = given.store or f"sqlite:{folder}/store.db"
        _, problems = asyncio.run(soak(store, settings, Path(folder)))
    print("\n".join(problems) or "all is well")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
