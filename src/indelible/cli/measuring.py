"""Measures operations that many tasks repeat: how many a second, and how long each takes."""

import asyncio
import math
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from itertools import accumulate
from typing import Final

import msgspec

from indelible.errors import IndelibleError
from indelible.limits import BENCH_SILENCE_MAX_S

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


class Times:
    """How often something took how long, in buckets that each begin 1 % above the one before: its size does not grow
    with what it is told. What took less than 1 µs or more than a day counts as that."""

    _LEAST_S: Final = 1e-6
    _GROWTH: Final = math.log(1.01)
    _BUCKETS: Final = int(math.log(86_400 / 1e-6) / math.log(1.01)) + 2

    def __init__(self) -> None:
        self.count = 0
        self._counts = [0] * self._BUCKETS

    def add(self, time_s: float) -> None:
        bucket = int(math.log(max(time_s / self._LEAST_S, 1.0)) / self._GROWTH) + 1
        self._counts[min(bucket, self._BUCKETS - 1)] += 1
        self.count += 1

    def percentile_ms(self, share: float) -> float:
        """The time that ``share`` of all took at most, and up to 1 % more than it was; 0 when there was none."""
        if not self.count:
            return 0.0
        before = min(int(share * self.count), self.count - 1)
        bucket = bisect_right(list(accumulate(self._counts)), before)
        return round(1000 * self._LEAST_S * math.exp(self._GROWTH * bucket), 3)


async def measure(name: str, operation: Operation, *, tasks: int, duration_s: float) -> Measured:
    """Let ``tasks`` tasks repeat the operation for ``duration_s`` seconds. Errors of the store are counted; the last is
    raised when nothing has succeeded at the end, or for BENCH_SILENCE_MAX_S."""
    measuring = _Measuring(operation, duration_s)
    await asyncio.gather(*(measuring.repeat() for _ in range(tasks)))
    if measuring.error is not None and (measuring.has_given_up or not measuring.times.count):
        raise measuring.error
    times, took_s = measuring.times, time.perf_counter() - measuring.started
    return Measured(
        name=name,
        tasks=tasks,
        duration_s=round(took_s, 3),
        operations=times.count,
        errors=measuring.errors,
        per_s=round(times.count / took_s, 1),
        events_per_s=round(measuring.events / took_s, 1),
        p50_ms=times.percentile_ms(0.5),
        p99_ms=times.percentile_ms(0.99),
        p99_9_ms=times.percentile_ms(0.999),
    )


class _Measuring:
    def __init__(self, operation: Operation, duration_s: float) -> None:
        self.started = self._succeeded = time.perf_counter()
        self.times = Times()
        self.events = self.errors = 0
        self.error: IndelibleError | None = None
        """The last one."""
        self.has_given_up = False
        self._operation, self._deadline = operation, self.started + duration_s

    async def repeat(self) -> None:
        while (begun := time.perf_counter()) < self._deadline and not self.has_given_up:
            try:
                count = await self._operation()
            except IndelibleError as error:
                self.errors, self.error = self.errors + 1, error
                self.has_given_up = time.perf_counter() - self._succeeded > BENCH_SILENCE_MAX_S
            else:
                self._succeeded = time.perf_counter()
                self.times.add(self._succeeded - begun)
                self.events += count
