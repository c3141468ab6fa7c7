"""The promises of a query index about order and pages, of events and of aggregates."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from indelible.cursors import START, cursor_at
from indelible.indexes.index import Document, QueryIndex
from indelible.search import Order, SearchQuery, Where
from indelible.testing.conformance.index_helpers import (
    AMOUNT,
    FIELDS,
    FIRST_US,
    NAME,
    WithIndex,
    document,
    filled,
    found,
    found_aggregates,
    having,
    more,
)

ORDERS: tuple[Order, ...] = ("newest", "oldest")


async def _check_pages(index: QueryIndex, documents: Sequence[Document], query: SearchQuery, limit: int) -> None:
    places = sorted(one.place for one in documents)
    for order in ORDERS:
        expected = places[::-1] if order == "newest" else places
        assert await found(index, query, order=order, limit=limit) == expected, (query, order)


@pytest.mark.asyncio
class IndexPageConformance(WithIndex):
    async def test_pages_by_every_condition(self, index: QueryIndex) -> None:
        documents = [
            document(event_type="AB"[n % 2], tags=["t"], values={AMOUNT: [n, -n - 1], NAME: [f"n{n % 3}"]}, text="word")
            for n in range(40)
        ]
        await filled(index, documents)
        queries = [
            SearchQuery(), SearchQuery(event_types=("A", "B")), SearchQuery(tags=("t",)),
            SearchQuery(where=(Where(AMOUNT, "<", 100),)), SearchQuery(where=(Where(NAME, "prefix", "n"),)),
            SearchQuery(where=(Where(NAME, "in", ["n0", "n1", "n2"]),)), SearchQuery(where=(Where("version", "=", 1),)),
            SearchQuery(where=(Where(AMOUNT, "exists"),)), SearchQuery(where=(Where("event_id", ">=", "0"),)),
        ]  # fmt: skip
        if index.capabilities.text:
            queries.append(SearchQuery("word"))
        for query in queries:
            for limit in (7, 39, 40, 41):
                await _check_pages(index, documents, query, limit)

    async def test_whether_there_is_more_is_said_exactly(self, index: QueryIndex) -> None:
        await filled(index, [document() for _ in range(5)])
        query = SearchQuery().checked(FIELDS)
        for order in ORDERS:
            for limit, is_last in ((4, False), (5, True), (6, True)):
                hits, _ = await index.search(query, order=order, limit=limit, behind=None)
                assert (len(hits.places), hits.is_last) == (min(limit, 5), is_last)

    async def test_equal_times_are_in_the_order_of_positions_and_ids(self, index: QueryIndex) -> None:
        """As the events of one commit, or those of several partitions."""
        documents = [
            document(time_us=FIRST_US + time, position=position, event_id=UUID(int=number << 64 | time << 8 | position))
            for time in (0, 1, 2) for position in (3, 1, 2) for number in (9, 1, 5)
        ]  # fmt: skip
        await filled(index, documents)
        for limit in (1, 2, 4, 27):
            await _check_pages(index, documents, SearchQuery(), limit)
            await _check_pages(index, documents, SearchQuery(event_types=("Happened",)), limit)

    async def test_very_many_of_one_time(self, index: QueryIndex) -> None:
        crowd = [document(time_us=FIRST_US, position=position) for position in range(1, 301)]
        near = [document(time_us=FIRST_US + after, position=300 + after) for after in range(1, 12)]
        before = [document(time_us=FIRST_US - 1, position=400 + n) for n in range(3)]
        await filled(index, crowd[:250])
        await more(index, [*crowd[250:], *near])
        await more(index, before)
        documents = [*before, *crowd, *near]
        for limit in (11, 100, 500):
            await _check_pages(index, documents, SearchQuery(), limit)
        for after in range(-1, 12):
            at = Where(
                "timestamp", "=", f"2026-01-01T00:00:00.{after:06d}Z" if after >= 0 else "2025-12-31T23:59:59.999999Z"
            )
            expected = sorted(one.place for one in documents if one.place.timestamp_us == FIRST_US + after)
            assert await found(index, SearchQuery(where=(at,)), limit=90) == expected

    async def test_documents_that_come_out_of_order(self, index: QueryIndex) -> None:
        """As those of partitions do, each of which has an order of its own."""
        times = [(n * 7_919) % 1_000 for n in range(120)]
        documents = [document(time_us=FIRST_US + time, position=n % 10 + 1) for n, time in enumerate(times)]
        await index.drop()
        begun = await index.begin(FIELDS)
        cursor = START
        for number in range(0, 120, 20):
            after, cursor = cursor, cursor_at(number + 20)
            await index.apply(begun.number, documents[number : number + 20], after=after, cursor=cursor)
        await index.swap(begun.number)
        for limit in (7, 50, 200):
            await _check_pages(index, documents, SearchQuery(), limit)
            await _check_pages(index, documents, SearchQuery(event_types=("Happened", "x")), limit)

    async def test_a_place_need_not_be_one_of_a_document(self, index: QueryIndex) -> None:
        documents = [document(time_us=FIRST_US + 10 * n, position=10 * n) for n in range(1, 6)]
        await filled(index, documents)
        query = SearchQuery().checked(FIELDS)
        behind = documents[2].place._replace(timestamp_us=FIRST_US + 35, position=1)
        newest, _ = await index.search(query, order="newest", limit=9, behind=behind)
        assert list(newest.places) == [one.place for one in documents[2::-1]]
        oldest, _ = await index.search(query, order="oldest", limit=9, behind=behind)
        assert list(oldest.places) == [one.place for one in documents[3:]]

    async def test_pages_go_on_while_documents_are_added(self, index: QueryIndex) -> None:
        documents = [document() for _ in range(6)]
        await filled(index, documents)
        query = SearchQuery().checked(FIELDS)
        first, _ = await index.search(query, order="newest", limit=3, behind=None)
        await more(index, [document()])
        second, _ = await index.search(query, order="newest", limit=9, behind=first.places[-1])
        assert [*first.places, *second.places] == [one.place for one in reversed(documents)]

    # --- Aggregates --------------------------------------------------------------------------------------------------

    async def test_aggregates_are_distinct_and_in_order(self, index: QueryIndex) -> None:
        names = [
            (kind, name)
            for kind in ("A", "a", "ab", "b", "é", "\ue000", "\U0001f600")
            for name in ("1", "10", "2", "A", "a", "é", "\U0001f600", " ")
        ]  # fmt: skip
        documents = [
            document(aggregate=name, version=version, values={AMOUNT: [version]}, text="word")
            for version in (1, 2, 3) for name in names
        ]  # fmt: skip
        await filled(index, documents)
        expected = sorted(names, key=lambda name: (name[0].encode(), name[1].encode()))
        queries = [
            SearchQuery(), SearchQuery(event_types=("Happened",)), SearchQuery(where=(Where(AMOUNT, ">", 1),)),
            SearchQuery(where=(Where("version", "in", [1, 3]),)),
        ]  # fmt: skip
        if index.capabilities.text:
            queries.append(SearchQuery("word"))
        for number, query in enumerate(queries):
            for limit in (10, 56, 57) if number else (1, 10, 56, 57):
                keys = await found_aggregates(index, query, limit=limit)
                assert [(one.aggregate_type, one.aggregate_id) for one in keys] == expected, (query, limit)

    async def test_aggregates_of_what_fits_alone(self, index: QueryIndex) -> None:
        documents = [
            document(aggregate=("order", f"{n % 6}"), event_type="AB"[n % 2], values={AMOUNT: [n]}) for n in range(24)
        ]
        await filled(index, documents)
        for query, ids in (
            (SearchQuery(event_types=("A",)), ["0", "2", "4"]),
            (SearchQuery(where=(Where(AMOUNT, ">", 21),)), ["4", "5"]),
            (SearchQuery(where=(Where(AMOUNT, "in", [0, 6, 13]),)), ["0", "1"]), (SearchQuery(event_types=("C",)), []),
            (SearchQuery(aggregate_types=("order",), where=(Where("aggregate_id", "=", "3"),)), ["3"]),
            (SearchQuery(aggregate_types=("cart",)), []),
        ):  # fmt: skip
            for limit in (1, 2, 10):
                assert [one.aggregate_id for one in await found_aggregates(index, query, limit=limit)] == ids, query

    async def test_more_than_can_be_looked_at_one_by_one(self, index: QueryIndex) -> None:
        """Enough that a backend may choose another way: every condition is met by very many."""
        looks_at_max = index.capabilities.looks_at_max
        count = 6_000 if looks_at_max is None else min(6_000, looks_at_max // 20)
        documents = [
            document(
                aggregate=(f"type{n % 3}", f"{n % 500:03d}"), event_type="AB"[n % 2], tags=["t"],
                values={AMOUNT: [n], NAME: [f"n{n % 7}"]}, text="every event" if n % 5 else "every event, rare",
            )
            for n in range(count)
        ]  # fmt: skip
        await filled(index, documents[: count // 2])
        await more(index, documents[count // 2 :])
        query = SearchQuery(event_types=("A",), tags=("t",), where=(Where(AMOUNT, ">=", 100), Where(NAME, "!=", "n3")))
        fitting = [one for n, one in enumerate(documents) if n % 2 == 0 and n >= 100 and n % 7 != 3]
        await _check_pages(index, fitting, query, 500)
        keys = sorted({(one.aggregate.aggregate_type, one.aggregate.aggregate_id) for one in fitting})
        for limit in (100, 2_000):
            assert [
                (one.aggregate_type, one.aggregate_id) for one in await found_aggregates(index, query, limit=limit)
            ] == keys
        if index.capabilities.text:
            await _check_pages(
                index, [one for n, one in enumerate(documents) if n % 5 == 0], SearchQuery("every rare"), 700
            )

    async def test_none_fit(self, index: QueryIndex) -> None:
        await filled(index, [having(NAME, "a")])
        for query in (SearchQuery(where=(Where(NAME, "=", "b"),)), SearchQuery(event_types=("None",))):
            assert await found(index, query) == []
            assert await found_aggregates(index, query) == []
