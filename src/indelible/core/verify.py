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
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final, Protocol, Self

import msgspec

from indelible.cursors import START, Cursor
from indelible.diagnostics import StoreDiagnostics
from indelible.errors import IndelibleError, InternalError, StorageFailure
from indelible.events import HASH_BEFORE_FIRST, decode_event, event_hash, split_hashed_line
from indelible.eventstore import EventStore, FeedPage, Head
from indelible.limits import PAGE_EVENTS_MAX
from indelible.queries import EventQuery


class Damage(msgspec.Struct, frozen=True):
    """The first event that is not as it was written, or that is not there."""

    position: int
    """In its partition; 0 where there are several, and nobody can tell."""
    reason: str


class _Placed(msgspec.Struct):
    position: int
    timestamp: str


_decode = msgspec.json.Decoder(_Placed).decode


class Chain:
    """How far the log of one partition is known to be as written."""

    def __init__(self) -> None:
        self.position = 0
        self.hash = HASH_BEFORE_FIRST
        self._timestamp = ""

    @classmethod
    def after(cls, line: bytes) -> Self:
        """A chain that takes this event, and with it all before it, as it is. Raises ValueError when it is none."""
        placed = _decode(line)
        return cls.at(placed.position, split_hashed_line(line)[1], placed.timestamp)

    @classmethod
    def at(cls, position: int, digest: bytes, timestamp: str) -> Self:
        """A chain that takes the event at this position, and all before it, as it is."""
        chain = cls()
        chain.position, chain.hash, chain._timestamp = position, digest, timestamp
        return chain

    def check(self, line: bytes) -> str | None:
        """Take the event that follows, or say what is wrong with it."""
        try:
            placed = _decode(line)
            unhashed, digest = split_hashed_line(line)
        except ValueError as error:
            return f"is not an event: {error}"
        if placed.position == 1 < self.position + 1:
            return "is missing: the first event of a log stands in its place"
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


class Chains:
    """Those of all partitions of a store. Their events may come in any order that keeps each partition's."""

    def __init__(self, *chains: Chain) -> None:
        self._chains: Final = chains

    @property
    def position(self) -> int:
        """Of several chains, the sum of their positions."""
        return sum(chain.position for chain in self._chains)

    @property
    def hash(self) -> str:
        """Of several chains, their hashes in ascending order, with a comma between."""
        return ",".join(sorted(chain.hash.hex() for chain in self._chains))

    @property
    def next_position(self) -> int:
        """Of the event that follows; 0 where that may be one of several."""
        return self.position + 1 if len(self._chains) == 1 else 0

    def check(self, line: bytes) -> str | None:
        """Take the event that follows in one of the chains, or say what is wrong with it."""
        problems = []
        for chain in self._chains:
            problem = chain.check(line)
            if problem is None:
                return None
            problems.append(problem)
        return problems[0] if len(problems) == 1 else f"follows in no partition: {'; or '.join(problems)}"

    def extend(self, lines: bytes) -> str | None:
        """Check the events that follow. Stops at the first that is wrong and says why."""
        check = self._chains[0].check if len(self._chains) == 1 else self.check
        for line in lines.split(b"\n") if lines else ():
            problem = check(line)
            if problem is not None:
                return problem
        return None


# --- Events, checked as they pass ------------------------------------------------------------------------------------


class CheckedEvents(ABC):
    """Recorded events from the first on, in their order, checked as they pass: of a store, or of a file."""

    def __init__(self, *chains: Chain) -> None:
        self._chains: Final = Chains(*chains)

    @property
    def position(self) -> int:
        """Every event up to here has been read, and is as it was written."""
        return self._chains.position

    @property
    def hash(self) -> str:
        """Of the event at :attr:`position`; 64 zeros before the first. See :attr:`Chains.hash`."""
        return self._chains.hash

    @property
    @abstractmethod
    def at_end(self) -> bool: ...

    @property
    @abstractmethod
    def progress(self) -> tuple[int, int | None]:
        """How much has been read and how much there is in all, None where nobody knows."""

    @abstractmethod
    async def next_lines(self) -> bytes | Damage:
        """The events that follow, as NDJSON; perhaps none, at the end."""


class SignedLog(Protocol):
    """What a log is held to while it is read: see :mod:`indelible.core.checkpoints`."""

    def next_stop(self, position: int) -> int:
        """The first position behind this one whose event is to be the last of its page; 0 when there is none."""
        ...

    def check(self, position: int, digest: str) -> Damage | None:
        """Hear that the log has been read up to here."""
        ...

    def check_end(self, position: int) -> Damage | None:
        """Hear that it ends here."""
        ...


_UNREADABLE = (StorageFailure, InternalError, ValueError)
"""What reading a damaged event raises, from the engine or from a server; anything else says nothing about the log."""


class CheckedLog(CheckedEvents):
    """A store's log up to the head that it had; of several partitions, up to the one that it has by then. Leave it with
    :meth:`aclose`. With a ``chain``, what follows that, after the cursor there.

    Reads one page ahead, so that the store renders a page while the one before it is checked.
    """

    def __init__(
        self,
        store: EventStore,
        head: Head,
        chain: Chain | None = None,
        after: Cursor = START,
        *,
        held_to: "SignedLog | None" = None,
    ) -> None:
        super().__init__(*([chain or Chain()] if head.partitions == 1 else [Chain() for _ in range(head.partitions)]))
        self._store: Final = store
        self._head: Final = head
        self._held_to: Final = held_to
        self._cursor = after
        self._is_read = False
        """Whether the last page came to the head."""
        self._ahead: asyncio.Task[FeedPage] | None = None

    @property
    def cursor(self) -> Cursor:
        """Behind the event at :attr:`position`, once :meth:`next_lines` has given it."""
        return self._cursor

    @property
    def at_end(self) -> bool:
        is_there = self.position >= self._head.position
        # How partitions alternate is left open: so many events need not be those that the head stood for.
        return is_there and (self._head.partitions == 1 or self._is_read)

    @property
    def progress(self) -> tuple[int, int]:
        return self.position, max(self.position, self._head.position)

    async def next_lines(self) -> bytes | Damage:
        """The events that follow. Raises what the store raises when it is out of reach; an event that the store cannot
        read is damage."""
        first = self.position
        page = await self._check_next()
        if isinstance(page, str):
            return await self._narrow_down(self.position - first, page)
        self._cursor, self._is_read = page.cursor, page.at_end
        return page.lines

    async def _check_next(self) -> FeedPage | str:
        """The next page, or what is wrong in it."""
        before = self.position
        try:
            page = await (self._ahead or self._read(self._cursor, self._limit_after(before)))
        except _UNREADABLE as error:
            return f"cannot be read: {error}"
        finally:
            self._ahead = None
        limit = self._limit_after(before + page.count)
        if limit and not page.at_end:
            self._ahead = asyncio.create_task(self._read(page.cursor, limit), name="read-ahead")
        # In a thread, because the event loop has to see the next page's read through its steps meanwhile.
        problem = await asyncio.to_thread(self._chains.extend, page.lines)
        is_short = self.position < self._head.position if page.at_end else page.cursor == self._cursor
        if problem is None and is_short:
            return "is missing"
        return problem or page

    def _limit_after(self, position: int) -> int:
        """How many events to ask for after so many; 0 at the end."""
        if self._head.partitions > 1:
            return PAGE_EVENTS_MAX
        stop = 0 if self._held_to is None else self._held_to.next_stop(position)
        return min(PAGE_EVENTS_MAX, (min(stop, self._head.position) or self._head.position) - position)

    async def _read(self, after: Cursor, limit: int) -> FeedPage:
        return await self._store.read_feed(after=after, limit=limit)

    async def _narrow_down(self, sound: int, problem: str) -> Damage:
        """Name the position that spoils a page after so many sound events: a damaged byte may break a line in two, or
        swallow others."""
        first, cursor = self._chains.next_position, self._cursor
        if sound:
            cursor = (await self._read(cursor, sound)).cursor
        alone = 0
        while alone < PAGE_EVENTS_MAX and self.position < self._head.position:
            found = await self._check_alone(cursor)
            if isinstance(found, Damage):
                return found
            cursor, alone = found, alone + 1
        return Damage(first, f"{problem} (only when read together with those after it, {alone} in all)")

    async def _check_alone(self, after: Cursor) -> Cursor | Damage:
        """The cursor behind the next event, or what is wrong with that."""
        position = self._chains.next_position
        try:
            page = await self._read(after, 1)
        except _UNREADABLE as error:
            told = error.fields.get("position", 0) if isinstance(error, IndelibleError) else 0
            return Damage(position or told, f"cannot be read: {error}")
        if b"\n" in page.lines:
            return Damage(position, "is not one line: a line end stands within it")
        problem = self._chains.extend(page.lines) if page.lines else "is missing"
        return page.cursor if problem is None else Damage(position or _position_in(page.lines), problem)

    async def aclose(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)


def _position_in(line: bytes) -> int:
    try:
        return _decode(line).position
    except ValueError:
        return 0


async def find_line(store: EventStore, line: bytes) -> Cursor | None:
    """The cursor behind an event in a store with one partition; None where the store has no such line."""
    try:
        event = decode_event(line)
    except ValueError:
        return None
    query, cursor = EventQuery(since=event.timestamp), START
    while True:
        page = await store.read_feed(query, after=cursor, limit=PAGE_EVENTS_MAX)
        lines = page.lines.split(b"\n")
        if line in lines:
            return (await store.read_feed(query, after=cursor, limit=lines.index(line) + 1)).cursor
        if page.at_end or (page.lines and _decode(lines[-1]).position >= event.position):
            return None
        cursor = page.cursor


# --- Verifying -------------------------------------------------------------------------------------------------------


class VerifyReport(msgspec.Struct, frozen=True):
    """Of a store with several partitions, positions are sums of theirs."""

    head: int
    """The head when verifying began."""
    verified: int
    """Every event up to this position is as it was written. ``head`` when there is no damage, or more where partitions
    grew meanwhile."""
    hash: str
    """Of the event at ``verified``; 64 zeros in an empty log. Of several partitions the hash of each, in ascending
    order, with a comma between."""
    damage: Damage | None


async def verify(
    store: EventStore,
    *,
    held_to: SignedLog | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    rest: Callable[[], Awaitable[None]] | None = None,
) -> VerifyReport:
    """Walk the whole log up to its head, and the chain of each of its partitions; stop at the first damage. With
    ``held_to`` also where it is not what was signed; that takes a store with one partition.

    ``on_progress`` hears the verified position and the head after every page, and ``rest`` is waited for. Raises what
    the store raises when it is out of reach; an event that the store cannot read is damage.
    """
    head = await store.head()
    # Of several partitions it has no positions to ask by.
    diagnostics = store if isinstance(store, StoreDiagnostics) and head.partitions == 1 else None
    damage: Damage | None = None
    async with aclosing(CheckedLog(store, head, held_to=held_to)) as log:
        while damage is None and not log.at_end:
            first = log.position + 1
            lines = await log.next_lines()
            if isinstance(lines, Damage):
                damage = lines
            elif diagnostics is not None:
                damage = await _check_indexes(diagnostics, first, log.position)
            if damage is None and held_to is not None:
                damage = held_to.check(log.position, log.hash)
            if on_progress is not None:
                on_progress(*log.progress)
            if rest is not None:
                await rest()
        if damage is None and diagnostics is not None:
            damage = await _check_end(diagnostics)
        if damage is None and held_to is not None:
            damage = held_to.check_end(log.position)
        return VerifyReport(head.position, log.position, log.hash, damage)


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
