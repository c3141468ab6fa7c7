"""Consumer groups, as plain functions over a connection. Those that write do so in a transaction of their caller's."""

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from indelible.engines.group_storage import (
    GroupChange,
    GroupState,
    GroupSummary,
    GroupUnmoved,
    PendingEvent,
    StoredGroup,
    too_many_groups,
)
from indelible.engines.rows import (
    changing_values,
    group_of_row,
    pending_of,
    row_values,
    summary_of_row,
)
from indelible.engines.sqlite.connections import fetch, statement
from indelible.events import timestamp_from_us, timestamp_to_us
from indelible.groups import SkippedEvent

# --- Writing ---------------------------------------------------------------------------------------------------------


def create(connection: apsw.Connection, group: StoredGroup, groups_max: int) -> bool:
    count, has_name = fetch(connection, statement("count_groups"), {"name": group.name})[0]
    if has_name:
        return False
    if count >= groups_max:
        raise too_many_groups(groups_max)
    connection.execute(statement("create_group"), row_values(group))
    return True


def save(connection: apsw.Connection, change: GroupChange) -> bool:
    values = {**changing_values(change.group), "expected_revision": change.expected_revision}
    rows = fetch(connection, statement("change_group"), values)
    if not rows:
        return False
    (group,) = rows[0]
    if change.drop_all:
        fetch(connection, statement("drop_all_unfinished"), (group,))
    elif change.dropped:
        fetch(connection, statement("drop_unfinished"), (group, msgspec.json.encode(list(change.dropped)).decode()))
    if change.put:
        # A third of the time that one statement over json_each takes, for one row as for a thousand.
        connection.executemany(statement("put_unfinished"), _pending_rows(group, change.put))
    if change.skipped:
        connection.executemany(statement("put_skip"), [_skip_row(group, one) for one in change.skipped])
    return True


def delete(connection: apsw.Connection, name: str, created_us: int | None) -> bool:
    rows = fetch(connection, statement("delete_group"), {"name": name, "created_us": created_us})
    for group in rows:
        fetch(connection, statement("drop_all_unfinished"), group)
        fetch(connection, statement("drop_skips"), group)
    return bool(rows)


def _pending_rows(group: int, put: Sequence[PendingEvent]) -> list[tuple[object, ...]]:
    """Columns and fields have one order, but for the names."""
    return [
        (group, position, key.aggregate_type, key.aggregate_id, *rest)
        for key, position, *rest in map(msgspec.structs.astuple, put)
    ]


def _skip_row(group: int, one: SkippedEvent) -> tuple[object, ...]:
    # Its last field, the partition, is for whoever stands around several stores.
    return (group, *msgspec.structs.astuple(one)[:-2], timestamp_to_us(one.skipped_at))


# --- Reading ---------------------------------------------------------------------------------------------------------


def summaries(connection: apsw.Connection, name: str | None = None) -> tuple[GroupSummary, ...]:
    return tuple(summary_of_row(row) for row in fetch(connection, statement("list_groups"), {"name": name}))


def load(
    connection: apsw.Connection, name: str, now_us: int, known_revision: int | None = None
) -> GroupState | GroupUnmoved | None:
    rows = fetch(connection, statement("load_group"), {"name": name, "known_revision": known_revision})
    if not rows:
        return None
    *group, pending = rows[0]
    if pending is None:
        return GroupUnmoved(now_us)
    return GroupState(group_of_row(group), pending_of(pending), now_us)


def list_skipped(connection: apsw.Connection, name: str, *, after: int, limit: int) -> tuple[SkippedEvent, ...]:
    rows = fetch(connection, statement("list_skipped"), {"name": name, "after": after, "limit": limit})
    return tuple(_skipped_of_row(row) for row in rows)


def _skipped_of_row(row: Sequence[Any]) -> SkippedEvent:
    fields = [*row[:-1], timestamp_from_us(row[-1])]
    return SkippedEvent(*fields)
