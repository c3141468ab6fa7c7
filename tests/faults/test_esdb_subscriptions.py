"""Subscriptions of KurrentDB's clients: cut off, left lying, pinged, and over a server that is killed. For longer, see
``faults.esdb_cuts``."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import ServiceUnavailableError

from faults.esdb_cuts import cut_subscriptions, esdb_server, idle_under_pings
from faults.server_process import ServerProcess
from faults.stalled import StalledRead
from faults.test_stalled import resident_bytes
from indelible import AsyncClient
from indelible import NewEvent as OwnEvent
from indelible.wire.esdb.pb import streams_pb2 as pb

CUTS = 8
STALLED = 100
LARGE_BYTES, LARGE_EVENTS = 1_000_000, 12
GROWTH_BYTES_MAX = 120e6
"""Of the server. A page for each, with what is made of it, would be 200 MB and more."""
TIMEOUT_S = 600.0
"""Of a whole subscription."""
PING_EVERY_S, PINGED_S = 0.5, 4.0
PINGS_MIN = 4


async def test_cut_subscriptions_miss_nothing(tmp_path: Path) -> None:
    figures = await cut_subscriptions(tmp_path, CUTS, seed=4)
    print(figures)
    assert figures.kills > 0
    assert figures.connections_closed > 0
    assert min(figures.events, figures.rare, figures.of_one_stream) > 0
    assert figures.subscribed > CUTS
    assert figures.repeated > 0
    assert figures.checkpoints > 0
    assert figures.caught_up > 0


@asynccontextmanager
async def _served(folder: Path) -> AsyncIterator[tuple[ServerProcess, str]]:
    """The server, and the URL for clients of KurrentDB."""
    server, address = esdb_server(folder)
    try:
        await server.start()
        yield server, f"esdb://{address}?tls=false"
    finally:
        await server.kill()


def _append(url: str, stream: str, count: int) -> list[UUID]:
    client = KurrentDBClient(url)
    events = [NewEvent(type="Placed", data=b"{}") for _ in range(count)]
    client.append_to_stream(stream, current_version=StreamState.ANY, events=events)
    client.close()
    return [event.id for event in events]


# --- A server that is killed -----------------------------------------------------------------------------------------


async def test_subscriptions_go_on_where_they_were_after_a_kill(tmp_path: Path) -> None:
    async with _served(tmp_path) as (server, url):
        appended = await asyncio.to_thread(_append, url, "order-1", 40)
        client = KurrentDBClient(url)
        of_all, of_stream = await asyncio.to_thread(_take_some, client)
        await server.kill()
        for subscription, _ in (of_all, of_stream):
            with pytest.raises(ServiceUnavailableError):
                await asyncio.to_thread(list, subscription)
        await server.start()
        appended += await asyncio.to_thread(_append, url, "order-1", 5)
        rest_of_all, rest_of_stream = await asyncio.to_thread(_take_rest, client, of_all[1], of_stream[1])
        client.close()
    for before, after in ((of_all[1], rest_of_all), (of_stream[1], rest_of_stream)):
        assert [event.id for event in (*before, *after)] == appended


def _take_some(client: KurrentDBClient) -> list[tuple[Any, list[Any]]]:
    """The first events of each, and what gives the others."""
    both = (client.subscribe_to_all(), client.subscribe_to_stream("order-1"))
    return [(subscription, list(islice(subscription, 20))) for subscription in both]


def _take_rest(client: KurrentDBClient, of_all: list[Any], of_stream: list[Any]) -> list[list[Any]]:
    both = (
        client.subscribe_to_all(commit_position=of_all[-1].commit_position, timeout=TIMEOUT_S),
        client.subscribe_to_stream("order-1", stream_position=of_stream[-1].stream_position, timeout=TIMEOUT_S),
    )
    return [list(islice(subscription, 25)) for subscription in both]


async def test_a_server_that_stops_says_that_it_is_unavailable(tmp_path: Path) -> None:
    async with _served(tmp_path) as (server, url):
        client = KurrentDBClient(url)
        subscription = await asyncio.to_thread(client.subscribe_to_all)
        server.terminate()
        with pytest.raises(ServiceUnavailableError, match="the server stops"):
            await asyncio.to_thread(next, subscription)
        client.close()
        assert await server.exit_code() == 0


# --- Pings -----------------------------------------------------------------------------------------------------------


async def test_an_idle_subscription_lives_under_pings(tmp_path: Path) -> None:
    idle = await idle_under_pings(tmp_path, PINGED_S, PING_EVERY_S, PINGS_MIN)
    print(idle)
    assert idle.pings >= PINGS_MIN


# --- Readers that take nothing ---------------------------------------------------------------------------------------


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _request(number: int) -> pb.ReadReq:
    """In turn of $all, of a stream, and of what a filter chooses."""
    request = pb.ReadReq()
    request.options.subscription.SetInParent()
    if number % 3 == 1:
        request.options.stream.stream_identifier.stream_name = b"order-1"
        request.options.stream.start.SetInParent()
    else:
        request.options.all.start.SetInParent()
    if number % 3 == 2:
        request.options.filter.event_type.regex = "^Filled$"
        request.options.filter.max = 32
    return request


async def test_subscriptions_that_take_nothing_cost_little(tmp_path: Path, stack: ExitStack) -> None:
    async with _served(tmp_path) as (server, url), AsyncClient(server.url) as client:
        for _ in range(LARGE_EVENTS):
            await client.append("order", "1", OwnEvent("Filled", "x" * LARGE_BYTES))
        reader = KurrentDBClient(url)
        subscription = await asyncio.to_thread(reader.subscribe_to_stream, "order-1", timeout=TIMEOUT_S)
        assert len(await asyncio.to_thread(_take, subscription, LARGE_EVENTS)) == LARGE_EVENTS
        before = most = resident_bytes(server.pid)
        address = url.removeprefix("esdb://").partition("?")[0]
        for number in range(STALLED):
            StalledRead(address, stack, _request(number), 65_535 * (number % 2))
        for _ in range(8):
            await asyncio.sleep(0.25)
            most = max(most, resident_bytes(server.pid))
        print(f"memory of {STALLED} stalled subscriptions: {(most - before) / 1e6:.0f} MB")
        assert most - before < GROWTH_BYTES_MAX
        await client.append("order", "1", OwnEvent("Filled", "x" * LARGE_BYTES))
        (last,) = await asyncio.to_thread(_take, subscription, 1)
        assert last.stream_position == LARGE_EVENTS
        reader.close()


def _take(subscription: Any, count: int) -> list[Any]:
    return list(islice(subscription, count))


async def test_one_that_reads_after_all_gets_everything(tmp_path: Path, stack: ExitStack) -> None:
    events = 600
    async with _served(tmp_path) as (server, url), AsyncClient(server.url) as client:
        await client.append("order", "1", [OwnEvent("Filled", "x" * 1_000) for _ in range(events)])
        address = url.removeprefix("esdb://").partition("?")[0]
        stalled = [StalledRead(address, stack, _request(number)) for number in range(3)]
        await asyncio.sleep(0.5)
        await client.append("order", "1", OwnEvent("Filled", 1))
        for one in stalled:
            assert await asyncio.to_thread(one.read_positions, events + 1) == [*range(1, events + 2)]
