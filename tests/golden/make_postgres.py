"""Makes the golden dump of the newest schema of PostgreSQL: a store as this version of Indelible leaves it behind.

As :mod:`golden.make` does for SQLite, with the same events: run it once for each new schema version, and commit what it
makes. ::

    PYTHONPATH=tests .venv/bin/python tests/golden/make_postgres.py
"""

import asyncio
import re
import subprocess
from pathlib import Path

from golden.make import FOLDER, fill, fill_groups, fill_relays
from indelible.core.store import LocalEventStore
from indelible.engines.postgres.engine import PostgresEngine
from indelible.engines.postgres.schema import migrations, newest
from postgres.server import PostgresServer, postgres_server

_OF_THIS_PG_DUMP = re.compile(r"^(\\(un)?restrict|SET transaction_timeout).*\n|^--.*\n|^\n", re.MULTILINE)
"""Lines that older servers, or older programs, do not know; comments and empty lines."""


def dump_of(schema_version: int) -> Path:
    return FOLDER / f"postgres_v{schema_version:04}.sql"


def lines_of(schema_version: int) -> Path:
    """Its events, one JSON line each, as its own version rendered them."""
    return dump_of(schema_version).with_suffix(".ndjson")


def dump(server: PostgresServer, url: str, *options: str) -> str:
    command = [server.programs / "pg_dump", "--no-owner", "--no-privileges", "--inserts", *options, url]
    dumped = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return _OF_THIS_PG_DUMP.sub("", dumped.stdout)


async def _make_store(url: str) -> bytes:
    engine = PostgresEngine(url)
    async with LocalEventStore(engine) as store:
        await fill(store)
        await fill_groups(engine)
        await fill_relays(engine)
        return (await store.read_feed(limit=1_000)).lines + b"\n"


def make() -> None:
    version = newest(migrations())
    with postgres_server() as server:
        url = server.new_database()
        lines_of(version).write_bytes(asyncio.run(_make_store(url)))
        dump_of(version).write_text(dump(server, url), "utf-8")
    print(f"{dump_of(version).name}: {dump_of(version).stat().st_size} bytes")


if __name__ == "__main__":
    make()
