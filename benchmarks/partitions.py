"""What partitions are worth on one machine: single appends to one server over one partition in PostgreSQL, and over
four, in turn. Server, database and load share the cores, so this says what waiting for one log costs, and not what more
machines bring."""

from collections.abc import Iterator
from statistics import median

from tests.postgres.server import PostgresServer, postgres_server

from benchmarks.appends import append_load, body_with_id
from benchmarks.report import Figure
from benchmarks.server import Server
from benchmarks.stores import Options
from benchmarks.wrk import Load

MANY = 4


def partitions(options: Options) -> Iterator[Figure]:
    with postgres_server() as database, Server(database.new_database()) as one, Server(_many(database)) as many:
        rounds = [
            (append_load(one, options, body_with_id()), append_load(many, options, body_with_id()))
            for _ in range(options.rounds)
        ]
    yield _figure("one partition", [of_one for of_one, _ in rounds])
    yield _figure(f"{MANY} partitions", [of_many for _, of_many in rounds])
    ratio = median(of_many.per_s / of_one.per_s for of_one, of_many in rounds)
    yield Figure(f"{MANY} partitions against one", ratio, "times", "≥ 1.3", ratio >= 1.3)


def _many(database: PostgresServer) -> str:
    return f"{database.new_database()}?partitions={MANY}"


def _figure(what: str, loads: list[Load]) -> Figure:
    middle = sorted(loads, key=lambda one: one.per_s)[len(loads) // 2]
    errors = sum(one.errors for one in loads)
    what = f"PostgreSQL, {what}: single-event appends"
    return Figure(what, middle.per_s, "events/s", "", None, middle.latencies_ms, errors, middle.server_use)
