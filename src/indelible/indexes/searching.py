"""A store around a store that answers searches from a query index. What is found is read from the log."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from indelible.access import is_own
from indelible.cursors import Cursor
from indelible.errors import (
    IndexBehind,
    IndexBuilding,
    InvalidRequest,
    SearchTooCostly,
    Unavailable,
)
from indelible.events import AggregateKey
from indelible.eventstore import MeasuringStore
from indelible.index_state import GenerationInfo, IndexField, IndexInfo, RejectedEvent
from indelible.indexes.able import check_able
from indelible.indexes.documents import DocumentMaker
from indelible.indexes.index import (
    Generation,
    Hits,
    IndexMoved,
    IndexState,
    IndexUnavailable,
    QueryIndex,
    Rejected,
    SearchTooBroad,
)
from indelible.indexes.indexer import Indexer
from indelible.indexes.log_lines import lines_of
from indelible.indexes.own_log import is_of_log, lag_of, of_another_log
from indelible.indexes.page_cursors import decode_aggregate, decode_place, encode_aggregate, encode_place
from indelible.indexes.trying_again import try_again
from indelible.limits import (
    INDEX_LOOK_INTERVAL_S,
    INDEX_REJECTED_SHOWN_MAX,
    PAGE_EVENTS_DEFAULT,
    RETRY_AFTER_S,
    SEARCH_LOOK_INTERVAL_S,
    SEARCH_MOVES_MAX,
    SEARCH_SILENCE_GRACE_S,
    SEARCH_TIMEOUT_S,
    SEARCH_WAIT_S,
)
from indelible.operations.search import check_search
from indelible.queries import check_page
from indelible.search import (
    CheckedQuery,
    FieldType,
    Order,
    SearchPage,
    SearchQuery,
    check_flag,
    check_order,
    check_wait,
)
from indelible.store_around import StoreAround
from indelible.tasks import hear_of_failure, is_set_within


class _Asked(Struct):
    """A search, of which all is checked that can be without the index's fields."""

    query: SearchQuery
    order: Order
    limit: int
    cursor: str | None
    aggregates: bool
    wait_for: Cursor | None
    _checked: tuple[Mapping[str, FieldType], CheckedQuery] | None = None

    def checked(self, fields: Mapping[str, FieldType]) -> CheckedQuery:
        """Once for each set of fields, however often the index is looked at. Raises ``InvalidRequest``."""
        if self._checked is None or self._checked[0] != fields:
            self._checked = fields, self.query.checked(fields)
        return self._checked[1]


class SearchingStore(StoreAround):
    """``fields`` are those that are declared. ``indexer`` is the one that keeps the index up to date, where this
    process does. ``on_search`` hears how long each search took in index and log, in seconds."""

    def __init__(
        self,
        inner: MeasuringStore,
        index: QueryIndex,
        fields: Mapping[str, FieldType],
        *,
        indexer: Indexer | None = None,
        on_search: Callable[[float], None] = lambda _: None,
    ) -> None:
        super().__init__(inner)
        self._log: Final = inner
        self._index: Final = index
        self._on_search: Final = on_search
        self._fields: Final = fields
        self._moved = asyncio.Event()
        self._serving: Generation | None = None
        """As it was at the last look: it may have come further, or another may have taken its place."""
        self._looking: asyncio.Future[IndexState] | None = None
        self._looked_at = 0.0
        self._of_this_log = 0, 0.0
        """The generation that was last found to be, and when."""
        self._indexer: Final = indexer
        self._own_index: Final = LocalSearchIndex(inner, index, fields, indexer)
        if indexer is not None:
            indexer.on_progress = self._hear_of_progress

    @property
    def index(self) -> "LocalSearchIndex":
        return self._own_index

    def _hear_of_progress(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        self._looking = None
        moved.set()

    async def search(
        self,
        query: SearchQuery,
        *,
        order: Order = "newest",
        limit: int = PAGE_EVENTS_DEFAULT,
        cursor: str | None = None,
        aggregates: bool = False,
        wait_for: Cursor | None = None,
        wait_s: float = SEARCH_WAIT_S,
        allow_stale: bool = False,
    ) -> SearchPage:
        check_search(query)
        check_page(limit)
        check_order(order)
        check_flag(aggregates, "/aggregates")
        check_flag(allow_stale, "/allow_stale")
        until = time.monotonic() + check_wait(wait_s)
        after = None if wait_for is None else Cursor.parse(wait_for, "/wait_for")
        asked = _Asked(query, order, limit, cursor, aggregates, after)
        moves = 0
        with _index_errors():
            while True:
                try:
                    page = await self._answer(asked, until, allow_stale=allow_stale)
                except IndexMoved:
                    page = None
                    self._serving = self._looking = None
                    moves += 1
                    if moves >= SEARCH_MOVES_MAX and time.monotonic() >= until:
                        raise IndexUnavailable("whenever it is searched, another has taken its place") from None
                    if moves > 1:
                        await asyncio.sleep(SEARCH_LOOK_INTERVAL_S)
                if page is not None:
                    return page

    async def _answer(self, asked: _Asked, until: float, *, allow_stale: bool) -> SearchPage | None:
        """None when it has waited, and is to be tried once more. Raises ``IndexMoved`` when the index has moved."""
        left_s = until - time.monotonic()
        moved, serving = self._moved, self._serving
        if serving is None or not await self._has_come_to(serving, asked.wait_for):
            state = await self._look(left_s)
            serving = self._serving = state.serving
            if serving is None:
                self._checked(asked, state.building)
                if asked.wait_for is not None and left_s > 0:
                    await self._wait(moved, left_s)
                    return None
                raise await self._building(state)
        try:
            checked = self._checked(asked, serving)
        except InvalidRequest:
            # Another may have taken its place, with the field that is asked for.
            self._looking = None
            self._serving = (await self._look(left_s)).serving
            if self._serving is not None and self._serving.fields == serving.fields:
                raise
            raise IndexMoved from None
        is_behind = not await self._has_come_to(serving, asked.wait_for)
        if is_behind and left_s > 0:
            await self._wait(moved, left_s)
            return None
        if is_behind and not allow_stale:
            raise await self._behind(serving.cursor, asked.wait_for)
        found, generation = await self._find(checked, asked, left_s)
        self._serving = generation
        # Another generation may have taken its place meanwhile, with other fields, and not quite as far.
        is_stale = not await self._has_come_to(generation, asked.wait_for)
        if generation.fields != serving.fields or (is_stale and not (is_behind and allow_stale)):
            raise IndexMoved
        lag = await self._log.lag_behind(generation.cursor)
        return SearchPage(
            lines=b"\n".join(found.lines), count=len(found.lines) + len(found.aggregates), aggregates=found.aggregates,
            cursor=found.cursor, indexed_cursor=generation.cursor, lag=lag.positions, lag_s=lag.age_s,
            is_stale=is_stale,
        )  # fmt: skip

    async def _look(self, left_s: float) -> IndexState:
        """How far the index has come. All who wait ask together, and not too often: a backend may do nothing else
        meanwhile."""
        now = time.monotonic()
        if self._looking is None or (self._looking.done() and now - self._looked_at > SEARCH_LOOK_INTERVAL_S / 2):
            self._looked_at = now
            self._looking = asyncio.ensure_future(self._index.open())
            self._looking.add_done_callback(hear_of_failure)
        async with _is_heard_within(left_s):
            return await asyncio.shield(self._looking)

    def _checked(self, asked: _Asked, generation: Generation | None) -> CheckedQuery:
        """Raises ``InvalidRequest``."""
        checked = asked.checked(self._fields if generation is None else generation.fields)
        check_able(checked, self._index.capabilities)
        return checked

    # --- Waiting -----------------------------------------------------------------------------------------------------

    async def _has_come_to(self, generation: Generation, wait_for: Cursor | None) -> bool:
        """Raises ``IndexMismatch`` where it has come to nowhere in this log."""
        await self._check_log(generation)
        return wait_for is None or await self._log.has_passed(generation.cursor, wait_for, "/wait_for")

    async def _check_log(self, generation: Generation) -> None:
        """Not each time: only whoever puts another log in its place makes it another."""
        now = time.monotonic()
        number, looked_at = self._of_this_log
        if number == generation.number and now - looked_at < INDEX_LOOK_INTERVAL_S:
            return
        if not await is_of_log(self._log, generation):
            self._serving = self._looking = None
            raise of_another_log(generation)
        self._of_this_log = generation.number, now

    async def _wait(self, moved: asyncio.Event, left_s: float) -> None:
        """A moment; shorter, where the indexer of this process has done something since the last look. Where that of
        another does, only the index's state tells."""
        if self._indexer is not None:
            self._indexer.hasten()
        await is_set_within(min(left_s, SEARCH_LOOK_INTERVAL_S), moved)

    async def _behind(self, cursor: Cursor, wait_for: Cursor | None) -> IndexBehind:
        lag = await self._log.lag_behind(cursor)
        return IndexBehind(
            f"the query index has come to cursor {cursor}, and not to {wait_for} yet; wait longer, or allow a stale "
            "answer",
            indexed_cursor=cursor, lag=lag.positions, retry_after_s=RETRY_AFTER_S,
        )  # fmt: skip

    async def _building(self, state: IndexState) -> IndexBuilding:
        if state.building is None:
            documents, lag = 0, (await self._log.head()).position
        else:
            documents = state.building.documents
            lag = (await lag_of(self._log, state.building)).positions
        return IndexBuilding(
            f"the query index is being built: it holds {documents} events, and {lag} are to come",
            documents=documents, lag=lag, retry_after_s=RETRY_AFTER_S,
        )  # fmt: skip

    # --- Finding -----------------------------------------------------------------------------------------------------

    async def _find(self, checked: CheckedQuery, asked: _Asked, left_s: float) -> tuple["_Found", Generation]:
        if asked.aggregates:
            key = None if asked.cursor is None else decode_aggregate(asked.cursor, checked)
            with self._measured():
                async with _is_heard_within(left_s):
                    hits, generation = await self._index.search_aggregates(checked, limit=asked.limit, behind=key)
            last = None if hits.is_last else encode_aggregate(checked, hits.aggregates[-1])
            return _Found((), tuple(hits.aggregates), last), generation
        place = None if asked.cursor is None else decode_place(asked.cursor, checked, asked.order)
        with self._measured():
            async with _is_heard_within(left_s):
                hits, generation = await self._index.search(checked, order=asked.order, limit=asked.limit, behind=place)
            lines = await lines_of(self._log, hits.places)
        # The log is the truth, also in what a caller may see.
        seen = [one.line for one in lines if _is_asked_for(one.aggregate_type, checked)]
        return _Found(seen, (), _next_cursor(checked, asked.order, hits, len(lines))), generation

    @contextlib.contextmanager
    def _measured(self) -> Iterator[None]:
        began_at = time.perf_counter()
        try:
            yield
        finally:
            self._on_search(time.perf_counter() - began_at)


class _Found(NamedTuple):
    lines: Sequence[bytes]
    aggregates: tuple[AggregateKey, ...]
    cursor: str | None


def _is_asked_for(aggregate_type: str, checked: CheckedQuery) -> bool:
    """Callers who may not read every type ask for those that they may."""
    return not is_own(aggregate_type) and aggregate_type in (checked.aggregate_types or (aggregate_type,))


def _next_cursor(checked: CheckedQuery, order: Order, hits: Hits, count: int) -> str | None:
    if hits.is_last and count == len(hits.places):
        return None
    return encode_place(checked, order, hits.places[count - 1])


@contextlib.contextmanager
def _index_errors() -> Iterator[None]:
    """What a backend raises, as callers hear it."""
    try:
        yield
    except IndexUnavailable as error:
        raise Unavailable(f"the query index is out of reach: {error}", retry_after_s=RETRY_AFTER_S) from error
    except SearchTooBroad as error:
        raise SearchTooCostly(
            f"{error}; say more of what to find: types, a tag, a shorter time, conditions that few events fit",
            timeout_s=SEARCH_TIMEOUT_S,
        ) from error


@contextlib.asynccontextmanager
async def _is_heard_within(left_s: float = 0.0) -> AsyncIterator[None]:
    """What an index is asked while a caller waits. Some backends have longer bounds of their own, for their writing."""
    try:
        async with asyncio.timeout(SEARCH_TIMEOUT_S + SEARCH_SILENCE_GRACE_S + max(left_s, 0)) as bound:
            yield
    except TimeoutError:
        if not bound.expired():
            raise
        raise IndexUnavailable("it does not answer") from None


# --- The index -------------------------------------------------------------------------------------------------------


class LocalSearchIndex:
    """Implements :class:`indelible.index_state.SearchIndex`."""

    def __init__(
        self, log: MeasuringStore, index: QueryIndex, fields: Mapping[str, FieldType], indexer: Indexer | None
    ) -> None:
        self._log: Final = log
        self._index: Final = index
        self._fields: Final = fields
        self._indexer: Final = indexer

    async def status(self) -> IndexInfo:
        with _index_errors():
            return await self._described(await self._open())

    async def _open(self) -> IndexState:
        async with _is_heard_within():
            return await self._index.open()

    async def rebuild(self) -> IndexInfo:
        with _index_errors():
            await self._open()
            await self._index.begin(self._fields)
            self._tell()
            return await self._described(await self._index.state())

    async def retry(self) -> IndexInfo:
        with _index_errors():
            state = await self._open()
            for one in (state.serving, state.building):
                if one is not None:
                    # One that is gone by now has no list any more.
                    with contextlib.suppress(IndexMoved):
                        await try_again(self._log, self._index, one.number, DocumentMaker(one.fields))
            self._tell()
            return await self._described(await self._index.state())

    async def drop(self) -> None:
        with _index_errors():
            await self._open()
            await self._index.drop()
            self._tell()

    def _tell(self) -> None:
        if self._indexer is not None:
            self._indexer.look()

    async def _described(self, state: IndexState) -> IndexInfo:
        indexer = self._indexer
        present = [one.number for one in (state.serving, state.building) if one is not None]
        rejected = [one for number in present for one in await self._rejected(number)]
        return IndexInfo(
            serving=await self._generation(state.serving),
            building=await self._generation(state.building),
            finds_text=self._index.capabilities.text,
            is_indexing=indexer is not None and indexer.is_running,
            problem=(indexer and indexer.problem) or await self._mismatch(state),
            rejected_count=len(rejected),
            rejected=tuple(
                RejectedEvent(one.place.event_id, one.place.position, one.reason)
                for one in rejected[-INDEX_REJECTED_SHOWN_MAX:]
            ),
        )

    async def _mismatch(self, state: IndexState) -> str | None:
        """Which the indexer of this process, if there is one, may not have met yet."""
        for one in (state.serving, state.building):
            if one is not None and not await is_of_log(self._log, one):
                return str(of_another_log(one))
        return None

    async def _rejected(self, generation: int) -> Sequence[Rejected]:
        try:
            return await self._index.rejected(generation)
        except IndexMoved:
            # Dropped, or swapped for another, just now.
            return ()

    async def _generation(self, generation: Generation | None) -> GenerationInfo | None:
        if generation is None:
            return None
        lag = await lag_of(self._log, generation)
        return GenerationInfo(
            number=generation.number,
            fields=tuple(IndexField(path, generation.fields[path]) for path in sorted(generation.fields)),
            cursor=generation.cursor,
            documents=generation.documents,
            lag=lag.positions,
            lag_s=lag.age_s,
        )
