"""Rows of consumer groups, as the databases keep them: between columns and the values of
:mod:`indelible.engines.group_storage`. The names of a query are JSON text in its group's row; unfinished aggregates are
read as one JSON array."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from indelible.engines.group_storage import GroupSummary, StoredGroup, Unfinished
from indelible.groups import GroupSettings
from indelible.queries import QueryItem

_ITEMS: Final = msgspec.json.Decoder(tuple[QueryItem, ...])
_UNFINISHED: Final = msgspec.json.Decoder(tuple[Unfinished, ...])

COLUMNS: Final = 11
"""Of a group's row, as ``group_of_row`` takes them."""


def row_values(group: StoredGroup) -> dict[str, int | float | str]:
    """Parameters that hold a group's row whole."""
    return {
        **changing_values(group),
        "items": msgspec.json.encode(group.settings.items).decode(),
        "created_us": group.created_us,
    }


def changing_values(group: StoredGroup) -> dict[str, int | float | str]:
    """Those that a save may change, and the name."""
    settings = group.settings
    return {
        "name": group.name,
        "ack_timeout_s": settings.ack_timeout_s,
        "max_attempts": settings.max_attempts,
        "max_in_flight": settings.max_in_flight,
        "revision": group.revision,
        "reached": group.reached,
        "last_delivery": group.last_delivery,
        "reset_at": group.reset_at,
        "save_id": str(group.save_id),
    }


def group_of_row(row: Sequence[Any]) -> StoredGroup:
    """Columns: name, items, ack_timeout_s, max_attempts, max_in_flight, and the others in the order of the fields."""
    name, items, ack_timeout_s, max_attempts, max_in_flight, created_us, *places, save_id = row
    settings = GroupSettings(_ITEMS.decode(items), ack_timeout_s, max_attempts, max_in_flight)
    revision, reached, last_delivery, reset_at = places
    return StoredGroup(name, settings, created_us, revision, reached, last_delivery, reset_at, UUID(save_id))


def summary_of_row(row: Sequence[Any]) -> GroupSummary:
    """A group's columns and, after them, those of the summary."""
    checkpoint, in_flight, waiting, parked_aggregates, parked, unreadable, is_held_up = row[COLUMNS:]
    return GroupSummary(
        group_of_row(row[:COLUMNS]), checkpoint, in_flight, waiting, parked_aggregates, parked, unreadable,
        is_held_up=bool(is_held_up),
    )  # fmt: skip


def unfinished_of(text: str | bytes) -> tuple[Unfinished, ...]:
    return _UNFINISHED.decode(text)
