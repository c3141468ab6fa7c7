"""Finds a log that ends before it ended when it was last seen: a copy that was made without the write-ahead log."""

from typing import NamedTuple

import apsw

from indelible.engines.sqlite.statements import fetch
from indelible.engines.sqlite.store_file import StoreFile


class MissingEnd(NamedTuple):
    position: int
    """The first event that is not there."""
    reason: str


def find_missing_end(connection: apsw.Connection, file: StoreFile) -> MissingEnd | None:
    """None when nothing is known to be missing."""
    # In this order: whoever writes beside this commits first and notes it then.
    noted = file.noted_end()
    has_events = fetch(connection, "SELECT count(*) FROM sqlite_schema WHERE name = 'events'")[0][0]
    head = fetch(connection, "SELECT coalesce(max(position), 0) FROM events")[0][0] if has_events else 0
    if head >= noted:
        return None
    log = file.log_path
    beside = (
        f"the write-ahead log {log} beside it is not the one that held them"
        if file.had_log
        else f"its write-ahead log {log}, which held them, is not there"
    )
    return MissingEnd(
        head + 1,
        f"the log ends at position {head}, but it went to {noted} when it was last seen, and {beside}. Copy the "
        "database and its -wal together. Where that file is lost, the events up to here can be copied to a new store: "
        f"indelible copy --from sqlite:{file.path} --to sqlite:NEW.db",
    )
