"""What the engines that keep rows have in common: the columns of consumer groups, and checks of rendered lines.

The names of a group's query are JSON text in its row; aggregates with an event that is not done are read as one JSON
array.
"""

import base64
import codecs
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from indelible.engines.group_storage import GroupSummary, PendingEvent, StoredGroup
from indelible.engines.relay_storage import StoredBeside, StoredRelay
from indelible.errors import StoreCorrupted
from indelible.events import JSON_CONTENT_TYPE, AggregateKey, NewEvent, RecordedEvent, Snapshot, decode_event, is_json
from indelible.groups import GroupSettings
from indelible.limits import NAME_LENGTH_MAX
from indelible.queries import QueryItem, behind_prefix

_ITEMS: Final = msgspec.json.Decoder(tuple[QueryItem, ...])
_PENDING: Final = msgspec.json.Decoder(tuple[PendingEvent, ...])
_BESIDE: Final = msgspec.json.Decoder(StoredBeside)

BEHIND_NAMES: Final = chr(sys.maxunicode) * (NAME_LENGTH_MAX + 1)
"""Comes after every name."""

COLUMNS: Final = 11
"""Of a group's row, as ``group_of_row`` takes them."""


# --- Events and snapshots --------------------------------------------------------------------------------------------


def names_of(key: AggregateKey) -> dict[str, Any]:
    """Parameters that name an aggregate."""
    return {"aggregate_type": key.aggregate_type, "aggregate_id": key.aggregate_id}


def range_of(prefix: str) -> dict[str, str]:
    """Parameters between which all names are that begin so: from the one on, and before the other."""
    return {"prefix": prefix, "behind": behind_prefix(prefix) or BEHIND_NAMES}


def snapshot_of(
    key: AggregateKey, version: int, timestamp: datetime, state: str | bytes, metadata: str | bytes
) -> Snapshot:
    return Snapshot(
        aggregate_type=key.aggregate_type,
        aggregate_id=key.aggregate_id,
        version=version,
        timestamp=timestamp,
        state_raw=msgspec.Raw(state),
        metadata_raw=msgspec.Raw(metadata),
    )


def event_columns(event: NewEvent) -> tuple[str | None, str | None, str | None, tuple[str, ...] | None, str | None]:
    """``event_data``, ``event_data_base64``, ``metadata``, ``tags`` and ``content_type``. None stands for what is
    usual, and for the other way to write the data."""
    data, data_base64 = (
        (event.event_data_raw.decode(), None)
        if is_json(event.content_type)
        else (None, base64.b64encode(event.event_data_raw).decode())
    )
    return (
        data,
        data_base64,
        None if event.metadata_raw == b"{}" else event.metadata_raw.decode(),
        event.tags or None,
        None if event.content_type == JSON_CONTENT_TYPE else event.content_type,
    )


# --- Consumer groups -------------------------------------------------------------------------------------------------


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


def pending_of(text: str | bytes) -> tuple[PendingEvent, ...]:
    return _PENDING.decode(text)


_decode_lines: Final = msgspec.json.Decoder(msgspec.Raw).decode_lines
"""Looks at the form alone, and makes no values."""
_TextDecoder: Final = codecs.getincrementaldecoder("utf-8")
_CHUNK_SIZE_BYTES: Final = 64 * 1024
"""Text that is decoded at once: the whole page would take twice as long, for the memory that it needs."""


# --- Lines that were rendered ----------------------------------------------------------------------------------------


def check_lines(lines: bytes, count: int) -> None:
    """Raises :class:`StoreCorrupted` unless these are ``count`` lines of JSON in UTF-8: whoever reads them must not get
    what a damaged row was rendered to, nor pass over one that was not rendered at all."""
    try:
        found = len(_decode_lines(lines))
        if not lines.isascii():
            _check_text(lines)
    except ValueError as error:
        raise StoreCorrupted(f"a stored event is no JSON any more: {error}") from error
    if found != count:
        raise StoreCorrupted(f"{count} events were stored, but {found} are found")
    # Takes a fifth of the time of count(), which looks at one byte after the other.
    if len(lines) - len(lines.replace(b"\n", b"")) != count - 1:
        raise StoreCorrupted("a line end stands within a stored event")


def lines_in_places(lines: bytes | None, places: Sequence[int], count: int) -> list[bytes | None]:
    """What was found of ``count`` events that were looked for: its lines, and their places among them, from 0. Nothing
    is said of what comes behind the last line, where others would follow. Raises :class:`StoreCorrupted`."""
    found: list[bytes | None] = [None] * count
    if places:
        check_lines(lines or b"", len(places))
        for place, line in zip(places, (lines or b"").split(b"\n"), strict=True):
            found[place] = line
    return found


def readable_event(line: bytes | None) -> RecordedEvent | None:
    """The event of a rendered line; None where it cannot be read."""
    try:
        check_lines(line or b"", 1)
        return decode_event(line or b"")
    except (StoreCorrupted, ValueError):
        return None


def _check_text(lines: bytes) -> None:
    decoder, view = _TextDecoder(), memoryview(lines)
    for start in range(0, len(lines), _CHUNK_SIZE_BYTES):
        decoder.decode(view[start : start + _CHUNK_SIZE_BYTES])
    decoder.decode(b"", final=True)


# --- Relays ----------------------------------------------------------------------------------------------------------


def relay_values(relay: StoredRelay) -> dict[str, int | str | None]:
    """Parameters that hold a relay's row whole."""
    beside = msgspec.json.encode(relay.beside).decode()
    return {**msgspec.structs.asdict(relay), "save_id": str(relay.save_id), "beside": beside}


def relay_of_row(row: Sequence[Any]) -> StoredRelay:
    """Columns in the order of the fields."""
    values = dict(zip(StoredRelay.__struct_fields__, row, strict=True))
    for name, read in (("is_paused", bool), ("is_stopped", bool), ("save_id", UUID), ("beside", _BESIDE.decode)):
        values[name] = read(values[name])
    return StoredRelay(**values)
