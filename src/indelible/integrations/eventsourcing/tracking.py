"""The recorders of what was processed: how far an application has come in each of those upstream, stored with what it
made of their events.

Each upstream application has an aggregate of its own, in the aggregate type ``{application}_tracking``: its last event
says how far processing has come. An append of one says which version it found, so of two that process the same
notification one is refused, with all that it was to store.
"""

from collections.abc import Sequence
from typing import Any, Final

from eventsourcing.persistence import IntegrityError, ProcessRecorder, StoredEvent, Tracking, TrackingRecorder

from indelible.errors import VersionConflict
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, AppendResult
from indelible.integrations.eventsourcing.connection import Datastore, Learn, Make, library_errors
from indelible.integrations.eventsourcing.recorders import IndelibleApplicationRecorder, positions
from indelible.integrations.eventsourcing.stored_events import EventMapping, Insertion, StoreRecorder

TRACKED: Final = "Tracked"
"""The type of these events."""


class _Progress:
    """How far one application has come in those upstream."""

    def __init__(self, datastore: Datastore, mapping: EventMapping) -> None:
        self._datastore: Final = datastore
        self._aggregate_type: Final = f"{mapping.aggregate_type}_tracking"
        self._last: Final[dict[str, tuple[int, int]]] = {}
        """By upstream application: the version, and the notification that its event names. Others may have come
        further: then an append that expects this version is refused."""

    def max_id(self, application_name: str) -> int | None:
        """As it is in the store."""
        version, notification_id = self._look(application_name)
        return notification_id if version else None

    def _look(self, application_name: str) -> tuple[int, int]:
        """Version 0 where nothing is tracked."""
        event = self._datastore.event_at(self._aggregate_type, application_name)
        last = (0, 0) if event is None else (event.version, int(event.event_data["notification_id"]))
        self._last[application_name] = last
        return last

    def append(self, tracking: Tracking) -> AggregateAppend:
        """Raises ``IntegrityError`` when it has come as far already."""
        name, notification_id = tracking.application_name, tracking.notification_id
        version, last_id = self._last.get(name, (0, notification_id))
        if notification_id <= last_id:
            version, last_id = self._look(name)
        if version and notification_id <= last_id:
            raise IntegrityError(f"notification {notification_id} of {name} is processed already, up to {last_id}")
        event = NewEvent(TRACKED, {"notification_id": notification_id})
        return AggregateAppend.of(self._aggregate_type, name, [event], expected_version=version)

    def came_to(self, tracking: Tracking, version: int) -> None:
        self._last[tracking.application_name] = version, tracking.notification_id

    def learn(self, conflict: VersionConflict) -> bool:
        """Whether another has come further than was known."""
        if conflict.fields["aggregate_type"] != self._aggregate_type:
            return False
        self._look(str(conflict.fields["aggregate_id"]))
        return True


class IndelibleTrackingRecorder(StoreRecorder, TrackingRecorder):
    """Records how far processing has come. Each recording is one event.

    Base class of views that keep what they count in the store: give :meth:`append_tracked` what is to be stored with
    the tracking. Raises the library's errors, ``IntegrityError`` for a notification that is not behind the last one.
    """

    def __init__(self, datastore: Datastore, mapping: EventMapping) -> None:
        super().__init__(datastore, mapping)
        self._progress: Final = _Progress(datastore, mapping)

    def insert_tracking(self, tracking: Tracking) -> None:
        self.append_tracked(tracking)

    @library_errors
    def append_tracked(self, tracking: Tracking, appends: Sequence[AggregateAppend] = ()) -> None:
        """Record it together with appends to any aggregates: all of it or nothing."""
        self._append_tracked(tracking, lambda: appends, lambda _: False)

    def _append_tracked(self, tracking: Tracking, make: Make, learn: Learn) -> Sequence[AppendResult]:
        """Returns what the appends that ``make`` gave have done."""
        result = self.datastore.append_learning(
            lambda: [*make(), self._progress.append(tracking)],
            lambda conflict: learn(conflict) or self._progress.learn(conflict),
        )
        *others, tracked = result.results
        self._progress.came_to(tracking, tracked.version)
        return others

    @library_errors
    def max_tracking_id(self, application_name: str) -> int | None:
        return self._progress.max_id(application_name)


class IndelibleProcessRecorder(IndelibleTrackingRecorder, IndelibleApplicationRecorder, ProcessRecorder):
    """An application recorder whose events may come with a tracking, which is stored with them or not at all."""

    @library_errors
    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """``tracking``: the notification that these events were made of."""
        tracking: Tracking | None = kwargs.get("tracking")
        if tracking is None:
            return self._insert(stored_events)
        insertion = Insertion(stored_events, self.mapping, self.datastore)
        return positions(self._append_tracked(tracking, insertion.appends, insertion.learn))
