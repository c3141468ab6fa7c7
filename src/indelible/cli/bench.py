"""indelible bench: measures operations that many tasks repeat: how many a second, and how long each takes"""

import asyncio
import math
import random
import resource
import tempfile
import time
import urllib.request
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from itertools import accumulate
from typing import Annotated, Final

import msgspec
import typer

from indelible.cli.command import ConfigFile, Json, Store, Target, Url, open_store, run
from indelible.cli.output import note, print_fields, print_json, print_line, print_table
from indelible.cursors import Cursor
from indelible.errors import IndelibleError
from indelible.events import NewEvent, new_event_id
from indelible.eventstore import EventStore
from indelible.limits import BENCH_SILENCE_MAX_S, PAGE_EVENTS_MAX, REQUEST_EVENTS_MAX
from indelible.server.config import shown_url
from indelible.store_urls import scheme_of

AGGREGATE_TYPE: Final = "bench"

_DATABASE: Final = "the database's, with synchronous_commit on unless the URL says otherwise"
_DURABILITY: Final = {
    "memory": "none: nothing outlives the process",
    "sqlite": "fsync before every acknowledgement (synchronous=FULL)",
    "postgres": _DATABASE,
    "postgresql": _DATABASE,
}


class Workload(msgspec.Struct, frozen=True):
    concurrency: int
    batch_events: int
    aggregates: int
    payload_bytes: int
    duration_s: float
    """Of each measurement."""


class Measured(msgspec.Struct, frozen=True):
    name: str
    tasks: int
    duration_s: float
    operations: int
    errors: int
    per_s: float
    events_per_s: float
    p50_ms: float
    p99_ms: float
    p99_9_ms: float


class Bench(msgspec.Struct, frozen=True):
    store: str
    durability: str
    workload: Workload
    measured: list[Measured]
    memory_mib: float | None
    """Of the process that holds the store, at the end: the server's, or this one's at its highest. None when the server
    does not say."""


def bench(
    *,
    concurrency: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Tasks at once.")] = 64,
    duration_s: Annotated[
        float, typer.Option(min=0.1, max=600, metavar="SECONDS", help="Length of each measurement.")
    ] = 5.0,
    batch_events: Annotated[
        int, typer.Option(min=1, max=REQUEST_EVENTS_MAX, metavar="N", help="Events in one append of a batch.")
    ] = 100,
    aggregates: Annotated[int, typer.Option(min=1, metavar="N", help="Aggregates that are appended to.")] = 10_000,
    payload_bytes: Annotated[
        int, typer.Option(min=2, max=1_000_000, metavar="BYTES", help="event_data of one event.")
    ] = 125,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Measure appends and reads.

    Works on the store that --url or --store names, and leaves its events there for ever; without either, on a
    temporary SQLite store in the working directory. Goes through the Python client, whose concurrent appends travel
    together. Times are in milliseconds, up to 1 % above what they were. A store that answers nothing but errors for 10
    seconds, or for a whole measurement, ends it with the last of them.

    \b
    indelible bench
    indelible bench --url http://127.0.0.1:8080 --concurrency 128 --duration-s 10
    """
    workload = Workload(concurrency, batch_events, aggregates, payload_bytes, duration_s)
    with ExitStack() as cleanup:
        if url is None and store is None:
            directory = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="indelible-bench-", dir="."))
            store = f"sqlite:{directory}/bench.db"
        run(_bench(Target.chosen(url, store, config), workload, json))


async def _bench(target: Target, workload: Workload, json: bool) -> None:
    async with open_store(target, read_only=False) as store:
        measured = []
        async for one in _measure_all(store, workload):
            measured.append(one)
            if not json:
                note(f"{one.name}: done")
        memory_bytes = await asyncio.to_thread(_memory_bytes, target)
    memory_mib = None if memory_bytes is None else round(memory_bytes / 2**20, 1)
    result = Bench(shown_url(target.url), _durability(target), workload, measured, memory_mib)
    if json:
        print_json(result)
    else:
        _print(result)


async def _measure_all(store: EventStore, workload: Workload) -> AsyncIterator[Measured]:
    """Every measurement in turn. The reads find what the appends left."""
    # Ids of its own, so that a second run starts with new aggregates.
    names = [f"{new_event_id()}-{i}" for i in range(workload.aggregates)]
    data = {"payload": "x" * max(0, workload.payload_bytes - len('{"payload":""}'))}
    chance = random.Random(1)  # noqa: S311 - the same order in every run
    written: dict[str, None] = {}
    cursor: Cursor | None = None

    async def append(count: int) -> int:
        name = chance.choice(names)
        await store.append(AGGREGATE_TYPE, name, [NewEvent("Benched", data) for _ in range(count)])
        written[name] = None
        return count

    async def read() -> int:
        return (await store.read_aggregate(AGGREGATE_TYPE, chance.choice(stored), limit=30)).count

    async def read_feed() -> int:
        nonlocal cursor
        page = await store.read_feed(after=cursor, limit=PAGE_EVENTS_MAX)
        cursor = None if page.at_end else page.cursor
        return page.count

    tasks, duration_s = workload.concurrency, workload.duration_s
    yield await measure("append 1 event", lambda: append(1), tasks=tasks, duration_s=duration_s)
    name = f"append {workload.batch_events} events"
    yield await measure(name, lambda: append(workload.batch_events), tasks=min(tasks, 32), duration_s=duration_s)
    if stored := list(written):
        yield await measure("read an aggregate", read, tasks=min(tasks, 32), duration_s=duration_s)
        yield await measure("read the feed", read_feed, tasks=1, duration_s=duration_s)


def _durability(target: Target) -> str:
    if target.is_server:
        return "the server's"
    return _DURABILITY.get(scheme_of(target.url), "the engine's")


def _memory_bytes(target: Target) -> float | None:
    if not target.is_server:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if not target.url.startswith("http"):
        # Metrics have no gRPC method.
        return None
    try:
        with urllib.request.urlopen(f"{target.url}/metrics", timeout=10) as answer:  # noqa: S310 - see above
            lines = answer.read().decode("utf-8").splitlines()
    except (OSError, ValueError):
        # What was measured is worth more.
        return None
    values = [line.split()[1] for line in lines if line.startswith("process_resident_memory_bytes ")]
    return float(values[0]) if values else None


def _print(result: Bench) -> None:
    columns = ("operation", "tasks", "per s", "events per s", "p50 ms", "p99 ms", "p99.9 ms", "errors")
    rows = [
        (
            one.name, one.tasks, f"{one.per_s:.0f}", f"{one.events_per_s:.0f}",
            f"{one.p50_ms:.2f}", f"{one.p99_ms:.2f}", f"{one.p99_9_ms:.2f}", one.errors,
        )
        for one in result.measured
    ]  # fmt: skip
    print_table(columns, rows, numbers=columns[1:])
    print_line("")
    memory = "unknown" if result.memory_mib is None else f"{result.memory_mib} MiB"
    print_fields([("store", result.store), ("durability", result.durability), ("memory", memory)])


# --- Measuring -------------------------------------------------------------------------------------------------------

Operation = Callable[[], Awaitable[int]]
"""Does one thing; returns how many events it was about."""


class Times:
    """How often something took how long, in buckets that each begin 1 % above the one before: its size does not grow
    with what it is told. What took less than 1 µs or more than a day counts as that."""

    _LEAST_S: Final = 1e-6
    _GROWTH: Final = math.log(1.01)
    _BUCKETS: Final = int(math.log(86_400 / 1e-6) / math.log(1.01)) + 2

    def __init__(self) -> None:
        self.count = 0
        self._counts = [0] * self._BUCKETS

    def add(self, time_s: float) -> None:
        bucket = int(math.log(max(time_s / self._LEAST_S, 1.0)) / self._GROWTH) + 1
        self._counts[min(bucket, self._BUCKETS - 1)] += 1
        self.count += 1

    def percentile_ms(self, share: float) -> float:
        """The time that ``share`` of all took at most, and up to 1 % more than it was; 0 when there was none."""
        if not self.count:
            return 0.0
        before = min(int(share * self.count), self.count - 1)
        bucket = bisect_right(list(accumulate(self._counts)), before)
        return round(1000 * self._LEAST_S * math.exp(self._GROWTH * bucket), 3)


async def measure(name: str, operation: Operation, *, tasks: int, duration_s: float) -> Measured:
    """Let ``tasks`` tasks repeat the operation for ``duration_s`` seconds. Errors of the store are counted; the last is
    raised when nothing has succeeded at the end, or for BENCH_SILENCE_MAX_S."""
    measuring = _Measuring(operation, duration_s)
    await asyncio.gather(*(measuring.repeat() for _ in range(tasks)))
    if measuring.error is not None and (measuring.has_given_up or not measuring.times.count):
        raise measuring.error
    times, took_s = measuring.times, time.perf_counter() - measuring.started
    return Measured(
        name=name,
        tasks=tasks,
        duration_s=round(took_s, 3),
        operations=times.count,
        errors=measuring.errors,
        per_s=round(times.count / took_s, 1),
        events_per_s=round(measuring.events / took_s, 1),
        p50_ms=times.percentile_ms(0.5),
        p99_ms=times.percentile_ms(0.99),
        p99_9_ms=times.percentile_ms(0.999),
    )


class _Measuring:
    def __init__(self, operation: Operation, duration_s: float) -> None:
        self.started = self._succeeded = time.perf_counter()
        self.times = Times()
        self.events = self.errors = 0
        self.error: IndelibleError | None = None
        """The last one."""
        self.has_given_up = False
        self._operation, self._deadline = operation, self.started + duration_s

    async def repeat(self) -> None:
        while (begun := time.perf_counter()) < self._deadline and not self.has_given_up:
            try:
                count = await self._operation()
            except IndelibleError as error:
                self.errors, self.error = self.errors + 1, error
                self.has_given_up = time.perf_counter() - self._succeeded > BENCH_SILENCE_MAX_S
            else:
                self._succeeded = time.perf_counter()
                self.times.add(self._succeeded - begun)
                self.events += count
