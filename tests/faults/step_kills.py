"""Rounds of kill -9 at every step of indexing and checkpointing. A few are in the tests; run by hand for more::

PYTHONPATH=tests .venv/bin/python -m faults.step_kills --rounds 1000

Each round a server under load kills itself at one of the steps that :mod:`faults.killing` names, at some time that it
comes to it. Then the store is opened here: nothing that was acknowledged is lost or doubled, and the index is what one
is that is made anew.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import programs
from faults.indexes import check_index
from faults.killing import STEPS, VARIABLE
from faults.ledger import Ledger
from faults.load import Load
from faults.server_process import ServerProcess
from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.engines.sqlite.index_file import index_path
from indelible.errors import OutcomeUnknown, Unavailable

LOAD_S = 1.5
LOAD_APPENDS = 40
"""Of a round, at the least: so that a slow machine comes to most steps, too."""
ROUNDS_A_STORE = 20
"""Then a new one: to look through all of it takes longer than a round."""


class _Rounds:
    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._path = folder / "store.db"
        self._chance = chance
        self._ledger = Ledger()
        self._load = Load(self._ledger, range(4), chance.randrange(1_000))
        self.acknowledged = 0

    async def round(self, step: str) -> bool:
        """Whether the server got to the step."""
        if "index-new" in step or step.endswith(".unlink"):
            index_path(self._path).unlink(missing_ok=True)
        often = step.endswith((".write", "wal.sync"))
        number = self._chance.choice((1, 2, 3, 5, 9, 17)) if often else 1
        module = (sys.executable, "-m", "faults.killing")
        server = ServerProcess(self._path, command=module, variables={VARIABLE: f"{step}:{number}"})
        await server.spawn()
        if await self._is_ready(server):
            async with AsyncClient(server.url, retry_total_s=0) as client:
                before = len(self._ledger.acknowledged)
                loading = asyncio.create_task(self._load.run(client))
                enough = asyncio.create_task(self._load.until_acknowledged(before + LOAD_APPENDS))
                await asyncio.wait({loading}, timeout=LOAD_S)
                await asyncio.wait({loading, enough}, return_when=asyncio.FIRST_COMPLETED)
                enough.cancel()
                self._load.stop()
                errors = await loading
                assert all(isinstance(error, (OutcomeUnknown, Unavailable)) for error in errors), errors
            if server.is_running:
                server.terminate()
        code = await server.exit_code()
        # asyncio says 255 of one that ended just as it was to be terminated.
        assert code in (0, -signal.SIGKILL, 255), f"{step}: {code}\n{server.tail()}"
        await self._check()
        return code != 0

    async def _is_ready(self, server: ServerProcess) -> bool:
        try:
            await server.wait_until()
        except AssertionError:
            assert not server.is_running
            return False
        return True

    async def _check(self) -> None:
        async with open_local_store(f"sqlite:{self._path}") as store:
            await self._ledger.settle(store)
            await self._ledger.check(store)
        self.acknowledged = len(self._ledger.acknowledged)
        check_index(self._path)


async def step_kills(folder: Path, rounds: int, seed: int) -> Counter[str]:
    """How often a server was killed, by the step. Raises ``AssertionError``."""
    chance, kills, acknowledged, scene = random.Random(seed), Counter[str](), 0, None
    for number in range(rounds):
        if scene is None or number % ROUNDS_A_STORE == 0:
            acknowledged += 0 if scene is None else scene.acknowledged
            (folder / str(number)).mkdir()
            scene = _Rounds(folder / str(number), chance)
        step = STEPS[number % len(STEPS)]
        kills[step] += await scene.round(step)
    kills["acknowledged"] = acknowledged + (0 if scene is None else scene.acknowledged)
    return kills


def main() -> None:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Rounds of kill -9 at steps of indexing and checkpointing.")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="step-kills-") as folder:
        kills = asyncio.run(step_kills(Path(folder), arguments.rounds, arguments.seed))
    for name, value in kills.items():
        print(f"{name:<22}{value:>12,}")


if __name__ == "__main__":
    main()
