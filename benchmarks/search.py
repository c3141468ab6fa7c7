"""The query index: how fast it is made from events, and how fast it finds them. First without a server."""

import asyncio
import random
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import search_server
from benchmarks.dataset import (
    CUSTOMERS,
    EVENT_TYPES,
    REGIONS,
    SEARCH_FIELDS,
    product,
    searched_data,
    searched_tags,
    word,
)
from benchmarks.process import Process
from benchmarks.report import Figure, print_note
from benchmarks.stores import Options
from indelible.cursors import START, cursor_at
from indelible.events import format_timestamp, new_event_id
from indelible.indexes.documents import DocumentMaker
from indelible.indexes.index import QueryIndex
from indelible.indexes.makers import make_index
from indelible.indexes.sqlite import SqliteIndex
from indelible.json_text import encode_json
from indelible.limits import INDEX_BATCH_EVENTS_MAX
from indelible.search import SearchQuery, Where

EVENTS_MAX: Final = 1_000_000
LIMIT: Final = 20
SEARCHES: Final = 1_000
SEARCHES_REMOTE: Final = 200
"""Of each kind, one after another."""

FIRST_US: Final = 1_770_000_000_000_000
STEP_US: Final = 200

_TYPES: Final = [(kind, name, weight) for kind, names in EVENT_TYPES.items() for name, weight in names.items()]
_WEIGHTS: Final = [weight for _, _, weight in _TYPES]


def search(options: Options) -> Iterator[Figure]:
    events = min(options.events, EVENTS_MAX)
    with _made(options) as made:
        yield from asyncio.run(_measure(made, events))
    if options.index == "sqlite":
        yield from search_server.search_server(options)


class _Made(NamedTuple):
    index: QueryIndex
    size_bytes: Callable[[], int]
    """What it takes; 0: nobody knows."""
    process: Process | None
    """Of the service, if it is one that was started."""
    name: str
    searches: int
    """Of each kind, one after another."""
    per_s: int
    """Events that are to be added in a second of this process's time."""


@contextmanager
def _made(options: Options) -> Iterator[_Made]:
    if options.index == "sqlite":
        folder = options.folder / "search"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield _Made(SqliteIndex(folder / "search.db"), lambda: _size_bytes(folder), None, "sqlite", SEARCHES, 20_000)
        shutil.rmtree(folder)
    elif options.index == "opensearch":
        from indexes.opensearch_server import opensearch_server  # by the path that relay_clients adds

        with opensearch_server(large=True) as server:
            index, process = make_index(f"opensearch://{server.address}/benchmark"), Process()
            process.pid = server.pid
            yield _Made(
                index, lambda: _size_bytes(server.folder / "data"), process, "opensearch", SEARCHES_REMOTE, 5_000
            )
    else:
        yield _Made(make_index(options.index), lambda: 0, None, options.index.partition(":")[0], SEARCHES_REMOTE, 5_000)


async def _measure(made: _Made, events: int) -> list[Figure]:
    await made.index.open()
    await made.index.drop()
    try:
        return [await _fill(made, events), *[await _searches(made, events, kind) for kind in KINDS]]
    finally:
        await made.index.drop()
        await made.index.close()


async def _fill(made: _Made, events: int) -> Figure:
    """What a rebuild does with the events that it has read; the reading is in the figures of the feed."""
    index = made.index
    generation, maker = await index.begin(SEARCH_FIELDS), DocumentMaker(SEARCH_FIELDS)
    cpu_s = wall_s = 0.0
    size_bytes = 0
    cursor = START
    for first in range(0, events, INDEX_BATCH_EVENTS_MAX):
        count = min(INDEX_BATCH_EVENTS_MAX, events - first)
        if first % 100_000 == 0:
            print_note(f"indexing event {first:,} of {events:,}")
        lines = _lines(first, count)
        size_bytes += len(lines)
        begun = time.process_time(), time.perf_counter()
        documents = [maker.document_of(line) for line in lines.split(b"\n")]
        after, cursor = cursor, cursor_at(first + count)
        await index.apply(generation.number, documents, after=after, cursor=cursor)
        cpu_s += time.process_time() - begun[0]
        wall_s += time.perf_counter() - begun[1]
    begun = time.process_time(), time.perf_counter()
    await index.swap(generation.number)
    cpu_s += time.process_time() - begun[0]
    wall_s += time.perf_counter() - begun[1]
    taken = made.size_bytes()
    service_s = 0.0 if made.process is None else made.process.cpu_s()
    return Figure(
        f"query index ({made.name}), {events:,} events of {size_bytes // events} bytes", events / cpu_s,
        "events/s of processor time", f"≥ {made.per_s:,} events/s", events / cpu_s >= made.per_s,
        note=f"{events / wall_s:,.0f} events/s by the clock{f'; {taken / events:.0f} bytes an event' if taken else ''}"
        f"{f'; {1e6 * service_s / events:.0f} µs of the service an event' if service_s else ''}",
    )  # fmt: skip


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-wal"))


def _lines(first: int, count: int) -> bytes:
    rng = random.Random(first)
    return b"\n".join(_line(rng, number) for number in range(first, first + count))


def _line(rng: random.Random, number: int) -> bytes:
    kind, name, _ = rng.choices(_TYPES, _WEIGHTS)[0]
    line = {
        "event_id": str(new_event_id()),
        "event_type": name,
        "aggregate_type": kind,
        "aggregate_id": f"{number // 25 + rng.randrange(4_000):08d}",
        "version": rng.randrange(1, 30),
        "position": number + 1,
        "timestamp": format_timestamp(FIRST_US + number * STEP_US),
        "event_data": searched_data(rng),
        "metadata": {},
        "tags": searched_tags(rng),
        "content_type": "application/json",
        "hash": "0" * 64,
    }
    return encode_json(line)


# --- Searches --------------------------------------------------------------------------------------------------------

MakeQuery = Callable[[random.Random, int], SearchQuery]


def _time(rng: random.Random, events: int) -> datetime:
    return datetime.fromtimestamp((FIRST_US + rng.randrange(events) * STEP_US) / 1_000_000, UTC)


def _where(*conditions: tuple[str, str, object]) -> tuple[Where, ...]:
    return tuple(Where(f"event_data.{field}", operator, value) for field, operator, value in conditions)


def _broad(rng: random.Random, events: int) -> SearchQuery:
    cents = rng.randrange(1_000, 9_000)
    return SearchQuery(
        event_types=("OrderPlaced",),
        where=_where(("price_cents", ">=", cents), ("price_cents", "<", cents + 500)),
        until=_time(rng, events),
    )


KINDS: Final[dict[str, tuple[float, MakeQuery]]] = {
    "one customer": (20, lambda rng, _: SearchQuery(where=_where(("customer", "=", rng.randrange(CUSTOMERS))))),
    "one product": (20, lambda rng, _: SearchQuery(where=_where(("product", "=", product(rng))))),
    "one price": (20, lambda rng, _: SearchQuery(where=_where(("price_cents", "=", rng.randrange(1_000, 10_000))))),
    "a price range of an event type": (100, _broad),
    "one word": (100, lambda rng, _: SearchQuery(word(rng))),
    "two words": (100, lambda rng, _: SearchQuery(f"{word(rng)} {word(rng)}")),
    "a frequent phrase": (100, lambda *_: SearchQuery('"at the door"')),
    "a word of one region": (100, lambda rng, _: SearchQuery(word(rng), tags=(f"region:{rng.choice(REGIONS)}",))),
}
"""With the most that the 99th percentile should be, in milliseconds."""


async def _searches(made: _Made, events: int, kind: str) -> Figure:
    most_ms, make = KINDS[kind]
    rng = random.Random(kind)
    queries = [make(rng, events).checked(SEARCH_FIELDS) for _ in range(made.searches)]
    took_ms, cpu_s = await _each(
        [lambda query=query: made.index.search(query, order="newest", limit=LIMIT, behind=None) for query in queries]
    )
    took_ms.sort()
    latencies = {
        name: took_ms[int(part * (made.searches - 1))] for name, part in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
    }
    is_met = latencies["p99"] <= most_ms
    note = f"{1_000 * cpu_s / made.searches:.2f} ms of processor time each"
    return Figure(
        f"search for {kind}, {LIMIT} events", 1_000 * made.searches / sum(took_ms), "searches/s",
        f"p99 ≤ {most_ms:g} ms", is_met, latencies, note=note,
    )  # fmt: skip


async def _each(calls: Sequence[Callable[[], Awaitable[object]]]) -> tuple[list[float], float]:
    """Milliseconds of each, and seconds of processor time of all."""
    took_ms = []
    cpu_s = time.process_time()
    for call in calls:
        begun = time.perf_counter()
        await call()
        took_ms.append(1_000 * (time.perf_counter() - begun))
    return took_ms, time.process_time() - cpu_s
