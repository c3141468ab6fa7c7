"""Power cuts under load. Run by hand for as many as you like::

PYTHONPATH=tests .venv/bin/python -m faults.power_cuts --cuts 200
PYTHONPATH=tests .venv/bin/python -m faults.power_cuts --cuts 20 --ignored-syncs 0.2

The store lies on a disk that forgets what was not synced (``faults.unsynced`` says how). Each round kills the server,
as ``faults.kill_rounds`` does, and the disk with it; some rounds do so while the server still starts after the last
cut. A disk that says of some syncs that they are done, and has done nothing, shows that what gets lost is found.
"""

import argparse
import asyncio
import contextlib
import random
import tempfile
import time
from pathlib import Path
from typing import Final

import programs
from faults.forgetful_disk import Done, ForgetfulDisk, forgetful_disk
from faults.kill_rounds import Figures, Scene, play, print_figures
from faults.server_process import ServerProcess
from faults.unsynced import Lost
from indelible.client import AsyncClient
from indelible.core.verify import verify
from indelible.events import NewEvent

BIRTH_S: Final = 0.08
"""About how long a store takes to make here, with syncs as slow as this disk's."""


class PoweredServer(ServerProcess):
    """A server that gets its power from where its disk does."""

    def __init__(self, disk: ForgetfulDisk, log: Path, name: str = "store.db") -> None:
        super().__init__(disk.path / name, log=log)
        self._disk = disk

    async def kill(self) -> None:
        """Power off for both, and on for the disk."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._disk.power_off()
        await super().kill()
        await asyncio.to_thread(self._disk.power_on)


async def power_cuts(
    folder: Path, cuts: int, seed: int, ignored_syncs: float = 0.0, *, acknowledged: int = 0
) -> tuple[Figures, Done]:
    """Load and cut, again and again; then compare the store with the ledger. Raises ``AssertionError``.

    ``ignored_syncs`` is the share of the syncs that the disk lies about. ``acknowledged``: so many appends at the
    least, which takes a slow machine more cuts.
    """
    with forgetful_disk(folder / "disk", seed, ignored_syncs) as disk:
        server = PoweredServer(disk, folder / "server.log")
        figures = await play(Scene(server.store_url, [server], None, seed), cuts, acknowledged)
        return figures, disk.done


async def cuts_at_birth(folder: Path, stores: int, seed: int) -> Lost:
    """Cut the power while a store is made; then it must be usable, and keep what it acknowledges over one more cut.
    Raises ``AssertionError``."""
    chance = random.Random(seed)
    with forgetful_disk(folder / "new-disk", seed) as disk:
        for number in range(stores):
            server = PoweredServer(disk, folder / "new-server.log", f"store-{number}.db")
            try:
                await _cut_at_birth(server, chance)
            finally:
                await server.kill()
        return disk.done.lost


async def _cut_at_birth(server: PoweredServer, chance: random.Random) -> None:
    await server.spawn()
    await asyncio.to_thread(_until_there, server)
    await asyncio.sleep(chance.uniform(0, BIRTH_S))
    await server.kill()
    for held in range(2):
        await server.start()
        async with AsyncClient(server.url) as client:
            assert (await client.head()).position == held
            assert (await client.append("order", "1", [NewEvent("OrderPlaced", 1)])).version == held + 1
            assert (await verify(client)).damage is None
        await server.kill()


def _until_there(server: ServerProcess) -> None:
    while server.is_running and not server.database.exists():
        time.sleep(0.001)


def main() -> None:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Power cuts under load, checked against a ledger.")
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--births", type=int, default=20, metavar="N", help="cuts while a new store is made, before")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--ignored-syncs", type=float, default=0.0, metavar="SHARE")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="power-cuts-") as folder:
        print_figures(asyncio.run(cuts_at_birth(Path(folder), arguments.births, arguments.seed)))
        figures, disk = asyncio.run(power_cuts(Path(folder), arguments.cuts, arguments.seed, arguments.ignored_syncs))
    print_figures(figures)
    print_figures(disk.lost)
    for name, count in sorted(disk.syncs.items()):
        print(f"{'synced ' + name:<22}{count:>12,}")


if __name__ == "__main__":
    main()
