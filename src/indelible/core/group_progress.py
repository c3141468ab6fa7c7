"""What a consumer group has done and has yet to do, and the rules by which that changes. No I/O, and no clock:
whoever asks says what time it is.

A group reads the log once, in order. Of every aggregate it knows the first event that is not done; the aggregate's
later events, as far as the log was read, wait behind it and are only counted. When that event is done the next of them
takes its place. So a group is as large as the number of aggregates with something to do, however many events that is.

What changes is gathered until :meth:`GroupProgress.change` is asked for all of it, to be saved at once.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Final, Literal, NamedTuple
from uuid import UUID

import msgspec

from indelible.diagnostics import DamagedEvent, GroupMeasure
from indelible.engines.group_storage import UNKNOWN_AGGREGATE, GroupChange, GroupState, PendingEvent, StoredGroup
from indelible.errors import ParkedEventNotFound
from indelible.events import AggregateKey, timestamp_from_us
from indelible.groups import GroupSettings, SkippedEvent
from indelible.limits import (
    GROUP_AGGREGATES_MAX,
    GROUP_NEXT_EVENTS_MAX,
    GROUP_PARKED_AGGREGATES_MAX,
    GROUP_PLACES_MAX,
)

NOT_IN_TIME: Final = "not acknowledged in time"
_STALE_ENTRIES_MIN: Final = 1_000
"""Deadlines that never come, below which it is not worth clearing them away."""
_replace: Final = msgspec.structs.replace


class Place(NamedTuple):
    """Where an event stands."""

    position: int
    version: int


class GroupProgress:
    """One group, from what is stored of it on."""

    def __init__(self, state: GroupState) -> None:
        self.group: StoredGroup = state.group
        self.now_us = state.now_us
        """When what happens now happens."""
        self._saved: StoredGroup = state.group
        self._pending: Final = {one.key: one for one in state.pending}
        self._at: Final = {one.position: one.key for one in state.pending}
        self._next: Final[dict[AggregateKey, deque[Place]]] = {}
        """The first of the events that follow, where they are known."""
        self._places = 0
        """How many are known, all aggregates together."""
        self._to_promote: Final[dict[AggregateKey, PendingEvent]] = {}
        """Aggregates whose event is done, and whose next one has not taken its place yet."""
        self._ready: Final[set[int]] = set()
        """Positions that may be delivered."""
        self._in_order: Final[list[int]] = []
        """The same as a heap; with some that may not any more."""
        self._due: Final = [(one.due_us, one.position) for one in state.pending if one.state != "parked"]
        """When a wait or a deadline ends, as a heap; with some that ended before."""
        heapify(self._due)
        self._counts: Final = {"waiting": 0, "in_flight": 0, "parked": 0}
        for one in state.pending:
            self._counts[one.state] += 1
        self._begin_change()

    def _begin_change(self) -> None:
        self.measure = GroupMeasure()
        self._dropped: set[int] = set()
        self._put: set[int] = set()
        self._drop_all = False
        self._skipped: list[SkippedEvent] = []

    # --- What there is -----------------------------------------------------------------------------------------------

    @property
    def settings(self) -> GroupSettings:
        return self.group.settings

    @property
    def capacity(self) -> int:
        """How many more events may go to members now."""
        if self.is_stalled:
            return 0
        return max(self.settings.max_in_flight - self._counts["in_flight"], 0)

    @property
    def is_stalled(self) -> bool:
        return self._counts["parked"] >= GROUP_PARKED_AGGREGATES_MAX

    @property
    def may_read_further(self) -> bool:
        """Whether there is room for more of the log; and no event before it whose aggregate nobody can tell, as what
        comes may be of the same."""
        is_held_up = self.is_stalled or UNKNOWN_AGGREGATE in self._pending
        return not is_held_up and len(self._pending) - self._counts["parked"] < GROUP_AGGREGATES_MAX

    @property
    def has_pending(self) -> bool:
        """What is parked aside."""
        return len(self._pending) > self._counts["parked"]

    @property
    def size(self) -> int:
        """How many events it knows of."""
        return len(self._pending) + self._places

    @property
    def next_due_us(self) -> int | None:
        """When the first wait or deadline may end."""
        return self._due[0][0] if self._due else None

    @property
    def ready(self) -> int:
        """How many events may be delivered."""
        return len(self._ready)

    # --- Saving ------------------------------------------------------------------------------------------------------

    @property
    def is_changed(self) -> bool:
        """Whether more than how far the log was read is to be saved."""
        return bool(self._put or self._dropped or self._drop_all or self._skipped) or (
            self.group is not self._saved and _replace(self.group, reached=self._saved.reached) != self._saved
        )

    @property
    def has_read_further(self) -> bool:
        return self.group.reached != self._saved.reached

    def change(self, save_id: UUID) -> GroupChange:
        """All that changed since the last save. Every aggregate whose event is done has its next one by now."""
        assert not self._to_promote, "an aggregate's next event is missing"
        self.group = _replace(self.group, revision=self._saved.revision + 1, save_id=save_id)
        return GroupChange(
            expected_revision=self._saved.revision,
            group=self.group,
            dropped=tuple(self._dropped),
            put=tuple(self._pending[self._at[position]] for position in self._put),
            drop_all=self._drop_all,
            skipped=tuple(self._skipped),
        )

    def saved(self) -> None:
        """The change is on stable storage."""
        self._saved = self.group
        self._begin_change()

    def _set(self, one: PendingEvent) -> None:
        before = self._pending.get(one.key)
        if before is not None:
            self._counts[before.state] -= 1
        self._counts[one.state] += 1
        self._pending[one.key] = one
        self._at[one.position] = one.key
        self._put.add(one.position)
        self._dropped.discard(one.position)

    def _remove(self, one: PendingEvent) -> None:
        self._counts[one.state] -= 1
        del self._pending[one.key], self._at[one.position]
        self._put.discard(one.position)
        self._ready.discard(one.position)
        if not self._drop_all:
            self._dropped.add(one.position)

    # --- Reading the log ---------------------------------------------------------------------------------------------

    def read(self, events: Iterable[tuple[AggregateKey, Place]], reached: int) -> None:
        """Take in a page of matching events, in order, after which the log is read up to ``reached``."""
        for key, place in events:
            one = self._pending.get(key)
            if one is None:
                self._wait(PendingEvent(key, place.position, place.version, 0, "waiting", 0))
                continue
            known = self._next.setdefault(key, deque()) if one.following == 0 else self._next.get(key)
            if known is not None and len(known) == one.following < GROUP_NEXT_EVENTS_MAX and self._has_room:
                known.append(place)
                self._places += 1
            self._set(_replace(one, following=one.following + 1))
        self.group = _replace(self.group, reached=reached)

    def _wait(self, one: PendingEvent) -> None:
        self._set(one)
        if one.due_us:
            self._await_due(one)
        else:
            self._make_ready(one.position)

    def _make_ready(self, position: int) -> None:
        if position not in self._ready:
            self._ready.add(position)
            heappush(self._in_order, position)

    @property
    def _has_room(self) -> bool:
        """For more places of events that follow."""
        return self._places < GROUP_PLACES_MAX

    def to_look_up(self) -> list[PendingEvent]:
        """Aggregates whose next event, after the version given, must be looked up before :meth:`promote_next`."""
        return [one for key, one in self._to_promote.items() if not self._next.get(key)]

    def set_following(self, key: AggregateKey, following: Sequence[Place]) -> None:
        """The first events that follow; at least one."""
        self._next[key] = deque(following if self._has_room else following[:1])
        self._places += len(self._next[key])

    def promote_next(self) -> None:
        """Let the next events take the places of those that are done."""
        for key, done in self._to_promote.items():
            place = self._next[key].popleft()
            self._places -= 1
            self._wait(PendingEvent(key, place.position, place.version, done.following - 1, "waiting", 0))
            if done.following == 1:
                del self._next[key]
        self._to_promote.clear()

    # --- Delivering --------------------------------------------------------------------------------------------------

    def take(self, limit: int, member: str) -> list[PendingEvent]:
        """The first events that may be delivered are with a member from now on."""
        taken: list[PendingEvent] = []
        limit = min(limit, self.capacity)
        while self._ready and len(taken) < limit:
            position = heappop(self._in_order)
            if position in self._ready:
                self._ready.remove(position)
                taken.append(self._take(self._pending[self._at[position]], member))
        return taken

    def park_unreadable(self, taken: PendingEvent, reason: str) -> None:
        """The store cannot read this event, which so reached nobody. Its aggregate stops here, the others go on."""
        self.release([taken])
        self._ready.discard(taken.position)
        self._park_damaged(self._pending[taken.key], reason)

    def park_unidentified(self, position: int, reason: str) -> None:
        """Nor can it tell whose event the one at ``position`` is, where reading the log has to stop."""
        self._park_damaged(PendingEvent(UNKNOWN_AGGREGATE, position, 0, 0, "parked", 0), reason)

    def _park_damaged(self, one: PendingEvent, reason: str) -> None:
        self._set(_replace(one, state="parked", due_us=self.now_us, reason=reason, is_unreadable=True))
        self.measure.parked += 1
        self.measure.damage.append(DamagedEvent(one.position, reason))

    def _take(self, one: PendingEvent, member: str) -> PendingEvent:
        self.group = _replace(self.group, last_delivery=self.group.last_delivery + 1)
        taken = _replace(
            one,
            state="in_flight",
            due_us=self.now_us + _us(self.settings.ack_timeout_s),
            attempts=one.attempts + 1,
            delivery=self.group.last_delivery,
            member=member,
        )
        self._set(taken)
        self._await_due(taken)
        self.measure.deliveries += 1
        self.measure.redeliveries += one.attempts > 0
        return taken

    def _await_due(self, one: PendingEvent) -> None:
        """Most deadlines never come: what was for events that are done by now is cleared away when it is the most."""
        if len(self._due) > _STALE_ENTRIES_MIN + 4 * len(self._pending):
            self._due[:] = [(one.due_us, one.position) for one in self._pending.values() if one.due_us]
            heapify(self._due)
        heappush(self._due, (one.due_us, one.position))

    def release(self, deliveries: Iterable[PendingEvent]) -> None:
        """These have not reached anybody: as if they had not been. Those that are not there, or not there any more, are
        passed over; by the deadline too, as another process may have given out the same number."""
        for taken in deliveries:
            key = self._at.get(taken.position)
            one = None if key is None else self._pending[key]
            if one is None or (one.state, one.delivery, one.due_us) != ("in_flight", taken.delivery, taken.due_us):
                continue
            self._wait(_replace(one, state="waiting", due_us=0, attempts=one.attempts - 1, member=""))
            if one.delivery > self._saved.last_delivery:
                self.measure.deliveries -= 1
                self.measure.redeliveries -= one.attempts > 1

    def advance_clock(self, now_us: int) -> None:
        """It is this late now: end waits and deadlines that are over."""
        self.now_us = now_us
        while self._due and self._due[0][0] <= now_us:
            due_us, position = heappop(self._due)
            key = self._at.get(position)
            one = None if key is None else self._pending[key]
            if one is None or one.due_us != due_us or one.state == "parked":
                continue
            if one.state == "waiting":
                self._make_ready(position)
            else:
                self.measure.timeouts += 1
                self._refuse(one, 0, NOT_IN_TIME)

    # --- Settling ----------------------------------------------------------------------------------------------------

    def ack(self, position: int, number: int) -> bool:
        """Whether the event is done. It counts as long as nobody else got the event, however late it comes."""
        one = self._delivered(position, number)
        if isinstance(one, PendingEvent):
            self._finish(one)
            self.measure.acks += 1
        return one != "lost"

    def nack(
        self, position: int, number: int, *, delay_s: float, reason: str, park: bool = False, untried: bool = False
    ) -> bool:
        """Whether the event was with the caller, or has been refused already."""
        one = self._delivered(position, number)
        if not isinstance(one, PendingEvent):
            return False
        if one.state == "in_flight":
            self.measure.nacks += 1
            due_us = self.now_us + _us(delay_s) if delay_s else 0
            if untried:
                self._wait(_replace(one, state="waiting", due_us=due_us, attempts=one.attempts - 1))
            else:
                self._refuse(one, due_us, reason, park=park)
        return True

    def extend(self, position: int, number: int, *, timeout_s: float | None) -> bool:
        """Whether the event is with the caller. None: as long as the group gives."""
        one = self._delivered(position, number)
        if not isinstance(one, PendingEvent) or one.state != "in_flight":
            return False
        timeout_us = _us(self.settings.ack_timeout_s if timeout_s is None else timeout_s)
        extended = _replace(one, due_us=self.now_us + timeout_us)
        self._set(extended)
        self._await_due(extended)
        return True

    def _delivered(self, position: int, number: int) -> PendingEvent | Literal["done", "lost"]:
        """The event that a delivery brought, as long as no later one did."""
        if not self.group.reset_at < number <= self.group.last_delivery:
            return "lost"
        key = self._at.get(position)
        if key is None:
            return "done" if position <= self.group.reached else "lost"
        one = self._pending[key]
        return one if one.delivery == number else "lost"

    def _refuse(self, one: PendingEvent, due_us: int, reason: str, *, park: bool = False) -> None:
        if park or one.attempts >= self.settings.max_attempts:
            self.measure.parked += 1
            self._set(_replace(one, state="parked", due_us=self.now_us, reason=reason))
        else:
            self._wait(_replace(one, state="waiting", due_us=due_us, reason=reason))

    def _finish(self, one: PendingEvent) -> None:
        self._remove(one)
        if one.following:
            self._to_promote[one.key] = one

    # --- What people decide ------------------------------------------------------------------------------------------

    def change_settings(self, settings: GroupSettings) -> None:
        self.group = _replace(self.group, settings=settings)

    def redrive(self, positions: Sequence[int] | None) -> int:
        """Let parked events be delivered again: those at these positions, or all. Raises ``ParkedEventNotFound``."""
        parked = self._parked_at(positions)
        for one in parked:
            if one.key == UNKNOWN_AGGREGATE:
                # Reading the log goes on from there, and finds out whose it is.
                self._remove(one)
                self.group = _replace(self.group, reached=one.position - 1)
            else:
                self._wait(_replace(one, state="waiting", due_us=0, attempts=0, is_unreadable=False))
        return len(parked)

    def skip(self, positions: Sequence[int], reason: str) -> int:
        """Pass over parked events. Raises ``ParkedEventNotFound``."""
        parked = self._parked_at(positions)
        for one in parked:
            self._skipped.append(_skipped(one, reason, timestamp_from_us(self.now_us)))
            self._finish(one)
        return len(parked)

    def _parked_at(self, positions: Sequence[int] | None) -> list[PendingEvent]:
        if positions is None:
            return [one for one in self._pending.values() if one.state == "parked"]
        parked = []
        for position in positions:
            key = self._at.get(position)
            if key is None or self._pending[key].state != "parked":
                raise parked_event_not_found(self.group.name, position)
            parked.append(self._pending[key])
        return parked

    def parked_before(self, position: int) -> list[PendingEvent]:
        """What stays parked when the group is reset to a position. What nobody can tell the aggregate of does not: it
        is found again, or was passed over on purpose."""
        return [one for one in self._parked_at(None) if one.position <= position and one.key != UNKNOWN_AGGREGATE]

    def reset(self, position: int, following: Mapping[AggregateKey, int]) -> None:
        """Read on after ``position``. ``following`` tells of each aggregate that stays parked how many events follow up
        to there."""
        kept = [_replace(self._pending[key], following=count) for key, count in following.items()]
        for known in (self._pending, self._at, self._next, self._to_promote, self._ready, self._in_order, self._due):
            known.clear()
        self._places = 0
        self._counts.update(waiting=0, in_flight=0, parked=0)
        self._dropped.clear()
        self._put.clear()
        self._drop_all = True
        for one in kept:
            self._set(one)
        self.group = _replace(self.group, reached=position, reset_at=self.group.last_delivery)


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _skipped(one: PendingEvent, reason: str, at: datetime) -> SkippedEvent:
    return SkippedEvent(
        position=one.position,
        aggregate_type=one.key.aggregate_type,
        aggregate_id=one.key.aggregate_id,
        version=one.version,
        attempts=one.attempts,
        parked_reason=one.reason,
        reason=reason,
        skipped_at=at,
    )


def parked_event_not_found(group: str, position: int) -> ParkedEventNotFound:
    message = f"the group has no parked event at position {position} that holds up its aggregate"
    return ParkedEventNotFound(message, group=group, position=position)
