"""Sends the events of a store to a server of KurrentDB or EventStoreDB, in their order.

Events that follow one another in one stream are one append, which expects the stream's revision, and which that server
knows when it comes again. Each is answered before the next is sent. So what is there is always a beginning of the log,
and its last event that this store has tells how far an export has come.
"""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from indelible.cli.esdb.connection import explaining
from indelible.cli.esdb.importing import last_imported
from indelible.cli.esdb.source import Source, is_read, own_id
from indelible.cli.output import Advance
from indelible.client.iterators import iterate_feed
from indelible.core.verify import find_line
from indelible.cursors import START, Cursor
from indelible.errors import EventNotFound, InvalidRequest, VersionConflict
from indelible.events import RecordedEvent
from indelible.eventstore import EventStore
from indelible.wire.esdb.messages import has_stream, id_there
from indelible.wire.esdb.payloads import payload_of
from indelible.wire.esdb.stream_names import aggregate_of, stream_of

if TYPE_CHECKING:
    from kurrentdbclient import KurrentDBClient, NewEvent
    from kurrentdbclient import RecordedEvent as TheirEvent

APPEND_EVENTS_MAX: Final = 500
APPEND_SIZE_BYTES_MAX: Final = 512 * 1024
"""Half of what such a server takes in one append unless it is told otherwise. One event may take more."""
LOOKED_BACK_EVENTS_MAX: Final = 10_000
"""Events at the end of the other side that this store may not have, before an export begins at its own first."""


class ExportCounts(msgspec.Struct):
    sent: int = 0
    """Events; that server knows those that it has."""
    tags_left: int = 0
    """Of these, events that have tags here. Streams there have none."""
    system_left: int = 0
    """Events that were not sent: of streams whose names are a system's own there. See :func:`is_sent`."""


class _Run(msgspec.Struct, frozen=True):
    """Events of one stream that follow one another in the log."""

    stream: str
    events: "tuple[NewEvent, ...]"
    first: RecordedEvent
    tagged: int
    """Events that have tags."""

    @property
    def version(self) -> int:
        """The stream's before them."""
        return self.first.version - 1


class Exporter:
    """One export."""

    def __init__(self, store: EventStore, client: "KurrentDBClient", url: str) -> None:
        self.counts: Final = ExportCounts()
        self.position = 0
        """Of the last event that is there."""
        self._from: Final = store
        self._client: Final = client
        self._url: Final = url
        self._there: Final = Source(client, url)
        self._is_origin = False
        """Whether what was imported came from that server."""
        self._ahead: Final[dict[str, int]] = {}
        """By how much the revisions of a stream there are greater than here."""

    async def run(self, on_progress: Advance) -> None:
        """Export up to where the store ends now. Raises ``InvalidRequest`` for a store of several logs,
        ``VersionConflict`` where a stream there has other events, and what both sides raise."""
        head = await self._from.head()
        if head.partitions > 1:
            raise InvalidRequest(f"has {head.partitions} partitions; one log is exported", pointer="/store")
        self._is_origin = await self._came_from_there()
        pages = iterate_feed(self._from, after=await self._where_to_go_on())
        while self.position < head.position and (page := await pages.next_page()) is not None:
            events = [event for event in page.events if has_stream(event) and not self._passes(event)]
            for run in runs_of(events):
                await self._send(run)
            self.counts.system_left += sum(not is_sent(event) for event in events)
            self.position = page.events[-1].position if page.count else self.position
            on_progress(self.position, head.position)
        await pages.aclose()

    async def _came_from_there(self) -> bool:
        last = await last_imported(self._from)
        if last is None:
            return False
        event, mark = last
        return await asyncio.to_thread(self._there.has, mark.position or 0, mark.event_id or event.event_id)

    def _passes(self, event: RecordedEvent) -> bool:
        """Whether the event came from there, and so is there."""
        mark = payload_of(event).mark
        if not self._is_origin or mark.position is None:
            return False
        if mark.revision is not None:
            stream = stream_of(event.aggregate_type, event.aggregate_id)
            self._ahead[stream] = mark.revision + 1 - event.version
        return True

    # --- Going on ----------------------------------------------------------------------------------------------------

    async def _where_to_go_on(self) -> Cursor:
        for event in await asyncio.to_thread(self._last_there):
            found = await self._exported(event)
            if found is not None:
                line = await self._from.read_aggregate(
                    found.aggregate_type, found.aggregate_id, from_version=found.version, limit=1
                )
                self.position = found.position
                return await find_line(self._from, line.lines) or START
        return START

    def _last_there(self) -> "list[TheirEvent]":
        with closing(self._there.read_backwards()) as there:
            return list(islice(there, LOOKED_BACK_EVENTS_MAX))

    async def _exported(self, event: "TheirEvent") -> RecordedEvent | None:
        """The event here, if it came there by an export."""
        try:
            key = aggregate_of(event.stream_name)
        except InvalidRequest:
            return None
        for event_id in (event.id, own_id(event)):
            found = await self._find(event_id)
            if found is not None and found.key == key:
                # One that came here from there says nothing of those that were appended here before it.
                return None if self._passes(found) else found
        return None

    async def _find(self, event_id: UUID) -> RecordedEvent | None:
        try:
            return await self._from.get_event(event_id)
        except EventNotFound:
            return None

    # --- Sending -----------------------------------------------------------------------------------------------------

    async def _send(self, run: _Run) -> None:
        from kurrentdbclient.exceptions import WrongCurrentVersionError

        try:
            await self._append(run.stream, run.events, run.version + self._ahead.get(run.stream, 0))
        except WrongCurrentVersionError:
            await self._send_rest(run)
        self.counts.sent += len(run.events)
        self.counts.tags_left += run.tagged

    async def _append(self, stream: str, events: "Sequence[NewEvent]", version: int) -> None:
        from kurrentdbclient import StreamState

        expected = version - 1 if version else StreamState.NO_STREAM
        with explaining(self._url):
            await asyncio.to_thread(self._client.append_to_stream, stream, events=events, current_version=expected)

    async def _send_rest(self, run: _Run) -> None:
        """The stream there is not at the version that it has here: it may have begun with another revision, and a part
        of the run may be there."""
        from kurrentdbclient.exceptions import WrongCurrentVersionError

        before = await self._id_before(run)
        last, there = await asyncio.to_thread(self._look_back, run, before)
        if last is None:
            raise _has_others(run)
        self._ahead[run.stream] = last.stream_position + 1 - (run.version + there)
        if run.events[there:]:
            try:
                await self._append(run.stream, run.events[there:], last.stream_position + 1)
            except WrongCurrentVersionError:
                raise _has_others(run) from None

    def _look_back(self, run: _Run, before: UUID | None) -> "tuple[TheirEvent | None, int]":
        """The last event there that is of the run, or the one right before it; and how many of the run are there."""
        from kurrentdbclient.exceptions import NotFoundError

        numbers = {event.id: i + 1 for i, event in enumerate(run.events)}
        with explaining(self._url):
            try:
                for event in self._client.read_stream(run.stream, backwards=True):
                    if event.id in numbers:
                        return event, numbers[event.id]
                    if event.id == before:
                        return event, 0
            except NotFoundError:
                pass
        return None, 0

    async def _id_before(self, run: _Run) -> UUID | None:
        if not run.version:
            return None
        first = run.first
        page = await self._from.read_aggregate(
            first.aggregate_type, first.aggregate_id, from_version=run.version, to_version=run.version
        )
        return id_there(page.events[0], payload_of(page.events[0]))


def is_sent(event: RecordedEvent) -> bool:
    """Not the store's own events, which have no stream; nor those of streams that such a server keeps for itself by
    their names, and would not give back: an import leaves them there as well."""
    return has_stream(event) and is_read(stream_of(event.aggregate_type, event.aggregate_id))


def runs_of(events: Sequence[RecordedEvent]) -> list[_Run]:
    """Appends, in the order of the events. What is not sent is left out."""
    runs: list[_Run] = []
    for stream, group in groupby(filter(is_sent, events), lambda one: stream_of(one.aggregate_type, one.aggregate_id)):
        lot: list[tuple[RecordedEvent, NewEvent]] = []
        size_bytes = 0
        for event in group:
            new = _new_event(event)
            size_bytes += len(new.data) + len(new.metadata)
            if lot and (len(lot) == APPEND_EVENTS_MAX or size_bytes > APPEND_SIZE_BYTES_MAX):
                runs.append(_run_of(stream, lot))
                lot, size_bytes = [], len(new.data) + len(new.metadata)
            lot.append((event, new))
        runs.append(_run_of(stream, lot))
    return runs


def _run_of(stream: str, lot: "Sequence[tuple[RecordedEvent, NewEvent]]") -> _Run:
    return _Run(stream, tuple([new for _, new in lot]), lot[0][0], sum(bool(event.tags) for event, _ in lot))


def _new_event(event: RecordedEvent) -> "NewEvent":
    from kurrentdbclient import NewEvent

    payload = payload_of(event)
    # The client's type names the two that such a server itself tells apart; others are bytes to it.
    content_type: Any = payload.content_type
    return NewEvent(
        type=event.event_type, data=payload.data, metadata=payload.metadata, content_type=content_type,
        id=id_there(event, payload),
    )  # fmt: skip


def _has_others(run: _Run) -> VersionConflict:
    return VersionConflict(
        f"the stream {run.stream} has other events there than this store has before its version {run.version + 1}: "
        "somebody has appended to it there. All before is exported",
        aggregate_type=run.first.aggregate_type, aggregate_id=run.first.aggregate_id, expected_version=run.version,
        actual_version=0,
    )  # fmt: skip
