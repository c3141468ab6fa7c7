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
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import programs
from faults.forgetful_disk import Done, ForgetfulDisk, forgetful_disk
from faults.kill_rounds import Figures, Scene, play, print_figures
from faults.server_process import ServerProcess


class PoweredServer(ServerProcess):
    """A server that gets its power from where its disk does."""

    def __init__(self, disk: ForgetfulDisk, log: Path, flags: Sequence[str] = ()) -> None:
        super().__init__(disk.path / "store.db", log=log, flags=flags)
        self._disk = disk

    async def kill(self) -> None:
        """Power off for both, and on for the disk."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._disk.power_off()
        await super().kill()
        await asyncio.to_thread(self._disk.power_on)


async def power_cuts(folder: Path, cuts: int, seed: int, ignored_syncs: float = 0.0) -> tuple[Figures, Done]:
    """Load and cut, again and again; then compare the store with the ledger. Raises ``AssertionError``.

    ``ignored_syncs`` is the share of the syncs that the disk lies about.
    """
    with forgetful_disk(folder / "disk", seed, ignored_syncs) as disk:
        server = PoweredServer(disk, folder / "server.log")
        figures = await play(Scene(server.store_url, [server], None, seed), cuts)
        return figures, disk.done


def main() -> None:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Power cuts under load, checked against a ledger.")
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--ignored-syncs", type=float, default=0.0, metavar="SHARE")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="power-cuts-") as folder:
        figures, disk = asyncio.run(power_cuts(Path(folder), arguments.cuts, arguments.seed, arguments.ignored_syncs))
    print_figures(figures)
    print_figures(disk.lost)
    for name, count in sorted(disk.syncs.items()):
        print(f"{'synced ' + name:<22}{count:>12,}")


if __name__ == "__main__":
    main()
