"""Queries and cursors: pure values, checked with the pointer of what is wrong."""

import pickle
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indelible.cursors import START, Cursor, cursor_at, position_of
from indelible.errors import InvalidRequest
from indelible.limits import (
    CONDITION_ITEMS_MAX,
    CURSOR_LENGTH_MAX,
    PAGE_EVENTS_MAX,
    QUERY_NAMES_MAX,
    TAG_LENGTH_MAX,
    VERSION_MAX,
)
from indelible.queries import EVERYTHING, EventQuery, QueryItem, check_items, check_list_cursor, check_page, check_time

names = st.sampled_from("abc")
some_names = st.lists(names, max_size=2).map(tuple)


def pointer_of(call: Any, *args: Any, **fields: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        call(*args, **fields)
    return caught.value.pointer


class TestCursor:
    @given(st.integers(0, VERSION_MAX))
    def test_there_and_back(self, position: int) -> None:
        cursor = cursor_at(position)
        assert position_of(cursor) == position
        assert Cursor.parse(str(cursor)) == cursor
        assert isinstance(Cursor.parse(str(cursor)), Cursor)
        assert pickle.loads(pickle.dumps(cursor)) == cursor

    def test_start(self) -> None:
        assert (START, position_of(START)) == ("0", 0)

    def test_the_empty_one_is_the_start(self) -> None:
        assert Cursor.parse("") == START
        assert position_of("") == 0

    @pytest.mark.parametrize(
        "text",
        [" ", "x", "-1", "+1", "1.0", "1e3", " 1", "1 ", "1\n", "0x1", "1_0", "١", "²", str(VERSION_MAX + 1),
         "1" * 17, "9" * 10_000, "\ud800", None, 1, 1.5, b"1", True],
    )  # fmt: skip
    def test_what_no_store_has_given(self, text: Any) -> None:
        assert pointer_of(position_of, text) == "/after"
        assert pointer_of(position_of, text, "/condition/after") == "/condition/after"

    @pytest.mark.parametrize("text", ["x", "p0:7,p1:12", "a" * CURSOR_LENGTH_MAX])
    def test_what_is_in_one_is_the_stores_to_say(self, text: str) -> None:
        assert Cursor.parse(text) == text

    @pytest.mark.parametrize(
        "text",
        [" ", "1\n", "x y", '"', "\\", "\x00", "é", "\ud800", "a" * (CURSOR_LENGTH_MAX + 1), None, 1, 1.5, b"1", True],
    )
    def test_what_none_has_given(self, text: Any) -> None:
        assert pointer_of(Cursor.parse, text) == "/after"
        assert pointer_of(Cursor.parse, text, "/condition/after") == "/condition/after"


class TestItem:
    @given(
        st.builds(QueryItem, some_names, some_names, some_names),
        names,
        names,
        st.lists(names, max_size=3),
    )
    def test_types_or_and_tags_and(
        self, item: QueryItem, event_type: str, aggregate_type: str, tags: list[str]
    ) -> None:
        expected = True
        if item.event_types:
            expected = event_type in item.event_types
        if item.aggregate_types:
            expected = expected and aggregate_type in item.aggregate_types
        expected = expected and set(item.tags) <= set(tags)
        assert item.matches(event_type, aggregate_type, tags) is expected
        assert EventQuery((item,)).matches(event_type, aggregate_type, tags) is expected
        both = EventQuery((item, QueryItem(("a",))))
        assert both.matches(event_type, aggregate_type, tags) is (expected or event_type == "a")

    def test_unrestricted(self) -> None:
        assert QueryItem().is_unrestricted
        assert EVERYTHING.is_unrestricted
        assert EventQuery((QueryItem(("a",)), QueryItem())).is_unrestricted
        assert not EventQuery((QueryItem(tags=("a",)),)).is_unrestricted
        assert EventQuery.of() == EVERYTHING
        assert EVERYTHING.matches("a", "b", ())

    def test_checked_drops_repeats_and_keeps_order(self) -> None:
        assert QueryItem.checked(["b", "a", "b"], iter("yx"), ("z",)) == QueryItem(("b", "a"), ("y", "x"), ("z",))

    @pytest.mark.parametrize("field", ["event_types", "aggregate_types", "tags"])
    @pytest.mark.parametrize(
        ("value", "pointer"),
        [("abc", ""), (None, ""), (7, ""), ([""], "/0"), (["a", 7], "/1"), (["a", "\n"], "/1"), (["a", None], "/1"),
         (["x" * (TAG_LENGTH_MAX + 1)], "/0"), ([f"{n}" for n in range(QUERY_NAMES_MAX + 1)], "")],
    )  # fmt: skip
    def test_bad_names(self, field: str, value: Any, pointer: str) -> None:
        assert pointer_of(QueryItem.checked, **{field: value}, pointer="/fail_if/3") == f"/fail_if/3/{field}{pointer}"
        assert pointer_of(EventQuery.of, **{field: value}) == f"/{field}{pointer}"
        assert pointer_of(EventQuery((QueryItem(**{field: value}),)).checked) == f"/items/0/{field}{pointer}"

    def test_number_of_items(self) -> None:
        items = [QueryItem((f"{n}",)) for n in range(CONDITION_ITEMS_MAX + 1)]
        assert check_items(items[:-1], "/x") == tuple(items[:-1])
        assert pointer_of(check_items, items, "/x") == "/x"


class _Nowhere(tzinfo):
    """A time zone that does not know its offset."""

    def utcoffset(self, _: datetime | None) -> None:
        return None


class TestTime:
    def test_any_zone_becomes_utc(self) -> None:
        stamp = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
        query = EventQuery.of(since=stamp, until=stamp)
        assert query.since == query.until == datetime(2026, 1, 31, 6, 30, tzinfo=UTC)
        assert query.since is not None
        assert query.since.tzinfo is UTC
        assert check_time(None, "/since") is None

    @pytest.mark.parametrize(
        "value",
        [
            datetime(2026, 1, 31),  # noqa: DTZ001 - the bad case
            datetime(2026, 1, 31, tzinfo=_Nowhere()),
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))),
            datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))),
            datetime(2026, 1, 31).date(),  # noqa: DTZ001 - the bad case
            "2026-01-31T12:00:00Z",
            0,
        ],
    )
    def test_bad(self, value: Any) -> None:
        assert pointer_of(EventQuery.of, since=value) == "/since"
        assert pointer_of(EventQuery(until=value).checked) == "/until"


class TestPage:
    def test_good(self) -> None:
        for limit in (1, PAGE_EVENTS_MAX):
            check_page(limit)
            check_page(limit, "backward")
        for cursor in (None, "", "WyJhIl0"):
            assert check_list_cursor(cursor) == cursor

    @pytest.mark.parametrize("limit", [0, -1, PAGE_EVENTS_MAX + 1, 1.0, "1", True, None])
    def test_bad_limit(self, limit: Any) -> None:
        assert pointer_of(check_page, limit) == "/limit"

    @pytest.mark.parametrize("direction", ["", "Forward", None, 1])
    def test_bad_direction(self, direction: Any) -> None:
        assert pointer_of(check_page, 1, direction) == "/direction"

    @pytest.mark.parametrize("cursor", [7, b"x", "é", "\ud800"])
    def test_bad_list_cursor(self, cursor: Any) -> None:
        assert pointer_of(check_list_cursor, cursor) == "/after"
