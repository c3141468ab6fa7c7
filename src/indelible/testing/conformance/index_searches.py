"""The promises of a query index about what it finds: each operator, of each type, at its bounds."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from uuid import UUID

import pytest

from indelible.indexes.index import QueryIndex
from indelible.limits import (
    INDEX_VALUE_LENGTH_MAX,
    SEARCH_CONDITIONS_MAX,
    SEARCH_VALUES_MAX,
    SEARCH_VALUES_TOGETHER_MAX,
)
from indelible.search import SearchQuery, Value, Where, kept_value
from indelible.testing.conformance.helpers import ODD_NAMES
from indelible.testing.conformance.index_helpers import (
    AMOUNT,
    DUE,
    IS_PAID,
    NAME,
    WithIndex,
    document,
    filled,
    found,
    found_aggregates,
    having,
    those_found,
    those_where,
)

NUMBERS: Final[Sequence[int | float]] = (
    -1e300, -(2**63), -(2**63) + 1, -(2**53) - 1, -(2**53), -1.5, -1, -5e-324, 0, 5e-324, 0.1, 0.1 + 2**-55, 1, 1.5,
    2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, 2**63 - 1025, 2**63 - 1024, 2**63 - 1, float(2**63), float(2**64), 1e300,
)  # fmt: skip
"""In order. Some that a double, or 64 bits, cannot tell from their neighbours."""

STRINGS: Final[Sequence[str]] = sorted((
    "", "\x00", "\x00a", " ", '"', "%", "'", "*", "A", "AB", "_", "a", "a\x00", "a\x00b", "a%", "a*", "aB", "a_", "ab",
    "ab\U0010ffff", "ab\U0010ffff\U0010ffff", "abc", "b", "e\u0301", "\u00e9", "\ud7ff", "\ue000", "\uffff",
    "\U00010000", "\U0001f600", "\U0001f600x", "\U0010ffff", "\U0010ffff\U0010ffff",
))  # fmt: skip
"""In the order of their code points."""

_COMPARED: Final = {
    "=": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}
BERLIN: Final = timezone(timedelta(hours=1))


def _time(time_us: int, zone: timezone = UTC) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)).astimezone(zone)


async def _check_order(index: QueryIndex, path: str, values: Sequence[Value], operators: Sequence[str]) -> None:
    documents = [having(path, one) for one in values]
    await filled(index, documents)
    for (number, value), operator in itertools.product(enumerate(values), operators):
        # By place in the list: these are in order, whatever Python makes of comparing them.
        expected = [one for one in range(len(values)) if _COMPARED[operator](one, number)]
        narrow = (Where(path, "exists"), Where(path, operator, value))
        assert await those_found(index, documents, SearchQuery(where=narrow)) == expected, (operator, value)


@pytest.mark.asyncio
class IndexSearchConformance(WithIndex):
    async def test_numbers(self, index: QueryIndex) -> None:
        values = [kept_value(one, "number") for one in NUMBERS]
        await _check_order(index, AMOUNT, [one for one in values if one is not None], list(_COMPARED))

    async def test_whole_numbers_are_the_same_with_and_without_a_point(self, index: QueryIndex) -> None:
        documents = [having(AMOUNT, 1), having(AMOUNT, 2**53), having(AMOUNT, float(2**63))]
        await filled(index, documents)
        for asked, number in ((1.0, 0), (float(2**53), 1), (2**63, 2), (float(2**63), 2)):
            assert await those_where(index, documents, AMOUNT, "=", asked) == [number]
            assert await those_where(index, documents, AMOUNT, "in", [asked, 7]) == [number]
        assert await those_where(index, documents, AMOUNT, "=", 2**53 + 1) == []
        assert await those_where(index, documents, AMOUNT, "=", 2**63 - 1) == []

    async def test_the_least_whole_number_is_one_number(self, index: QueryIndex) -> None:
        least = (-(2**63), -(2.0**63))
        kept = [one for one in (kept_value(number, "number") for number in least) if isinstance(one, int)]
        assert kept == [-(2**63)] * 2
        documents = [having(AMOUNT, one) for one in kept]
        await filled(index, documents)
        everything = Where("event_type", "=", "Happened")
        for asked in least:
            assert await those_where(index, documents, AMOUNT, "=", asked) == [0, 1]
            query = SearchQuery(where=(everything, Where(AMOUNT, "!=", asked)))
            assert await those_found(index, documents, query) == []

    async def test_strings(self, index: QueryIndex) -> None:
        await _check_order(index, NAME, STRINGS, list(_COMPARED))

    async def test_prefixes(self, index: QueryIndex) -> None:
        documents = [having(NAME, one) for one in STRINGS]
        await filled(index, documents)
        for prefix in (*STRINGS, "ab\U0010fffe", "\ud7fe", "B", "abcd"):
            expected = [number for number, one in enumerate(STRINGS) if one.startswith(prefix)]
            assert await those_where(index, documents, NAME, "prefix", prefix) == expected, prefix

    async def test_long_strings_are_told_apart_to_the_end(self, index: QueryIndex) -> None:
        long = "x" * (INDEX_VALUE_LENGTH_MAX - 1)
        documents = [having(NAME, long + "a"), having(NAME, long + "b"), having(NAME, long)]
        await filled(index, documents)
        assert await those_where(index, documents, NAME, "=", long + "b") == [1]
        assert await those_where(index, documents, NAME, ">", long + "a") == [1]
        assert await those_where(index, documents, NAME, "prefix", long) == [0, 1, 2]

    async def test_booleans(self, index: QueryIndex) -> None:
        documents = [having(IS_PAID, True), having(IS_PAID, False), document(), having(IS_PAID, True, False)]
        await filled(index, documents)
        assert await those_where(index, documents, IS_PAID, "=", True) == [0, 3]
        assert await those_where(index, documents, IS_PAID, "=", False) == [1, 3]
        assert await those_where(index, documents, IS_PAID, "in", [True, False]) == [0, 1, 3]

    async def test_times(self, index: QueryIndex) -> None:
        times = [
            kept_value(one, "time")
            for one in (
                "0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z",
                "2026-01-31T11:59:59.999999Z", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000001Z",
                "9999-12-31T23:59:59.999999Z",
            )
        ]  # fmt: skip
        documents = [having(DUE, one) for one in times if one is not None]
        assert len(documents) == 7
        await filled(index, documents)
        for asked in ("2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-01-31T02:30:00-09:30"):
            for operator, expected in (
                ("=", [4]), ("<", [0, 1, 2, 3]), ("<=", [0, 1, 2, 3, 4]), (">", [5, 6]), (">=", [4, 5, 6]),
            ):  # fmt: skip
                assert await those_where(index, documents, DUE, operator, asked) == expected, (operator, asked)
        assert await those_where(index, documents, DUE, "=", datetime(2026, 1, 31, 13, tzinfo=BERLIN)) == [4]

    async def test_in(self, index: QueryIndex) -> None:
        documents = [having(NAME, f"n{number}") for number in range(60)]
        await filled(index, documents)
        for count in (1, 2, 16, 17, 50):
            asked = [f"n{number}" for number in range(count)]
            assert await those_where(index, documents, NAME, "in", ["other", *asked, *asked]) == list(range(count))

    async def test_as_much_as_is_allowed_at_once(self, index: QueryIndex) -> None:
        documents = [having(AMOUNT, number) for number in range(5)]
        await filled(index, documents)
        condition = Where(AMOUNT, "in", list(range(2, 2 + SEARCH_VALUES_MAX)))
        count = (SEARCH_VALUES_TOGETHER_MAX - SEARCH_VALUES_MAX) // (SEARCH_CONDITIONS_MAX - 1)
        others = [
            Where(AMOUNT, "in", [3, *range(10 * n, 10 * n + count - 1)]) for n in range(10, 9 + SEARCH_CONDITIONS_MAX)
        ]
        query = SearchQuery(where=(condition, *others))
        assert len(query.where) == SEARCH_CONDITIONS_MAX
        assert await those_found(index, documents, query) == [3]
        assert len(await found_aggregates(index, query)) == 1

    async def test_fields_that_are_missing(self, index: QueryIndex) -> None:
        documents = [having(NAME, "a"), having(AMOUNT, 1), document(), document(values={NAME: ["b"], AMOUNT: [2]})]
        await filled(index, documents)
        assert await those_where(index, documents, NAME, "exists", True) == [0, 3]
        everything = Where("event_type", "=", "Happened")
        for condition, expected in (
            (Where(NAME, "exists", False), [1, 2]), (Where(NAME, "!=", "a"), [1, 2, 3]),
            (Where(AMOUNT, "!=", 2), [0, 1, 2]), (Where("version", "exists", True), [0, 1, 2, 3]),
            (Where("version", "exists", False), []), (Where("version", "!=", 1), []),
        ):  # fmt: skip
            query = SearchQuery(where=(everything, condition))
            assert await those_found(index, documents, query) == expected, condition
        for operator in ("=", "<", "<=", ">", ">="):
            assert 2 not in await those_where(index, documents, AMOUNT, operator, 1)

    async def test_of_several_values_one_that_fits_is_enough(self, index: QueryIndex) -> None:
        documents = [having(AMOUNT, 1, 5, 9), having(AMOUNT, 2, 5), having(AMOUNT, 5)]
        await filled(index, documents)
        for operator, value, expected in (
            ("=", 5, [0, 1, 2]), ("=", 9, [0]), ("<", 2, [0]), ("<=", 2, [0, 1]), (">", 5, [0]), (">=", 5, [0, 1, 2]),
            ("in", [1, 2], [0, 1]),
        ):  # fmt: skip
            assert await those_where(index, documents, AMOUNT, operator, value) == expected, (operator, value)
        present = Where(AMOUNT, "exists")
        for value, expected in ((5, []), (1, [1, 2]), (2, [0, 2]), (7, [0, 1, 2])):
            query = SearchQuery(where=(present, Where(AMOUNT, "!=", value)))
            assert await those_found(index, documents, query) == expected, value
        # Each condition may be met by another value.
        between = SearchQuery(where=(Where(AMOUNT, ">", 2), Where(AMOUNT, "<", 5)))
        assert await those_found(index, documents, between) == [0, 1]

    async def test_own_fields(self, index: QueryIndex) -> None:
        ids = [UUID(int=number << 120 | 1) for number in (1, 2, 0xA0, 0xFF)]
        documents = [
            document(event_id=ids[0], event_type="Paid", aggregate=("order", "1"), version=1),
            document(event_id=ids[1], event_type="Placed", aggregate=("order", "10"), version=2),
            document(event_id=ids[2], event_type="Paid", aggregate=("cart", "1"), version=10),
            document(event_id=ids[3], event_type="Pa", aggregate=("ord", "é"), version=2**53 - 1),
        ]
        await filled(index, documents)
        time = _time(documents[1].place.timestamp_us, BERLIN)
        for field, operator, value, expected in (
            ("event_type", "=", "Paid", [0, 2]), ("event_type", "in", ["Pa", "Placed"], [1, 3]),
            ("event_type", "prefix", "Pa", [0, 2, 3]), ("event_type", ">", "Paid", [1]),
            ("event_type", "=", "paid", []),
            ("aggregate_type", "=", "order", [0, 1]), ("aggregate_type", "prefix", "ord", [0, 1, 3]),
            ("aggregate_type", "<", "ord", [2]), ("aggregate_type", "<=", "ord", [2, 3]),
            ("aggregate_id", "=", "1", [0, 2]), ("aggregate_id", "prefix", "1", [0, 1, 2]),
            ("aggregate_id", "in", ["10", "é"], [1, 3]), ("aggregate_id", ">", "1", [1, 3]),
            ("version", "=", 10, [2]), ("version", "<", 10, [0, 1]), ("version", ">=", 2, [1, 2, 3]),
            ("version", ">", 1.5, [1, 2, 3]), ("version", "=", 2**53 - 1, [3]), ("version", "in", [1, 2, 3], [0, 1]),
            ("timestamp", "=", time, [1]), ("timestamp", "<", time, [0]), ("timestamp", "<=", time, [0, 1]),
            ("timestamp", ">", time, [2, 3]), ("timestamp", ">=", time, [1, 2, 3]), ("timestamp", "in", [time], [1]),
        ):  # fmt: skip
            assert await those_where(index, documents, field, operator, value) == expected, (field, operator, value)

    async def test_event_ids_are_compared_as_text(self, index: QueryIndex) -> None:
        documents = [
            document(event_id=UUID(int=number << 112 | number)) for number in (0, 0x9A, 0xA000, 0xABCD, 0xFFFF)
        ]
        texts = [str(one.place.event_id) for one in documents]
        await filled(index, documents)
        asked = (
            *texts, "", "0", "00", "a", "A", "abcd0", "abcd0000-", "abcd0000-0000-0000-0000-00000000abcd0", "g", "-",
            "\x7f", texts[3].upper(), texts[3].replace("-", ""), "é",
        )  # fmt: skip
        for value in asked:
            for operator in ("=", "<", "<=", ">", ">="):
                expected = [number for number, one in enumerate(texts) if _COMPARED[operator](one, value)]
                assert await those_where(index, documents, "event_id", operator, value) == expected, (operator, value)
            expected = [number for number, one in enumerate(texts) if one.startswith(value)]
            assert await those_where(index, documents, "event_id", "prefix", value) == expected, value
            query = SearchQuery(where=(Where("event_type", "=", "Happened"), Where("event_id", "!=", value)))
            expected = [number for number, one in enumerate(texts) if one != value]
            assert await those_found(index, documents, query) == expected, value
        assert await those_where(index, documents, "event_id", "in", [*texts[2:], "x"]) == [2, 3, 4]

    async def test_names_tags_and_times(self, index: QueryIndex) -> None:
        documents = [
            document(event_type="A", aggregate=("x", "1"), tags=["red", "big"]),
            document(event_type="B", aggregate=("y", "1"), tags=["red"]),
            document(event_type="A", aggregate=("y", "2")),
            document(event_type="C", aggregate=("z", "2"), tags=["Red", "big"]),
        ]
        await filled(index, documents)
        third = documents[2].place.timestamp_us
        for query, expected in (
            (SearchQuery(), [0, 1, 2, 3]), (SearchQuery(event_types=("A",)), [0, 2]),
            (SearchQuery(event_types=("A", "C", "D")), [0, 2, 3]),
            (SearchQuery(aggregate_types=("y", "z")), [1, 2, 3]),
            (SearchQuery(tags=("red",)), [0, 1]), (SearchQuery(tags=("big", "red")), [0]),
            (SearchQuery(tags=("re",)), []),
            (SearchQuery(event_types=("A",), aggregate_types=("y",)), [2]),
            (SearchQuery(event_types=("B",), tags=("big",)), []),
            (SearchQuery(since=_time(third)), [2, 3]), (SearchQuery(since=_time(third + 1)), [3]),
            (SearchQuery(until=_time(third)), [0, 1]), (SearchQuery(until=_time(third + 1)), [0, 1, 2]),
            (SearchQuery(since=_time(third), until=_time(third)), []),
            (SearchQuery(since=_time(third), until=_time(third + 1)), [2]),
            (SearchQuery(since=_time(third, BERLIN)), [2, 3]), (SearchQuery(until=_time(third, BERLIN)), [0, 1]),
        ):  # fmt: skip
            assert await those_found(index, documents, query) == expected, query

    async def test_odd_names(self, index: QueryIndex) -> None:
        documents = [
            document(event_type=one, aggregate=(one.replace("-", "") or "x", one), tags=[one], values={NAME: [one]})
            for one in ODD_NAMES
        ]
        await filled(index, documents)
        for number, one in enumerate(ODD_NAMES):
            for query in (
                SearchQuery(event_types=(one,)), SearchQuery(tags=(one,)),
                SearchQuery(where=(Where(NAME, "=", one),)),
                SearchQuery(where=(Where("aggregate_id", "=", one),)),
                SearchQuery(where=(Where("event_type", "=", one),)),
                SearchQuery(aggregate_types=(documents[number].aggregate.aggregate_type,)),
            ):  # fmt: skip
                assert await those_found(index, documents, query) == [number], query

    async def test_fields_are_told_apart(self, index: QueryIndex) -> None:
        """Values of one are not those of another, nor tags."""
        fields: dict[str, Any] = {f"metadata.f{number}": "string" for number in range(12)}
        documents = [having(path, "same") for path in fields]
        documents.append(document(tags=["same"], event_type="same"))
        await filled(index, documents, fields)
        for number, path in enumerate(fields):
            query = SearchQuery(where=(Where(path, "=", "same"),))
            assert await found(index, query, fields=fields) == [documents[number].place]

    async def test_conditions_together(self, index: QueryIndex) -> None:
        documents = [
            document(event_type="AB"[n % 2], tags=[f"t{n % 3}"], values={AMOUNT: [n], NAME: [f"n{n % 5}"]})
            for n in range(90)
        ]
        await filled(index, documents)
        conditions = (Where(NAME, "in", ["n1", "n2"]), Where(AMOUNT, ">=", 20), Where(AMOUNT, "!=", 52))
        query = SearchQuery(
            where=conditions, event_types=("A",), tags=("t1",),
            since=_time(documents[22].place.timestamp_us), until=_time(documents[80].place.timestamp_us),
        )  # fmt: skip
        expected = [
            n for n in range(90)
            if n % 2 == 0 and n % 3 == 1 and n % 5 in (1, 2) and n >= 20 and n != 52 and 22 <= n < 80
        ]  # fmt: skip
        assert await those_found(index, documents, query) == expected
        assert expected
