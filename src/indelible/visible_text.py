"""Stored text as people may see it: nothing in it steers a terminal, turns the direction of what stands around it, or
takes more room than there is. And numbers and times as people read them."""

from datetime import datetime
from typing import Final

_KEPT: Final = (0x09, 0x0A)
_CONTROLS: Final = (*range(0x20), *range(0x7F, 0xA0))
_INVISIBLE: Final = (0x061C, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
"""What has no shape of its own, and what changes the direction of the text behind it."""
_SURROGATES: Final = range(0xD800, 0xE000)

CONTROLS_ESCAPED: Final = {code: f"\\u{code:04x}" for code in (*_CONTROLS, *_INVISIBLE) if code not in _KEPT}
"""For :meth:`str.translate`, where lines and tabs may stay: stored text must not be able to steer the terminal of
whoever reads it."""
_ON_ONE_LINE: Final = {
    **CONTROLS_ESCAPED,
    **{code: f"\\u{code:04x}" for code in _SURROGATES},
    0x09: "\\t",
    0x0A: "\\n",
}
_ELLIPSIS: Final = "…"


def visible(text: str, length_max: int | None = None) -> str:
    """On one line, with what cannot be seen written as JSON writes it; of more than ``length_max`` characters the
    beginning, and an ellipsis."""
    # What is cut off costs nothing: a text may have a megabyte.
    shown = (text if length_max is None else text[: length_max + 1]).translate(_ON_ONE_LINE)
    if length_max is None or len(shown) <= length_max:
        return shown
    return shown[: max(length_max - 1, 0)] + _ELLIPSIS


def visible_lines(text: str, tab: str = "    ") -> str:
    """The same, where lines may stay."""
    return "\n".join(visible(line.replace("\t", tab)) for line in text.split("\n"))


def counted(number: float) -> str:
    """A number with its thousands apart."""
    return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:,.1f}"


def clock_time(moment: datetime) -> str:
    """The time of day, in UTC, to the second."""
    return moment.strftime("%H:%M:%S")


def duration(seconds: float) -> str:
    """In the unit that says most: ``850 ms``, ``12 s``, ``3 min``, ``5 h``, ``9 d``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for unit, size_s, next_s in (("s", 1, 120), ("min", 60, 7_200), ("h", 3_600, 172_800)):
        if seconds < next_s:
            return f"{seconds / size_s:.0f} {unit}"
    return f"{seconds / 86_400:,.0f} d"
