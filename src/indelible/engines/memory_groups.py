"""Groups in memory, with the engine of :mod:`indelible.engines.memory`: the definition of what every other storage of
groups does."""

import bisect
from collections.abc import Callable

import msgspec

from indelible.engines.group_storage import (
    LOST,
    GroupChange,
    GroupState,
    GroupSummary,
    GroupUnmoved,
    StoredGroup,
    Unfinished,
    too_many_groups,
)
from indelible.groups import SkippedEvent


class _Kept(msgspec.Struct):
    group: StoredGroup
    unfinished: dict[int, Unfinished] = msgspec.field(default_factory=dict)
    """By position."""
    skipped: dict[int, SkippedEvent] = msgspec.field(default_factory=dict)

    def in_order(self) -> tuple[Unfinished, ...]:
        return tuple(self.unfinished[position] for position in sorted(self.unfinished))


class MemoryGroups:
    """Implements :class:`indelible.engines.group_storage.GroupStorage`. ``clock_us`` gives microseconds since 1970."""

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us
        self._groups: dict[str, _Kept] = {}

    async def create_group(self, group: StoredGroup, *, groups_max: int) -> bool:
        if group.name in self._groups:
            return False
        if len(self._groups) >= groups_max:
            raise too_many_groups(groups_max)
        self._groups[group.name] = _Kept(group)
        return True

    async def list_groups(self, name: str | None = None) -> tuple[GroupSummary, ...]:
        names = self._groups if name is None else self._groups.keys() & {name}
        return tuple(_summary(self._groups[name]) for name in sorted(names, key=str.encode))

    async def load_group(self, name: str) -> GroupState | None:
        kept = self._groups.get(name)
        return None if kept is None else GroupState(kept.group, kept.in_order(), self._clock_us())

    async def reload_group(self, name: str, revision: int) -> GroupState | GroupUnmoved | None:
        kept = self._groups.get(name)
        is_known = kept is not None and kept.group.revision == revision
        return GroupUnmoved(self._clock_us()) if is_known else await self.load_group(name)

    async def save_group(self, change: GroupChange) -> bool:
        kept = self._groups.get(change.group.name)
        if kept is None or kept.group.revision != change.expected_revision:
            return False
        kept.group = change.group
        if change.drop_all:
            kept.unfinished.clear()
        for position in change.dropped:
            kept.unfinished.pop(position, None)
        kept.unfinished.update((one.position, one) for one in change.put)
        kept.skipped.update((one.position, one) for one in change.skipped)
        return True

    async def delete_group(self, name: str) -> bool:
        return self._groups.pop(name, None) is not None

    async def list_skipped(self, name: str, *, after: int, limit: int) -> tuple[SkippedEvent, ...]:
        kept = self._groups.get(name)
        if kept is None:
            return ()
        positions = sorted(kept.skipped)
        first = bisect.bisect_right(positions, after)
        return tuple(kept.skipped[position] for position in positions[first : first + limit])

    async def now_us(self) -> int:
        return self._clock_us()


def _summary(kept: _Kept) -> GroupSummary:
    in_order = kept.in_order()
    parked = [one for one in in_order if one.state == "parked"]
    moving = [one for one in in_order if one.state != "parked"]
    return GroupSummary(
        kept.group,
        checkpoint=moving[0].position - 1 if moving else kept.group.reached,
        in_flight=sum(one.state == "in_flight" for one in moving),
        waiting=sum(one.state == "waiting" for one in moving),
        parked_aggregates=len(parked),
        parked=sum(1 + one.following for one in parked),
        unreadable=sum(one.is_unreadable for one in parked),
        is_held_up=any(one.key == LOST for one in parked),
    )
