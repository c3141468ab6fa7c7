"""How fast a store in PostgreSQL is: database, server and load share the machine's cores. Beside it, in the same
database server and with the same number of connections, ``write_message`` of Message DB, for comparison.

PostgreSQL comes from a development dependency. Message DB's SQL comes from npm; where there is no npm, that figure is
left out and said to be.
"""

import asyncio
import statistics
from collections.abc import Iterator
from typing import Final

from tests.postgres.server import PostgresServer, postgres_server

from benchmarks import appends, message_db, stores
from benchmarks.report import Figure, print_note
from benchmarks.server import Server
from benchmarks.stores import Options
from benchmarks.wrk import Load, load
from indelible import AsyncClient, NewEvent

READ_AGGREGATES: Final = 1_000
"""Ours and Message DB's take turns, so that a machine whose speed varies treats both alike."""


def postgres(options: Options) -> Iterator[Figure]:
    with postgres_server() as database:
        yield from _batches(options, database.new_database())
        yield from _reads(options, database.new_database())
        yield from _singles(options, database)


def _batches(options: Options, url: str) -> Iterator[Figure]:
    with Server(url) as server:
        done = appends.batch_load(server, options)
    events_per_s = done.per_s * appends.BATCH_EVENTS
    what = f"PostgreSQL: {appends.BATCH_EVENTS}-event appends"
    yield _figure(what, done, events_per_s, "events/s", "≥ 20,000 events/s", is_met=events_per_s >= 20_000)


def _reads(options: Options, url: str) -> Iterator[Figure]:
    with Server(url) as server:
        asyncio.run(_fill(server.url))
        paths = [f"/v1/aggregates/order/{number}/events" for number in range(READ_AGGREGATES)]
        done = load(server, options, "GET", paths, connections=32)
    what = f"PostgreSQL: read one aggregate of {stores.EVEN_AGGREGATE_EVENTS} events"
    yield _figure(what, done, done.per_s, "reads/s", "≥ 1,500/s", is_met=done.per_s >= 1_500)


async def _fill(url: str) -> None:
    async with AsyncClient(url) as client:
        data = appends.some_event_data()
        for first in range(0, READ_AGGREGATES, 100):
            await asyncio.gather(
                *(
                    client.append(
                        "order",
                        str(number),
                        [NewEvent("OrderLineAdded", data) for _ in range(stores.EVEN_AGGREGATE_EVENTS)],
                    )
                    for number in range(first, first + 100)
                )
            )


def _figure(what: str, done: Load, value: float, unit: str, goal: str, *, is_met: bool) -> Figure:
    note = f"{done.server_use}, the database's work aside; slowest {done.max_ms:.0f} ms"
    return Figure(what, value, unit, goal, is_met and not done.errors, done.latencies_ms, done.errors, note)


# --- Single appends, and Message DB ----------------------------------------------------------------------------------


def _singles(options: Options, database: PostgresServer) -> Iterator[Figure]:
    other = message_db.install(database)
    url = database.new_database()
    ours: list[Load] = []
    theirs: list[float] = []
    for _ in range(options.rounds):
        with Server(url) as server:
            ours.append(appends.append_load(server, options, appends.body_with_id()))
        if other is not None:
            theirs.append(message_db.load(database, other, options, connections=appends.SINGLE_CONNECTIONS))
    middle = sorted(ours, key=lambda one: one.per_s)[options.rounds // 2]
    what = f"PostgreSQL: single-event appends, {appends.SINGLE_CONNECTIONS} connections"
    yield _figure(what, middle, middle.per_s, "events/s", "≥ 4,000/s", is_met=middle.per_s >= 4_000)
    if other is None:
        print_note("Message DB is left out: npm, which brings its SQL, is not here")
        return
    rate = statistics.median(theirs)
    yield Figure(f"Message DB: write_message, {appends.SINGLE_CONNECTIONS} connections", rate, "events/s")
    ratio = middle.per_s / rate
    note = f"medians of {options.rounds} rounds in turn; {_each(one.per_s for one in ours)} against {_each(theirs)}"
    yield Figure("PostgreSQL: single-event appends against Message DB's", ratio, "", "≥ 2", ratio >= 2, note=note)


def _each(rates: Iterator[float] | list[float]) -> str:
    return ", ".join(f"{rate:,.0f}" for rate in rates)
