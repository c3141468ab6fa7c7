"""Rounds of kill -9 under load. Run by hand for as many as you like::

PYTHONPATH=tests .venv/bin/python -m faults.kill_rounds --rounds 100
"""

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

import msgspec

from faults.ledger import Ledger
from faults.load import Load
from faults.server_process import ServerProcess
from indelible.client import AsyncClient

LOAD_MAX_S = 1.0
KILLED_AT_START = 0.15
"""Share of the rounds that also kill the server while it starts after the last kill."""


class Figures(msgspec.Struct):
    rounds: int
    kills: int = 0
    appends_acknowledged: int = 0
    events: int = 0
    outcomes_unknown: int = 0
    replayed: int = 0
    start_max_s: float = 0.0
    """The longest start, recovery included."""
    total_s: float = 0.0


async def kill_rounds(folder: Path, rounds: int, seed: int) -> Figures:
    """Load and kill, again and again; then compare the store with the ledger. Raises ``AssertionError``."""
    began, figures = time.perf_counter(), Figures(rounds)
    server, ledger, chance = ServerProcess(folder / "store.db"), Ledger(), random.Random(seed)
    load = Load(ledger, seed=seed)
    for _ in range(rounds):
        try:
            await _start(server, chance, figures)
            async with AsyncClient(server.url, retry_total_s=0) as client:
                await ledger.settle(client)
                loading = asyncio.create_task(load.run(client))
                await asyncio.sleep(chance.uniform(0.02, LOAD_MAX_S))
                assert not loading.done(), f"stopped before the kill: {loading.result()}"
                await server.kill()
                figures.kills += 1
                await loading
        finally:
            await server.kill()
    await _check(server, ledger, figures)
    figures.total_s = time.perf_counter() - began
    return figures


async def _start(server: ServerProcess, chance: random.Random, figures: Figures) -> None:
    if chance.random() < KILLED_AT_START:
        await server.spawn()
        await asyncio.sleep(chance.uniform(0.1, 0.6))
        await server.kill()
        figures.kills += 1
    figures.start_max_s = max(figures.start_max_s, await server.start())


async def _check(server: ServerProcess, ledger: Ledger, figures: Figures) -> None:
    try:
        figures.start_max_s = max(figures.start_max_s, await server.start())
        async with AsyncClient(server.url, retry_total_s=0) as client:
            await ledger.settle(client)
            figures.events = await ledger.check(client)
    finally:
        await server.kill()
    figures.appends_acknowledged = len(ledger.acknowledged)
    figures.outcomes_unknown = ledger.unknown_outcomes
    figures.replayed = ledger.replays


def main() -> None:
    parser = argparse.ArgumentParser(description="Rounds of kill -9 under load, checked against a ledger.")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kill-rounds-") as folder:
        figures = asyncio.run(kill_rounds(Path(folder), arguments.rounds, arguments.seed))
    for name, value in msgspec.structs.asdict(figures).items():
        print(f"{name:<22}{value:>12.3f}" if isinstance(value, float) else f"{name:<22}{value:>12,}")


if __name__ == "__main__":
    main()
