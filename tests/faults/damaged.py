"""Stores with an event whose stored bytes are not what was written any more."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from faults.btree import columns_of, rows_of
from indelible.engines.sqlite.index_file import index_path
from postgres.server import PostgresServer

Damage = Callable[[str, int], None]
"""Spoils the event at a position of the store with this URL, which nobody has open."""


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:"))


def _overwrite(column: str, byte: int) -> Damage:
    def spoil(url: str, position: int) -> None:
        path = path_of(url)
        row = rows_of(path, "events")[position]
        places = {one.name: one.places for one in columns_of(path, "events", row)}[column]
        data = bytearray(path.read_bytes())
        data[places[len(places) // 2]] = byte
        path.write_bytes(data)

    return spoil


def _break_record(url: str, position: int) -> None:
    """The row's own header says that it is longer than it is: SQLite gives up on it."""
    path = path_of(url)
    row = rows_of(path, "events")[position]
    data = bytearray(path.read_bytes())
    data[row.record_header.start] = 0x7F
    path.write_bytes(data)


def _change_freely(url: str, sql: str) -> None:
    connection = sqlite3.connect(path_of(url))
    for (trigger,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.executescript(sql)
    connection.close()


def _remove(url: str, position: int) -> None:
    _change_freely(url, f"DELETE FROM events WHERE position = {position}")
    index = apsw.Connection(str(index_path(path_of(url))))
    for table in ("versions", "event_ids"):
        index.execute(f"DELETE FROM {table} WHERE position = {position}")
    index.close()


def _query(server: PostgresServer, url: str, sql: str) -> None:
    server.query(f"SET session_replication_role = replica; {sql}", url=url)


SQLITE: Final[dict[str, Damage]] = {
    "no JSON": _overwrite("event_data", 0x22),
    "no UTF-8": _overwrite("event_data", 0xFF),
    "no record": _break_record,
}
"""Whose event it is can still be told, by the index."""

SQLITE_LOST: Final[dict[str, Damage]] = {"row and index entries gone": _remove}
"""Nothing tells whose event it was."""


def postgres_damages(server: PostgresServer) -> dict[str, Damage]:
    return {
        "no JSON": lambda url, at: _query(
            server, url, f"UPDATE indelible.events SET event_data = event_data || '\"' WHERE position = {at}"
        ),
        "row gone": lambda url, at: _query(server, url, f"DELETE FROM indelible.events WHERE position = {at}"),
    }
