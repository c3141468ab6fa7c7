"""Relays over an engine: what their owners and others may change, decided on the stored state and saved if nobody came
first."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import uuid4

from msgspec.structs import replace

from indelible.core.condition_scans import check_not_past
from indelible.core.consumer_groups import FindStart
from indelible.core.engine_calls import outcome_of
from indelible.core.relay_rules import (
    advanced,
    check_newest,
    claimed,
    lease_left_us,
    leased,
    moved,
    new_relay,
    state_of,
)
from indelible.core.replay_rules import (
    dismissed,
    is_passed,
    replayed,
    replaying,
    retrying,
    with_refused,
    without_replay,
    without_retried,
)
from indelible.cursors import Cursor, Lag, cursor_at, position_of
from indelible.engines.engine import Engine
from indelible.engines.relay_storage import StoredRelay, StoredReplay, StoredSetAside
from indelible.errors import Overloaded, RelayNotFound, StoreCorrupted
from indelible.events import RecordedEvent, decode_event, timestamp_from_us, timestamp_to_us
from indelible.groups import Start, StartPoint
from indelible.limits import RELAY_LEASE_S, RELAY_SAVES_MAX, RELAYS_MAX, RETRY_AFTER_S
from indelible.queries import EVERYTHING
from indelible.relay_state import (
    RefusedEvent,
    RelayInfo,
    RelayLease,
    RelayReplay,
    ReplayProgress,
    RetriedEvent,
    SetAsideEvent,
    check_beside,
    check_epoch,
    check_lease,
    check_owner,
    check_progress,
    check_relay,
    check_set_aside,
)

Decide = Callable[[StoredRelay, int], StoredRelay]
"""What a relay is to be, from what it is and the storage's time. Raises what refuses it."""


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
            return new_relay(relay, await self._find_start(begin))

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
        replay: ReplayProgress | None = None,
        refused: RefusedEvent | None = None,
        retried: RetriedEvent | None = None,
    ) -> RelayInfo:
        check_relay(relay)
        check_epoch(epoch)
        check_lease(lease_s)
        check_progress(published, problem, stop)
        check_beside(replay, refused, retried)
        position = position_of(cursor, "/cursor")
        reached = None if replay is None else position_of(replay.cursor, "/replay/cursor")
        # Who is fenced hears of that first: the place may be one that only a stale owner knows.
        head = (await self._engine.head()).position
        aside = None if refused is None or refused.position > head else await self._set_aside(refused)

        def decide(stored: StoredRelay, now_us: int) -> StoredRelay:
            check_newest(stored, epoch)
            check_not_past(position, head, "/cursor")
            advance = advanced(
                leased(stored, lease_s, now_us), position=position, published=published, problem=problem, stop=stop
            )
            if replay is not None and reached is not None:
                check_not_past(reached, head, "/replay/cursor")
                advance = replayed(advance, replay, reached)
            if refused is not None:
                check_not_past(refused.position, head, "/refused/position")
            if refused is not None and aside is not None:
                event = replace(aside, set_aside_us=now_us)
                is_new = is_passed(stored, refused, live=position, replay=replay, reached=reached)
                advance = with_refused(advance, event, refused.replay, is_new=is_new)
            return advance if retried is None else without_retried(advance, retried)

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

    async def replay(
        self,
        relay: str,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
        until: Cursor | None = None,
    ) -> RelayInfo:
        check_relay(relay)
        end = None if until is None else position_of(until, "/until")
        begin = await self._find_start(StartPoint(start, after, since).given())
        return await self._changed(relay, lambda stored, _: replaying(stored, begin, end))

    async def cancel_replay(self, relay: str) -> RelayInfo:
        return await self._changed(relay, lambda stored, _: without_replay(stored))

    async def list_set_aside(self, relay: str) -> tuple[SetAsideEvent, ...]:
        return tuple(map(_set_aside_event, (await self._load(relay)).beside.set_aside))

    async def retry_set_aside(self, relay: str, positions: Sequence[int] | None = None) -> int:
        chosen = check_set_aside(positions)
        return await self._counted(relay, lambda stored: retrying(stored, chosen))

    async def dismiss_set_aside(self, relay: str, positions: Sequence[int] | None = None) -> int:
        chosen = check_set_aside(positions)
        return await self._counted(relay, lambda stored: dismissed(stored, chosen))

    async def list(self) -> tuple[RelayInfo, ...]:
        stored = await self._engine.list_relays()
        return tuple([await self._info(one) for one in stored])

    async def get(self, relay: str) -> RelayInfo:
        return await self._info(await self._load(relay))

    async def _load(self, relay: str) -> StoredRelay:
        stored = await self._engine.load_relay(check_relay(relay))
        if stored is None:
            raise relay_not_found(relay)
        return stored

    # --- Changes -----------------------------------------------------------------------------------------------------

    async def _changed(self, relay: str, decide: Decide) -> RelayInfo:
        return await self._info(await self._change(check_relay(relay), decide, None))

    async def _counted(self, relay: str, decide: Callable[[StoredRelay], tuple[StoredRelay, int]]) -> int:
        """As :meth:`_changed`, where a count is told."""
        count = 0

        def decide_and_count(stored: StoredRelay, _: int) -> StoredRelay:
            nonlocal count
            stored, count = decide(stored)
            return stored

        await self._change(check_relay(relay), decide_and_count, None)
        return count

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
        lag = await lag_after(self._engine, stored.position)
        left_us = lease_left_us(stored, await self._engine.now_us())
        return RelayInfo(
            relay=stored.name,
            state=state_of(stored, is_owned=left_us > 0),
            epoch=stored.epoch,
            owner=stored.owner,
            lease_left_s=left_us / 1e6,
            cursor=cursor_at(stored.position),
            position=stored.position,
            lag=lag.positions,
            lag_s=lag.age_s,
            published=stored.published,
            is_paused=stored.is_paused,
            is_stopped=stored.is_stopped,
            problem=stored.problem,
            replay=_replay(stored.beside.replay),
            set_aside=len(stored.beside.set_aside),
            to_retry=sum(one.retry is not None for one in stored.beside.set_aside),
        )

    async def _set_aside(self, refused: RefusedEvent) -> StoredSetAside:
        event = await event_after(self._engine, refused.position - 1)
        return StoredSetAside(
            event.position, event.event_id, event.aggregate_type, event.aggregate_id, refused.reason, set_aside_us=0
        )


async def lag_after(engine: Engine, position: int) -> Lag:
    """Of a reader who has come to a position."""
    head = await engine.head()
    if position >= head.position:
        return Lag(0, 0.0)
    oldest_us = await _timestamp_after(engine, position, head.timestamp_us)
    return Lag(head.position - position, max(await engine.now_us() - oldest_us, 0) / 1e6)


async def _timestamp_after(engine: Engine, position: int, head_us: int) -> int:
    try:
        return timestamp_to_us((await event_after(engine, position)).timestamp)
    except (StoreCorrupted, ValueError):
        # The reader will stand still there, and what is told of it must not fail: it is at least as old as the last.
        return head_us


async def event_after(engine: Engine, position: int) -> RecordedEvent:
    page = await engine.read_feed(EVERYTHING, after=position, until=position + 1, direction="forward", limit=1)
    return decode_event(page.lines)


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


def _replay(stored: StoredReplay | None) -> RelayReplay | None:
    if stored is None:
        return None
    return RelayReplay(
        name=stored.name,
        cursor=cursor_at(stored.position),
        position=stored.position,
        until=cursor_at(stored.until),
        until_position=stored.until,
        published=stored.published,
    )


def _set_aside_event(stored: StoredSetAside) -> SetAsideEvent:
    return SetAsideEvent(
        position=stored.position,
        event_id=stored.event_id,
        aggregate_type=stored.aggregate_type,
        aggregate_id=stored.aggregate_id,
        reason=stored.reason,
        set_aside_at=timestamp_from_us(stored.set_aside_us),
        retry=stored.retry,
    )


def relay_not_found(relay: str) -> RelayNotFound:
    return RelayNotFound(f"there is no relay {relay}", relay=relay)
