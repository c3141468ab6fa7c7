"""Callers who mean harm to connections, one kind after the other, and how others fare beside them::

PYTHONPATH=tests .venv/bin/python -m faults.hostile_connections --seconds 20

On one server, over both APIs: 10,000 connections that say nothing, calls that are given up as soon as they are begun,
JSON that goes down and down, bodies that unpack to much, CR and LF in names, requests of which two may see different
ends; and slowhttptest in each of its modes, on 1,000 connections: slow heads, slow bodies, ranges, and slow readers.

Beside them others append and read, over connections that they keep and now and then over a new one. They must not
notice: none of their calls fails, the 99th percentile stays below ``--p99-ms``, and the server's memory below
``--memory-mb``. Nor may it answer anything with a 5xx, but for the 503 that it has for those who take no answer. At the
end it stops as it should.

Exits with 1 when something is not so. Needs Debian's slowhttptest.
"""

import argparse
import asyncio
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import msgspec

import programs
from faults.connection_attacks import KINDS as OWN_KINDS
from faults.hostile_callers import Times, at_even_times
from faults.server_process import ServerProcess
from indelible.client import AsyncClient
from indelible.errors import IndelibleError
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend
from postgres.server import free_port

SLOW_KINDS = {
    "slow-heads": ("-H", "-i", "5", "-p", "5"),
    "slow-bodies": ("-B", "-i", "5", "-s", "8192", "-p", "5"),
    "ranges": ("-R", "-a", "10", "-b", "3000"),
    "slow-readers": ("-X", "-w", "10", "-y", "20", "-n", "5", "-z", "32", "-k", "3", "-p", "5"),
}
"""Modes of slowhttptest."""
KINDS = (*OWN_KINDS, *SLOW_KINDS)
APPENDS_PER_S, READS_PER_S, NEWCOMERS_PER_S = 40.0, 40.0, 5.0
LARGE_EVENTS = 400
STOP_TIMEOUT_S = 60.0


class Figures(msgspec.Struct, frozen=True):
    """What came of one kind."""

    kind: str
    appends: Times
    reads: Times
    newcomers: Times
    """Reads over a connection of their own each."""
    failures: list[str]
    """Of others' calls."""
    memory_mb: float
    """The most that the server took so far."""
    met: str
    """What the attackers say."""


class Report(msgspec.Struct, frozen=True):
    alone: Figures
    kinds: list[Figures]
    errors_5xx: dict[str, int]
    """By route and status: what the server has counted, but for 503."""
    memory_per_idle_kb: float | None
    stopped: str
    """What was wrong with how it stopped."""


async def attack(
    folder: Path, seconds: float, kinds: Sequence[str] = KINDS, *, connections: int = 1_000, idle: int = 10_000
) -> Report:
    grpc = f"127.0.0.1:{free_port()}"
    server = ServerProcess(folder / "store.db", flags=("--grpc", grpc, "--log-format", "json"))
    await server.start()
    try:
        await _fill(server.url)
        alone = await _beside(server, "alone", seconds / 2)
        found, per_idle_kb = list[Figures](), None
        for kind in kinds:
            before_mb = _memory_mb(server.pid, "VmRSS")
            async with _attacking(server, grpc, kind, seconds, idle if kind == "idle" else connections) as met:
                figures = await _beside(server, kind, seconds)
                if kind == "idle":
                    per_idle_kb = (_memory_mb(server.pid, "VmRSS") - before_mb) * 1024 / min(idle, 4_096)
            found.append(msgspec.structs.replace(figures, met=met[0]))
        return Report(alone, found, await _errors_5xx(server.url), per_idle_kb, await _stop(server))
    finally:
        await server.kill()


async def _fill(url: str) -> None:
    async with AsyncClient(url) as client:
        for number in range(0, LARGE_EVENTS, 20):
            events = [NewEvent("Large", {"text": "x" * 20_000}) for _ in range(20)]
            await client.append_atomic([AggregateAppend.of("large", str(number), events)])
        await client.append("read", "1", [NewEvent("Read", {"n": n}) for n in range(30)])


async def _errors_5xx(url: str) -> dict[str, int]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        text = await answer.text()
    pattern = r'^indelible_http_request_seconds_count\{(.*status="5(?!03)\d\d".*)\} (\d+)'
    return {labels: int(count) for labels, count in re.findall(pattern, text, re.MULTILINE)}


async def _stop(server: ServerProcess) -> str:
    server.terminate()
    try:
        code = await server.exit_code(STOP_TIMEOUT_S)
    except TimeoutError:
        return "it did not stop"
    return "" if code == 0 else f"it stopped with {code}:\n{server.tail()}"


def _memory_mb(pid: int, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


# --- The attackers ---------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _attacking(
    server: ServerProcess, grpc: str, kind: str, seconds: float, connections: int
) -> AsyncIterator[list[str]]:
    """While they are at it; afterwards with what they met."""
    met: list[str] = []
    process = await _spawn(server, grpc, kind, seconds, connections)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if kind in OWN_KINDS:
            assert await process.stdout.readline() == b"ready\n"
        yield met
        if kind in SLOW_KINDS and process.returncode is None:
            process.terminate()
        printed, _ = await asyncio.wait_for(process.communicate(b""), STOP_TIMEOUT_S)
        met.append(_of_slowhttptest(printed) if kind in SLOW_KINDS else printed.decode().strip())
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _spawn(
    server: ServerProcess, grpc: str, kind: str, seconds: float, connections: int
) -> asyncio.subprocess.Process:
    http = server.url.removeprefix("http://")
    command = [sys.executable, "-m", "faults.connection_attacks", kind, http, grpc, str(connections)]
    if kind in SLOW_KINDS:
        url = f"{server.url}/v1/events?limit=50" if kind != "slow-bodies" else f"{server.url}/v1/append"
        command = [
            "slowhttptest", *SLOW_KINDS[kind], "-c", str(connections), "-r", str(connections // 2 or 1),
            "-l", str(int(seconds) + 30), "-u", url,
        ]  # fmt: skip
    return await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip


def _of_slowhttptest(printed: bytes) -> str:
    """Its last words on connections."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", printed.decode("utf-8", "replace"))
    found = re.findall(r"^(initializing|pending|connected|error|closed|service available): +(\w+)", text, re.MULTILINE)
    return ", ".join(f"{name} {value}" for name, value in found[-6:])


# --- The others ------------------------------------------------------------------------------------------------------


async def _beside(server: ServerProcess, kind: str, seconds: float) -> Figures:
    async with AsyncClient(server.url, retry_total_s=0) as client:

        async def append(number: int) -> str:
            return await _outcome(client.append("others", str(number % 100), [NewEvent("Other", {"n": number})]))

        async def read(_: int) -> str:
            return await _outcome(client.read_aggregate("read", "1"))

        async def come(_: int) -> str:
            async with AsyncClient(server.url, retry_total_s=0) as newcomer:
                return await _outcome(newcomer.read_aggregate("read", "1"))

        await asyncio.gather(append(0), read(0))
        appends, reads, newcomers = await asyncio.gather(
            at_even_times("append", append, APPENDS_PER_S, seconds),
            at_even_times("read", read, READS_PER_S, seconds),
            at_even_times("newcomer", come, NEWCOMERS_PER_S, seconds),
        )
    failures = sorted({one.error for one in (*appends, *reads, *newcomers) if one.error})
    memory_mb = _memory_mb(server.pid, "VmHWM")
    return Figures(kind, Times.of(appends), Times.of(reads), Times.of(newcomers), failures, memory_mb, "")


async def _outcome(call: "asyncio.Future[object] | object") -> str:
    try:
        await call  # type: ignore[misc]  # any of the client's calls
    except IndelibleError as error:
        return f"{error.code}: {error.message}"
    return ""


# --- The command -----------------------------------------------------------------------------------------------------


def faults_in(report: Report, p99_max_ms: float, memory_max_mb: float) -> list[str]:
    """What is not as it must be; empty when all is well."""
    found = [report.stopped] if report.stopped else []
    found += [f"the server answered {count} times with {labels}" for labels, count in report.errors_5xx.items()]
    for one in (report.alone, *report.kinds):
        found += [f"{one.kind}: a call of others failed: {failure}" for failure in one.failures]
        for name, times in (("appends", one.appends), ("reads", one.reads), ("newcomers", one.newcomers)):
            if times.p99_ms > p99_max_ms:
                found.append(f"{one.kind}: p99 of {name} is {times.p99_ms:.0f} ms, above {p99_max_ms:.0f} ms")
        if one.memory_mb > memory_max_mb:
            found.append(f"{one.kind}: the server took {one.memory_mb:.0f} MB, above {memory_max_mb:.0f} MB")
        if "unexpected" in one.met or "header of the caller's" in one.met:
            found.append(f"{one.kind}: {one.met}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each kind")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, metavar="KIND")
    parser.add_argument("--connections", type=int, default=1_000)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--p99-ms", type=float, default=200.0)
    parser.add_argument("--memory-mb", type=float, default=400.0)
    given = parser.parse_args()
    programs.take_charge()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        running = attack(Path(folder), given.seconds, given.kinds, connections=given.connections, idle=given.idle)
        report = asyncio.run(running)
    print(f"{'':14}{'appends':>16}{'reads':>16}{'newcomers':>16}{'memory':>10}   p50 / p99 in ms")
    for one in (report.alone, *report.kinds):
        times = [f"{each.p50_ms:.1f} / {each.p99_ms:.0f}" for each in (one.appends, one.reads, one.newcomers)]
        print(f"{one.kind:14}" + "".join(f"{each:>16}" for each in times) + f"{one.memory_mb:>7.0f} MB   {one.met}")
    if report.memory_per_idle_kb is not None:
        print(f"an idle connection takes {report.memory_per_idle_kb:.1f} KiB")
    faults = faults_in(report, given.p99_ms, given.memory_mb)
    print("\n".join(faults) or "ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
