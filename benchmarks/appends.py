"""How fast appends are: over HTTP by wrk, and by the Python client."""

import asyncio
import json
import random
import time
from collections.abc import Iterator

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
    for what, body in (("single-event appends", _body(1)), ("... with event ids", _body_with_id())):
        with Server(stores.empty(options, "append")) as server:
            done = append_load(server, options, body)
        is_met = done.per_s >= 10_000 and done.p99_ms <= 60 and not done.errors
        yield _figure(what, done, done.per_s, "≥ 10,000/s, p99 ≤ 60 ms", is_met=is_met)


def append_load(server: Server, options: Options, body: bytes) -> Load:
    paths = (f"/v1/aggregates/order/bench-{number}/events" for number in range(AGGREGATES))
    return load(server, options, "POST", paths, connections=SINGLE_CONNECTIONS, body=body)


def batch_appends(options: Options) -> Iterator[Figure]:
    paths = (f"/v1/aggregates/order/bench-{number}/events" for number in range(BATCH_AGGREGATES))
    with Server(stores.empty(options, "batch")) as server:
        done = load(server, options, "POST", paths, connections=BATCH_CONNECTIONS, body=_body(BATCH_EVENTS))
    events_per_s = done.per_s * BATCH_EVENTS
    is_met = events_per_s >= 50_000 and not done.errors
    yield _figure(f"{BATCH_EVENTS}-event appends", done, events_per_s, "≥ 50,000 events/s", is_met=is_met)


def growth(options: Options) -> Iterator[Figure]:
    """The append rate of a large store against that of a small one."""
    rates = []
    for path in (stores.small(options), stores.large(options)):
        with Server(path) as server:
            held = server.head()
            done = append_load(server, options, _body_with_id())
        rates.append(done.per_s)
        yield _figure(f"single-event appends at {held:,} events", done, done.per_s, "", is_met=None)
    ratio = rates[1] / rates[0]
    yield Figure("large store's append rate against small", ratio, "", "≥ 0.8", ratio >= 0.8)


def _figure(what: str, done: Load, value: float, goal: str, *, is_met: bool | None) -> Figure:
    note = f"{done.server_use}; slowest {done.max_ms:.0f} ms"
    return Figure(what, value, "events/s", goal, is_met, done.latencies_ms, done.errors, note)


def _body(events: int) -> bytes:
    rng = random.Random(1)
    return json.dumps(
        {"events": [{"event_type": "OrderLineAdded", "event_data": event_data(rng)} for _ in range(events)]},
        separators=(",", ":"),
    ).encode()


def _body_with_id() -> bytes:
    return _body(1).replace(b'"event_type"', b'"event_id":"EVENT_ID","event_type"')


# --- The Python client -----------------------------------------------------------------------------------------------


def client_appends(options: Options) -> Iterator[Figure]:
    """One client process, whose tasks append one event after another."""
    with Server(stores.empty(options, "client")) as server:
        latencies_ms, duration_s = asyncio.run(_client_load(server.url, options))
    latencies_ms.sort()
    per_s = len(latencies_ms) / duration_s
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    measured = {name: latencies_ms[int(len(latencies_ms) * share)] for name, share in shares.items()}
    what = f"AsyncClient, {CLIENT_TASKS} concurrent single-event appends"
    yield Figure(what, per_s, "events/s", "≥ 10,000/s", per_s >= 10_000, measured)


async def _client_load(url: str, options: Options) -> tuple[list[float], float]:
    latencies_ms: list[float] = []
    data = event_data(random.Random(1))
    async with AsyncClient(url) as client:

        async def append_until(end: float, rng: random.Random) -> None:
            while (started := time.perf_counter()) < end:
                event = NewEvent("OrderLineAdded", data)
                await client.append("order", f"bench-{rng.randrange(AGGREGATES)}", [event])
                latencies_ms.append((time.perf_counter() - started) * 1_000)

        async def run(seconds: float) -> float:
            latencies_ms.clear()
            started = time.perf_counter()
            tasks = (append_until(started + seconds, random.Random(number)) for number in range(CLIENT_TASKS))
            await asyncio.gather(*tasks)
            return time.perf_counter() - started

        await run(options.warm_up_s)
        return latencies_ms, await run(options.duration_s)
