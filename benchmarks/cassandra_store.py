"""Single appends to a store on three nodes of Cassandra, of one partition and of sixteen, in turn; and how many events
a commit takes under that load. Nodes, server and load share the machine's cores: three real nodes have more than one
such machine."""

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.appends import append_load, body_with_id
from benchmarks.report import Figure
from benchmarks.server import Server
from benchmarks.stores import Options
from benchmarks.wrk import Load
from indelible.core.open import init_store

# As pytest has it: modules of the tests' servers import one another so.
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from cassandra_servers import CassandraServers, cassandra_servers

MANY = 16


def cassandra(options: Options) -> Iterator[Figure]:
    with cassandra_servers(large=True) as nodes, _server(nodes, 1) as one, _server(nodes, MANY) as many:
        rounds = [
            (append_load(one, options, body_with_id()), append_load(many, options, body_with_id()))
            for _ in range(options.rounds)
        ]
        a_commit = _events_a_commit(one), _events_a_commit(many)
    yield from _figures("one partition", [of_one for of_one, _ in rounds], a_commit[0], goal=50.0)
    yield from _figures(f"{MANY} partitions", [of_many for _, of_many in rounds], a_commit[1], goal=None)
    ratio = median(of_many.per_s / max(of_one.per_s, 1e-9) for of_one, of_many in rounds)
    yield Figure(f"{MANY} partitions against one", ratio, "times", "≥ 2", ratio >= 2)


def _server(nodes: CassandraServers, partitions: int) -> Server:
    url = nodes.url(f"bench{partitions}", f"?partitions={partitions}")
    asyncio.run(init_store(url))
    return Server(url)


def _events_a_commit(server: Server) -> float:
    text = server.get("/metrics").decode()
    events, commits = (
        sum(float(value) for value in re.findall(rf"^{name}{{[^}}]*}} (\S+)$", text, re.MULTILINE))
        for name in ("indelible_partition_committed_events_total", "indelible_partition_commit_seconds_count")
    )
    return events / max(commits, 1.0)


def _figures(what: str, loads: list[Load], a_commit: float, *, goal: float | None) -> Iterator[Figure]:
    middle = sorted(loads, key=lambda one: one.per_s)[len(loads) // 2]
    errors = sum(one.errors for one in loads)
    yield Figure(
        f"Cassandra, {what}: single-event appends", middle.per_s, "events/s", "", None, middle.latencies_ms, errors,
        middle.server_use,
    )  # fmt: skip
    is_met = None if goal is None else a_commit >= goal
    yield Figure(f"... events a commit, {what}", a_commit, "events", "" if goal is None else f"≥ {goal:.0f}", is_met)
