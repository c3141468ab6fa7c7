"""How fast appends are: over HTTP by wrk, and by the Python client."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks import stores
from benchmarks.dataset import event_data
from benchmarks.report import Figure
from benchmarks.server import Server
from benchmarks.stores import Options
from benchmarks.wrk import Load, load
from indelible import AsyncClient, NewEvent

AGGREGATES = 10_000
SINGLE_CONNECTIONS = 128
BATCH_EVENTS = 100
BATCH_CONNECTIONS = 32
BATCH_AGGREGATES = 1_000
CLIENT_TASKS = 64


def single_appends(options: Options) -> Iterator[Figure]:
    """One event an append: its id made by the server, then by the caller, as clients do that want to repeat safely."""
    for what, body in (("single-event appends", body_of(1)), ("... with event ids", body_with_id())):
        with Server(stores.empty(options, "append")) as server:
            done = append_load(server, options, body)
        is_met = done.per_s >= 10_000 and done.p99_ms <= 60 and not done.errors
        yield _figure(what, done, done.per_s, "≥ 10,000/s, p99 ≤ 60 ms", is_met=is_met)


def append_load(server: Server, options: Options, body: bytes, *, token: str | None = None) -> Load:
    paths = (f"/v1/aggregates/order/bench-{number}/events" for number in range(AGGREGATES))
    return load(server, options, "POST", paths, connections=SINGLE_CONNECTIONS, body=body, token=token)


def batch_load(server: Server, options: Options) -> Load:
    paths = (f"/v1/aggregates/order/bench-{number}/events" for number in range(BATCH_AGGREGATES))
    return load(server, options, "POST", paths, connections=BATCH_CONNECTIONS, body=body_of(BATCH_EVENTS))


def batch_appends(options: Options) -> Iterator[Figure]:
    with Server(stores.empty(options, "batch")) as server:
        done = batch_load(server, options)
    events_per_s = done.per_s * BATCH_EVENTS
    is_met = events_per_s >= 50_000 and not done.errors
    yield _figure(f"{BATCH_EVENTS}-event appends", done, events_per_s, "≥ 50,000 events/s", is_met=is_met)


def growth(options: Options) -> Iterator[Figure]:
    """The append rate of a large store against that of a small one."""
    rates = []
    for path in (stores.small(options), stores.large(options)):
        with Server(path) as server:
            held = server.head()
            done = append_load(server, options, body_with_id())
        rates.append(done.per_s)
        yield _figure(f"single-event appends at {held:,} events", done, done.per_s, "", is_met=None)
    ratio = rates[1] / rates[0]
    yield Figure("large store's append rate against small", ratio, "", "≥ 0.8", ratio >= 0.8)


def _figure(what: str, done: Load, value: float, goal: str, *, is_met: bool | None) -> Figure:
    note = f"{done.server_use}; slowest {done.max_ms:.0f} ms"
    return Figure(what, value, "events/s", goal, is_met, done.latencies_ms, done.errors, note)


def body_of(events: int) -> bytes:
    rng = random.Random(1)
    return json.dumps(
        {"events": [{"event_type": "OrderLineAdded", "event_data": event_data(rng)} for _ in range(events)]},
        separators=(",", ":"),
    ).encode()


def some_event_data() -> dict[str, object]:
    return event_data(random.Random(1))


def some_event_json() -> str:
    return json.dumps(some_event_data(), separators=(",", ":"))


def body_with_id() -> bytes:
    return body_of(1).replace(b'"event_type"', b'"event_id":"EVENT_ID","event_type"')


# --- The Python client -----------------------------------------------------------------------------------------------


class ClientLoad(NamedTuple):
    latencies_ms: list[float]
    duration_s: float
    client_cpu_s: float
    server_cpu_s: float

    @property
    def percentiles_ms(self) -> dict[str, float]:
        ordered = sorted(self.latencies_ms)
        shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
        return {name: ordered[min(int(len(ordered) * share), len(ordered) - 1)] for name, share in shares.items()}

    @property
    def use(self) -> str:
        client_us, server_us = (
            1e6 * cpu_s / len(self.latencies_ms) for cpu_s in (self.client_cpu_s, self.server_cpu_s)
        )
        return (
            f"an append took {client_us:.0f} µs of the client's processor time and {server_us:.0f} µs of the server's"
        )


def client_appends(options: Options) -> Iterator[Figure]:
    """One client process, whose tasks append one event after another."""
    with Server(stores.empty(options, "client")) as server:
        done = client_load(server, server.url, options)
    per_s = len(done.latencies_ms) / done.duration_s
    what = f"AsyncClient, {CLIENT_TASKS} concurrent single-event appends"
    yield Figure(what, per_s, "events/s", "≥ 10,000/s", per_s >= 10_000, done.percentiles_ms, note=done.use)


def client_load(server: Server, url: str, options: Options) -> ClientLoad:
    """``url`` is the server's, over HTTP or gRPC."""
    return asyncio.run(_client_load(server, url, options))


async def _client_load(server: Server, url: str, options: Options) -> ClientLoad:
    async with AsyncClient(url) as client:
        if options.warm_up_s:
            await _append_for(client, options.warm_up_s)
        client_cpu_s, server_cpu_s, started = time.process_time(), server.cpu_s(), time.perf_counter()
        latencies_ms = await _append_for(client, options.duration_s)
        return ClientLoad(
            latencies_ms,
            time.perf_counter() - started,
            time.process_time() - client_cpu_s,
            server.cpu_s() - server_cpu_s,
        )


async def _append_for(client: AsyncClient, duration_s: float) -> list[float]:
    """Milliseconds that each append took."""
    latencies_ms: list[float] = []
    data = event_data(random.Random(1))
    end = time.perf_counter() + duration_s

    async def append_until_end(rng: random.Random) -> None:
        while (started := time.perf_counter()) < end:
            event = NewEvent("OrderLineAdded", data)
            await client.append("order", f"bench-{rng.randrange(AGGREGATES)}", [event])
            latencies_ms.append((time.perf_counter() - started) * 1_000)

    await asyncio.gather(*(append_until_end(random.Random(number)) for number in range(CLIENT_TASKS)))
    return latencies_ms
