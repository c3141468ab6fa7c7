"""A relay to a real broker: how fast it publishes beside the broker's own client, what it costs, how soon events come.

Server, relay, broker and load share the machine. What is compared takes turns, so that a machine whose speed varies
treats both alike; figures are medians.
"""

import asyncio
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Self

from benchmarks import stores, subscriptions
from benchmarks.process import Process
from benchmarks.relay_clients import CLIENTS
from benchmarks.report import Figure, print_note
from benchmarks.server import Server
from benchmarks.stores import Options
from benchmarks.subscriptions import percentiles
from indelible import AsyncClient, Cursor, NewEvent
from indelible.errors import RelayNotFound
from indelible.limits import RELAY_SAVE_PAUSE_REMEMBERED_S
from indelible.relay_state import RelayInfo, RelayLease
from indelible.relays.messages import Binding, Message, messages_of
from relays.brokers import KINDS, BrokerServer  # by the path that relay_clients adds
from relays.kafka_server import kafka_server

RELAY: Final = "benchmark"
BURST_APPEND_EVENTS: Final = 100
EVENTS_PER_S: Final = 1_000
PATIENCE_S: Final = 600.0
_POLL_S: Final = 0.01
_SENT_AT: Final = re.compile(rb'"sent_at":(\d+\.\d+)')


class RelayProcess(Process):
    """``indelible relay run``. Use as a context manager."""

    def __init__(self, server: Server, broker: BrokerServer) -> None:
        self._command = [sys.executable, "-m", "indelible.cli.main", "relay", "run", RELAY]
        self._command += ["--url", server.url, "--to", broker.to()]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self._process.pid
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        if self._process.wait() != 0:
            raise RuntimeError(f"the relay ended with {self._process.returncode}")


def relay(options: Options) -> Iterator[Figure]:
    name = options.broker
    with _broker(name) as broker:
        with Server(stores.relayed(options)) as server:
            yield from _publishing(options, server, broker)
            yield from _burst(name, server, broker, options.events_relay)
        with Server(stores.empty(options, "relay-appends")) as server:
            yield from _appends(options, server, broker)
        with Server(stores.empty(options, "relay-receipt")) as server:
            yield _receipt(name, server, broker, options.duration_s)


@contextmanager
def _broker(name: str) -> Iterator[BrokerServer]:
    with tempfile.TemporaryDirectory(prefix="indelible-bench-broker-") as folder, ExitStack() as exits:
        # The tests' Kafka takes small batches alone, which slow down whoever makes larger ones.
        if name == "kafka":
            yield exits.enter_context(kafka_server(Path(folder)))
        else:
            yield exits.enter_context(KINDS[name].serve(Path(folder))).server


# --- How fast it publishes -------------------------------------------------------------------------------------------


def _publishing(options: Options, server: Server, broker: BrokerServer) -> Iterator[Figure]:
    name, events = options.broker, options.events_relay
    messages = asyncio.run(_messages(server, events))
    ours, alone, most_bytes, cpu_s = [], [], 0, []
    for _ in range(options.rounds):
        broker.begin_anew()
        alone.append(events / asyncio.run(CLIENTS[name].publish(broker, messages)))
        broker.begin_anew()
        asyncio.run(_reset(server))
        with RelayProcess(server, broker) as process:
            ours.append(asyncio.run(_rate(server, events)))
            most_bytes = max(most_bytes, process.memory_bytes()["most"])
            cpu_s.append(process.cpu_s())
        print_note(f"relay {ours[-1]:,.0f}/s, client alone {alone[-1]:,.0f}/s")
    ratio = statistics.median(one / other for one, other in zip(ours, alone, strict=True))
    note = (
        f"{ratio:.2f} times the client's alone; {1e6 * statistics.median(cpu_s) / events:.0f} µs of the relay's "
        "processor time an event, its start included"
    )
    yield Figure(f"relay to {name}, {events:,} events", statistics.median(ours), "events/s", note=note)
    yield Figure(f"{name}'s client alone, the same messages", statistics.median(alone), "events/s")
    yield Figure(f"memory of the relay to {name}, at most", most_bytes / 1e6, "MB")


async def _messages(server: Server, events: int) -> list[Message]:
    """As the relay makes them, but for the binding's prefix."""
    lease = RelayLease(
        relay=RELAY, epoch=1, cursor=Cursor(""), published=0, is_paused=False, is_stopped=False, reset_epoch=0
    )
    found: list[Message] = []
    async with AsyncClient(server.url) as client:
        cursor = None
        while len(found) < events:
            page = await client.read_feed(after=cursor)
            found += messages_of(page, lease, Binding("ce-", is_quoted=True), "binary", None)
            cursor = page.cursor
    return found


async def _reset(server: Server) -> None:
    """Where it is there: it publishes everything again."""
    async with AsyncClient(server.url) as client:
        try:
            await client.relays.reset(RELAY, start="beginning")
        except RelayNotFound:
            return


async def _rate(server: Server, events: int) -> float:
    seen: list[tuple[float, int]] = []
    async with AsyncClient(server.url) as client:
        while not seen or seen[-1][1] < events:
            info = await _info(client)
            if info is not None and info.position and (not seen or info.position > seen[-1][1]):
                seen.append((time.monotonic(), info.position))
            await asyncio.sleep(_POLL_S)
    return rate_of(seen)


def rate_of(seen: Sequence[tuple[float, int]]) -> float:
    """When the checkpoint was saved, and where it was. The last save comes a while after the last event, so it counts
    only where there are no others."""
    (began, first), (ended, last) = seen[0], seen[-2 if len(seen) > 2 else -1]
    return (last - first) / (ended - began) if last > first else last / RELAY_SAVE_PAUSE_REMEMBERED_S


async def _info(client: AsyncClient) -> RelayInfo | None:
    try:
        return await client.relays.get(RELAY)
    except RelayNotFound:
        return None


async def _until(client: AsyncClient, is_so: Callable[[RelayInfo], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            info = await _info(client)
            if info is not None and is_so(info):
                return
            await asyncio.sleep(_POLL_S)


# --- A burst ---------------------------------------------------------------------------------------------------------


def _burst(name: str, server: Server, broker: BrokerServer, events: int) -> Iterator[Figure]:
    """Of appends while the relay runs."""
    broker.begin_anew()
    asyncio.run(_reset(server))
    with RelayProcess(server, broker) as process:
        appended_s, total_s = asyncio.run(_append_burst(server, events))
        most_mb = process.memory_bytes()["most"] / 1e6
    note = f"appended within {appended_s:.1f} s; {most_mb:.0f} MB of memory at most"
    yield Figure(f"burst of {events:,} events until {name} has them all", events / total_s, "events/s", note=note)


async def _append_burst(server: Server, events: int) -> tuple[float, float]:
    async with AsyncClient(server.url) as client:
        await _until(client, lambda info: not info.lag)
        began = time.monotonic()
        for first in range(0, events, BURST_APPEND_EVENTS):
            count = min(BURST_APPEND_EVENTS, events - first)
            events_here = [NewEvent("Burst", {"text": "x" * 100}) for _ in range(count)]
            await client.append("burst", str(first % 1_000), events_here)
        appended_s = time.monotonic() - began
        await _until(client, lambda info: not info.lag)
        return appended_s, time.monotonic() - began


# --- What it costs those who append ----------------------------------------------------------------------------------


def _appends(options: Options, server: Server, broker: BrokerServer) -> Iterator[Figure]:
    name, duration_s = options.broker, options.duration_s
    broker.begin_anew()
    beside, without = [], []
    for _ in range(options.rounds):
        without += [_written(server, duration_s)]
        with RelayProcess(server, broker):
            asyncio.run(_caught_up(server))
            beside += [_written(server, duration_s)]
    p99, p99_without = (statistics.median(one["p99"] for one in some) for some in (beside, without))
    latencies = {key: statistics.median(one[key] for one in beside) for key in beside[0]}
    note = f"p99 {p99_without:.1f} ms without a relay, so {p99 / p99_without:.2f} times that"
    what = f"append beside a relay to {name}, {EVENTS_PER_S:,} events/s"
    yield Figure(what, p99, "ms p99", latencies_ms=latencies, note=note)


def _written(server: Server, duration_s: int) -> dict[str, float]:
    return percentiles(_write(server, duration_s).append_ms)


def _write(server: Server, duration_s: int) -> subscriptions.Written:
    return subscriptions.write_elsewhere(server.url, EVENTS_PER_S, duration_s)


async def _caught_up(server: Server) -> None:
    async with AsyncClient(server.url) as client:
        await _until(client, lambda info: info.state == "running" and not info.lag)


# --- How soon events come --------------------------------------------------------------------------------------------


def _receipt(name: str, server: Server, broker: BrokerServer, duration_s: int) -> Figure:
    broker.begin_anew()
    with RelayProcess(server, broker):
        asyncio.run(_caught_up(server))
        written, latencies_ms = asyncio.run(_receive(name, server, broker, duration_s))
    what = f"commit to receipt with {name}'s client, {EVENTS_PER_S:,} events/s"
    errors = abs(written.events - len(latencies_ms))
    return Figure(what, written.events / duration_s, "events/s", latencies_ms=percentiles(latencies_ms), errors=errors)


async def _receive(
    name: str, server: Server, broker: BrokerServer, duration_s: int
) -> tuple[subscriptions.Written, Sequence[float]]:
    latencies_ms: list[float] = []
    is_ready, end = asyncio.Event(), asyncio.Event()

    def hear(data: bytes) -> None:
        sent_at = _SENT_AT.search(data)
        assert sent_at is not None, f"the writer did not write {data!r}"
        latencies_ms.append((time.monotonic() - float(sent_at[1])) * 1_000)

    receiving = asyncio.create_task(CLIENTS[name].receive(broker, hear, is_ready, end))
    await is_ready.wait()
    written = await asyncio.to_thread(_write, server, duration_s)
    async with AsyncClient(server.url) as client:
        await _until(client, lambda info: not info.lag)
    give_up_at = time.monotonic() + PATIENCE_S
    while len(latencies_ms) < written.events and time.monotonic() < give_up_at:  # noqa: ASYNC110 - no event
        await asyncio.sleep(_POLL_S)
    end.set()
    await receiving
    return written, latencies_ms
