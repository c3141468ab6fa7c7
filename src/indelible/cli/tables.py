"""How tables and events are laid out in the width of a terminal. Nothing is ever cut: what does not fit stands
elsewhere. All of it is text to text; :mod:`indelible.cli.output` prints it."""

import re
import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

Part = tuple[str, str]
"""Text and its style on a terminal."""

_GAP: Final = "  "
_WRAPPED_WIDTH_MIN: Final = 16
"""A narrower column of wrapped words is harder to read than a list."""
_TIME: Final = re.compile(r"(T[0-9]{2}:[0-9]{2}:[0-9]{2})\.[0-9]{6}Z")
_INDENT: Final = 2

# --- Tables ----------------------------------------------------------------------------------------------------------


class Table(NamedTuple):
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Collection[str] = ()
    """The columns that are set to the right."""
    measure: Callable[[str], int] = len
    """How wide a text is."""

    def lines(self, width: int | None, *, with_heading: bool = True) -> Iterator[Part]:
        """In a width, or as wide as it comes: as a table; if need be with headings on several lines and times without
        their microseconds, then with a column of words wrapped; and where that is not enough, each row as a list of
        names and values."""
        widths, headings = self.widths(), [[name] for name in self.columns]
        if width is None or not self.rows or _total(widths) <= width:
            yield from self.set(headings, widths, with_heading)
            return
        narrow = self._replace(rows=[[_TIME.sub(r"\1Z", cell) for cell in row] for row in self.rows])
        widths = narrow.widths(folding=True)
        if _total(widths) <= width:
            _give_back(widths, narrow.widths(), width)
        elif not narrow.wrap_one(widths, width):
            yield from self._lists()
            return
        headings = [_folded(name, room) for name, room in zip(self.columns, widths, strict=True)]
        yield from narrow.set(headings, widths, with_heading)

    def widths(self, *, folding: bool = False) -> list[int]:
        """What each column takes, its heading in one line or, ``folding``, in as many as it has words."""
        headings = [_words(name) if folding else [name] for name in self.columns]
        return [
            max(map(self.measure, [*heading, *(row[i] for row in self.rows)])) for i, heading in enumerate(headings)
        ]

    def set(self, headings: Sequence[list[str]], widths: Sequence[int], with_heading: bool) -> Iterator[Part]:
        if with_heading:
            yield from ((line, "bold") for line in self._beside(headings, widths, at_bottom=True))
        for row in self.rows:
            cells = [_wrapped(cell, room, self.measure) for cell, room in zip(row, widths, strict=True)]
            yield from ((line, "") for line in self._beside(cells, widths))

    def wrap_one(self, widths: list[int], width: int) -> bool:
        """Narrow the widest column of words that can be narrowed to what the others leave; whether there is one."""
        for column in sorted(range(len(widths)), key=widths.__getitem__, reverse=True):
            room = width - (_total(widths) - widths[column])
            words = [word for row in self.rows for word in row[column].split()] + _words(self.columns[column])
            if room >= _WRAPPED_WIDTH_MIN and max(map(self.measure, words)) <= room:
                widths[column] = room
                return True
        return False

    def _beside(self, cells: Sequence[list[str]], widths: Sequence[int], *, at_bottom: bool = False) -> Iterator[str]:
        """Cells of one or more lines, beside one another."""
        height = max(map(len, cells))
        filled = [[""] * (height - len(cell)) + cell if at_bottom else cell + [""] * height for cell in cells]
        for i in range(height):
            padded = [
                self._pad(cell[i], width, name in self.numbers)
                for cell, width, name in zip(filled, widths, self.columns, strict=True)
            ]
            yield _GAP.join(padded).rstrip()

    def _pad(self, text: str, width: int, is_number: bool) -> str:
        space = " " * (width - self.measure(text))
        return space + text if is_number else text + space

    def _lists(self) -> Iterator[Part]:
        width = max(map(len, self.columns))
        for i, row in enumerate(self.rows):
            if i:
                yield "", ""
            for name, value in zip(self.columns, row, strict=True):
                if value:
                    yield f"{name.ljust(width)}{_GAP}{value}", ""


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _give_back(widths: list[int], wanted: Sequence[int], width: int) -> None:
    """To those whose headings then need fewer lines, what is left of the width."""
    for i, more in enumerate(wanted):
        if _total(widths) + more - widths[i] <= width:
            widths[i] = more


def _words(name: str) -> list[str]:
    """The parts of a heading, each with what joins it to the next."""
    return re.findall(r"[^_ ]+_?|_", name) or [""]


def _folded(name: str, width: int) -> list[str]:
    lines = [""]
    for word in re.findall(r"[^_ ]+[_ ]?|_", name):
        if lines[-1] and len((lines[-1] + word).rstrip()) > width:
            lines.append("")
        lines[-1] += word
    return [line.rstrip() for line in lines]


def _wrapped(text: str, width: int, measure: Callable[[str], int]) -> list[str]:
    return [text] if measure(text) <= width else wrap_words(text, width)


def wrap_words(text: str, width: int) -> list[str]:
    """Lines of whole words; one that is longer has a line of its own, which is then too long."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


# --- JSON ------------------------------------------------------------------------------------------------------------

_TOKENS: Final = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"(?=:))|(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?[0-9][0-9.eE+-]*)'
    r"|(?P<word>true|false|null)|(?P<other>[^\"0-9tfn-]+|.)"
)
_STYLES: Final = {"key": "blue", "text": "green", "number": "cyan", "word": "magenta", "other": ""}


def json_lines(text: bytes, width: int) -> list[str]:
    """JSON in lines that fit, as far as they can: what fits stands on one line. Numbers and strings stay as they are
    written, and so does a key that stands twice."""
    lines = iter(msgspec.json.format(text, indent=_INDENT).decode("utf-8").split("\n"))
    return _value(next(lines), lines, width)


def _value(first: str, following: Iterator[str], width: int) -> list[str]:
    """The value that begins with the line ``first``: that line, if it holds the value; if its last character opens it,
    those that come up to its end too."""
    if not first.endswith(("{", "[")):
        return [first]
    inner: list[str] = []
    last = ""
    for line in following:
        if line.lstrip().startswith(("}", "]")):
            last = line
            break
        inner += _value(line, following, width)
    on_one_line = first + " ".join(one.lstrip() for one in inner) + last.lstrip()
    return [on_one_line] if len(on_one_line) <= width else [first, *inner, last]


def json_parts(line: str) -> list[Part]:
    """A line of JSON, with colours."""
    return [(found[0], _STYLES[found.lastgroup or "other"]) for found in _TOKENS.finditer(line)]
