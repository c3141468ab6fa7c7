"""The events of consumer groups: pages of the log for what comes, single events for what is delivered."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec

from indelible.core.group_progress import Place
from indelible.engines.engine import StorageEngine
from indelible.engines.group_storage import Unfinished
from indelible.errors import StoreCorrupted
from indelible.events import AggregateKey
from indelible.limits import (
    GROUP_EVENTS_SIZE_BYTES_MAX,
    GROUP_NEXT_EVENTS_MAX,
    GROUP_PULL_SIZE_BYTES_MAX,
    PAGE_EVENTS_MAX,
)
from indelible.queries import EventQuery

_READS_AT_ONCE: Final = 64
"""Single events that are asked for together: enough to keep all reader threads or connections busy, and far below the
number of reads that may wait."""

T = TypeVar("T")


class _Line(msgspec.Struct):
    """What counts of an event here."""

    event_type: str
    aggregate_type: str
    aggregate_id: str
    version: int
    position: int
    tags: tuple[str, ...]

    @property
    def place(self) -> Place:
        return Place(self.position, self.version)


_decode: Final = msgspec.json.Decoder(_Line).decode


class Page(NamedTuple):
    """Matching events in order, and the position up to which these are all."""

    events: list[tuple[AggregateKey, Place]]
    reached: int


class RecentEvents:
    """JSON lines of events that were read a moment ago, whichever group they were for."""

    def __init__(self, size_bytes_max: int = GROUP_EVENTS_SIZE_BYTES_MAX) -> None:
        self._size_bytes_max: Final = size_bytes_max
        self._lines: Final[OrderedDict[int, bytes]] = OrderedDict()
        self._size_bytes = 0

    def get(self, position: int) -> bytes | None:
        return self._lines.get(position)

    def keep(self, position: int, line: bytes) -> None:
        if position in self._lines:
            return
        self._lines[position] = line
        self._size_bytes += len(line)
        while self._size_bytes > self._size_bytes_max:
            _, dropped = self._lines.popitem(last=False)
            self._size_bytes -= len(dropped)


class GroupEvents:
    """Reads for the groups of one store."""

    def __init__(self, engine: StorageEngine) -> None:
        self._engine: Final = engine
        self._recent: Final = RecentEvents()

    async def page(self, query: EventQuery, *, after: int, until: int, limit: int) -> Page:
        """What comes after a position."""
        lines = await self._engine.read_feed(
            query, after=after, until=until, direction="forward", limit=min(limit, PAGE_EVENTS_MAX)
        )
        found = [(AggregateKey(line.aggregate_type, line.aggregate_id), line.place) for line in self._read(lines.lines)]
        return Page(found, lines.reached)

    def _read(self, lines: bytes) -> Iterable[_Line]:
        for line in lines.split(b"\n") if lines else ():
            decoded = _decode(line)
            self._recent.keep(decoded.position, line)
            yield decoded

    async def following_each(self, query: EventQuery, many: Sequence[Unfinished], until: int) -> list[list[Place]]:
        """The first events that follow in each aggregate, up to a position of the log."""
        return await _each(lambda one: self._following(query, one, until), many)

    async def _following(self, query: EventQuery, one: Unfinished, until: int) -> list[Place]:
        found: list[Place] = []
        async for place in self._follow(query, one, until):
            found.append(place)
            if len(found) == GROUP_NEXT_EVENTS_MAX:
                break
        if not found:
            raise StoreCorrupted(
                f"an event of {one.key.stream} after version {one.version} was read and is not there any more",
                position=one.position,
            )
        return found

    async def count_following(self, query: EventQuery, one: Unfinished, until: int) -> int:
        count = 0
        async for _ in self._follow(query, one, until):
            count += 1
        return count

    async def _follow(self, query: EventQuery, one: Unfinished, until: int) -> AsyncIterator[Place]:
        version = one.version
        while True:
            last, lines = await self._engine.read_aggregate(
                one.key, from_version=version + 1, to_version=version + PAGE_EVENTS_MAX, direction="forward",
                limit=GROUP_NEXT_EVENTS_MAX,
            )  # fmt: skip
            for line in self._read(lines.lines):
                if line.position > until:
                    return
                version = line.version
                if query.matches(line.event_type, line.aggregate_type, line.tags):
                    yield line.place
            if not lines.count or version >= last:
                return

    async def lines(self, wanted: Sequence[Unfinished]) -> list[bytes]:
        """The events themselves: as many of the first as fit into one answer, at least one."""
        fitting: list[bytes] = []
        size_bytes = 0
        for start in range(0, len(wanted), _READS_AT_ONCE):
            for line in await self._some_lines(wanted[start : start + _READS_AT_ONCE]):
                size_bytes += len(line)
                if fitting and size_bytes > GROUP_PULL_SIZE_BYTES_MAX:
                    return fitting
                fitting.append(line)
        return fitting

    async def _some_lines(self, wanted: Sequence[Unfinished]) -> list[bytes]:
        found = [self._recent.get(one.position) for one in wanted]
        missing = [one for one, line in zip(wanted, found, strict=True) if line is None]
        read = iter(await _each(self._read_one, missing))
        return [next(read) if line is None else line for line in found]

    async def _read_one(self, one: Unfinished) -> bytes:
        _, lines = await self._engine.read_aggregate(
            one.key, from_version=one.version, to_version=one.version, direction="forward", limit=1
        )
        for line in self._read(lines.lines):
            if line.position == one.position:
                return lines.lines
        raise StoreCorrupted(f"the event at position {one.position} is not there any more", position=one.position)


async def _each(read: Callable[[Unfinished], Awaitable[T]], many: Sequence[Unfinished]) -> list[T]:
    """A read for each of them, in their order."""
    answers: list[T] = []
    for start in range(0, len(many), _READS_AT_ONCE):
        answers += await asyncio.gather(*map(read, many[start : start + _READS_AT_ONCE]))
    return answers
