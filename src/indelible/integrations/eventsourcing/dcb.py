"""The recorder for dynamic consistency boundaries: the library's conditions and queries are the store's own.

An event lies in the aggregate that its first tag names, in the application's aggregate type; one without tags in the
one that its type names. So what happened to one thing is found by its id, and consumer groups keep its order. Positions
are the store's: they have gaps where the log holds others' events.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, groupby, islice, takewhile
from typing import Final

from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBReadResponse,
    DCBRecorder,
    DCBSequencedEvent,
    DCBSubscription,
)
from eventsourcing.persistence import ProgrammingError

from indelible.conditions import AppendCondition
from indelible.cursors import cursor_at, position_of
from indelible.events import NewEvent, RecordedEvent
from indelible.eventstore import AggregateAppend
from indelible.integrations.eventsourcing.connection import library_errors
from indelible.integrations.eventsourcing.stored_events import StoreRecorder, new_event
from indelible.limits import PAGE_EVENTS_MAX
from indelible.queries import EventQuery, QueryItem

_TAGS: Final = "tags"
"""Of the metadata: the tags as they were given, where that is not the order of the store's."""


class IndelibleDCBRecorder(StoreRecorder, DCBRecorder):
    """Appends events under a condition, and reads them by types and tags. All methods raise the library's errors:
    ``IntegrityError`` where the condition fails, ``DataError`` for what is larger than the store's limits."""

    @library_errors
    def append(self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None = None) -> int:
        """Returns the last event's position."""
        if not events:
            raise ProgrammingError("there must be at least one event")
        appends = [
            AggregateAppend.of(self.mapping.aggregate_type, aggregate_id, [_new_event(event) for event in run])
            for aggregate_id, run in groupby(events, _aggregate_id)
        ]
        return self.datastore.append(appends, self._condition(condition)).position

    def _condition(self, condition: DCBAppendCondition | None) -> AppendCondition | None:
        if condition is None:
            return None
        return AppendCondition(self.items(condition.fail_if_events_match), cursor_at(condition.after or 0))

    def items(self, query: DCBQuery | None) -> tuple[QueryItem, ...]:
        """Of the application's events: other applications' are none of the query's."""
        parts = [] if query is None else [(item.types, item.tags) for item in query.items]
        mine = (self.mapping.aggregate_type,)
        return tuple(QueryItem(tuple(types), mine, tuple(tags)) for types, tags in parts or [([], [])])

    @library_errors
    def read(
        self, query: DCBQuery | None = None, *, after: int | None = None, limit: int | None = None
    ) -> "IndelibleReadResponse":
        """What is there now; page after page, as it is iterated over. Without a limit its ``head`` is the last position
        of the log, up to which everything was looked at; with one the position of the last event, if any."""
        asked = EventQuery(self.items(query))
        page_size = PAGE_EVENTS_MAX if limit is None else max(limit, 1)
        pages = self.datastore.pages(asked, after=after or 0, page_size=page_size)
        first = next(pages)
        events = chain(first.events, (event for page in pages for event in page.events))
        if limit is not None:
            found = list(islice(events, limit))
            return IndelibleReadResponse(iter(found), found[-1].position if found else None)
        head = position_of(first.cursor) if first.at_end else self.datastore.head()
        return IndelibleReadResponse(takewhile(lambda event: event.position <= head, events), head or None)

    def subscribe(self, query: DCBQuery | None = None, *, after: int | None = None) -> "IndelibleDCBSubscription":
        return IndelibleDCBSubscription(self, query, after)


class IndelibleReadResponse(DCBReadResponse):
    """Events that are read as they are asked for."""

    def __init__(self, events: Iterator[RecordedEvent], head: int | None) -> None:
        self._events: Final = events
        self._head: Final = head

    @property
    def head(self) -> int | None:
        return self._head

    @library_errors
    def __next__(self) -> DCBSequencedEvent:
        return _sequenced(next(self._events))


class IndelibleDCBSubscription(DCBSubscription[IndelibleDCBRecorder]):
    """Events as they come, over one connection that waits for them. :meth:`stop` may be called by any thread."""

    def __init__(self, recorder: IndelibleDCBRecorder, query: DCBQuery | None = None, after: int | None = None) -> None:
        super().__init__(recorder, query, after)
        self._events: Final = recorder.datastore.subscribe(EventQuery(recorder.items(query)), after=after or 0)

    @library_errors
    def __next__(self) -> DCBSequencedEvent:
        return _sequenced(next(self._events))

    def stop(self) -> None:
        super().stop()
        self._events.close()


def _aggregate_id(event: DCBEvent) -> str:
    return event.tags[0] if event.tags else event.type


def _new_event(event: DCBEvent) -> NewEvent:
    made = new_event(event.type, event.data, tags=event.tags)
    if list(made.tags) == event.tags:
        return made
    return new_event(event.type, event.data, tags=event.tags, metadata={_TAGS: event.tags})


def _sequenced(event: RecordedEvent) -> DCBSequencedEvent:
    tags = event.metadata.get(_TAGS, event.tags)
    return DCBSequencedEvent(DCBEvent(event.event_type, event.event_data_bytes, list(tags)), event.position)
