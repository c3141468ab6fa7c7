"""Brings the events of a server of KurrentDB or EventStoreDB into a store, in their order.

Each event says in its mark which commit position it had there, so the store itself holds how far the import has come:
events are stored in batches, each whole or not at all, and the last of them tells. What is stored already is known by
its id, whatever came between, so nothing is stored twice.

A stream's version is what the source says its revision is, as long as the source has all of the stream. Of a stream
that was truncated there the revisions begin anew: each event then says in its mark which it had.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from indelible.batching import in_lots
from indelible.cli.esdb.digests import DigestedEvent, Digests
from indelible.cli.esdb.source import EventsAhead, Source, own_id
from indelible.cli.output import Advance, note_outage
from indelible.client.iterators import iterate_feed
from indelible.conditions import ExpectedVersion
from indelible.errors import (
    AggregateNotFound,
    EventIdConflict,
    EventNotFound,
    InvalidRequest,
    Unavailable,
    VersionConflict,
)
from indelible.events import AggregateKey, NewEvent, RecordedEvent
from indelible.eventstore import AggregateAppend, EventStore
from indelible.wire.esdb.payloads import MARK, Mark, Payload, new_event, payload_of
from indelible.wire.esdb.stream_names import METADATA_PREFIX, aggregate_of

if TYPE_CHECKING:
    from kurrentdbclient import RecordedEvent as TheirEvent

APPEND_EVENTS_MAX: Final = 1_000
"""Events that become one append. More gain little and would hold the writer longer."""
APPEND_SIZE_BYTES_MAX: Final = 4 * 1024 * 1024
LOOKED_UP_AT_ONCE: Final = 64
TRY_AGAIN_S: Final = 2.0


TRUNCATED_ALL: Final = 2**63 - 1
"""``$tb`` of a deleted stream."""


class _Truncation(msgspec.Struct):
    truncate_before: int | None = msgspec.field(name="$tb", default=None)


_decode_truncation: Final = msgspec.json.Decoder(_Truncation).decode


class ImportCounts(msgspec.Struct):
    imported: int = 0
    already_there: int = 0
    ids_changed: int = 0
    """Of those that were imported now: events whose id another event has."""


class _Moving(msgspec.Struct, frozen=True, gc=False):
    """An event on its way."""

    event: "TheirEvent"
    key: AggregateKey
    event_id: UUID


class _Reached(msgspec.Struct, frozen=True, gc=False):
    """How far a stream has come in the store."""

    version: int
    next_revision: int
    """After its last event, at the source."""
    is_imported: bool = True
    """Whether its last event came from a source."""


class Importer:
    """One import. ``digests`` are those of the source, if it was read :attr:`from_start`."""

    def __init__(self, store: EventStore, source: Source) -> None:
        self.counts: Final = ImportCounts()
        self.digests: Final = Digests()
        self.position = 0
        """The commit position of the last event that is stored; 0: none is."""
        self.from_start = False
        self._to: Final = store
        self._source: Final = source
        self._rest: list[TheirEvent] = []
        self._reached: Final[dict[AggregateKey, _Reached]] = {}
        self._is_empty = False
        """Whether the store held nothing before."""

    async def run(self, on_progress: Advance, *, follow: bool = False) -> None:
        """Import up to where the source ends now; ``follow``: and for ever what comes.

        Raises ``InvalidRequest`` for a store that cannot take the events, and for an event that it cannot take;
        ``VersionConflict`` where somebody else has appended to a stream; and what both sides raise. All that came
        before is stored then.
        """
        head, end = await self._to.head(), await asyncio.to_thread(self._source.end)
        if head.partitions > 1:
            raise InvalidRequest(
                f"has {head.partitions} partitions; events are imported into one log", pointer="/store"
            )
        self._is_empty = head.position == 0
        self.position = await self._where_to_go_on()
        self.from_start = self.position == 0
        if follow:
            await self._follow(on_progress)
        elif end > self.position:
            await self._read(end, on_progress)

    async def _where_to_go_on(self) -> int:
        last = None if self._is_empty else await last_imported(self._to)
        if last is None:
            return 0
        event, mark = last
        position = mark.position or 0
        # An event that is not there any more, or another source: then every event is looked for by its id.
        is_there = await asyncio.to_thread(self._source.has, position, mark.event_id or event.event_id)
        return position if is_there else 0

    async def _follow(self, on_progress: Advance) -> None:
        """For ever, however often one of both sides is out of reach."""
        noted_at = -1
        while True:
            try:
                await self._read(None, on_progress)
            except Unavailable as error:
                if noted_at != self.position:
                    note_outage(error)
                    noted_at = self.position
            await asyncio.sleep(TRY_AGAIN_S)

    async def _read(self, up_to: int | None, on_progress: Advance) -> None:
        self._rest = []
        ahead = EventsAhead(partial(self._source.read, self.position, up_to))
        storing: asyncio.Task[None] | None = None
        try:
            while batch := await self._next_batch(ahead):
                moving = [self._moving(event) for event in batch]
                if storing is not None:
                    await storing
                    on_progress(self.position, up_to)
                storing = asyncio.create_task(self._store(moving), name="store-batch")
        finally:
            ahead.leave()
            if storing is not None:
                await storing

    async def _next_batch(self, ahead: EventsAhead) -> "list[TheirEvent]":
        """What is stored together: whole commits, because reading goes on after a commit."""
        batch, self._rest = self._rest, []
        while taken := await ahead.take(APPEND_EVENTS_MAX, APPEND_SIZE_BYTES_MAX):
            batch += taken
            if end := _end_of_commits(batch):
                self._rest = batch[end:]
                return batch[:end]
        return batch

    def _moving(self, event: "TheirEvent") -> _Moving:
        theirs = DigestedEvent(event.id, event.type, event.content_type, event.data, event.metadata)
        self.digests.add(event.stream_name, theirs, event.commit_position, event.stream_position)
        try:
            return _Moving(event, aggregate_of(event.stream_name), event.id)
        except InvalidRequest as error:
            raise _refused(event, error) from None

    # --- Storing -----------------------------------------------------------------------------------------------------

    async def _store(self, moving: Sequence[_Moving]) -> None:
        position = moving[-1].event.commit_position
        moving = _with_ids_of_their_own(moving)
        await self._look_up_truncated(moving)
        try:
            await self._append(moving)
        except (EventIdConflict, VersionConflict):
            await self._append(await self._not_stored(moving))
        self.position = position

    async def _append(self, moving: Sequence[_Moving]) -> None:
        if not moving:
            return
        reached: dict[AggregateKey, _Reached] = {}
        appends = [self._append_of(key, list(run), reached) for key, run in groupby(moving, key=lambda one: one.key)]
        result = await self._to.append_atomic(appends)
        self._reached.update(reached)
        if result.replayed:
            self.counts.already_there += len(moving)
        else:
            self.counts.imported += len(moving)
            self.counts.ids_changed += sum(one.event_id != one.event.id for one in moving)

    def _append_of(
        self, key: AggregateKey, run: Sequence[_Moving], reached: dict[AggregateKey, _Reached]
    ) -> AggregateAppend:
        """Some events of one stream; ``reached`` is what the batch does until then, and is brought forward."""
        before = reached.get(key)
        expected: ExpectedVersion = "any"
        if before is None:
            before = self._reached.get(key) or self._presumed(run[0].event.stream_position)
            expected = before.version
        events = []
        version = before.version
        for one in run:
            events.append(self._new_event(one, version, reached))
            version += 1
        reached[key] = _Reached(version, run[-1].event.stream_position + 1)
        return AggregateAppend(key, tuple(events), expected)

    def _presumed(self, revision: int) -> _Reached:
        """Of a stream that nobody has looked at: that the store has all that comes before the revision."""
        return _Reached(0 if self._is_empty else revision, revision)

    def _new_event(self, one: _Moving, version: int, reached: dict[AggregateKey, _Reached]) -> NewEvent:
        event = one.event
        mark = Mark(
            created=event.recorded_at,
            position=event.commit_position,
            event_id=None if one.event_id == event.id else event.id,
            revision=None if version == event.stream_position else event.stream_position,
            last_revision=self._last_hidden(event, reached),
        )
        try:
            return new_event(one.event_id, event.type, Payload(event.data, event.metadata, event.content_type, mark))
        except InvalidRequest as error:
            raise _refused(event, error) from None

    def _last_hidden(self, event: "TheirEvent", reached: dict[AggregateKey, _Reached]) -> int | None:
        """What a truncation hides here, where the stream has other revisions than at the source."""
        before = _truncated_before(event)
        if before is None:
            return None
        key = aggregate_of(event.stream_name.removeprefix(METADATA_PREFIX))
        stream = reached.get(key) or self._reached.get(key) or _Reached(0, 0)
        gap = stream.next_revision - stream.version
        if stream.version and not gap:
            return None
        return min(max(before - gap, 0), stream.version) - 1

    # --- What is there already ---------------------------------------------------------------------------------------

    async def _look_up_truncated(self, moving: Sequence[_Moving]) -> None:
        truncated = [one.event for one in moving if _truncated_before(one.event) is not None]
        keys = [aggregate_of(event.stream_name.removeprefix(METADATA_PREFIX)) for event in truncated]
        await self._look_up([key for key in keys if key not in self._reached and not self._is_empty])

    async def _not_stored(self, moving: Sequence[_Moving]) -> list[_Moving]:
        """Those that the store has not, each with an id that is free, after the store was asked about all of them."""
        await self._look_up({one.key: None for one in moving})
        rest: list[_Moving] = []
        for lot in in_lots(moving, LOOKED_UP_AT_ONCE):
            found = await asyncio.gather(*(self._looked_for(one) for one in lot))
            rest += [one for one in found if one is not None]
        self.counts.already_there += len(moving) - len(rest)
        for one in {one.key: one for one in reversed(rest)}.values():
            self._check_next(one, self._reached[one.key])
        return rest

    def _check_next(self, one: _Moving, stream: _Reached) -> None:
        """Events may be missing at the source, but none may be here in their place."""
        revision = one.event.stream_position
        if stream.next_revision > revision or (stream.next_revision < revision and not stream.is_imported):
            raise _appended_by_others(one, stream.version)

    async def _look_up(self, keys: "Sequence[AggregateKey] | dict[AggregateKey, None]") -> None:
        for lot in in_lots(keys, LOOKED_UP_AT_ONCE):
            for key, reached in zip(lot, await asyncio.gather(*map(self._reached_by, lot)), strict=True):
                self._reached[key] = reached

    async def _reached_by(self, key: AggregateKey) -> _Reached:
        try:
            page = await self._to.read_aggregate(key.aggregate_type, key.aggregate_id, direction="backward", limit=1)
        except AggregateNotFound:
            return _Reached(0, 0)
        last = page.events[0]
        mark = payload_of(last).mark
        next_revision = last.version if mark.revision is None else mark.revision + 1
        return _Reached(last.version, next_revision, is_imported=mark.position is not None)

    async def _looked_for(self, one: _Moving) -> _Moving | None:
        """None: it is stored."""
        found = await self._find(one.event_id)
        if found is None:
            return one
        if one.event_id != one.event.id or _is_same(found, one):
            return None
        own = own_id(one.event)
        return None if await self._find(own) else msgspec.structs.replace(one, event_id=own)

    async def _find(self, event_id: UUID) -> RecordedEvent | None:
        try:
            return await self._to.get_event(event_id)
        except EventNotFound:
            return None


async def last_imported(store: EventStore) -> tuple[RecordedEvent, Mark] | None:
    """The last event that came from a source."""
    pages = iterate_feed(store, direction="backward")
    try:
        while (page := await pages.next_page()) is not None:
            for event in page.events if MARK.encode() in page.lines else ():
                mark = payload_of(event).mark
                if mark.position is not None:
                    return event, mark
    finally:
        await pages.aclose()
    return None


def _end_of_commits(events: "Sequence[TheirEvent]") -> int:
    """How many events there are before the last commit, unless that is whole. Transactions, which old clients could
    make, have several events at one commit position; all other events have one of their own."""
    last = events[-1]
    if last.prepare_position == last.commit_position:
        return len(events)
    return next(i for i, event in enumerate(events) if event.commit_position == last.commit_position)


def _truncated_before(event: "TheirEvent") -> int | None:
    """The revision before which an event of metadata hides the stream's events; None: it hides none, or all that there
    are, whatever their revisions."""
    if b'"$tb"' not in event.data or not event.stream_name.startswith(METADATA_PREFIX):
        return None
    try:
        before = _decode_truncation(event.data).truncate_before
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return None if before == TRUNCATED_ALL else before


def _with_ids_of_their_own(moving: Sequence[_Moving]) -> Sequence[_Moving]:
    """There an id may stand in several streams; here it stands for one event."""
    seen: set[UUID] = set()
    repeated: dict[int, UUID] = {}
    for i, one in enumerate(moving):
        if one.event_id in seen:
            repeated[i] = own_id(one.event)
        seen.add(one.event_id)
    return [
        msgspec.structs.replace(one, event_id=repeated[i]) if i in repeated else one for i, one in enumerate(moving)
    ]


def _is_same(stored: RecordedEvent, one: _Moving) -> bool:
    """Whether it was imported before, or was here in the first place."""
    if stored.key != one.key:
        return False
    payload, event = payload_of(stored), one.event
    if payload.mark.position is not None:
        return payload.mark.position == event.commit_position
    return (stored.event_type, payload.data, payload.metadata) == (event.type, event.data, event.metadata)


def _refused(event: "TheirEvent", error: InvalidRequest) -> InvalidRequest:
    where = f"event {event.stream_position} of the stream {event.stream_name}"
    message = f"{where} cannot be stored: {error.message}; all before it is. To leave the stream out: --exclude"
    return type(error)(message, **{**error.fields, "pointer": f"/from{error.pointer}"})


def _appended_by_others(one: _Moving, version: int) -> VersionConflict:
    stream, revision = one.event.stream_name, one.event.stream_position
    return VersionConflict(
        f"the stream {stream} holds events in the store that the source does not have before its event {revision}: "
        "somebody has appended to it here. Leave it out with --exclude, or import into another store",
        aggregate_type=one.key.aggregate_type, aggregate_id=one.key.aggregate_id, expected_version=revision,
        actual_version=version,
    )  # fmt: skip
