"""Measures operations that many tasks repeat: how many a second, and how long each takes."""

import asyncio
import time
from array import array
from collections.abc import Awaitable, Callable

import msgspec

from indelible.errors import IndelibleError

Operation = Callable[[], Awaitable[int]]
"""Does one thing; returns how many events it was about."""


class Measured(msgspec.Struct, frozen=True):
    name: str
    tasks: int
    duration_s: float
    operations: int
    errors: int
    per_s: float
    events_per_s: float
    p50_ms: float
    p99_ms: float
    p99_9_ms: float


async def measure(name: str, operation: Operation, *, tasks: int, duration_s: float) -> Measured:
    """Let ``tasks`` tasks repeat the operation for ``duration_s`` seconds. Errors of the store are counted."""
    times_s = array("d")
    events = errors = 0
    started = time.perf_counter()
    deadline = started + duration_s

    async def repeat() -> None:
        nonlocal events, errors
        while (begun := time.perf_counter()) < deadline:
            try:
                count = await operation()
            except IndelibleError:
                errors += 1
            else:
                events += count
                times_s.append(time.perf_counter() - begun)

    await asyncio.gather(*(repeat() for _ in range(tasks)))
    took_s = time.perf_counter() - started
    ordered = sorted(times_s)
    return Measured(
        name=name,
        tasks=tasks,
        duration_s=round(took_s, 3),
        operations=len(ordered),
        errors=errors,
        per_s=round(len(ordered) / took_s, 1),
        events_per_s=round(events / took_s, 1),
        p50_ms=_percentile_ms(ordered, 0.5),
        p99_ms=_percentile_ms(ordered, 0.99),
        p99_9_ms=_percentile_ms(ordered, 0.999),
    )


def _percentile_ms(ordered: list[float], share: float) -> float:
    """The time that ``share`` of the operations took at most; 0 when there was none."""
    if not ordered:
        return 0.0
    return round(1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)], 3)
