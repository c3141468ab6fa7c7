"""Expected versions, conditions, and requests as a whole."""

from typing import Any

import pytest

from indelible.conditions import AppendCondition, check_expected_version, version_conflict
from indelible.cursors import Cursor, cursor_at
from indelible.errors import InvalidRequest, PayloadTooLarge
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.limits import CONDITION_ITEMS_MAX, REQUEST_EVENTS_MAX, VERSION_MAX
from indelible.queries import QueryItem

KEY = AggregateKey("Order", "1")
ITEM = QueryItem(tags=("x",))


def pointer_of(call: Any, *args: Any, kind: type[InvalidRequest] = InvalidRequest, **fields: Any) -> str:
    with pytest.raises(kind) as caught:
        call(*args, **fields)
    assert type(caught.value) is kind
    return caught.value.pointer


class TestExpectedVersion:
    @pytest.mark.parametrize("value", ["any", "exists", "none", 0, 1, VERSION_MAX])
    def test_good(self, value: Any) -> None:
        assert check_expected_version(value) == value

    @pytest.mark.parametrize("value", ["", "Any", "0", None, -1, 1.0, True, False, VERSION_MAX + 1, [], b"any"])
    def test_bad(self, value: Any) -> None:
        assert pointer_of(check_expected_version, value) == "/expected_version"

    @pytest.mark.parametrize(
        ("expected", "met_at"),
        [("any", {0, 1, 2}), ("exists", {1, 2}), ("none", {0}), (0, {0}), (1, {1}), (2, {2}), (3, set())],
    )
    def test_every_pair(self, expected: Any, met_at: set[int]) -> None:
        for actual in range(3):
            conflict = version_conflict(KEY, expected, actual)
            assert (conflict is None) == (actual in met_at)
            if conflict is not None:
                assert conflict.fields == {
                    "aggregate_type": "Order", "aggregate_id": "1",
                    "expected_version": expected, "actual_version": actual,
                }  # fmt: skip
                assert (conflict.expected_version, conflict.actual_version) == (expected, actual)
                assert f"Order-1 is at version {actual}" in conflict.message


class TestCondition:
    def test_items_that_can_be_read_once_are_kept(self) -> None:
        item = QueryItem(name for name in ["Paid"])  # type: ignore[arg-type]  # the careless case
        condition = AppendCondition(one for one in [item])  # type: ignore[arg-type]  # the careless case
        for _ in range(2):
            condition.check()
            assert [one.matches("Paid", "Order", ()) for one in condition.fail_if] == [True]

    def test_good(self) -> None:
        AppendCondition((ITEM,)).check()
        AppendCondition((ITEM,) * CONDITION_ITEMS_MAX, cursor_at(VERSION_MAX)).check()

    @pytest.mark.parametrize(
        ("condition", "pointer"),
        [
            (AppendCondition(()), "/condition/fail_if"),
            (AppendCondition((ITEM,) * (CONDITION_ITEMS_MAX + 1)), "/condition/fail_if"),
            (AppendCondition((ITEM, QueryItem(event_types=("",)))), "/condition/fail_if/1/event_types/0"),
            (AppendCondition(ITEM), "/condition/fail_if"),  # type: ignore[arg-type]  # the bad case
            (AppendCondition(("Paid",)), "/condition/fail_if/0"),  # type: ignore[arg-type]  # the bad case
            (AppendCondition("Paid"), "/condition/fail_if/0"),  # type: ignore[arg-type]  # the bad case
            (AppendCondition((ITEM,), Cursor("non sense")), "/condition/after"),
        ],
    )
    def test_bad(self, condition: AppendCondition, pointer: str) -> None:
        assert pointer_of(condition.check) == pointer


class TestRequest:
    @staticmethod
    def _request(*appends: AggregateAppend) -> AppendRequest:
        return AppendRequest(appends)

    def test_counts(self) -> None:
        request = self._request(
            AggregateAppend.of("Order", "1", [NewEvent("A", "xy"), NewEvent("B", b"xyz")]),
            AggregateAppend.of("Order", "2", [NewEvent("A", metadata={"a": 1})]),
        )
        request.check(atomic=True)
        assert request.event_count == 3
        assert request.size_bytes == len('"xy"{}') + len("xyz{}") + len('null{"a":1}')

    def test_pointers_begin_where_the_caller_does(self) -> None:
        bad = self._request(AggregateAppend.of("Order", "", [NewEvent("A")]))
        assert pointer_of(bad.check, atomic=False) == "/aggregate_id"
        assert pointer_of(bad.check, atomic=True) == "/appends/0/aggregate_id"

    @pytest.mark.parametrize("atomic", [False, True])
    def test_what_is_no_event(self, atomic: bool) -> None:
        bad = self._request(AggregateAppend.of("Order", "1", [NewEvent("A"), "B"]))  # type: ignore[list-item]  # the bad case
        assert pointer_of(bad.check, atomic=atomic) == ("/appends/0" if atomic else "") + "/events/1"

    @pytest.mark.parametrize("atomic", [False, True])
    def test_sizes(self, atomic: bool) -> None:
        events = [NewEvent("A")] * (REQUEST_EVENTS_MAX + 1)
        # The same event again and again is wrong too, and is found first.
        many = self._request(AggregateAppend.of("Order", "1", events))
        assert pointer_of(many.check, atomic=atomic).endswith("/events/1/event_id")
        many = self._request(AggregateAppend.of("Order", "1", [NewEvent("A") for _ in events]))
        with pytest.raises(PayloadTooLarge) as caught:
            many.check(atomic=atomic)
        pointer = "/appends" if atomic else "/events"
        assert caught.value.fields == {"pointer": pointer, "events_max": REQUEST_EVENTS_MAX}
