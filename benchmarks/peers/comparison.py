"""What a row of the comparison measures, and how its rounds become one ratio."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from benchmarks.stores import Options


class Sample(NamedTuple):
    """One load on one side. It raises ``RuntimeError`` when the store does not hold what was acknowledged."""

    value: float
    """What the row counts, a second; or what the row measures."""
    cpu_us: float | None = None
    """The server's processor time, in microseconds, for each of what is counted."""
    p99_ms: float | None = None
    errors: int = 0
    """Answers that were no success, and calls without an answer."""


class Sides(NamedTuple):
    ours: Callable[[], Sample]
    theirs: Callable[[], Sample]


class Row(NamedTuple):
    what: str
    """The load and, after a slash, the peer."""
    unit: str
    goal: float | None
    """The least ratio of ours to theirs that will do."""
    sides: Callable[[Options], AbstractContextManager[Sides]]
    """Prepares what both sides work on, once for all rounds."""
    p99_ms_goal: float | None = None
    """Of ours."""


class Spread(NamedTuple):
    """The median, the least and the most of the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))


class Comparison(NamedTuple):
    """A row's samples, a pair for each round."""

    row: Row
    rounds: tuple[tuple[Sample, Sample], ...]

    @property
    def ratio(self) -> Spread:
        """Of the pairs: what slows a whole round down slows both sides of it."""
        return Spread.of([ours.value / theirs.value for ours, theirs in self.rounds])

    def side(self, number: int, field: str = "value") -> Spread | None:
        """Of our side (0) or theirs (1); None where it is not measured."""
        values = [getattr(pair[number], field) for pair in self.rounds]
        return None if None in values else Spread.of(values)

    @property
    def errors(self) -> int:
        return sum(sample.errors for pair in self.rounds for sample in pair)

    @property
    def is_met(self) -> bool | None:
        if self.row.goal is None:
            return None
        ratio, p99_ms = self.ratio.median, self.side(0, "p99_ms")
        is_quick = self.row.p99_ms_goal is None or (p99_ms is not None and p99_ms.median <= self.row.p99_ms_goal)
        return ratio >= self.row.goal and is_quick and not self.errors

    def as_json(self) -> dict[str, object]:
        sides = {
            name: {field: spread._asdict() for field in Sample._fields[:3] if (spread := self.side(number, field))}
            for number, name in enumerate(("ours", "theirs"))
        }
        row = {name: getattr(self.row, name) for name in ("what", "unit", "goal", "p99_ms_goal")}
        return {**row, "ratio": self.ratio._asdict(), **sides, "errors": self.errors, "is_met": self.is_met}


def compare(row: Row, options: Options, rounds: int) -> Comparison:
    """The sides take turns, and the one that goes first changes, so that a machine whose speed varies treats both
    alike."""
    pairs: list[tuple[Sample, Sample]] = []
    with row.sides(options) as sides:
        for number in range(rounds):
            if number % 2:
                theirs = sides.theirs()
                pairs.append((sides.ours(), theirs))
            else:
                pairs.append((sides.ours(), sides.theirs()))
    return Comparison(row, tuple(pairs))


# --- The table -------------------------------------------------------------------------------------------------------

HEADINGS = ("ours / theirs", "ratio", "min–max", "goal", "", "ours", "theirs", "unit", "µs of CPU", "p99 ms", "errors")


def table(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Lines for people: medians, and the least and the most of the ratios. JSON has all spreads."""
    rows = [HEADINGS, *map(_cells, comparisons)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        first, *others = (
            cell.ljust(width) if column in {0, 4, 7} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([first, *others]).rstrip()


def _cells(one: Comparison) -> tuple[str, ...]:
    row, ratio = one.row, one.ratio
    goal = "" if row.goal is None else f"≥ {row.goal:g}"
    if row.p99_ms_goal is not None:
        goal += f", p99 ≤ {row.p99_ms_goal:g} ms"
    return (
        row.what,
        f"{ratio.median:.2f}",
        f"{ratio.least:.2f}–{ratio.most:.2f}",
        goal,
        {None: "", True: "met", False: "missed"}[one.is_met],
        *(_rate(one.side(number)) for number in (0, 1)),
        row.unit,
        *(" : ".join(_short(one.side(number, field)) for number in (0, 1)) for field in ("cpu_us", "p99_ms")),
        str(one.errors),
    )


def _rate(spread: Spread | None) -> str:
    assert spread is not None
    return f"{spread.median:,.0f}"


def _short(spread: Spread | None) -> str:
    if spread is None:
        return "–"
    return f"{spread.median:,.0f}" if spread.median >= 10 else f"{spread.median:.1f}"
