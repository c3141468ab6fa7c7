"""A stream that is followed: nothing is missed and nothing comes twice, wherever it goes over to the feed, and whether
or not its pages are still there when their reader takes them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import pytest

from indelible import NewEvent
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.events import AggregateKey
from indelible.eventstore import EventStore, Head
from indelible.limits import RENDERED_PAGES_SIZE_BYTES_MAX, STREAM_CHUNK_SIZE_BYTES_MAX, SUBSCRIPTION_PAGE_EVENTS_MAX
from indelible.queries import EVERYTHING
from indelible.server.esdb.filters import filter_of
from indelible.server.esdb.followed_stream import FollowedStream, behind_version
from indelible.server.esdb.rendering import MESSAGE, PASSED, Frame, Rendering, frames_of
from indelible.server.esdb.stream_metadata import Shown
from indelible.server.reader_room import LARGE_BYTES
from indelible.server.streams import FollowedFeed, RenderedPages
from indelible.wire.esdb.pb import shared_pb2
from indelible.wire.esdb.pb import streams_pb2 as pb

KEY = AggregateKey("order", "1")
OTHER = AggregateKey("order", "2")
NOTHING_STAYS = 0


@pytest.fixture
async def store() -> AsyncGenerator[LocalEventStore]:
    async with open_local_store("memory:") as store:
        yield store


async def append(store: LocalEventStore, key: AggregateKey, count: int, data: object = 1) -> None:
    await store.append(key.aggregate_type, key.aggregate_id, [NewEvent("Filled", data) for _ in range(count)])


def feed_of(store: LocalEventStore, seen: int, size_bytes_max: int, from_version: int = 1) -> FollowedFeed:
    stream = FollowedStream(store, KEY)
    rendering = Rendering(Shown(from_version), structured=False, resolve_links=False)
    return FollowedFeed(stream, stream.query, behind_version(seen), RenderedPages(size_bytes_max), render=rendering)


async def frames_until_end(feed: FollowedFeed) -> list[Frame]:
    found: list[Frame] = []
    await feed.read()
    while feed.has_more or not feed.at_end:
        if feed.has_more:
            found += frames_of(await feed.take())
        else:
            await feed.read()
    return found


@pytest.mark.parametrize("size_bytes_max", [RENDERED_PAGES_SIZE_BYTES_MAX, NOTHING_STAYS])
@pytest.mark.parametrize("seen", [0, 1, SUBSCRIPTION_PAGE_EVENTS_MAX, 290, 300, 400])
async def test_all_behind_what_was_seen_is_given(store: LocalEventStore, seen: int, size_bytes_max: int) -> None:
    for _ in range(30):
        await append(store, KEY, 9)
        await append(store, OTHER, 3)
        await append(store, KEY, 1, "x" * 2_000)
    feed = feed_of(store, seen, size_bytes_max)
    assert [frame.place for frame in await frames_until_end(feed)] == [*range(seen, 300)]
    await append(store, OTHER, 2)
    await append(store, KEY, 140)
    assert [frame.place for frame in await frames_until_end(feed)] == [*range(300, 440)]
    await feed.aclose()


@pytest.mark.parametrize("size_bytes_max", [RENDERED_PAGES_SIZE_BYTES_MAX, NOTHING_STAYS])
async def test_what_comes_while_it_is_read_comes_once(store: LocalEventStore, size_bytes_max: int) -> None:
    await append(store, KEY, 200)
    feed = feed_of(store, 0, size_bytes_max)
    places: list[int] = []
    for _ in range(6):
        await append(store, KEY, 100)
        await append(store, OTHER, 1)
        await feed.read()
        while feed.has_more:
            places += [frame.place for frame in frames_of(await feed.take())]
    places += [frame.place for frame in await frames_until_end(feed)]
    await feed.aclose()
    assert places == [*range(800)]


class _Busy:
    """A store to which something comes whenever its head was looked up."""

    def __init__(self, store: LocalEventStore) -> None:
        self._store = store

    async def head(self) -> Head:
        head = await self._store.head()
        await append(self._store, KEY, 2)
        return head

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_a_page_ends_at_the_head_that_was_looked_up(store: LocalEventStore) -> None:
    await append(store, KEY, 3)
    stream = FollowedStream(cast("EventStore", _Busy(store)), KEY)
    async with aclosing(stream.follow(stream.query, after=behind_version(0))) as pages:
        there, come = await anext(pages), await anext(pages)
    assert [event.version for event in there.events] == [1, 2, 3]
    assert [event.version for event in come.events] == [4, 5]
    assert (there.at_end, come.at_end) == (False, True)


async def test_a_stream_that_only_looks_the_same_is_another(store: LocalEventStore) -> None:
    await append(store, KEY, 1)
    feed = feed_of(store, 1, RENDERED_PAGES_SIZE_BYTES_MAX)
    await frames_until_end(feed)
    # Whose event says, in its data, what stands in the lines of the other.
    await append(store, OTHER, 1, {"aggregate_type": KEY.aggregate_type, "aggregate_id": KEY.aggregate_id})
    assert await frames_until_end(feed) == []
    await feed.aclose()


async def test_events_before_the_first_to_be_shown_are_passed(store: LocalEventStore) -> None:
    feed = feed_of(store, 2, RENDERED_PAGES_SIZE_BYTES_MAX, from_version=4)
    await append(store, KEY, 5)
    frames = await frames_until_end(feed)
    assert [(frame.place, frame.kind) for frame in frames] == [(2, PASSED), (3, MESSAGE), (4, MESSAGE)]
    await feed.aclose()


async def test_no_room_is_asked_for_what_is_not_shown(store: LocalEventStore) -> None:
    """It would be held until the next message, however long that is away."""
    sizes: list[int] = []

    async def make_room(size_bytes: int) -> None:
        sizes.append(size_bytes)

    await append(store, KEY, 3, "x" * LARGE_BYTES)
    await store.append(OTHER.aggregate_type, OTHER.aggregate_id, NewEvent("Wanted", "x" * LARGE_BYTES))
    options = shared_pb2.FilterOptions()
    options.event_type.regex = "^Wanted$"
    rendering = Rendering(filter_of(options), structured=False, resolve_links=False)
    feed = FollowedFeed(store, EVERYTHING, None, RenderedPages(), render=rendering, make_room=make_room)
    frames = await frames_until_end(feed)
    await feed.aclose()
    message = pb.ReadResp.FromString(frames[-1].content)
    assert message.event.event.commit_position == frames[-1].place == 4
    assert len(message.event.event.data) > LARGE_BYTES
    assert [size > STREAM_CHUNK_SIZE_BYTES_MAX for size in sizes] == [False] * (len(sizes) - 1) + [True]
