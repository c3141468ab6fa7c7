"""The database itself refuses to change what is stored, whoever asks."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import pytest

from indelible.core.open import open_local_store
from indelible.core.verify import verify
from indelible.events import NewEvent

NEW_ID, NEW_HASH = f"x'{'ab' * 16}'", f"x'{'cd' * 32}'"
EVENT = "(position, aggregate, version, event_type, event_id, timestamp_us, event_data, hash)"

REFUSED = [
    "UPDATE events SET event_data = '{}'",
    "UPDATE events SET position = position + 100",
    "UPDATE OR REPLACE events SET position = 1 WHERE position = 2",
    "DELETE FROM events",
    "DELETE FROM events WHERE position = 2",
    f"INSERT OR REPLACE INTO events {EVENT} VALUES (1, 1, 1, 1, {NEW_ID}, 0, '{{}}', {NEW_HASH})",
    f"REPLACE INTO events {EVENT} VALUES (2, 1, 9, 1, {NEW_ID}, 0, '{{}}', {NEW_HASH})",
    # The position and the version are new, the id is not; then the version is not.
    f"REPLACE INTO events {EVENT} SELECT 4, 1, 9, 1, event_id, 0, '{{}}', {NEW_HASH} FROM events WHERE position = 1",
    f"REPLACE INTO events {EVENT} VALUES (4, 1, 1, 1, {NEW_ID}, 0, '{{}}', {NEW_HASH})",
    # Not the next position: a gap, or a place before the first event.
    f"INSERT INTO events {EVENT} VALUES (5, 1, 9, 1, {NEW_ID}, 0, '{{}}', {NEW_HASH})",
    f"INSERT INTO events {EVENT} VALUES (0, 1, 9, 1, {NEW_ID}, 0, '{{}}', {NEW_HASH})",
    f"INSERT INTO events {EVENT} VALUES (1, 1, 1, 1, {NEW_ID}, 0, 1, {NEW_HASH}) ON CONFLICT DO UPDATE SET hash = 1",
    "UPDATE event_tags SET tag = 'other'",
    "DELETE FROM event_tags",
    "REPLACE INTO event_tags (tag, position, event_type) VALUES ('a', 1, 2)",
    "INSERT INTO event_tags (tag, position, event_type) VALUES ('a', 1, 2) ON CONFLICT DO UPDATE SET event_type = 2",
    "INSERT INTO event_tags (tag, position, event_type) VALUES ('new', 3, 1)",
    "UPDATE aggregates SET aggregate_id = 'other'",
    "DELETE FROM aggregates",
    "REPLACE INTO aggregates (id, aggregate_type, aggregate_id) VALUES (1, 1, 'other')",
    "REPLACE INTO aggregates (id, aggregate_type, aggregate_id) SELECT 9, aggregate_type, aggregate_id FROM aggregates",
    "UPDATE event_types SET name = 'Other'",
    "UPDATE event_types SET aggregate_type = 99",
    "DELETE FROM event_types",
    "REPLACE INTO event_types (id, aggregate_type, name) VALUES (1, 1, 'Other')",
    "UPDATE aggregate_types SET name = 'other'",
    "UPDATE aggregate_types SET id = 99",
    "DELETE FROM aggregate_types",
    "REPLACE INTO aggregate_types (id, name) VALUES (1, 'other')",
]


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "store.db"
    async with open_local_store(f"sqlite:{path}") as store:
        await store.append("order", "1", [NewEvent("Opened", {"n": 1}, tags=["a"]), NewEvent("Closed", {"n": 2})])
        await store.append("order", "2", [NewEvent("Opened", {"n": 3}, tags=["a"])])
    yield path
    async with open_local_store(f"sqlite:{path}") as store:
        report = await verify(store)
        assert (report.damage, report.verified) == (None, 3)
        assert (await store.read_feed()).count == 3


@pytest.fixture(params=["sqlite3", "apsw"])
def connection(path: Path, request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection | apsw.Connection]:
    """As anybody may open the file: with the system's SQLite, or with the one that the engine has."""
    if request.param == "sqlite3":
        other: sqlite3.Connection | apsw.Connection = sqlite3.connect(path, isolation_level=None)
    else:
        other = apsw.Connection(str(path))
    yield other
    other.close()


@pytest.mark.parametrize("sql", REFUSED)
async def test_a_change_is_refused(connection: sqlite3.Connection | apsw.Connection, sql: str) -> None:
    before = [list(connection.execute(f"SELECT * FROM {table}")) for table in TABLES]
    with pytest.raises((sqlite3.IntegrityError, apsw.ConstraintError), match="immutable"):
        connection.execute(sql)
    assert [list(connection.execute(f"SELECT * FROM {table}")) for table in TABLES] == before


TABLES = ("events", "event_tags", "aggregates", "event_types", "aggregate_types")


async def test_what_an_append_does_is_still_allowed(path: Path) -> None:
    """The triggers refuse changes alone: without this, refusing everything would pass too."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("INSERT INTO event_tags (tag, position, event_type) VALUES ('a', 4, 1)")
    connection.execute(f"INSERT INTO events {EVENT} VALUES (4, 1, 3, 1, {NEW_ID}, 0, '{{}}', {NEW_HASH})")
    connection.execute("UPDATE event_types SET events = events + 1 WHERE id = 1")
    connection.execute("INSERT INTO aggregate_types (name) VALUES ('customer')")
    connection.execute("INSERT INTO aggregates (aggregate_type, aggregate_id) VALUES (2, '1')")
    connection.execute("INSERT INTO event_types (aggregate_type, name) VALUES (2, 'Opened')")
    connection.execute("ROLLBACK")
    connection.close()
