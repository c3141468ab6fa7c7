"""Many servers over one store, many writers that fight for the same aggregates, and a check of all that they heard::

PYTHONPATH=tests .venv/bin/python -m faults.many_servers --servers 4 --writers 64 --seconds 60 --delay-commits-ms 20

Without ``--store``, several servers share a PostgreSQL that is started for them; one server alone takes SQLite.
Exits with 1 when the history breaks a rule.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any
from zlib import crc32

import msgspec

import programs
from faults.contention import Scene
from faults.history.checker import check
from faults.history.model import (
    Acknowledged,
    Append,
    ConditionRefused,
    IdConflicted,
    LoggedEvent,
    Operation,
    Unknown,
    Unserved,
    VersionConflicted,
)
from faults.history.partitions import histories
from faults.history.recording import read_log, read_operations
from faults.history.report import shown
from faults.history.violations import Rule, Violation
from faults.load_process import FollowJob, Job, LoadJob, spawn
from faults.server_process import ServerProcess
from faults.slow_commits import slow_commits
from indelible.client import AsyncClient
from indelible.core.verify import verify
from indelible.cursors import Cursor
from postgres.server import postgres_server

LOAD_PROCESSES_MAX = 2
"""More would only take turns on the cores that the servers need."""
READERS_A_SERVER = 4


class Settings(msgspec.Struct, frozen=True):
    store: str
    """URL. The servers must be able to share it."""
    servers: int = 4
    writers: int = 64
    """A server."""
    seconds: float = 60.0
    seed: int = 0
    delay_max_s: float = 0.0
    """Above 0, each commit of a PostgreSQL store is held up for a random time up to this. ``store`` must be the URL of
    a superuser, or of the tables' owner, for that."""
    restart_every_s: float = 0.0
    """Above 0, a server is killed or stopped so often, and started again."""
    partitions: int = 1
    """Of the store, as its URL says."""
    acknowledged: int = 0
    """The load goes on until so many appends are."""


class Figures(msgspec.Struct):
    operations: int
    appends: int
    acknowledged: int
    replayed: int
    version_conflicts: int
    id_conflicts: int
    conditions_failed: int
    unserved: int
    unknown: int
    events: int
    events_per_s: float
    append_p50_ms: float
    append_p99_ms: float
    load_s: float
    check_s: float
    violations: int
    restarts: int = 0
    restart_max_s: float = 0.0


Trouble = Callable[[Settings, Sequence[ServerProcess]], Coroutine[Any, Any, Sequence[float]]]
"""Breaks servers, or what they stand on, while the load goes on, and mends it. How long each took to start again, in
seconds."""


async def run(settings: Settings, folder: Path, trouble: Trouble | None = None) -> tuple[Figures, list[Violation]]:
    """Start servers, load them, stop them, check. Logs and histories go to ``folder``. ``trouble``: instead of what
    ``restart_every_s`` asks for."""
    trouble = trouble or _restart_some
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(_servers(settings, folder))
        urls = tuple(server.url for server in servers)
        async with AsyncClient(urls[0]) as client:
            start = (await client.head()).cursor
        if settings.delay_max_s:
            await stack.enter_async_context(slow_commits(settings.store, settings.delay_max_s))
        began = time.perf_counter()
        begun = asyncio.Event()

        async def restart() -> Sequence[float]:
            await begun.wait()
            return await trouble(settings, servers)

        async with asyncio.TaskGroup() as tasks:
            restarting = tasks.create_task(restart())
            jobs = await _load(settings, urls, start, folder, begun)
        load_s = time.perf_counter() - began
        for server in servers:
            assert server.is_running, f"a server has stopped by itself:\n{server.tail()}"
        async with AsyncClient(urls[-1]) as client:
            log = await read_log(client, start)
            damage = (await verify(client)).damage
    began = time.perf_counter()
    operations = [operation for job in jobs for operation in read_operations(Path(job.history))]
    followers = frozenset(job.name for job in jobs if isinstance(job, FollowJob))
    split = histories(settings.partitions, operations, log, followers, start)
    violations = [violation for history in split for violation in check(history)]
    if damage is not None:
        violations.append(Violation(Rule.CHANGED_EVENT, f"position {damage.position} {damage.reason}"))
    check_s = time.perf_counter() - began
    figures = _figures(operations, log, load_s, check_s, violations)
    figures.restarts = len(restarting.result())
    figures.restart_max_s = max(restarting.result(), default=0.0)
    return figures, violations


@asynccontextmanager
async def _servers(settings: Settings, folder: Path) -> AsyncIterator[list[ServerProcess]]:
    """All start at once, as after a power cut."""
    servers = [ServerProcess(settings.store, log=folder / f"server-{n}.log") for n in range(settings.servers)]
    async with AsyncExitStack() as stack:
        for server in servers:
            stack.push_async_callback(server.kill)
        async with asyncio.TaskGroup() as starting:
            for server in servers:
                starting.create_task(server.start())
        yield servers


async def _restart_some(settings: Settings, servers: Sequence[ServerProcess]) -> list[float]:
    """Kill or stop one after another while the load goes on. How long each took to start again, in seconds."""
    chance, starts_s = random.Random(settings.seed), list[float]()
    until = time.monotonic() + settings.seconds
    while settings.restart_every_s:
        await asyncio.sleep(settings.restart_every_s * chance.uniform(0.5, 1.5))
        if time.monotonic() > until:
            break
        server = chance.choice(servers)
        if chance.random() < 0.3:
            server.terminate()
            await server.exit_code()
        await server.kill()
        await asyncio.sleep(chance.random())
        starts_s.append(await server.start())
    return starts_s


async def _load(
    settings: Settings, urls: tuple[str, ...], start: Cursor, folder: Path, begun: asyncio.Event
) -> Sequence[Job]:
    """Run all writers, readers and followers, until the last follower has seen the end. What they did. ``begun`` is set
    once all writers and readers are about to ask."""
    loads = _load_jobs(settings, urls, start, folder)
    follows = [
        FollowJob(urls[:1], str(folder / "follower.history"), "follower", str(start), settings.partitions),
        FollowJob(urls, str(folder / "wanderer.history"), "wanderer", str(start), settings.partitions),
    ]
    async with AsyncExitStack() as stack:
        followers = [await _process(stack, job) for job in follows]
        loaders = [await _process(stack, job) for job in loads]
        while not _have_begun(loads):
            assert all(loader.returncode is None for loader in loaders), "a load has ended before it began"
            await asyncio.sleep(0.02)
        begun.set()
        for loader in loaders:
            assert await loader.wait() == 0
        for follower in followers:
            follower.terminate()
        for follower in followers:
            assert await follower.wait() == 0
    return [*loads, *follows]


def _have_begun(loads: Sequence[LoadJob]) -> bool:
    return all(Path(load.history).exists() for load in loads)


def _load_jobs(settings: Settings, urls: tuple[str, ...], start: Cursor, folder: Path) -> list[LoadJob]:
    # A name holds no "-", and a cursor may be long.
    processes = min(settings.servers, LOAD_PROCESSES_MAX)
    scene = Scene(
        f"{settings.seed}.{crc32(start.encode())}", start=str(start), partitions=settings.partitions,
        acknowledged=-(-settings.acknowledged // processes),
    )  # fmt: skip
    homes = [server for server in range(settings.servers) for _ in range(settings.writers)]
    readers = READERS_A_SERVER * settings.servers // processes
    return [
        LoadJob(
            urls=urls,
            history=str(folder / f"load-{n}.history"),
            scene=scene,
            seconds=settings.seconds,
            name=f"p{n}",
            writers=tuple(homes[n::processes]),
            readers=readers,
            seed=settings.seed,
        )
        for n in range(processes)
    ]


async def _process(stack: AsyncExitStack, job: Job) -> asyncio.subprocess.Process:
    process = await spawn(job)

    async def end() -> None:
        if process.returncode is None:
            process.kill()
            await process.wait()

    stack.push_async_callback(end)
    return process


def _figures(
    operations: Sequence[Operation],
    log: Sequence[LoggedEvent],
    load_s: float,
    check_s: float,
    violations: Sequence[Violation],
) -> Figures:
    appends = [operation for operation in operations if isinstance(operation.request, Append)]
    outcomes = Counter(type(operation.outcome) for operation in appends)
    took_ms = [
        (operation.completed_ns - operation.invoked_ns) / 1e6
        for operation in appends
        if isinstance(operation.outcome, Acknowledged)
    ]
    cuts = quantiles(took_ms, n=100) if len(took_ms) > 1 else [0.0] * 99
    return Figures(
        operations=len(operations),
        appends=len(appends),
        acknowledged=outcomes[Acknowledged],
        replayed=sum(isinstance(one.outcome, Acknowledged) and one.outcome.replayed for one in appends),
        version_conflicts=outcomes[VersionConflicted],
        id_conflicts=outcomes[IdConflicted],
        conditions_failed=outcomes[ConditionRefused],
        unserved=outcomes[Unserved],
        unknown=outcomes[Unknown],
        events=len(log),
        events_per_s=len(log) / load_s,
        append_p50_ms=cuts[49],
        append_p99_ms=cuts[98],
        load_s=load_s,
        check_s=check_s,
        violations=len(violations),
    )


@contextmanager
def _store(url: str | None, servers: int, folder: Path) -> Iterator[str]:
    if url is not None:
        yield url
    elif servers == 1:
        yield f"sqlite:{folder / 'store.db'}"
    else:
        with postgres_server() as server:
            yield server.new_database()


def main() -> None:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Many servers over one store, and a check of all that they answered.")
    parser.add_argument("--store", help="URL; all servers must be able to share it")
    parser.add_argument("--servers", type=int, default=1)
    parser.add_argument("--writers", type=int, default=64, help="a server")
    parser.add_argument("--partitions", type=int, default=1, help="that the store's URL asks for")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--delay-commits-ms", type=float, default=0.0, help="at most; for PostgreSQL")
    parser.add_argument("--restart-every-s", type=float, default=0.0, help="kill or stop a server so often")
    parser.add_argument("--keep", type=Path, help="folder to keep the histories and logs in")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="many-servers-") as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with _store(arguments.store, arguments.servers, folder) as store:
            settings = Settings(
                store, arguments.servers, arguments.writers, arguments.seconds, arguments.seed,
                arguments.delay_commits_ms / 1000, arguments.restart_every_s, arguments.partitions,
            )  # fmt: skip
            figures, violations = asyncio.run(run(settings, folder))
    for name, value in msgspec.structs.asdict(figures).items():
        print(f"{name:<20}{value:>12,.3f}" if isinstance(value, float) else f"{name:<20}{value:>12,}")
    for line in shown(violations):
        print(line)
    # A run in which nothing got through proves nothing.
    sys.exit(0 if figures.acknowledged and not violations else 1)


if __name__ == "__main__":
    main()
