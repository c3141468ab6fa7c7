"""Subscriptions: how long from commit to receipt, and what many subscribers cost, readers that never read among them.

Writers and subscribers are processes of their own, and do little: they share the machine with the server. A subscriber
takes bytes from its connection and looks for the time that the writer put into each event.
"""

import asyncio
import multiprocessing
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks import stores
from benchmarks.report import Figure
from benchmarks.server import Server
from benchmarks.stores import Options
from indelible import AsyncClient, NewEvent

FEW_SUBSCRIBERS, FEW_EVENTS_PER_S = 10, 2_000
MANY_SUBSCRIBERS, MANY_EVENTS_PER_S, NEVER_READ = 500, 50, 20
_SENT_AT: re.Pattern[bytes] = re.compile(rb'"event_data":\{"sent_at":(\d+\.\d+)')
_SETTLE_S = 1.0
_DRAIN_S = 120.0
"""Only a busy machine needs more than a moment."""


class Received(NamedTuple):
    counts: list[int]
    """By subscriber."""
    latencies_ms: list[float]


class Written(NamedTuple):
    events: int
    append_ms: list[float]


def subscriptions(options: Options) -> Iterator[Figure]:
    with Server(stores.empty(options, "subscriptions")) as server:
        written, received = _measure(server, FEW_SUBSCRIBERS, FEW_EVENTS_PER_S, options.duration_s)
        latencies = percentiles(received.latencies_ms)
        errors = FEW_SUBSCRIBERS * written.events - sum(received.counts)
        what = f"commit to receipt, {FEW_SUBSCRIBERS} subscribers, {FEW_EVENTS_PER_S:,} events/s"
        is_met = latencies["p99"] <= 25 and errors == 0
        yield Figure(what, written.events / options.duration_s, "events/s", "p99 ≤ 25 ms", is_met, latencies, errors)
    with Server(stores.empty(options, "subscriptions")) as server, ExitStack() as stack:
        before = server.memory_bytes()["now"]
        stack.callback(lambda unread: [each.close() for each in unread], _never_reading(server))
        readers = MANY_SUBSCRIBERS - NEVER_READ
        written, received = _measure(server, readers, MANY_EVENTS_PER_S, options.duration_s)
        growth_mb = (server.memory_bytes()["most"] - before) / 1e6
        latencies = percentiles(written.append_ms)
        errors = readers * written.events - sum(received.counts)
        what = f"append beside {MANY_SUBSCRIBERS} subscribers, {NEVER_READ} never read"
        is_met = latencies["p99"] <= 200 and errors == 0
        rate = sum(received.counts) / options.duration_s
        receipt = percentiles(received.latencies_ms)
        note = ", ".join(f"{name} {value:.0f} ms" for name, value in receipt.items()) + " to receipt"
        yield Figure(what, rate, "deliveries/s", "p99 ≤ 200 ms", is_met, latencies, errors, note)
        what = f"memory growth, {MANY_SUBSCRIBERS} subscribers"
        yield Figure(what, growth_mb, "MB", "≤ 100 MB", growth_mb <= 100)


def _measure(server: Server, subscribers: int, events_per_s: int, duration_s: int) -> tuple[Written, Received]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    reader = context.Process(target=_read_process, args=(server.url, subscribers, there))
    reader.start()
    here.recv()
    written = write_elsewhere(server.url, events_per_s, duration_s)
    here.send(written.events)
    received: Received = here.recv()
    reader.join()
    return written, received


def percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values) or [float("inf")]
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {name: ordered[min(int(len(ordered) * share), len(ordered) - 1)] for name, share in shares.items()}


# --- The writer ------------------------------------------------------------------------------------------------------


def _measured() -> NewEvent:
    return NewEvent("Measured", {"sent_at": round(time.monotonic(), 6), "text": "x" * 100})


def write_elsewhere(url: str, events_per_s: int, duration_s: int, make: Callable[[], NewEvent] = _measured) -> Written:
    """In a process of its own. Blocks."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    writer = context.Process(target=_write_process, args=(url, events_per_s, duration_s, there, make))
    writer.start()
    written: Written = here.recv()
    writer.join()
    return written


def _write_process(
    url: str, events_per_s: int, duration_s: int, answer: Connection, make: Callable[[], NewEvent]
) -> None:
    answer.send(asyncio.run(_write(url, events_per_s, duration_s, make)))


async def _write(url: str, events_per_s: int, duration_s: int, make: Callable[[], NewEvent]) -> Written:
    """Single-event appends, begun at even times whatever became of those before."""
    append_ms: list[float] = []
    async with AsyncClient(url) as client:
        started = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number in range(events_per_s * duration_s):
                wait_s = started + number / events_per_s - time.monotonic()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                tasks.create_task(_append(client, number, make(), append_ms))
    return Written(len(append_ms), append_ms)


async def _append(client: AsyncClient, number: int, event: NewEvent, append_ms: list[float]) -> None:
    started = time.perf_counter()
    await client.append("sensor", str(number % 100), [event])
    append_ms.append((time.perf_counter() - started) * 1_000)


# --- Subscribers -----------------------------------------------------------------------------------------------------


def _request(url: str) -> bytes:
    host = urlsplit(url).netloc
    return f"GET /v1/events HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n".encode()


def _never_reading(server: Server) -> list[socket.socket]:
    address = urlsplit(server.url)
    found = []
    for _ in range(NEVER_READ):
        each = socket.create_connection((str(address.hostname), int(address.port or 0)))
        each.sendall(_request(server.url))
        found.append(each)
    return found


def _read_process(url: str, subscribers: int, control: Connection) -> None:
    control.send(asyncio.run(_read(url, subscribers, control)))


class _Subscriber(asyncio.Protocol):
    """Counts events, and how long each took. The clock is that of the machine, which all processes share."""

    def __init__(self, latencies_ms: list[float], request: bytes) -> None:
        self.count = 0
        self._latencies_ms, self._request, self._rest = latencies_ms, request, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        data = self._rest + data
        end = 0
        for found in _SENT_AT.finditer(data):
            self.count += 1
            self._latencies_ms.append((now - float(found[1])) * 1_000)
            end = found.end()
        # What may begin an event's time, and has not ended yet.
        self._rest = data[max(end, len(data) - 60) :]


async def _read(url: str, subscribers: int, control: Connection) -> Received:
    loop, latencies_ms, address = asyncio.get_running_loop(), list[float](), urlsplit(url)
    made = [
        await loop.create_connection(lambda: _Subscriber(latencies_ms, _request(url)), address.hostname, address.port)
        for _ in range(subscribers)
    ]
    await asyncio.sleep(_SETTLE_S)
    control.send(None)
    events: int = await asyncio.to_thread(control.recv)
    give_up_at = time.monotonic() + _DRAIN_S
    while any(each.count < events for _, each in made) and time.monotonic() < give_up_at:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.05)
    for transport, _ in made:
        transport.close()
    return Received([subscriber.count for _, subscriber in made], latencies_ms)
