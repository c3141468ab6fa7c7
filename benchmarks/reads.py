"""How fast reads are, what they cost in memory, and how long a start takes."""

import http.client
import random
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlencode, urlsplit

from benchmarks import stores
from benchmarks.dataset import CAMPAIGNS, EVENT_TYPES, REGIONS, customer
from benchmarks.report import Figure
from benchmarks.server import Server
from benchmarks.stores import Options
from benchmarks.wrk import load

READ_CONNECTIONS = 32
FILTER_CONNECTIONS = 4
FILTER_PAGES = 5_000
"""Different requests for each kind of filter."""
PAGE_EVENTS = 100
STARTS = 3
CHUNK_BYTES = 1024 * 1024


def aggregate_reads(options: Options) -> Iterator[Figure]:
    path = stores.feed(options)
    paths = [f"/v1/aggregates/order/{number:08d}/events" for number in range(stores.feed_aggregates(options))]
    with Server(path) as server:
        events = server.get(paths[0]).count(b'"event_id"')
        done = load(server, options, "GET", paths, connections=READ_CONNECTIONS)
    is_met = done.per_s >= 3_000 and done.p99_ms <= 50 and not done.errors
    what = f"read one aggregate of {events} events"
    note = f"{done.received_bytes / done.duration_s / 2**20:.0f} MiB/s; {done.server_use}"
    yield Figure(what, done.per_s, "reads/s", "≥ 3,000/s, p99 ≤ 50 ms", is_met, done.latencies_ms, done.errors, note)


def feed_read(options: Options) -> Iterator[Figure]:
    with Server(stores.feed(options)) as server:
        read_feed(server, options.events_feed)
        events, size_bytes, first_s, duration_s = read_feed(server, options.events_feed)
    per_s = events / duration_s
    note = f"{size_bytes / duration_s / 2**20:.0f} MiB/s, first bytes after {first_s * 1000:.1f} ms"
    yield Figure(
        f"feed as NDJSON, {events:,} events", per_s, "events/s", "≥ 150,000 events/s", per_s >= 150_000, note=note
    )


def read_feed(server: Server, events: int) -> tuple[int, int, float, float]:
    """Stream the log's first events: events and bytes received, seconds to the first bytes and to the end."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=600)
    started = time.perf_counter()
    connection.request("GET", f"/v1/events?limit={events}", headers={"Accept": "application/x-ndjson"})
    response = connection.getresponse()
    received = size_bytes = 0
    first_s = 0.0
    while chunk := response.read1(CHUNK_BYTES):
        first_s = first_s or time.perf_counter() - started
        received += chunk.count(b"\n")
        size_bytes += len(chunk)
    duration_s = time.perf_counter() - started
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"the feed answered {response.status}")
    return received, size_bytes, first_s, duration_s


# --- Filtered pages --------------------------------------------------------------------------------------------------

Parameters = list[tuple[str, str]]


def filtered_pages(options: Options) -> Iterator[Figure]:
    with Server(stores.large(options)) as server:
        head = server.head()
        for name, make in FILTERS.items():
            done = load(server, options, "GET", filter_paths(make, head), connections=FILTER_CONNECTIONS)
            is_met = done.p99_ms <= 20 and not done.errors
            what = f"page of {PAGE_EVENTS} by {name} at {head:,} events"
            note = f"{FILTER_CONNECTIONS} connections; {done.server_use}; slowest {done.max_ms:.0f} ms"
            yield Figure(what, done.per_s, "pages/s", "p99 ≤ 20 ms", is_met, done.latencies_ms, done.errors, note)


def filter_paths(make: Callable[[random.Random], Parameters], head: int) -> list[str]:
    """Pages from anywhere in the log; rare names are asked for as often as frequent ones."""
    rng = random.Random(1)
    limit = ("limit", str(PAGE_EVENTS))
    pages = ([*make(rng), ("after", str(rng.randrange(head))), limit] for _ in range(FILTER_PAGES))
    return [f"/v1/events?{urlencode(page, quote_via=quote)}" for page in pages]


def _event_type(rng: random.Random) -> Parameters:
    return [("event_type", rng.choice([name for names in EVENT_TYPES.values() for name in names]))]


def _tag(rng: random.Random) -> Parameters:
    kinds = (customer(rng), f"region:{rng.choice(REGIONS)}", f"campaign:{rng.randrange(CAMPAIGNS)}", "flag:fraud")
    return [("tag", rng.choice(kinds))]


def _aggregate_type(rng: random.Random) -> Parameters:
    return [("aggregate_type", rng.choice(list(EVENT_TYPES)))]


FILTERS: dict[str, Callable[[random.Random], Parameters]] = {
    "type": _event_type,
    "tag": _tag,
    "type and tag": lambda rng: _event_type(rng) + _tag(rng),
    "aggregate type": _aggregate_type,
}


# --- Memory and start ------------------------------------------------------------------------------------------------


def memory(options: Options) -> Iterator[Figure]:
    """Resident memory of the server on the large store after reads of all kinds."""
    with Server(stores.large(options)) as server:
        head = server.head()
        for make in FILTERS.values():
            load(server, options, "GET", filter_paths(make, head), connections=READ_CONNECTIONS)
        read_feed(server, options.events_feed)
        used = server.memory_bytes()
    mb = used["now"] / 1e6
    note = f"at most {used['most'] / 1e6:.0f} MB since the start"
    yield Figure(f"memory at {head:,} events after reads", mb, "MB", "≤ 300 MB", mb <= 300, note=note)


def startup(options: Options) -> Iterator[Figure]:
    """From the start of the process to the first answer; the median of some starts."""
    for what, path, goal in (
        ("start with an empty store", stores.empty(options, "start"), ""),
        (f"start with {options.events:,} events", stores.large(options), "≤ 2 s"),
    ):
        times = []
        for _ in range(STARTS):
            with Server(path) as server:
                times.append(server.start_s)
        median = sorted(times)[STARTS // 2]
        note = f"{STARTS} starts: {', '.join(f'{one:.2f}' for one in times)} s"
        yield Figure(what, median, "s", goal, median <= 2 if goal else None, note=note)
