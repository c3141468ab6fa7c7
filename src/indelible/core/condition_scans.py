"""Scans for what append conditions forbid, before the writer: on the engine's readers, page by page, beside all else.

The head is read first, and what matches is looked for up to there. A request then goes to the writer with that
knowledge, and the writer looks at what came since. What the scan has found is decided there too: in the serial order
of appends, after event ids that are stored already, and after expected versions.
"""

import asyncio
from typing import Final

from indelible.conditions import Scanned, condition_failed
from indelible.cursors import position_of
from indelible.engines.engine import StorageEngine
from indelible.engines.feed_walk import ConditionScan, Range
from indelible.errors import ConditionTooCostly, InvalidRequest, Overloaded
from indelible.eventstore import AppendRequest
from indelible.limits import (
    CONDITION_ENTRIES_MAX,
    CONDITION_FIRST_PAGE_ENTRIES,
    CONDITION_FIRST_PAGES_MAX,
    CONDITION_FURTHER_PAGES_MAX,
    CONDITION_LONG_SCANS_MAX,
    CONDITION_SHORT_EVENTS,
    PAGE_SCAN_EVENTS_MAX,
    READS_WAITING_MAX,
    RETRY_AFTER_S,
)


class ConditionScans:
    """Belongs to one event loop."""

    def __init__(self, engine: StorageEngine) -> None:
        self._engine: Final = engine
        # Whoever needs one page only never waits behind those who need many.
        self._first_pages: Final = asyncio.Semaphore(CONDITION_FIRST_PAGES_MAX)
        self._further_pages: Final = asyncio.Semaphore(CONDITION_FURTHER_PAGES_MAX)
        self._count = 0
        self._long_count = 0

    async def scan_condition(self, request: AppendRequest) -> AppendRequest:
        """The request, with what is known about its condition up to the head. Raises :class:`InvalidRequest` when its
        cursor is past the head, and :class:`Overloaded`."""
        condition = request.condition
        if condition is None or request.scanned.refusal is not None:
            return request
        head = (await self._engine.head()).position
        position = position_of(condition.after, "/condition/after")
        check_not_past(position, head, "/condition/after")
        start = max(position, request.scanned.up_to)
        if head - start <= CONDITION_SHORT_EVENTS:
            return request
        items = tuple(dict.fromkeys(condition.fail_if))
        scan = ConditionScan(items, Range(start + 1, head, "forward"), entries=request.scanned.entries)
        scan = await self._first_page(scan)
        if not scan.is_done:
            scan = await self._further(scan)
        return AppendRequest(request.appends, condition, _scanned(scan, head))

    async def _first_page(self, scan: ConditionScan) -> ConditionScan:
        if self._count >= READS_WAITING_MAX:
            raise _too_many()
        self._count += 1
        try:
            async with self._first_pages:
                return await self._engine.scan_condition(scan, CONDITION_FIRST_PAGE_ENTRIES)
        finally:
            self._count -= 1

    async def _further(self, scan: ConditionScan) -> ConditionScan:
        """Until it is done, or has become too costly."""
        if self._long_count >= CONDITION_LONG_SCANS_MAX:
            raise _too_many()
        self._long_count += 1
        try:
            while not scan.is_done and scan.entries < CONDITION_ENTRIES_MAX:
                async with self._further_pages:
                    scan = await self._engine.scan_condition(scan, PAGE_SCAN_EVENTS_MAX)
            return scan
        finally:
            self._long_count -= 1


def check_not_past(position: int, head: int, pointer: str) -> None:
    if position > head:
        raise InvalidRequest(f"is past the head, {head}: not a cursor of this store", pointer=pointer)


def _scanned(scan: ConditionScan, head: int) -> Scanned:
    if not scan.is_done:
        return Scanned(refusal=_too_costly(scan.entries))
    return Scanned(head, None if scan.position is None else condition_failed(scan.position), scan.entries)


def _too_many() -> Overloaded:
    return Overloaded("too many conditions are being looked at; nothing was stored", retry_after_s=RETRY_AFTER_S)


def _too_costly(entries: int) -> ConditionTooCostly:
    return ConditionTooCostly(
        f"after {entries} index entries it is not known whether an event matches; nothing was stored. Give a later "
        '"after", or tags that stand on fewer events',
        pointer="/condition", entries_looked_at=entries, entries_looked_at_max=CONDITION_ENTRIES_MAX,
    )  # fmt: skip
