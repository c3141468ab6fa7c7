"""Copies a whole log from any store into a store of this process, exactly as it is: every line, hash for hash.

The chain of hashes is checked as the events pass, so damage in the source is found before it is copied, and the
destination is read back at the end. What the destination holds already must be the beginning of the source: so a copy
that was interrupted, or that the source has outgrown, goes on where it ended. Snapshots and consumer groups are
not copied.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import msgspec

from indelible.core.checked_log import Chain, CheckedLog, Damage
from indelible.core.store import LocalEventStore
from indelible.core.verify import verify
from indelible.errors import InvalidRequest, StoreCorrupted
from indelible.events import RecordedEvent, decode_event, decode_events
from indelible.eventstore import EventStore
from indelible.limits import RECORDED_EVENTS_MAX, RECORDED_SIZE_BYTES_MAX
from indelible.queries import Cursor

OnProgress = Callable[[int, int], None]
"""Hears how far it is and how far it goes, as positions, after every step."""


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
    source: EventStore, destination: LocalEventStore, *, on_progress: OnProgress | None = None
) -> CopyReport:
    """Bring the destination up to the source's head of now. Nobody else may append to the destination meanwhile.

    Raises :class:`InvalidRequest` when what the destination holds is not the beginning of the source's log, with the
    first ``position`` that differs; :class:`StoreCorrupted` when the source is damaged, with the ``position``; and what
    both stores raise. Copying again goes on after the events that are stored.
    """
    head, there = (await source.head()).position, (await destination.head()).position
    chain = await _common_chain(source, head, destination, there)
    async with aclosing(CheckedLog(source, head, chain)) as log:
        await _Copying(log, destination, on_progress or _tell_nobody).run(head)
        return CopyReport(head - there, there, head, log.hash.hex(), (await source.head()).position - head)


async def verify_copy(
    destination: LocalEventStore, report: CopyReport, *, on_progress: OnProgress | None = None
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


def _tell_nobody(_position: int, _head: int) -> None:
    pass


class _Copying:
    """Gathers the next events while the destination commits those before them. Holds two lots in memory at the most."""

    def __init__(self, log: CheckedLog, destination: LocalEventStore, on_progress: OnProgress) -> None:
        self._log = log
        self._destination = destination
        self._on_progress = on_progress
        self._page: tuple[RecordedEvent, ...] = ()
        """Was too much for the lot before."""

    async def run(self, head: int) -> None:
        appending: asyncio.Task[None] | None = None
        reached = self._log.position
        try:
            while lot := await self._gather():
                if appending is not None:
                    await appending
                    self._on_progress(reached, head)
                appending = asyncio.create_task(self._destination.append_recorded(lot), name="append-lot")
                reached = lot[-1].position
        finally:
            if appending is not None:
                await appending
        self._on_progress(reached, head)

    async def _gather(self) -> list[RecordedEvent]:
        """As many of the next events as one commit takes; none at the end."""
        lot: list[RecordedEvent] = []
        size_bytes = 0
        while self._page or not self._log.at_end:
            page = self._page = self._page or await self._next_page()
            size_bytes += sum(event.size_bytes for event in page)
            if lot and (len(lot) + len(page) > RECORDED_EVENTS_MAX or size_bytes > RECORDED_SIZE_BYTES_MAX):
                break
            lot += page
            self._page = ()
        return lot

    async def _next_page(self) -> tuple[RecordedEvent, ...]:
        page = await self._log.next_page()
        if isinstance(page, Damage):
            message = f"the source is damaged: the event at position {page.position} {page.reason}"
            raise StoreCorrupted(message, position=page.position)
        try:
            return decode_events(page.lines)
        except ValueError as error:
            # The chain holds, so it was written so.
            raise InvalidRequest(f"holds an event that this version cannot read: {error}", pointer="/from") from error


# --- What the destination holds already ------------------------------------------------------------------------------


async def _common_chain(source: EventStore, head: int, destination: LocalEventStore, there: int) -> Chain:
    """The chain of what both have. Each hash covers all before it, so the last event speaks for all of them."""
    if there > head:
        raise InvalidRequest(
            f"holds {there} events, more than the source, which has {head}: it is not a copy of it",
            pointer="/to", position=head + 1,
        )  # fmt: skip
    if there == 0:
        return Chain()
    line = await _line_at(destination, there)
    if line == await _line_at(source, there):
        return Chain.after(line)
    position = await _first_difference(source, destination, there)
    ours, theirs = [_described(await _line_at(store, position)) for store in (destination, source)]
    raise InvalidRequest(
        f"is not a copy of the source: at position {position} it holds {ours}, but the source holds {theirs}",
        pointer="/to", position=position,
    )  # fmt: skip


async def _first_difference(source: EventStore, destination: EventStore, last: int) -> int:
    """Halves the range, since two logs that are equal at one position are equal in all before it."""
    first = 1
    while first < last:
        middle = (first + last) // 2
        if await _line_at(source, middle) == await _line_at(destination, middle):
            first = middle + 1
        else:
            last = middle
    return first


async def _line_at(store: EventStore, position: int) -> bytes:
    return (await store.read_feed(after=Cursor.at(position - 1), limit=1)).lines


def _described(line: bytes) -> str:
    try:
        event = decode_event(line)
    except ValueError:
        return "something unreadable"
    return f"{event.event_type} of {event.key.stream}, version {event.version}, with the hash {event.hash}"
