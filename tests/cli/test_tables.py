"""What stands where on a narrow terminal, and that nothing is lost there."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indelible.cli.tables import Table, json_lines, json_parts

GROUPS = Table(
    ("group", "position", "lag", "in_flight", "parked_aggregates"),
    [("billing", "1042", "7", "3", "0"), ("mails", "1049", "0", "0", "12")],
    ("position", "lag", "in_flight", "parked_aggregates"),
)
PARKED = Table(
    ("position", "aggregate_id", "parked_at", "reason"),
    [("1042", "o-7001", "2026-01-31T12:00:00.000001Z", "the bank is closed and nobody answers the telephone there")],
    ("position",),
)


def drawn(table: Table, width: int | None) -> list[str]:
    return [line for line, _ in table.lines(width)]


def test_what_fits_stands_as_it_is() -> None:
    assert drawn(GROUPS, None) == drawn(GROUPS, 54) == [
        "group    position  lag  in_flight  parked_aggregates",
        "billing      1042    7          3                  0",
        "mails        1049    0          0                 12",
    ]  # fmt: skip


def test_headings_take_several_lines() -> None:
    assert drawn(GROUPS, 50)[:2] == [
        "                                      parked_",
        "group    position  lag  in_flight  aggregates",
    ]
    assert drawn(GROUPS, 44) == [
        "                           in_     parked_",
        "group    position  lag  flight  aggregates",
        "billing      1042    7       3           0",
        "mails        1049    0       0          12",
    ]


def test_words_are_wrapped_and_times_lose_their_microseconds() -> None:
    assert drawn(PARKED, 74) == [
        "          aggregate_",
        "position  id          parked_at             reason",
        "    1042  o-7001      2026-01-31T12:00:00Z  the bank is closed and nobody",
        "                                            answers the telephone there",
    ]


def test_where_that_is_not_enough_each_row_is_a_list() -> None:
    assert drawn(PARKED, 40) == [
        "position      1042",
        "aggregate_id  o-7001",
        "parked_at     2026-01-31T12:00:00.000001Z",
        "reason        the bank is closed and nobody answers the telephone there",
    ]


WORDS = st.lists(st.text("abc-_/", min_size=1, max_size=30), max_size=4).map(" ".join)


@settings(max_examples=50)
@given(st.lists(st.tuples(WORDS, WORDS, st.integers().map(str)), max_size=4), st.integers(1, 120))
def test_nothing_is_lost_and_a_table_is_never_too_wide(rows: list[tuple[str, str, str]], width: int) -> None:
    table = Table(("some_name", "other", "count"), rows, ("count",))
    lines = drawn(table, width)
    for row in rows:
        for word in " ".join(row).split():
            assert word in " ".join(lines)
    is_list = [style for _, style in table.lines(width)][:1] == [""]
    assert is_list or not rows or max(map(len, lines)) <= width


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_what_fits_stands_on_one_line() -> None:
    text = b'{"total":12.50,"customer":{"id":"c-1","tags":[1,2]},"empty":{},"none":[]}'
    assert json_lines(text, 100) == [
        '{"total": 12.50, "customer": {"id": "c-1", "tags": [1, 2]}, "empty": {}, "none": []}'
    ]
    assert json_lines(text, 48) == [
        "{",
        '  "total": 12.50,',
        '  "customer": {"id": "c-1", "tags": [1, 2]},',
        '  "empty": {},',
        '  "none": []',
        "}",
    ]


@pytest.mark.parametrize(
    "text", [b"1", b'"{"', b'"a\\"{"', b"[]", b"null", b'["[", "]", {"}": "{"}]', b'{"a":1,"a":2}']
)
@pytest.mark.parametrize("width", [1, 8, 80])
def test_nothing_of_the_text_changes(text: bytes, width: int) -> None:
    lines = json_lines(text, width)
    assert "".join("".join(lines).split()) == "".join(text.decode().split())
    assert ["".join(part for part, _ in json_parts(line)) for line in lines] == lines


def test_numbers_strings_keys_and_words_have_colours() -> None:
    styles = {text: style for text, style in json_parts('{"a": 1.50e3, "b:": [true, null, "x: \\"1\\""]}') if style}
    assert styles == {
        '"a"': "blue", "1.50e3": "cyan", '"b:"': "blue", "true": "magenta", "null": "magenta", '"x: \\"1\\""': "green",
    }  # fmt: skip
