"""Prints pages of events."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from indelible.cli.output import Part, print_bytes, print_parts
from indelible.events import RecordedEvent, decode_events, format_timestamp, timestamp_to_us


class _Page(Protocol):
    @property
    def lines(self) -> bytes: ...

    @property
    def count(self) -> int: ...


NextPage = Callable[[], Awaitable[_Page | None]]


async def print_events(next_page: NextPage, *, limit: int | None, json: bool) -> None:
    """All events, or the first ``limit``: as they are with ``json``, else a line for people."""
    left = limit
    while left != 0 and (page := await next_page()) is not None:
        lines, count = page.lines, page.count
        if left is not None:
            if count > left:
                lines, count = b"\n".join(lines.split(b"\n")[:left]), left
            left -= count
        if json:
            print_bytes(lines)
        else:
            for event in decode_events(lines):
                print_parts(*describe_event(event))


def describe_event(event: RecordedEvent) -> list[Part]:
    """An event as a line for people."""
    parts = [
        (f"{event.position}  ", "dim"),
        (f"{format_timestamp(timestamp_to_us(event.timestamp))}  ", "dim"),
        (f"{event.aggregate_type}-{event.aggregate_id}", "cyan"),
        (f" {event.version}  ", ""),
        (f"{event.event_type}  ", "bold"),
        (_data(event), ""),
    ]
    if event.tags:
        parts.append((f"  [{', '.join(event.tags)}]", "green"))
    return parts


def _data(event: RecordedEvent) -> str:
    if isinstance(event.event_data_base64, str):
        return f"({len(event.event_data_bytes)} bytes of {event.content_type})"
    return event.event_data_bytes.decode("utf-8")
