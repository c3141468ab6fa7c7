"""Events as rows of a table, and one of them whole, for people."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Final

import msgspec
from rich.text import Text

from indelible.events import RecordedEvent, format_timestamp, timestamp_to_us
from indelible.limits import UI_TEXT_LENGTH_MAX
from indelible.ui.columns import Column
from indelible.ui.grid import Row
from indelible.visible_text import clock_time, counted, duration, visible, visible_lines

FEED_COLUMNS: Final = (
    Column("position", 4, 0, is_number=True),
    Column("time", 8, 2, is_cropped=True),
    Column("aggregate", 18, 1),
    Column("version", 2, 4, is_number=True),
    Column("event type", 20, 0),
    Column("data", 12, 5),
    Column("tags", 13, 6),
)
TIMELINE_COLUMNS: Final = (
    Column("version", 2, 0, is_number=True),
    Column("date", 10, 3),
    Column("time", 8, 1, is_cropped=True),
    Column("after", 6, 2, is_number=True),
    Column("event type", 20, 0),
    Column("data", 12, 4),
    Column("position", 4, 6, is_number=True),
    Column("tags", 13, 5),
)
_DATA_LENGTH_MAX: Final = 400
"""Bytes of an event's data that a row is made of."""


def feed_row(event: RecordedEvent) -> Row:
    cells = (
        str(event.position), _time(event), f"{event.aggregate_type}-{event.aggregate_id}", str(event.version),
        event.event_type, _data_in_short(event), " ".join(event.tags),
    )  # fmt: skip
    return Row(str(event.event_id), cells)


def timeline_rows(newest_first: Sequence[RecordedEvent]) -> Iterable[Row]:
    """With the time that lies between each event and the one before it."""
    for event, before in zip_longest(newest_first, newest_first[1:]):
        after = "" if before is None else duration((event.timestamp - before.timestamp).total_seconds())
        cells = (
            str(event.version), f"{event.timestamp:%Y-%m-%d}", _time(event), after, event.event_type,
            _data_in_short(event), str(event.position), " ".join(event.tags),
        )  # fmt: skip
        yield Row(str(event.event_id), cells)


def _time(event: RecordedEvent) -> str:
    return f"{clock_time(event.timestamp)}.{event.timestamp.microsecond // 1000:03}"


def _is_json(event: RecordedEvent) -> bool:
    return event.event_data_base64 is msgspec.UNSET


def _data_in_short(event: RecordedEvent) -> str:
    if not _is_json(event):
        return f"({counted(len(event.event_data_bytes))} bytes of {event.content_type})"
    return bytes(memoryview(event.event_data_raw)[:_DATA_LENGTH_MAX]).decode("utf-8", "ignore")


# --- One event, whole ------------------------------------------------------------------------------------------------


def describe(event: RecordedEvent) -> Text:
    """All there is to say of it; of data that is long the beginning, and how to read the rest."""
    text = Text()
    text.append(visible(event.event_type), "bold")
    text.append(f"  {visible(f'{event.aggregate_type}-{event.aggregate_id}')}  version {counted(event.version)}\n")
    _append_json(text, "data", _data_of(event), event)
    if bytes(event.metadata_raw) not in (b"", b"{}"):
        _append_json(text, "metadata", bytes(event.metadata_raw), event)
    fields = [
        ("position", counted(event.position)),
        ("time", format_timestamp(timestamp_to_us(event.timestamp))),
        ("id", str(event.event_id)),
        *((("tags", ", ".join(event.tags)),) if event.tags else ()),
    ]
    for name, value in fields:
        text.append(f"{name:<9}", "cyan").append(f"{visible(value)}\n")
    return text


def _data_of(event: RecordedEvent) -> bytes:
    """JSON text, or a word about what is not JSON."""
    return bytes(event.event_data_raw) if _is_json(event) else _data_in_short(event).encode()


def _append_json(text: Text, name: str, raw: bytes, event: RecordedEvent) -> None:
    text.append(f"{name}\n", "cyan")
    # Only what may be shown whole is set out in lines, which keeps numbers as they were sent.
    if len(raw) <= UI_TEXT_LENGTH_MAX and raw[:1] != b"(":
        raw = msgspec.json.format(raw, indent=2)
    shown = raw[:UI_TEXT_LENGTH_MAX].decode("utf-8", "ignore")
    text.append(f"{visible_lines(shown)}\n")
    if len(raw) > UI_TEXT_LENGTH_MAX:
        stream = visible(f"{event.aggregate_type} {event.aggregate_id}")
        command = f"indelible read {stream} --from-version {event.version} --limit 1 --json"
        text.append(f"… {counted(len(raw))} bytes in all: {command}\n", "yellow")
