"""What stands in an index, and in one that is made anew from the same log."""

from pathlib import Path

import apsw

from indelible.engines.sqlite.index_file import Index, index_path

TABLES = (
    "state", "aggregates", "versions", "event_ids", "positions_by_type", "event_tags", "event_counts",
    "aggregate_counts",
)  # fmt: skip

Contents = dict[str, list[tuple[object, ...]]]


def contents(index: Path) -> Contents:
    connection = apsw.Connection(str(index), flags=apsw.SQLITE_OPEN_READONLY)
    found = {table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in TABLES}
    connection.close()
    return found


def made_anew(log: Path) -> Contents:
    other = log.with_name("other-index")
    index = Index(log, other)
    index.rebuild()
    index.close()
    return contents(other)


def check_index(log: Path) -> None:
    """Of a store that nobody has open."""
    found, expected = contents(index_path(log)), made_anew(log)
    for table in TABLES:
        assert found[table] == expected[table], table
