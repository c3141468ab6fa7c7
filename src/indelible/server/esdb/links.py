"""Links: events of the type ``$>`` that stand for another, which their data names as ``revision@stream``.

Clients write some into streams of their own. Those of a category and of an event type are not stored: the streams
``$ce-CATEGORY`` and ``$et-EVENTTYPE`` are what the feed has of that aggregate type or event type. A link's revision
there is the event's position less one, so revisions have gaps. As in $all, what a stream's metadata hides is there.
"""

from typing import Final, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from indelible.errors import AggregateNotFound, Forbidden, InvalidRequest
from indelible.events import BINARY_CONTENT_TYPE, RecordedEvent
from indelible.eventstore import EventStore
from indelible.limits import VERSION_MAX
from indelible.queries import EventQuery
from indelible.server.esdb.stream_metadata import shown_of
from indelible.wire.esdb.messages import fill_event, fill_id, has_stream
from indelible.wire.esdb.pb import shared_pb2 as pb
from indelible.wire.esdb.stream_names import aggregate_of, category_of, stream_of

LINK_TYPE: Final = "$>"
_CATEGORY_PREFIX: Final = "$ce-"
_EVENT_TYPE_PREFIX: Final = "$et-"


class Resolved(NamedTuple):
    """An event, or what a link stands for and the link. None where the link's event is gone: the link comes alone."""

    event: RecordedEvent | None
    link: RecordedEvent | None = None

    @property
    def original(self) -> RecordedEvent:
        """What was read: the link, where there is one."""
        original = self.link or self.event
        assert original is not None
        return original


# --- Links that are stored -------------------------------------------------------------------------------------------


async def resolved(store: EventStore, event: RecordedEvent) -> Resolved:
    """What the event stands for. An event is gone for its reader where the reader may not read it, too."""
    if event.event_type != LINK_TYPE:
        return Resolved(event)
    try:
        return Resolved(await _event_of(store, event), event)
    except (InvalidRequest, AggregateNotFound, Forbidden):
        return Resolved(None, event)


async def _event_of(store: EventStore, link: RecordedEvent) -> RecordedEvent | None:
    try:
        revision, _, stream = link.event_data_bytes.decode().partition("@")
        version = int(revision) + 1
    except ValueError:
        return None
    if not 0 < version <= VERSION_MAX:
        return None
    key = aggregate_of(stream)
    page = await store.read_aggregate(
        key.aggregate_type, key.aggregate_id, from_version=version, to_version=version, limit=1
    )
    if not page.count:
        return None
    event = page.events[0]
    shown = await shown_of(store, stream, page.version)
    return event if has_stream(event) and shown.has(event) else None


# --- Links that are not stored ---------------------------------------------------------------------------------------


class LinkStream(NamedTuple):
    """A stream of links to all events of a category, or of an event type."""

    name: str
    query: EventQuery

    def has(self, event: RecordedEvent) -> bool:
        """Of those that match the query."""
        if not has_stream(event):
            return False
        is_of_type = self.name.startswith(_EVENT_TYPE_PREFIX)
        stream = stream_of(event.aggregate_type, event.aggregate_id)
        return is_of_type or category_of(stream) == self.name.removeprefix(_CATEGORY_PREFIX)

    def fill_link(self, message: pb.RecordedEvent, event: RecordedEvent, *, structured: bool) -> None:
        """The link to this event, which is the same whenever it is read."""
        fill_event(message, event, structured=structured)
        fill_id(message.id, uuid5(NAMESPACE_URL, f"{self.name}/{event.event_id}"), structured=structured)
        message.stream_identifier.stream_name = self.name.encode()
        message.stream_revision = event.position - 1
        message.metadata["type"] = LINK_TYPE
        message.metadata["content-type"] = BINARY_CONTENT_TYPE
        message.custom_metadata = b""
        message.data = f"{event.version - 1}@{stream_of(event.aggregate_type, event.aggregate_id)}".encode()


def link_stream_of(stream: str) -> LinkStream | None:
    """None for all other streams."""
    try:
        if category := _behind(stream, _CATEGORY_PREFIX):
            return LinkStream(stream, EventQuery.of(aggregate_types=[category]))
        if event_type := _behind(stream, _EVENT_TYPE_PREFIX):
            return LinkStream(stream, EventQuery.of(event_types=[event_type]))
    except InvalidRequest:
        pass  # no events can be of it
    return None


def _behind(stream: str, prefix: str) -> str:
    return stream.removeprefix(prefix) if stream.startswith(prefix) else ""
