"""Where the state of consumer groups is kept: a small contract beside that of the log.

A group is one row with a ``revision``, and one row an aggregate that has an event which is not done. Whoever changes a
group gives the revision that its change was made from; the storage refuses it when the group has another one by now. So
any number of processes may serve a group: what one of them decided on an old state never takes effect, however long it
was held up, and no clock has a part in that.
"""

from collections.abc import Sequence
from typing import Final, Literal, Protocol
from uuid import UUID

import msgspec

from indelible.errors import InvalidRequest
from indelible.events import AggregateKey
from indelible.groups import GroupSettings, SkippedEvent

PendingState = Literal["waiting", "in_flight", "parked"]


class StoredGroup(msgspec.Struct, frozen=True):
    """The group's own row. Times count microseconds from 1970."""

    name: str
    settings: GroupSettings
    created_us: int
    """Of a partition: when the group was made in the first one. By this its parts know one another."""
    revision: int
    """One more with every save. Begins at the clock, so that no two groups of one name ever share one."""
    reached: int
    """Position up to which the log was read: a matching event up to here is in ``pending``, or done."""
    last_delivery: int
    """Number of the newest delivery. Begins at the clock too."""
    reset_at: int
    """Deliveries up to this number are from before the group was made or last reset."""
    save_id: UUID
    """Given by whoever made the group or saved it last: another each time, so everybody knows a save of theirs."""


UNKNOWN_AGGREGATE: Final = AggregateKey("", "")
"""Stands for the aggregate of an event that is so damaged that nobody can tell whose it is. None has this name."""


class PendingEvent(msgspec.Struct, frozen=True):
    """An aggregate's first event that is not done. Those that follow it, as far as the log was read, wait behind it."""

    key: AggregateKey
    position: int
    version: int
    following: int
    """How many of them there are."""
    state: PendingState
    due_us: int
    """Waiting: not to be delivered before. In flight: the deadline. Parked: since when."""
    attempts: int = 0
    delivery: int = 0
    """Number of the event's newest delivery; 0 before the first."""
    member: str = ""
    reason: str = ""
    """Why it was refused last."""
    is_unreadable: bool = False
    """Parked because the store cannot read it."""


class GroupState(msgspec.Struct, frozen=True):
    """A group as it is stored."""

    group: StoredGroup
    pending: tuple[PendingEvent, ...]
    now_us: int
    """The storage's clock. All who serve the group reckon by it."""


class GroupUnmoved(msgspec.Struct, frozen=True):
    """Nobody has saved the group since."""

    now_us: int
    """The storage's clock."""


class GroupSummary(msgspec.Struct, frozen=True):
    """A group, and what its pending events add up to."""

    group: StoredGroup
    checkpoint: int
    """Position before the first event that is waiting or in flight, or ``reached`` where there is none."""
    in_flight: int
    waiting: int
    parked_aggregates: int
    parked: int
    """Parked events, those that follow included."""
    unreadable: int = 0
    """Of the parked aggregates, those whose event the store cannot read."""
    is_held_up: bool = False
    """Whether the aggregate of one of these is not known."""


class GroupChange(msgspec.Struct, frozen=True):
    """What to save, whole or not at all."""

    expected_revision: int
    group: StoredGroup
    """The row as it is to be, with its new revision. Its name, its query and ``created_us`` are what they were."""
    dropped: Sequence[int] = ()
    """Positions whose ``PendingEvent`` is gone."""
    put: Sequence[PendingEvent] = ()
    """Each replaces the one at its position, if there is one. No position is in both."""
    drop_all: bool = False
    """Every ``PendingEvent`` goes before those in ``put`` come."""
    skipped: Sequence[SkippedEvent] = ()
    """To be recorded; one that is recorded at the same position is replaced."""


class GroupStorage(Protocol):
    """Every engine so far is one as well. The same promises on errors as :meth:`StorageEngine.append`.

    Answers of changes are true: what was done comes back as done, also where a connection broke and it was tried again.
    ``Unavailable`` says that nothing was done, ``OutcomeUnknown`` that nobody can tell.
    """

    async def create_group(self, group: StoredGroup, *, groups_max: int) -> bool:
        """Store a new group. False, and nothing happens, when its name is taken. Raises ``InvalidRequest`` when there
        are ``groups_max`` already."""
        ...

    async def list_groups(self, name: str | None = None) -> tuple[GroupSummary, ...]:
        """Every group, by name as UTF-8 bytes, as of one moment; with a ``name`` just that one, if there is one."""
        ...

    async def load_group(self, name: str) -> GroupState | None:
        """A group as of one moment, pending events by position; None when there is none of this name."""
        ...

    async def reload_group(self, name: str, revision: int) -> GroupState | GroupUnmoved | None:
        """As :meth:`load_group` when the group has another revision; else what it holds is not read."""
        ...

    async def save_group(self, change: GroupChange) -> bool:
        """Save a change, on stable storage when this returns. False, and nothing happens, when the group is gone or has
        another revision than expected."""
        ...

    async def delete_group(self, name: str, *, created_us: int | None = None) -> bool:
        """Delete a group with all that is its own; with ``created_us`` only the one that was made then. False when
        there is none."""
        ...

    async def list_skipped(self, name: str, *, after: int, limit: int) -> tuple[SkippedEvent, ...]:
        """Skipped events of a group at positions after ``after``, by position."""
        ...

    async def now_us(self) -> int:
        """The storage's clock, microseconds since 1970."""
        ...


def loaded(found: GroupState | GroupUnmoved | None) -> GroupState | None:
    """Of a load that knew of no revision before."""
    assert not isinstance(found, GroupUnmoved)
    return found


def summary_of(group: StoredGroup, pending: Sequence[PendingEvent]) -> GroupSummary:
    """``pending`` by position."""
    parked = [one for one in pending if one.state == "parked"]
    active = [one for one in pending if one.state != "parked"]
    return GroupSummary(
        group,
        checkpoint=active[0].position - 1 if active else group.reached,
        in_flight=sum(one.state == "in_flight" for one in active),
        waiting=sum(one.state == "waiting" for one in active),
        parked_aggregates=len(parked),
        parked=sum(1 + one.following for one in parked),
        unreadable=sum(one.is_unreadable for one in parked),
        is_held_up=any(one.key == UNKNOWN_AGGREGATE for one in parked),
    )


def too_many_groups(groups_max: int) -> InvalidRequest:
    return InvalidRequest(f"the store has {groups_max} groups, and takes no more; delete one first", pointer="/group")
