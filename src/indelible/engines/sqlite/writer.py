"""The one connection that writes the log. Plain blocking functions; the engine decides on which thread each runs.

A batch is prepared (looked up, decided, inserted) and then committed; only the commit waits for the disk. What it
touches is looked up in the tail and the index, through a reader's connection: a transaction on the log must not hold
the index.
"""

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from uuid import UUID

import apsw
import msgspec

from indelible.engines.engine import LogHead, aggregate_not_found
from indelible.engines.feed_walk import ConditionScan
from indelible.engines.planner import Plan, PlannedEvent, RecentEvent, StoredState, plan, plan_recorded, unseen_after
from indelible.engines.rows import event_columns, readable_event
from indelible.engines.sqlite import aggregates, reads
from indelible.engines.sqlite.connections import (
    BUSY_TIMEOUT_MS,
    connect_writer,
    fetch,
    migrate,
    statement,
)
from indelible.engines.sqlite.indexing import Indexing
from indelible.engines.sqlite.store_file import StoreFile, find_missing_end
from indelible.engines.sqlite.tail import TailEvent
from indelible.engines.sqlite.views import Reader, View
from indelible.errors import StoreCorrupted
from indelible.events import AggregateKey, RecordedEvent, Snapshot, format_timestamp, id_text
from indelible.eventstore import AppendRequest

AGGREGATES_CACHED_MAX: Final = 65_536
"""Known aggregates that are kept in memory: about 20 MB at the most.
Those that came first go first, even those in use: to look one up again is cheaper than to keep account of it."""

_encode_ids: Final = msgspec.json.Encoder(uuid_format="hex").encode
_encode_tags: Final = msgspec.json.encode


class _CachedAggregate(msgspec.Struct):
    """An aggregate that the store holds, or will once the open transaction is committed."""

    aggregate: int
    """Position of its first event."""
    version: int
    """As committed; 0 for one that is new in the open transaction."""


class Writer:
    """Prepares and commits batches. Not for use from two threads at once."""

    def __init__(self, file: StoreFile, indexing: Indexing) -> None:
        self._file: Final = file
        self._indexing: Final = indexing
        self.connection = connect_writer(file.path)
        self._lookups: Reader | None = None
        self.may_be_stored = False
        """Whether the commit of the open transaction was asked for: from then on only its success is certain."""
        self._aggregates: OrderedDict[AggregateKey, _CachedAggregate] = OrderedDict()
        self._type_ids: dict[tuple[str, str], int] = {}
        self._open_batch: _OpenBatch | None = None
        try:
            self._refuse_incomplete()
            migrate(self.connection)
            self._sync_log()
            self.head = reads.read_sound_head(self.connection)
            # What waits for a lock does so in another thread than the one that finds it.
            self.connection.set_busy_timeout(0)
            file.watch_log()
            file.check()
            file.note_end(self.head.position)
            indexing.open(self.connection, self.head.position)
            self._lookups = Reader(file.path)
            # Now, as long as there is space for what SQLite keeps beside it.
            self._view().read_indexed()
        except BaseException:
            self.close()
            raise

    def _refuse_incomplete(self) -> None:
        """Raises :class:`StoreCorrupted` for a log that went further once: appends would give positions anew that
        others have seen."""
        missing = find_missing_end(self.connection, self._file)
        if missing is not None:
            raise StoreCorrupted(f"{self._file.path} is incomplete: {missing.reason}", position=missing.position)

    def _sync_log(self) -> None:
        """Bring what the last process left in the log to stable storage, before anybody is told that it is stored: that
        process may have died between writing and syncing, or because the sync failed."""
        try:
            logged, copied = self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except (apsw.BusyError, apsw.FullError):
            logged, copied = 1, 0
        if copied < logged:
            # A reader of another process holds the log, or there is no space for its copy: the log itself must do.
            descriptor = os.open(self._file.log_path, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    # --- A transaction -----------------------------------------------------------------------------------------------

    def open_transaction(self, *, wait_s: float = 0) -> None:
        """Take SQLite's right to write, which another process may have for a while. Raises :class:`apsw.BusyError` when
        that takes longer than ``wait_s``."""
        if wait_s:
            self.connection.set_busy_timeout(int(wait_s * 1_000))
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        finally:
            if wait_s:
                self.connection.set_busy_timeout(0)

    def commit(self, end: int | None = None) -> None:
        """Wait until the open transaction is on stable storage; with events, the log then ends at ``end``. Raises
        :class:`StorageFailure` when that storage is not where its name leads to any more."""
        self.may_be_stored = True
        self.connection.execute("COMMIT")
        self._file.check()
        if end is not None:
            self._file.note_end(end)

    def rollback(self) -> None:
        """Give up the open transaction, if SQLite has not done so already."""
        self._open_batch, self.may_be_stored = None, False
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def try_writing(self, size_bytes: int) -> None:
        """Write so much into the log as a part of the open transaction, which is then to be rolled back."""
        self.connection.execute(statement("try_writing"), (size_bytes,))
        # In WAL mode this is what a transaction does that outgrows the cache.
        self.connection.cache_flush()

    # --- A batch -----------------------------------------------------------------------------------------------------

    def begin(self, batch: Sequence[AppendRequest], now_us: int) -> Plan:
        """Decide the batch within the open transaction."""
        self._open_batch = _OpenBatch(self._view())
        appends = [append for request in batch for append in request.appends]
        ids = [event.event_id for append in appends for event in append.events]
        keys = [append.key for append in appends]
        recent = reads.recent_events(self._open_batch.view, unseen_after(batch, self.head.position), self.head.position)
        return plan(batch, self._stored_state(keys, ids, recent), now_us)

    def begin_recorded(self, events: Sequence[RecordedEvent]) -> Plan:
        """The same for recorded events. Raises :class:`InvalidRequest` when they do not continue the log."""
        self._open_batch = _OpenBatch(self._view())
        keys, ids = [event.key for event in events], [event.event_id for event in events]
        return plan_recorded(events, self._stored_state(keys, ids, ()))

    def insert(self, events: Sequence[PlannedEvent]) -> None:
        """Insert planned events; may be called several times for one batch, in position order."""
        opened = self._require_batch()
        type_ids, tail, versions, rows = opened.type_ids, opened.tail, opened.versions, []
        timestamp_us, timestamp = -1, ""
        for planned in events:
            if planned.timestamp_us != timestamp_us:
                timestamp_us = planned.timestamp_us
                timestamp = format_timestamp(timestamp_us)
            key, event = planned.key, planned.event
            known = opened.aggregates.get(key)
            if known is None:
                known = opened.aggregates[key] = opened.new_aggregates[key] = _CachedAggregate(planned.position, 0)
            names = (key.aggregate_type, event.event_type)
            type_id = type_ids.get(names) or self._event_type_id(names)
            rows.append(_event_row(planned, known.aggregate, type_id, timestamp))
            tail.append(
                (key, known.aggregate, planned.version, event.event_id.bytes, type_id, event.event_type, event.tags)
            )
            versions[key] = planned.version
        self.connection.executemany(statement("insert_event"), rows)

    def publish(self, head: LogHead) -> None:
        """Take over what the committed batch brought."""
        opened = self._require_batch()
        for key, version in opened.versions.items():
            opened.aggregates[key].version = version
        for key, known in opened.new_aggregates.items():
            self._remember(key, known)
        self._type_ids.update(opened.type_ids)
        self._indexing.add(opened.tail)
        self._open_batch = None
        self.head = head

    # --- Other writes ------------------------------------------------------------------------------------------------

    def insert_snapshot(self, snapshot: Snapshot) -> None:
        """Within the open transaction. Raises :class:`AggregateNotFound`."""
        aggregate, version = aggregates.find_aggregate(self._view(), snapshot.key)
        if not version:
            raise aggregate_not_found(snapshot.key)
        self.connection.execute(statement("save_snapshot"), aggregates.snapshot_values(aggregate, snapshot))

    def wal_frames(self) -> tuple[int, int]:
        """Pages in the write-ahead log, and how many of them are in the database file already."""
        try:
            logged, copied = self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        except apsw.BusyError:
            # Another process is at it; the next commit asks again.
            return 0, 0
        return max(logged, 0), max(copied, 0)

    def checkpoint(self) -> None:
        """Copy the log into the database, as far as no reader needs it."""
        self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self.note_end()

    def empty_log(self) -> None:
        """Copy all of it, and wait for readers of other processes. Raises :class:`apsw.BusyError` when they take too
        long."""
        self.connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self.note_end()

    def note_end(self) -> None:
        """After a checkpoint, which may have put an older note there."""
        self._file.note_end(self.head.position)

    def close_lookups(self) -> None:
        """Let go of the index, and of what a reader of the log would hold."""
        lookups, self._lookups = self._lookups, None
        if lookups is not None:
            lookups.close()

    def close(self) -> None:
        self.close_lookups()
        self.connection.close()

    # --- Looking up --------------------------------------------------------------------------------------------------

    def _view(self) -> View:
        assert self._lookups is not None, "the writer is closed"
        return self._indexing.view(self._lookups)

    def _stored_state(
        self, keys: Iterable[AggregateKey], ids: Sequence[UUID], recent: Sequence[RecentEvent]
    ) -> StoredState:
        # Kept with the batch: the cache may let go of some before the batch is stored.
        opened = self._require_batch()
        unknown = []
        for key in keys:
            if key not in opened.aggregates:
                known = self._aggregates.get(key)
                if known is None:
                    unknown.append(key)
                else:
                    opened.aggregates[key] = known
        if unknown:
            for key, found in aggregates.find_aggregates(opened.view, unknown).items():
                opened.aggregates[key] = known = _CachedAggregate(*found)
                self._remember(key, known)
        versions = {key: known.version for key, known in opened.aggregates.items()}
        events, unreadable = self._stored_events(opened.view, ids)
        return StoredState(self.head, versions, events, recent, unreadable)

    def _remember(self, key: AggregateKey, known: _CachedAggregate) -> None:
        self._aggregates[key] = known
        if len(self._aggregates) > AGGREGATES_CACHED_MAX:
            self._aggregates.popitem(last=False)

    def _stored_events(self, view: View, ids: Sequence[UUID]) -> tuple[dict[UUID, RecordedEvent], dict[UUID, int]]:
        """The stored ones among some ids, and the positions of those that are stored and cannot be read."""
        events: dict[UUID, RecordedEvent] = {}
        unreadable: dict[UUID, int] = {}
        for event_id, position in self._stored_ids(view, ids):
            # One by one: what is damaged must spoil the append that asks for it, and no other.
            event = _read_event(view, position)
            if event is None:
                unreadable[event_id] = position
            else:
                events[event_id] = event
        return events, unreadable

    def _stored_ids(self, view: View, ids: Sequence[UUID]) -> list[tuple[UUID, int]]:
        if len(ids) == 1:
            position = aggregates.find_event(view, ids[0])
            return [] if position is None else [(ids[0], position)]
        encoded = _encode_ids(ids).decode()
        found = fetch(view.connection, statement("stored_ids"), {"event_ids": encoded})
        in_tail = view.tail.positions_of([event_id.bytes for event_id in ids])
        return [(UUID(digits), int(position)) for digits, position in found] + [
            (UUID(bytes=event_id), position) for event_id, position in in_tail
        ]

    def scan_condition(self, scan: ConditionScan, entries_max: int) -> ConditionScan:
        """In what is stored. On the event loop's thread, so for a few entries only."""
        return reads.scan_condition(self._view(), scan, entries_max)

    # --- Row ids of names --------------------------------------------------------------------------------------------

    def _event_type_id(self, names: tuple[str, str]) -> int:
        """Of an aggregate type's and an event type's names; known to the batch from then on."""
        known = self._type_ids.get(names)
        if known is None:
            sql = "SELECT id FROM event_types WHERE aggregate_type = ? AND name = ?"
            rows = fetch(self.connection, sql, names) or fetch(self.connection, statement("insert_event_type"), names)
            known = int(rows[0][0])
        self._require_batch().type_ids[names] = known
        return known

    def _require_batch(self) -> "_OpenBatch":
        assert self._open_batch is not None, "no batch has begun"
        return self._open_batch


class _OpenBatch:
    """What an open transaction has brought and the caches may know only after its commit."""

    def __init__(self, view: View) -> None:
        self.view: Final = view
        """What was stored before it."""
        self.tail: list[TailEvent] = []
        self.versions: dict[AggregateKey, int] = {}
        self.aggregates: dict[AggregateKey, _CachedAggregate] = {}
        """The batch's, those that were there before too."""
        self.new_aggregates: dict[AggregateKey, _CachedAggregate] = {}
        self.type_ids: dict[tuple[str, str], int] = {}


def _read_event(view: View, position: int) -> RecordedEvent | None:
    # A connection that meets damage within a transaction of its own writes no more.
    try:
        rows = fetch(view.connection, statement("read_line"), {"position": position})
    except apsw.CorruptError:
        return None
    return readable_event(rows[0][0] if rows else None)


def _event_row(planned: PlannedEvent, aggregate: int, type_id: int, timestamp: str) -> tuple[object, ...]:
    event = planned.event
    data, data_base64, metadata, tags, content_type = event_columns(event)
    return (
        planned.position, aggregate, planned.version, type_id, id_text(event.event_id), timestamp, planned.hash.hex(),
        planned.key.aggregate_id, None if tags is None else _encode_tags(tags).decode(), content_type, metadata,
        data, data_base64,
    )  # fmt: skip


def chunks(events: Sequence[PlannedEvent], size: int) -> Iterator[Sequence[PlannedEvent]]:
    """Parts of a batch, each short enough to leave the event loop in between."""
    return (events[start : start + size] for start in range(0, len(events), size))
