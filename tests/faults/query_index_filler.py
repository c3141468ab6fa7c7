"""A process that fills a query index, and builds it anew again and again, until it is killed::

    python -m faults.query_index_filler URL

The cursor N stands for the documents 1 to N. Says on its output how often it swapped, and what was out of reach.
"""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from indelible.cursors import cursor_at
from indelible.events import AggregateKey
from indelible.indexes.index import Document, Generation, IndexMoved, IndexUnavailable, Place, QueryIndex
from indelible.indexes.makers import make_index
from indelible.search import FieldType, SearchQuery, Where

NUMBER, WORD = "event_data.number", "event_data.word"
FIELDS: Final[Mapping[str, FieldType]] = {NUMBER: "number", WORD: "string"}
REBUILD_EVERY: Final = 5
"""Batches."""
DOCUMENTS_MAX: Final = 3_000
"""Then it begins anew with none."""
TESTS: Final = Path(__file__).resolve().parents[1]
START_TIMEOUT_S: Final = 120


def document(number: int) -> Document:
    event_id = UUID(int=(number * 0x9E3779B97F4A7C15) % 2**64 << 64 | number)
    return Document(
        Place(1_770_000_000_000_000 + number // 3, number, event_id),
        f"Type{number % 3}",
        AggregateKey("order", str(number % 17)),
        number // 17 + 1,
        (f"tag{number % 5}",),
        {NUMBER: (number, -number), WORD: (f"word{number % 7}",)},
        f"text{number % 11} all",
    )  # fmt: skip


async def check(index: QueryIndex) -> int:
    """That the generation that is searched holds what its cursor says, however it is asked; how much that is."""
    serving = (await index.state()).serving
    if serving is None:
        return 0
    documents = [document(number) for number in range(1, int(serving.cursor) + 1)]
    assert serving.documents == len(documents)
    for query, numbers in (
        (SearchQuery(), range(1, len(documents) + 1)),
        (SearchQuery("all"), range(1, len(documents) + 1)),
        (SearchQuery("text4"), range(4, len(documents) + 1, 11)),
        (SearchQuery(where=(Where(WORD, "=", "word3"),)), range(3, len(documents) + 1, 7)),
        (SearchQuery(where=(Where(NUMBER, ">", 0),)), range(1, len(documents) + 1)),
        (SearchQuery(where=(Where("event_id", ">=", "0"),)), range(1, len(documents) + 1)),
        (SearchQuery(event_types=("Type2",), tags=("tag1",)), range(11, len(documents) + 1, 15)),
    ):
        checked = query.checked(FIELDS)
        hits, generation = await index.search(checked, order="oldest", limit=2 * DOCUMENTS_MAX, behind=None)
        assert generation == serving
        assert [place.position for place in hits.places] == list(numbers), query
        assert list(hits.places) == [documents[number - 1].place for number in numbers], query
        keys, _ = await index.search_aggregates(checked, limit=100, behind=None)
        assert {one.aggregate_id for one in keys.aggregates} == {str(number % 17) for number in numbers}, query
    return len(documents)


@asynccontextmanager
async def filling(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Such a process, from its first swap on. Killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "faults.query_index_filler", url, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_TIMEOUT_S):
            assert await process.stdout.readline()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class _Filler:
    def __init__(self, url: str) -> None:
        self._index = make_index(url)
        self._chance = random.Random()
        self._batches = 0

    async def run(self) -> None:
        while True:
            try:
                await self._index.open()
                await self._fill()
            except IndexUnavailable as error:
                print(f"unavailable: {error}", flush=True)
                await asyncio.sleep(0.02)
            except IndexMoved:
                pass

    async def _fill(self) -> None:
        state = await self._index.state()
        serving, building = state.serving, state.building
        if building is not None:
            goal = 0 if serving is None or int(serving.cursor) > DOCUMENTS_MAX else int(serving.cursor)
            await self._build(building, goal)
        elif serving is None or self._batches >= REBUILD_EVERY:
            self._batches = 0
            await self._index.begin(FIELDS)
        else:
            self._batches += 1
            await self._add(serving, self._chance.randrange(1, 200))

    async def _build(self, building: Generation, goal: int) -> None:
        at = int(building.cursor)
        while at < goal:
            count = min(goal - at, self._chance.randrange(1, 200))
            building = await self._add(building, count)
            at += count
        await self._index.swap(building.number)
        print("swapped", flush=True)

    async def _add(self, generation: Generation, count: int) -> Generation:
        at = int(generation.cursor)
        documents = [document(number) for number in range(at + 1, at + count + 1)]
        cursor = cursor_at(at + count)
        await self._index.apply(generation.number, documents, after=generation.cursor, cursor=cursor)
        return Generation(generation.number, generation.fields, cursor, generation.documents + count)


if __name__ == "__main__":
    asyncio.run(_Filler(sys.argv[1]).run())
