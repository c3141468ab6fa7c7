"""Trying again the events that an index refused: what kept it from taking them may be mended."""

import asyncio
import random
from collections.abc import Sequence
from typing import Final

from indelible.eventstore import MeasuringStore
from indelible.indexes.document_making import documents_of
from indelible.indexes.documents import DocumentMaker
from indelible.indexes.index import Document, Generation, IndexMoved, IndexUnavailable, QueryIndex
from indelible.indexes.log_lines import lines_of
from indelible.limits import INDEX_BATCH_EVENTS_MAX

ATTEMPTS: Final = 20
"""To apply documents at the cursor of a generation, which somebody moves on meanwhile."""
_PAUSE_S: Final = 0.05


async def try_again(log: MeasuringStore, index: QueryIndex, generation: int, maker: DocumentMaker) -> None:
    """Read the events that a generation refuses from the log, and apply them once more. What is taken is found from now
    on. Raises ``IndexMoved`` when the generation is gone, ``IndexUnavailable``, and what :func:`lines_of` raises."""
    refused = [one.place for one in await index.rejected(generation)]
    while refused:
        lines = await lines_of(log, refused[:INDEX_BATCH_EVENTS_MAX])
        await _apply(index, generation, await documents_of(b"\n".join([one.line for one in lines]), maker))
        refused = refused[len(lines) :]


async def _apply(index: QueryIndex, generation: int, documents: Sequence[Document]) -> None:
    for _ in range(ATTEMPTS):
        at = await _found(index, generation)
        try:
            await index.apply(generation, documents, after=at.cursor, cursor=at.cursor, log_hash=at.log_hash)
        except IndexMoved:
            # The indexer has applied events. That the generation is gone the next look tells.
            await asyncio.sleep(random.uniform(0, _PAUSE_S))  # noqa: S311 - only spreads them
        else:
            return
    raise IndexUnavailable("it goes on so fast that nothing is added behind its cursor; try once more")


async def _found(index: QueryIndex, generation: int) -> Generation:
    state = await index.state()
    for one in (state.serving, state.building):
        if one is not None and one.number == generation:
            return one
    raise IndexMoved(f"generation {generation} is gone")
