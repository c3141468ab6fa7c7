"""The projection is killed, runs twice at once and loses its database, and counts each event once."""

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.running import environment, server
from indelible import Client, NewEvent
from postgres.server import PostgresServer

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "postgres_projection.py"
TIMEOUT_S = 120
ORDERS = 40
CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

Copy = subprocess.Popen[bytes]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with server(tmp_path) as (url, _):
        yield url


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    return postgres.new_database()


def command(url: str, database: str, *more: str) -> list[str]:
    return [sys.executable, str(PROGRAM), "--url", url, "--database", database, *more]


def run_once(url: str, database: str) -> None:
    done = subprocess.run(
        command(url, database, "--once"), check=False, timeout=TIMEOUT_S, env=environment(), capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()


@contextlib.contextmanager
def copies(url: str, database: str, log: Path, count: int) -> Iterator[list[Copy]]:
    with log.open("ab") as output:
        running = [start(url, database, output) for _ in range(count)]
        try:
            yield running
        finally:
            for copy in running:
                copy.kill()
                copy.wait(TIMEOUT_S)


def start(url: str, database: str, output: Any) -> Copy:
    return subprocess.Popen(command(url, database), stdout=output, stderr=output, env=environment())


def append_some(client: Client, choose: random.Random, versions: dict[str, int]) -> None:
    order = str(choose.randrange(ORDERS))
    version = versions.get(order, 0)
    event = NewEvent("OrderPlaced", {"total": choose.randrange(1, 1_000)})
    if version:
        event = NewEvent(choose.choice(["OrderPaid", "OrderCancelled", "OrderSeen"]))
    versions[order] = client.append("order", order, [event, NewEvent("OrderSeen")], expected_version=version).version


def rows_of_events(client: Client) -> list[tuple[str, int, str, int]]:
    rows: dict[str, tuple[str, int, str, int]] = {}
    states = {"OrderPlaced": "placed", "OrderPaid": "paid", "OrderCancelled": "cancelled"}
    for event in client.iter_feed():
        state = states.get(event.event_type)
        if state is not None:
            total = event.event_data["total"] if state == "placed" else rows[event.aggregate_id][3]
            rows[event.aggregate_id] = (event.aggregate_id, event.version, state, total)
    return sorted(rows.values())


def test_the_table_is_what_the_events_say_whatever_dies(
    url: str, database: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    choose, versions, log = random.Random(7), dict[str, int](), tmp_path / "copies.log"
    with Client(url) as client, copies(url, database, log, 2) as running, log.open("ab") as output:
        for _ in range(6):
            for _ in range(40):
                append_some(client, choose, versions)
            time.sleep(choose.uniform(0.1, 0.6))
            if choose.random() < 0.3:
                postgres.query(CUT, url=database)
            place = choose.randrange(2)
            running[place].kill()
            running[place].wait(TIMEOUT_S)
            running[place] = start(url, database, output)
    run_once(url, database)
    with Client(url) as client:
        expected = rows_of_events(client)
    found = postgres.query("SELECT order_id, version, state, total FROM orders ORDER BY order_id", url=database)
    assert [(*row[:3], int(row[3])) for row in found] == sorted(expected)
    assert "Traceback" not in log.read_text()


def test_the_table_is_made_anew_where_it_is_gone(url: str, database: str, postgres: PostgresServer) -> None:
    with Client(url) as client:
        client.append("order", "o-1", [NewEvent("OrderPlaced", {"total": 42.5}), NewEvent("OrderPaid")])
    for _ in range(2):
        run_once(url, database)
        found = postgres.query("SELECT order_id, version, state, total FROM orders", url=database)
        assert [(*row[:3], float(row[3])) for row in found] == [("o-1", 2, "paid", 42.5)]
        postgres.query("DROP TABLE orders, indelible_projections", url=database)
