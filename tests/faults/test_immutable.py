"""The database itself refuses to change what is stored, whoever asks."""

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import pytest

from indelible.core.open import open_local_store
from indelible.core.verify import verify
from indelible.engines.sqlite.connections import connect_reader, connect_writer
from indelible.engines.sqlite.index_file import Index, index_path
from indelible.events import NewEvent

NEW_ID, NEW_HASH = "'0199d3c4-0000-7000-8000-0000000000ff'", f"'{'cd' * 32}'"
EVENT = "(position, aggregate, version, event_type, event_id, timestamp, hash, aggregate_id, event_data)"
REST = f"{NEW_ID}, '2026-01-01T00:00:00.000000Z', {NEW_HASH}, '1', '{{}}'"

REFUSED = [
    "UPDATE events SET event_data = '{}'",
    "UPDATE events SET position = position + 100",
    "UPDATE OR REPLACE events SET position = 1 WHERE position = 2",
    "DELETE FROM events",
    "DELETE FROM events WHERE position = 2",
    f"INSERT OR REPLACE INTO events {EVENT} VALUES (1, 1, 1, 1, {REST})",
    f"REPLACE INTO events {EVENT} VALUES (2, 1, 9, 1, {REST})",
    # The position and the version are new, the id is not; then the version is not.
    f"REPLACE INTO events {EVENT} SELECT 4, 1, 9, 1, event_id, timestamp, hash, '1', '{{}}' FROM events LIMIT 1",
    f"REPLACE INTO events {EVENT} VALUES (4, 1, 1, 1, {REST})",
    # All is new and the next: only the store knows which versions and ids there are.
    f"INSERT INTO events {EVENT} VALUES (4, 1, 3, 1, {REST})",
    f"INSERT INTO events {EVENT} VALUES (4, 4, 1, 1, {REST})",
    # Not the next position: a gap, or a place before the first event.
    f"INSERT INTO events {EVENT} VALUES (5, 1, 9, 1, {REST})",
    f"INSERT INTO events {EVENT} VALUES (0, 1, 9, 1, {REST})",
    f"INSERT INTO events {EVENT} VALUES (1, 1, 1, 1, {REST}) ON CONFLICT DO UPDATE SET hash = ''",
    "UPDATE event_types SET name = 'Other'",
    "UPDATE event_types SET aggregate_type = 'other'",
    "UPDATE event_types SET id = 99",
    "DELETE FROM event_types",
    "INSERT INTO event_types (aggregate_type, name) VALUES ('order', 'New')",
    "INSERT INTO event_types (aggregate_type, name) VALUES ('order', 'Opened') ON CONFLICT DO UPDATE SET name = 'No'",
    "REPLACE INTO event_types (id, aggregate_type, name) VALUES (1, 'order', 'Other')",
    "REPLACE INTO event_types (id, aggregate_type, name) SELECT 9, aggregate_type, name FROM event_types",
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
    """To the store's own connection, which has triggers off: without this, refusing everything would pass too."""
    connection = connect_writer(path)
    connection.execute("BEGIN")
    connection.execute("INSERT INTO event_types (aggregate_type, name) VALUES ('customer', 'Opened')")
    connection.execute(f"INSERT INTO events {EVENT} VALUES (4, 4, 1, 3, {REST})")
    connection.execute("ROLLBACK")
    connection.close()


@pytest.mark.parametrize("sql", REFUSED)
async def test_no_other_connection_of_the_store_writes(path: Path, sql: str) -> None:
    """What reads cannot, and what fills the index knows the log for reading only."""
    reader = connect_reader(path)
    index = Index(path, index_path(path))
    index.open()
    in_log = re.sub(r"\b(events|event_types)\b", r"log.\1", sql, count=1)
    for connection, change in ((reader, sql), (index.connection, in_log)):
        with pytest.raises((apsw.ReadOnlyError, apsw.ConstraintError)):
            connection.execute(change)
    reader.close()
    index.close()
