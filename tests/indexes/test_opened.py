"""An index that several use in one process is opened again by whoever asks for that once it was unavailable."""

import os
from pathlib import Path
from typing import Any

import pytest

from indelible.indexes.index import IndexState, IndexUnavailable
from indelible.indexes.opened import OpenedIndex
from indelible.indexes.sqlite import SqliteIndex
from indelible.search import SearchQuery
from indexes.troubled import FIELDS, TroubledIndex

ALL = SearchQuery().checked(FIELDS)


class Counted(TroubledIndex):
    opened = 0

    async def open(self) -> Any:
        self.opened += 1
        return await super().open()


async def search(index: OpenedIndex) -> None:
    await index.search(ALL, order="newest", limit=1, behind=None)


async def test_it_is_opened_again_once_it_was_unavailable() -> None:
    inner = Counted()
    index = OpenedIndex(inner)
    begun = await index.begin(FIELDS)
    await index.swap(begun.number)
    for _ in range(3):
        await search(index)
        await index.open()
    assert inner.opened == 1
    inner.is_away = True
    with pytest.raises(IndexUnavailable):
        await search(index)
    assert inner.opened == 1, "who searches does not open it"
    for _ in range(2):
        with pytest.raises(IndexUnavailable):
            await index.open()
    assert inner.opened == 3
    inner.is_away = False
    await search(index)
    for _ in range(3):
        assert (await index.open()).serving is not None
    assert inner.opened == 4


async def test_a_catalog_that_was_found_damaged_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "search.db"
    index, other = OpenedIndex(SqliteIndex(path)), OpenedIndex(SqliteIndex(path))
    try:
        begun = await index.begin(FIELDS)
        await index.swap(begun.number)
        assert (await other.open()).serving == (await index.open()).serving is not None
        # It changes, so that the other has to read it again.
        await index.begin({})
        for one in (path, path.with_name(f"{path.name}-wal")):
            with one.open("r+b") as file:
                file.write(os.urandom(one.stat().st_size))
        with pytest.raises(IndexUnavailable):
            await other.open()
        assert await other.open() == IndexState(None, None)
        assert (await other.begin(FIELDS)).number > begun.number
    finally:
        await index.close()
        await other.close()
