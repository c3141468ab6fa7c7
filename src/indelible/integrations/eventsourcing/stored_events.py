"""How the library's stored events lie in the store.

================================ ======================================================================================
``originator_id``                ``aggregate_id``: its text. The aggregate type is the application's.
``originator_version``           ``version``. Where an aggregate's first is 0, ``version`` is one more, and the
                                 ``metadata`` say ``originator_version``.
``topic``                        ``event_type``
``state``                        ``event_data``: as JSON, where it is compact JSON, for readers in any language; else as
                                 bytes (compressed, encrypted, of another transcoder). It comes back byte for byte.
``Notification.id``              ``position``. It has gaps where the log holds others' events.
================================ ======================================================================================
"""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import msgspec
from eventsourcing.persistence import DataError, IntegrityError, Notification, ProgrammingError, StoredEvent
from eventsourcing.utils import Environment

from indelible.conditions import ExpectedVersion
from indelible.errors import InvalidRequest, VersionConflict
from indelible.events import BINARY_CONTENT_TYPE, NewEvent, RecordedEvent, check_aggregate_type
from indelible.eventstore import AggregateAppend
from indelible.integrations.eventsourcing.connection import Datastore
from indelible.json_text import compact_json

NAMELESS: Final = "eventsourcing"
"""The aggregate type of an application without a name."""
ORIGINATOR_VERSION: Final = "originator_version"
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""As it prints itself."""


def is_compact_json(state: bytes) -> bool:
    """Whether the store would give it back byte for byte if it were stored as JSON."""
    try:
        return compact_json(state) == state
    except InvalidRequest:
        return False


def new_event(event_type: str, state: bytes, **more: Any) -> NewEvent:
    """``more``: what :class:`NewEvent` takes."""
    if is_compact_json(state):
        return NewEvent(event_type, msgspec.Raw(state), **more)
    return NewEvent(event_type, state, content_type=BINARY_CONTENT_TYPE, **more)


def originator_version(version: int, metadata: Mapping[str, Any]) -> int:
    """Of an event or a snapshot at a version."""
    said = metadata.get(ORIGINATOR_VERSION)
    return said if isinstance(said, int) else version


class EventMapping:
    """From stored events to the store's, and back, for one application."""

    def __init__(self, aggregate_type: str, *, with_uuids: bool) -> None:
        self.aggregate_type: Final = aggregate_type
        self._with_uuids: Final = with_uuids

    @classmethod
    def of(cls, env: Environment) -> "EventMapping":
        """Raises ``OSError`` for what is not allowed."""
        kind = env.get("ORIGINATOR_ID_TYPE") or "uuid"
        if kind.lower() not in ("uuid", "text"):
            raise OSError(f"ORIGINATOR_ID_TYPE must be uuid or text, not {kind!r}")
        name = env.get("INDELIBLE_AGGREGATE_TYPE") or env.name or NAMELESS
        try:
            check_aggregate_type(name)
        except InvalidRequest as error:
            raise OSError(f"INDELIBLE_AGGREGATE_TYPE, or the application's name, {name!r}, {error}") from error
        return cls(name, with_uuids=kind.lower() == "uuid")

    def aggregate_id(self, originator_id: UUID | str) -> str:
        """For an event that is to be stored."""
        if self._with_uuids and isinstance(originator_id, str) and _UUID.fullmatch(originator_id):
            raise ProgrammingError(f"the id {originator_id!r} would be read as a UUID: set ORIGINATOR_ID_TYPE=text")
        return str(originator_id)

    def originator_id(self, aggregate_id: str) -> UUID | str:
        return UUID(aggregate_id) if self._with_uuids and _UUID.fullmatch(aggregate_id) else aggregate_id

    def stored_event(self, event: RecordedEvent) -> StoredEvent:
        return StoredEvent(**self._fields(event))

    def notification(self, event: RecordedEvent) -> Notification:
        return Notification(**self._fields(event), id=event.position)

    def _fields(self, event: RecordedEvent) -> dict[str, Any]:
        return {
            "originator_id": self.originator_id(event.aggregate_id),
            "originator_version": originator_version(event.version, event.metadata),
            "topic": event.event_type,
            "state": event.event_data_bytes,
        }


class StoreRecorder:
    """What all recorders have."""

    def __init__(self, datastore: Datastore, mapping: EventMapping) -> None:
        self.datastore: Final = datastore
        self.mapping: Final = mapping


class Insertion:
    """Stored events that are to be inserted together: all or none, and in their order.

    An aggregate's versions begin at 1, or at 0, and go on without gaps. Which of the two it was, only the aggregate
    itself says: taken to be 1, until a conflict has it looked at.
    """

    def __init__(self, stored_events: Sequence[StoredEvent], mapping: EventMapping, datastore: Datastore) -> None:
        self._mapping: Final = mapping
        self._datastore: Final = datastore
        self._runs: Final = [
            (aggregate_id, list(run))
            for aggregate_id, run in groupby(stored_events, lambda event: mapping.aggregate_id(event.originator_id))
        ]
        self._first_versions: Final = self._check_versions()
        self._from_zero: Final = {one for one, version in self._first_versions.items() if version == 0}

    def _check_versions(self) -> dict[str, int]:
        """The first version of each aggregate."""
        first: dict[str, int] = {}
        last: dict[str, int] = {}
        for aggregate_id, run in self._runs:
            for event in run:
                version = event.originator_version
                if version < 0:
                    raise DataError(f"an originator_version must be at least 0, not {version}")
                if last.setdefault(aggregate_id, version - 1) != version - 1:
                    raise IntegrityError(
                        f"the versions of {aggregate_id} must go on without gaps, but {version} comes after "
                        f"{last[aggregate_id]}"
                    )
                first.setdefault(aggregate_id, version)
                last[aggregate_id] = version
        return first

    def appends(self) -> list[AggregateAppend]:
        """One for each run of events of the same aggregate."""
        begun: set[str] = set()
        appends = []
        for aggregate_id, run in self._runs:
            # What is expected of an aggregate is said where it stands first.
            expected: ExpectedVersion = "any" if aggregate_id in begun else self._version_before(aggregate_id)
            begun.add(aggregate_id)
            events = [self._new_event(event, aggregate_id) for event in run]
            appends.append(
                AggregateAppend.of(self._mapping.aggregate_type, aggregate_id, events, expected_version=expected)
            )
        return appends

    def _version_before(self, aggregate_id: str) -> int:
        return self._first_versions[aggregate_id] - (aggregate_id not in self._from_zero)

    def _new_event(self, event: StoredEvent, aggregate_id: str) -> NewEvent:
        metadata = {ORIGINATOR_VERSION: event.originator_version} if aggregate_id in self._from_zero else None
        return new_event(event.topic, event.state, metadata=metadata)

    def learn(self, conflict: VersionConflict) -> bool:
        """Whether the conflict is with an aggregate that began at 0, as was not known, and is where it should be."""
        aggregate_id = str(conflict.fields["aggregate_id"])
        version = conflict.actual_version
        if conflict.fields["aggregate_type"] != self._mapping.aggregate_type or aggregate_id in self._from_zero:
            return False
        if version != self._first_versions[aggregate_id]:
            return False
        last = self._datastore.event_at(self._mapping.aggregate_type, aggregate_id, version)
        if last is None or originator_version(last.version, last.metadata) != version - 1:
            return False
        self._from_zero.add(aggregate_id)
        return True
