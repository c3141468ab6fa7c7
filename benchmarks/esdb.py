"""What the wire of KurrentDB's clients costs: single-event appends by kurrentdbclient and by this project's own client
over gRPC, in turn, with as many threads, to one server on one store."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

from kurrentdbclient import KurrentDBClient, StreamState
from kurrentdbclient import NewEvent as TheirEvent

from benchmarks import stores
from benchmarks.appends import AGGREGATES, some_event_data, some_event_json
from benchmarks.report import Figure
from benchmarks.server import Server
from benchmarks.stores import Options
from indelible import Client, NewEvent

THREADS = 16
SHARE = 0.7
"""Of the own client's rate that theirs is to have."""
_EVENT_TYPE = "OrderLineAdded"

Append = Callable[[int], object]
"""To the aggregate of this number."""


class _Load(NamedTuple):
    per_s: float
    latencies_ms: list[float]
    client_us: float
    """Processor time of the client, an append."""
    server_us: float

    @property
    def percentiles_ms(self) -> dict[str, float]:
        ordered = sorted(self.latencies_ms)
        shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
        return {name: ordered[min(int(len(ordered) * share), len(ordered) - 1)] for name, share in shares.items()}

    @property
    def use(self) -> str:
        client, server = f"{self.client_us:.0f}", f"{self.server_us:.0f}"
        return f"an append took {client} µs of the client's processor time and {server} µs of the server's"


def esdb(options: Options) -> Iterator[Figure]:
    """Each append is answered once it is on the disk; at the end all that were answered must be in the log."""
    config = options.folder / "esdb.toml"
    config.write_text('[wire.esdb]\naddress = "127.0.0.1:0"\n')
    with Server(stores.empty(options, "esdb"), "--grpc", "127.0.0.1:0", "--config", str(config)) as server:
        with KurrentDBClient(server.esdb_url) as theirs, Client(server.grpc_url) as own:
            appends = {
                "own client over gRPC": _own(own),
                "kurrentdbclient, Append": _theirs(theirs, is_batch=False),
                "kurrentdbclient, BatchAppend": _theirs(theirs, is_batch=True),
            }
            stored = sum(len(_load(server, append, options.warm_up_s).latencies_ms) for append in appends.values())
            rounds = [
                {what: _load(server, append, options.duration_s) for what, append in appends.items()}
                for _ in range(options.rounds)
            ]
        stored += sum(len(load.latencies_ms) for loads in rounds for load in loads.values())
        lost = stored - server.head()
        memory_mib = server.memory_bytes()["most"] / 2**20
    for what in appends:
        yield from _figures(
            what, [loads[what] for loads in rounds], [loads["own client over gRPC"] for loads in rounds]
        )
    if lost:
        raise RuntimeError(f"{lost} events that were answered are not in the log")
    yield Figure("server's memory, at its most", memory_mib, "MiB")


def _figures(what: str, loads: list[_Load], own: list[_Load]) -> Iterator[Figure]:
    middle = sorted(loads, key=lambda load: load.per_s)[len(loads) // 2]
    yield Figure(
        f"{what}, {THREADS} threads", middle.per_s, "events/s", latencies_ms=middle.percentiles_ms, note=middle.use
    )
    if loads is not own and what.endswith(" Append"):
        share = median(one.per_s / first.per_s for one, first in zip(loads, own, strict=True))
        yield Figure("... of the own client's rate", share, "", f"≥ {SHARE}", share >= SHARE)


def _own(client: Client) -> Append:
    data = some_event_data()
    return lambda number: client.append("order", f"bench-{number}", [NewEvent(_EVENT_TYPE, data)])


def _theirs(client: KurrentDBClient, *, is_batch: bool) -> Append:
    data = some_event_json().encode()

    def append(number: int) -> object:
        event = TheirEvent(type=_EVENT_TYPE, data=data)
        events = [event] if is_batch else event
        return client.append_to_stream(f"order-bench-{number}", current_version=StreamState.ANY, events=events)

    return append


def _load(server: Server, append: Append, duration_s: float) -> _Load:
    latencies_ms: list[float] = []
    client_s, server_s, started = time.process_time(), server.cpu_s(), time.perf_counter()
    threads = [
        threading.Thread(target=_append_until, args=(append, started + duration_s, random.Random(n), latencies_ms))
        for n in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s, client_s, server_s = (
        time.perf_counter() - started,
        time.process_time() - client_s,
        server.cpu_s() - server_s,
    )
    count = max(len(latencies_ms), 1)
    return _Load(len(latencies_ms) / took_s, latencies_ms, 1e6 * client_s / count, 1e6 * server_s / count)


def _append_until(append: Append, end: float, rng: random.Random, latencies_ms: list[float]) -> None:
    while (started := time.perf_counter()) < end:
        append(rng.randrange(AGGREGATES))
        latencies_ms.append((time.perf_counter() - started) * 1_000)
