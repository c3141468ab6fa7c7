"""Everything that commands print. Results go to stdout; errors, notes and progress to stderr.

On a terminal rich adds colour and fits tables to the window. Anywhere else the text is plain and never cut or wrapped.
"""

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any

import msgspec

from indelible.errors import IndelibleError

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
