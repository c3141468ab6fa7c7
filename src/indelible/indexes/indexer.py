"""Indexer: keeps a query index up to date with the log.

One loop: look what generations the index has; follow the feed behind the cursor of each; apply documents in batches, in
one atomic step with the cursor; look again when somebody began, swapped or dropped one. A generation that is being
built takes the other's place when it has come to the head. It holds one batch of each in memory, whatever it waits for.

Several processes may run indexers on one index. Whoever finds that another has applied events stands by, until nothing
moves any more that should.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

import structlog
from msgspec.structs import replace

from indelible.cursors import Cursor
from indelible.errors import IndelibleError, IndexMismatch, InvalidRequest
from indelible.eventstore import FeedPage, MeasuringStore
from indelible.indexes.document_making import documents_of
from indelible.indexes.documents import DocumentMaker
from indelible.indexes.index import (
    Document,
    Generation,
    IndexMoved,
    IndexState,
    IndexUnavailable,
    QueryIndex,
    Rejected,
)
from indelible.indexes.own_log import is_of_log, log_hash_at, of_another_log
from indelible.indexes.trying_again import try_again
from indelible.limits import (
    INDEX_BATCH_EVENTS_MAX,
    INDEX_GATHER_S,
    INDEX_LOOK_INTERVAL_S,
    INDEX_REJECTED_MAX,
    INDEX_RETRY_WAIT_MAX_S,
    INDEX_RETRY_WAIT_MIN_S,
    INDEX_STAND_BY_S,
    SUBSCRIPTION_PAGE_EVENTS_MAX,
)
from indelible.search import FieldType
from indelible.tasks import Waits, end_if_cancelled, first_of, is_set_within

_log: Final = structlog.get_logger(__name__)

_LARGE_PAGE_EVENTS: Final = INDEX_BATCH_EVENTS_MAX // 2
"""Of the log, for a generation that is being built."""


class _TooManyRejected(Exception):
    """The list of refused documents is full."""


class Indexer:
    """``fields`` are those that are declared. Belongs to one event loop, which :meth:`run` is called on once at a
    time. ``on_progress`` hears of every change of the index."""

    def __init__(self, store: MeasuringStore, index: QueryIndex, fields: Mapping[str, FieldType]) -> None:
        self._store: Final = store
        self._index: Final = index
        self._fields: Final = dict(fields)
        self._declared = False
        self._has_rebuilt = False
        self._look_now: Final = asyncio.Event()
        self._is_awaited: Final = asyncio.Event()
        self._problems: dict[int, str] = {}
        """By generation; that of the index itself is 0."""
        self._tried_again: Final[set[int]] = set()
        """Generations whose refused documents were applied once more."""
        self.on_progress: Callable[[], None] = _nobody_hears
        self.is_running = False
        """Whether it keeps the index up to date, and does not leave that to another process."""
        self.indexed = 0
        """Events that it applied, those of all generations together."""
        self.errors = 0
        """How often it was interrupted."""

    @property
    def problem(self) -> str | None:
        """Why the index does not go on."""
        return "; ".join(self._problems.values()) or None

    def look(self) -> None:
        """Somebody in this process has changed what generations there are, or what they refuse."""
        self._look_now.set()

    def hasten(self) -> None:
        """Somebody in this process waits for events that were appended."""
        self._is_awaited.set()

    async def run(self) -> None:
        """Until cancelled."""
        waits = Waits(INDEX_RETRY_WAIT_MIN_S, INDEX_RETRY_WAIT_MAX_S)
        while True:
            state: IndexState | None = None
            try:
                state = await self._state()
                self._problems.pop(0, None)
                await self._keep_up(state, waits)
                continue
            except IndexMoved:
                self.is_running = False
                if await self._is_moved_by_another(state):
                    await self._stand_by()
                continue
            except IndexUnavailable as error:
                self._note(0, "the query index is out of reach", error)
            except IndelibleError as error:
                self._note(0, "the store fails", error)
            finally:
                self.is_running = False
            end_if_cancelled()
            await waits.wait()

    def _note(self, generation: int, what: str, error: Exception) -> None:
        self.errors += 1
        problem = f"{what}: {error}"
        if self._problems.get(generation) != problem:
            _log.warning("the query index does not go on", generation=generation or None, problem=problem)
        self._problems[generation] = problem

    # --- Which generations -------------------------------------------------------------------------------------------

    async def _state(self) -> IndexState:
        """As it is, with one that has the declared fields. What others declare later is not changed back: of two
        servers with different fields, the one that began last has its way."""
        self._look_now.clear()
        state = await self._index.open()
        newest = state.building or state.serving
        if newest is None or (not self._declared and newest.fields != self._fields):
            begun = await self._index.begin(self._fields)
            _log.info("a query index is built", generation=begun.number, fields=sorted(self._fields))
            state = await self._index.state()
        self._declared = True
        present = {one.number for one in (state.serving, state.building) if one is not None}
        for gone in self._problems.keys() - present - {0}:
            self._problems.pop(gone)
        return state

    async def _keep_up(self, state: IndexState, waits: Waits) -> None:
        """All generations, until there are others. Raises ``IndexMoved``, ``IndexUnavailable``."""
        self.is_running = True
        following = [self._follow(one, waits, is_building=False) for one in (state.serving,) if one is not None]
        following += [self._follow(one, waits, is_building=True) for one in (state.building,) if one is not None]
        await first_of(*following, self._until_changed(state))

    async def _until_changed(self, state: IndexState) -> None:
        while not await is_set_within(INDEX_LOOK_INTERVAL_S, self._look_now):
            if _numbers(await self._index.state()) != _numbers(state):
                return

    async def _is_moved_by_another(self, before: IndexState | None) -> bool:
        """Whether the generations are the same, and so only how far they have come is another than was thought."""
        try:
            return before is not None and _numbers(await self._index.state()) == _numbers(before)
        except IndexUnavailable:
            return False

    async def _stand_by(self) -> None:
        """While another applies events."""
        _log.info("another process keeps the query index up to date; this one stands by")
        last: IndexState | None = None
        while True:
            await asyncio.sleep(INDEX_STAND_BY_S * random.uniform(0.75, 1.25))  # noqa: S311 - only spreads them
            try:
                state = await self._index.state()
                if last is not None and not await self._goes_on(last, state):
                    _log.info("nobody keeps the query index up to date; this process does")
                    return
            except (IndexUnavailable, IndelibleError):
                return
            last = state

    async def _goes_on(self, last: IndexState, state: IndexState) -> bool:
        if _places(last) != _places(state):
            return True
        if state.serving is None or state.building is not None:
            return False
        return (await self._store.lag_behind(state.serving.cursor)).positions == 0

    # --- One generation ----------------------------------------------------------------------------------------------

    async def _follow(self, generation: Generation, waits: Waits, *, is_building: bool) -> None:
        """Until it serves, if it is being built, else for ever. What is wrong with the log is no trouble of another
        generation: it is stated, and tried again, since people may mend it."""
        batch = _Batch(generation)
        while True:
            try:
                if await self._read(batch, waits, is_building=is_building):
                    return
            except (IndexMismatch, InvalidRequest) as error:
                self._note(batch.generation, f"behind cursor {batch.after}", error)
                await self._build_anew(batch.generation)
            except (IndelibleError, _TooManyRejected) as error:
                # What came before it is sound.
                await self._apply(batch)
                self._note(batch.generation, f"behind cursor {batch.after}", error)
            end_if_cancelled()
            await waits.wait()

    async def _build_anew(self, generation: int) -> None:
        """What is of another log. Once: of two servers that give one index two logs, none is to begin for ever."""
        if self._has_rebuilt:
            return
        self._has_rebuilt = True
        _log.warning("the query index is of another log; it is built anew from this one", generation=generation)
        state = await self._index.state()
        if state.building is not None and state.building.number == generation:
            # Begun again it would go on where it was.
            await self._index.drop()
        elif state.building is None:
            await self._index.begin(self._fields)
        self.look()

    async def _read(self, batch: "_Batch", waits: Waits, *, is_building: bool) -> bool:
        """Whether it serves now."""
        batch.begin(batch.after, batch.log_hash)
        if not await is_of_log(self._store, batch.reached):
            raise of_another_log(batch.reached)
        await self._try_again(batch)
        await self._check_rejected(batch.generation)
        page_events = _LARGE_PAGE_EVENTS if is_building else SUBSCRIPTION_PAGE_EVENTS_MAX
        reading = self._large_pages(batch.after) if is_building else self._store.follow(after=batch.after)
        async with aclosing(reading) as pages:
            async for page in pages:
                batch.documents += await documents_of(page.lines, batch.maker)
                batch.cursor = page.cursor
                # Another page might be too much for the batch.
                if page.at_end or len(batch.documents) + page_events > INDEX_BATCH_EVENTS_MAX:
                    if await self._apply(batch):
                        await self._check_rejected(batch.generation)
                    waits.begin_anew()
                    self._problems.pop(batch.generation, None)
                if page.at_end and is_building:
                    await self._index.swap(batch.generation)
                    _log.info("the query index serves", generation=batch.generation)
                    self.on_progress()
                    return True
                if page.at_end:
                    # Many at once are far cheaper to add than one by one, and leave more to those who append.
                    await is_set_within(INDEX_GATHER_S, self._is_awaited)
                    self._is_awaited.clear()
        return False

    async def _large_pages(self, after: Cursor) -> AsyncGenerator[FeedPage]:
        """Of the whole log: they cost less than those of a subscription, and few read such at once. Each waits for its
        turn among all who read the feed."""
        while True:
            page = await self._store.read_feed(after=after, limit=_LARGE_PAGE_EVENTS)
            yield page
            after = page.cursor

    async def _apply(self, batch: "_Batch") -> Sequence[Rejected]:
        if batch.cursor == batch.after:
            return ()
        log_hash = await log_hash_at(self._store, batch.cursor)
        rejected = await self._index.apply(
            batch.generation, batch.documents, after=batch.after, cursor=batch.cursor, log_hash=log_hash
        )
        self.indexed += len(batch.documents)
        batch.begin(batch.cursor, log_hash)
        self.on_progress()
        return rejected

    async def _try_again(self, batch: "_Batch") -> None:
        """Once, since the backend may take today what it refused before. People can do it at any time."""
        if batch.generation in self._tried_again:
            return
        try:
            await try_again(self._store, self._index, batch.generation, batch.maker)
        except IndelibleError as error:
            _log.warning("events that the query index refused cannot be read", problem=str(error))
        self._tried_again.add(batch.generation)

    async def _check_rejected(self, generation: int) -> None:
        count = len(await self._index.rejected(generation))
        if count >= INDEX_REJECTED_MAX:
            raise _TooManyRejected(
                f"the index refused {count} documents; mend the cause, and have them tried again: indelible index retry"
            )


class _Batch:
    """What is to be applied to a generation in one step."""

    def __init__(self, generation: Generation) -> None:
        self.generation: Final = generation.number
        self.maker: Final = DocumentMaker(generation.fields)
        self._made: Final = generation
        self.begin(generation.cursor, generation.log_hash)

    def begin(self, after: Cursor, log_hash: str) -> None:
        """Empty, behind a cursor."""
        self.after = self.cursor = after
        self.log_hash = log_hash
        self.documents: list[Document] = []

    @property
    def reached(self) -> Generation:
        """As it is before that."""
        return replace(self._made, cursor=self.after, log_hash=self.log_hash)


def _numbers(state: IndexState) -> Sequence[int | None]:
    return [None if one is None else one.number for one in (state.serving, state.building)]


def _places(state: IndexState) -> Sequence[tuple[int, Cursor] | None]:
    return [None if one is None else (one.number, one.cursor) for one in (state.serving, state.building)]


def _nobody_hears() -> None:
    pass
