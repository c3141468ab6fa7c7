"""kill -9 of a projection at random moments: the read model and its checkpoint always agree. Run by hand for as many as
you like::

PYTHONPATH=tests .venv/bin/python -m faults.projection_kills --kills 100 --driver asyncpg
PYTHONPATH=tests .venv/bin/python -m faults.projection_kills --kills 100 --driver sqlite3 --copies 2

A writer appends to a server all the time, and one process, or several, run the projection of it. Each kill is of one of
them, at its start or in the middle of its work. After each the read model is read together with its checkpoint, and
compared with what the log says up to there. Exits with 1 when they differ.
"""

import argparse
import asyncio
import contextlib
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg

import programs
from faults.projection_process import FACTOR, MODULUS, NAME, Job, spawn
from faults.server_process import server_process
from indelible import AsyncClient, Cursor, NewEvent, RecordedEvent
from indelible.cursors import START, position_of
from postgres.server import postgres_server

DRIVERS: Final = ("asyncpg", "sqlalchemy", "sqlite3")
AGGREGATES: Final = 50
APPEND_EVENTS: Final = 20
APPEND_PAUSE_S: Final = 0.005
KILLED_AT_START: Final = 5
"""One kill of so many does not wait until the projection has moved."""
START_MAX_S: Final = 1.0
WORK_MAX_S: Final = 0.3
PATIENCE_S: Final = 120.0
CATCHING_UP_S: Final = 1_200.0
"""At the end: it may be far behind what was appended meanwhile."""
_POLL_S: Final = 0.01
_SHOWN_MAX: Final = 5
SAID_EVERY: Final = 10

Totals = Mapping[str, tuple[int, int]]
"""Of each aggregate how many events it has, and the number that depends on all of them."""


class Figures(msgspec.Struct):
    kills: int = 0
    at_start: int = 0
    events: int = 0
    moved: int = 0
    """Kills since the last of which the read model had moved."""
    total_s: float = 0.0
    violations: list[str] = msgspec.field(default_factory=list)


class ReadModelCopy:
    """What is in the database, read without anything of the projection's."""

    def __init__(self, target: str) -> None:
        self._target: Final = target

    def read(self) -> tuple[Cursor, Totals]:
        """The checkpoint and the rows, as they are at one moment."""
        with self._connect() as execute:
            try:
                found = execute(f"SELECT cursor FROM indelible_projections WHERE name = '{NAME}'")
                rows = execute("SELECT aggregate_id, events, chain FROM totals")
            except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
                return START, {}  # it was killed before it made them
        return (Cursor(found[0][0]) if found else START), {one: (events, chain) for one, events, chain in rows}

    @contextlib.contextmanager
    def _connect(self) -> Iterator[Any]:
        if not self._target.startswith("postgresql:"):
            with contextlib.closing(sqlite3.connect(self._target, 30, isolation_level=None)) as connection:
                connection.execute("BEGIN")
                yield lambda statement: connection.execute(statement).fetchall()
            return
        with psycopg.connect(self._target) as of_server:
            of_server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            yield lambda statement: of_server.execute(statement).fetchall()


class Expected:
    """What the log says, up to a position."""

    def __init__(self) -> None:
        self.position = 0
        self.totals: dict[str, tuple[int, int]] = {}

    def add(self, event: RecordedEvent) -> None:
        events, chain = self.totals.get(event.aggregate_id, (0, 0))
        self.totals[event.aggregate_id] = events + 1, (chain * FACTOR + event.event_data["number"]) % MODULUS
        self.position = event.position

    async def go_on(self, client: AsyncClient, cursor: Cursor) -> None:
        """To a cursor that is not before where this is."""
        while self.position < position_of(cursor):
            page = await client.read_feed(after=Cursor(self.position), limit=1_000)
            for event in page.events:
                if event.position > position_of(cursor):
                    return
                self.add(event)

    def differences(self, found: Totals) -> Iterator[str]:
        for name in sorted({*found, *self.totals}):
            if found.get(name) != self.totals.get(name):
                yield f"{name} is {found.get(name)}, and by the log {self.totals.get(name)}"


class Scene:
    def __init__(self, client: AsyncClient, job: Job, copies: int, seed: int) -> None:
        self._client: Final = client
        self._job: Final = job
        self._copies: Final = copies
        self._chance: Final = random.Random(seed)
        self._model: Final = ReadModelCopy(job.target)
        self._expected: Final = Expected()
        self._running: list[asyncio.subprocess.Process] = []
        self.figures: Final = Figures()
        self.has_written = False
        """Whether nothing more is to be appended."""

    async def write(self) -> None:
        """Until told otherwise."""
        chance = random.Random(self._chance.random())
        while not self.has_written:
            events = [NewEvent("Counted", {"number": chance.randrange(1_000)}) for _ in range(APPEND_EVENTS)]
            await self._client.append("count", f"c-{chance.randrange(AGGREGATES)}", events)
            await asyncio.sleep(APPEND_PAUSE_S)

    async def kill(self) -> None:
        """One of those that run, at a random moment; then look."""
        while len(self._running) < self._copies:
            self._running.append(await spawn(self._job))
        before = self._expected.position
        if self.figures.kills % KILLED_AT_START == 1:
            self.figures.at_start += 1
            await asyncio.sleep(self._chance.uniform(0, START_MAX_S))
        else:
            await self._until_past(before)
            await asyncio.sleep(self._chance.uniform(0, WORK_MAX_S))
        victim = self._running.pop(self._chance.randrange(len(self._running)))
        assert victim.returncode is None, "the projection has ended by itself"
        victim.kill()
        await victim.wait()
        self.figures.kills += 1
        await self._look(f"kill {self.figures.kills}")
        self.figures.moved += self._expected.position > before

    async def _until_past(self, position: int, patience_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(patience_s):
            while position_of((await asyncio.to_thread(self._model.read))[0]) <= position:  # noqa: ASYNC110 - another process moves it
                await asyncio.sleep(_POLL_S)

    async def _look(self, when: str) -> None:
        cursor, found = await asyncio.to_thread(self._model.read)
        if position_of(cursor) < self._expected.position:
            self.figures.violations.append(f"{when}: the checkpoint went back to {cursor}")
            return
        await self._expected.go_on(self._client, cursor)
        for difference in list(self._expected.differences(found))[:_SHOWN_MAX]:
            self.figures.violations.append(f"{when}: at cursor {cursor} {difference}")

    async def finish(self) -> None:
        """Nothing is appended any more: the read model comes to the head, and is what all of the log says."""
        self._running.append(await spawn(self._job))
        head = await self._client.head()
        await self._until_past(head.position - 1, CATCHING_UP_S)
        await self._look("at the end")
        anew = Expected()
        await anew.go_on(self._client, head.cursor)
        assert anew.totals == self._expected.totals
        self.figures.events = head.position

    async def stop(self) -> None:
        for one in self._running:
            with contextlib.suppress(ProcessLookupError):
                one.kill()
            await one.wait()


@contextlib.asynccontextmanager
async def going_on(scene: Scene) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        group.create_task(scene.write())
        yield
        scene.has_written = True


async def run(folder: Path, driver: str, target: str, kills: int, seed: int, *, copies: int = 1) -> Figures:
    """So many, or until the read model is wrong. ``target``: where it is kept."""
    began = time.monotonic()
    async with server_process(folder / "store.db") as server, AsyncClient(server.url) as client:
        scene = Scene(client, Job(server.url, driver, target), copies, seed)
        try:
            async with going_on(scene):
                for n in range(kills):
                    await scene.kill()
                    if scene.figures.violations:
                        break
                    if (n + 1) % SAID_EVERY == 0:
                        print(f"{n + 1:,} kills, no violation", flush=True)
            if not scene.figures.violations:
                await scene.finish()
        finally:
            await scene.stop()
    scene.figures.total_s = time.monotonic() - began
    return scene.figures


@contextlib.contextmanager
def database_for(driver: str, folder: Path) -> Iterator[str]:
    if driver not in ("asyncpg", "sqlalchemy"):
        yield str(folder / "read.db")
        return
    with postgres_server() as server:
        yield server.new_database()


def main() -> int:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Kills of a projection, and a check of its read model after each.")
    parser.add_argument("--driver", choices=DRIVERS, default="sqlite3")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--copies", type=int, default=1, help="processes that run it at once")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="projection-kills-") as name:
        folder = Path(name)
        with database_for(given.driver, folder) as target:
            figures = asyncio.run(run(folder, given.driver, target, given.kills, given.seed, copies=given.copies))
    for field, value in msgspec.structs.asdict(figures).items():
        shown = len(value) if isinstance(value, list) else value
        print(f"{field:<12}{shown:>12.1f} s" if isinstance(shown, float) else f"{field:<12}{shown:>12,}")
    for one in figures.violations:
        print(f"  {one}")
    return 1 if figures.violations else 0


if __name__ == "__main__":
    sys.exit(main())
