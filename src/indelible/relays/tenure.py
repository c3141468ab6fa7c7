"""The time for which one process owns a relay: it renews the lease, saves how far the relay came, and hears what people
ask of it. Whether the broker answers has no part in that."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from indelible.cursors import Cursor
from indelible.errors import IndelibleError, OutcomeUnknown, Unavailable
from indelible.limits import GROUP_REASON_LENGTH_MAX
from indelible.relay_state import (
    RefusedEvent,
    RelayInfo,
    RelayLease,
    RelayReplay,
    Relays,
    ReplayProgress,
    RetriedEvent,
)
from indelible.tasks import end_if_cancelled, is_set_within

_RENEWALS_PER_LEASE: Final = 3
"""So that one that is lost does no harm."""
_RELEASE_TIMEOUT_S: Final = 1.0
"""A server that stops waits for little more; without it, the lease runs out."""


class _Progress(msgspec.Struct, frozen=True):
    """What the store is to be told."""

    cursor: Cursor
    published: int
    problem: str | None = None
    stop: bool = False
    replay: ReplayProgress | None = None


class Tenure:
    """``on_told`` hears what the store says after each save."""

    def __init__(
        self,
        relays: Relays,
        lease: RelayLease,
        *,
        lease_s: float,
        taken_at: float,
        save_pause_s: float,
        on_told: Callable[[RelayInfo], None],
    ) -> None:
        self.lease: Final = lease
        self._relays: Final = relays
        self._lease_s: Final = lease_s
        self._renew_s: Final = lease_s / _RENEWALS_PER_LEASE
        self._save_pause_s: Final = min(save_pause_s, self._renew_s)
        self._on_told: Final = on_told
        self._progress = _Progress(lease.cursor, lease.published)
        self._changed: Final = asyncio.Event()
        self._saving: Final = asyncio.Lock()
        self._told = asyncio.Event()
        self._certain_until = taken_at + lease_s
        self.is_paused = lease.is_paused
        self.is_stopped = lease.is_stopped
        self._replay: RelayReplay | None = None
        self.to_retry = 0
        """How many events that were set aside are to be published again, as the store said last."""

    @property
    def cursor(self) -> Cursor:
        return self._progress.cursor

    @property
    def published(self) -> int:
        return self._progress.published

    @property
    def stands_still(self) -> bool:
        return self.is_paused or self.is_stopped

    @property
    def replay(self) -> RelayReplay | None:
        """What is to be published again, as the store said last, and how far that has come here."""
        told, own = self._replay, self._progress.replay
        if told is None or own is None or own.name != told.name:
            return told
        return msgspec.structs.replace(told, cursor=own.cursor, published=own.published)

    # --- What happens to the relay -----------------------------------------------------------------------------------

    def advance(self, cursor: Cursor, count: int) -> None:
        """So many events more are published, and all that match up to here are."""
        published = self.published + count
        self._note(msgspec.structs.replace(self._progress, cursor=cursor, published=published))

    def advance_replay(self, name: str, cursor: Cursor, published: int) -> None:
        """All that match in the replay's range up to here are published, so many in all."""
        self._note(msgspec.structs.replace(self._progress, replay=ReplayProgress(name, cursor, published)))

    async def set_aside(self, refused: RefusedEvent, cursor: Cursor) -> None:
        """Go on behind ``cursor``, that of the event, or go on there in the replay that it was refused in. Returns when
        the store keeps the event. Raises ``InvalidRequest`` when it takes no more."""
        progress, replay = self._progress, self.replay
        if not refused.replay:
            progress = msgspec.structs.replace(progress, cursor=cursor)
        elif replay is not None and refused.replay == replay.name:
            reached = ReplayProgress(replay.name, cursor, replay.published)
            progress = msgspec.structs.replace(progress, replay=reached)
        await self._save(progress, refused=refused)
        # Not before: what is saved meanwhile must not pass the event.
        self._progress = msgspec.structs.replace(self._progress, cursor=progress.cursor, replay=progress.replay)

    async def retried(self, event: RetriedEvent) -> None:
        """It was set aside, and is published. Returns when the store knows."""
        self._progress = msgspec.structs.replace(self._progress, published=self.published + 1)
        await self._save(self._progress, retried=event)

    def note_problem(self, problem: str | None, *, stop: bool = False) -> None:
        """None: there is none. ``stop``: the relay stands still until somebody resumes it."""
        if stop:
            self.is_stopped = True
        problem = None if problem is None else problem.replace("\0", " ")[:GROUP_REASON_LENGTH_MAX]
        if (problem, stop) != (self._progress.problem, self._progress.stop):
            self._note(msgspec.structs.replace(self._progress, problem=problem, stop=stop))

    def _note(self, progress: _Progress) -> None:
        self._progress = progress
        self._changed.set()

    async def reach(self, cursor: Cursor, count: int) -> None:
        """Go on behind ``cursor``, or where the relay is if that is later: only the store can tell. So many events more
        are published up to there. Raises ``InvalidRequest`` where it is no place of the store's log."""
        published = self.published + count
        info = await self._save(msgspec.structs.replace(self._progress, cursor=cursor, published=published))
        self._progress = msgspec.structs.replace(self._progress, cursor=info.cursor, published=published)

    # --- The lease ---------------------------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Save what changes, and renew the lease, until the epoch is over: raises ``RelayFenced``."""
        while True:
            end_if_cancelled()
            self._changed.clear()
            # While the store is out of reach the lease may run out; then nothing is published any more.
            with suppress(Unavailable, OutcomeUnknown):
                await self._save(self._progress)
            await asyncio.sleep(self._save_pause_s)
            await is_set_within(self._renew_s - self._save_pause_s, self._changed)

    async def renew(self) -> None:
        """At once. Raises ``RelayFenced`` when the epoch is over, and what else the store raises."""
        await self._save(self._progress)

    async def hears(self) -> None:
        """Return when the store has said next how the relay is: once each renewal of the lease at the latest, unless it
        is out of reach."""
        await self._told.wait()

    async def _save(
        self, progress: _Progress, *, refused: RefusedEvent | None = None, retried: RetriedEvent | None = None
    ) -> RelayInfo:
        async with self._saving:
            asked_at = time.monotonic()
            info = await self._relays.advance(
                self.lease.relay, self.lease.epoch, progress.cursor,
                published=progress.published, lease_s=self._lease_s, problem=progress.problem, stop=progress.stop,
                replay=progress.replay, refused=refused, retried=retried,
            )  # fmt: skip
            self._certain_until = asked_at + self._lease_s
        if progress is self._progress:
            # A stop is said once: what was said before somebody resumed must not stop the relay again.
            self._progress = msgspec.structs.replace(progress, stop=False)
        self.is_paused = info.is_paused
        self.is_stopped = info.is_stopped or self._progress.stop
        self._replay, self.to_retry = info.replay, info.to_retry
        self._on_told(info)
        told, self._told = self._told, asyncio.Event()
        told.set()
        return info

    @property
    def is_certain(self) -> bool:
        """Whether the lease is certainly the caller's still. Who was held up for long must ask first."""
        return time.monotonic() < self._certain_until

    async def becomes_doubtful(self) -> None:
        """Return when the lease may be over."""
        while (left_s := self._certain_until - time.monotonic()) > 0:  # noqa: ASYNC110 - time alone ends it
            await asyncio.sleep(left_s)

    async def becomes_certain(self) -> None:
        """Return when the lease is certainly the caller's still."""
        while not self.is_certain:
            self._changed.set()
            await self._told.wait()

    async def goes_on(self) -> None:
        """Return when the relay does not stand still."""
        while self.stands_still:
            await self._told.wait()

    async def end(self) -> None:
        """Save, and give the lease back."""
        with suppress(IndelibleError, TimeoutError):
            async with asyncio.timeout(_RELEASE_TIMEOUT_S):
                await self._save(self._progress)
                await self._relays.release(self.lease.relay, self.lease.epoch)
