"""Callers who mean harm, all at once, and how others fare beside them::

PYTHONPATH=tests .venv/bin/python -m faults.hostile_callers --events 1000000 --seconds 60

Together, on one server over a store that was filled before:

- appends with a condition of as many items as there may be, over two tags that are each on half of the events and
  never together,
- connections that send trailers without end,
- stalled subscribers, filtered,
- another process that takes the write lock of an SQLite file for some seconds now and then,
- a member of a consumer group that pulls all the time, where one event of the group's is damaged.

Beside them others append 500 events a second, one by one, and ask ``/livez``, each begun at even times whatever became
of those before, so that a server that stands still is seen as often as it should have answered.

While another process holds the file's lock nothing can be stored, whatever the server does: it answers such appends
with an error that invites to try again, and the client does so. So "none fails" means that none has failed for good,
with the client's ordinary retries. How long appends took is told apart: those that had nothing to do with a lock, and
those that were under way during one or in the DRAIN_S after it, when all that waited comes at once. ``/livez`` is
judged at all times.

Exits with 1 when something failed, or when a 99th percentile is above ``--p99-ms``.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import aiohttp
import apsw
import msgspec
import psycopg

import programs
from faults.hostile_process import FILLED, GROUP, HALVES, KINDS, Job, Met, spawn
from faults.server_process import ServerProcess, server_process
from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.errors import IndelibleError
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend
from indelible.queries import EventQuery
from postgres.server import postgres_server

POLLS_PER_APPEND = 0.1
FILL_EVENTS = 4_000
"""In one append."""
WORK_AGGREGATES, WORK_EVENTS = 100, 3
"""What the group is given before the run: aggregates, and the events of each."""
WORK_SHARE = 10
"""One append in so many is to an aggregate of the group's."""
DRAIN_S = 2.0
ALONE_S = 5.0
PROMPT_TIMES, PROMPT_LEAST_S = 3, 0.05
"""/livez is prompt below so many times its median on the idle server."""
ARRIVAL_MAX_S = 60.0
END_TIMEOUT_S = 90.0
"""For what is under way when the time is over; above what the client tries again for."""
REST_TIMEOUT_S = 400.0
REFUSED = {"431", "closed", "ConnectionResetError", "BrokenPipeError"}
"""What a caller may meet that sends more than it may. The kernel throws the answer away when it resets the connection
before the caller has read it."""


class Settings(msgspec.Struct, frozen=True):
    store: str
    """URL."""
    events: int = 1_000_000
    seconds: float = 60.0
    appends_per_s: int = 500
    """Of others."""
    subscribers: int = 300
    lock_after_s: float = 12.0
    lock_s: float = 6.0
    """Of SQLite alone."""
    kinds: tuple[str, ...] = KINDS
    """Of hostile callers."""


class Taken(msgspec.Struct, frozen=True):
    """One call: when it began, by ``time.monotonic``, how long it took, and how it failed."""

    began: float
    took_s: float
    error: str = ""


class Times(msgspec.Struct, frozen=True):
    count: int
    failed: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, taken: Sequence[Taken]) -> "Times":
        ordered = sorted(one.took_s * 1_000 for one in taken) or [0.0]
        at = [ordered[min(int(share * len(ordered)), len(ordered) - 1)] for share in (0.5, 0.99, 1.0)]
        return cls(len(taken), sum(bool(one.error) for one in taken), *at)


class Figures(msgspec.Struct, frozen=True):
    livez_alone: Times
    appends_alone: Times
    """Before the hostile callers came: what the machine can do."""
    livez: Times
    appends: Times
    appends_at_locks: Times
    errors: dict[str, int]
    """How calls of others failed, and how often."""
    stored: int
    """Events of the others' appends that are in the store."""
    late: int
    """Events that the group's member had not got to when the time was over."""
    parked: list[int]
    """Positions of the group's parked events."""
    damaged: int
    """Position of the damaged event."""
    arrived_s: float
    """How long ``/livez`` was slow after the subscribers had come: until each has as much as it gets unread."""
    met: Met
    stopped: str
    """The end of the server's log, if it has stopped."""


async def hostile_callers(settings: Settings, folder: Path) -> Figures:
    await _fill(settings)
    damaged = await _damage(settings.store)
    async with server_process(settings.store, log=folder / "server.log") as server, AsyncClient(server.url) as client:
        await client.groups.create(GROUP, query=EventQuery.of(aggregate_types=["work"]), start="beginning")
        alone = await _measured(ALONE_S, settings.appends_per_s, server, client)
        alone_p50_s = Times.of(alone[0]).p50_ms / 1_000
        async with _hostile(settings, server) as (process, met):
            arrived_s = await _until_prompt(server, PROMPT_TIMES * alone_p50_s)
            _begin(process)
            livez, appends = await _measured(settings.seconds, settings.appends_per_s, server, client)
            assert process.returncode is None, "the hostile callers have ended"
        late = await _consume_rest(client) if server.is_running else 0
        stored, parked = await _left(client) if server.is_running else (0, [])
        stopped = "" if server.is_running else server.tail()
    apart = [one for one in appends if not _is_at_a_lock(one, met[0].locks)]
    at_locks = [one for one in appends if _is_at_a_lock(one, met[0].locks)]
    errors: dict[str, int] = {}
    for one in (*alone[0], *alone[1], *livez, *appends):
        if one.error:
            errors[one.error] = errors.get(one.error, 0) + 1
    return Figures(
        Times.of(alone[0]), Times.of(alone[1]), Times.of(livez), Times.of(apart), Times.of(at_locks),
        errors, stored, late, parked, damaged, arrived_s, met[0], stopped,
    )  # fmt: skip


async def _consume_rest(client: AsyncClient) -> int:
    """What a slow machine left of the group's work. How many events."""
    count = 0
    async with asyncio.timeout(REST_TIMEOUT_S):
        while found := await client.groups.pull(GROUP, wait_s=1.0):
            count += (await client.groups.ack(GROUP, [one.delivery_id for one in found])).settled
    return count


async def _left(client: AsyncClient) -> tuple[int, list[int]]:
    """How many events of the others are stored, and the positions of the group's parked events."""
    stored = sum(one.events for one in await client.event_types() if one.event_type == "Measured")
    return stored, [one.position for one in (await client.groups.list_parked(GROUP)).parked]


def _is_at_a_lock(one: Taken, locks: Sequence[tuple[float, float]]) -> bool:
    return any(one.began < ended + DRAIN_S and one.began + one.took_s > began for began, ended in locks)


# --- The store beforehand --------------------------------------------------------------------------------------------


async def _fill(settings: Settings) -> None:
    async with open_local_store(settings.store) as store:
        for first in range(0, settings.events, FILL_EVENTS):
            appends: dict[int, list[NewEvent]] = {}
            for number in range(first, min(first + FILL_EVENTS, settings.events)):
                event = NewEvent(FILLED, {"n": number, "text": "x" * 100}, tags=[HALVES[number % 2]])
                appends.setdefault(number % 97, []).append(event)
            await store.append_atomic([AggregateAppend.of("stock", str(name), some) for name, some in appends.items()])
        work = [NewEvent("Worked", {"n": number}) for number in range(WORK_EVENTS * WORK_AGGREGATES)]
        await store.append_atomic(
            [
                AggregateAppend.of("work", str(number), work[WORK_EVENTS * number : WORK_EVENTS * (number + 1)])
                for number in range(WORK_AGGREGATES)
            ]
        )


async def _damage(store_url: str) -> int:
    """Cut the data of one event of the group's short, as no API can. Its position."""
    async with open_local_store(store_url, read_only=True) as store:
        position = (await store.read_aggregate("work", str(WORK_AGGREGATES // 2), limit=2)).events[1].position
    scheme, _, path = store_url.partition(":")
    if scheme == "sqlite":
        connection = apsw.Connection(path)
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        connection.execute("UPDATE events SET event_data = '{\"n\":' WHERE position = ?", (position,))
        connection.close()
    else:
        with psycopg.connect(store_url, autocommit=True) as database:
            database.execute("SET session_replication_role = replica")
            database.execute("UPDATE indelible.events SET event_data = '{\"n\":' WHERE position = %s", (position,))
    return position


async def _until_prompt(server: ServerProcess, prompt_s: float) -> float:
    """How long it took until some polls in a row were answered promptly; no longer than ARRIVAL_MAX_S."""
    started, in_a_row = time.monotonic(), 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ARRIVAL_MAX_S)) as session:
        while in_a_row < 10 and time.monotonic() - started < ARRIVAL_MAX_S:
            asked = time.monotonic()
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{server.url}/livez"):
                    in_a_row = in_a_row + 1 if time.monotonic() - asked < max(prompt_s, PROMPT_LEAST_S) else 0
            await asyncio.sleep(0.02)
    return time.monotonic() - started


def _begin(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"begin\n")


# --- The others ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _hostile(
    settings: Settings, server: ServerProcess
) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[Met]]]:
    """The process, while the hostile callers are at it, and then also what they met."""
    database = str(server.database) if settings.store.startswith("sqlite:") else None
    job = Job(server.url, settings.kinds, settings.subscribers, database, settings.lock_after_s, settings.lock_s)
    process, met = await spawn(job), list[Met]()
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield process, met
        printed, _ = await asyncio.wait_for(process.communicate(b""), END_TIMEOUT_S)
        met.append(msgspec.json.decode(printed, type=Met))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _measured(
    seconds: float, appends_per_s: int, server: ServerProcess, client: AsyncClient
) -> tuple[list[Taken], list[Taken]]:
    """Polls of ``/livez``, and appends."""

    async def append(number: int) -> str:
        kind, name = ("work", f"new-{number % 200}") if number % WORK_SHARE == 0 else ("others", str(number % 500))
        try:
            await client.append(kind, name, [NewEvent("Measured", {"n": number})])
        except IndelibleError as error:
            return f"append: {error.code}"
        return ""

    async def poll(session: aiohttp.ClientSession) -> str:
        try:
            async with session.get(f"{server.url}/livez") as answer:
                return "" if answer.status == 200 else f"livez: {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"livez: {type(error).__name__}"

    limits = aiohttp.ClientTimeout(END_TIMEOUT_S)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=limits) as session:
        return await asyncio.gather(
            at_even_times("livez", lambda _: poll(session), POLLS_PER_APPEND * appends_per_s, seconds),
            at_even_times("append", append, appends_per_s, seconds),
        )


async def at_even_times(what: str, call: Callable[[int], Awaitable[str]], per_s: float, seconds: float) -> list[Taken]:
    """Each counts from when it was to begin: this process, too, may be late."""
    taken: list[Taken] = []

    async def one(number: int, due: float) -> None:
        error = f"{what}: not answered"
        try:
            error = await call(number)
        finally:
            taken.append(Taken(due, time.monotonic() - due, error))

    started, tasks = time.monotonic(), list[asyncio.Task[None]]()
    for number in range(int(per_s * seconds)):
        due = started + number / per_s
        if (wait_s := due - time.monotonic()) > 0:
            await asyncio.sleep(wait_s)
        tasks.append(asyncio.create_task(one(number, due)))
    _, late = await asyncio.wait(tasks, timeout=END_TIMEOUT_S)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late)
    return taken


# --- The command -----------------------------------------------------------------------------------------------------


def faults_in(figures: Figures, p99_max_ms: float, kinds: Collection[str] = KINDS) -> list[str]:
    """What is not as it must be; empty when all is well. Appends beside a lock have no bound but their retries'."""
    found = [f"the server has stopped:\n{figures.stopped}"] if figures.stopped else []
    found += [f"{count} calls failed: {error}" for error, count in figures.errors.items()]
    for name, times in (("/livez", figures.livez), ("appends", figures.appends)):
        if times.p99_ms > p99_max_ms:
            found.append(f"p99 of {name} is {times.p99_ms:.0f} ms, above {p99_max_ms:.0f} ms")
    failed = sum(count for error, count in figures.errors.items() if error.startswith("append"))
    appended = (figures.appends_alone, figures.appends, figures.appends_at_locks)
    acknowledged = sum(times.count for times in appended) - failed
    if figures.stored < acknowledged:
        found.append(f"{acknowledged} appends were acknowledged, and {figures.stored} are stored")
    if "group" in kinds and figures.parked != [figures.damaged]:
        found.append(f"the damaged event is {figures.damaged}, and parked are {figures.parked}")
    if "group" in kinds and figures.met.acknowledged + figures.late < WORK_EVENTS * (WORK_AGGREGATES - 1):
        found.append(f"the group's members got {figures.met.acknowledged} and then {figures.late} events")
    if "trailers" in kinds and not set() < figures.met.trailers.keys() <= REFUSED:
        found.append(f"trailers were met with {figures.met.trailers}")
    return found


def _print(figures: Figures) -> None:
    print(f"{'':<28}{'calls':>9}{'failed':>9}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}")
    for name, times in (
        ("/livez, before", figures.livez_alone),
        ("appends, before", figures.appends_alone),
        ("/livez", figures.livez),
        ("appends", figures.appends),
        ("appends beside a lock", figures.appends_at_locks),
    ):
        shown = "".join(f"{value:>10,.1f}" for value in (times.p50_ms, times.p99_ms, times.max_ms))
        print(f"{name:<28}{times.count:>9,}{times.failed:>9,}{shown}")
    met = figures.met
    print(f"conditions answered         {met.conditions}")
    print(f"trailers answered           {met.trailers}")
    print(f"pulls                       {met.pulls}, {met.acknowledged:,} events acknowledged")
    print(f"parked                      {figures.parked}; damaged is {figures.damaged}")
    print(f"subscribers stalled after   {figures.arrived_s:.1f} s")
    print(f"subscriptions still open    {met.subscribers_left}")
    print(f"locks                       {', '.join(f'{ended - began:.1f} s' for began, ended in met.locks) or 'none'}")


@contextmanager
def _store(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:{folder}/store.db"
        return
    with postgres_server() as database:
        yield database.new_database()


def main() -> None:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Hostile callers, all at once, and how others fare beside them.")
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--events", type=int, default=1_000_000, help="in the store beforehand")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--subscribers", type=int, default=300)
    parser.add_argument("--p99-ms", type=float, default=200.0, help="the most for /livez and for appends")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS, help="these hostile callers, not all")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hostile-callers-") as folder, _store(given.store, Path(folder)) as store:
        settings = Settings(store, given.events, given.seconds, given.subscribers, kinds=tuple(given.only))
        figures = asyncio.run(hostile_callers(settings, Path(folder)))
    _print(figures)
    found = faults_in(figures, given.p99_ms, given.only)
    for one in found:
        print(one)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
