"""Streams of events: subscriptions, and pages without end.

A subscriber knows its place, and nothing else. What it is given comes from pages that all subscribers share and that
are bounded in bytes together; what has gone from there by the time that its reader takes more is read again. So readers
that take nothing cost no memory, however many they are, and however large their events.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from indelible.cursors import START, Cursor, cursor_behind
from indelible.errors import InvalidRequest
from indelible.eventstore import AggregatePage, FeedPage
from indelible.limits import (
    CHECKPOINT_INTERVAL_S,
    HEARTBEAT_S,
    PAGE_EVENTS_MAX,
    RENDERED_PAGES_SIZE_BYTES_MAX,
    STREAM_CHUNK_SIZE_BYTES_MAX,
    VERSION_MAX,
)
from indelible.operations import Operation
from indelible.operations.events import ReadAggregate, ReadFeed
from indelible.queries import EVERYTHING, EventQuery
from indelible.size_bounded import ENTRY_SIZE_BYTES, SizeBounded

PageT = TypeVar("PageT", AggregatePage, FeedPage)
RenderEvents = Callable[[Sequence[bytes], Sequence[Cursor] | None], bytes]
"""The lines of some events as they go over the wire, with the cursors behind them as a page has them. Rendered apart
and joined they must be the same."""


class Followed(Protocol):
    """A store, or what follows some of one. Equal ones give the same events between two cursors."""

    def follow(
        self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None, gather_s: float = 0.0
    ) -> AsyncGenerator[FeedPage]:
        """See :meth:`EventStore.follow`."""
        ...


class Piece(NamedTuple):
    """Whole events: as many as a chunk holds, at least one."""

    data: bytes
    reached: Cursor
    """Behind the last of them."""


class RenderedPages:
    """Pages as they go over the wire, of all subscribers. Events never change, so what lies between two cursors and
    matches a query is the same for all who ask the same store."""

    def __init__(self, size_bytes_max: int = RENDERED_PAGES_SIZE_BYTES_MAX) -> None:
        self._pages: Final = SizeBounded[_Key, tuple[Piece, ...]](size_bytes_max, _size_bytes)
        self.reading_again: Final = asyncio.Lock()
        """Held by the one subscriber that has its page read again: many that are slow wait for one another, and hold up
        nobody else."""

    def get(self, key: "_Key") -> tuple[Piece, ...] | None:
        return self._pages.get(key)

    def render(self, key: "_Key", page: FeedPage) -> tuple[Piece, ...]:
        pieces = self._pages.get(key)
        if pieces is None:
            pieces = tuple(_render(page, key.render))
            self._pages.keep(key, pieces)
        return pieces


class _Key(NamedTuple):
    store: Followed
    """What its caller may read; who may read the same has the same one."""
    render: RenderEvents
    query: EventQuery
    after: Cursor
    reached: Cursor


class FollowedFeed:
    """What ``store.follow`` gives, from ``after`` on. Call :meth:`read`, then :meth:`take` while it ``has_more``, and
    again. Leave it with :meth:`aclose`.

    ``take_size_bytes_max`` bounds what is taken at once; None: whole pieces. ``make_room`` is awaited before one
    is taken, with its bytes.
    """

    def __init__(
        self,
        store: Followed,
        query: EventQuery,
        after: Cursor | None,
        pages: RenderedPages,
        *,
        render: RenderEvents,
        gather_s: float = 0.0,
        take_size_bytes_max: int | None = None,
        make_room: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self._store: Final = store
        self._query: Final = query
        self._gather_s: Final = gather_s
        self._render: Final = render
        self._pages: Final = pages
        self._take_size_bytes_max: Final = take_size_bytes_max
        self._make_room: Final = make_room
        self._followed: AsyncGenerator[FeedPage] = store.follow(query, after=after, gather_s=gather_s)
        self._key = _Key(store, render, query, START, START)
        self._sizes_bytes: tuple[int, ...] = ()
        """Of the page's pieces."""
        self._piece = 0
        """Which of them is taken next, counted from 0."""
        self._taken_bytes = 0
        """What is taken of that piece."""
        self.cursor = START if after is None else after
        """Behind the last event that was taken whole, or behind all that was looked at."""
        self.at_end = False
        """Whether the page reaches to the log's end."""

    @property
    def has_more(self) -> bool:
        """Whether there is more to take of the page."""
        return self._piece < len(self._sizes_bytes)

    async def read(self) -> None:
        """Go on to the next page, once there is one. Raises what ``follow`` raises."""
        self._begin(await anext(self._followed))

    def _begin(self, page: FeedPage) -> tuple[Piece, ...]:
        self._key = _Key(self._store, self._render, self._query, self.cursor, page.cursor)
        self.at_end = page.at_end
        pieces = self._pages.render(self._key, page) if page.count else ()
        self._sizes_bytes = tuple(len(piece.data) for piece in pieces)
        self._piece, self._taken_bytes = 0, 0
        if not pieces:
            self.cursor = page.cursor
        return pieces

    async def take(self) -> bytes:
        """What comes next of the page."""
        if self._make_room is not None:
            await self._make_room(self._sizes_bytes[self._piece])
        pieces = self._pages.get(self._key) or await self._read_again()
        data, reached = pieces[self._piece]
        start = self._taken_bytes
        end = len(data) if self._take_size_bytes_max is None else min(start + self._take_size_bytes_max, len(data))
        self._taken_bytes = end
        if end == len(data):
            self._pass_over(reached)
        return data[start:end]

    def _pass_over(self, reached: Cursor) -> None:
        self._piece, self._taken_bytes = self._piece + 1, 0
        self.cursor = reached if self.has_more else self._key.reached

    async def _read_again(self) -> tuple[Piece, ...]:
        """Find the place again. Pages may be cut otherwise by now; the bytes of their events are the same."""
        left_bytes = self._taken_bytes
        async with self._pages.reading_again:
            await self._followed.aclose()
            self._followed = self._store.follow(self._query, after=self.cursor, gather_s=self._gather_s)
            while True:
                pieces = self._begin(await anext(self._followed))
                for data, reached in pieces:
                    if left_bytes < len(data):
                        self._taken_bytes = left_bytes
                        return pieces
                    left_bytes -= len(data)
                    self._pass_over(reached)

    async def aclose(self) -> None:
        await self._followed.aclose()


# --- Rendering -------------------------------------------------------------------------------------------------------


def _render(page: FeedPage, render: RenderEvents) -> Iterator[Piece]:
    end = 0
    for some in _cut(page.lines.split(b"\n")):
        first, end = end, end + len(some)
        cursors = None if page.cursors is None else page.cursors[first:end]
        yield Piece(render(some, cursors), cursors[-1] if cursors else cursor_behind(some[-1]))


def _cut(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    size_bytes = 0
    for line in lines:
        size_bytes += len(line)
        if some and size_bytes > STREAM_CHUNK_SIZE_BYTES_MAX:
            yield some
            some, size_bytes = [], len(line)
        some.append(line)
    yield some


def _size_bytes(pieces: tuple[Piece, ...]) -> int:
    return sum(len(piece.data) + ENTRY_SIZE_BYTES for piece in pieces)


# --- What a subscriber is told, and when -----------------------------------------------------------------------------


class StreamMessage(NamedTuple):
    """What is worth a message: events, or that the end of the log is reached, or how far reading has come."""

    data: bytes
    """Events, or a part of one, as they go over the wire; empty when there are none."""
    cursor: Cursor
    """Behind the last event that is told whole by now."""
    at_end: bool
    """Whether nothing more is there yet."""
    has_caught_up: bool
    """Whether that was not so before."""


async def stream_messages(feed: FollowedFeed, stopping: asyncio.Event) -> AsyncGenerator[StreamMessage | None]:
    """What is to be said until the caller leaves or the server stops; None when there was nothing to say for
    ``HEARTBEAT_S``. Begins with the page that ``feed`` has read. The next is read once the last is taken, so a caller
    that takes nothing costs no more than its connection."""
    progress = _Progress()
    stop = asyncio.create_task(stopping.wait())
    following: asyncio.Task[None] | None = None
    try:
        # Also shows at once that the subscription stands, however long the first event is away.
        yield await progress.next(feed)
        while True:
            # Nothing of what is said is kept in a variable: its taker may take its time.
            while feed.has_more:
                yield await progress.next(feed)
            if stop.done():
                return
            following = following or asyncio.create_task(feed.read())
            await asyncio.wait((following, stop), timeout=progress.wait_s, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
                following = None
                if progress.has_to_say(feed):
                    yield await progress.next(feed)
            elif not stop.done():
                yield await progress.next(feed) if progress.is_behind else None
    finally:
        stop.cancel()
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        await feed.aclose()


class _Progress:
    def __init__(self) -> None:
        self._is_caught_up = False
        self._said_at = time.monotonic()
        self.is_behind = False
        """Whether reading has come further than was said."""

    @property
    def wait_s(self) -> float:
        """How long nothing need be said."""
        if not self.is_behind:
            return HEARTBEAT_S
        return max(self._said_at + CHECKPOINT_INTERVAL_S - time.monotonic(), 0)

    def has_to_say(self, feed: FollowedFeed) -> bool:
        """Whether a page that was just read is worth a message."""
        has_caught_up = feed.at_end and not self._is_caught_up
        is_checkpoint_due = time.monotonic() >= self._said_at + CHECKPOINT_INTERVAL_S
        if feed.has_more or has_caught_up or is_checkpoint_due:
            return True
        self._is_caught_up = feed.at_end
        self.is_behind = True
        return False

    async def next(self, feed: FollowedFeed) -> StreamMessage:
        data = await feed.take() if feed.has_more else b""
        self._said_at = time.monotonic()
        self.is_behind = False
        at_end = feed.at_end and not feed.has_more
        has_caught_up = at_end and not self._is_caught_up
        self._is_caught_up = at_end
        return StreamMessage(data, feed.cursor, at_end, has_caught_up)


# --- Pages without end -----------------------------------------------------------------------------------------------


class Budget:
    """How many events a stream may still hold."""

    def __init__(self, limit: int | None) -> None:
        if limit is not None and not 1 <= limit <= VERSION_MAX:
            raise InvalidRequest(f"must be from 1 to {VERSION_MAX}", pointer="/limit")
        self._left = limit

    @property
    def page_limit(self) -> int:
        return PAGE_EVENTS_MAX if self._left is None else min(PAGE_EVENTS_MAX, self._left)

    def spend(self, count: int) -> bool:
        """Whether nothing is left after ``count`` more events."""
        if self._left is None:
            return False
        self._left -= count
        return self._left <= 0


async def read_pages(
    operation: Operation[Any, PageT], store: Any, asked: ReadAggregate | ReadFeed, *, pages_max: int | None = None
) -> AsyncGenerator[PageT]:
    """All that is asked for, without a page limit; or that of the first ``pages_max`` pages."""
    budget = Budget(asked.limit)
    if pages_max is not None and pages_max < 1:
        raise InvalidRequest("must be at least 1", pointer="/pages_max")
    following: ReadAggregate | ReadFeed | None = asked
    pages = 0
    while following is not None:
        page: PageT = await operation.ask(store, msgspec.structs.replace(following, limit=budget.page_limit))
        count = page.count
        following = following.following(page)  # type: ignore[arg-type]  # the page is of its own operation
        given = [page]
        del page  # whoever gets it may have to wait with what it made of it
        yield given.pop()
        pages += 1
        if budget.spend(count) or pages == pages_max:
            return
