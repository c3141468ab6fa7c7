"""The promises of a query index about its generations: begun, applied to, swapped, dropped."""

import asyncio
import time

import pytest

from indelible.cursors import START, cursor_at
from indelible.indexes.index import IndexMoved, IndexState, Place, QueryIndex
from indelible.search import FieldType, SearchQuery, Where
from indelible.testing.conformance.index_helpers import (
    AMOUNT,
    FIELDS,
    NAME,
    WithIndex,
    document,
    filled,
    found,
    found_aggregates,
    having,
    more,
    those_found,
    those_where,
)

ALL = SearchQuery()
_PATIENCE_S = 60


async def _moved(index: QueryIndex, generation: int, *, after: int, cursor: int = 100) -> None:
    with pytest.raises(IndexMoved) as caught:
        await index.apply(generation, [document()], after=cursor_at(after), cursor=cursor_at(cursor))
    assert str(caught.value)


async def _of_one_moment(index: QueryIndex) -> tuple[IndexState, list[Place]]:
    """State, and what is found then: what was given up may take effect in between, where a backend is elsewhere."""
    while True:
        state = await index.state()
        places = await found(index, ALL)
        if await index.state() == state:
            return state, places


@pytest.mark.asyncio
class IndexGenerationConformance(WithIndex):
    async def test_nothing_is_searched_before_the_first_is_complete(self, index: QueryIndex) -> None:
        await index.drop()
        assert await index.state() == IndexState(None, None)
        begun = await index.begin(FIELDS)
        assert (begun.fields, begun.cursor, begun.documents) == (FIELDS, START, 0)
        assert await index.state() == IndexState(None, begun)
        await index.apply(begun.number, [document()], after=START, cursor=cursor_at(1))
        query = ALL.checked(FIELDS)
        with pytest.raises(IndexMoved):
            await index.search(query, order="newest", limit=1, behind=None)
        with pytest.raises(IndexMoved):
            await index.search_aggregates(query, limit=1, behind=None)

    async def test_documents_and_cursor_move_together(self, index: QueryIndex) -> None:
        documents = [document() for _ in range(7)]
        serving = await filled(index, documents[:4])
        assert (serving.cursor, serving.documents) == (cursor_at(1), 4)
        cursor = await more(index, documents[4:])
        hits, generation = await index.search(ALL.checked(FIELDS), order="oldest", limit=10, behind=None)
        assert list(hits.places) == [one.place for one in documents]
        assert (generation.number, generation.cursor, generation.documents) == (serving.number, cursor, 7)
        assert generation == (await index.state()).serving

    async def test_what_the_log_was_at_the_cursor_moves_with_it(self, index: QueryIndex) -> None:
        serving = await filled(index, [document()])
        assert serving.log_hash == ""
        begun = await index.begin(FIELDS)
        for number, log_hash in enumerate(("0a" * 32, "0b" * 32, ""), start=1):
            for one, at in ((serving, number), (begun, number - 1)):
                documents = [document()] if number == 1 else []
                await index.apply(
                    one.number, documents, after=cursor_at(at), cursor=cursor_at(at + 1), log_hash=log_hash
                )
            state = await index.state()
            assert state.serving is not None
            assert state.building is not None
            assert (state.serving.cursor, state.serving.log_hash) == (cursor_at(number + 1), log_hash)
            assert (state.building.cursor, state.building.log_hash) == (cursor_at(number), log_hash)
            _, generation = await index.search(ALL.checked(FIELDS), order="newest", limit=1, behind=None)
            assert generation.log_hash == log_hash

    async def test_nothing_to_add_moves_the_cursor(self, index: QueryIndex) -> None:
        serving = await filled(index, [document()])
        cursor = await more(index, [])
        state = await index.state()
        assert state.serving is not None
        assert (state.serving.cursor, state.serving.documents) == (cursor, 1)
        assert state.serving.number == serving.number

    async def test_a_building_one_keeps_what_it_is_given_from_batch_to_batch(self, index: QueryIndex) -> None:
        await index.drop()
        begun = await index.begin(FIELDS)
        documents = [document() for _ in range(6)]
        for number in range(3):
            part = documents[2 * number : 2 * number + 2]
            await index.apply(begun.number, part, after=cursor_at(number), cursor=cursor_at(number + 1))
            building = (await index.state()).building
            assert building is not None
            assert (building.cursor, building.documents) == (cursor_at(number + 1), 2 * number + 2)
        await index.swap(begun.number)
        assert await found(index, ALL) == [one.place for one in documents]

    async def test_who_is_not_where_the_generation_is_changes_nothing(self, index: QueryIndex) -> None:
        one = document()
        serving = await filled(index, [one])
        for after in (0, 2):
            await _moved(index, serving.number, after=after)
        await _moved(index, serving.number + 1, after=1)
        assert await index.state() == IndexState(serving, None)
        assert await found(index, ALL) == [one.place]
        await more(index, [])

    async def test_a_building_one_that_is_elsewhere_keeps_what_it_has(self, index: QueryIndex) -> None:
        await index.drop()
        begun = await index.begin(FIELDS)
        one = document()
        await index.apply(begun.number, [one], after=START, cursor=cursor_at(1))
        await _moved(index, begun.number, after=0)
        await index.swap(begun.number)
        assert await found(index, ALL) == [one.place]

    async def test_begun_again_with_the_same_fields_it_goes_on(self, index: QueryIndex) -> None:
        await index.drop()
        begun = await index.begin(FIELDS)
        await index.apply(begun.number, [document()], after=START, cursor=cursor_at(1))
        again = await index.begin(dict(reversed(list(FIELDS.items()))))
        assert (again.number, again.cursor, again.documents) == (begun.number, cursor_at(1), 1)

    async def test_begun_again_with_other_fields_it_starts_anew(self, index: QueryIndex) -> None:
        await index.drop()
        begun = await index.begin(FIELDS)
        await index.apply(begun.number, [having(NAME, "a")], after=START, cursor=cursor_at(1))
        others: list[dict[str, FieldType]] = [{NAME: "string"}, {NAME: "number"}, {}]
        for fields in others:
            other = await index.begin(fields)
            assert other.number > begun.number
            assert (other.fields, other.cursor, other.documents) == (fields, START, 0)
            await _moved(index, begun.number, after=1)
            with pytest.raises(IndexMoved):
                await index.swap(begun.number)
            begun = other
        assert await index.state() == IndexState(None, begun)

    async def test_one_is_searched_while_the_next_is_built(self, index: QueryIndex) -> None:
        old = [having(AMOUNT, 1), having(AMOUNT, 2)]
        serving = await filled(index, old)
        begun = await index.begin({NAME: "string"})
        new = [having(NAME, "a"), having(NAME, "b")]
        await index.apply(begun.number, new[:1], after=START, cursor=cursor_at(1))
        assert await those_where(index, old, AMOUNT, "=", 2) == [1]
        await more(index, [])
        assert await found(index, ALL) == [one.place for one in old]
        await index.apply(begun.number, new[1:], after=cursor_at(1), cursor=cursor_at(2))
        await index.swap(begun.number)
        assert await found(index, ALL) == [one.place for one in new]
        state = await index.state()
        assert state.building is None
        assert state.serving is not None
        assert (state.serving.number, state.serving.fields, state.serving.cursor) == (
            begun.number, {NAME: "string"}, cursor_at(2),
        )  # fmt: skip
        await _moved(index, serving.number, after=2)

    async def test_swapped_again_nothing_changes(self, index: QueryIndex) -> None:
        one = document()
        serving = await filled(index, [one])
        begun = await index.begin({})
        await index.swap(serving.number)
        assert await index.state() == IndexState(serving, begun)
        for number in (serving.number - 1, begun.number + 1):
            with pytest.raises(IndexMoved):
                await index.swap(number)
        assert await found(index, ALL) == [one.place]

    async def test_dropped_all_is_gone(self, index: QueryIndex) -> None:
        serving = await filled(index, [document()])
        begun = await index.begin({})
        await index.drop()
        await index.drop()
        assert await index.state() == IndexState(None, None)
        for generation in (serving, begun):
            await _moved(index, generation.number, after=int(generation.cursor))
            with pytest.raises(IndexMoved):
                await index.swap(generation.number)
        assert (await index.begin({})).number > begun.number

    async def test_an_event_that_comes_again_takes_its_place(self, index: QueryIndex) -> None:
        first, other = document(values={NAME: ["a"], AMOUNT: [1, 2]}, text="old", tags=["x"]), document()
        again = first._replace(event_type="Other", version=2, tags=("y",), values={NAME: ("b",)}, text="new")
        serving = await filled(index, [first, other])
        await more(index, [again])
        state = await index.state()
        assert state.serving is not None
        assert state.serving.documents == serving.documents
        documents = [again, other]
        assert await found(index, ALL) == [first.place, other.place]
        for field, operator, value, numbers in (
            (NAME, "=", "a", []), (NAME, "=", "b", [0]), (AMOUNT, ">", 0, []), ("version", "=", 2, [0]),
            ("version", "=", 1, [1]), ("event_type", "=", "Other", [0]), ("event_type", "=", "Happened", [1]),
        ):  # fmt: skip
            assert await those_where(index, documents, field, operator, value) == numbers
        assert await found(index, SearchQuery(tags=("x",))) == []
        assert await found(index, SearchQuery(tags=("y",))) == [first.place]
        if index.capabilities.text:
            assert await found(index, SearchQuery("old")) == []
            assert await found(index, SearchQuery("new")) == [first.place]

    async def test_events_with_one_id_of_different_partitions_stand_beside_one_another(self, index: QueryIndex) -> None:
        """An id is unique within its partition alone; of the first two here only the aggregate and the time differ."""
        first = document(values={NAME: ["a"]}, text="one", tags=["x"], aggregate=("order", "1"), position=7)
        event_id = first.place.event_id
        second = document(values={NAME: ["b"]}, text="two", aggregate=("bill", "1"), position=7, event_id=event_id)
        serving = await filled(index, [first, second, document()])
        third = document(values={NAME: ["c"]}, text="three", aggregate=("note", "1"), event_id=event_id)
        fourth = document(aggregate=("note", "2"), event_id=event_id, position=7, time_us=first.place.timestamp_us - 1)
        await more(index, [third])
        await more(index, [fourth])
        documents = [first, second, third, fourth]
        is_of_it = SearchQuery(where=(Where("event_id", "=", str(event_id)),))
        assert await those_found(index, documents, is_of_it) == [0, 1, 2, 3]
        for number, name in enumerate("abc"):
            assert await those_where(index, documents, NAME, "=", name) == [number]
        assert await those_found(index, documents, SearchQuery(aggregate_types=("bill", "note"))) == [1, 2, 3]
        assert len(await found_aggregates(index, is_of_it)) == 4
        await more(index, [second._replace(values={NAME: ("d",)}, text="four"), third])
        state = await index.state()
        assert state.serving is not None
        assert (serving.documents, state.serving.documents) == (3, 5)
        assert await those_found(index, documents, is_of_it) == [0, 1, 2, 3]
        for name, numbers in (("a", [0]), ("b", []), ("c", [2]), ("d", [1])):
            assert await those_where(index, documents, NAME, "=", name) == numbers
        if index.capabilities.text:
            for word, numbers in (("one", [0]), ("two", []), ("three", [2]), ("four", [1])):
                assert await those_found(index, documents, SearchQuery(word)) == numbers

    async def test_events_with_one_id_stand_beside_one_another_while_it_is_built(self, index: QueryIndex) -> None:
        await index.drop()
        begun = await index.begin(FIELDS)
        first = having(NAME, "a")
        others = [document(event_id=first.place.event_id, values={NAME: [one]}) for one in "bc"]
        for number, batch in enumerate(([first], others, [first, others[0]])):
            await index.apply(begun.number, batch, after=cursor_at(number), cursor=cursor_at(number + 1))
        await index.swap(begun.number)
        state = await index.state()
        assert state.serving is not None
        assert state.serving.documents == 3
        assert await found(index, ALL) == [one.place for one in (first, *others)]
        for number, name in enumerate("abc"):
            assert await those_where(index, [first, *others], NAME, "=", name) == [number]

    async def test_of_one_event_in_a_batch_the_last_counts(self, index: QueryIndex) -> None:
        first = having(NAME, "a")
        documents = [first, document(), first._replace(values={NAME: ("b",)})]
        assert (await filled(index, documents)).documents == 2
        assert len(await found(index, ALL)) == 2
        assert await those_where(index, documents, NAME, "=", "a") == []
        assert await those_where(index, documents, NAME, "=", "b") == [2]

    async def test_an_event_of_a_batch_before_comes_again_while_it_is_built(self, index: QueryIndex) -> None:
        await index.drop()
        begun = await index.begin(FIELDS)
        first = having(NAME, "a")
        again = first._replace(values={NAME: ("b",)})
        for number, one in enumerate((first, again)):
            await index.apply(begun.number, [one], after=cursor_at(number), cursor=cursor_at(number + 1))
        await index.swap(begun.number)
        assert await those_where(index, [again], NAME, "=", "a") == []
        assert await those_where(index, [again], NAME, "=", "b") == [0]

    async def test_given_up_it_is_done_whole_or_not_at_all(self, index: QueryIndex) -> None:
        serving = await filled(index, [])
        held, cursor = 0, serving.cursor
        for number in range(12):
            documents = [document(text="one two three") for _ in range(50)]
            goal = cursor_at(int(cursor) + 1)
            applying = asyncio.create_task(index.apply(serving.number, documents, after=cursor, cursor=goal))
            await asyncio.sleep(number / 2_000)
            applying.cancel()
            await asyncio.wait({applying})
            state, places = await _of_one_moment(index)
            assert state.serving is not None
            assert state.serving.cursor in (cursor, goal)
            held += 50 if state.serving.cursor == goal else 0
            cursor = state.serving.cursor
            assert state.serving.documents == held
            assert len(places) == held

    async def test_what_is_found_is_of_one_moment(self, index: QueryIndex) -> None:
        """While documents are added, and one generation takes another's place, ten documents a step of the cursor."""
        serving = await filled(index, [])
        query, is_done, has_seen_the_end = ALL.checked(FIELDS), asyncio.Event(), asyncio.Event()
        seen: set[tuple[int, str]] = set()

        async def look() -> None:
            while not is_done.is_set():
                began_at = time.perf_counter()
                hits, generation = await index.search(query, order="newest", limit=1_000, behind=None)
                took_s = time.perf_counter() - began_at
                first = 1 if generation.number == serving.number else 0
                assert len(hits.places) == 10 * (int(generation.cursor) - first)
                seen.add((generation.number, generation.cursor))
                if generation.cursor == cursor_at(25):
                    has_seen_the_end.set()
                # A backend elsewhere is to have time for what is added.
                await asyncio.sleep(5 * took_s)

        looking = [asyncio.create_task(look()) for _ in range(3)]
        try:
            for _ in range(20):
                await more(index, [document() for _ in range(10)])
            begun = await index.begin(FIELDS)
            for number in range(20):
                added = [document() for _ in range(10)]
                await index.apply(begun.number, added, after=cursor_at(number), cursor=cursor_at(number + 1))
            await index.swap(begun.number)
            for _ in range(5):
                await more(index, [document() for _ in range(10)])
            end = asyncio.create_task(has_seen_the_end.wait())
            await asyncio.wait({end, *looking}, timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            is_done.set()
            await asyncio.gather(*looking)
        assert {number for number, _ in seen} <= {serving.number, begun.number}
        assert (begun.number, cursor_at(25)) in seen

    async def test_ordinary_documents_are_not_refused(self, index: QueryIndex) -> None:
        serving = await filled(index, [document(), having(NAME, "a"), document(text="x y", tags=["t"])])
        begun = await index.begin({})
        for one in (serving, begun):
            assert list(await index.rejected(one.number)) == []
        await index.swap(begun.number)
        with pytest.raises(IndexMoved):
            await index.rejected(serving.number)
        await index.drop()
        for number in (begun.number, begun.number + 1):
            with pytest.raises(IndexMoved):
                await index.rejected(number)

    async def test_closed_twice(self, index: QueryIndex) -> None:
        await index.close()
        await index.close()
