"""Searching a generation, as it is in one state: what is written meanwhile, and what never counted, is passed over.

One list leads, and the rest of the query is looked at in each document. With several lists that could lead, the
beginning of each is read, and the shortest leads; where all are long, one in the order of places is followed until the
page is full. A range of values is read whole, and only if it is short.
"""

import heapq
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Final

from indelible.events import AggregateKey
from indelible.indexes.able import check_able
from indelible.indexes.dynamodb.entries import (
    BODY,
    PARTITION,
    SORT,
    Body,
    Entry,
    Key,
    decode_body,
    document_key,
    entry_of,
)
from indelible.indexes.dynamodb.plan import Lead, Times, is_all_said, leads_of, stretches_of
from indelible.indexes.dynamodb.service import Patience
from indelible.indexes.dynamodb.state import GenerationState, is_seen
from indelible.indexes.dynamodb.table import Stretch, Table, all_of
from indelible.indexes.index import Capabilities, Hits, Place, SearchTooBroad
from indelible.indexes.memory import fits
from indelible.limits import (
    DYNAMODB_ENTRIES_MAX,
    DYNAMODB_ENTRIES_PER_PAGE_MAX,
    DYNAMODB_ENTRIES_PROBED,
    DYNAMODB_ENTRIES_SORTED_MAX,
    DYNAMODB_LEADS_PROBED_MAX,
    DYNAMODB_LISTS_PROBED_MAX,
    SEARCH_TIMEOUT_S,
)
from indelible.search import CheckedQuery, Order

_GRACE_S: Final = 1.0
"""Beyond a search's time: one that is too broad is to hear that, and not that DynamoDB is out of reach."""
CAPABILITIES: Final = Capabilities(
    text=False, narrowing_only=frozenset({"event_id", "version"}), looks_at_max=DYNAMODB_ENTRIES_MAX
)


class Search:
    """One search in one generation."""

    def __init__(self, table: Table, number: int, held: GenerationState, query: CheckedQuery, order: Order) -> None:
        """Raises ``InvalidRequest``."""
        check_able(query, CAPABILITIES)
        self._table: Final = table
        self._number: Final = number
        self._held: Final = held
        self._query: Final = query
        self._order: Final[Order] = order
        self._times: Final = Times.of(query)
        self._patience: Final = Patience(SEARCH_TIMEOUT_S + _GRACE_S)
        self._until: Final = time.monotonic() + SEARCH_TIMEOUT_S
        self._left = DYNAMODB_ENTRIES_MAX
        """Entries that may still be read."""

    async def events(self, limit: int, behind: Place | None) -> Hits:
        """If it may not go on, what it has found until then; raises ``SearchTooBroad`` if that is nothing."""
        places: list[Place] = []
        try:
            async with aclosing(self._found(limit, behind, needs_bodies=False)) as lots:
                async for lot in lots:
                    places += [entry.place for entry, _ in lot]
                    if len(places) > limit:
                        return Hits(places[:limit], (), is_last=False)
        except SearchTooBroad:
            if not places:
                raise
            return Hits(places, (), is_last=False)
        return Hits(places, (), is_last=True)

    async def aggregates(self, limit: int, behind: AggregateKey | None) -> Hits:
        """Raises ``SearchTooBroad``."""
        keys: dict[tuple[bytes, bytes], AggregateKey] = {}
        async for lot in self._found(DYNAMODB_ENTRIES_PER_PAGE_MAX, None, needs_bodies=True):
            for _, body in lot:
                if body is not None:
                    keys[body.aggregate_type.encode(), body.aggregate_id.encode()] = AggregateKey(
                        body.aggregate_type, body.aggregate_id
                    )
        first = None if behind is None else (behind.aggregate_type.encode(), behind.aggregate_id.encode())
        found = [keys[one] for one in sorted(keys) if first is None or one > first]
        return Hits((), found[:limit], len(found) <= limit)

    async def _found(
        self, limit: int, behind: Place | None, *, needs_bodies: bool
    ) -> AsyncGenerator[list[tuple[Entry, Body | None]], None]:
        """What fits, each event once, in the order asked for."""
        last: Place | None = None
        lead, lots = await self._led(limit, behind)
        is_said = is_all_said(self._query, lead)
        async for lot in lots:
            entries = [one for one in lot if is_seen(one, self._held)]
            with_bodies = await self._with_bodies(entries, is_needed=needs_bodies or not is_said)
            some: list[tuple[Entry, Body | None]] = []
            for entry, body in with_bodies:
                is_new, last = entry.place != last, entry.place
                if is_new and (is_said or (body is not None and fits(body.document(), self._query))):
                    some.append((entry, body))
            yield some

    async def _with_bodies(self, entries: Sequence[Entry], *, is_needed: bool) -> Sequence[tuple[Entry, Body | None]]:
        missing = [(one.place, one.step) for one in entries if is_needed and one.body is None]
        if not missing:
            return [(one, one.body) for one in entries]
        # One event may stand there twice, by two of its values.
        keys = {document_key(self._number, *one) for one in missing}
        bodies = {
            Key(item[PARTITION]["B"], item[SORT]["B"]): decode_body(item[BODY]["B"])
            for item in await self._table.get(keys, self._patience)
        }
        return [(one, one.body or bodies.get(document_key(self._number, one.place, one.step))) for one in entries]

    # --- Which list leads --------------------------------------------------------------------------------------------

    async def _led(self, limit: int, behind: Place | None) -> tuple[Lead, AsyncIterator[list[Entry]]]:
        """The list that leads, and its entries."""
        leads = leads_of(self._query, self._held.fields)
        *narrow, everything = leads
        if len(narrow) > 1 or (narrow and not narrow[0].is_ordered):
            probed = [one for one in narrow if len(one.beginnings) <= DYNAMODB_LISTS_PROBED_MAX]
            probed = probed[:DYNAMODB_LEADS_PROBED_MAX]
            read = await all_of(self._whole(one, behind, DYNAMODB_ENTRIES_PROBED) for one in probed)
            short = [(len(entries), n) for n, entries in enumerate(read) if entries is not None]
            if short:
                _, n = min(short)
                return probed[n], _one_lot(read[n] or [])
        if narrow and not narrow[0].is_ordered:
            entries = await self._whole(narrow[0], behind, DYNAMODB_ENTRIES_SORTED_MAX)
            if entries is not None:
                return narrow[0], _one_lot(entries)
        lead = narrow[0] if narrow and narrow[0].is_ordered else everything
        return lead, self._merged(self._stretches(lead, behind), limit)

    def _stretches(self, lead: Lead, behind: Place | None) -> list[Stretch]:
        return stretches_of(lead, self._number, self._times, self._order, behind)

    async def _whole(self, lead: Lead, behind: Place | None, count_max: int) -> list[Entry] | None:
        """All its entries in the order of places; None where there are more."""
        entries: list[Entry] = []
        for stretch in self._stretches(lead, behind):
            async for page in self._pages(stretch, itertools.repeat(min(count_max + 1, DYNAMODB_ENTRIES_PER_PAGE_MAX))):
                entries += page
                if len(entries) > count_max:
                    return None
        if behind is not None:
            entries = [one for one in entries if _is_behind(one.place, behind, self._order)]
        return sorted(entries, key=lambda one: one.place, reverse=self._order == "newest")

    # --- Reading -----------------------------------------------------------------------------------------------------

    async def _pages(self, stretch: Stretch, sizes: Iterator[int]) -> AsyncIterator[list[Entry]]:
        is_forward = self._order == "oldest"
        async for page in self._table.pages(stretch, self._patience, sizes=sizes, is_forward=is_forward):
            if time.monotonic() > self._until:
                raise SearchTooBroad(f"the search took longer than {SEARCH_TIMEOUT_S:g} s")
            yield [entry_of(item) for item in page]

    async def _followed(self, stretch: Stretch, sizes: Iterator[int]) -> AsyncIterator[list[Entry]]:
        async for page in self._pages(stretch, sizes):
            if self._left <= 0:
                raise SearchTooBroad(f"the search looked at {DYNAMODB_ENTRIES_MAX} events and was not at the end")
            self._left -= len(page)
            yield page

    async def _merged(self, stretches: Sequence[Stretch], limit: int) -> AsyncIterator[list[Entry]]:
        """The entries of stretches that are in the order of places each, in that order."""
        lists = [_List(self._followed(one, _sizes(limit // len(stretches)))) for one in stretches]
        is_newest = self._order == "newest"
        while lists:
            await all_of(one.fill() for one in lists if not one.entries)
            lists = [one for one in lists if one.entries]
            if not lists:
                return
            # As far as the list goes of which the least is known.
            ends = [one.entries[-1].place for one in lists]
            end = max(ends) if is_newest else min(ends)
            some = [one.take(end, is_newest=is_newest) for one in lists]
            yield list(heapq.merge(*some, key=lambda one: one.place, reverse=is_newest))


class _List:
    def __init__(self, pages: AsyncIterator[list[Entry]]) -> None:
        self._pages: Final = pages
        self.entries: list[Entry] = []
        """That are read, and not yet taken."""

    async def fill(self) -> None:
        """With what comes next; nothing at the end."""
        self.entries = await anext(self._pages, [])

    def take(self, end: Place, *, is_newest: bool) -> list[Entry]:
        """Those up to a place, with it."""
        count = next(
            (n for n, one in enumerate(self.entries) if (one.place < end if is_newest else one.place > end)),
            len(self.entries),
        )
        taken, self.entries = self.entries[:count], self.entries[count:]
        return taken


def _sizes(limit: int) -> Iterator[int]:
    """Of pages: the first may be enough, and each is larger than the one before."""
    size = min(limit + 2, DYNAMODB_ENTRIES_PER_PAGE_MAX)
    while True:
        yield size
        size = min(4 * size, DYNAMODB_ENTRIES_PER_PAGE_MAX)


def _is_behind(place: Place, behind: Place, order: Order) -> bool:
    return place < behind if order == "newest" else place > behind


async def _one_lot(entries: list[Entry]) -> AsyncIterator[list[Entry]]:
    yield entries
