"""Everything that commands print. Results go to stdout; errors, notes and progress to stderr.

On a terminal rich adds colour, unless NO_COLOR says otherwise, and tables fit the window. Anywhere else the text is
plain and never wrapped. It is never cut.
"""

import io
import shutil
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

import msgspec

from indelible.cli.tables import Part, Table, json_lines, json_parts, wrap_words
from indelible.errors import IndelibleError, InvalidRequest
from indelible.events import JSON_CONTENT_TYPE, RecordedEvent, decode_events, format_timestamp, timestamp_to_us
from indelible.limits import PAGE_EVENTS_MAX
from indelible.visible_text import CONTROLS_ESCAPED

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Task


def take_any_text() -> None:
    """Names may hold what the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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
        sys.stdout.write("".join(text for text, _ in parts).translate(CONTROLS_ESCAPED) + "\n")
        return
    from rich.text import Text

    line = Text.assemble(*((text.translate(CONTROLS_ESCAPED), style) for text, style in parts))
    console().print(line, soft_wrap=True)


def print_line(text: str) -> None:
    print_parts((text, ""))


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Name and value, a line each, the values below one another."""
    pairs = list(fields)
    width = max(len(name) for name, _ in pairs) + 2
    for name, value in pairs:
        print_labelled(name.ljust(width), "bold", str(value))


def print_labelled(label: str, style: str, text: str, text_style: str = "") -> None:
    """A label and text behind it; what a terminal has no room for goes on below its beginning, word by word."""
    room = terminal_width()
    lines = [text] if room is None else wrap_words(text, max(room - len(label), 1))
    for line in lines if len(lines) > 1 else [text]:
        print_parts((label, style), (line, text_style))
        label = " " * len(label)


def terminal_width() -> int | None:
    """In characters; None where stdout is no terminal, and lines may be as long as they like."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numbers: Collection[str] = (),
    with_heading: bool = True,
) -> None:
    """A heading and rows. The columns that are ``numbers`` are set to the right."""
    cells = [[_one_line(cell) for cell in row] for row in rows]
    table, width = Table(columns, cells, numbers), terminal_width()
    if width is not None:
        from rich.cells import cell_len

        table = table._replace(measure=cell_len)
    for line in table.lines(width, with_heading=with_heading):
        print_parts(line)


def _one_line(value: object) -> str:
    return str(value).translate(CONTROLS_ESCAPED).replace("\n", " ")


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
    if isinstance(value, tuple):
        return " ".join(map(str, value))
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
        # On a terminal each page fits the window in its own way.
        with_heading = is_first or terminal_width() is not None
        print_rows(columns, found, json=json, numbers=numbers, with_heading=with_heading)
        is_first = False
        left = None if left is None else left - len(found)


def note(text: str) -> None:
    """A line for the person at the terminal that is not part of the result."""
    sys.stdout.flush()
    sys.stderr.write(text.translate(CONTROLS_ESCAPED) + "\n")


def note_outage(error: IndelibleError) -> None:
    """Of a command that goes on by itself."""
    note(f"indelible: {describe(error)}; trying again")


def note_return() -> None:
    note("indelible: the server is back")


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


async def print_events(next_page: NextPage, *, limit: int | None, json: bool, pretty: bool = False) -> None:
    """All events, or the first ``limit``: as they are with ``json``, else a line, with ``pretty`` several."""
    if json and pretty:
        raise InvalidRequest("must not stand next to --json", pointer="/pretty")
    left, is_first = limit, True
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
                if not pretty:
                    print_parts(*describe_event(event))
                    continue
                if not is_first:
                    print_line("")
                print_event(event)
                is_first = False


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


def print_event(event: RecordedEvent) -> None:
    """An event on several lines, all there is of it, its JSON laid out."""
    stream = f"{event.aggregate_type}-{event.aggregate_id}"
    print_parts((stream, "cyan"), (f" {event.version}  ", ""), (event.event_type, "bold"))
    for name, value in _fields_of(event):
        print_parts((f"  {name:<{_NAME_WIDTH}}", "dim"), (str(value), ""))
    print_json_field("metadata", bytes(event.metadata_raw))
    if isinstance(event.event_data_base64, str):
        print_parts((f"  {'event_data':<{_NAME_WIDTH}}", "dim"), (_data(event), ""))
    else:
        print_json_field("event_data", event.event_data_bytes)


def _fields_of(event: RecordedEvent) -> Iterator[tuple[str, object]]:
    yield "position", event.position
    yield "timestamp", shown(event.timestamp)
    yield "event_id", event.event_id
    if event.tags:
        yield "tags", ", ".join(event.tags)
    if event.content_type != JSON_CONTENT_TYPE:
        yield "content_type", event.content_type
    yield "hash", event.hash


def print_json_field(name: str, text: bytes) -> None:
    """Its value behind the name where it fits there, else below it."""
    width = shutil.get_terminal_size().columns
    label = f"  {name:<{_NAME_WIDTH}}"
    behind = json_lines(text, width - len(label))
    if len(behind) == 1:
        print_parts((label, "dim"), *json_parts(behind[0]))
        return
    print_parts((label.rstrip(), "dim"))
    for line in json_lines(text, width - 4):
        print_parts(("    ", ""), *json_parts(line))


_NAME_WIDTH: Final = 14

# --- Progress --------------------------------------------------------------------------------------------------------

_BESIDE_BAR_WIDTH: Final = 48
"""What the longest description, the amount and the time that is left take."""

Advance = Callable[[int, int | None], None]
"""Takes how much is done and how much there is in all (None where nobody knows)."""


@contextmanager
def progress(description: str, *, unit_bytes: bool = False) -> Iterator[Advance]:
    """A bar on a terminal, empty until there is something to say, and nothing where stderr is anything else."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.progress_bar import ProgressBar

    class Bar(BarColumn):
        """Where nobody knows how much there is it stays empty: one that moves would say something."""

        def render(self, task: "Task") -> "ProgressBar":
            if task.total is not None:
                return super().render(task)
            return ProgressBar(total=1, completed=0, width=self.bar_width)

    amount = DownloadColumn() if unit_bytes else MofNCompleteColumn()
    to = console(sys.stderr)
    width = max(min(to.width - _BESIDE_BAR_WIDTH, 40), 5)
    columns = (TextColumn("{task.description}"), Bar(bar_width=width), amount, TimeRemainingColumn())
    with Progress(*columns, console=to, transient=True) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
