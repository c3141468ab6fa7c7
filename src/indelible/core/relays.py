"""Relays over an engine: what their owners and others may change, decided on the stored state and saved if nobody came
first. The rules are plain functions; none asks for the time."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from msgspec.structs import replace

from indelible.core.condition_scans import check_not_past
from indelible.core.consumer_groups import FindStart
from indelible.core.engine_calls import outcome_of
from indelible.cursors import Cursor, cursor_at, position_of
from indelible.engines.engine import Engine
from indelible.engines.relay_storage import StoredRelay
from indelible.errors import Overloaded, RelayFenced, RelayNotFound, RelayOwned, StoreCorrupted
from indelible.events import decode_event, timestamp_to_us
from indelible.groups import Start, StartPoint
from indelible.limits import RELAY_LEASE_S, RELAY_SAVES_MAX, RELAYS_MAX, RETRY_AFTER_S
from indelible.queries import EVERYTHING
from indelible.relay_state import (
    RelayInfo,
    RelayLease,
    RelayState,
    check_epoch,
    check_lease,
    check_owner,
    check_progress,
    check_relay,
)

Decide = Callable[[StoredRelay, int], StoredRelay]
"""What a relay is to be, from what it is and the storage's time. Raises what refuses it."""

_NO_SAVE: Final = UUID(int=0)


class LocalRelays:
    """Implements :class:`indelible.relay_state.Relays`."""

    def __init__(self, engine: Engine, find_start: FindStart) -> None:
        self._engine: Final = engine
        self._find_start: Final = find_start

    async def claim(
        self,
        relay: str,
        owner: str,
        *,
        lease_s: float = RELAY_LEASE_S,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
    ) -> RelayLease:
        check_relay(relay)
        check_owner(owner)
        check_lease(lease_s)
        begin = StartPoint(start, after, since).checked()

        async def new() -> StoredRelay:
            return _new(relay, await self._find_start(begin))

        return _lease(await self._change(relay, lambda stored, now_us: claimed(stored, owner, lease_s, now_us), new))

    async def advance(
        self,
        relay: str,
        epoch: int,
        cursor: Cursor,
        *,
        published: int,
        lease_s: float = RELAY_LEASE_S,
        problem: str | None = None,
        stop: bool = False,
    ) -> RelayInfo:
        check_relay(relay)
        check_epoch(epoch)
        check_lease(lease_s)
        check_progress(published, problem, stop)
        position = position_of(cursor, "/cursor")
        # Who is fenced hears of that first: the place may be one that only a stale owner knows.
        head = (await self._engine.head()).position

        def decide(stored: StoredRelay, now_us: int) -> StoredRelay:
            check_newest(stored, epoch)
            check_not_past(position, head, "/cursor")
            return advanced(
                leased(stored, lease_s, now_us), position=position, published=published, problem=problem, stop=stop
            )

        return await self._changed(relay, decide)

    async def release(self, relay: str, epoch: int) -> RelayInfo:
        check_epoch(epoch)

        def decide(stored: StoredRelay, now_us: int) -> StoredRelay:
            check_newest(stored, epoch)
            return replace(stored, lease_until_us=min(stored.lease_until_us, now_us))

        return await self._changed(relay, decide)

    async def pause(self, relay: str) -> RelayInfo:
        return await self._changed(relay, lambda stored, _: replace(stored, is_paused=True))

    async def resume(self, relay: str) -> RelayInfo:
        return await self._changed(
            relay, lambda stored, _: replace(stored, is_paused=False, is_stopped=False, problem=None)
        )

    async def reset(
        self, relay: str, *, start: Start | None = None, after: Cursor | None = None, since: datetime | None = None
    ) -> RelayInfo:
        check_relay(relay)
        position = await self._find_start(StartPoint(start, after, since).given())
        return await self._changed(relay, lambda stored, _: moved(stored, position))

    async def list(self) -> tuple[RelayInfo, ...]:
        stored = await self._engine.list_relays()
        return tuple([await self._info(one) for one in stored])

    async def get(self, relay: str) -> RelayInfo:
        stored = await self._engine.load_relay(check_relay(relay))
        if stored is None:
            raise relay_not_found(relay)
        return await self._info(stored)

    # --- Changes -----------------------------------------------------------------------------------------------------

    async def _changed(self, relay: str, decide: Decide) -> RelayInfo:
        return await self._info(await self._change(check_relay(relay), decide, None))

    async def _change(
        self, relay: str, decide: Decide, new: Callable[[], Awaitable[StoredRelay]] | None
    ) -> StoredRelay:
        """``new``: what it is before it is made, where there is none."""
        for _ in range(RELAY_SAVES_MAX):
            stored = await self._engine.load_relay(relay)
            if stored is None:
                if new is None:
                    raise relay_not_found(relay)
                stored = await new()
            # After the load: a lease that is over by this time was so, unless somebody saved meanwhile.
            decided = decide(stored, await self._engine.now_us())
            changed = replace(decided, revision=stored.revision + 1, save_id=uuid4())
            save = self._engine.save_relay(changed, relays_max=RELAYS_MAX)
            if await outcome_of(save, "ask again to learn the outcome"):
                return changed
        raise Overloaded(f"others change the relay {relay} all the time", retry_after_s=RETRY_AFTER_S)

    # --- What is told ------------------------------------------------------------------------------------------------

    async def _info(self, stored: StoredRelay) -> RelayInfo:
        head = await self._engine.head()
        now_us = await self._engine.now_us()
        behind = stored.position < head.position
        oldest_us = await self._timestamp_after(stored.position, head.timestamp_us) if behind else now_us
        left_us = max(stored.lease_until_us - now_us, 0)
        return RelayInfo(
            relay=stored.name,
            state=state_of(stored, is_owned=left_us > 0),
            epoch=stored.epoch,
            owner=stored.owner,
            lease_left_s=left_us / 1e6,
            cursor=cursor_at(stored.position),
            position=stored.position,
            lag=max(head.position - stored.position, 0),
            lag_s=max(now_us - oldest_us, 0) / 1e6,
            published=stored.published,
            is_paused=stored.is_paused,
            is_stopped=stored.is_stopped,
            problem=stored.problem,
        )

    async def _timestamp_after(self, position: int, head_us: int) -> int:
        try:
            page = await self._engine.read_feed(
                EVERYTHING, after=position, until=position + 1, direction="forward", limit=1
            )
            return timestamp_to_us(decode_event(page.lines).timestamp)
        except (StoreCorrupted, ValueError):
            # The relay will stand still there, and what is told of it must not fail: it is at least as old as the last.
            return head_us


# --- Rules -----------------------------------------------------------------------------------------------------------


def _new(name: str, position: int) -> StoredRelay:
    return StoredRelay(
        name=name, revision=0, epoch=0, owner="", lease_until_us=0, position=position, published=0,
        is_paused=False, is_stopped=False, problem=None, reset_epoch=0, save_id=_NO_SAVE,
    )  # fmt: skip


def claimed(stored: StoredRelay, owner: str, lease_s: float, now_us: int) -> StoredRelay:
    """Raises ``RelayOwned``."""
    left_us = stored.lease_until_us - now_us
    if left_us > 0 and stored.owner != owner:
        raise RelayOwned(
            f"the relay {stored.name} is owned by {stored.owner}, for {left_us / 1e6:.1f} s more",
            relay=stored.name, owner=stored.owner, lease_left_s=left_us / 1e6,
        )  # fmt: skip
    problem = stored.problem if stored.is_stopped else None
    return leased(replace(stored, epoch=stored.epoch + 1, owner=owner, problem=problem), lease_s, now_us)


def leased(stored: StoredRelay, lease_s: float, now_us: int) -> StoredRelay:
    return replace(stored, lease_until_us=now_us + round(lease_s * 1e6))


def check_newest(stored: StoredRelay, epoch: int) -> None:
    """Raises ``RelayFenced`` for a stale owner, and for who never was one."""
    if epoch != stored.epoch:
        raise RelayFenced(
            f"epoch {epoch} of the relay {stored.name} is over: the newest is {stored.epoch}",
            relay=stored.name, epoch=stored.epoch,
        )  # fmt: skip


def advanced(stored: StoredRelay, *, position: int, published: int, problem: str | None, stop: bool) -> StoredRelay:
    """Nothing goes back: a call may come late, or twice."""
    # Only resuming ends a stop: a renewal that was under way meanwhile says nothing new.
    if not stored.is_stopped:
        stored = replace(stored, problem=problem, is_stopped=stop)
    return replace(stored, position=max(stored.position, position), published=max(stored.published, published))


def moved(stored: StoredRelay, position: int) -> StoredRelay:
    epoch = stored.epoch + 1
    return replace(
        stored, epoch=epoch, reset_epoch=epoch, lease_until_us=0, position=position, is_stopped=False, problem=None
    )


def state_of(stored: StoredRelay, *, is_owned: bool) -> RelayState:
    """What matters most: what somebody has to do something about comes first."""
    if stored.is_stopped:
        return "stopped"
    if stored.is_paused:
        return "paused"
    if not is_owned:
        return "unowned"
    return "running" if stored.problem is None else "retrying"


def _lease(stored: StoredRelay) -> RelayLease:
    return RelayLease(
        relay=stored.name,
        epoch=stored.epoch,
        cursor=cursor_at(stored.position),
        published=stored.published,
        is_paused=stored.is_paused,
        is_stopped=stored.is_stopped,
        reset_epoch=stored.reset_epoch,
    )


def relay_not_found(relay: str) -> RelayNotFound:
    return RelayNotFound(f"there is no relay {relay}", relay=relay)
