"""Search: what a store with a query index finds, and how far behind the log it may be."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.events import NewEvent
from indelible.eventstore import EventStore
from indelible.index_state import IndexField
from indelible.limits import (
    PAGE_EVENTS_MAX,
    PAGE_SIZE_BYTES_MAX,
    SEARCH_CONDITIONS_MAX,
    SEARCH_TEXT_LENGTH_MAX,
    SEARCH_VALUES_LENGTH_MAX,
    SEARCH_VALUES_MAX,
    SEARCH_VALUES_TOGETHER_MAX,
    SEARCH_WAIT_MAX_S,
)
from indelible.search import FieldType, SearchPage, SearchQuery, Where
from indelible.testing.conformance.helpers import ids, refused, unique

FIELDS: Final[Mapping[str, FieldType]] = {
    "event_data.total": "number",
    "event_data.customer.id": "string",
    "event_data.is_gift": "boolean",
    "event_data.due": "time",
    "event_data.items.sku": "string",
    "metadata.user": "string",
}
"""Those that the store's index has to be made with."""

_PATIENCE_S = 60
_IDS = ascii


async def search(store: EventStore, query: SearchQuery, **options: Any) -> SearchPage:
    """Among all that was appended before."""
    return await store.search(query, wait_for=(await store.head()).cursor, wait_s=_PATIENCE_S, **options)


async def found(store: EventStore, tag: str, *where: Where, query: str = "", **parts: Any) -> list[UUID]:
    page = await search(store, SearchQuery(query, where, tags=(tag,), **parts), order="oldest")
    assert page.cursor is None
    return ids(page.events)


async def append_each(store: EventStore, tag: str, *data: Any, **fields: Any) -> list[UUID]:
    """An aggregate each, in this order."""
    events = [NewEvent("Placed", one, tags=[tag], **fields) for one in data]
    for event in events:
        await store.append("order", unique(), [event])
    return ids(events)


@pytest.mark.asyncio
class SearchConformance:
    """``store`` has a query index with :data:`FIELDS`, that finds text, and that is kept up to date."""

    # --- What is found -----------------------------------------------------------------------------------------------

    async def test_events_come_as_the_log_has_them(self, store: EventStore) -> None:
        tag = unique("tag")
        event = NewEvent(
            "Placed", {"total": 1.0, "deep": [10**20, {"a": None}]}, metadata={"user": "ada"}, tags=[tag, "other"]
        )
        await store.append("order", unique(), [event])
        page = await search(store, SearchQuery(tags=(tag,)))
        assert page.events == (await store.get_event(event.event_id),)
        assert (page.count, page.aggregates, page.cursor, page.is_stale) == (1, (), None, False)
        assert (page.indexed_cursor, page.lag, page.lag_s) == ((await store.head()).cursor, 0, 0)

    async def test_parts_of_a_query_all_hold(self, store: EventStore) -> None:
        tag, kind, other = unique("tag"), unique("Placed"), unique("kind")
        events = [
            NewEvent(kind, {"total": 5, "note": "with care"}, tags=[tag, "x"]),
            NewEvent(kind, {"total": 5, "note": "without"}, tags=[tag, "x"]),
            NewEvent("Paid", {"total": 5, "note": "with care"}, tags=[tag, "x"]),
            NewEvent(kind, {"total": 6, "note": "with care"}, tags=[tag, "x"]),
            NewEvent(kind, {"total": 5, "note": "with care"}, tags=[tag]),
        ]
        await store.append(other, "1", events)
        await store.append("order", unique(), [NewEvent(kind, {"total": 5, "note": "with care"}, tags=[tag, "x"])])
        where = (Where("event_data.total", "=", 5),)
        query = SearchQuery("care", where, (kind,), (other,), (tag, "x"))
        assert ids((await search(store, query)).events) == ids(events[:1])

    async def test_conditions_on_fields(self, store: EventStore) -> None:
        tag = unique("tag")
        one, two, three = await append_each(
            store,
            tag,
            {"total": 1, "customer": {"id": "c-1"}, "is_gift": True, "due": "2026-01-31T12:00:00Z"},
            {"total": 2.5, "customer": {"id": "c-2"}, "is_gift": False, "due": "2026-02-01T12:00:00+01:00"},
            {"total": "2", "customer": {"id": "d"}, "items": [{"sku": "a"}, {"sku": "b"}]},
        )
        for field, operator, value, expected in (
            ("event_data.total", "=", 1.0, [one]),
            ("event_data.total", "!=", 1, [two, three]),
            ("event_data.total", ">", 1, [two]),
            ("event_data.total", "<=", 2.5, [one, two]),
            ("event_data.total", "in", [1, 2, 2.5], [one, two]),
            ("event_data.total", "exists", False, [three]),
            ("event_data.customer.id", "prefix", "c-", [one, two]),
            ("event_data.customer.id", ">=", "c-2", [two, three]),
            ("event_data.is_gift", "=", False, [two]),
            ("event_data.due", "<", "2026-02-01T11:00:00Z", [one]),
            ("event_data.due", "=", "2026-02-01T11:00:00Z", [two]),
            ("event_data.items.sku", "=", "b", [three]),
            ("event_data.items.sku", "!=", "b", [one, two]),
            ("version", "=", 1, [one, two, three]),
            ("event_id", "in", [str(two), str(three)], [two, three]),
        ):
            assert await found(store, tag, Where(field, operator, value)) == expected, (field, operator)
        until = datetime(2026, 2, 1, 12, tzinfo=UTC)
        assert await found(store, tag, Where("event_data.due", "<", until)) == [one, two]
        assert await found(store, tag, Where("event_data.is_gift", "exists"), Where("event_data.total", ">", 1)) == [
            two
        ]

    async def test_text(self, store: EventStore) -> None:
        tag = unique("tag")
        one, two = await append_each(
            store, tag, {"note": "Refund: paid too late, José"}, {"a": ["late", {"b": "too"}], "refund": 1}
        )
        for text, expected in (
            ("refund", [one]),
            ("LATE too", [one, two]),
            ('"too late"', [one]),
            ("jose", [one]),
            ("refund nothing", []),
        ):
            assert await found(store, tag, query=text) == expected, text

    async def test_times(self, store: EventStore) -> None:
        tag = unique("tag")
        one, two = await append_each(store, tag, 1, 2)
        at = (await store.get_event(two)).timestamp
        assert await found(store, tag, since=at) == [two]
        assert await found(store, tag, until=at) == [one]
        assert await found(store, tag, since=at.astimezone() + timedelta(microseconds=1)) == []

    async def test_what_is_no_json_is_found_by_what_else_there_is(self, store: EventStore) -> None:
        tag = unique("tag")
        event = NewEvent("Seen", b"\x00refund", content_type="image/png", metadata={"user": "ada"}, tags=[tag])
        await store.append("order", unique(), [event])
        assert await found(store, tag, Where("metadata.user", "=", "ada")) == [event.event_id]
        assert await found(store, tag, query="refund") == []

    # --- Pages -------------------------------------------------------------------------------------------------------

    async def test_pages_in_both_orders(self, store: EventStore) -> None:
        tag = unique("tag")
        stored = await append_each(store, tag, *range(7))
        for order, expected in (("oldest", stored), ("newest", stored[::-1])):
            for limit in (1, 3, 7, 8):
                taken: list[UUID] = []
                cursor = None
                while True:
                    page = await search(store, SearchQuery(tags=(tag,)), order=order, limit=limit, cursor=cursor)
                    assert page.count == len(page.events) <= limit
                    taken += ids(page.events)
                    cursor = page.cursor
                    if cursor is None:
                        break
                assert taken == expected

    async def test_pages_while_events_come(self, store: EventStore) -> None:
        """Going back in time, nothing is missed and nothing doubled."""
        tag = unique("tag")
        stored = await append_each(store, tag, *range(12))
        page = await search(store, SearchQuery(tags=(tag,)), limit=2)
        taken = ids(page.events)
        while page.cursor is not None:
            await append_each(store, tag, "later")
            page = await search(store, SearchQuery(tags=(tag,)), limit=2, cursor=page.cursor)
            taken += ids(page.events)
        assert taken == stored[::-1]
        everything = await found(store, tag)
        assert everything[:12] == stored
        assert len(everything) > 12

    async def test_a_page_holds_a_bounded_number_of_bytes(self, store: EventStore) -> None:
        tag, text = unique("tag"), "x" * (PAGE_SIZE_BYTES_MAX // 4)
        stored = await append_each(store, tag, *[text] * 9)
        page = await search(store, SearchQuery(tags=(tag,)), order="oldest")
        assert 1 <= page.count < 9
        assert len(page.lines) < 2 * PAGE_SIZE_BYTES_MAX
        taken = ids(page.events)
        while page.cursor is not None:
            page = await search(store, SearchQuery(tags=(tag,)), order="oldest", cursor=page.cursor)
            taken += ids(page.events)
        assert taken == stored

    async def test_aggregates(self, store: EventStore) -> None:
        tag, kind = unique("tag"), unique("kind")
        for number in (2, 1, 3, 2, 1):
            await store.append(kind, f"ü-{number}", [NewEvent("Placed", number, tags=[tag])])
        taken: list[str] = []
        cursor = None
        while True:
            page = await search(store, SearchQuery(tags=(tag,)), aggregates=True, limit=2, cursor=cursor)
            assert (page.lines, page.events, page.count) == (b"", (), len(page.aggregates))
            taken += [one.stream for one in page.aggregates]
            cursor = page.cursor
            if cursor is None:
                break
        assert taken == [f"{kind}-ü-{number}" for number in (1, 2, 3)]

    # --- How far the index is ----------------------------------------------------------------------------------------

    async def test_ones_own_append_is_waited_for(self, store: EventStore) -> None:
        tag = unique("tag")
        for number in range(20):
            event = NewEvent("Placed", number, tags=[tag])
            await store.append("order", tag, [event])
            page = await search(store, SearchQuery(tags=(tag,)), limit=1)
            assert ids(page.events) == [event.event_id]
            assert not page.is_stale

    async def test_many_wait_at_once(self, store: EventStore) -> None:
        tag = unique("tag")

        async def append_and_search(number: int) -> None:
            event = NewEvent("Placed", number, tags=[tag, f"{tag} {number}"])
            await store.append("order", f"{tag} {number}", [event])
            assert await found(store, f"{tag} {number}") == [event.event_id]

        await asyncio.gather(*map(append_and_search, range(30)))

    async def test_the_start_of_the_log_is_passed_at_once(self, store: EventStore) -> None:
        await search(store, SearchQuery(tags=(unique(),)))
        for start in ("0", ""):
            await store.search(SearchQuery(tags=(unique(),)), wait_for=Cursor(start), wait_s=0)

    # --- The index ---------------------------------------------------------------------------------------------------

    async def test_the_state_of_the_index(self, store: EventStore) -> None:
        await append_each(store, unique("tag"), 1)
        await search(store, SearchQuery())
        info = await store.index.status()
        assert (info.problem, info.rejected_count, info.rejected) == (None, 0, ())
        assert (info.finds_text, info.is_indexing) == (True, True)
        assert info.serving is not None
        assert info.serving.fields == tuple(IndexField(path, FIELDS[path]) for path in sorted(FIELDS))
        assert (info.serving.cursor, info.serving.lag, info.serving.lag_s) == ((await store.head()).cursor, 0, 0)
        assert info.serving.documents >= 1

    async def test_it_is_built_anew_beside_the_one_that_is_searched(self, store: EventStore) -> None:
        tag = unique("tag")
        stored = await append_each(store, tag, *range(3))
        assert await found(store, tag) == stored
        before = (await store.index.status()).serving
        assert before is not None
        info = await store.index.rebuild()
        assert info.serving is not None
        building = info.building or info.serving
        assert building.number > before.number
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                assert await found(store, tag) == stored
                info = await store.index.status()
                assert info.serving is not None
                if info.serving.number >= building.number:
                    break
                await asyncio.sleep(0.01)


@pytest.mark.asyncio
class SearchBadInputConformance:
    """What is refused before a backend is asked: once for each way to a store is enough."""

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            (SearchQuery("x" * (SEARCH_TEXT_LENGTH_MAX + 1)), "/query"),
            (SearchQuery("… !"), "/query"),
            (SearchQuery("a\ud800"), "/query"),
            (SearchQuery(7), "/query"),  # type: ignore[arg-type]  # that is the point
            (SearchQuery(event_types=("fine", "")), "/event_types/1"),
            (SearchQuery(aggregate_types=("a\nb",)), "/aggregate_types/0"),
            (SearchQuery(tags=("",)), "/tags/0"),
            (SearchQuery(since=datetime(2026, 1, 31)), "/since"),  # noqa: DTZ001 - the bad case
            (SearchQuery(until=datetime(2026, 1, 31)), "/until"),  # noqa: DTZ001 - the bad case
        ],
        ids=_IDS,
    )
    async def test_bad_parts(self, store: EventStore, query: SearchQuery, pointer: str) -> None:
        await refused(InvalidRequest, store.search(query), pointer=pointer)

    @pytest.mark.parametrize(
        ("where", "pointer"),
        [
            (Where("event_data.unheard", "=", 1), "/field"),
            (Where("", "=", 1), "/field"),
            (Where("\ud800", "=", 1), "/field"),
            (Where(7, "=", 1), "/field"),  # type: ignore[arg-type]  # that is the point
            (Where("event_data.total", 7, 1), "/operator"),  # type: ignore[arg-type]  # that is the point
            (Where("event_data.customer.id", "=", "\ud800"), "/value"),
            (Where("event_data.total", "~", 1), "/operator"),
            (Where("event_data.total", "", 1), "/operator"),
            (Where("event_data.total", "prefix", 1), "/operator"),
            (Where("event_data.is_gift", "<", True), "/operator"),
            (Where("event_data.total", "=", "1"), "/value"),
            (Where("event_data.total", "=", True), "/value"),
            (Where("event_data.total", "=", None), "/value"),
            (Where("event_data.total", "=", [1]), "/value"),
            (Where("event_data.total", "=", {"a": 1}), "/value"),
            (Where("event_data.total", "in", 1), "/value"),
            (Where("event_data.total", "in", []), "/value"),
            (Where("event_data.customer.id", "in", {"c-1": 1}), "/value"),
            (Where("event_data.total", "in", list(range(SEARCH_VALUES_MAX + 1))), "/value"),
            (Where("event_data.total", "in", [1, "2"]), "/value/1"),
            (Where("event_data.total", "exists", 1), "/value"),
            (Where("event_data.customer.id", "=", 1), "/value"),
            (Where("event_data.is_gift", "=", 1), "/value"),
            (Where("event_data.due", "=", "yesterday"), "/value"),
            (Where("event_data.due", "=", "2026-01-31T12:00:00"), "/value"),
            (Where("timestamp", ">", 5), "/value"),
        ],
        ids=_IDS,
    )
    async def test_bad_conditions(self, store: EventStore, where: Where, pointer: str) -> None:
        query = SearchQuery(where=(Where("version", "=", 1), where))
        await refused(InvalidRequest, store.search(query), pointer=f"/where/1{pointer}")

    async def test_bad_conditions_together(self, store: EventStore) -> None:
        not_one = Where("event_data.total", "!=", 1)
        await refused(InvalidRequest, store.search(SearchQuery(where=(not_one,))), pointer="/where")
        missing = Where("event_data.total", "exists", False)
        await refused(InvalidRequest, store.search(SearchQuery(where=(not_one, missing))), pointer="/where")
        many = (Where("version", "=", 1),) * (SEARCH_CONDITIONS_MAX + 1)
        await refused(InvalidRequest, store.search(SearchQuery(where=many)), pointer="/where")
        assert await found(store, unique(), *many[1:]) == []
        numbers = Where("event_data.total", "in", list(range(SEARCH_VALUES_MAX)))
        full = (numbers,) * (SEARCH_VALUES_TOGETHER_MAX // SEARCH_VALUES_MAX)
        strings = [str(number).zfill(SEARCH_VALUES_LENGTH_MAX // 256) for number in range(256)]
        long = Where("event_data.customer.id", "in", strings)
        for most, more in ((full, Where("version", "=", 1)), ((long,), Where("event_id", "=", "1"))):
            assert await found(store, unique(), *most) == []
            error = await refused(InvalidRequest, store.search(SearchQuery(where=(*most, more))), pointer="/where")
            assert "in all conditions together" in error.message

    @pytest.mark.parametrize("query", ["refund", None, ()], ids=_IDS)
    async def test_bad_query(self, store: EventStore, query: Any) -> None:
        await refused(InvalidRequest, store.search(query), pointer="/query")

    async def test_bad_options(self, store: EventStore) -> None:
        query = SearchQuery(tags=(unique(),))
        for name, values in (
            ("limit", (0, -1, PAGE_EVENTS_MAX + 1, True, "1")),
            ("order", ("up", "", None)),
            ("wait_s", (-1, SEARCH_WAIT_MAX_S + 1, "1", True)),
            ("wait_for", ("x y", "\ud800", "9" * 16, 7)),
            ("aggregates", (1, "true", None)),
            ("allow_stale", (1, "true", None)),
            ("cursor", ("x", "AAAA", "ééé", "WyIiXQ", 7)),
        ):
            for value in values:
                options: dict[str, Any] = {name: value}
                await refused(InvalidRequest, store.search(query, **options), pointer=f"/{name}")

    async def test_a_cursor_leads_on_in_its_own_search_alone(self, store: EventStore) -> None:
        tag = unique("tag")
        await append_each(store, tag, *range(3))
        query = SearchQuery(tags=(tag,))
        of_events = (await search(store, query, limit=1)).cursor
        of_aggregates = (await search(store, query, limit=1, aggregates=True)).cursor
        assert of_events is not None
        assert of_aggregates is not None
        other = SearchQuery(tags=(tag,), event_types=("Placed",))
        for call in (
            store.search(query, cursor=of_events, order="oldest"),
            store.search(query, cursor=of_events, aggregates=True),
            store.search(query, cursor=of_aggregates),
            store.search(other, cursor=of_events),
            store.search(other, cursor=of_aggregates, aggregates=True),
        ):
            await refused(InvalidRequest, call, pointer="/cursor")
        assert (await store.search(query, cursor=of_events, limit=5)).count == 2
