"""Rounds of kill -9 under load. Run by hand for as many as you like::

PYTHONPATH=tests .venv/bin/python -m faults.kill_rounds --rounds 100
PYTHONPATH=tests .venv/bin/python -m faults.kill_rounds --rounds 50 --store postgresql

On SQLite each round kills the server. On PostgreSQL two servers share the store, and each round kills one of them, or
one process of the database (which then restarts all of its own), or the whole database.
"""

import argparse
import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal

import msgspec

import programs
from faults.ledger import Ledger, attempt
from faults.load import Load
from faults.server_process import ServerProcess
from indelible.client import AsyncClient
from indelible.errors import OutcomeUnknown, Unavailable
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend
from postgres.server import PostgresServer, postgres_server

LOAD_MAX_S = 1.0
KILLED_AT_START = 0.15
"""Share of the rounds that also kill a server while it starts after the last kill."""
WRITERS_A_SERVER = 8
SERVING_TIMEOUT_S = 60.0

Victim = Literal["server", "backend", "database"]


class Figures(msgspec.Struct):
    rounds: int
    server_kills: int = 0
    backend_kills: int = 0
    database_kills: int = 0
    appends_acknowledged: int = 0
    events: int = 0
    outcomes_unknown: int = 0
    replayed: int = 0
    start_max_s: float = 0.0
    """The longest start of a server, recovery included."""
    serving_max_s: float = 0.0
    """The longest time from when the database accepts connections again to an acknowledged append, at each server."""
    total_s: float = 0.0

    @property
    def kills(self) -> int:
        return self.server_kills + self.backend_kills + self.database_kills


class Scene:
    """A store, the servers over it, and what was appended. ``database`` is that of the store, if it is one."""

    def __init__(
        self, store: str, servers: Sequence[ServerProcess], database: PostgresServer | None, seed: int
    ) -> None:
        self.servers = servers
        self.ledger = Ledger()
        self.chance = random.Random(seed)
        self._store = store
        self._database = database
        victims: list[Victim] = ["server"] if database is None else ["server", "backend", "database"]
        self.chance.shuffle(victims)
        # In turn: a few rounds are to have all of them.
        self._victims = itertools.cycle(victims)
        self._stopped = set(servers)
        self._loads = [
            Load(self.ledger, range(first, first + WRITERS_A_SERVER), seed)
            for first in range(0, len(servers) * WRITERS_A_SERVER, WRITERS_A_SERVER)
        ]

    async def start(self, figures: Figures) -> None:
        """Those servers that do not run."""
        while self._stopped:
            server = self._stopped.pop()
            if self.chance.random() < KILLED_AT_START:
                await server.spawn()
                await asyncio.sleep(self.chance.uniform(0.1, 0.6))
                await server.kill()
                figures.server_kills += 1
            figures.start_max_s = max(figures.start_max_s, await server.start())

    async def round(self, figures: Figures) -> None:
        """Load every server, and kill something meanwhile."""
        async with _clients(self.servers) as clients:
            await self.ledger.settle(clients[0])
            loading = [asyncio.create_task(load.run(client)) for load, client in zip(self._loads, clients, strict=True)]
            await asyncio.sleep(self.chance.uniform(0.02, LOAD_MAX_S))
            assert not any(load.done() for load in loading), "stopped before the kill"
            await self._kill(figures, clients)
            for load in self._loads:
                load.stop()
            errors = [error for load in loading for error in await load]
            assert all(isinstance(error, (OutcomeUnknown, Unavailable)) for error in errors), errors

    async def _kill(self, figures: Figures, clients: Sequence[AsyncClient]) -> None:
        match next(self._victims):
            case "server":
                server = self.chance.choice(self.servers)
                await server.kill()
                self._stopped.add(server)
                figures.server_kills += 1
                return
            case "backend":
                await asyncio.to_thread(self._kill_backend)
                figures.backend_kills += 1
            case "database":
                assert self._database is not None
                await asyncio.to_thread(self._database.kill)
                await asyncio.to_thread(self._database.start)
                figures.database_kills += 1
        accepts_at = time.monotonic()
        await asyncio.gather(*(self._until_served(client) for client in clients))
        figures.serving_max_s = max(figures.serving_max_s, time.monotonic() - accepts_at)

    def _kill_backend(self) -> None:
        """Of one connection; then wait until the database has ended all others, and accepts new ones."""
        assert self._database is not None
        others = set(self._database.backends(self._store))
        self._database.kill_backend(self.chance.choice(sorted(others)))
        give_up_at = time.monotonic() + SERVING_TIMEOUT_S
        while others & set(self._database.processes()):
            assert time.monotonic() < give_up_at, "the database did not end its processes"
            time.sleep(0.01)
        self._database.wait_until_ready()

    async def _until_served(self, client: AsyncClient) -> None:
        entry = self.ledger.open([AggregateAppend.of("probe", "1", [NewEvent("Probed", 1)])], atomic=False)
        give_up_at = time.monotonic() + SERVING_TIMEOUT_S
        while (error := await attempt(self.ledger, client, entry)) is not None:
            assert time.monotonic() < give_up_at, f"not served: {error}"
            await asyncio.sleep(0.02)

    async def check(self, figures: Figures) -> None:
        """Compare the store with the ledger."""
        async with _clients(self.servers) as clients:
            await self.ledger.settle(clients[0])
            for client in clients:
                figures.events = await self.ledger.check(client)
        figures.appends_acknowledged = len(self.ledger.acknowledged)
        figures.outcomes_unknown = self.ledger.unknown_outcomes
        figures.replayed = self.ledger.replays


@asynccontextmanager
async def _clients(servers: Sequence[ServerProcess]) -> AsyncIterator[list[AsyncClient]]:
    clients = [AsyncClient(server.url, retry_total_s=0) for server in servers]
    try:
        yield clients
    finally:
        for client in clients:
            await client.aclose()


async def kill_rounds(
    folder: Path, rounds: int, seed: int, database: PostgresServer | None = None, *, acknowledged: int = 0
) -> Figures:
    """Load and kill, again and again; then compare the store with the ledger. Raises ``AssertionError``.

    Without a ``database``, on SQLite. ``acknowledged``: so many appends at the least, which takes a slow machine more
    rounds.
    """
    store = f"sqlite:{folder / 'store.db'}" if database is None else database.new_database()
    servers = [ServerProcess(store, log=folder / f"server-{n}.log") for n in range(1 if database is None else 2)]
    return await play(Scene(store, servers, database, seed), rounds, acknowledged)


async def play(scene: Scene, rounds: int, acknowledged: int = 0) -> Figures:
    """Raises ``AssertionError`` when the store and the ledger differ."""
    began, figures = time.perf_counter(), Figures(0)
    try:
        while figures.rounds < rounds or len(scene.ledger.acknowledged) < acknowledged:
            await scene.start(figures)
            await scene.round(figures)
            figures.rounds += 1
        await scene.start(figures)
        await scene.check(figures)
    finally:
        for server in scene.servers:
            await server.kill()
    figures.total_s = time.perf_counter() - began
    return figures


@contextmanager
def database_of(store: str) -> Iterator[PostgresServer | None]:
    if store == "sqlite":
        yield None
    else:
        with postgres_server() as server:
            yield server


def main() -> None:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Rounds of kill -9 under load, checked against a ledger.")
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kill-rounds-") as folder, database_of(arguments.store) as database:
        figures = asyncio.run(kill_rounds(Path(folder), arguments.rounds, arguments.seed, database))
    print_figures(figures)


def print_figures(figures: msgspec.Struct) -> None:
    for name, value in msgspec.structs.asdict(figures).items():
        print(f"{name:<22}{value:>12.3f}" if isinstance(value, float) else f"{name:<22}{value:>12,}")


if __name__ == "__main__":
    main()
