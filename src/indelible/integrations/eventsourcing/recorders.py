"""The recorders of aggregates and applications: the library's events in an application's own aggregate type."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile
from typing import Any, Final
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    Notification,
    StoredEvent,
    Subscription,
)

from indelible.errors import AggregateNotFound
from indelible.events import RecordedEvent
from indelible.eventstore import AppendResult
from indelible.integrations.eventsourcing.connection import library_errors
from indelible.integrations.eventsourcing.stored_events import Insertion, StoreRecorder
from indelible.limits import PAGE_EVENTS_MAX, QUERY_NAMES_MAX
from indelible.queries import Direction, EventQuery, QueryItem


def positions(results: Iterable[AppendResult]) -> list[int]:
    """Of all events that were appended, in their order."""
    return [event.position for result in results for event in result.events]


class IndelibleAggregateRecorder(StoreRecorder, AggregateRecorder):
    """Inserts and selects the events of aggregates.

    All methods raise the library's errors: ``IntegrityError`` where an aggregate is not at the version before, or would
    get a gap; ``DataError`` for what is larger than the store's limits, or no name; ``OperationalError`` when the store
    is out of reach, or the outcome unknown.
    """

    @library_errors
    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        self._insert(stored_events)
        return None

    def _insert(self, stored_events: Sequence[StoredEvent]) -> list[int]:
        """Returns the positions."""
        if not stored_events:
            return []
        insertion = Insertion(stored_events, self.mapping, self.datastore)
        result = self.datastore.append_learning(insertion.appends, insertion.learn)
        return positions(result.results)

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
        events = map(self.mapping.stored_event, self._events(str(originator_id), gt, lte, desc=desc, limit=limit))
        # Where an aggregate's first version is not known, one event more is read at each end.
        within = (
            event
            for event in events
            if (gt is None or event.originator_version > gt) and (lte is None or event.originator_version <= lte)
        )
        return list(islice(within, limit))

    def _events(
        self, aggregate_id: str, gt: int | None, lte: int | None, *, desc: bool, limit: int | None
    ) -> Iterator[RecordedEvent]:
        """Those at versions that may be meant, page after page."""
        first, last = max((gt or 0) + 1, 1), None if lte is None else lte + 1
        direction: Direction = "backward" if desc else "forward"
        page_size = PAGE_EVENTS_MAX if limit is None else min(limit + 1, PAGE_EVENTS_MAX)
        while last is None or first <= last:
            try:
                page = self.datastore.client.read_aggregate(
                    self.mapping.aggregate_type, aggregate_id,
                    from_version=first, to_version=last, direction=direction, limit=page_size,
                )  # fmt: skip
            except AggregateNotFound:
                return
            yield from page.events
            if page.next_version is None:
                return
            first, last = (first, page.next_version) if desc else (page.next_version, last)


class IndelibleApplicationRecorder(IndelibleAggregateRecorder, ApplicationRecorder):
    """Also gives the events of all aggregates of the application, in order. The id of a notification is its event's
    position; where other applications share the store, ids have gaps."""

    @library_errors
    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        return self._insert(stored_events)

    @library_errors
    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        after = 0 if start is None else max(start - inclusive_of_start, 0)
        pages = self.datastore.pages(self.query(topics), after=after, until=stop, page_size=max(limit, 1))
        events = (event for page in pages for event in page.events)
        wanted = takewhile(lambda event: stop is None or event.position <= stop, events)
        return [self.mapping.notification(event) for event in islice(wanted, max(limit, 0))]

    @library_errors
    def max_notification_id(self) -> int | None:
        return self.datastore.last_position(self.query())

    def query(self, topics: Sequence[str] = ()) -> EventQuery:
        """The application's events of these topics; of all, where none is given."""
        parts = [topics[i : i + QUERY_NAMES_MAX] for i in range(0, len(topics), QUERY_NAMES_MAX)] or [()]
        return EventQuery(tuple(QueryItem(tuple(part), (self.mapping.aggregate_type,)) for part in parts))

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "IndelibleSubscription":
        return IndelibleSubscription(self, gt, topics)


class IndelibleSubscription(Subscription[IndelibleApplicationRecorder]):
    """Notifications as they come, over one connection that waits for them. :meth:`stop` may be called by any thread."""

    def __init__(
        self, recorder: IndelibleApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()
    ) -> None:
        super().__init__(recorder, gt, topics)
        self._events: Final = recorder.datastore.subscribe(recorder.query(topics), after=gt or 0)

    @library_errors
    def __next__(self) -> Notification:
        return self._recorder.mapping.notification(next(self._events))

    def stop(self) -> None:
        super().stop()
        self._events.close()
