"""Head, event types, aggregate types, and the list of aggregates."""

from collections.abc import Sequence

import pytest

from indelible.cursors import position_of
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, AggregateInfo, EventStore
from indelible.testing.conformance.helpers import ODD_NAMES, append_noise, some_events, unique

SUFFIXES = (
    "", "a", "aa", "ab", "b", "%", "%_", "_", "a%b", "a_b", "axb", "back\\slash", "back\\\\", "back", "*", "?", "[a]",
    "é", "e\u0301", "日本", "日本語", "\ud7ff", "\ue000", "\uffff", "\U0001f980", "\U0010ffff", "\U0010ffff\U0010ffff",
    "\U0010ffffa", "A", "a ", "'", '"', "\u00ff", "ÿz", "~",
)  # fmt: skip
"""Of names that begin alike: wildcards of SQL, what quotes them, and what has nothing or little behind it."""


def prefixes_of(names: Sequence[str], stem: str) -> list[str]:
    """Whole names, what they begin with, and what none begins with."""
    begin = {name[:end] for name in names for end in (len(stem) - 1, len(stem), len(stem) + 1, len(name))}
    return sorted(begin | {stem + "zz", stem + "%%", stem.upper(), f"{stem}aaa", stem + "\U0010ffff" * 3})


async def _list_all(store: EventStore, aggregate_type: str | None, limit: int, prefix: str = "") -> list[AggregateInfo]:
    found: list[AggregateInfo] = []
    after: str | None = None
    while True:
        page = await store.list_aggregates(aggregate_type=aggregate_type, prefix=prefix, after=after, limit=limit)
        assert len(page.aggregates) <= limit
        found += page.aggregates
        if page.at_end:
            return found
        assert page.aggregates
        assert page.cursor != after
        after = page.cursor


def _utf8(info: AggregateInfo) -> tuple[bytes, bytes]:
    return info.aggregate_type.encode(), info.aggregate_id.encode()


@pytest.mark.asyncio
class CatalogueConformance:
    async def test_head_moves_with_the_log(self, store: EventStore) -> None:
        before = await store.head()
        result = await append_noise(store, 5)
        head = await store.head()
        assert head.position == before.position + 5
        assert head.partitions > 1 or result.position == head.position == position_of(head.cursor)
        assert head.partitions == before.partitions >= 1
        assert await store.head() == head

    async def test_event_types_are_counted_by_aggregate_type(self, store: EventStore) -> None:
        a, b, x, y = unique("A"), unique("B"), unique("X"), unique("Y")
        await store.append(x, unique(), [NewEvent(a), NewEvent(b), NewEvent(a)])
        await store.append(y, unique(), [NewEvent(a)])
        await store.append(x, unique(), [NewEvent(a)])
        infos = await store.event_types()
        counts = {(i.event_type, i.aggregate_type): i.events for i in infos if i.event_type in (a, b)}
        assert counts == {(a, x): 3, (a, y): 1, (b, x): 1}
        pairs = [(i.event_type.encode(), i.aggregate_type.encode()) for i in infos]
        assert pairs == sorted(set(pairs))
        assert sum(i.events for i in infos) == (await store.head()).position

    async def test_aggregate_types_are_counted(self, store: EventStore) -> None:
        x, y, aggregate_id = unique("X"), unique("Y"), unique()
        await store.append(x, aggregate_id, some_events(2))
        await store.append(x, aggregate_id, some_events(1))
        await store.append(x, unique(), some_events(1))
        await store.append(y, aggregate_id, some_events(1))
        infos = await store.aggregate_types()
        counts = {i.aggregate_type: (i.aggregates, i.events) for i in infos if i.aggregate_type in (x, y)}
        assert counts == {x: (2, 4), y: (1, 1)}
        names = [i.aggregate_type.encode() for i in infos]
        assert names == sorted(set(names))
        assert sum(i.events for i in infos) == (await store.head()).position

    @pytest.mark.parametrize("limit", [1, 7, 1_000])
    async def test_aggregates_of_one_type_in_order(self, store: EventStore, limit: int) -> None:
        aggregate_type = unique("Order")
        names = [*ODD_NAMES, "a", "A", "a-", "aa", "\uffff", "\U00010000"]
        for name in names:
            await store.append(aggregate_type, name, some_events(len(name.encode()) % 3 + 1))
        await append_noise(store)
        infos = await _list_all(store, aggregate_type, limit)
        assert [i.aggregate_id for i in infos] == sorted(names, key=str.encode)
        assert {i.aggregate_type for i in infos} == {aggregate_type}
        for info in infos[::9]:
            assert info == await store.get_aggregate(aggregate_type, info.aggregate_id)

    async def test_aggregates_of_all_types_in_order(self, store: EventStore) -> None:
        # Types that are prefixes of one another must not run together.
        stem = unique("Order")
        keys = [(stem + suffix, name) for suffix in ("", "0", "é", "_") for name in ("b", "a")]
        for key in keys:
            await store.append(*key, some_events(1))
        infos = await _list_all(store, None, 50)
        assert [_utf8(info) for info in infos] == sorted({_utf8(info) for info in infos})
        mine = [(i.aggregate_type, i.aggregate_id) for i in infos if i.aggregate_type.startswith(stem)]
        assert mine == sorted(keys, key=lambda key: (key[0].encode(), key[1].encode()))

    # --- Prefixes ----------------------------------------------------------------------------------------------------

    async def test_types_that_begin_so(self, store: EventStore) -> None:
        stem = unique("Tp")
        names = [stem + one for one in SUFFIXES]
        appends = [AggregateAppend.of(unique("Other"), unique(), [NewEvent(names[0])])]
        for number, name in enumerate(names):
            appends.append(AggregateAppend.of(name, unique(), [NewEvent(name) for _ in range(number % 3 + 1)]))
            appends.append(AggregateAppend.of(name, unique(), [NewEvent(stem[:-1])]))
        await store.append_each(appends)
        event_types, aggregate_types = await store.event_types(), await store.aggregate_types()
        assert await store.event_types(prefix="") == event_types
        assert await store.aggregate_types(prefix="") == aggregate_types
        for prefix in prefixes_of(names, stem):
            found = await store.event_types(prefix=prefix)
            assert found == tuple(one for one in event_types if one.event_type.startswith(prefix)), prefix
            kinds = await store.aggregate_types(prefix=prefix)
            assert kinds == tuple(one for one in aggregate_types if one.aggregate_type.startswith(prefix)), prefix
        assert {one.events for one in await store.event_types(prefix=names[2])} == {3}
        assert [(one.aggregates, one.events) for one in await store.aggregate_types(prefix=stem + "%_")] == [(2, 2)]

    async def test_aggregates_that_begin_so(self, store: EventStore) -> None:
        x, y = sorted((unique("X"), unique("Y")))
        stem = unique("id")
        names = [stem + one for one in SUFFIXES]
        await store.append_each([
            AggregateAppend.of(kind, name, some_events(number % 3 + 1))
            for kind in (x, y)
            for number, name in enumerate([*names, unique("before"), "\U0010ffff" * 255])
        ])  # fmt: skip
        every = {kind: await _list_all(store, kind, 1_000) for kind in (x, y)}
        for prefix in [*prefixes_of(names, stem), "\U0010ffff", "\U0010ffff" * 254, "\U0010ffff" * 255]:
            for limit in (2, 1_000):
                found = await _list_all(store, x, limit, prefix)
                assert found == [one for one in every[x] if one.aggregate_id.startswith(prefix)], prefix
        assert await _list_all(store, y, 1_000, "") == every[y]
        # Of all types.
        for prefix in (stem, stem + "a", stem + "\U0010ffff"):
            both = [one for kind in (x, y) for one in every[kind] if one.aggregate_id.startswith(prefix)]
            assert await _list_all(store, None, 3, prefix) == both

    async def test_aggregates_that_begin_so_behind_a_cursor(self, store: EventStore) -> None:
        kind = unique("Order")
        names = ("a1", "b1", "b2", "b3", "c1")
        await store.append_each([AggregateAppend.of(kind, name, some_events(1)) for name in names])
        page = await store.list_aggregates(aggregate_type=kind, prefix="b", limit=1)
        assert ([one.aggregate_id for one in page.aggregates], page.at_end) == (["b1"], False)
        for prefix, after_b1 in (("b", ["b2", "b3"]), ("b3", ["b3"]), ("b1", []), ("a", []), ("c", ["c1"]), ("d", [])):
            more = await store.list_aggregates(aggregate_type=kind, prefix=prefix, after=page.cursor)
            assert ([one.aggregate_id for one in more.aggregates], more.at_end) == (after_b1, True), prefix

    async def test_list_says_when_it_is_complete(self, store: EventStore) -> None:
        aggregate_type = unique("Order")
        for name in ("a", "b", "c"):
            await store.append(aggregate_type, name, some_events(1))
        for limit, at_end in ((2, False), (3, True), (4, True)):
            page = await store.list_aggregates(aggregate_type=aggregate_type, limit=limit)
            assert (len(page.aggregates), page.at_end) == (min(limit, 3), at_end)
            rest = await store.list_aggregates(aggregate_type=aggregate_type, after=page.cursor)
            assert (len(rest.aggregates), rest.at_end) == (3 - min(limit, 3), True)

    async def test_no_aggregates_of_an_unknown_type(self, store: EventStore) -> None:
        page = await store.list_aggregates(aggregate_type=unique("Nothing"))
        assert (page.aggregates, page.at_end) == ((), True)
        again = await store.list_aggregates(aggregate_type=unique("Nothing"), after=page.cursor)
        assert (again.aggregates, again.at_end) == ((), True)

    async def test_list_that_grew_goes_on_from_its_cursor(self, store: EventStore) -> None:
        aggregate_type = unique("Order")
        for name in ("a", "c"):
            await store.append(aggregate_type, name, some_events(1))
        page = await store.list_aggregates(aggregate_type=aggregate_type)
        assert page.at_end
        for name in ("b", "d"):
            await store.append(aggregate_type, name, some_events(1))
        more = await store.list_aggregates(aggregate_type=aggregate_type, after=page.cursor)
        assert [i.aggregate_id for i in more.aggregates] == ["d"]
