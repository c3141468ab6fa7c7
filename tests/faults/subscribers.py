"""Subscribers that are cut off at random while ten writers append. Run by hand for as many cuts as you like::

PYTHONPATH=tests .venv/bin/python -m faults.subscribers --cuts 200 --store postgresql --grpc

One subscriber takes everything, one what matches 1 event in 10,000. A cut closes every connection of the subscribers,
kills the server with -9, or (PostgreSQL) restarts the database. Then all is compared with the log: every matching event
came, in the order of positions, and what came twice came after a cut.
"""

import argparse
import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import UUID

import msgspec

import programs
from faults.server_process import ServerProcess
from indelible import (
    AsyncClient,
    Cursor,
    EventQuery,
    IndelibleError,
    NewEvent,
    OutcomeUnknown,
    RecordedEvent,
    Unavailable,
)
from indelible.cursors import START, cursor_at
from indelible.queries import EVERYTHING
from postgres.server import PostgresServer, free_port, postgres_server

WRITERS = 10
EVENTS_A_APPEND = 20
PAUSE_S = 0.02
RARE = "rare"
RARE_EVERY = 10_000
CAUGHT_UP_TIMEOUT_S = 120.0
RETRY_TOTAL_S = 120.0


class Figures(msgspec.Struct):
    cuts: int
    connections_closed: int = 0
    kills: int = 0
    restarts: int = 0
    """Of the database."""
    events: int = 0
    received: int = 0
    resumed: int = 0
    """How often a subscriber was left and made anew from its cursor, as after a crash of its own."""
    rare: int = 0
    rare_received: int = 0
    total_s: float = 0.0


class Proxy:
    """Stands between subscribers and the server, and cuts their connections. ``watch`` is shown what subscribers
    send."""

    def __init__(self, target: str, watch: Callable[[bytes], None] | None = None) -> None:
        self._watch = watch
        self._scheme, _, address = target.partition("://")
        self._target = address.split(":")
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"{self._scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    @property
    def is_used(self) -> bool:
        """Whether there is a connection."""
        return bool(self._writers)

    def cut(self) -> int:
        """Close every connection, whatever is on its way; how many those were."""
        count = len(self._writers)
        for writer in self._writers:
            writer.transport.abort()
        return count

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(writer)
        ways = [
            asyncio.create_task(_copy(reader, to_writer, self._watch)),
            asyncio.create_task(_copy(to_reader, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        self._writers.discard(writer)
        for way in ways:
            way.cancel()
        for each in (writer, to_writer):
            each.transport.abort()


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watch: Callable[[bytes], None] | None = None
) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            if watch is not None:
                watch(data)
            writer.write(data)
            await writer.drain()


class Subscriber:
    """Takes events, and keeps a cursor as an application does: behind what it has dealt with."""

    def __init__(self, url: str, query: EventQuery, chance: random.Random) -> None:
        self._url, self._query, self._chance = url, query, chance
        self.received: list[tuple[int, UUID]] = []
        self.cursor: Cursor = START
        self.resumed = 0

    async def run(self) -> None:
        while True:
            async with AsyncClient(self._url, retry_total_s=RETRY_TOTAL_S) as client:
                with contextlib.suppress(TimeoutError):
                    async with client.subscribe(self._query, after=self.cursor) as subscription:
                        async with asyncio.timeout(self._chance.uniform(1, 10)):
                            await self._take(subscription)
            self.resumed += 1

    async def _take(self, subscription: AsyncIterator[RecordedEvent]) -> None:
        async for event in subscription:
            self.received.append((event.position, event.event_id))
            self.cursor = cursor_at(event.position)


class Run:
    """``url`` is where subscribers find the server."""

    def __init__(self, server: ServerProcess, url: str, database: PostgresServer | None, cuts: int, seed: int) -> None:
        self._server, self._url, self._database = server, url, database
        self._chance = random.Random(seed)
        self._stopping = asyncio.Event()
        self._count = 0
        self.figures = Figures(cuts)

    async def run(self) -> Figures:
        began = time.perf_counter()
        await self._server.start()
        async with Proxy(self._url) as proxy:
            queries = (EVERYTHING, EventQuery.of(tags=[RARE]))
            subscribers = [Subscriber(proxy.url, query, random.Random(self._chance.random())) for query in queries]
            following = [asyncio.create_task(subscriber.run()) for subscriber in subscribers]
            writing = [asyncio.create_task(self._write(number)) for number in range(WRITERS)]
            for _ in range(self.figures.cuts):
                # However slow the machine is, there is something to cut.
                await _until(lambda: proxy.is_used)
                await asyncio.sleep(self._chance.uniform(0.05, 0.5))
                await self._cut(proxy)
            self._stopping.set()
            await asyncio.gather(*writing)
            await self._check(subscribers)
            for task in following:
                task.cancel()
            failures = await asyncio.gather(*following, return_exceptions=True)
            assert all(isinstance(failure, asyncio.CancelledError) for failure in failures), failures
        self.figures.total_s = time.perf_counter() - began
        return self.figures

    async def _cut(self, proxy: Proxy) -> None:
        kind = self._chance.random()
        if kind < 0.7:
            self.figures.connections_closed += proxy.cut()
        elif kind < 0.85 or self._database is None:
            await self._server.kill()
            await self._server.start()
            self.figures.kills += 1
        else:
            await asyncio.to_thread(self._database.restart)
            self.figures.restarts += 1

    async def _write(self, number: int) -> None:
        async with AsyncClient(self._server.url, retry_total_s=RETRY_TOTAL_S) as client:
            while not self._stopping.is_set():
                events = [self._event() for _ in range(EVENTS_A_APPEND)]
                await self._append(client, number, events)
                await asyncio.sleep(PAUSE_S)

    async def _append(self, client: AsyncClient, number: int, events: list[NewEvent]) -> None:
        """Again until it is stored: a server that is killed time and again may outlast the client's patience."""
        while True:
            with contextlib.suppress(Unavailable, OutcomeUnknown):
                await client.append("order", str(number), events)
                return

    def _event(self) -> NewEvent:
        self._count += 1
        return NewEvent("Counted", {"n": self._count}, tags=[RARE] if self._count % RARE_EVERY == 1 else [])

    async def _check(self, subscribers: list[Subscriber]) -> None:
        async with AsyncClient(self._server.url, retry_total_s=RETRY_TOTAL_S) as client:
            log = [event async for event in client.iter_feed()]
        everything = [(event.position, event.event_id) for event in log]
        rare = [(event.position, event.event_id) for event in log if event.tags]
        for subscriber, expected in zip(subscribers, (everything, rare), strict=True):
            await _until(lambda: subscriber.received[-1:] == expected[-1:])  # noqa: B023 - awaited before the next
            # At least once, and in order. This client even takes each but once, as it keeps its cursor behind each.
            assert subscriber.received == expected
        self.figures.events, self.figures.rare = len(everything), len(rare)
        self.figures.received, self.figures.rare_received = (len(subscriber.received) for subscriber in subscribers)
        self.figures.resumed = sum(subscriber.resumed for subscriber in subscribers)


async def _until(is_done: Callable[[], bool]) -> None:
    async with asyncio.timeout(CAUGHT_UP_TIMEOUT_S):
        while not is_done():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.05)


async def cut_subscribers(
    store: str, log: Path, cuts: int, seed: int, database: PostgresServer | None, *, over_grpc: bool = False
) -> Figures:
    """Raises ``AssertionError`` when an event was missed, or came out of order."""
    address = f"127.0.0.1:{free_port()}"
    server = ServerProcess(store, log=log, flags=["--grpc", address] if over_grpc else [])
    url = f"grpc://{address}" if over_grpc else server.url
    try:
        return await Run(server, url, database, cuts, seed).run()
    except (AssertionError, IndelibleError):
        print(server.tail())
        raise
    finally:
        await server.kill()


@contextlib.contextmanager
def _store(kind: str, folder: Path) -> Iterator[tuple[str, PostgresServer | None]]:
    if kind == "sqlite":
        yield f"sqlite:{folder}/store.db", None
        return
    with postgres_server() as database:
        yield database.new_database(), database


def main() -> None:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="Subscribers that are cut off while others append.")
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--grpc", action="store_true", help="subscribe over gRPC instead of HTTP")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="subscribers-") as folder, _store(given.store, Path(folder)) as made:
        store, database = made
        run = cut_subscribers(store, Path(folder, "server.log"), given.cuts, given.seed, database, over_grpc=given.grpc)
        figures = asyncio.run(run)
    for name, value in msgspec.structs.asdict(figures).items():
        print(f"{name:<22}{value:>12,.1f}" if isinstance(value, float) else f"{name:<22}{value:>12,}")


if __name__ == "__main__":
    main()
