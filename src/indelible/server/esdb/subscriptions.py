"""Read with a subscription: the events of a stream or of $all, those that are there and those that come.

A subscription is one loop over what the store follows, beginning behind the place that the caller names. What callers
take comes from pages that all subscriptions share: see :mod:`indelible.server.streams`. So one that takes nothing costs
no more than its place, and a few KiB that are on their way.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Final, NamedTuple
from uuid import uuid4

from indelible.cursors import Cursor, cursor_at, position_of
from indelible.errors import InvalidRequest, ShuttingDown
from indelible.events import decode_events
from indelible.eventstore import EventStore
from indelible.limits import ESDB_FILTER_WINDOW_DEFAULT, RETRY_AFTER_S, VERSION_MAX
from indelible.operations.events import SUBSCRIBE, Subscribe, query_fields
from indelible.queries import EVERYTHING, EventQuery
from indelible.server.call import Call
from indelible.server.esdb import answers
from indelible.server.esdb.filters import EventFilter, filter_of
from indelible.server.esdb.followed_stream import FollowedStream, behind_version
from indelible.server.esdb.links import LinkStream, link_stream_of, resolved
from indelible.server.esdb.rendering import LINK, PASSED, Rendering, frames_of
from indelible.server.esdb.store_access import store_to_follow
from indelible.server.esdb.stream_metadata import ALL_SHOWN, Shown, shown_of, version_of
from indelible.server.grpc.calls import MakeRoom
from indelible.server.streams import Followed, FollowedFeed, stream_messages
from indelible.wire.esdb.messages import stream_name
from indelible.wire.esdb.pb import shared_pb2
from indelible.wire.esdb.pb import streams_pb2 as pb
from indelible.wire.esdb.stream_names import aggregate_of

_END: Final = 2**63
"""Revisions and positions from here on stand for the end."""


async def subscribe(call: Call, request: pb.ReadReq, make_room: MakeRoom) -> AsyncGenerator[bytes]:
    """The confirmation, and then events and what is said of them, until the caller leaves or the server stops."""
    source = await _source_of(call, request.options)
    feed = FollowedFeed(
        source.followed, source.query, source.after, call.rendered_pages, render=source.rendering, make_room=make_room
    )
    with call.subscribed():
        async with aclosing(feed):
            await feed.read()
            yield _confirmation()
            async with aclosing(_told(call, feed, source)) as messages:
                async for message in messages:
                    yield message
                    del message  # the next may be long in coming
    raise ShuttingDown("the server stops; subscribe again after the last event", retry_after_s=RETRY_AFTER_S)


async def _told(call: Call, feed: FollowedFeed, source: "Source") -> AsyncGenerator[bytes]:
    progress = source.progress
    async with aclosing(stream_messages(feed, call.stopping)) as pieces:
        async for piece in pieces:
            if piece is None:
                continue  # pings keep the connection
            frames, cursor, has_caught_up = frames_of(piece.data), piece.cursor, piece.has_caught_up
            del piece
            while frames:
                place, kind, content = frames.popleft()
                if kind == LINK:
                    content = await _resolved(call.store, content, source.rendering)
                if kind != PASSED:
                    yield content
                del content
                for said in progress.passed(place):
                    yield said
            for said in progress.reached(cursor, has_caught_up=has_caught_up):
                yield said


async def _resolved(store: EventStore, line: bytes, rendering: Rendering) -> bytes:
    (link,) = decode_events(line)
    return answers.event_read(await resolved(store, link), structured=rendering.structured)


# --- What is asked for -----------------------------------------------------------------------------------------------


class Source(NamedTuple):
    """What is followed, from where on, and how it is told."""

    followed: Followed
    query: EventQuery
    after: Cursor
    rendering: Rendering
    progress: "StreamProgress | AllProgress"


async def _source_of(call: Call, options: pb.ReadReq.Options) -> Source:
    if options.read_direction != pb.ReadReq.Forwards:
        raise InvalidRequest("a subscription reads forwards", pointer="/options/read_direction")
    return await (_all if options.HasField("all") else _stream)(call, options)


async def _stream(call: Call, options: pb.ReadReq.Options) -> Source:
    if options.HasField("filter"):
        raise InvalidRequest("only subscriptions to $all have a filter", pointer="/options/filter")
    stream = stream_name(options.stream.stream_identifier)
    links = link_stream_of(stream)
    if links is not None:
        return await _links(call, options, links)
    key = aggregate_of(stream)
    followed = FollowedStream(store_to_follow(call.store, key), key)
    # The head before the version: what comes between the two is not missed.
    head = await followed.store.head()
    version = await version_of(followed.store, key)
    seen = _start_of(options.stream)
    if seen is None:
        after, shown = head.cursor, ALL_SHOWN
    else:
        shown = await shown_of(call.store, stream, version)
        from_version = min(max(shown.from_version, seen + 1), VERSION_MAX)
        after, shown = behind_version(from_version - 1), Shown(from_version, shown.since)
    return Source(followed, followed.query, after, _rendering(options, shown), StreamProgress(version))


async def _links(call: Call, options: pb.ReadReq.Options, links: LinkStream) -> Source:
    """Of which the revisions are positions less one: who has seen so many events has come to this position."""
    seen = _start_of(options.stream)
    after = (await call.store.head()).cursor if seen is None else cursor_at(seen)
    call.tell_export(SUBSCRIBE, Subscribe(after=after, **query_fields(links.query)))
    return Source(call.store, links.query, after, _rendering(options, links), StreamProgress())


async def _all(call: Call, options: pb.ReadReq.Options) -> Source:
    chosen = filter_of(options.filter) if options.HasField("filter") else None
    query = EVERYTHING if chosen is None else chosen.query_for(call.principal)
    position = _start_of(options.all)
    after = (await call.store.head()).cursor if position is None else cursor_at(position)
    call.tell_export(SUBSCRIBE, Subscribe(after=after, **query_fields(query)))
    progress = AllProgress(after, None if chosen is None else _checkpoint_interval(options.filter))
    return Source(call.store, query, after, _rendering(options, chosen), progress)


def _start_of(options: pb.ReadReq.StreamOptions | pb.ReadReq.AllOptions) -> int | None:
    """How many events, or which position, the caller has seen; None for all that there are."""
    if isinstance(options, pb.ReadReq.StreamOptions):
        which, seen = options.WhichOneof("revision_option"), options.revision + 1
    else:
        which, seen = options.WhichOneof("all_option"), options.position.commit_position
    if which is None:
        raise InvalidRequest("must say where to begin", pointer="/options")
    if which == "start":
        return 0
    return None if which == "end" or seen >= _END else min(seen, VERSION_MAX - 1)


def _rendering(options: pb.ReadReq.Options, select: EventFilter | Shown | LinkStream | None) -> Rendering:
    return Rendering(select, options.uuid_option.HasField("structured"), options.resolve_links)


# --- What is said beside events --------------------------------------------------------------------------------------


class StreamProgress:
    """Of one stream, which has so many events already, as far as is known."""

    def __init__(self, version: int = 0) -> None:
        self._revision = version - 1
        self._has_caught_up = False

    def passed(self, revision: int) -> Iterator[bytes]:
        self._revision = max(self._revision, revision)
        yield from ()

    def reached(self, _: Cursor, *, has_caught_up: bool) -> Iterator[bytes]:
        """Once only that all is told: these clients are never told that they have fallen behind."""
        if has_caught_up and not self._has_caught_up:
            self._has_caught_up = True
            yield _caught_up(revision=self._revision)


class AllProgress:
    """Of $all. With an interval there is a checkpoint whenever so many events were looked at, and once at the end:
    positions have no gaps."""

    def __init__(self, after: Cursor, interval: int | None) -> None:
        self._interval: Final = interval
        self._told = position_of(after)
        """The last checkpoint."""
        self._has_caught_up = False

    def passed(self, position: int) -> Iterator[bytes]:
        if self._interval is not None and position - self._told >= self._interval:
            self._told = position
            yield _checkpoint(position)

    def reached(self, cursor: Cursor, *, has_caught_up: bool) -> Iterator[bytes]:
        position = position_of(cursor)
        yield from self.passed(position)
        if has_caught_up and not self._has_caught_up:
            self._has_caught_up = True
            if self._interval is not None and position > self._told:
                self._told = position
                yield _checkpoint(position)
            yield _caught_up(position=position)


def _checkpoint_interval(options: shared_pb2.FilterOptions) -> int:
    window = options.max if options.WhichOneof("window") == "max" else ESDB_FILTER_WINDOW_DEFAULT
    return max(window, 1) * max(options.checkpointIntervalMultiplier, 1)


def _confirmation() -> bytes:
    message = pb.ReadResp()
    message.confirmation.subscription_id = str(uuid4())
    return message.SerializeToString()


def _checkpoint(position: int) -> bytes:
    message = pb.ReadResp()
    message.checkpoint.commit_position = message.checkpoint.prepare_position = position
    message.checkpoint.timestamp.GetCurrentTime()
    return message.SerializeToString()


def _caught_up(*, revision: int = -1, position: int | None = None) -> bytes:
    """A stream that has no events has no last revision."""
    message = pb.ReadResp()
    message.caught_up.timestamp.GetCurrentTime()
    if revision >= 0:
        message.caught_up.stream_revision = revision
    if position is not None:
        place = message.caught_up.position
        place.commit_position = place.prepare_position = position
    return message.SerializeToString()
