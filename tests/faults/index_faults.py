"""kill -9 of a server with a query index, under load. Run by hand for as many as you like::

PYTHONPATH=tests .venv/bin/python -m faults.index_faults --index sqlite --events 100000 --kills 50

Ten writers append to a server on SQLite, over HTTP and gRPC. In each round, at a random moment, the server is killed,
or what serves the index, or both: while it indexes, while it builds the index anew, about when the new one takes the
other's place, or while it starts. Watchers search all the time. At the end all that they were told is compared with the
log, and all of the index too, and with one that is made anew. Exits with 1 when a promise is broken.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

import programs
from faults.index_check import check
from faults.index_load import FIELDS, Writers
from faults.index_watch import PATIENCE_S, Watcher, caught_up, look_through
from faults.ledger import Ledger
from faults.server_process import INDELIBLE, ServerProcess
from indelible import AsyncClient, RecordedEvent
from indelible.errors import IndelibleError
from indelible.index_state import IndexInfo
from indelible.limits import PAGE_EVENTS_MAX
from indelible.testing.conformance.helpers import read_feed_to_end
from indexes.backends import KINDS, Backend
from postgres.server import free_port

MOMENTS: Final = ("while it indexes", "while it rebuilds", "about the swap", "while it starts")
NEARLY_CAUGHT_UP: Final = 2_000
"""Events that are left."""
_SEEN_A_ROUND: Final = 6
"""Looks and answers of each watcher, at the least."""
_JUST_BEFORE_S: Final = 0.1
_DOWN_MAX_S: Final = 0.5
_START_MAX_S: Final = 1.0
_POLL_S: Final = 0.01


class Kill(msgspec.Struct):
    moment: str
    victims: Sequence[str]
    was_building: bool
    """Another generation, beside the one that is searched, as far as a watcher saw."""


class Figures(msgspec.Struct):
    events: int
    kills: list[Kill]
    outcomes_unknown: int
    replays: int
    generations: int
    """That were begun, the last one to compare with included."""
    seen: int
    """Answers and looks of the watchers."""
    unanswered: int
    caught_up_s: float
    """After the last event."""
    load_s: float
    total_s: float
    violations: list[str]


class Scene:
    """``client`` is for what must be answered in the end; those who write and watch have ``doors``."""

    def __init__(
        self, server: ServerProcess, backend: Backend, client: AsyncClient, doors: Sequence[AsyncClient], seed: int
    ) -> None:
        self._server: Final = server
        self._backend: Final = backend
        self.client: Final = client
        self._chance: Final = random.Random(seed)
        self.ledger: Final = Ledger()
        self.writers: Final = Writers(doors, self.ledger, seed)
        self.watchers: Final = [Watcher(door, self.writers, seed + n) for n, door in enumerate(doors)]
        self.kills: Final[list[Kill]] = []
        self._moments: list[str] = []

    async def round(self, events: int) -> None:
        """So many are appended, and something is killed meanwhile."""
        if not self._moments:
            # All of them in turn, in an order of each turn's own.
            self._moments = self._chance.sample(MOMENTS, len(MOMENTS))
        moment = self._moments.pop()
        seen = [len(one.seen) for one in self.watchers]
        before = self._chance.randrange(events)
        self.writers.tell(before)
        if self._chance.random() < 0.5:
            await self._until_nearly_caught_up()
        if moment in {"while it rebuilds", "about the swap"}:
            await self.client.index.rebuild()
            if moment == "about the swap":
                await self._until_nearly_built()
        else:
            await self.writers.until_done()
        self.writers.tell(events - before)
        await asyncio.sleep(self._chance.uniform(0, _JUST_BEFORE_S))
        await self._kill(moment)
        await self.writers.until_done()
        while any(len(one.seen) < had + _SEEN_A_ROUND for one, had in zip(self.watchers, seen, strict=True)):  # noqa: ASYNC110 - no event
            await asyncio.sleep(_POLL_S)

    async def _kill(self, moment: str) -> None:
        server = self._backend.server
        victims = ["server"] if server is None else self._chance.choice((["server"], ["index"], ["server", "index"]))
        if moment == "while it starts":
            victims = ["server"]
        last = self.watchers[0].last
        self.kills.append(Kill(moment, victims, last is not None and None not in (last.serving, last.building)))
        if "server" in victims:
            await self._server.kill()
        if "index" in victims and server is not None:
            await asyncio.to_thread(server.kill)
        await asyncio.sleep(self._chance.uniform(0, _DOWN_MAX_S))
        if "index" in victims and server is not None:
            await asyncio.to_thread(server.start)
        if moment == "while it starts":
            await self._server.spawn()
            await asyncio.sleep(self._chance.uniform(0, _START_MAX_S))
            await self._server.kill()
        if "server" in victims:
            await self._server.start()

    async def _until_nearly_caught_up(self) -> None:
        while (info := await self._status()) is None or info.serving is None or info.serving.lag > NEARLY_CAUGHT_UP:
            pass

    async def _until_nearly_built(self) -> None:
        while (info := await self._status()) is None or (
            info.building is not None and info.building.lag > NEARLY_CAUGHT_UP
        ):
            pass

    async def _status(self) -> IndexInfo | None:
        await asyncio.sleep(_POLL_S)
        with contextlib.suppress(IndelibleError):
            return await self.client.index.status()
        return None

    @contextlib.asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Writers and watchers, which may not fail meanwhile."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one.run()) for one in (self.writers, *self.watchers)]
            yield
            for task in tasks:
                task.cancel()

    async def check(self) -> tuple[Sequence[RecordedEvent], int, list[str]]:
        """Compare log and index with what was appended and seen, and the index with one made anew: the log, how many
        generations there were, and the violations."""
        kept = await caught_up(self.client)
        await self.ledger.check(self.client)
        log = await read_feed_to_end(self.client, limit=PAGE_EVENTS_MAX)
        watched = [*(watcher.seen for watcher in self.watchers), await look_through(self.client, log)]
        await self.client.index.rebuild()
        anew = await caught_up(self.client, newer_than=kept.number)
        watched.append(await look_through(self.client, log))
        counts = [
            f"count: generation {one.number} holds {one.documents} documents of {len(log)} events"
            for one in (kept, anew)
            if one.documents != len(log)
        ]
        return log, anew.number, [*check(watched, log), *counts]


@contextlib.asynccontextmanager
async def _scene(folder: Path, kind: str, seed: int, command: Sequence[str]) -> AsyncIterator[Scene]:
    (folder / "index").mkdir()
    with KINDS[kind](folder / "index") as backend:
        settings = folder / "indelible.toml"
        fields = "".join(f'"{path}" = "{of}"\n' for path, of in FIELDS.items())
        settings.write_text(f'[index]\nstore = "{backend.url}"\n[index.fields]\n{fields}')
        grpc = f"127.0.0.1:{free_port()}"
        server = ServerProcess(folder / "store.db", flags=["--config", str(settings), "--grpc", grpc], command=command)
        async with AsyncClient(server.url, retry_total_s=60) as client, contextlib.AsyncExitStack() as stack:
            doors = [
                await stack.enter_async_context(AsyncClient(url, retry_total_s=0))
                for url in (server.url, f"grpc://{grpc}")
            ]
            try:
                await server.start()
                yield Scene(server, backend, client, doors, seed)
            finally:
                await server.kill()


async def run(
    folder: Path, kind: str, events: int, kills: int, seed: int, *, command: Sequence[str] = (INDELIBLE,)
) -> Figures:
    """So many events, with so many kills. ``command`` is that of the server."""
    began = time.monotonic()
    async with _scene(folder, kind, seed, command) as scene:
        async with asyncio.timeout(kills * PATIENCE_S), scene.going_on():
            for n in range(kills):
                await scene.round(events * (n + 1) // kills - events * n // kills)
                print(f"kill {n + 1} of {kills}: {scene.writers.told:>9,} appended, {scene.kills[-1]}", flush=True)
        load_s = time.monotonic() - began
        await caught_up(scene.client)
        caught_up_s = time.monotonic() - began - load_s
        log, generations, violations = await scene.check()
    return Figures(
        len(log), scene.kills, scene.ledger.unknown_outcomes, scene.ledger.replays, generations,
        sum(len(one.seen) for one in scene.watchers), sum(one.unanswered for one in scene.watchers), caught_up_s,
        load_s, time.monotonic() - began, violations,
    )  # fmt: skip


# --- The command -----------------------------------------------------------------------------------------------------


def print_figures(figures: Figures) -> None:
    for moment in MOMENTS:
        some = [one for one in figures.kills if one.moment == moment]
        building = sum(one.was_building for one in some)
        print(f"{moment:<22}{len(some):>12,} kills, {building} of them beside a rebuild")
    for name, value in msgspec.structs.asdict(figures).items():
        if isinstance(value, (int, float)):
            print(f"{name:<22}{value:>12.1f} s" if isinstance(value, float) else f"{name:<22}{value:>12,}")
    print(f"{'violations':<22}{len(figures.violations):>12,}")
    for one in figures.violations:
        print(f"  {one}")


def main() -> int:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Kills of a server with a query index, checked by watchers.")
    parser.add_argument("--index", choices=KINDS, default="sqlite")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="index-faults-") as folder:
        figures = asyncio.run(run(Path(folder), given.index, given.events, given.kills, given.seed))
    print_figures(figures)
    return 1 if figures.violations else 0


if __name__ == "__main__":
    sys.exit(main())
