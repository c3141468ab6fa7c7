"""The promises of a query index about documents that it refuses for good: none is lost from sight, and each can be
tried again."""

from collections.abc import Callable, Sequence

import pytest

from indelible.cursors import START, cursor_at
from indelible.indexes.index import Document, IndexMoved, QueryIndex
from indelible.search import SearchQuery
from indelible.testing.conformance.index_helpers import (
    FIELDS,
    NAME,
    MakeIndex,
    WithIndex,
    document,
    empty,
    filled,
    found,
    more,
)

ALL = SearchQuery()

MakeRefused = Callable[[], Document]
"""Makes a document that the backend refuses, and of which it would take the place with an ordinary document."""


def mended(refused: Document) -> Document:
    """The same event as a document that is taken."""
    place = refused.place
    return document(time_us=place.timestamp_us, position=place.position, event_id=place.event_id)


async def listed(index: QueryIndex, generation: int) -> list[object]:
    rejected = await index.rejected(generation)
    assert all(one.reason for one in rejected)
    assert [one.place.position for one in rejected] == sorted(one.place.position for one in rejected)
    return [one.place for one in rejected]


def places(documents: Sequence[Document]) -> list[object]:
    return [one.place for one in documents]


@pytest.mark.asyncio
class IndexRefusalConformance(WithIndex):
    """For indexes that refuse some documents. Fixtures: ``make_index``, as for all suites of indexes, and
    ``make_refused``, which gives a :data:`MakeRefused`."""

    async def test_what_is_refused_is_listed_and_all_else_is_added(
        self, index: QueryIndex, make_refused: MakeRefused
    ) -> None:
        serving = await empty(index)
        assert await listed(index, serving.number) == []
        documents = [document(), make_refused(), document(), make_refused(), make_refused()]
        mixed = [documents[number] for number in (4, 2, 1, 0, 3)]
        rejected = await index.apply(serving.number, mixed, after=serving.cursor, cursor=cursor_at(9))
        refused = [documents[number] for number in (1, 3, 4)]
        assert {one.place for one in rejected} == set(places(refused))
        assert await listed(index, serving.number) == places(refused)
        assert await found(index, ALL) == [documents[0].place, documents[2].place]
        state = await index.state()
        assert state.serving is not None
        assert (state.serving.cursor, state.serving.documents) == (cursor_at(9), 2)

    async def test_the_list_grows_from_batch_to_batch(self, index: QueryIndex, make_refused: MakeRefused) -> None:
        refused = [make_refused() for _ in range(4)]
        serving = await filled(index, refused[:2])
        await more(index, [document()])
        assert await listed(index, serving.number) == places(refused[:2])
        await more(index, refused[2:])
        assert await listed(index, serving.number) == places(refused)

    async def test_tried_again_those_that_are_taken_leave_it(
        self, index: QueryIndex, make_refused: MakeRefused
    ) -> None:
        refused = [make_refused() for _ in range(3)]
        serving = await filled(index, [*refused, document()])
        again = [mended(refused[0]), refused[1], mended(refused[2])]
        rejected = await index.apply(serving.number, again, after=cursor_at(1), cursor=cursor_at(1))
        assert [one.place for one in rejected] == await listed(index, serving.number) == places(refused[1:2])
        all_places = await found(index, ALL)
        assert (len(all_places), all_places[:2]) == (3, [refused[0].place, refused[2].place])
        state = await index.state()
        assert state.serving is not None
        assert (state.serving.cursor, state.serving.documents) == (cursor_at(1), 3)
        assert not await index.apply(serving.number, [mended(refused[1])], after=cursor_at(1), cursor=cursor_at(1))
        assert await listed(index, serving.number) == []
        assert (await found(index, ALL))[:3] == [one.place for one in refused]
        await more(index, [])

    async def test_tried_again_from_elsewhere_nothing_changes(
        self, index: QueryIndex, make_refused: MakeRefused
    ) -> None:
        one = make_refused()
        serving = await filled(index, [one])
        for cursor in (START, cursor_at(2)):
            with pytest.raises(IndexMoved):
                await index.apply(serving.number, [mended(one)], after=cursor, cursor=cursor)
        assert await listed(index, serving.number) == places([one])
        assert await found(index, ALL) == []

    async def test_one_that_comes_again_and_is_taken_leaves_it(
        self, index: QueryIndex, make_refused: MakeRefused
    ) -> None:
        refused = [make_refused(), make_refused()]
        serving = await filled(index, refused)
        await more(index, [mended(refused[0])])
        assert await listed(index, serving.number) == places(refused[1:])
        assert await found(index, ALL) == [refused[0].place]

    async def test_events_with_one_id_of_different_partitions_are_told_apart(
        self, index: QueryIndex, make_refused: MakeRefused
    ) -> None:
        one, other = make_refused(), make_refused()
        event_id = one.place.event_id
        other = other._replace(place=other.place._replace(event_id=event_id))
        taken = document(event_id=event_id)
        serving = await filled(index, [one, taken, other])
        assert await listed(index, serving.number) == places([one, other])
        assert await found(index, ALL) == [taken.place]
        later = document(event_id=event_id)
        await more(index, [later])
        assert await listed(index, serving.number) == places([one, other])
        await more(index, [mended(other)])
        assert await listed(index, serving.number) == places([one])
        assert await found(index, ALL) == sorted([taken.place, later.place, other.place])

    async def test_each_generation_has_its_own(self, index: QueryIndex, make_refused: MakeRefused) -> None:
        one, other = make_refused(), make_refused()
        serving = await filled(index, [one])
        begun = await index.begin({NAME: "string"})
        assert await listed(index, begun.number) == []
        await index.apply(begun.number, [other], after=START, cursor=cursor_at(1))
        assert (await index.begin({NAME: "string"})).number == begun.number
        assert await listed(index, begun.number) == places([other])
        assert await listed(index, serving.number) == places([one])
        await index.swap(begun.number)
        assert await listed(index, begun.number) == places([other])
        with pytest.raises(IndexMoved):
            await index.rejected(serving.number)
        another = await index.begin(FIELDS)
        assert await listed(index, another.number) == []

    async def test_kept_over_a_reopen(
        self, index: QueryIndex, make_index: MakeIndex, make_refused: MakeRefused
    ) -> None:
        refused, building = make_refused(), make_refused()
        serving = await filled(index, [refused])
        begun = await index.begin({NAME: "string"})
        await index.apply(begun.number, [building], after=START, cursor=cursor_at(1))
        before = [await index.rejected(one.number) for one in (serving, begun)]
        await index.close()
        again = make_index()
        await again.open()
        try:
            assert [list(await again.rejected(one.number)) for one in (serving, begun)] == list(map(list, before))
            assert await listed(again, serving.number) == places([refused])
            await again.apply(begun.number, [mended(building)], after=cursor_at(1), cursor=cursor_at(1))
            assert await listed(again, begun.number) == []
            await again.swap(begun.number)
            assert await found(again, ALL) == [building.place]
        finally:
            await again.close()
