"""Backups of a store under load, killed again and again while they are taken: whatever is restored is an exact
beginning of the log, and no shorter than the last backup that was whole.

What each round leaves in a folder is kept, by links, and restored once the load is over. A bucket is restored at once.

``PYTHONPATH=tests python -m faults.backups --seconds 300 --store postgresql``
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

import programs
from faults.kill_rounds import database_of, print_figures
from faults.server_process import INDELIBLE, ServerProcess
from faults.small_disk import small_disk
from indelible.client import AsyncClient
from indelible.core.backup.places import is_url, open_place
from indelible.core.backup.reading import BackedUpLog, read_manifest
from indelible.core.copy import copy_whole, verify_copy
from indelible.core.open import open_local_store
from indelible.cursors import cursor_at
from indelible.errors import OutcomeUnknown, Unavailable
from indelible.events import NewEvent, decode_event
from postgres.server import PostgresServer

WRITERS = 4
KILLED_SHARE = 0.5
DISK_MIB = 24


class Figures(msgspec.Struct):
    backups: int = 0
    """Taken whole."""
    kills: int = 0
    """Of the process that takes one, while it did."""
    restores: int = 0
    events: int = 0
    appended_per_s: float = 0.0
    backup_max_s: float = 0.0
    restore_max_s: float = 0.0
    segments: int = 0
    full_disks: int = 0
    """Backups that found the disk full."""


class _Left(NamedTuple):
    """What a round left behind."""

    where: str
    at_least: int
    at_most: int | None
    """Known where the backup was whole."""


class Backups:
    """``destination``: a folder or a bucket's URL, where there is no backup yet."""

    def __init__(self, server: ServerProcess, folder: Path, destination: str, seed: int, rate: float) -> None:
        self.figures = Figures()
        self._server = server
        self._folder = folder
        self._destination = destination
        self._chance = random.Random(seed)
        self._rate = rate
        self._whole = 0
        """Position of the last backup that was whole."""
        self._left: list[_Left] = []

    async def run(self, seconds: float, interval_s: float) -> Figures:
        """Raises ``AssertionError``."""
        async with AsyncClient(self._server.url) as client:
            writing = [asyncio.create_task(self._write(client, number)) for number in range(WRITERS)]
            began = time.monotonic()
            try:
                while (round_began := time.monotonic()) < began + seconds:
                    await self._round(client)
                    assert not any(task.done() for task in writing), "a writer has failed"
                    await asyncio.sleep(max(0.0, round_began + interval_s - time.monotonic()))
                self.figures.events = (await client.head()).position
                self.figures.appended_per_s = self.figures.events / (time.monotonic() - began)
            finally:
                for task in writing:
                    task.cancel()
                ended = await asyncio.gather(*writing, return_exceptions=True)
            assert all(isinstance(error, asyncio.CancelledError) for error in ended), ended
            for left in self._left:
                await self._restore(client, left)
        return self.figures

    async def _write(self, client: AsyncClient, number: int) -> None:
        chance, next_at = random.Random(number), time.monotonic()
        while True:
            count = chance.randint(1, 12)
            events = [NewEvent("Counted", {"n": n, "text": "ż" * chance.randint(0, 200)}) for n in range(count)]
            with contextlib.suppress(Unavailable, OutcomeUnknown):
                await client.append("order", f"{number}/{chance.randrange(500)}", events)
            next_at = max(next_at + count * WRITERS / self._rate, time.monotonic() - 1)
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))

    async def _round(self, client: AsyncClient) -> None:
        """A backup, which may be killed; the next one goes on from what it left."""
        head = (await client.head()).position
        if self._chance.random() < KILLED_SHARE and self.figures.backups:
            report = await self._backup(kill_after_s=self._chance.uniform(0.3, self.figures.backup_max_s * 1.2))
        else:
            report = await self._backup()
        if report is not None:
            assert report["position"] >= head
            self._whole = report["position"]
            self.figures.backups += 1
            self.figures.segments = report["segments"]
        await self._keep(client, at_most=None if report is None else self._whole)

    async def _keep(self, client: AsyncClient, at_most: int | None) -> None:
        if is_url(self._destination):
            await self._restore(client, _Left(self._destination, self._whole, at_most))
            return
        kept = self._folder / f"left-{len(self._left)}"
        # Its files are replaced, and never written to.
        await asyncio.to_thread(shutil.copytree, self._destination, kept, copy_function=os.link)
        self._left.append(_Left(str(kept), self._whole, at_most))

    async def _backup(self, kill_after_s: float | None = None) -> "dict[str, int] | None":
        process = await asyncio.create_subprocess_exec(
            INDELIBLE, "backup", self._destination, "--url", self._server.url, "--json",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        began = time.monotonic()
        telling = asyncio.create_task(process.communicate())
        try:
            await asyncio.wait({telling}, timeout=kill_after_s)
        finally:
            if process.returncode is None:
                process.kill()
        out, err = await telling
        if process.returncode == -signal.SIGKILL:
            self.figures.kills += 1
            return None
        # asyncio says 255 of one that ended just as it was to be killed.
        assert process.returncode in (0, 255), err.decode()
        self.figures.backup_max_s = max(self.figures.backup_max_s, time.monotonic() - began)
        report: dict[str, int] = json.loads(out)
        return report

    async def _restore(self, client: AsyncClient, left: "_Left") -> None:
        """Into a new store, and compare it with the log."""
        began = time.monotonic()
        database = self._folder / f"restored-{self.figures.restores}.db"
        async with (
            open_place(left.where, writing=False) as place,
            open_local_store(f"sqlite:{database}") as new,
        ):
            restored = await copy_whole(BackedUpLog(place, await read_manifest(place)), new)
            await verify_copy(new, restored)
        position, digest = restored.head, restored.hash
        self.figures.restore_max_s = max(self.figures.restore_max_s, time.monotonic() - began)
        assert left.at_least <= position
        assert left.at_most is None or position <= left.at_most
        # The hash covers all before it.
        line = (await client.read_feed(after=cursor_at(position - 1), limit=1)).lines
        event = decode_event(line)
        assert (event.position, event.hash) == (position, digest)
        async with open_local_store(f"sqlite:{database}", read_only=True) as store:
            last = (await store.read_feed(direction="backward", limit=1)).lines
            assert last == line
        for file in self._folder.glob(f"{database.name}*"):
            file.unlink()
        self.figures.restores += 1

    async def fill_disk(self) -> None:
        """Back up onto a disk that gets full; then there is room again."""
        if os.geteuid() != 0:
            return
        with small_disk(self._folder / "disk", DISK_MIB) as disk:
            destination, url = str(disk.path / "backup"), self._server.url
            good = await _indelible("backup", destination, "--url", url, "--json")
            async with AsyncClient(url) as client:
                for number in range(10):
                    await client.append("noise", str(number), [NewEvent("Noise", self._chance.randbytes(200_000))])
            for left_kib in (16, 0):
                disk.fill(leave_kib=left_kib)
                assert await _exit_code("backup", destination, "--url", url) == 74
                verified = await _indelible("verify", "--backup", destination, "--json")
                assert (verified["verified"], verified["hash"]) == (good["position"], good["hash"])
                self.figures.full_disks += 1
                disk.free()
            after = await _indelible("backup", destination, "--url", url, "--json")
            assert after["position"] >= good["position"] + 10
            assert (await _indelible("verify", "--backup", destination, "--json"))["verified"] == after["position"]


async def _indelible(*arguments: str) -> "dict[str, int]":
    process = await asyncio.create_subprocess_exec(
        INDELIBLE, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    report: dict[str, int] = json.loads(out)
    return report


async def _exit_code(*arguments: str) -> int:
    process = await asyncio.create_subprocess_exec(
        INDELIBLE, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


async def backups(
    folder: Path,
    seconds: float,
    interval_s: float,
    seed: int,
    *,
    database: PostgresServer | None = None,
    destination: str | None = None,
    rate: float = 300.0,
) -> Figures:
    """Without a ``database``, of SQLite. ``rate``: events appended in a second. Raises ``AssertionError``."""
    store = f"sqlite:{folder / 'store.db'}" if database is None else database.new_database()
    server = ServerProcess(store, log=folder / "server.log")
    await server.start()
    try:
        run = Backups(server, folder, destination or str(folder / "backup"), seed, rate)
        await run.run(seconds, interval_s)
        await run.fill_disk()
        return run.figures
    finally:
        await server.kill()


def main() -> None:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Backups under load, killed at random, each of them restored.")
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--interval", type=float, default=10)
    parser.add_argument("--rate", type=float, default=300)
    parser.add_argument("--destination", help="a bucket's URL, where there is no backup yet; else a folder is made")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="backups-") as folder, database_of(given.store) as database:
        figures = asyncio.run(
            backups(
                Path(folder), given.seconds, given.interval, given.seed, database=database,
                destination=given.destination, rate=given.rate,
            )
        )  # fmt: skip
    print_figures(figures)


if __name__ == "__main__":
    main()
