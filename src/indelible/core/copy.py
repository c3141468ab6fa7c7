"""Copies a whole log from any store, or from a file, into a store of this process, exactly as it is: every line, hash
for hash.

The chain of hashes is checked as the events pass, so damage in the source is found before it is copied, and the
destination is read back at the end. What the destination holds already must be the beginning of the source: so a copy
that was interrupted, or that the source has outgrown, goes on where it ended. Snapshots and consumer groups are
not copied.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

import msgspec

from indelible.core.verify import Chain, CheckedEvents, CheckedLog, Damage, find_line, verify
from indelible.cursors import START, Cursor
from indelible.errors import AggregateNotFound, InvalidRequest, StoreCorrupted
from indelible.events import RecordedEvent, decode_event, decode_events
from indelible.eventstore import EventStore, Head, RecordingStore
from indelible.limits import PAGE_EVENTS_MAX, RECORDED_EVENTS_MAX, RECORDED_SIZE_BYTES_MAX

OnProgress = Callable[[int, int | None], None]
"""Hears how far it is and how far it goes after every step: as positions, or as bytes of a file (None: a pipe)."""


class CopyReport(msgspec.Struct, frozen=True):
    copied: int
    """Events that were copied now."""
    already_there: int
    """Events that the destination held before."""
    head: int
    """The source's head when copying began, and the destination's now."""
    hash: str
    """Of the event at ``head``, in both; 64 zeros when there is none."""
    behind: int
    """Events that came into the source meanwhile and are not copied."""


async def copy_log(
    source: EventStore, destination: RecordingStore, *, on_progress: OnProgress | None = None
) -> CopyReport:
    """Bring the destination up to the source's head of now. Nobody else may append to the destination meanwhile.

    Raises :class:`InvalidRequest` when what the destination holds is not the beginning of the source's log, with the
    first ``position`` that differs; :class:`StoreCorrupted` when the source is damaged, with the ``position``; and what
    both stores raise. Copying again goes on after the events that are stored.
    """
    head, there = await source.head(), (await destination.head()).position
    chain, after = await _common_chain(source, head, destination, there)
    async with aclosing(CheckedLog(source, head, chain, after)) as log:
        await _Copying(log, destination, on_progress or _ignore).run()
        behind = (await source.head()).position - head.position
        return CopyReport(head.position - there, there, head.position, log.hash, behind)


def check_has_one_log(head: Head, pointer: str = "/from") -> None:
    """Raises ``InvalidRequest`` for the head of a store that cannot be copied: events keep their positions."""
    if head.partitions > 1:
        message = f"has {head.partitions} partitions, each a log of its own; a copy holds one"
        raise InvalidRequest(message, pointer=pointer)


class LineDamage(Damage, frozen=True):
    """The first line of a file that is not as it was written, or that is not there."""

    line: int
    """1, 2, 3 …; the event's position too, unless lines are missing."""


class WholeLog(CheckedEvents):
    """A log that does not lie in a store, from its first event on: in a file, or in a backup."""

    name: str
    """What it lies in, to be put behind "the"."""

    @abstractmethod
    async def next_lines(self, events_max: int = PAGE_EVENTS_MAX) -> bytes | Damage:
        """Up to so many events that follow, as NDJSON; perhaps none, at the end."""


class LogUpTo(WholeLog):
    """The beginning of a log, up to a position."""

    def __init__(self, log: WholeLog, up_to: int) -> None:
        super().__init__()
        self._log: Final = log
        self._up_to: Final = up_to
        self.name = log.name

    @property
    def position(self) -> int:
        return self._log.position

    @property
    def hash(self) -> str:
        return self._log.hash

    @property
    def at_end(self) -> bool:
        return self._log.at_end or self._log.position >= self._up_to

    @property
    def progress(self) -> tuple[int, int | None]:
        return self._log.progress

    async def next_lines(self, events_max: int = PAGE_EVENTS_MAX) -> bytes | Damage:
        return await self._log.next_lines(min(events_max, self._up_to - self._log.position))


async def copy_whole(
    log: WholeLog, destination: RecordingStore, *, on_progress: OnProgress | None = None
) -> CopyReport:
    """The same from a file that has begun, or from a backup: bring the destination up to its last event.

    Raises what :func:`copy_log` raises; ``StoreCorrupted`` has the damaged ``line`` of a file too, and what comes
    before it is stored. The log is read once, from its beginning.
    """
    on_progress = on_progress or _ignore
    there = (await destination.head()).position
    await _pass_common(log, destination, there, on_progress)
    await _Copying(log, destination, on_progress).run()
    return CopyReport(log.position - there, there, log.position, log.hash, 0)


async def verify_copy(
    destination: RecordingStore, report: CopyReport, *, on_progress: OnProgress | None = None
) -> None:
    """Read the destination back from its storage. Raises :class:`StoreCorrupted` when it is not what was copied."""
    found = await verify(destination, on_progress=on_progress)
    if found.damage is not None:
        position, reason = found.damage.position, found.damage.reason
        raise StoreCorrupted(f"the copy is damaged: the event at position {position} {reason}", position=position)
    if (found.head, found.hash) != (report.head, report.hash):
        raise StoreCorrupted(
            f"the copy ends at position {found.head} with the hash {found.hash}, "
            f"but the source at {report.head} with {report.hash}",
            position=min(found.head, report.head),
        )


def _ignore(_done: int, _total: int | None) -> None:
    pass


class _Copying:
    """Gathers the next events while the destination commits those before them. Holds at most two batches in memory."""

    def __init__(self, log: CheckedEvents, destination: RecordingStore, on_progress: OnProgress) -> None:
        self._log = log
        self._destination = destination
        self._on_progress = on_progress
        self._next: _Page | Damage | None = None
        """Was too much for the batch before, or is what comes after it."""

    async def run(self) -> None:
        """What comes before damage is stored."""
        appending: asyncio.Task[None] | None = None
        progress = self._log.progress
        try:
            while batch := await self._gather():
                if appending is not None:
                    await appending
                    self._on_progress(*progress)
                events = [event for page in batch for event in page.events]
                appending = asyncio.create_task(self._destination.append_recorded(events), name="append-batch")
                progress = batch[-1].progress
        finally:
            if appending is not None:
                await appending
        self._on_progress(*progress)

    async def _gather(self) -> "list[_Page]":
        """As many of the next events as one commit takes; none at the end."""
        batch: list[_Page] = []
        count = size_bytes = 0
        while self._next is not None or not self._log.at_end:
            page = self._next = self._next or await self._next_page()
            if isinstance(page, Damage):
                if batch:
                    break
                raise _damaged(page)
            count, size_bytes = count + len(page.events), size_bytes + page.size_bytes
            if batch and (count > RECORDED_EVENTS_MAX or size_bytes > RECORDED_SIZE_BYTES_MAX):
                break
            if page.events:
                batch.append(page)
            self._next = None
        return batch

    async def _next_page(self) -> "_Page | Damage":
        lines = await self._log.next_lines()
        if isinstance(lines, Damage):
            return lines
        try:
            return _Page(decode_events(lines), self._log.progress)
        except ValueError as error:
            # The chain holds, so it was written so.
            raise InvalidRequest(f"holds an event that this version cannot read: {error}", pointer="/from") from error


class _Page(msgspec.Struct, frozen=True):
    events: tuple[RecordedEvent, ...]
    progress: tuple[int, int | None]
    """Of the log once it was read."""

    @property
    def size_bytes(self) -> int:
        return sum(event.size_bytes for event in self.events)


def _damaged(damage: Damage) -> StoreCorrupted:
    what = f"the event at position {damage.position} {damage.reason}"
    if isinstance(damage, LineDamage):
        message = f"the file is damaged at line {damage.line}: {what}; what comes before it is stored"
        return StoreCorrupted(message, position=damage.position, line=damage.line)
    return StoreCorrupted(f"the source is damaged: {what}; what comes before it is stored", position=damage.position)


# --- What the destination holds already ------------------------------------------------------------------------------


async def _common_chain(source: EventStore, head: Head, destination: EventStore, there: int) -> tuple[Chain, Cursor]:
    """The chain of what both have, and the source's cursor behind it. Each hash covers all before it, so the last event
    speaks for all of them."""
    check_has_one_log(head)
    if there > head.position:
        raise InvalidRequest(
            f"holds {there} events, more than the source, which has {head.position}: it is not a copy of it",
            pointer="/to", position=head.position + 1,
        )  # fmt: skip
    if there == 0:
        return Chain(), START
    line = (await destination.read_feed(direction="backward", limit=1)).lines
    cursor = await find_line(source, line)
    if cursor is not None:
        return Chain.after(line), cursor
    await _raise_difference(source, destination)
    raise StoreCorrupted("the source has the events of the copy, but in another order", position=there)


async def _raise_difference(source: EventStore, destination: EventStore) -> None:
    before, cursor, at_end, position = b"", START, False, 0
    while not at_end:
        page = await destination.read_feed(after=cursor, limit=PAGE_EVENTS_MAX)
        cursor, at_end = page.cursor, page.at_end
        lines = page.lines.split(b"\n")
        found = await _first_missing(lines, source)
        if found is not None:
            theirs = await _line_behind(source, lines[found - 1] if found else before)
            raise _other_log("source", lines[found], theirs, position=position + found + 1)
        before, position = lines[-1], position + len(lines)


async def _pass_common(log: WholeLog, destination: EventStore, there: int, on_progress: OnProgress) -> None:
    """Read what both have. Each hash covers all before it, so the last event of a page speaks for all of them."""
    last = b""
    while log.position < there:
        before = log.position
        read = await log.next_lines(min(there - before, PAGE_EVENTS_MAX))
        if isinstance(read, Damage):
            raise _damaged(read)
        if not read:
            raise InvalidRequest(
                f"holds {there} events, more than the {log.name}, which has {before}: it is not a copy of it",
                pointer="/to", position=before + 1,
            )  # fmt: skip
        lines = read.split(b"\n")
        found = await _first_missing(lines, destination)
        if found is not None:
            ours = await _line_behind(destination, lines[found - 1] if found else last)
            raise _other_log(log.name, ours, lines[found], position=before + found + 1)
        last = lines[-1]
        on_progress(*log.progress)


async def _first_missing(lines: list[bytes], store: EventStore) -> int | None:
    """Which of these lines of a log is the first that a store does not have; None when it has all. Halves the range,
    since two logs that are equal at one position are equal in all before it."""
    if await has_line(store, lines[-1]):
        return None
    first, last = 0, len(lines) - 1
    while first < last:
        middle = (first + last) // 2
        if await has_line(store, lines[middle]):
            first = middle + 1
        else:
            last = middle
    return first


async def has_line(store: EventStore, line: bytes) -> bool:
    """Whether a store has this line."""
    try:
        event = decode_event(line)
        page = await store.read_aggregate(
            event.aggregate_type, event.aggregate_id, from_version=event.version, to_version=event.version, limit=1
        )
    except (AggregateNotFound, ValueError):
        return False
    return page.lines == line


async def _line_behind(store: EventStore, line: bytes) -> bytes:
    """What follows an event that the store has; nothing: the first event."""
    after = await find_line(store, line) if line else START
    return (await store.read_feed(after=after, limit=1)).lines


def _other_log(source: str, ours: bytes, theirs: bytes, *, position: int) -> InvalidRequest:
    return InvalidRequest(
        f"is not a copy of the {source}: at position {position} it holds {_described(ours)}, but the {source} holds "
        f"{_described(theirs)}",
        pointer="/to", position=position,
    )  # fmt: skip


def _described(line: bytes) -> str:
    try:
        event = decode_event(line)
    except ValueError:
        return "something unreadable"
    return f"{event.event_type} of {event.key.stream}, version {event.version}, with the hash {event.hash}"
