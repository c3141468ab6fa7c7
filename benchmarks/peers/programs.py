"""Appends by one Python program: many callers of a server's client, against UmaDB's, and one caller of a store in the
program itself, against the SQLite recorder of ``eventsourcing``."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import appends, stores
from benchmarks.peers.appends import EVENT_TYPE, check_stored
from benchmarks.peers.comparison import Row, Sample, Sides
from benchmarks.peers.environment import run_caller
from benchmarks.peers.umadb import UmaDB
from benchmarks.server import Server
from benchmarks.stores import Options
from indelible import AsyncClient, NewEvent

FULL: Final = 2
"""SQLite's own number for ``synchronous=FULL``."""


def rows() -> Iterator[tuple[str, Row]]:
    many = f"{appends.CLIENT_TASKS} callers in one Python program, over"
    yield "client", Row(f"{many} HTTP / UmaDB", "events/s", 1.5, partial(_clients, url_of=lambda server: server.url))
    yield (
        "client-grpc",
        Row(f"{many} gRPC / UmaDB", "events/s", 1.5, partial(_clients, url_of=lambda server: server.grpc_url)),
    )
    yield "process", Row("one caller in process / eventsourcing", "events/s", 1.0, partial(_in_process, events=1))
    yield "process-batch", Row(
        "one caller in process, appends of 100 / eventsourcing", "events/s", 1.2,
        partial(_in_process, events=appends.BATCH_EVENTS),
    )  # fmt: skip


# --- Many callers of a server ----------------------------------------------------------------------------------------


@contextmanager
def _clients(options: Options, url_of: Callable[[Server], str]) -> Iterator[Sides]:
    def ours() -> Sample:
        with Server(stores.empty(options, "ours"), "--grpc", "127.0.0.1:0") as server:
            if options.warm_up_s:
                appends.client_load(server, url_of(server), options._replace(duration_s=options.warm_up_s, warm_up_s=0))
            held = server.head()
            done = appends.client_load(server, url_of(server), options._replace(warm_up_s=0))
            count = len(done.latencies_ms)
            check_stored(server.head() - held, count, 0)
        return Sample(count / done.duration_s, 1e6 * done.server_cpu_s / count, done.percentiles_ms["p99"])

    def theirs() -> Sample:
        path = options.folder / "umadb.db"
        path.unlink(missing_ok=True)
        with UmaDB(path) as server:
            job = {
                "url": server.url(), "threads": appends.CLIENT_TASKS, "aggregates": appends.AGGREGATES,
                "event_type": EVENT_TYPE, "data": appends.some_event_data(),
            }  # fmt: skip
            if options.warm_up_s:
                run_caller("umadb_threads", **job, duration_s=options.warm_up_s)
            held, cpu_s = server.head(), server.cpu_s()
            done = run_caller("umadb_threads", **job, duration_s=options.duration_s)
            cpu_s, count = server.cpu_s() - cpu_s, len(done["times_ms"])
            check_stored(server.head() - held, count, 0)
        p99_ms = done["times_ms"][int(0.99 * count)]
        return Sample(count / done["duration_s"], 1e6 * cpu_s / count, p99_ms, len(done["errors"]))

    yield Sides(ours, theirs)


# --- One caller in process -------------------------------------------------------------------------------------------


@contextmanager
def _in_process(options: Options, events: int) -> Iterator[Sides]:
    """The processor time is the whole program's, the making of the events with it."""
    yield Sides(partial(_own_store, options, events), partial(_recorder, options, events))


def _own_store(options: Options, events: int) -> Sample:
    return asyncio.run(_append_alone(stores.empty(options, "ours"), options, events))


async def _append_alone(path: Path, options: Options, events: int) -> Sample:
    rng, data = random.Random(1), appends.some_event_data()

    async def append_for(duration_s: float) -> list[float]:
        times_ms = []
        end = time.perf_counter() + duration_s
        while (started := time.perf_counter()) < end:
            made = [NewEvent(EVENT_TYPE, data) for _ in range(events)]
            await client.append("order", str(rng.randrange(appends.AGGREGATES)), made)
            times_ms.append((time.perf_counter() - started) * 1_000)
        return times_ms

    async with AsyncClient(f"sqlite:{path}") as client:
        warm_up = len(await append_for(options.warm_up_s))
        cpu_s, started = time.process_time(), time.perf_counter()
        times_ms = await append_for(options.duration_s)
        duration_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_s
        check_stored((await client.head()).position, events * (warm_up + len(times_ms)), 0)
    return _sample(events, sorted(times_ms), duration_s, cpu_s)


def _recorder(options: Options, events: int) -> Sample:
    path = stores.empty(options, "eventsourcing")
    done = run_caller(
        "eventsourcing_recorder", path=str(path), events=events, aggregates=appends.AGGREGATES, event_type=EVENT_TYPE,
        data=appends.some_event_data(), warm_up_s=options.warm_up_s, duration_s=options.duration_s,
    )  # fmt: skip
    check_stored(done["stored"], done["appended"], 0)
    if done["synchronous"] != FULL:
        raise RuntimeError(f"the recorder runs with synchronous={done['synchronous']}")
    return _sample(events, done["times_ms"], done["duration_s"], done["cpu_s"])


def _sample(events: int, times_ms: Sequence[float], duration_s: float, cpu_s: float) -> Sample:
    count = events * len(times_ms)
    return Sample(count / duration_s, 1e6 * cpu_s / count, times_ms[int(0.99 * len(times_ms))])
