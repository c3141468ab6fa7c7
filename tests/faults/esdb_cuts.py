"""Catch-up subscriptions of KurrentDB's own client that are cut off at random while ten writers append through it. Run
by hand for as many cuts as you like::

PYTHONPATH=tests .venv/bin/python -m faults.esdb_cuts --cuts 200

One subscription takes $all, one the rare events of $all by a filter, one a single stream. A cut closes every connection
of theirs, or kills the server with -9. Each goes on behind the last place that it wrote down, which it does now and
then, as applications do; that of the filter writes checkpoints down as well. Then all is compared with the log: each
time that one subscribed, what came was what stands behind that place, in order and without a gap, and what came twice
had not been written down. Exits with 1 unless all is well.

With ``--idle-s 60`` instead, a subscription to which nothing comes for so long while its connection is pinged every
10 s, as clients of this wire do.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import grpc
import msgspec
from kurrentdbclient import AsyncKurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import KurrentDBClientError

import programs
from faults.kill_rounds import print_figures
from faults.server_process import ServerProcess
from faults.subscribers import Proxy
from indelible import AsyncClient
from indelible import NewEvent as OwnEvent
from indelible.wire.esdb.pb import streams_pb2 as pb
from postgres.server import free_port

WRITERS = 10
EVENTS_A_APPEND = 5
PAUSE_S = 0.02
KILLS = 0.25
"""Share of the cuts."""
RARE, RARE_EVERY = "Rare", 50
FOLLOWED = f"counted-{WRITERS // 2}"
WRITTEN_DOWN = 0.1
"""Share of the places that a subscriber writes down."""
APPEND_TIMEOUT_S = 5.0
CAUGHT_UP_TIMEOUT_S = 120.0

_PING = bytes((0, 0, 8, 6, 0, 0, 0, 0, 0))
"""The head of its frame; that of an answer has a flag."""

Place = int
Received = tuple[Place, UUID]


class Figures(msgspec.Struct):
    cuts: int
    connections_closed: int = 0
    kills: int = 0
    events: int = 0
    rare: int = 0
    of_one_stream: int = 0
    subscribed: int = 0
    """How often, all three together."""
    repeated: int = 0
    """Events that came again, since they had not been written down."""
    checkpoints: int = 0
    caught_up: int = 0
    total_s: float = 0.0


class Time(NamedTuple):
    """One time that one subscribed, and what came."""

    after: Place | None
    received: list[Received]


class Subscriber:
    """``subscribe`` after a place, or from the start; ``place_of`` an event."""

    def __init__(
        self,
        url: str,
        subscribe: Callable[[AsyncKurrentDBClient, Place | None], Awaitable[Any]],
        place_of: Callable[[Any], Place],
        chance: random.Random,
    ) -> None:
        self._url, self._subscribe, self._place_of, self._chance = url, subscribe, place_of, chance
        self._place: Place | None = None
        self.times: list[Time] = []
        self.checkpoints = self.caught_up = 0
        self.last: Received | None = None
        self.is_receiving = False
        """Since it subscribed last."""

    async def run(self) -> None:
        client = AsyncKurrentDBClient(self._url)
        await client.connect()
        try:
            while True:
                with contextlib.suppress(KurrentDBClientError):
                    await self._take(await self._subscribe(client, self._place))
                self.is_receiving = False
        finally:
            await client.close()

    async def _take(self, subscription: Any) -> None:
        received: list[Received] = []
        self.times.append(Time(self._place, received))
        async for event in subscription:
            self.is_receiving = True
            if event.is_caught_up:
                self.caught_up += 1
            elif event.is_checkpoint:
                self.checkpoints += 1
                self._place = event.commit_position
            else:
                self.last = (self._place_of(event), event.id)
                received.append(self.last)
                if self._chance.random() < WRITTEN_DOWN:
                    self._place = self.last[0]

    def check(self, expected: list[Received]) -> int:
        """How many events came again. Raises ``AssertionError`` where one was missed or out of order."""
        places = [place for place, _ in expected]
        for after, received in self.times:
            first = 0 if after is None else bisect_right(places, after)
            assert received == expected[first : first + len(received)], f"not what stands behind {after}"
        all_received = [one for _, received in self.times for one in received]
        assert list(dict.fromkeys(all_received)) == expected
        return len(all_received) - len(expected)


def _subscribers(url: str, chance: random.Random) -> list[Subscriber]:
    def everything(client: AsyncKurrentDBClient, after: Place | None) -> Awaitable[Any]:
        return client.subscribe_to_all(commit_position=after, filter_exclude=(), include_caught_up=True)

    def rare(client: AsyncKurrentDBClient, after: Place | None) -> Awaitable[Any]:
        return client.subscribe_to_all(
            commit_position=after, filter_include=[RARE], include_checkpoints=True, include_caught_up=True
        )

    def one_stream(client: AsyncKurrentDBClient, after: Place | None) -> Awaitable[Any]:
        return client.subscribe_to_stream(FOLLOWED, stream_position=after, include_caught_up=True)

    def position(event: Any) -> Place:
        return int(event.commit_position)

    def revision(event: Any) -> Place:
        return int(event.stream_position)

    each = ((everything, position), (rare, position), (one_stream, revision))
    return [Subscriber(url, *one, random.Random(chance.random())) for one in each]


class Cuts:
    """``address`` is where the server has this wire."""

    def __init__(self, server: ServerProcess, address: str, cuts: int, seed: int) -> None:
        self._server, self._url = server, f"esdb://{address}"
        self._chance = random.Random(seed)
        self._stopping = asyncio.Event()
        self._count = 0
        self._appended: set[UUID] = set()
        self.figures = Figures(cuts)

    async def run(self) -> Figures:
        began = time.perf_counter()
        await self._server.start()
        async with Proxy(self._url) as proxy:
            subscribers = _subscribers(f"{proxy.url}?tls=false", self._chance)
            following = [asyncio.create_task(subscriber.run()) for subscriber in subscribers]
            writing = [asyncio.create_task(self._write(f"counted-{number}")) for number in range(WRITERS)]
            for _ in range(self.figures.cuts):
                # However slow the machine is, there is something to cut.
                await _until(lambda: all(one.is_receiving for one in subscribers))
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
        if self._chance.random() < KILLS:
            await self._server.kill()
            await self._server.start()
            self.figures.kills += 1
        else:
            self.figures.connections_closed += proxy.cut()

    async def _write(self, stream: str) -> None:
        client = AsyncKurrentDBClient(f"{self._url}?tls=false")
        await client.connect()
        while not self._stopping.is_set():
            events = [self._event() for _ in range(EVENTS_A_APPEND)]
            await _append(client, stream, events)
            self._appended.update(event.id for event in events)
            await asyncio.sleep(PAUSE_S)
        await client.close()

    def _event(self) -> NewEvent:
        self._count += 1
        event_type = RARE if self._count % RARE_EVERY == 1 else "Counted"
        return NewEvent(type=event_type, data=b'{"n":%d}' % self._count)

    async def _check(self, subscribers: Iterable[Subscriber]) -> None:
        async with AsyncClient(self._server.url) as client:
            log = [event async for event in client.iter_feed()]
        assert {event.event_id for event in log} == self._appended
        everything = [(event.position, event.event_id) for event in log]
        rare = [(event.position, event.event_id) for event in log if event.event_type == RARE]
        one_stream = [(event.version - 1, event.event_id) for event in log if event.key.stream == FOLLOWED]
        figures = self.figures
        for subscriber, expected in zip(subscribers, (everything, rare, one_stream), strict=True):
            await _until(lambda: subscriber.last == expected[-1])  # noqa: B023 - awaited before the next
            figures.repeated += subscriber.check(expected)
            figures.subscribed += len(subscriber.times)
            figures.checkpoints += subscriber.checkpoints
            figures.caught_up += subscriber.caught_up
        figures.events, figures.rare, figures.of_one_stream = len(everything), len(rare), len(one_stream)


async def _append(client: AsyncKurrentDBClient, stream: str, events: list[NewEvent]) -> None:
    """Again until it is stored: a server that is killed time and again may outlast the client's patience."""
    while True:
        with contextlib.suppress(KurrentDBClientError):
            await client.append_to_stream(
                stream, events=events, current_version=StreamState.ANY, timeout=APPEND_TIMEOUT_S
            )
            return


async def _until(is_done: Callable[[], bool]) -> None:
    async with asyncio.timeout(CAUGHT_UP_TIMEOUT_S):
        while not is_done():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.05)


def esdb_server(folder: Path) -> tuple[ServerProcess, str]:
    """A server on SQLite with this wire, which is yet to be started, and its address there."""
    address = f"127.0.0.1:{free_port()}"
    config = folder / "indelible.toml"
    config.write_text(f'[wire.esdb]\naddress = "{address}"\n')
    return ServerProcess(folder / "store.db", flags=["--config", str(config)]), address


async def cut_subscriptions(folder: Path, cuts: int, seed: int) -> Figures:
    """Raises ``AssertionError`` when an event was missed, or came out of order."""
    server, address = esdb_server(folder)
    try:
        return await Cuts(server, address, cuts, seed).run()
    except (AssertionError, TimeoutError):
        print(server.tail())
        raise
    finally:
        await server.kill()


# --- Pings -----------------------------------------------------------------------------------------------------------


class Idle(msgspec.Struct):
    """What a subscription saw that nothing came to for a while."""

    pings: int
    came_after_s: float
    """From the append that ended it to the event, in seconds."""


async def idle_under_pings(folder: Path, idle_s: float, ping_every_s: float, pings_min: int = 0) -> Idle:
    """Over a connection that is pinged as clients do that are told to: for so long, and until so many have come. Raises
    what ends the subscription."""
    server, address = esdb_server(folder)
    pings = 0

    def watch(data: bytes) -> None:
        nonlocal pings
        pings += data.count(_PING)

    try:
        await server.start()
        async with (
            Proxy(f"esdb://{address}", watch) as proxy,
            AsyncClient(server.url) as client,
            _subscribed(proxy.url, ping_every_s) as messages,
        ):
            told = [(await anext(messages)).WhichOneof("content") for _ in range(2)]
            assert told == ["confirmation", "caught_up"], told
            await asyncio.sleep(idle_s)
            await _until(lambda: pings >= pings_min)
            seen, began = pings, time.perf_counter()
            await client.append("order", "1", OwnEvent("Placed", 1))
            assert (await anext(messages)).HasField("event")
            return Idle(seen, time.perf_counter() - began)
    finally:
        await server.kill()


@contextlib.asynccontextmanager
async def _subscribed(url: str, ping_every_s: float) -> AsyncIterator[AsyncIterator[pb.ReadResp]]:
    options = (
        ("grpc.keepalive_time_ms", int(ping_every_s * 1_000)),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.max_pings_without_data", 0),
    )
    request = pb.ReadReq()
    request.options.subscription.SetInParent()
    request.options.all.start.SetInParent()
    async with grpc.aio.insecure_channel(url.removeprefix("esdb://"), options=options) as channel:
        method = channel.unary_stream(
            "/event_store.client.streams.Streams/Read",
            request_serializer=pb.ReadReq.SerializeToString,
            response_deserializer=pb.ReadResp.FromString,
        )
        yield aiter(method(request))


def main() -> int:
    programs.take_charge()
    parser = argparse.ArgumentParser(description="KurrentDB's client, cut off while others append.")
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--idle-s", type=float, help="instead, a subscription that is idle under pings every 10 s")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="esdb-cuts-") as folder:
        made = Path(folder)
        idle = given.idle_s
        run = cut_subscriptions(made, given.cuts, given.seed) if idle is None else idle_under_pings(made, idle, 10.0)
        try:
            figures: msgspec.Struct = asyncio.run(run)
        except (AssertionError, TimeoutError) as failure:
            print(f"failed: {failure or type(failure).__name__}")
            return 1
    print_figures(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
