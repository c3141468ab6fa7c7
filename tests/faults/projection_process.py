"""A projection in a process of its own, which goes on until it is killed. Its one argument is a job in JSON.

The read model has a row for each aggregate: how many events it has, and a number that depends on all of them and on
their order. So it shows an event that is missing, that came twice, or in the wrong place.
"""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Mapping
from contextlib import aclosing, closing
from typing import Any, Final

import msgspec

import measured
from indelible import AsyncClient, Cursor, RecordedEvent
from indelible.projections import Projection, table_statements
from indelible.projections.sqlite import SqliteDatabase

NAME: Final = "totals"
MODULUS: Final = 1_000_003
FACTOR: Final = 31
TABLE: Final = "CREATE TABLE IF NOT EXISTS totals (aggregate_id text PRIMARY KEY, events bigint, chain bigint)"
_ADD: Final = f"""
INSERT INTO totals VALUES ({{id}}, 1, {{number}}) ON CONFLICT (aggregate_id) DO UPDATE
SET events = totals.events + 1, chain = (totals.chain * {FACTOR} + excluded.chain) % {MODULUS}
"""


_PAUSE_S: Final = 0.005
"""Without care: so that there are many moments to be killed at."""


class Job(msgspec.Struct, frozen=True):
    url: str
    driver: str
    target: str
    """The URL of a PostgreSQL database, or the path of a database file."""


async def spawn(job: Job) -> asyncio.subprocess.Process:
    environment = {**os.environ, **measured.environment(), "PYTHONPATH": os.pathsep.join(sys.path)}
    text = msgspec.json.encode(job).decode()
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "faults.projection_process", text, env=environment
    )


def _number(event: RecordedEvent) -> int:
    return int(event.event_data["number"])


# --- With each driver, which alone is loaded -------------------------------------------------------------------------


async def _with_asyncpg(client: AsyncClient, target: str) -> None:
    import asyncpg

    from indelible.projections.asyncpg import AsyncpgDatabase

    statement = _ADD.format(id="$1", number="$2")

    async def handle(connection: Any, event: RecordedEvent) -> None:
        await connection.execute(statement, event.aggregate_id, _number(event))

    async with asyncpg.create_pool(target, min_size=0, max_size=2) as pool:
        database = AsyncpgDatabase(pool)
        await client.projection(NAME, database, handle, prepare=lambda connection: connection.execute(TABLE)).run()


async def _with_sqlalchemy(client: AsyncClient, target: str) -> None:
    import sqlalchemy

    from indelible.projections.sqlalchemy import SqlalchemyDatabase

    statement, table = sqlalchemy.text(_ADD.format(id=":id", number=":number")), sqlalchemy.text(TABLE)

    def handle(connection: Any, event: RecordedEvent) -> None:
        connection.execute(statement, {"id": event.aggregate_id, "number": _number(event)})

    engine = sqlalchemy.create_engine(target.replace("postgresql://", "postgresql+psycopg://"))
    database = SqlalchemyDatabase(engine)
    projection = Projection(client, NAME, database, handle, prepare=lambda connection: connection.execute(table))
    await projection.run()


async def _with_sqlite(client: AsyncClient, target: str) -> None:
    database = SqliteDatabase(target)
    await client.projection(NAME, database, _add, prepare=lambda connection: connection.execute(TABLE)).run()


def _add(connection: sqlite3.Connection, event: RecordedEvent) -> None:
    connection.execute(_ADD.format(id="?", number="?"), (event.aggregate_id, _number(event)))


async def _without_care(client: AsyncClient, target: str) -> None:
    """What a projection must not do: each thing is saved by itself. A check that is worth anything finds it."""
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        for statement in (TABLE, *table_statements("indelible_projections", "sqlite")):
            connection.execute(statement)
        connection.execute(f"INSERT OR IGNORE INTO indelible_projections VALUES ('{NAME}', 1, '0', true, NULL)")
        [(cursor,)] = connection.execute("SELECT cursor FROM indelible_projections")
        async with aclosing(client.follow(after=Cursor(cursor))) as pages:
            async for page in pages:
                for event in page.events:
                    _add(connection, event)
                    await asyncio.sleep(_PAUSE_S)
                connection.execute("UPDATE indelible_projections SET cursor = ?", (page.cursor,))


DRIVERS: Final[Mapping[str, Any]] = {
    "asyncpg": _with_asyncpg,
    "sqlalchemy": _with_sqlalchemy,
    "sqlite3": _with_sqlite,
    "without-care": _without_care,
}


async def _run(job: Job) -> None:
    async with AsyncClient(job.url) as client:
        await DRIVERS[job.driver](client, job.target)


if __name__ == "__main__":
    asyncio.run(_run(msgspec.json.decode(sys.argv[1], type=Job)))
