"""The recorder of snapshots: those that the library takes are the store's own snapshots.

So they take no position in the log, may be larger than an event, and whoever replays an aggregate in another language
finds them. A snapshot that is saved again at the same version replaces the one before.
"""

import base64
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final
from uuid import UUID

import msgspec
from eventsourcing.persistence import AggregateRecorder, StoredEvent

from indelible.errors import SnapshotNotFound
from indelible.events import Snapshot
from indelible.integrations.eventsourcing.connection import library_errors
from indelible.integrations.eventsourcing.stored_events import (
    ORIGINATOR_VERSION,
    StoreRecorder,
    is_compact_json,
    originator_version,
)

_TOPIC: Final = "topic"
_IN_BASE64: Final = "state_in_base64"
"""Of the metadata: true where ``state`` is text that stands for bytes."""


class IndelibleSnapshotRecorder(StoreRecorder, AggregateRecorder):
    """Inserts and selects snapshots. The state of one, with its metadata, may be as large as the store's limits say.

    Raises the library's errors: ``IntegrityError`` for a snapshot of an aggregate without events, ``DataError`` for one
    of a version that the aggregate has not reached.
    """

    @library_errors
    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> None:
        """One after another: when one is refused, those before it are saved."""
        for event in stored_events:
            self._save(event)

    def _save(self, event: StoredEvent) -> None:
        aggregate_id = self.mapping.aggregate_id(event.originator_id)
        first = self.datastore.event_at(self.mapping.aggregate_type, aggregate_id, 1)
        is_from_zero = first is not None and originator_version(1, first.metadata) == 0
        metadata: dict[str, Any] = {_TOPIC: event.topic, ORIGINATOR_VERSION: event.originator_version}
        state: msgspec.Raw | str = msgspec.Raw(event.state)
        if not is_compact_json(event.state):
            state = base64.b64encode(event.state).decode()
            metadata[_IN_BASE64] = True
        self.datastore.client.save_snapshot(
            self.mapping.aggregate_type, aggregate_id,
            version=event.originator_version + is_from_zero, state=state, metadata=metadata,
        )  # fmt: skip

    @library_errors
    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The newest is one look away, as when an aggregate is replayed; the others are looked up one after another."""
        newest_first = self._selected(str(originator_id), gt, lte)
        if desc:
            return list(islice(newest_first, limit))
        return [*newest_first][::-1][:limit]

    def _selected(self, aggregate_id: str, gt: int | None, lte: int | None) -> Iterator[StoredEvent]:
        for snapshot in self._newest_first(aggregate_id, None if lte is None else lte + 1):
            event = self._stored_event(snapshot)
            if gt is not None and event.originator_version <= gt:
                return
            # The store's own repositories save snapshots too, whose states are none of the library's.
            if event.topic and (lte is None or event.originator_version <= lte):
                yield event

    def _newest_first(self, aggregate_id: str, at_version: int | None) -> Iterator[Snapshot]:
        while at_version is None or at_version > 0:
            try:
                snapshot = self.datastore.client.get_snapshot(
                    self.mapping.aggregate_type, aggregate_id, at_version=at_version
                )
            except SnapshotNotFound:
                return
            yield snapshot
            at_version = snapshot.version - 1

    def _stored_event(self, snapshot: Snapshot) -> StoredEvent:
        metadata = snapshot.metadata
        in_base64 = metadata.get(_IN_BASE64) is True
        return StoredEvent(
            originator_id=self.mapping.originator_id(snapshot.aggregate_id),
            originator_version=originator_version(snapshot.version, metadata),
            topic=str(metadata.get(_TOPIC, "")),
            state=base64.b64decode(snapshot.state) if in_base64 else bytes(snapshot.state_raw),
        )
