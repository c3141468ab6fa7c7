"""How fast a log grows, drawn from its heads. Pure rules."""

from collections import deque
from itertools import pairwise
from typing import Final, NamedTuple

from indelible.limits import UI_RATE_SAMPLES_MAX

_WINDOW_S: Final = 10.0
"""What the rate is the mean of: long enough to stand still while somebody reads it."""


class Sample(NamedTuple):
    at_s: float
    position: int


class HeadRate:
    """Hears of heads, and when they were; times are of one clock that never runs back, in seconds."""

    def __init__(self) -> None:
        self._samples: Final[deque[Sample]] = deque(maxlen=UI_RATE_SAMPLES_MAX)

    def add(self, position: int, at_s: float) -> None:
        """A position below the last one is of another log: what was known of the first is forgotten."""
        if self._samples and position < self._samples[-1].position:
            self._samples.clear()
        self._samples.append(Sample(at_s, position))

    @property
    def per_s(self) -> float | None:
        """Events a second, lately; None before there are two heads."""
        if len(self._samples) < 2:
            return None
        last = self._samples[-1]
        first = next(one for one in self._samples if last.at_s - one.at_s <= _WINDOW_S)
        if first is last:
            first = self._samples[-2]
        return (last.position - first.position) / max(last.at_s - first.at_s, 1e-9)

    @property
    def history(self) -> list[float]:
        """Events a second between each two heads, oldest first."""
        return [
            (later.position - earlier.position) / max(later.at_s - earlier.at_s, 1e-9)
            for earlier, later in pairwise(self._samples)
        ]
