"""Read: the events of a stream, or of $all, forwards or backwards. With a subscription they go on: see there."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Final

from indelible.errors import InvalidRequest
from indelible.events import RecordedEvent
from indelible.eventstore import EventStore
from indelible.limits import PAGE_EVENTS_MAX, VERSION_MAX
from indelible.operations.events import READ_FEED, ReadFeed, query_fields
from indelible.queries import Direction, EventQuery
from indelible.server.call import Call
from indelible.server.esdb import answers
from indelible.server.esdb.filters import filter_of
from indelible.server.esdb.links import LinkStream, Resolved, link_stream_of, resolved
from indelible.server.esdb.read_pages import OfAggregate, OfFeed, Source, read_events
from indelible.server.esdb.stream_metadata import is_deleted, last_event, metadata_shown, shown_of
from indelible.server.esdb.subscriptions import subscribe
from indelible.server.grpc.calls import MakeRoom
from indelible.wire.esdb.messages import stream_name
from indelible.wire.esdb.pb import streams_pb2 as pb
from indelible.wire.esdb.stream_names import aggregate_of

_END: Final = 2**63
"""Revisions and positions from here on stand for the end."""
_NOTHING: Final[Mapping[int, bytes]] = MappingProxyType({})


def read(call: Call, request: pb.ReadReq, make_room: MakeRoom) -> AsyncGenerator[bytes]:
    options = request.options
    which = options.WhichOneof("stream_option")
    if which is None:
        raise InvalidRequest("must have stream or all", pointer="/options/stream_option")
    match options.WhichOneof("count_option"):
        case "count":
            asked = Asked(call, options)
            return asked.all_streams() if which == "all" else asked.stream()
        case "subscription":
            return subscribe(call, request, make_room)
        case _:
            raise InvalidRequest("must have count or subscription", pointer="/options/count_option")


class Asked:
    """What a read asks for that is no subscription, and its answers."""

    def __init__(self, call: Call, options: pb.ReadReq.Options) -> None:
        self._call: Final = call
        self._store: Final = call.store
        self._options: Final = options
        self._is_forward: Final = options.read_direction == pb.ReadReq.Forwards
        self._direction: Final[Direction] = "forward" if self._is_forward else "backward"
        self._structured: Final = options.uuid_option.HasField("structured")
        self._hears_ends: Final = options.control_option.compatibility >= 1
        """Whether the client knows the messages that say where a stream begins and ends."""

    # --- A stream ----------------------------------------------------------------------------------------------------

    def stream(self) -> AsyncGenerator[bytes]:
        if self._options.HasField("filter"):
            raise InvalidRequest("only reads of $all have a filter", pointer="/options/filter")
        stream = stream_name(self._options.stream.stream_identifier)
        links = link_stream_of(stream)
        return self._one_stream(stream) if links is None else self._links(links)

    async def _one_stream(self, stream: str) -> AsyncGenerator[bytes]:
        key = aggregate_of(stream)
        newest = await last_event(self._store, key)
        last = 0 if newest is None else newest.version
        first = await _first_shown(self._store, stream, last)
        if not last or (first > last and await is_deleted(self._store, stream)):
            yield answers.stream_not_found(stream)
            return
        start = self._version(last)
        if self._hears_ends and self._is_forward and start < first:
            yield answers.first_stream_position(first - 1)
        source = OfAggregate(self._store, key, first, last, self._direction)
        shown = None if newest is None else await metadata_shown(self._store, newest)
        start = max(start, first) if self._is_forward else start
        instead = {} if shown is None else {last: shown}
        del newest
        async with aclosing(self._events(source, start, _any, instead)) as messages:
            async for message in messages:
                yield message
                del message
        if self._hears_ends:
            yield answers.last_stream_position(last - 1)

    def _version(self, last: int) -> int:
        """The first that is wanted."""
        revision = _place(self._options.stream, "revision_option", self._options.stream.revision)
        if revision is None:
            return last + self._is_forward
        return revision + 1 if self._is_forward else min(revision + 1, last)

    # --- $all --------------------------------------------------------------------------------------------------------

    async def all_streams(self) -> AsyncGenerator[bytes]:
        chosen = filter_of(self._options.filter if self._options.HasField("filter") else None)
        last = (await self._store.head()).position
        place = _place(self._options.all, "all_option", self._options.all.position.commit_position)
        if place is None:
            start = last + self._is_forward
        else:
            # The event at the place itself is read forwards, and not backwards.
            start = max(place, 1) if self._is_forward else min(place - 1, last)
        query = chosen.query_for(self._call.principal)
        self._tell_export(query)
        source = OfFeed(self._store, query, last, self._direction)
        async with aclosing(self._events(source, start, chosen.matches)) as messages:
            async for message in messages:
                yield message
                del message
        if self._hears_ends:
            yield answers.last_all_stream_position(last)

    async def _events(
        self,
        source: Source,
        start: int,
        is_wanted: Callable[[RecordedEvent], bool],
        instead: Mapping[int, bytes] = _NOTHING,
    ) -> AsyncGenerator[bytes]:
        """``instead``: what is given in place of data, by version."""
        async with aclosing(read_events(source, start, self._options.count, is_wanted)) as events:
            async for event in events:
                found = await resolved(self._store, event) if self._options.resolve_links else Resolved(event)
                data = instead.get(event.version)
                message = answers.event_read(found, structured=self._structured, data=data)
                del event, found
                yield message
                del message

    # --- Links that are not stored -----------------------------------------------------------------------------------

    async def _links(self, links: LinkStream) -> AsyncGenerator[bytes]:
        head = (await self._store.head()).position
        last = await self._last_position(links, head)
        if not last:
            yield answers.stream_not_found(links.name)
            return
        self._tell_export(links.query)
        source = OfFeed(self._store, links.query, last, self._direction)
        # A link's revision is the event's position less one: a version's place is a position's.
        async with aclosing(read_events(source, self._version(last), self._options.count, links.has)) as events:
            async for event in events:
                message = answers.link_read(
                    links, event, resolve_links=self._options.resolve_links, structured=self._structured
                )
                del event
                yield message
                del message
        if self._hears_ends:
            yield answers.last_stream_position(last - 1)

    async def _last_position(self, links: LinkStream, head: int) -> int:
        """0 where there is none."""
        source = OfFeed(self._store, links.query, head, "backward")
        async with aclosing(read_events(source, head, 1, links.has)) as events:
            async for event in events:
                return event.position
        return 0

    def _tell_export(self, query: EventQuery) -> None:
        """A client that looks where $all ends, or at one page of it, takes nothing away."""
        if self._options.count > PAGE_EVENTS_MAX:
            limit = min(self._options.count, VERSION_MAX)
            self._call.tell_export(READ_FEED, ReadFeed(direction=self._direction, limit=limit, **query_fields(query)))


def _place(options: pb.ReadReq.StreamOptions | pb.ReadReq.AllOptions, oneof: str, number: int) -> int | None:
    """Where reading begins: a revision, or a position; None for the end. ``number``: what the options say of it."""
    which = options.WhichOneof(oneof)
    if which is None:
        raise InvalidRequest("must say where to begin", pointer=f"/options/{oneof}")
    if which == "start":
        return 0
    return None if which == "end" or number >= _END else number


def _any(_: RecordedEvent) -> bool:
    return True


async def _first_shown(store: EventStore, stream: str, last: int) -> int:
    """The first version that the stream's metadata does not hide; above the last where it hides all."""
    if not last:
        return 1
    shown = await shown_of(store, stream, last)
    if shown.since is None:
        return shown.from_version
    key = aggregate_of(stream)
    low, high = shown.from_version, last + 1
    # Timestamps grow with versions.
    while low < high:
        middle = (low + high) // 2
        page = await store.read_aggregate(key.aggregate_type, key.aggregate_id, from_version=middle, limit=1)
        if shown.has(page.events[0]):
            high = middle
        else:
            low = middle + 1
    return low
