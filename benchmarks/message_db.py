"""Message DB in a PostgreSQL server, and load on it by pgbench. Its SQL comes from npm."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.postgres.server import PostgresServer

from benchmarks import appends
from benchmarks.stores import Options

PGBENCH_LEAST_S: Final = 5
"""Making its connections counts in the time that pgbench is given, but not in the rate."""

PGBENCH_MOST_S: Final = 320
"""A busy machine may not get past the connections in less; then it is given twice the time, up to this."""

PACKAGE: Final = "@eventide/message-db@1.3.1"

_SCRIPT: Final = """\\set stream random(1, {aggregates})
SELECT message_store.write_message(gen_random_uuid()::varchar, 'order-' || :stream, 'OrderLineAdded', '{data}'::jsonb)
FROM generate_series(1, {messages});
"""


def install(database: PostgresServer) -> str | None:
    """The URL of a new database with Message DB in it; None where there is no npm."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    url = database.new_database()
    with tempfile.TemporaryDirectory(prefix="indelible-message-db-") as folder:
        command = [npm, "install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
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


def load(database: PostgresServer, url: str, options: Options, *, connections: int, messages: int = 1) -> float:
    """Messages written a second, so many by each statement, once they are seen to be stored."""
    held = _count(database, url)
    database.query("ALTER ROLE postgres SET search_path = message_store, public")
    with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8") as script:
        data = appends.some_event_json()
        script.write(_SCRIPT.format(aggregates=appends.AGGREGATES, data=data, messages=messages))
        script.flush()
        per_s, written = _pgbench(database, script.name, url, connections, max(options.duration_s, PGBENCH_LEAST_S))
    database.query("ALTER ROLE postgres RESET search_path")
    if (stored := _count(database, url) - held) != written * messages:
        raise RuntimeError(f"{written * messages:,} messages were written, and {stored:,} are stored")
    return per_s * messages


def _count(database: PostgresServer, url: str) -> int:
    return int(database.query("SELECT count(*) FROM message_store.messages", url=url)[0][0])


def _pgbench(database: PostgresServer, script: str, url: str, connections: int, duration_s: int) -> tuple[float, int]:
    """Transactions a second, and how many. It ends with an error, and prints no rate, when it has done none."""
    command: list[str | Path] = [
        database.programs / "pgbench", "--no-vacuum", "--protocol", "prepared", "--file", script,
        "--client", str(connections), "--time", str(duration_s), url,
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    rate = re.search(r"tps = ([0-9.]+)", done.stdout)
    count = re.search(r"number of transactions actually processed: (\d+)", done.stdout)
    if rate is not None and count is not None and float(rate[1]) > 0:
        return float(rate[1]), int(count[1])
    if count is None or int(count[1]) or duration_s > PGBENCH_MOST_S / 2:
        raise RuntimeError(f"pgbench printed no rate:\n{done.stdout}{done.stderr}")
    return _pgbench(database, script, url, connections, 2 * duration_s)
