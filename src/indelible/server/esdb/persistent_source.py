"""Which events a persistent subscription is for.

Its consumer group asks the store for as little as a query can say: the aggregate type of a stream, and of a filter what
the store can look up. What of that is not wanted is acknowledged by the server itself, in the lots in which it comes.
The events of one aggregate come one by one, wanted or not; so a subscription to one of a few streams of the same type
that have very many events passes over these at the pace of the store's commits, while those that it is for do not wait.
To begin with, a subscription to a stream reads from the stream's first event on, wherever that is in the log.
"""

from typing import Final

from msgspec.structs import replace

from indelible.access import Reach
from indelible.cursors import Cursor, cursor_at
from indelible.events import RecordedEvent
from indelible.eventstore import EventStore
from indelible.limits import GROUP_IN_FLIGHT_MAX
from indelible.operations.groups import CreateGroup
from indelible.queries import QueryItem
from indelible.server.esdb.filters import EventFilter, filter_of
from indelible.server.esdb.links import LinkStream, link_stream_of
from indelible.server.esdb.stream_metadata import event_at, first_version_after, last_event, shown_of
from indelible.wire.esdb.persistent import END, START, SubscriptionSettings, shown_position
from indelible.wire.esdb.stream_names import aggregate_of


class StreamSource:
    """One stream, from a version on."""

    def __init__(self, stream: str, from_version: int) -> None:
        self._stream: Final = stream
        self._key: Final = aggregate_of(stream)
        self._from_version: Final = from_version
        self.items: Final = (QueryItem(aggregate_types=(self._key.aggregate_type,)),)

    def wants(self, event: RecordedEvent) -> bool:
        return event.version >= self._from_version and event.key == self._key

    async def shown(self, store: EventStore, events: list[RecordedEvent]) -> list[RecordedEvent]:
        """Of wanted events, those that the stream's metadata does not hide."""
        if not events:
            return events
        last = await last_event(store, self._key)
        shown = await shown_of(store, self._stream, events[-1].version if last is None else last.version)
        return [event for event in events if shown.has(event)]

    async def first_cursor(self, store: EventStore) -> Cursor:
        """After which the first wanted event is, now or later."""
        # Before it is looked for: what comes meanwhile is behind the head then.
        head = (await store.head()).position
        first = await event_at(store, self._key, from_version=self._from_version)
        return cursor_at(head if first is None else first.position - 1)

    async def places(self, store: EventStore, position: int) -> dict[str, str]:
        """The stream's last revision, and its last one up to a position of the log, as clients parse them."""
        last = await last_event(store, self._key)
        if last is None:
            return {"known": _revision(0), "checkpointed": _revision(0)}
        version = last.version
        if last.position > position:
            version = await first_version_after(store, self._key, position, last.version) - 1
        return {"known": _revision(last.version), "checkpointed": _revision(version)}


class AllSource:
    """All streams, with a filter."""

    def __init__(self, wanted: EventFilter, start: int) -> None:
        self._filter: Final = wanted
        self._start: Final = start
        self.items: Final = wanted.query.items

    def wants(self, event: RecordedEvent) -> bool:
        return self._filter.matches(event)

    async def shown(self, _: EventStore, events: list[RecordedEvent]) -> list[RecordedEvent]:
        return events

    async def first_cursor(self, _: EventStore) -> Cursor:
        return cursor_at(max(self._start - 1, 0))

    async def places(self, store: EventStore, position: int) -> dict[str, str]:
        known = (await store.head()).position
        return {"known": shown_position(known), "checkpointed": shown_position(position)}


class LinkSource:
    """A stream of links that are not stored: those of a category, or of an event type."""

    def __init__(self, links: LinkStream, from_revision: int) -> None:
        self.links: Final = links
        self._from_revision: Final = from_revision
        self.items: Final = links.query.items

    def wants(self, event: RecordedEvent) -> bool:
        return event.position > self._from_revision and self.links.has(event)

    async def shown(self, _: EventStore, events: list[RecordedEvent]) -> list[RecordedEvent]:
        return events

    async def first_cursor(self, _: EventStore) -> Cursor:
        return cursor_at(self._from_revision)

    async def places(self, store: EventStore, position: int) -> dict[str, str]:
        last = await store.read_feed(self.links.query, direction="backward", limit=1)
        known = last.events[0].position if last.count else 0
        return {"known": _revision(known), "checkpointed": _revision(min(position, known))}


def _revision(count: int) -> str:
    """The last of so many; nothing where there is none."""
    return str(count - 1) if count else ""


Source = StreamSource | AllSource | LinkSource


def source_of(settings: SubscriptionSettings) -> Source:
    """Raises ``InvalidRequest`` for what is no stream's name, and for a filter that is none."""
    start = max(settings.begins_at, START)
    if settings.is_of_all:
        return AllSource(filter_of(settings.filter_options), start)
    links = link_stream_of(settings.stream)
    return StreamSource(settings.stream, start + 1) if links is None else LinkSource(links, start)


async def asked_group(
    store: EventStore, settings: SubscriptionSettings, source: Source, may_manage: Reach
) -> CreateGroup:
    """How the consumer group is to be made: without aggregate types that its maker may not manage, where a filter
    leaves others. A beginning of names such as ``order-`` may be that of streams without a category, too."""
    items = [
        replace(item, aggregate_types=tuple(filter(may_manage.covers, item.aggregate_types)) or item.aggregate_types)
        for item in source.items
    ]
    from_end = settings.start == END
    return CreateGroup(
        group=settings.group_name,
        items=tuple(items),
        start="end" if from_end else None,
        after=None if from_end else await source.first_cursor(store),
        ack_timeout_s=settings.ack_timeout_s,
        max_attempts=settings.max_attempts,
        max_in_flight=GROUP_IN_FLIGHT_MAX,
    )
