"""Verifies a log: recomputes the hash chain over every event, through the one door that every store has.

Works on any :class:`indelible.eventstore.EventStore`, so on a local store and on a server alike. It finds any change to
a stored event, but not a log that was rewritten whole, nor every end that was cut off. To see those, note the head's
position and hash somewhere else now and then, and compare.

Of a local store it also checks that the engine's indexes lead to every event: a damaged index changes no event, but it
would hide one from filters, conditions and the check for repeated ids. And it finds an end that is missing as far as
the engine knows of it, as in a copy of an SQLite file without its write-ahead log.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import aclosing
from typing import Final, Self

import msgspec

from indelible.cursors import cursor_at, position_of
from indelible.diagnostics import StoreDiagnostics
from indelible.errors import InternalError, StorageFailure
from indelible.events import HASH_BEFORE_FIRST, event_hash, split_hashed_line
from indelible.eventstore import EventStore, FeedPage
from indelible.limits import PAGE_EVENTS_MAX


class Damage(msgspec.Struct, frozen=True):
    """The first event that is not as it was written, or that is not there."""

    position: int
    reason: str


class _Placed(msgspec.Struct):
    position: int
    timestamp: str


_decode = msgspec.json.Decoder(_Placed).decode


class Chain:
    """How far the log is known to be as written."""

    def __init__(self) -> None:
        self.position = 0
        self.hash = HASH_BEFORE_FIRST
        self._timestamp = ""

    @classmethod
    def after(cls, line: bytes) -> Self:
        """A chain that takes this event, and with it all before it, as it is. Raises ValueError when it is none."""
        chain, placed = cls(), _decode(line)
        chain.position, chain._timestamp = placed.position, placed.timestamp
        chain.hash = split_hashed_line(line)[1]
        return chain

    def extend(self, lines: bytes) -> str | None:
        """Check the events that follow. Stops at the first that is wrong and says why."""
        for line in lines.split(b"\n") if lines else ():
            problem = self.check(line)
            if problem is not None:
                return problem
        return None

    def check(self, line: bytes) -> str | None:
        """Take the event that follows, or say what is wrong with it."""
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


# --- Events, checked as they pass ------------------------------------------------------------------------------------


class CheckedEvents(ABC):
    """Recorded events from the first on, in their order, checked as they pass: of a store, or of a file."""

    def __init__(self, chain: Chain | None = None) -> None:
        self._chain: Final = chain or Chain()

    @property
    def position(self) -> int:
        """Every event up to here has been read, and is as it was written."""
        return self._chain.position

    @property
    def hash(self) -> bytes:
        """Of the event at :attr:`position`; 32 zero bytes before the first."""
        return self._chain.hash

    @property
    @abstractmethod
    def at_end(self) -> bool: ...

    @property
    @abstractmethod
    def progress(self) -> tuple[int, int | None]:
        """How much has been read and how much there is in all, None where nobody knows."""

    @abstractmethod
    async def next_page(self) -> FeedPage | Damage:
        """The events that follow; perhaps none, at the end."""


_UNREADABLE = (StorageFailure, InternalError, ValueError)
"""What reading a damaged event raises, from the engine or from a server; anything else says nothing about the log."""


class CheckedLog(CheckedEvents):
    """A store's log up to the position ``until``. Leave it with :meth:`aclose`.

    Reads one page ahead, so that the store renders a page while the one before it is checked.
    """

    def __init__(self, store: EventStore, until: int, chain: Chain | None = None) -> None:
        super().__init__(chain)
        self._store = store
        self._until = until
        self._ahead: asyncio.Task[FeedPage] | None = None

    @property
    def at_end(self) -> bool:
        return self.position >= self._until

    @property
    def progress(self) -> tuple[int, int]:
        """As positions."""
        return self.position, self._until

    async def next_page(self) -> FeedPage | Damage:
        """The events that follow. Raises what the store raises when it is out of reach; an event that the store cannot
        read is damage."""
        first = self.position + 1
        page = await self._check_next()
        return page if isinstance(page, FeedPage) else await self._narrow_down(first, page)

    async def _check_next(self) -> FeedPage | str:
        """The next page, or what is wrong in it."""
        before = self.position
        try:
            page = await (self._ahead or self._read(before))
        except _UNREADABLE as error:
            return f"cannot be read: {error}"
        finally:
            self._ahead = None
        reached = position_of(page.cursor)
        if before < reached < self._until:
            self._ahead = asyncio.create_task(self._read(reached), name="read-ahead")
        # In a thread, because the event loop has to see the next page's read through its steps meanwhile.
        problem = await asyncio.to_thread(self._chain.extend, page.lines)
        if problem is None and not before < self.position == reached:
            return f"is missing from a page that reaches to position {reached}"
        return problem or page

    async def _read(self, position: int) -> FeedPage:
        limit = min(PAGE_EVENTS_MAX, self._until - position)
        return await self._store.read_feed(after=cursor_at(position), limit=limit)

    async def _narrow_down(self, first: int, problem: str) -> Damage:
        """Name the position that spoils a page: a damaged byte may break a line in two, or swallow others."""
        last = min(first + PAGE_EVENTS_MAX, self._until)
        while self.position < last:
            position = self.position + 1
            alone = await self._check_alone(position)
            if alone is not None:
                return Damage(position, alone)
        return Damage(first, f"{problem} (only when read together with those after it, up to {last})")

    async def _check_alone(self, position: int) -> str | None:
        try:
            page = await self._store.read_feed(after=cursor_at(position - 1), limit=1)
        except _UNREADABLE as error:
            return f"cannot be read: {error}"
        if b"\n" in page.lines:
            return "is not one line: a line end stands within it"
        problem = self._chain.extend(page.lines)
        if problem is None and self.position != position:
            return "is missing"
        return problem

    async def aclose(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)


# --- Verifying -------------------------------------------------------------------------------------------------------


class VerifyReport(msgspec.Struct, frozen=True):
    head: int
    """The head when verifying began."""
    verified: int
    """Every event up to this position is as it was written. ``head`` when there is no damage."""
    hash: str
    """Of the event at ``verified``; 64 zeros in an empty log."""
    damage: Damage | None


async def verify(store: EventStore, *, on_progress: Callable[[int, int], None] | None = None) -> VerifyReport:
    """Walk the whole log up to its head, stop at the first damage.

    ``on_progress`` hears the verified position and the head after every page. Raises what the store raises when it is
    out of reach; an event that the store cannot read is damage.
    """
    head = (await store.head()).position
    damage: Damage | None = None
    async with aclosing(CheckedLog(store, head)) as log:
        while damage is None and not log.at_end:
            first = log.position + 1
            page = await log.next_page()
            if isinstance(page, Damage):
                damage = page
            elif isinstance(store, StoreDiagnostics):
                damage = await _check_indexes(store, first, log.position)
            if on_progress is not None:
                on_progress(log.position, head)
        if damage is None and isinstance(store, StoreDiagnostics):
            damage = await _check_end(store)
        return VerifyReport(head, log.position, log.hash.hex(), damage)


async def _check_end(store: StoreDiagnostics) -> Damage | None:
    missing = await store.find_missing_end()
    return None if missing is None else Damage(missing[0], f"is missing: {missing[1]}")


async def _check_indexes(store: StoreDiagnostics, first: int, last: int) -> Damage | None:
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
