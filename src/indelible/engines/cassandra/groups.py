"""Consumer groups. A save is one conditional batch, whatever it changes.

What is not done has places: parts of the group's record that are numbered from 0. One that is done frees its place for
another. Which is where, this process knows from what it read or saved last; what others saved shows by the revision.
"""

import asyncio
import heapq
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

import msgspec

from indelible.engines.cassandra.records import APART, PARTS, Change, Part, Record, Records, clock_us
from indelible.engines.cassandra.session import CassandraSession
from indelible.engines.group_storage import (
    GroupChange,
    GroupState,
    GroupSummary,
    GroupUnmoved,
    PendingEvent,
    StoredGroup,
    loaded,
    summary_of,
    too_many_groups,
)
from indelible.groups import SkippedEvent
from indelible.limits import CASSANDRA_GROUP_PLACES_MAX

_GROUP: Final = msgspec.json.Decoder(StoredGroup)
_PENDING: Final = msgspec.json.Decoder(PendingEvent)
_SKIPPED: Final = msgspec.json.Decoder(SkippedEvent)


class _Placed(msgspec.Struct, frozen=True):
    event: PendingEvent
    place: int


class _Known:
    """A group as it was at its revision, and where everything of it is."""

    def __init__(self, record: UUID, group: StoredGroup, parts: Iterable[Part] = ()) -> None:
        self.record: Final = record
        self.group = group
        self.pending: dict[int, _Placed] = {}
        self.places = 0
        self._free: list[int] = []
        for part in parts:
            self.places = part.number + 1
            if part.data:
                event = _PENDING.decode(part.data)
                self.pending[event.position] = _Placed(event, part.number)
            else:
                heapq.heappush(self._free, part.number)

    def in_order(self) -> tuple[PendingEvent, ...]:
        return tuple(self.pending[position].event for position in sorted(self.pending))

    def summary(self) -> GroupSummary:
        return summary_of(self.group, self.in_order())

    def changed(self, change: GroupChange) -> list[Part]:
        """Make the change here; what has to be written for it. Others are not to see it before that is."""
        dropped = list(self.pending) if change.drop_all else change.dropped
        emptied = {placed.place for position in dropped if (placed := self.pending.pop(position, None))}
        for place in emptied:
            heapq.heappush(self._free, place)
        written = dict.fromkeys(emptied, "")
        for event in change.put:
            known = self.pending.get(event.position)
            place = self._take_place() if known is None else known.place
            self.pending[event.position] = _Placed(event, place)
            written[place] = _text(event)
        self.group = change.group
        return [Part(PARTS, place, data) for place, data in written.items()]

    def _take_place(self) -> int:
        # The lowest, so that a group that was large once keeps to few.
        if self._free:
            return heapq.heappop(self._free)
        self.places += 1
        return self.places - 1


class Groups:
    """Those of one log; see :class:`indelible.engines.group_storage.GroupStorage`."""

    def __init__(self, session: CassandraSession, log: str) -> None:
        self._session: Final = session
        self._records: Final = Records(session, log, "group")
        self._known: Final[dict[str, _Known]] = {}
        """By name; the last used is the last."""
        self._saving: Final[dict[str, asyncio.Lock]] = {}
        self._latest_us = 0

    # --- Reading -----------------------------------------------------------------------------------------------------

    async def summaries(self, name: str | None = None) -> tuple[GroupSummary, ...]:
        names = await self._records.names() if name is None else [name]
        found = await asyncio.gather(*map(self._find, names))
        return tuple(known.summary() for known in found if known is not None)

    async def load(self, name: str) -> GroupState | None:
        return loaded(await self.reload(name, None))

    async def reload(self, name: str, revision: int | None) -> GroupState | GroupUnmoved | None:
        row = await self._records.find(name)
        if row is None:
            return None
        now_us = self._clock(row.now_us)
        if row.revision == revision:
            return GroupUnmoved(now_us)
        known = await self._as_of(name, row)
        return None if known is None else GroupState(known.group, known.in_order(), now_us)

    async def skipped(self, name: str, *, after: int, limit: int) -> tuple[SkippedEvent, ...]:
        row = await self._records.find(name)
        texts = [] if row is None else await self._records.apart(row.id, after=after, limit=limit)
        return tuple(map(_SKIPPED.decode, texts))

    async def now_us(self) -> int:
        return self._clock(clock_us((await self._session.read("now"))[0][0]))

    def _clock(self, now_us: int) -> int:
        """Nodes disagree by little; for who asks one process, time does not go back all the same."""
        self._latest_us = max(self._latest_us, now_us)
        return self._latest_us

    async def _find(self, name: str) -> _Known | None:
        row = await self._records.find(name)
        return None if row is None else await self._as_of(name, row)

    async def _as_of(self, name: str, row: Record) -> _Known | None:
        """The group at this revision of it, or a later one."""
        known = self._known.get(name)
        if known is not None and (known.record, known.group.revision) == (row.id, row.revision):
            return known
        found = await self._records.whole(row.id)
        if found is None:
            return None
        known = _Known(row.id, _GROUP.decode(found[0]), found[1])
        self._remember(known)
        return known

    def _remember(self, known: _Known) -> None:
        self._known.pop(known.group.name, None)
        self._known[known.group.name] = known
        total = sum(one.places for one in self._known.values())
        for name in list(self._known)[:-1]:
            if total <= CASSANDRA_GROUP_PLACES_MAX:
                break
            total -= self._known.pop(name).places

    # --- Changing ----------------------------------------------------------------------------------------------------

    async def create(self, group: StoredGroup, groups_max: int) -> bool:
        made = Change(group.revision, group.revision, group.save_id, _text(group))
        is_made = await self._records.make(group.name, made, most=groups_max)
        if is_made is None:
            raise too_many_groups(groups_max)
        return is_made

    async def save(self, change: GroupChange) -> bool:
        name = change.group.name
        # Of two at once one is refused, and they keep each other from it for long.
        async with self._saving.setdefault(name, asyncio.Lock()):
            known = self._known.pop(name, None)
            if known is None or known.group.revision != change.expected_revision:
                known = await self._find(name)
                self._known.pop(name, None)
            if known is None or known.group.revision != change.expected_revision:
                return False
            is_saved = await self._records.change(known.record, _written(known, change))
            if is_saved:
                self._remember(known)
            return is_saved

    async def delete(self, name: str, created_us: int | None = None) -> bool:
        self._known.pop(name, None)
        self._saving.pop(name, None)
        return await self._records.end(name, lambda text: created_us in (None, _GROUP.decode(text).created_us))


def _written(known: _Known, change: GroupChange) -> Change:
    parts = known.changed(change)
    skipped = [Part(APART, one.position, _text(one)) for one in change.skipped]
    group = change.group
    return Change(change.expected_revision, group.revision, group.save_id, _text(group), [*parts, *skipped])


def _text(value: StoredGroup | PendingEvent | SkippedEvent | Sequence[object]) -> str:
    return msgspec.json.encode(value).decode()
