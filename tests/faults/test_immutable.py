"""The database itself refuses to change what is stored, whoever asks."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import pytest

from indelible.core.open import open_local_store
from indelible.core.verify import verify
from indelible.events import NewEvent

EVENT = "(position, aggregate, version, event_type, size_bytes, line)"

REFUSED = [
    "UPDATE events SET line = '{}'",
    "UPDATE events SET position = position + 100",
    "UPDATE OR REPLACE events SET position = 1 WHERE position = 2",
    "DELETE FROM events",
    "DELETE FROM events WHERE position = 2",
    f"INSERT OR REPLACE INTO events {EVENT} VALUES (1, 1, 1, 1, 2, '{{}}')",
    f"REPLACE INTO events {EVENT} VALUES (2, 1, 9, 1, 2, '{{}}')",
    # The next position: only the store knows which versions and ids there are.
    f"INSERT INTO events {EVENT} VALUES (4, 1, 3, 1, 2, '{{}}')",
    f"REPLACE INTO events {EVENT} SELECT 4, aggregate, version, event_type, 2, line FROM events WHERE position = 1",
    # Not the next position: a gap, or a place before the first event.
    f"INSERT INTO events {EVENT} VALUES (5, 1, 9, 1, 2, '{{}}')",
    f"INSERT INTO events {EVENT} VALUES (0, 1, 9, 1, 2, '{{}}')",
    f"INSERT INTO events {EVENT} VALUES (1, 1, 1, 1, 2, 1) ON CONFLICT DO UPDATE SET line = 1",
    "UPDATE event_types SET name = 'Other'",
    "UPDATE event_types SET aggregate_type = 'other'",
    "DELETE FROM event_types",
    "INSERT INTO event_types (aggregate_type, name) VALUES ('order', 'New')",
    "REPLACE INTO event_types (id, aggregate_type, name) VALUES (1, 'order', 'Other')",
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


TABLES = ("events", "event_types")


async def test_what_an_append_does_is_still_allowed(path: Path) -> None:
    """The triggers refuse everybody but the store's own connection, which has them off: without this, a table that
    takes nothing at all would pass too."""
    connection = apsw.Connection(str(path))
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.execute("BEGIN")
    connection.execute("INSERT INTO event_types (aggregate_type, name) VALUES ('customer', 'Opened')")
    connection.execute(f"INSERT INTO events {EVENT} VALUES (4, 1, 3, 1, 2, '{{}}')")
    connection.execute("ROLLBACK")
    connection.close()
