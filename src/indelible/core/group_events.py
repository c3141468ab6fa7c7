"""The events of consumer groups: pages of the log for what comes, single events for what is delivered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Final, NamedTuple, TypeVar

import msgspec

from indelible.access import is_own
from indelible.core.engine_calls import SoundReads
from indelible.core.group_progress import Place
from indelible.engines.engine import Lines, StorageEngine
from indelible.engines.group_storage import PendingEvent
from indelible.errors import StoreCorrupted
from indelible.events import AggregateKey
from indelible.limits import (
    GROUP_EVENTS_SIZE_BYTES_MAX,
    GROUP_NEXT_EVENTS_MAX,
    GROUP_PULL_SIZE_BYTES_MAX,
    PAGE_EVENTS_MAX,
    VERSION_MAX,
)
from indelible.queries import EVERYTHING, EventQuery
from indelible.size_bounded import SizeBounded

_READS_AT_ONCE: Final = 64
"""Single events that are asked for together: enough to keep all reader threads or connections busy, and far below the
number of reads that may wait."""

T = TypeVar("T")


_ID: Final = msgspec.Meta(min_length=36, max_length=36)
_HASH: Final = msgspec.Meta(min_length=64, max_length=64)


class _Line(msgspec.Struct):
    """What counts of an event here, and what must have its form for a member to read the event."""

    event_id: Annotated[str, _ID]
    timestamp: datetime
    hash: Annotated[str, _HASH]
    event_type: str
    aggregate_type: str
    aggregate_id: str
    version: int
    position: int
    tags: tuple[str, ...]

    def is_for(self, query: EventQuery) -> bool:
        return query.is_given(self.event_type, self.aggregate_type, self.tags)

    @property
    def key(self) -> AggregateKey:
        return AggregateKey(self.aggregate_type, self.aggregate_id)

    @property
    def place(self) -> Place:
        return Place(self.position, self.version)


_decode: Final = msgspec.json.Decoder(_Line).decode


class Page(NamedTuple):
    """Matching events in order, and the position up to which these are all."""

    events: list[tuple[AggregateKey, Place]]
    reached: int
    damage: StoreCorrupted | None = None
    """Why nobody can tell whose event stands at ``reached``."""


class GroupEvents:
    """Reads for the groups of one store."""

    def __init__(self, engine: StorageEngine) -> None:
        self._engine: Final = engine
        self._reads: Final = SoundReads(engine)
        self._recent: Final = SizeBounded[int, bytes](GROUP_EVENTS_SIZE_BYTES_MAX, len)
        """JSON lines of events that were read a moment ago, whichever group they were for."""

    async def page(self, query: EventQuery, *, after: int, until: int, limit: int) -> Page:
        """What comes after a position. An event that cannot be read is among it, as the indexes know it: when it is
        delivered is time enough to see what is the matter with it."""
        try:
            return await self._sound_page(query, after=after, until=until, limit=limit)
        except StoreCorrupted as error:
            position = error.fields.get("position")
            if position is None:
                raise
            return await self._page_up_to(query, position, error)

    async def _sound_page(
        self, query: EventQuery, *, after: int, until: int, limit: int, matching: EventQuery | None = None
    ) -> Page:
        """``matching`` is looked for in the events themselves."""
        asked = matching or query

        def parse(page: Lines) -> Page:
            found, last = [], after
            for line in self._read(page.lines):
                if not last < line.position <= page.reached:
                    raise ValueError(f"it says that its position is {line.position}, which it is not")
                last = line.position
                if (matching is None and not is_own(line.aggregate_type)) or line.is_for(asked):
                    found.append((line.key, line.place))
            return Page(found, page.reached)

        return await self._reads.feed(query, after=after, until=until, limit=min(limit, PAGE_EVENTS_MAX), parse=parse)

    async def _page_up_to(self, query: EventQuery, position: int, damage: StoreCorrupted) -> Page:
        """The event at a position alone, which may match and is not found by the query."""
        if not query.is_unrestricted:
            # It may be the index that is damaged, and not the event.
            with contextlib.suppress(StoreCorrupted):
                return await self._sound_page(EVERYTHING, after=position - 1, until=position, limit=1, matching=query)
        located = await self._engine.locate_position(position)
        if located is None:
            return Page([], position, damage)
        key, version = located
        if is_own(key.aggregate_type) and not query.names(key.aggregate_type):
            return Page([], position)
        return Page([(key, Place(position, version))], position)

    def _read(self, lines: bytes) -> Iterable[_Line]:
        for line in lines.split(b"\n") if lines else ():
            decoded = _decode(line)
            self._recent.keep(decoded.position, line)
            yield decoded

    async def following_each(self, query: EventQuery, many: Sequence[PendingEvent], until: int) -> list[list[Place]]:
        """The first events that follow in each aggregate, up to a position of the log."""
        return await _each(lambda one: self._following(query, one, until), many)

    async def _following(self, query: EventQuery, one: PendingEvent, until: int) -> list[Place]:
        found: list[Place] = []
        async for place in self._follow(query, one, until):
            found.append(place)
            if len(found) == GROUP_NEXT_EVENTS_MAX:
                break
        # Something that was read is gone, and so is where it stood. That is found out when it is delivered.
        return found or [Place(one.position, one.version + 1)]

    async def count_following(self, query: EventQuery, one: PendingEvent, until: int) -> int:
        count = 0
        async for _ in self._follow(query, one, until):
            count += 1
        return count

    async def _follow(self, query: EventQuery, one: PendingEvent, until: int) -> AsyncIterator[Place]:
        version = one.version
        while True:
            last, places = await self._places_after(query, one.key, version)
            for place, matches in places:
                if place.position > until:
                    return
                version = place.version
                if matches:
                    yield place
            if not places or version >= last:
                return

    async def _places_after(
        self, query: EventQuery, key: AggregateKey, version: int
    ) -> tuple[int, list[tuple[Place, bool]]]:
        """An aggregate's version, and its next events: where they stand, and whether they match."""

        def parse(page: Lines) -> list[tuple[Place, bool]]:
            return [(line.place, line.is_for(query)) for line in self._read(page.lines)]

        try:
            return await self._reads.aggregate(
                key, from_version=version + 1, to_version=version + PAGE_EVENTS_MAX, limit=GROUP_NEXT_EVENTS_MAX,
                parse=parse,
            )  # fmt: skip
        except StoreCorrupted:
            located = await self._engine.locate_version(key, version + 1)
            if located is None or located[0] != version + 1:
                return version, []
            position = located[1]
            page = await self.page(query, after=position - 1, until=position, limit=1)
            return VERSION_MAX, [(Place(position, version + 1), bool(page.events))]

    async def lines(self, many: Sequence[PendingEvent]) -> list[bytes | StoreCorrupted]:
        """The events themselves, or what is the matter with them: as many of the first as fit into one answer, at least
        one."""
        fitting: list[bytes | StoreCorrupted] = []
        size_bytes = 0
        for start in range(0, len(many), _READS_AT_ONCE):
            for line in await self._some_lines(many[start : start + _READS_AT_ONCE]):
                size_bytes += 0 if isinstance(line, StoreCorrupted) else len(line)
                if fitting and size_bytes > GROUP_PULL_SIZE_BYTES_MAX:
                    return fitting
                fitting.append(line)
        return fitting

    async def _some_lines(self, many: Sequence[PendingEvent]) -> list[bytes | StoreCorrupted]:
        found = [self._recent.get(one.position) for one in many]
        missing = [one for one, line in zip(many, found, strict=True) if line is None]
        read = iter(await _each(self._read_one, missing))
        return [next(read) if line is None else line for line in found]

    async def _read_one(self, one: PendingEvent) -> bytes | StoreCorrupted:
        try:
            _, lines = await self._engine.read_aggregate(
                one.key, from_version=one.version, to_version=one.version, direction="forward", limit=1
            )
            for line in self._read(lines.lines):
                if line.position == one.position:
                    return lines.lines
        except StoreCorrupted as error:
            return StoreCorrupted(error.message, position=one.position)
        except ValueError as error:
            return StoreCorrupted(f"it is not what an event is: {error}", position=one.position)
        return StoreCorrupted("it was read before, and is not there any more", position=one.position)


async def _each(read: Callable[[PendingEvent], Awaitable[T]], many: Sequence[PendingEvent]) -> list[T]:
    """A read for each of them, in their order."""
    answers: list[T] = []
    for start in range(0, len(many), _READS_AT_ONCE):
        answers += await asyncio.gather(*map(read, many[start : start + _READS_AT_ONCE]))
    return answers
