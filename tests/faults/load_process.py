"""One process of a load: writers and readers, or a follower, that record what they ask and hear.

Its one argument is a job in JSON. A follower is told by SIGTERM that all others are done.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from faults.contention import Board, Reader, Scene, Writer, follow
from faults.history.model import Operation
from faults.history.recording import HistoryFile, Recorder
from indelible.client import AsyncClient
from indelible.cursors import Cursor

WRITERS_A_CLIENT = 8
"""Appends of one AsyncClient travel together, in few requests at a time; so a server gets several clients."""
FOLLOWER_POLL_S = 0.005


class LoadJob(msgspec.Struct, frozen=True, tag="load"):
    urls: tuple[str, ...]
    history: str
    """Path of the file to record to."""
    scene: Scene
    seconds: float
    """How long writers and readers go on, from when this process is ready."""
    name: str
    writers: tuple[int, ...]
    """For each writer, the number of its server."""
    readers: int
    seed: int


class FollowJob(msgspec.Struct, frozen=True, tag="follow"):
    urls: tuple[str, ...]
    history: str
    name: str
    start: str
    """The cursor to begin behind."""
    partitions: int = 1


Job = LoadJob | FollowJob


async def spawn(job: Job) -> asyncio.subprocess.Process:
    """Start a job in a process of its own."""
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": tests}
    text = msgspec.json.encode(job).decode()
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "faults.load_process", text, env=environment)


async def _load(job: LoadJob, write: Callable[[Operation], None]) -> None:
    board = Board()
    async with AsyncExitStack() as stack:
        groups = [
            [await stack.enter_async_context(_client(url)) for url in job.urls]
            for _ in range(0, len(job.writers), WRITERS_A_CLIENT)
        ]

        scene = replace(job.scene, until_ns=time.monotonic_ns() + int(job.seconds * 1e9))

        def at_doors(kind: str, number: int) -> tuple[Scene, Board, list[Recorder], random.Random]:
            name, clients = f"{job.name}.{kind}{number}", groups[number % len(groups)]
            doors = [
                Recorder(client, f"{name} at {server}", write, partitions=scene.partitions)
                for server, client in enumerate(clients)
            ]
            return scene, board, doors, random.Random(f"{job.seed}/{name}")

        running = [
            Writer(*at_doors("w", number), name=f"{job.name}.{number}", home=home).run()
            for number, home in enumerate(job.writers)
        ]
        running += [Reader(*at_doors("r", number)).run() for number in range(job.readers)]
        await asyncio.gather(*running)


async def _follow(job: FollowJob, write: Callable[[Operation], None]) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(url)) for url in job.urls]
        doors = [Recorder(client, job.name, write, partitions=job.partitions) for client in clients]
        await follow(doors, Cursor.parse(job.start), FOLLOWER_POLL_S, over.is_set)


def _client(url: str) -> AsyncClient:
    # Each attempt is recorded, so the client must not make any of its own.
    return AsyncClient(url, retry_total_s=0)


def main() -> None:
    job: Job = msgspec.json.decode(sys.argv[1], type=Job)
    with HistoryFile(Path(job.history)) as history:
        run = partial(_load, job) if isinstance(job, LoadJob) else partial(_follow, job)
        asyncio.run(run(history.write))


if __name__ == "__main__":
    main()
