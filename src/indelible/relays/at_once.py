"""How many events a sink gives its broker together: as many as a page has, unless that takes too long."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from indelible.limits import RELAY_AT_ONCE_EVENTS_MAX, RELAY_BROKER_TIMEOUT_S

_MOST: Final = 1 / 2
"""This part of ``RELAY_BROKER_TIMEOUT_S`` is too long: half as many are sent together from then on."""
_LITTLE: Final = 1 / 8
"""In less, twice as many are sent: they are then far from too many again."""


class AtOnce:
    """Belongs to a sink, and outlives its connections: a page that never gets through as a whole gets through in parts,
    and what the broker has is not sent again and again."""

    def __init__(self) -> None:
        self._count = RELAY_AT_ONCE_EVENTS_MAX

    @contextmanager
    def of(self, left: int) -> Iterator[int]:
        """How many of so many events to send within it. Learns from how long that takes.

        Whether they got through is not asked: what takes too long often breaks off for another reason than the time.
        That something went wrong soon says nothing of how many there may be.
        """
        count, began_at = min(self._count, left), time.monotonic()
        try:
            yield count
            if time.monotonic() - began_at < _LITTLE * RELAY_BROKER_TIMEOUT_S:
                self._count = max(self._count, min(2 * count, RELAY_AT_ONCE_EVENTS_MAX))
        finally:
            if time.monotonic() - began_at > _MOST * RELAY_BROKER_TIMEOUT_S:
                self.limit(count // 2)

    def limit(self, count: int) -> None:
        """For now."""
        self._count = max(1, min(count, self._count))
