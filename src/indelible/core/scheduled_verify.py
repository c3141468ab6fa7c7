"""Verifies the log again and again beside the work on it, slowly: whoever runs the store hears of damage before
somebody needs what is damaged."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from indelible.core.verify import Damage, verify
from indelible.eventstore import EventStore
from indelible.limits import VERIFY_REST_TIMES
from indelible.tasks import end_if_cancelled


class ScheduledVerify:
    """``every_s`` seconds lie between the beginnings of two walks through the whole log, or more where one takes
    longer. ``on_damage`` hears of each that finds some."""

    def __init__(self, store: EventStore, every_s: float, on_damage: Callable[[Damage], None]) -> None:
        self._store: Final = store
        self._on_damage: Final = on_damage
        self._sound_at = time.monotonic()
        self.every_s: Final = every_s
        self.position = 0
        """How far the walk has come that is under way, or was last."""
        self.failures = 0
        """Walks that found damage."""
        self.damage: Damage | None = None
        """What the last walk that came to an end found."""

    @property
    def age_s(self) -> float:
        """How long ago the log was found to be sound, or this was made, whichever is later."""
        return time.monotonic() - self._sound_at

    async def run(self) -> None:
        """Until cancelled. Raises what the store raises when it is out of reach."""
        while True:
            began = time.monotonic()
            await self._walk()
            end_if_cancelled()
            await asyncio.sleep(max(self.every_s - (time.monotonic() - began), 0.0))

    async def _walk(self) -> None:
        worked_from = time.monotonic()

        async def rest() -> None:
            nonlocal worked_from
            await asyncio.sleep((time.monotonic() - worked_from) * VERIFY_REST_TIMES)
            worked_from = time.monotonic()

        def advance(position: int, _: int) -> None:
            self.position = position

        began = time.monotonic()
        self.damage = (await verify(self._store, on_progress=advance, rest=rest)).damage
        if self.damage is None:
            self._sound_at = began
        else:
            self.failures += 1
            self._on_damage(self.damage)
