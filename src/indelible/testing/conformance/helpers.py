"""What the suites share: names that nobody used before, and readers that check each page as they go."""

from collections.abc import Awaitable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar
from uuid import UUID, uuid4

import pytest

from indelible.core.open import make_engines
from indelible.cursors import START, Cursor, cursor_at, position_of
from indelible.engines.engine import Engine
from indelible.errors import IndelibleError, InvalidRequest, VersionConflict
from indelible.events import NewEvent, RecordedEvent
from indelible.eventstore import AggregateAppend, AppendResult, EventStore, FeedPage
from indelible.limits import PAGE_EVENTS_DEFAULT, VERSION_MAX
from indelible.queries import EVERYTHING, Direction, EventQuery

ODD_NAMES = (
    "with space", " lead and trail ", "a/b", "/", ".", "..", "../x", "a?b=c&d#e", "%2F", "100%", "a+b", 'quote"d',
    "it's", "back\\slash", "{}", "[0]", "semi;colon", "comma,", "*", "_", "%_", "NULL", "0", "1e5", "ünïcödé",
    "日本語", "e\u0301", "\u00e9", "👩‍👩‍👧", "\u2028", "\ufeff", "\u200b", "\U0010ffff", "Σ", "ß", "\u0130",
)  # fmt: skip
"""Names that are allowed, and that careless quoting, splitting, folding or normalising would break."""

E = TypeVar("E", bound=IndelibleError)


class OpenStore(Protocol):
    """Opens one and the same storage each time it is called; the context closes it."""

    def __call__(self) -> AbstractAsyncContextManager[EventStore]: ...


class _HasId(Protocol):
    @property
    def event_id(self) -> UUID: ...


def unique(prefix: str = "t") -> str:
    """A name that no store has seen."""
    return f"{prefix}_{uuid4().hex}"


def some_events(count: int, event_type: str = "Happened", **fields: Any) -> list[NewEvent]:
    return [NewEvent(event_type, {"n": n}, **fields) for n in range(1, count + 1)]


def ids(events: Iterable[_HasId]) -> list[UUID]:
    return [event.event_id for event in events]


async def append_noise(store: EventStore, count: int = 3) -> AppendResult:
    """Put events into an aggregate of their own, so that what follows is mid-log."""
    return await store.append(unique("Noise"), unique(), some_events(count))


async def refused(kind: type[E], call: Awaitable[object], **fields: object) -> E:
    """The error that a call raises; its fields hold exactly the given values."""
    with pytest.raises(kind) as caught:
        await call
    error = caught.value
    assert type(error) is kind
    assert error.message
    assert error.fields == fields
    return error


async def read_feed_to_end(
    store: EventStore,
    query: EventQuery = EVERYTHING,
    *,
    after: Cursor | None = None,
    direction: Direction = "forward",
    limit: int = PAGE_EVENTS_DEFAULT,
) -> list[RecordedEvent]:
    """Every event from a cursor on, page by page."""
    found: list[RecordedEvent] = []
    partitions = (await store.head()).partitions
    while True:
        page = await store.read_feed(query, after=after, direction=direction, limit=limit)
        events = check_feed_page(page, after, direction, limit, partitions)
        found += events
        if page.at_end:
            return found
        assert page.cursor != after, "a page that is not the last must come further"
        after = page.cursor


def check_feed_page(
    page: FeedPage, after: Cursor | None, direction: Direction, limit: int, partitions: int
) -> list[RecordedEvent]:
    """The page's events, after checking what holds for every page."""
    events = list(page.events)
    assert page.count == len(events) <= limit
    if partitions > 1:
        check_each_order(events if direction == "forward" else events[::-1])
        return events
    positions = [event.position for event in events]
    assert positions == sorted(set(positions), reverse=direction == "backward")
    if direction == "forward":
        start = START if after is None else after
        assert all(position_of(start) < position <= position_of(page.cursor) for position in positions)
    else:
        assert all(position_of(page.cursor) <= position for position in positions)
        assert after is None or all(position < position_of(after) for position in positions)
    return events


def check_each_order(events: Iterable[RecordedEvent]) -> None:
    """The order of each aggregate is kept, and in it that of its partition."""
    last: dict[str, tuple[int, int]] = {}
    for event in events:
        version, position = last.get(event.key.stream, (0, 0))
        assert version < event.version
        assert position < event.position
        last[event.key.stream] = event.version, event.position


def check_same_feed(one: Sequence[UUID], other: Sequence[UUID], partitions: int) -> None:
    """What two reads of the same stretch of the feed give."""
    assert one == other if partitions == 1 else sorted(one) == sorted(other)


async def cursor_behind(store: EventStore, event_id: UUID) -> Cursor:
    """The cursor of a reader who has just passed an event."""
    event = await store.get_event(event_id)
    if (await store.head()).partitions == 1:
        return cursor_at(event.position)
    cursor = START
    while True:
        page = await store.read_feed(EventQuery(since=event.timestamp), after=cursor, limit=1)
        if event in page.events:
            return page.cursor
        assert not page.at_end
        cursor = page.cursor


async def cursor_past_the_head(store: EventStore, by: int = 1) -> Cursor:
    """Skips the test where no caller can make one: only the cursors of one partition read as positions."""
    head = await store.head()
    if head.partitions > 1:
        pytest.skip("a cursor over several partitions cannot be made by hand")
    return cursor_at(head.position + by)


async def new_names(store: EventStore, aggregate_type: str, count: int, *, beside: str | None = None) -> list[str]:
    """Of aggregates that one append may name, because they lie in one partition: that of the aggregate ``beside``."""
    first = unique() if beside is None else beside
    names = [first] if beside is None else []
    while len(names) < count:
        name = unique()
        if await lie_together(store, aggregate_type, first, name):
            names.append(name)
    return names


async def lie_together(store: EventStore, aggregate_type: str, one: str, other: str) -> bool:
    """Whether one append may name both. It is looked at before their versions, so nothing is stored."""
    appends = [
        AggregateAppend.of(aggregate_type, name, some_events(1), expected_version=VERSION_MAX) for name in (one, other)
    ]
    with pytest.raises((InvalidRequest, VersionConflict)) as caught:
        await store.append_atomic(appends)
    if caught.type is VersionConflict:
        return True
    assert (caught.value.fields["pointer"], (await store.head()).partitions > 1) == ("/appends/1", True)
    return False


async def read_aggregate_to_end(
    store: EventStore,
    aggregate_type: str,
    aggregate_id: str,
    *,
    direction: Direction = "forward",
    limit: int = PAGE_EVENTS_DEFAULT,
) -> list[RecordedEvent]:
    """Every event of an aggregate, page by page."""
    found: list[RecordedEvent] = []
    start: int | None = None
    side = "from_version" if direction == "forward" else "to_version"
    while True:
        versions = {} if start is None else {side: start}
        page = await store.read_aggregate(aggregate_type, aggregate_id, direction=direction, limit=limit, **versions)
        assert page.count == len(page.events) <= limit
        found += page.events
        if page.next_version is None:
            return found
        assert page.next_version != start, "a page that is not the last must come further"
        start = page.next_version


def make_engine(url: str, *, read_only: bool = False) -> Engine:
    """The engine of a store of one partition, not opened yet."""
    (engine,) = make_engines(url, read_only=read_only)
    return engine
