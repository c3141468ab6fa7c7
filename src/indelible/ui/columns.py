"""Which columns of a table fit into a window, and how wide each is. Pure rules."""

from collections.abc import Sequence
from typing import NamedTuple

GAP: int = 2
"""Between two columns: one cell of padding on each side."""


class Column(NamedTuple):
    """What a column asks for. Widths are in cells of the terminal."""

    heading: str
    width_min: int
    """Below this it says nothing, and is left out."""
    rank: int
    """Columns of the lowest rank get room first; those of the highest are the first to be left out."""
    is_number: bool = False
    """Set to the right, and never cut: less would be another number."""
    is_cropped: bool = False
    """Cut without an ellipsis, where the beginning is whole by itself, as that of a time is."""


class Placed(NamedTuple):
    """A column that fits."""

    column: int
    """Its index among those that were asked for."""
    width: int


def fit(columns: Sequence[Column], wanted: Sequence[int], width: int) -> tuple[Placed, ...]:
    """The columns that are shown, in their order. ``wanted``: how wide the widest text of each is.

    Each gets its least width, or all that it wants where that is less; what is left then goes to them by rank, up to
    what they want.
    """
    least = [max(min(one.width_min, want), len(one.heading)) for one, want in zip(columns, wanted, strict=True)]
    most = [max(want, len(one.heading)) for one, want in zip(columns, wanted, strict=True)]
    least = [most[i] if one.is_number else least[i] for i, one in enumerate(columns)]
    by_rank = sorted(range(len(columns)), key=lambda i: columns[i].rank)
    while len(by_rank) > 1 and sum(least[i] + GAP for i in by_rank) > width:
        by_rank.pop()
    widths = {i: least[i] for i in by_rank}
    left = width - sum(GAP + one for one in widths.values())
    for i in by_rank:
        more = max(min(left, most[i] - widths[i]), 0)
        widths[i] += more
        left -= more
    return tuple(Placed(i, widths[i]) for i in sorted(widths))
