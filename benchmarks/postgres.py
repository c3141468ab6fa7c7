"""How fast a store in PostgreSQL is: database, server and load share the machine's cores. Beside it, in the same
database server and with the same number of connections, ``write_message`` of Message DB, for comparison.

PostgreSQL comes from a development dependency. Message DB's SQL comes from npm; where there is no npm, that figure is
left out and said to be.
"""

import asyncio
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.postgres.server import PostgresServer, postgres_server

from benchmarks import appends, stores
from benchmarks.report import Figure, print_note
from benchmarks.server import Server
from benchmarks.stores import Options
from benchmarks.wrk import Load, load
from indelible import AsyncClient, NewEvent

READ_AGGREGATES: Final = 1_000
ROUNDS: Final = 3
"""Ours and Message DB's take turns, so that a machine whose speed varies treats both alike."""

PGBENCH_LEAST_S: Final = 5
"""Making its connections counts in the time that pgbench is given, but not in the rate."""

PGBENCH_MOST_S: Final = 320
"""A busy machine may not get past the connections in less; then it is given twice the time, up to this."""

MESSAGE_DB: Final = "@eventide/message-db@1.3.1"


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
    other = _message_db(database)
    url = database.new_database()
    ours: list[Load] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        with Server(url) as server:
            ours.append(appends.append_load(server, options, appends.body_with_id()))
        if other is not None:
            theirs.append(_write_messages(options, database, other))
    middle = sorted(ours, key=lambda one: one.per_s)[ROUNDS // 2]
    what = f"PostgreSQL: single-event appends, {appends.SINGLE_CONNECTIONS} connections"
    yield _figure(what, middle, middle.per_s, "events/s", "≥ 4,000/s", is_met=middle.per_s >= 4_000)
    if other is None:
        print_note("Message DB is left out: npm, which brings its SQL, is not here")
        return
    rate = statistics.median(theirs)
    yield Figure(f"Message DB: write_message, {appends.SINGLE_CONNECTIONS} connections", rate, "events/s")
    ratio = middle.per_s / rate
    note = f"medians of {ROUNDS} rounds in turn; {_each(one.per_s for one in ours)} against {_each(theirs)}"
    yield Figure("PostgreSQL: single-event appends against Message DB's", ratio, "", "≥ 2", ratio >= 2, note=note)


def _each(rates: Iterator[float] | list[float]) -> str:
    return ", ".join(f"{rate:,.0f}" for rate in rates)


def _message_db(database: PostgresServer) -> str | None:
    """The URL of a database with Message DB in it."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    url = database.new_database()
    with tempfile.TemporaryDirectory(prefix="indelible-message-db-") as folder:
        command = [npm, "install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", MESSAGE_DB]
        subprocess.run(command, check=True, capture_output=True)
        sql = Path(folder, "node_modules", "@eventide", "message-db", "database")
        # In the order of its own install script. Its only extension makes random UUIDs, as PostgreSQL does by now.
        files = [
            *(sql / name for name in ("roles/message-store.sql", "schema/message-store.sql", "tables/messages.sql")),
            *sorted((sql / "types").glob("*.sql")),
            *sorted((sql / "functions").glob("*.sql")),
            *sorted((sql / "indexes").glob("*.sql")),
        ]
        for file in files:
            database.query("SET check_function_bodies = off;" + file.read_text("utf-8"), url=url)
    return url


_PGBENCH_SCRIPT: Final = """\\set stream random(1, {aggregates})
SELECT message_store.write_message(gen_random_uuid()::varchar, 'order-' || :stream, 'OrderLineAdded', '{data}'::jsonb);
"""


def _write_messages(options: Options, database: PostgresServer, url: str) -> float:
    """Messages written a second, by as many connections as our load has."""
    database.query("ALTER ROLE postgres SET search_path = message_store, public")
    with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8") as script:
        script.write(_PGBENCH_SCRIPT.format(aggregates=appends.AGGREGATES, data=appends.some_event_json()))
        script.flush()
        rate = _pgbench(database, script.name, url, max(options.duration_s, PGBENCH_LEAST_S))
    database.query("ALTER ROLE postgres RESET search_path")
    return rate


def _pgbench(database: PostgresServer, script: str, url: str, duration_s: int) -> float:
    """Transactions a second. It ends with an error, and prints no rate, when it has done none."""
    command: list[str | Path] = [
        database.programs / "pgbench", "--no-vacuum", "--protocol", "prepared", "--file", script,
        "--client", str(appends.SINGLE_CONNECTIONS), "--time", str(duration_s), url,
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    rate = re.search(r"tps = ([0-9.]+)", done.stdout)
    if rate is not None and float(rate[1]) > 0:
        return float(rate[1])
    if "number of transactions actually processed: 0" not in done.stdout or duration_s > PGBENCH_MOST_S / 2:
        raise RuntimeError(f"pgbench printed no rate:\n{done.stdout}{done.stderr}")
    return _pgbench(database, script, url, 2 * duration_s)
