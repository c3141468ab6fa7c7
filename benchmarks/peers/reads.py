"""Reads of a store of 300,000 events, against UmaDB with the same events, and what these take on disk."""

import itertools
import json
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from benchmarks import reads, stores
from benchmarks.dataset import CHUNK_EVENTS, Generated, event_data
from benchmarks.peers import umadb
from benchmarks.peers.comparison import Row, Sample, Sides
from benchmarks.peers.h2load import GRPC, GRPC_CONNECTIONS, Done, grpc_frame, h2load
from benchmarks.peers.umadb import UmaDB
from benchmarks.report import print_note
from benchmarks.server import Server
from benchmarks.stores import Options
from benchmarks.wrk import load
from indelible import AggregateKey, NewEvent

TYPES: Final = tuple(f"OrderChanged{number}" for number in range(10))
REPEATS: Final = 3
"""Streams, one after another, that make one measurement."""
READ_STREAMS: Final = reads.READ_CONNECTIONS // GRPC_CONNECTIONS
NDJSON: Final = "accept: application/x-ndjson"
PAGE_BYTES: Final = 4_096
EVENT_BYTES_LEAST: Final = 125
"""Of an event in an answer: its payload alone."""


def rows() -> Iterator[tuple[str, Row]]:
    yield "aggregate", Row("aggregates of 30 events, read whole / UmaDB", "reads/s", 1.5, _aggregates)
    yield "replay", Row("replay of everything / UmaDB", "events/s", 1.0, partial(_streams, event_type=None))
    yield "type", Row("one event type of ten / UmaDB", "events/s", 1.5, partial(_streams, event_type=TYPES[3]))
    yield "disk", Row("bytes on disk an event / UmaDB", "bytes", None, _disk)


@contextmanager
def _aggregates(options: Options) -> Iterator[Sides]:
    aggregates = stores.feed_aggregates(options)
    paths = [f"/v1/aggregates/order/{number:08d}/events" for number in range(aggregates)]
    # h2load has one body for all requests, so UmaDB is asked for one aggregate again and again.
    request = umadb.read_request(umadb.query(tags=[f"order-{aggregates // 2:08d}"]))
    least_bytes = stores.EVEN_AGGREGATE_EVENTS * EVENT_BYTES_LEAST
    with Server(_ours(options)) as server, UmaDB(_theirs(options)) as other:

        def ours() -> Sample:
            done = load(server, options, "GET", paths, connections=reads.READ_CONNECTIONS)
            _check_bytes(done.received_bytes, done.requests * least_bytes)
            cpu_us = 1e6 * done.server_cpu * done.duration_s / done.requests
            return Sample(done.per_s, cpu_us, done.p99_ms, done.errors)

        def theirs() -> Sample:
            def read(duration_s: int) -> Done:
                return h2load(
                    other, other.url("Read"), clients=GRPC_CONNECTIONS, streams=READ_STREAMS, duration_s=duration_s,
                    body=grpc_frame(request), headers=GRPC,
                )  # fmt: skip

            if options.warm_up_s:
                read(options.warm_up_s)
            done = read(options.duration_s)
            _check_bytes(done.data_bytes, done.succeeded * least_bytes)
            return Sample(done.per_s, 1e6 * done.cpu_s / done.succeeded, done.p99_ms, done.errors)

        yield Sides(ours, theirs)


@contextmanager
def _streams(options: Options, event_type: str | None) -> Iterator[Sides]:
    """h2load takes what both stream, and throws it away. The first of ours is not timed, and its lines are counted."""
    count = options.events_feed if event_type is None else options.events_feed // len(TYPES)
    path = "/v1/events" + ("" if event_type is None else f"?{urlencode({'event_type': event_type})}")
    wanted = None if event_type is None else umadb.query([event_type])
    with Server(_ours(options)) as server, UmaDB(_theirs(options)) as other:
        size_bytes = _check_lines(server, path, count)

        def ours() -> Sample:
            done = h2load(server, server.url + path, requests=REPEATS, headers=[NDJSON], http1=True)
            _check_bytes(done.data_bytes, REPEATS * size_bytes)
            return _sample(done, count)

        def theirs() -> Sample:
            body = grpc_frame(umadb.read_request(wanted))
            done = h2load(other, other.url("Read"), requests=REPEATS, body=body, headers=GRPC)
            _check_bytes(done.data_bytes, REPEATS * count * EVENT_BYTES_LEAST)
            return _sample(done, count)

        theirs()
        yield Sides(ours, theirs)


def _sample(done: Done, count: int) -> Sample:
    events = done.succeeded * count
    return Sample(events / done.duration_s, 1e6 * done.cpu_s / events, None, done.errors)


def _check_bytes(received: int, least: int) -> None:
    if received < least:
        raise RuntimeError(f"{received:,} bytes came where at least {least:,} were asked for")


def _check_lines(server: Server, path: str, count: int) -> int:
    """The bytes of an answer that has as many lines as there are events."""
    body = server.get(path, NDJSON.partition(": ")[2])
    if (lines := body.count(b"\n")) != count:
        raise RuntimeError(f"{path} has {lines:,} lines for {count:,} events")
    return len(body)


# --- The two stores --------------------------------------------------------------------------------------------------


def _chunk(aggregates: int, number: int) -> list[Generated]:
    """Orders that get one event after another in turn, of all types in turn."""
    rng = random.Random(number)
    first = number * CHUNK_EVENTS
    return [
        Generated(
            AggregateKey("order", f"{index % aggregates:08d}"),
            NewEvent(TYPES[(index + index // aggregates) % len(TYPES)], event_data(rng)),
        )
        for index in range(first, first + CHUNK_EVENTS)
    ]


def _ours(options: Options) -> Path:
    return stores.filled(options, "ours-to-read", options.events_feed, partial(_chunk, stores.feed_aggregates(options)))


def _theirs(options: Options) -> Path:
    """The aggregate is a tag."""
    path = options.folder / f"umadb-{options.events_feed}.db"
    with UmaDB(path) as server:
        held = server.head()
        print_note(f"preparing {path} with {options.events_feed:,} events")
        server.fill(itertools.islice(_messages(options), held, options.events_feed))
    return path


def _messages(options: Options) -> Iterable[bytes]:
    for number in itertools.count():
        for key, event in _chunk(stores.feed_aggregates(options), number):
            data = json.dumps(event.event_data, separators=(",", ":")).encode()
            yield umadb.event(event.event_type, data, [f"{key.aggregate_type}-{key.aggregate_id}"])


@contextmanager
def _disk(options: Options) -> Iterator[Sides]:
    def ours() -> Sample:
        path = _ours(options)
        blocks = sum(file.stat().st_blocks for file in path.parent.glob(f"{path.name}*"))
        return Sample(512 * blocks / options.events_feed)

    yield Sides(ours, lambda: Sample(_written_bytes(_theirs(options)) / options.events_feed))


def _written_bytes(path: Path) -> int:
    """Of the pages that are not empty: UmaDB sets space aside in large steps."""
    empty, written = bytes(PAGE_BYTES), 0
    with path.open("rb") as file:
        while page := file.read(PAGE_BYTES):
            written += len(page) * (page != empty)
    return written
