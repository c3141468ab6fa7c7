"""Verifies a log: recomputes the hash chain over every event, through the one door that every store has.

Works on any :class:`indelible.eventstore.EventStore`, so on a local store and on a server alike. It finds any change to
a stored event, but not a log whose end was cut off or that was rewritten whole. To see those, note the head's position
and hash somewhere else now and then, and compare.

Of a local store it also checks that the engine's indexes lead to every event: a damaged index changes no event, but it
would hide one from filters, conditions and the check for repeated ids.
"""

import asyncio
from collections.abc import Callable

import msgspec

from indelible.core.store import LocalEventStore
from indelible.errors import InternalError, StorageFailure
from indelible.events import HASH_BEFORE_FIRST, event_hash, split_hashed_line
from indelible.eventstore import EventStore, FeedPage
from indelible.limits import PAGE_EVENTS_MAX
from indelible.queries import Cursor


class Damage(msgspec.Struct, frozen=True):
    """The first event that is not as it was written, or that is not there."""

    position: int
    reason: str


class VerifyReport(msgspec.Struct, frozen=True):
    head: int
    """The head when verifying began."""
    verified: int
    """Every event up to this position is as it was written. At least ``head`` when there is no damage."""
    hash: str
    """Of the event at ``verified``; 64 zeros in an empty log."""
    damage: Damage | None


async def verify(store: EventStore, *, on_progress: Callable[[int, int], None] | None = None) -> VerifyReport:
    """Walk the whole log up to its head, stop at the first damage.

    ``on_progress`` hears the verified position and the head after every page. Raises what the store raises when it is
    out of reach; an event that the store cannot read is damage.
    """
    head = (await store.head()).position
    chain = _Chain()
    damage: Damage | None = None
    pages = _Pages(store)
    try:
        while chain.position < head and damage is None:
            first = chain.position + 1
            problem = await pages.check_next(chain)
            if problem is not None:
                damage = await _narrow_down(store, chain, first, head, problem)
            elif isinstance(store, LocalEventStore):
                damage = await _check_indexes(store, first, chain.position)
            if on_progress is not None:
                on_progress(chain.position, head)
    finally:
        await pages.aclose()
    return VerifyReport(head, chain.position, chain.hash.hex(), damage)


class _Placed(msgspec.Struct):
    position: int
    timestamp: str


_UNREADABLE = (StorageFailure, InternalError, ValueError)
"""What reading a damaged event raises, from the engine or from a server; anything else says nothing about the log."""

_decode = msgspec.json.Decoder(_Placed).decode


class _Chain:
    """How far the log is known to be as written."""

    def __init__(self) -> None:
        self.position = 0
        self.hash = HASH_BEFORE_FIRST
        self._timestamp = ""

    def extend(self, lines: bytes) -> str | None:
        """Check the events that follow. Stops at the first that is wrong and says why."""
        for line in lines.split(b"\n") if lines else ():
            problem = self._check(line)
            if problem is not None:
                return problem
        return None

    def _check(self, line: bytes) -> str | None:
        try:
            placed = _decode(line)
            unhashed, digest = split_hashed_line(line)
        except ValueError as error:
            return f"is not an event: {error}"
        if placed.position != self.position + 1:
            return f"is missing: an event with position {placed.position} stands in its place"
        expected = event_hash(self.hash, unhashed)
        if digest != expected:
            return f"has the hash {digest.hex()}, but its content and the previous hash give {expected.hex()}"
        # In the one form of the log's timestamps, the order of text is the order of time.
        if placed.timestamp < self._timestamp:
            return f"has the timestamp {placed.timestamp}, earlier than {self._timestamp} of the event before it"
        self.position, self.hash, self._timestamp = placed.position, digest, placed.timestamp
        return None


class _Pages:
    """Reads one page ahead, so that the store renders a page while the one before it is checked."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._ahead: asyncio.Task[FeedPage] | None = None

    async def check_next(self, chain: _Chain) -> str | None:
        try:
            page = await (self._ahead or self._read(chain.position))
        except _UNREADABLE as error:
            return f"cannot be read: {error}"
        finally:
            self._ahead = None
        if page.cursor.position > chain.position and not page.at_end:
            self._ahead = asyncio.create_task(self._read(page.cursor.position))
        # In a thread, because the event loop has to see the next page's read through its steps meanwhile.
        problem = await asyncio.to_thread(chain.extend, page.lines)
        if problem is None and chain.position != page.cursor.position:
            return f"is missing from a page that reaches to position {page.cursor.position}"
        return problem

    async def _read(self, position: int) -> FeedPage:
        return await self._store.read_feed(after=Cursor.at(position), limit=PAGE_EVENTS_MAX)

    async def aclose(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)


async def _narrow_down(store: EventStore, chain: _Chain, first: int, head: int, problem: str) -> Damage:
    """Name the position that spoils a page: a damaged byte may break a line in two, or swallow others."""
    last = min(first + PAGE_EVENTS_MAX, head)
    while chain.position < last:
        position = chain.position + 1
        alone = await _check_alone(store, chain, position)
        if alone is not None:
            return Damage(position, alone)
    return Damage(first, f"{problem} (only when read together with those after it, up to {last})")


async def _check_indexes(store: LocalEventStore, first: int, last: int) -> Damage | None:
    try:
        found = await store.find_unindexed(first, last)
    except StorageFailure as error:
        if first < last:
            middle = (first + last) // 2
            return await _check_indexes(store, first, middle) or await _check_indexes(store, middle + 1, last)
        return Damage(first, f"cannot be looked up, because an index is damaged: {error}")
    if found is None:
        return None
    position, field = found
    return Damage(position, f"is not found by its {field}, because an index is damaged")


async def _check_alone(store: EventStore, chain: _Chain, position: int) -> str | None:
    try:
        page = await store.read_feed(after=Cursor.at(position - 1), limit=1)
    except _UNREADABLE as error:
        return f"cannot be read: {error}"
    if b"\n" in page.lines:
        return "is not one line: a line end stands within it"
    problem = chain.extend(page.lines)
    if problem is None and chain.position != position:
        return "is missing"
    return problem
