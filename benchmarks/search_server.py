"""A server with a query index: what the index costs those who append, how far it is behind, and how fast it is rebuilt.

Server and load share the machine. What is compared takes turns, and is judged by processor time.
"""

import asyncio
import json
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import stores
from benchmarks.appends import append_load
from benchmarks.dataset import SEARCH_FIELDS, searched_chunk, searched_data, searched_event, searched_tags
from benchmarks.report import Figure, print_note
from benchmarks.server import Server
from benchmarks.stores import Options
from benchmarks.subscriptions import percentiles, write_elsewhere
from indelible import AsyncClient, Client, NewEvent, SearchQuery
from indelible.cursors import cursor_at
from indelible.index_state import GenerationInfo
from indelible.search import Where

EVENTS_PER_S: Final = 5_000
BESIDE_EVENTS_PER_S: Final = 1_000
PATIENCE_S: Final = 600.0
_POLL_S: Final = 0.02
_POLL_WHILE_INDEXED_S: Final = 0.2
"""Each answer takes the server's time, which is measured meanwhile."""


def search_server(options: Options) -> Iterator[Figure]:
    with Server(stores.empty(options, "search-without")) as without:
        flags = _with_index(options.folder)
        with Server(stores.empty(options, "search-with"), *flags) as server:
            yield _appends(options, without, server)
            yield _keeping_up(options, server)
            yield _own_append(server, options.duration_s, 0)
            yield _own_append(server, options.duration_s, BESIDE_EVENTS_PER_S)
    count = options.events_feed
    with Server(stores.filled(options, f"searched-{count}", count, searched_chunk), *flags) as server:
        yield _rebuild(server, count)


def _with_index(folder: Path) -> Sequence[str]:
    settings = folder / "search.toml"
    fields = "".join(f'"{path}" = "{kind}"\n' for path, kind in SEARCH_FIELDS.items())
    settings.write_text(f"[index]\n[index.fields]\n{fields}")
    return ["--config", str(settings)]


def _serving(server: Server, newer_than: int = 0) -> GenerationInfo:
    """Once a generation with a greater number is searched, at the head."""
    with Client(server.url) as client:
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            serving = client.index.status().serving
            if serving is not None and serving.number > newer_than and not serving.lag:
                return serving
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"the index has not caught up: {serving}")
            time.sleep(_POLL_WHILE_INDEXED_S)


# --- What it costs those who append ----------------------------------------------------------------------------------


class _Cost(NamedTuple):
    cpu_us: float
    """Of the server, an append."""
    per_s: float


def _appends(options: Options, without: Server, server: Server) -> Figure:
    rng = random.Random(1)
    event = {"event_id": "EVENT_ID", "event_type": "OrderLineAdded", "event_data": searched_data(rng)}
    body = json.dumps({"events": [event | {"tags": searched_tags(rng)}]}, separators=(",", ":")).encode()
    alone, beside = list[_Cost](), list[_Cost]()
    for _ in range(options.rounds):
        alone.append(_cost(options, without, body, is_indexed=False))
        beside.append(_cost(options, server, body, is_indexed=True))
        print_note(f"without an index {alone[-1]}, with one {beside[-1]}")
    ratio = statistics.median(one.cpu_us / other.cpu_us for one, other in zip(beside, alone, strict=True))
    costs = [statistics.median(one.cpu_us for one in some) for some in (beside, alone)]
    rates = [statistics.median(one.per_s for one in some) for some in (beside, alone)]
    note = (
        f"{costs[0]:.0f} µs of processor time an append with the index, {costs[1]:.0f} µs without; "
        f"{rates[0]:,.0f} appends/s with it, {rates[1]:,.0f} without"
    )
    return Figure("append with a query index", ratio, "times the time", "≤ 1.15", ratio <= 1.15, note=note)


def _cost(options: Options, server: Server, body: bytes, *, is_indexed: bool) -> _Cost:
    """What is left to index is part of it."""
    before, cpu_s = server.head(), server.cpu_s()
    done = append_load(server, options, body)
    if is_indexed:
        _serving(server)
    return _Cost(1e6 * (server.cpu_s() - cpu_s) / (server.head() - before), done.per_s)


# --- How far it is behind --------------------------------------------------------------------------------------------


def _make_event() -> NewEvent:
    return searched_event(_rng)


_rng: Final = random.Random(2)


def _keeping_up(options: Options, server: Server) -> Figure:
    cpu_s, before = server.cpu_s(), server.head()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write_elsewhere, server.url, EVENTS_PER_S, options.duration_s, _make_event)
        lags_s = list[float]()
        with Client(server.url) as client:
            while (at := client.head().position) < before + EVENTS_PER_S * options.duration_s and not writing.done():
                serving = client.index.status().serving
                if serving is not None and at > before:
                    lags_s.append(serving.lag_s)
                time.sleep(_POLL_S)
        written = writing.result()
    used = (server.cpu_s() - cpu_s) / options.duration_s
    # What is over between two looks is not seen.
    most_s = max([_POLL_S, *lags_s])
    note = f"p50 {1e3 * statistics.median(lags_s or [0.0]):.0f} ms; the server used {used:.2f} cores"
    note += "; appends took " + ", ".join(f"{name} {ms:.0f} ms" for name, ms in percentiles(written.append_ms).items())
    what = f"lag of the query index at {EVENTS_PER_S:,} appends/s, at most"
    return Figure(what, 1e3 * most_s, "ms", "≤ 1 s", most_s <= 1.0, note=note)


# --- One's own append ------------------------------------------------------------------------------------------------


def _own_append(server: Server, duration_s: int, beside_per_s: int) -> Figure:
    _serving(server)
    with ThreadPoolExecutor(1) as pool:
        if beside_per_s:
            pool.submit(write_elsewhere, server.url, beside_per_s, duration_s, _make_event)
        latencies_ms, total_ms = asyncio.run(_append_and_search(server, duration_s))
    latencies = percentiles(latencies_ms)
    what = "search that waits for one's own append, " + (f"{beside_per_s:,} others/s" if beside_per_s else "alone")
    note = f"p50 {percentiles(total_ms)['p50']:.1f} ms with the append itself"
    per_s = len(latencies_ms) / duration_s
    return Figure(what, per_s, "searches/s", "p50 ≤ 50 ms", latencies["p50"] <= 50, latencies, note=note)


async def _append_and_search(server: Server, duration_s: int) -> tuple[list[float], list[float]]:
    """In turn: milliseconds of each search, and with the append before it."""
    searched_ms, total_ms = list[float](), list[float]()
    async with AsyncClient(server.url) as client:
        until = time.monotonic() + duration_s
        while time.monotonic() < until:
            event = _make_event()
            began = time.perf_counter()
            appended = await client.append("own", str(len(total_ms) % 100), [event])
            acknowledged = time.perf_counter()
            query = SearchQuery(where=(Where("event_id", "=", str(event.event_id)),))
            page = await client.search(query, wait_for=cursor_at(appended.position))
            ended = time.perf_counter()
            if page.count != 1:
                raise RuntimeError("a search did not find one's own append")
            searched_ms.append(1e3 * (ended - acknowledged))
            total_ms.append(1e3 * (ended - began))
    return searched_ms, total_ms


# --- A rebuild -------------------------------------------------------------------------------------------------------


def _rebuild(server: Server, events: int) -> Figure:
    before = _serving(server).number
    cpu_s, began = server.cpu_s(), time.monotonic()
    with Client(server.url) as client:
        client.index.rebuild()
    _serving(server, before)
    took_s, cpu_s = time.monotonic() - began, server.cpu_s() - cpu_s
    note = f"{events / took_s:,.0f} events/s by the clock"
    return Figure(
        f"rebuild of the query index, {events:,} events", events / cpu_s, "events/s of processor time",
        "≥ 20,000 events/s", events / cpu_s >= 20_000, note=note,
    )  # fmt: skip
