"""What the screens are made by: which columns fit, how fast a log grows, and text that steers nothing."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indelible.ui.columns import GAP, Column, fit
from indelible.ui.rates import HeadRate
from indelible.visible_text import counted, duration, visible, visible_lines

COLUMNS = (Column("number", 2, 0, is_number=True), Column("name", 8, 1), Column("data", 10, 2))
COLUMN = st.builds(
    Column, st.sampled_from(["a", "longer", "the longest"]), st.integers(1, 20), st.integers(0, 5), st.booleans()
)


def test_all_get_what_they_want_where_there_is_room():
    assert [(one.column, one.width) for one in fit(COLUMNS, (9, 12, 30), 80)] == [(0, 9), (1, 12), (2, 30)]


def test_what_is_left_goes_by_rank_and_numbers_are_never_cut():
    assert [one.width for one in fit(COLUMNS, (9, 12, 30), 9 + 10 + 10 + 3 * GAP)] == [9, 10, 10]


def test_what_says_least_is_left_out_first():
    assert [one.column for one in fit(COLUMNS, (9, 12, 30), 9 + 8 + 9 + 3 * GAP)] == [0, 1]


@given(st.lists(st.tuples(COLUMN, st.integers(0, 300)), min_size=1, max_size=8), st.integers(1, 200))
def test_they_never_take_more_than_there_is(asked: list[tuple[Column, int]], width: int):
    columns, wanted = [one for one, _ in asked], [want for _, want in asked]
    placed = fit(columns, wanted, width)
    assert len(placed) == 1 or sum(one.width + GAP for one in placed) <= width
    assert all(earlier.column < later.column for earlier, later in pairwise(placed))
    shown = {one.column for one in placed}
    worst = max(columns[i].rank for i in shown)
    assert all(columns[i].rank >= worst for i in range(len(columns)) if i not in shown)


def test_the_rate_is_that_of_the_last_seconds():
    rate = HeadRate()
    assert rate.per_s is None
    for second, position in enumerate((0, 1_000, 1_000, 1_000)):
        rate.add(position, float(second))
    assert rate.per_s == pytest.approx(1_000 / 3)
    assert rate.history == [1_000, 0, 0]
    rate.add(1_000, 30.0)
    assert rate.per_s == 0
    rate.add(10, 31.0)
    assert rate.per_s is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 漢", "plain ä 漢"),
        ("\x1b]0;x\x07", "\\u001b]0;x\\u0007"),
        ("\x9b31m", "\\u009b31m"),
        ("a\u202eb\u2028c\ufeff", "a\\u202eb\\u2028c\\ufeff"),
        ("a\tb\nc", "a\\tb\\nc"),
        ("\ud800", "\\ud800"),
    ],
)
def test_text_steers_nothing(text: str, shown: str):
    assert visible(text) == shown


def test_text_is_cut_where_there_is_no_more_room():
    assert visible("abcdef", 6) == "abcdef"
    assert visible("abcdefg", 6) == "abcde…"
    assert visible("\x00" * 100, 6) == "\\u000…"
    assert visible_lines("a\tb\n\x1bc") == "a    b\n\\u001bc"


def test_numbers_and_times_as_people_read_them():
    assert [counted(one) for one in (0, 7, 0.25, 9.99, 12.3, 1_234_567)] == ["0", "7", "0.2", "10.0", "12", "1,234,567"]
    assert [duration(one) for one in (0.003, 1, 119, 121, 7_199, 7_201, 172_799, 172_801, 1e8)] == [
        "3 ms", "1 s", "119 s", "2 min", "120 min", "2 h", "48 h", "2 d", "1,157 d",
    ]  # fmt: skip
