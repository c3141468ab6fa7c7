"""Everything that commands print. Results go to stdout; errors, notes and progress to stderr.

On a terminal rich adds colour and fits tables to the window. Anywhere else the text is plain and never cut or wrapped.
"""

import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Protocol

import msgspec

from indelible.errors import IndelibleError
from indelible.events import RecordedEvent, decode_events, format_timestamp, timestamp_to_us
from indelible.limits import PAGE_EVENTS_MAX

if TYPE_CHECKING:
    from rich.console import Console

Part = tuple[str, str]
"""Text and its style on a terminal."""

_CONTROL = {code: f"\\u{code:04x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}
"""Stored text must not be able to steer the terminal of whoever reads it."""


def print_bytes(lines: bytes) -> None:
    """Text that is ready, such as NDJSON without its last line end. Nothing when it is empty."""
    if lines:
        sys.stdout.flush()
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.write(b"\n")


def print_json(value: Any) -> None:
    print_bytes(msgspec.json.encode(value, enc_hook=str))


def print_result(value: Any, sentence: str, *, json: bool) -> None:
    """One value, or what it comes to in a sentence."""
    if json:
        print_json(value)
    else:
        print_line(sentence)


def print_parts(*parts: Part) -> None:
    """One line."""
    if not sys.stdout.isatty():
        sys.stdout.write("".join(text for text, _ in parts).translate(_CONTROL) + "\n")
        return
    from rich.text import Text

    line = Text.assemble(*((text.translate(_CONTROL), style) for text, style in parts))
    console().print(line, soft_wrap=True)


def print_line(text: str) -> None:
    print_parts((text, ""))


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Name and value, a line each, the values below one another."""
    pairs = list(fields)
    width = max(len(name) for name, _ in pairs) + 2
    for name, value in pairs:
        print_parts((name.ljust(width), "bold"), (str(value), ""))


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numbers: Collection[str] = (),
    with_heading: bool = True,
) -> None:
    """A heading and rows. The columns that are ``numbers`` are set to the right."""
    cells = [[str(cell).translate(_CONTROL) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    heading = [("bold", list(columns))] if with_heading else []
    for style, row in [*heading, *(("", row) for row in cells)]:
        padded = [
            cell.rjust(width) if name in numbers else cell.ljust(width)
            for name, cell, width in zip(columns, row, widths, strict=True)
        ]
        print_parts(("  ".join(padded).rstrip(), style))


def print_rows(
    columns: Sequence[str],
    found: Iterable[Any],
    *,
    json: bool,
    numbers: Collection[str] = (),
    with_heading: bool = True,
) -> None:
    """Values, one a line: whole with ``json``, else those of their attributes that are columns."""
    if json:
        for one in found:
            print_json(one)
        return
    rows = [[shown(getattr(one, name)) for name in columns] for one in found]
    print_table(columns, rows, numbers=numbers, with_heading=with_heading)


def shown(value: object) -> object:
    """As text, or what has one of its own."""
    if value is None:
        return ""
    return format_timestamp(timestamp_to_us(value)) if isinstance(value, datetime) else value


async def print_pages(
    columns: Sequence[str],
    next_page: Callable[..., Awaitable[Any]],
    rows: str,
    *,
    limit: int | None,
    json: bool,
    numbers: Collection[str] = (),
    after: str | None = None,
) -> None:
    """Page after page, as :func:`print_rows` does. ``next_page`` takes ``after`` and ``limit``, and gives what has
    ``cursor``, ``at_end`` and, by the name ``rows``, the values."""
    left, at_end, is_first = limit, False, True
    while not at_end and left != 0:
        size = PAGE_EVENTS_MAX if left is None else min(left, PAGE_EVENTS_MAX)
        page = await next_page(after=after, limit=size)
        found, after, at_end = getattr(page, rows), page.cursor, page.at_end
        print_rows(columns, found, json=json, numbers=numbers, with_heading=is_first)
        is_first = False
        left = None if left is None else left - len(found)


def note(text: str) -> None:
    """A line for the person at the terminal that is not part of the result."""
    sys.stdout.flush()
    sys.stderr.write(text.translate(_CONTROL) + "\n")


def print_error(error: IndelibleError, *, as_json: bool) -> None:
    """One line that says what is wrong and what to do; a problem document with ``as_json``."""
    if as_json:
        from indelible.wire.errors import encode_problem

        note(encode_problem(error).decode("utf-8"))
        return
    note(f"indelible: {describe(error)}")


def describe(error: IndelibleError) -> str:
    """An error as one line that names the bad field."""
    # The message about a setting names it already.
    pointer = "" if "source" in error.fields else error.fields.get("pointer", "").strip("/")
    message = " ".join(error.message.splitlines())
    return f"{pointer}: {message}" if pointer else message


def console(file: IO[str] | None = None) -> "Console":
    from rich.console import Console

    return Console(file=file, highlight=False, markup=False, emoji=False)


# --- Events ----------------------------------------------------------------------------------------------------------


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
        (f"{shown(event.timestamp)}  ", "dim"),
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


# --- Progress --------------------------------------------------------------------------------------------------------

Advance = Callable[[int, int | None], None]
"""Takes how much is done and how much there is in all (None where nobody knows)."""


@contextmanager
def progress(description: str, *, unit_bytes: bool = False) -> Iterator[Advance]:
    """A bar on a terminal, and nothing where stderr is anything else."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    amount = DownloadColumn() if unit_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
