"""Time-outs, servers that are away, and servers that go away in the middle."""

import asyncio
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from indelible import (
    AggregateAppend,
    AsyncClient,
    Client,
    IndelibleError,
    NewEvent,
    OutcomeUnknown,
    Overloaded,
    ShuttingDown,
    Unavailable,
)
from indelible.errors import InternalError

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def odd_server(answer: Answer) -> AsyncIterator[str]:
    """A server whose every connection is handled by ``answer``; yields its URL."""
    writers = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await answer(reader, writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for writer in writers:
        writer.close()


def answering(status: int, body: bytes = b"", headers: bytes = b"") -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n%b\r\n" % (status, len(body), headers)
        writer.write(head + body)
        await writer.drain()

    return answer


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def cut_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("answer", [silence, cut_off, answering(502, b"<html>"), answering(504)])
async def test_an_append_without_an_answer_is_unknown_and_a_read_unavailable(answer: Answer):
    async with odd_server(answer) as url, AsyncClient(url, timeout_s=2, retry_total_s=0.3) as client:
        with pytest.raises(OutcomeUnknown):
            await client.append("Order", "1", [NewEvent("X")])
        with pytest.raises(Unavailable):
            await client.head()


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"results": []}', b"[]", b"\xff"])
async def test_an_answer_that_makes_no_sense(body: bytes):
    async with odd_server(answering(200, body)) as url, AsyncClient(url, retry_total_s=0) as client:
        append = AggregateAppend.of("Order", "1", [NewEvent("X")])
        for call in (client.append("Order", "1", [NewEvent("X")]), client.append_atomic([append])):
            with pytest.raises(OutcomeUnknown):
                await call
        for read in (client.head(), client.get_event(uuid4()), client.read_feed(), client.replay("Order", "1")):
            with pytest.raises(InternalError, match="not what was asked for"):
                await read


async def test_an_internal_error_leaves_an_append_unknown():
    body = b'{"code": "internal_error", "detail": "a bug", "status": 500}'
    async with odd_server(answering(500, body)) as url, AsyncClient(url, retry_total_s=60) as client:
        with pytest.raises(OutcomeUnknown, match="a bug"):
            await client.append("Order", "1", [NewEvent("X")])


async def test_a_redirect_is_not_followed():
    redirect = answering(307, b"", b"Location: http://127.0.0.1:1/\r\n")
    async with odd_server(redirect) as url, AsyncClient(url) as client:
        with pytest.raises(IndelibleError, match="status 307"):
            await client.head()


async def test_nobody_there_means_nothing_was_stored():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        async with AsyncClient(url, retry_total_s=0.3) as client:
            for call in (client.append("Order", "1", [NewEvent("X")]), client.head()):
                with pytest.raises(Unavailable, match="cannot connect to") as caught:
                    await call
                assert caught.value.code == "unavailable"


async def test_an_overloaded_server_is_given_the_time_it_asks_for():
    times = []
    refuse = answering(
        503,
        b'{"code": "overloaded", "detail": "the queue is full", "status": 503}',
        b"Content-Type: application/problem+json\r\nRetry-After: 1\r\n",
    )
    accept = answering(200, b'{"position": 7, "cursor": "7"}')

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        times.append(time.monotonic())
        await (refuse if len(times) == 1 else accept)(reader, writer)

    async with odd_server(answer) as url, AsyncClient(url) as client:
        assert (await client.head()).position == 7
        assert times[1] - times[0] >= 1
    async with odd_server(refuse) as url, AsyncClient(url, retry_total_s=0) as client:
        with pytest.raises(Overloaded) as caught:
            await client.head()
        assert caught.value.fields["retry_after_s"] == 1


async def test_a_time_out_then_an_answer(http_client: AsyncClient, shared_server):
    """The first connection swallows the append, the second goes through to the server."""
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            return
        host, port = shared_server.address.split(":")
        onward_reader, onward_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_pump(reader, onward_writer), _pump(onward_reader, writer))

    async with odd_server(answer) as url:
        client = AsyncClient(url, timeout_s=5)
        result = await client.append("Swallowed", "1", [NewEvent("X")])
        assert result.version == 1
        await client.aclose()
    assert connections == 2
    assert (await http_client.get_aggregate("Swallowed", "1")).version == 1


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_an_append_whose_answer_was_lost_is_stored_once(http_client: AsyncClient, shared_server):
    """The server stores the append, but the first connection is cut before its answer comes back."""
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        host, port = shared_server.address.split(":")
        onward_reader, onward_writer = await asyncio.open_connection(host, int(port))
        forward = asyncio.create_task(_pump(reader, onward_writer))
        if connections == 1:
            await onward_reader.read(1)
            writer.close()
        else:
            await _pump(onward_reader, writer)
        await forward

    async with odd_server(answer) as url:
        client = AsyncClient(url)
        result = await client.append("Lost", "1", [NewEvent("X")], expected_version="none")
        assert (result.version, result.replayed) == (1, True)
        await client.aclose()
    assert (await http_client.get_aggregate("Lost", "1")).version == 1


async def test_closing_does_not_wait_for_a_server_that_is_away():
    async with odd_server(silence) as url:
        client = AsyncClient(url, timeout_s=2, retry_total_s=60)
        append = asyncio.create_task(client.append("Order", "1", [NewEvent("X")]))
        await asyncio.sleep(0.1)
        await asyncio.wait_for(client.aclose(), 30)
        with pytest.raises((OutcomeUnknown, ShuttingDown)):
            await append


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_server_that_stops_and_comes_back_is_ridden_over(durable_server, number: int):
    acknowledged: dict[str, list[int]] = {str(n): [] for n in range(20)}
    stop = asyncio.Event()

    async def write(aggregate_id: str) -> None:
        while not stop.is_set():
            version = len(acknowledged[aggregate_id])
            result = await client.append("Order", aggregate_id, [NewEvent("X", version)], expected_version=version)
            acknowledged[aggregate_id].append(result.version)

    async def until_appended(count: int) -> None:
        while sum(map(len, acknowledged.values())) < count:
            assert not any(one.done() for one in writers)
            await asyncio.sleep(0.01)

    async with AsyncClient(durable_server.url, retry_total_s=120) as client:
        writers = [asyncio.create_task(write(aggregate_id)) for aggregate_id in acknowledged]
        for times in range(1, 3):
            await until_appended(50 * times)
            await asyncio.to_thread(durable_server.stop, number)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(durable_server.start)
        await until_appended(101)
        stop.set()
        await asyncio.gather(*writers)
        for aggregate_id, versions in acknowledged.items():
            assert versions == list(range(1, len(versions) + 1))
            stored = [event.event_data async for event in client.iter_aggregate("Order", aggregate_id)]
            assert stored == list(range(len(versions)))
        total = sum(map(len, acknowledged.values()))
        assert (await client.head()).position == total > 100


def test_threads_ride_over_a_restart_too(durable_server):
    with Client(durable_server.url, retry_total_s=120) as client:
        results = []

        def work(n: int) -> None:
            results.extend(client.append("Order", str(n), [NewEvent("X")]).version for _ in range(50))

        client.head()
        durable_server.stop()
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        durable_server.start()
        for thread in threads:
            thread.join(120)
        assert sorted(results) == sorted([*range(1, 51)] * 8)
