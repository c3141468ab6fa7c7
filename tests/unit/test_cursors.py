"""Which of two cursors is further, without a store to ask."""

import pytest

from indelible import Cursor, InvalidRequest
from indelible.cursors import Places, cursor_over, has_reached


def over(*positions: int, last: int | None = None) -> Cursor:
    return cursor_over(Places(positions, last))


@pytest.mark.parametrize(
    ("cursor", "other", "is_so"),
    [
        ("7", "7", True), ("10", "9", True), ("9", "10", False), ("0", "0", True), ("", "0", True), ("0", "", True),
        ("", "1", False), (over(3, 30), over(3, 30), True), (over(3, 30), over(2, 30), True),
        (over(3, 30), over(4, 1), False), (over(3, 1), over(2, 2), False), (over(3, 30), "0", True),
        ("0", over(0, 0), True), ("0", over(0, 1), False), (over(3, 4, last=1), over(3, 4), True),
    ],
)  # fmt: skip
def test_it_is_further_where_it_is_so_in_each_partition(cursor: str, other: str, is_so: bool) -> None:
    assert has_reached(cursor, other) is is_so


@pytest.mark.parametrize(
    ("cursor", "other"), [("3", over(3, 3)), (over(1, 2), over(1, 2, 3)), (over(1, 2), "3"), ("at:3", "3"), ("3", "x")]
)
def test_those_of_different_stores_are_refused(cursor: str, other: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a cursor of this store") as refused:
        has_reached(cursor, other, "/until")
    assert refused.value.pointer == "/until"
