"""Figures, and how they are printed: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple


class Figure(NamedTuple):
    """One measured value."""

    what: str
    value: float
    unit: str
    goal: str = ""
    is_met: bool | None = None
    """None where there is no goal."""
    latencies_ms: Mapping[str, float] = MappingProxyType({})
    errors: int = 0
    note: str = ""

    def as_json(self) -> dict[str, object]:
        values = self._asdict() | {"latencies_ms": dict(self.latencies_ms)}
        return {name: value for name, value in values.items() if value not in ("", None, {})}


HEADINGS = ("", "measured", "p50 ms", "p99 ms", "p99.9 ms", "errors", "goal", "")


def print_machine(machine: dict[str, str]) -> None:
    width = max(map(len, machine)) + 2
    for name, value in machine.items():
        print(f"{name:<{width}}{value}")
    print(flush=True)


def print_note(text: str) -> None:
    """What is being done now; on stderr, so that the table stays whole."""
    print(text, file=sys.stderr, flush=True)


def print_table(figures: Sequence[Figure]) -> None:
    rows = [HEADINGS, *map(_cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        first, *middle, goal, met = (
            cell.ljust(width) if column in (0, 6, 7) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *middle, goal, met]).rstrip())
    for figure in figures:
        if figure.note:
            print(f"\n{figure.what}: {figure.note}")


def _cells(figure: Figure) -> tuple[str, ...]:
    latencies = (figure.latencies_ms.get(name) for name in ("p50", "p99", "p99.9"))
    return (
        figure.what,
        f"{_number(figure.value)} {figure.unit}".strip(),
        *("" if latency is None else f"{latency:.1f}" for latency in latencies),
        str(figure.errors) if figure.latencies_ms or figure.errors else "",
        figure.goal,
        "" if figure.is_met is None else ("met" if figure.is_met else "missed"),
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def print_json(machine: dict[str, str], figures: Sequence[Figure]) -> None:
    print(json.dumps({"machine": machine, "figures": [figure.as_json() for figure in figures]}, indent=2))
