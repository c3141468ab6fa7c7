"""What a restricted principal sees equals the log with the events taken out that it may not read."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indelible import NewEvent, SearchQuery
from indelible.access import EVERYBODY, Principal
from indelible.core.authorised_store import AuthorisedStore
from indelible.core.store import LocalEventStore
from indelible.cursors import Cursor
from indelible.engines.memory import MemoryEngine
from indelible.errors import EventNotFound, Forbidden
from indelible.events import RecordedEvent
from indelible.eventstore import EventStore, FeedPage
from indelible.queries import EventQuery, QueryItem
from serving import searching

TYPES = ("a", "ab", "abc", "b", "$a")
PATTERNS = ("a", "ab", "a*", "ab*", "b", "c*", "*")
APPENDS = st.lists(
    st.tuples(st.sampled_from(TYPES), st.sampled_from("12"), st.sampled_from(("X", "Y")), st.sampled_from(("", "t"))),
    max_size=20,
)
READ = st.lists(st.sampled_from(PATTERNS), max_size=3).map(lambda found: [f"read:{one}" for one in found])
GRANTS = st.tuples(READ, st.sampled_from(([], ["admin:*"], ["append:*"]))).map(lambda parts: [*parts[0], *parts[1]])
QUERIES = st.sampled_from(
    [
        EventQuery(),
        EventQuery.of(event_types=["X"]),
        EventQuery((QueryItem(tags=("t",)), QueryItem(event_types=("Y",)))),
        EventQuery((QueryItem(event_types=("X",)), QueryItem(aggregate_types=("ab",)))),
    ]
)


def may_read(grants: Sequence[str], aggregate_type: str) -> bool:
    """Told without the code that decides it."""
    if aggregate_type[0] == "$":
        return "admin:*" in grants
    for grant in grants:
        permission, pattern = grant.split(":")
        if permission == "read" and (
            aggregate_type[: len(pattern) - 1] == pattern[:-1] if pattern[-1] == "*" else aggregate_type == pattern
        ):
            return True
    return False


async def _fill(store: LocalEventStore, appends: Sequence[tuple[str, str, str, str]]) -> None:
    for aggregate_type, aggregate_id, event_type, tag in appends:
        append = store.append_reserved if aggregate_type[0] == "$" else store.append
        await append(aggregate_type, aggregate_id, [NewEvent(event_type, tags=[tag] if tag else [])])


async def _paged(store: EventStore, query: EventQuery, direction: Any, limit: int) -> list[RecordedEvent]:
    found: list[RecordedEvent] = []
    after: Cursor | None = None
    while True:
        page = await store.read_feed(query, after=after, direction=direction, limit=limit)
        assert page.count == len(page.events) <= limit
        found += page.events
        if page.at_end:
            return found
        assert page.cursor != after
        after = page.cursor


async def _listed(store: EventStore, limit: int, prefix: str) -> list[tuple[str, str, int]]:
    found: list[tuple[str, str, int]] = []
    after: str | None = None
    while True:
        page = await store.list_aggregates(after=after, limit=limit, prefix=prefix)
        assert len(page.aggregates) <= limit
        found += [(one.aggregate_type, one.aggregate_id, one.version) for one in page.aggregates]
        if page.at_end:
            return found
        assert page.aggregates
        after = page.cursor


async def _check_feed(
    store: AuthorisedStore, query: EventQuery, log: list[RecordedEvent], readable: list[RecordedEvent], limit: int
) -> None:
    expected = [one for one in readable if query.matches(one.event_type, one.aggregate_type, one.tags)]
    assert await _paged(store, query, "forward", limit) == expected
    assert await _paged(store, query, "backward", limit) == expected[::-1]
    for event in log:
        if event in readable:
            assert await store.get_event(event.event_id) == event
        else:
            with pytest.raises(EventNotFound, match=f"^no event has the id {event.event_id}$"):
                await store.get_event(event.event_id)


async def _check_catalogues(store: AuthorisedStore, readable: list[RecordedEvent], limit: int) -> None:
    pairs = Counter((one.event_type, one.aggregate_type) for one in readable)
    events = Counter(one.aggregate_type for one in readable)
    keys = Counter((one.aggregate_type, one.aggregate_id) for one in readable)
    aggregates = Counter(aggregate_type for aggregate_type, _ in keys)
    found = {(one.event_type, one.aggregate_type): one.events for one in await store.event_types()}
    assert found == dict(pairs)
    types = [(one.aggregate_type, one.aggregates, one.events) for one in await store.aggregate_types()]
    assert types == [(name, aggregates[name], events[name]) for name in sorted(events)]
    for prefix in ("", "1"):
        versions = [(*key, count) for key, count in sorted(keys.items()) if key[1].startswith(prefix)]
        assert await _listed(store, limit, prefix) == versions


async def _check_following(
    store: AuthorisedStore, query: EventQuery, expected: Callable[[], list[RecordedEvent]], append: Callable[[], Any]
) -> None:
    found: list[RecordedEvent] = []
    async with aclosing(store.follow(query)) as pages:

        async def to_the_end() -> None:
            page = FeedPage(b"", 0, Cursor("0"), at_end=False)
            while not page.at_end:
                page = await anext(pages)
                found.extend(page.events)

        await to_the_end()
        await append()
        await to_the_end()
    assert found == expected()


@settings(max_examples=60, deadline=None)
@given(appends=APPENDS, later=APPENDS.filter(bool), grants=GRANTS, query=QUERIES, limit=st.sampled_from((1, 2, 3, 50)))
async def test_the_log_without_what_may_not_be_read(
    appends: list[Any], later: list[Any], grants: list[str], query: EventQuery, limit: int
) -> None:
    async with LocalEventStore(MemoryEngine()) as inner:
        await _fill(inner, appends)
        store = AuthorisedStore(inner, Principal.of("somebody", grants).grants)

        async def log() -> list[RecordedEvent]:
            return await _paged(inner, EventQuery(), "forward", 1000)

        def readable(events: list[RecordedEvent]) -> list[RecordedEvent]:
            return [one for one in events if may_read(grants, one.aggregate_type)]

        named = [name for item in query.items for name in item.aggregate_types]
        if not (grants[:1] and any(one.startswith("read:") or one == "admin:*" for one in grants)):
            await _check_sees_nothing(store)
            return
        if not all(may_read(grants, name) for name in named):
            query = EventQuery((query.items[0],))
        events = await log()
        await _check_feed(store, query, events, readable(events), limit)
        await _check_catalogues(store, readable(events), limit)
        both: list[RecordedEvent] = []

        async def append() -> None:
            await _fill(inner, later)
            both.extend(await log())

        def expected() -> list[RecordedEvent]:
            return [one for one in readable(both) if query.matches(one.event_type, one.aggregate_type, one.tags)]

        await _check_following(store, query, expected, append)


async def _check_sees_nothing(store: AuthorisedStore) -> None:
    calls = (store.read_feed, store.head, store.event_types, store.aggregate_types, store.list_aggregates)
    for call in calls:
        with pytest.raises(Forbidden) as caught:
            await call()
        assert caught.value.fields == {"permission": "read"}


@settings(max_examples=25, deadline=None)
@given(appends=APPENDS, grants=READ.filter(bool), limit=st.sampled_from((1, 3, 50)))
async def test_search_without_what_may_not_be_read(appends: list[Any], grants: list[str], limit: int) -> None:
    async with LocalEventStore(MemoryEngine()) as log, searching(log, {}) as inner:
        await _fill(log, appends)
        head = (await log.head()).cursor
        store = AuthorisedStore(inner, Principal.of("somebody", grants).grants)
        every = (await log.read_feed(limit=1000)).events
        expected = [one for one in every if may_read(grants, one.aggregate_type) and one.event_type == "X"]
        found: list[RecordedEvent] = []
        cursor: str | None = None
        while True:
            page = await store.search(
                SearchQuery(event_types=("X",)), order="oldest", limit=limit, cursor=cursor, wait_for=head
            )
            found += page.events
            assert page.count or page.cursor is None, "a page tells of what may not be read"
            cursor = page.cursor
            if cursor is None:
                break
        assert found == expected
        aggregates = await store.search(SearchQuery(), aggregates=True, limit=50, wait_for=head)
        assert {(one.aggregate_type, one.aggregate_id) for one in aggregates.aggregates} == {
            (one.aggregate_type, one.aggregate_id) for one in every if may_read(grants, one.aggregate_type)
        }


async def test_whoever_may_all_has_the_store_itself() -> None:
    """Nothing is looked at that need not be."""
    async with LocalEventStore(MemoryEngine()) as inner:
        await _fill(inner, [("a", "1", "X", ""), ("$a", "1", "X", "")])
        store = AuthorisedStore(inner, EVERYBODY.grants)
        assert await store.read_feed() == await inner.read_feed()
        assert await store.list_aggregates() == await inner.list_aggregates()
