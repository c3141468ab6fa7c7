"""What a durable query index holds is still there when it is opened again."""

import pytest

from indelible.cursors import START, cursor_at
from indelible.indexes.index import IndexMoved, IndexState
from indelible.search import SearchQuery
from indelible.testing.conformance.index_helpers import FIELDS, NAME, MakeIndex, document, filled, found, more

ALL = SearchQuery()


@pytest.mark.asyncio
class ReopenIndexConformance:
    """For indexes that outlive their process. Fixture: ``make_index``, which gives a new one, not yet open, over the
    same storage each time."""

    async def test_closed_and_opened_again(self, make_index: MakeIndex) -> None:
        index = make_index()
        await index.open()
        documents = [document() for _ in range(3)]
        serving = await filled(index, documents[:2])
        begun = await index.begin({NAME: "string"})
        await index.apply(begun.number, [document()], after=START, cursor=cursor_at(1), log_hash="0a" * 32)
        state = await index.state()
        assert state.building is not None
        assert state.building.log_hash == "0a" * 32
        await index.close()
        again = make_index()
        try:
            assert await again.open() == await again.state() == state
            assert await found(again, ALL) == [one.place for one in documents[:2]]
            cursor = await more(again, documents[2:])
            await again.apply(begun.number, [document()], after=cursor_at(1), cursor=cursor_at(2))
            _, generation = await again.search(ALL.checked(FIELDS), order="newest", limit=1, behind=None)
            assert (generation.number, generation.cursor, generation.documents) == (serving.number, cursor, 3)
            await again.swap(begun.number)
            assert len(await found(again, ALL)) == 2
        finally:
            await again.close()

    async def test_the_same_one_opened_again(self, make_index: MakeIndex) -> None:
        index = make_index()
        await index.open()
        try:
            serving = await filled(index, [document()])
            await index.close()
            assert await index.open() == IndexState(serving, None)
            assert await index.open() == IndexState(serving, None)
            assert len(await found(index, ALL)) == 1
        finally:
            await index.close()

    async def test_dropped_it_stays_so_and_numbers_never_come_again(self, make_index: MakeIndex) -> None:
        index = make_index()
        await index.open()
        serving = await filled(index, [document()])
        await index.drop()
        await index.close()
        again = make_index()
        try:
            assert await again.open() == IndexState(None, None)
            assert (await again.begin(FIELDS)).number > serving.number
        finally:
            await again.close()

    async def test_two_at_once_see_what_the_other_does(self, make_index: MakeIndex) -> None:
        """As a second process does that searches, or that takes over."""
        one, other = make_index(), make_index()
        await one.open()
        await other.open()
        try:
            serving = await filled(one, [document()])
            assert len(await found(other, ALL)) == 1
            await more(one, [document()])
            assert len(await found(other, ALL)) == 2
            with pytest.raises(IndexMoved):
                await other.apply(serving.number, [document()], after=cursor_at(1), cursor=cursor_at(2))
            await more(other, [document()])
            assert len(await found(one, ALL)) == 3
            begun = await one.begin({})
            await one.swap(begun.number)
            assert await found(other, ALL) == []
            with pytest.raises(IndexMoved):
                await other.swap(serving.number)
            with pytest.raises(IndexMoved):
                await other.apply(serving.number, [], after=cursor_at(3), cursor=cursor_at(4))
        finally:
            await one.close()
            await other.close()
