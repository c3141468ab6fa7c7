"""A subscriber whose page goes while its reader takes its time gets the same bytes as one whose page stays."""

import asyncio
from collections.abc import Sequence

import pytest

from indelible import EventQuery, NewEvent
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.cursors import Cursor, cursor_at, position_of
from indelible.limits import RENDERED_PAGES_SIZE_BYTES_MAX, STREAM_CHUNK_SIZE_BYTES_MAX
from indelible.queries import EVERYTHING
from indelible.server.http.events import render_messages
from indelible.server.streams import FollowedFeed, RenderedPages, RenderEvents
from indelible.wire.pb.event_store_pb2 import SubscribeResponse
from indelible.wire.proto_events import encode_lines

SIZES_BYTES = (10, 10, 3 * STREAM_CHUNK_SIZE_BYTES_MAX, 10, STREAM_CHUNK_SIZE_BYTES_MAX, *(200 for _ in range(300)))
NOTHING_STAYS = 0
TAGGED = EventQuery.of(tags=["odd"])


async def _fill(store: LocalEventStore) -> None:
    for number, size_bytes in enumerate(SIZES_BYTES):
        tags = ["odd"] if number % 2 else []
        await store.append("order", str(number % 7), [NewEvent("Filled", "x" * size_bytes, tags=tags)])


async def _take_all(feed: FollowedFeed) -> list[tuple[bytes, Cursor]]:
    taken = []
    while not feed.at_end or feed.has_more:
        while feed.has_more:
            data = await feed.take()
            taken.append((data, feed.cursor))
        if not feed.at_end:
            await feed.read()
    return taken


async def _taken(
    query: EventQuery, render: RenderEvents, size_bytes_max: int, take_size_bytes_max: int | None
) -> Sequence[tuple[bytes, Cursor]]:
    async with open_local_store("memory:") as store:
        await _fill(store)
        pages = RenderedPages(size_bytes_max)
        feed = FollowedFeed(store, query, None, pages, render=render, take_size_bytes_max=take_size_bytes_max)
        await feed.read()
        return await _take_all(feed)


def _lines(lines: Sequence[bytes], cursors: Sequence[Cursor] | None) -> bytes:
    """As long as the lines, without what differs from store to store: ids and hashes."""
    return b"".join(b"%d;" % len(line) + b"x" * len(line) for line in lines)


@pytest.mark.parametrize("query", [EVERYTHING, TAGGED], ids=["all", "filtered"])
async def test_pages_that_go_change_nothing_of_what_is_sent(query: EventQuery) -> None:
    chunk = STREAM_CHUNK_SIZE_BYTES_MAX
    kept = await _taken(query, _lines, RENDERED_PAGES_SIZE_BYTES_MAX, chunk)
    gone = await _taken(query, _lines, NOTHING_STAYS, chunk)
    assert b"".join(data for data, _ in gone) == b"".join(data for data, _ in kept)
    assert gone[-1][1] == kept[-1][1] == cursor_at(len(SIZES_BYTES))
    assert all(0 < len(data) <= chunk for data, _ in gone)


async def test_cursors_never_run_ahead_of_what_was_taken_whole() -> None:
    for size_bytes_max in (RENDERED_PAGES_SIZE_BYTES_MAX, NOTHING_STAYS):
        said = b""
        for data, cursor in await _taken(EVERYTHING, render_messages, size_bytes_max, 1_000):
            said += data
            assert said.count(b"\n\n") >= position_of(cursor)
        ids = [int(one.split(b"\n")[0][4:]) for one in said.split(b"\n\n")[:-1]]
        assert ids == [*range(1, len(SIZES_BYTES) + 1)]


async def test_messages_hold_whole_events_whatever_goes() -> None:
    positions = []
    for data, cursor in await _taken(EVERYTHING, encode_lines, NOTHING_STAYS, None):
        found = [event.position for event in SubscribeResponse.FromString(data).events]
        assert found[-1] == position_of(cursor)
        positions += found
        assert len(found) == 1 or len(data) <= 2 * STREAM_CHUNK_SIZE_BYTES_MAX
    assert positions == [*range(1, len(SIZES_BYTES) + 1)]


async def test_room_is_made_before_a_piece_is_there() -> None:
    sizes: list[int] = []

    async def make_room(size_bytes: int) -> None:
        sizes.append(size_bytes)
        await asyncio.sleep(0)

    async with open_local_store("memory:") as store:
        await _fill(store)
        feed = FollowedFeed(store, EVERYTHING, None, RenderedPages(), render=encode_lines, make_room=make_room)
        await feed.read()
        taken = await _take_all(feed)
    assert sizes == [len(data) for data, _ in taken]


async def test_subscribers_at_the_same_place_share_what_was_made() -> None:
    made = 0

    def render(lines: Sequence[bytes], cursors: Sequence[Cursor] | None) -> bytes:
        nonlocal made
        made += len(lines)
        return b"".join(lines)

    async with open_local_store("memory:") as store:
        await _fill(store)
        pages = RenderedPages()
        feeds = [FollowedFeed(store, EVERYTHING, None, pages, render=render) for _ in range(20)]
        for feed in feeds:
            await feed.read()
            await _take_all(feed)
    assert made == len(SIZES_BYTES)
