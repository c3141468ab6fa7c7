"""Looks at append conditions before the writer: on the engine's readers, page by page, beside everything else.

The head is read first, and what matches is looked for up to there. A request then goes to the writer with that
knowledge, and the writer looks at what came since. What the look has found is decided there too: in the serial order
of appends, after event ids that are stored already, and after expected versions.
"""

import asyncio
from typing import Final

import msgspec

from indelible.conditions import AppendCondition, Looked, condition_failed
from indelible.engines.engine import StorageEngine
from indelible.engines.feed_walk import Look, Range
from indelible.errors import ConditionTooCostly, InvalidRequest, Overloaded
from indelible.eventstore import AppendRequest
from indelible.limits import (
    CONDITION_ENTRIES_MAX,
    CONDITION_FIRST_PAGES_MAX,
    CONDITION_FURTHER_PAGES_MAX,
    CONDITION_SHORT_EVENTS,
    QUEUE_REQUESTS_MAX,
    RETRY_AFTER_S,
)


class ConditionLooks:
    """Belongs to one event loop."""

    def __init__(self, engine: StorageEngine) -> None:
        self._engine: Final = engine
        # Whoever needs one page only never waits behind those who need many.
        self._first_pages: Final = asyncio.Semaphore(CONDITION_FIRST_PAGES_MAX)
        self._further_pages: Final = asyncio.Semaphore(CONDITION_FURTHER_PAGES_MAX)
        self._count = 0

    async def look(self, request: AppendRequest) -> AppendRequest:
        """The request, with what is known about its condition up to the head. Raises :class:`InvalidRequest` when its
        cursor is past the head, and :class:`Overloaded`."""
        condition = request.condition
        if condition is None or request.looked.refusal is not None:
            return request
        head = (await self._engine.head()).position
        check_not_past(condition.after.position, head, "/condition/after")
        start = request.condition_start
        if head - start <= CONDITION_SHORT_EVENTS:
            return request
        if self._count >= QUEUE_REQUESTS_MAX:
            raise Overloaded("too many conditions are being looked at; nothing was stored", retry_after_s=RETRY_AFTER_S)
        self._count += 1
        try:
            looked = await self._look(condition, Range(start + 1, head, "forward"), request.looked.entries)
        finally:
            self._count -= 1
        return msgspec.structs.replace(request, looked=looked)

    async def _look(self, condition: AppendCondition, wanted: Range, entries: int) -> Looked:
        look = Look(tuple(dict.fromkeys(condition.fail_if)), wanted, entries=entries)
        pages = self._first_pages
        while not look.is_done:
            if look.entries >= CONDITION_ENTRIES_MAX:
                return Looked(refusal=_too_costly(look.entries))
            async with pages:
                look = await self._engine.look(look)
            pages = self._further_pages
        refusal = None if look.position is None else condition_failed(look.position)
        return Looked(wanted.high, refusal, look.entries)


def check_not_past(position: int, head: int, pointer: str) -> None:
    if position > head:
        raise InvalidRequest(f"is past the head, {head}: not a cursor of this store", pointer=pointer)


def _too_costly(entries: int) -> ConditionTooCostly:
    return ConditionTooCostly(
        f"after {entries} index entries it is not known whether an event matches; nothing was stored. Give a later "
        '"after", or tags that stand on fewer events',
        pointer="/condition", entries_looked_at=entries, entries_looked_at_max=CONDITION_ENTRIES_MAX,
    )  # fmt: skip
