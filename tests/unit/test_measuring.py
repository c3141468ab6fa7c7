"""What ``indelible bench`` measures with."""

import random

import pytest

from indelible.cli import bench
from indelible.cli.bench import Times, measure
from indelible.errors import Unavailable


def test_percentiles_are_at_most_one_per_cent_above_what_was() -> None:
    chance, times = random.Random(1), Times()
    taken = sorted(chance.lognormvariate(-6, 2) for _ in range(10_000))
    for time_s in taken:
        times.add(time_s)
    for share in (0.0, 0.5, 0.99, 0.999, 1.0):
        exact_ms = 1000 * taken[min(int(share * len(taken)), len(taken) - 1)]
        assert exact_ms - 0.001 <= times.percentile_ms(share) <= 1.0101 * exact_ms + 0.001


def test_what_is_kept_does_not_grow() -> None:
    times = Times()
    buckets = len(times._counts)
    for time_s in (0.0, 1e-9, 1e-3, 1.0, 86_400.0, 1e9):
        times.add(time_s)
    assert (times.count, len(times._counts), Times().percentile_ms(0.5)) == (6, buckets, 0.0)


async def test_errors_beside_successes_are_counted() -> None:
    calls = 0

    async def every_other() -> int:
        nonlocal calls
        calls += 1
        if calls % 2:
            raise Unavailable("away for a moment")
        return 3

    measured = await measure("x", every_other, tasks=2, duration_s=0.05)
    assert 0 < measured.operations <= measured.errors
    assert measured.events_per_s == pytest.approx(3 * measured.per_s, rel=0.01)


async def test_a_store_that_is_gone_ends_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "BENCH_SILENCE_MAX_S", 0.05)
    calls = 0

    async def gone() -> int:
        nonlocal calls
        calls += 1
        if calls < 10:
            return 1
        raise Unavailable("gone")

    with pytest.raises(Unavailable, match="gone"):
        await measure("x", gone, tasks=2, duration_s=600)


async def test_a_measurement_in_which_nothing_succeeds_ends_with_the_error() -> None:
    async def never() -> int:
        raise Unavailable("not here")

    with pytest.raises(Unavailable, match="not here"):
        await measure("x", never, tasks=2, duration_s=0.02)
