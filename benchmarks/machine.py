"""What the figures depend on: the machine, the versions, and what a sync to the disk costs."""

import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

import apsw

from indelible.engines.sqlite.connections import connect_writer

SYNCS: Final = 200
_SYNCHRONOUS: Final = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}


def describe(folder: Path) -> dict[str, str]:
    """``folder`` is where the stores are: its disk is measured."""
    return {
        "indelible": version("indelible"),
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": _processor(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "load average": f"{os.getloadavg()[0]:.2f}",
        "durability": _durability(folder),
        "fsync of 4 KiB": _sync_time(folder),
    }


def _processor() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


def _durability(folder: Path) -> str:
    """What the engine's own writing connection says."""
    with tempfile.TemporaryDirectory(dir=folder) as inside:
        connection = connect_writer(Path(inside, "probe.db"))
        mode, synchronous = connection.pragma("journal_mode"), connection.pragma("synchronous")
        connection.close()
    return f"journal_mode={mode}, synchronous={_SYNCHRONOUS[synchronous]}"


def _sync_time(folder: Path) -> str:
    times_ms = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            file.write(os.urandom(4_096))
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times_ms.append((time.perf_counter() - started) * 1_000)
    return f"{statistics.median(times_ms):.2f} ms median, {statistics.quantiles(times_ms, n=100)[98]:.2f} ms p99"
