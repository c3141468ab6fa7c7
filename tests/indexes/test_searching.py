"""What searches do while the index is behind, away, of another log, or not complete."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping

import pytest
from msgspec.structs import replace

from indelible import AsyncClient, NewEvent
from indelible.core.store import LocalEventStore
from indelible.cursors import START
from indelible.engines.memory import MemoryEngine
from indelible.errors import (
    IndexBehind,
    IndexBuilding,
    IndexMismatch,
    IndexNotReady,
    InvalidRequest,
    SearchTooCostly,
    SearchUnavailable,
    ShuttingDown,
    Unavailable,
)
from indelible.eventstore import EventStore
from indelible.indexes import searching
from indelible.indexes.index import Capabilities, IndexMoved, SearchTooBroad
from indelible.indexes.indexer import Indexer
from indelible.indexes.memory import MemoryIndex
from indelible.indexes.searching import SearchingStore
from indelible.search import CheckedQuery, FieldType, SearchQuery, Where
from indelible.server.compose import make_services
from indelible.server.config import Address
from indelible.server.grpc.server import serving_grpc
from indelible.server.http.app import HttpApp
from indelible.server.http.connection import serving
from indelible.server.http.routes import ROUTES
from indelible.testing.conformance.helpers import ids
from indexes.troubled import FIELDS, PATIENCE_S, TroubledIndex, has_come_to_the_head, running, until
from opaque_stores import merged_store

N_IS_1 = SearchQuery(where=(Where("event_data.n", "=", 1),))


class Site:
    """A log, an index on it, and the store that searches it; by ``store`` it is asked over a transport."""

    def __init__(self, log: LocalEventStore) -> None:
        self.log = log
        self.index = TroubledIndex()
        self.indexer = Indexer(log, self.index, FIELDS)
        self.searching = SearchingStore(log, self.index, FIELDS, indexer=self.indexer)
        self.store: EventStore = self.searching
        self.stop = asyncio.Event()

    async def append(self, *numbers: int) -> list[NewEvent]:
        events = [NewEvent("Placed", {"n": n}) for n in numbers]
        await self.log.append("order", "1", events)
        return events

    async def catch_up(self) -> None:
        async with running(self.indexer):
            await until(has_come_to_the_head(self.log, self.index))


@pytest.fixture(params=["direct", "http", "grpc", "two partitions"])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    two = request.param == "two partitions"
    async with merged_store(may_make=False) if two else LocalEventStore(MemoryEngine()) as log:
        site = Site(log)
        if request.param not in ("http", "grpc"):
            yield site
            return
        services = make_services(log, around=site.searching)
        at = Address("127.0.0.1", 0)
        is_http = request.param == "http"
        over = (
            serving(HttpApp(services, ROUTES), at, shutdown_grace_s=5)
            if is_http
            else serving_grpc(services, at, shutdown_grace_s=5)
        )
        async with over as address:
            async with AsyncClient(address if is_http else f"grpc://{address}", retry_total_s=0) as site.store:
                site.stop = services.stopping
                yield site
            services.stopping.set()


async def test_before_the_first_is_complete(site: Site) -> None:
    await site.append(1, 2, 3)
    with pytest.raises(IndexBuilding) as caught:
        await site.store.search(N_IS_1)
    assert (caught.value.fields["documents"], caught.value.fields["lag"]) == (0, 3)
    assert caught.value.fields["retry_after_s"] > 0
    await site.index.begin(FIELDS)
    with pytest.raises(IndexBuilding, match="it holds 0 events, and 3 are to come"):
        await site.store.search(N_IS_1)
    with pytest.raises(InvalidRequest) as refused:
        await site.store.search(SearchQuery(where=(Where("event_data.x", "=", 1),)))
    assert refused.value.pointer == "/where/0/field"
    searching = asyncio.create_task(
        site.store.search(N_IS_1, wait_for=(await site.store.head()).cursor, wait_s=PATIENCE_S)
    )
    await asyncio.sleep(0.1)
    async with running(site.indexer):
        assert (await searching).count == 1


async def test_an_index_that_is_behind(site: Site) -> None:
    await site.append(1)
    await site.catch_up()
    indexed = (await site.store.head()).cursor
    later = await site.append(1, 1)
    head = await site.store.head()
    began_at = time.monotonic()
    with pytest.raises(IndexBehind) as caught:
        await site.store.search(N_IS_1, wait_for=head.cursor, wait_s=0.3)
    assert 0.25 < time.monotonic() - began_at < PATIENCE_S
    fields = caught.value.fields
    assert (fields["indexed_cursor"], fields["lag"]) == (indexed, 2)
    page = await site.store.search(N_IS_1, wait_for=head.cursor, wait_s=0.1, allow_stale=True)
    assert (page.count, page.is_stale, page.indexed_cursor, page.lag) == (1, True, indexed, 2)
    assert page.lag_s > 0
    page = await site.store.search(N_IS_1)
    assert (page.count, page.is_stale, page.lag) == (1, False, 2)
    page = await site.store.search(N_IS_1, wait_for=indexed, wait_s=0)
    assert (page.count, page.is_stale) == (1, False)
    searching = asyncio.create_task(site.store.search(N_IS_1, wait_for=head.cursor, wait_s=PATIENCE_S))
    await asyncio.sleep(0.1)
    await site.catch_up()
    page = await searching
    assert (page.count, page.is_stale, page.indexed_cursor, page.lag) == (3, False, head.cursor, 0)
    assert ids(later) == ids(page.events)[::-1][1:]


async def test_what_another_process_indexes_is_waited_for(site: Site) -> None:
    """Nothing in this process tells."""
    await site.append(1)
    await site.catch_up()
    await site.append(1)
    head = (await site.store.head()).cursor
    searching = [asyncio.create_task(site.store.search(N_IS_1, wait_for=head, wait_s=PATIENCE_S)) for _ in range(20)]
    await asyncio.sleep(0.3)
    before, began_at = site.index.asked, time.monotonic()
    await asyncio.sleep(0.5)
    a_second = (site.index.asked - before) / (time.monotonic() - began_at)
    assert a_second < 200, "those who wait ask together"  # else 400
    async with running(Indexer(site.log, site.index, FIELDS)):
        pages = await asyncio.gather(*searching)
    assert [page.count for page in pages] == [2] * 20


async def test_a_query_is_checked_once_however_long_it_waits(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.append(1)
    await site.catch_up()
    await site.append(1)
    head = (await site.store.head()).cursor
    checked: list[SearchQuery] = []
    check = SearchQuery.checked

    def counted(query: SearchQuery, fields: Mapping[str, FieldType]) -> CheckedQuery:
        checked.append(query)
        return check(query, fields)

    monkeypatch.setattr(SearchQuery, "checked", counted)
    before = site.index.asked
    searching = asyncio.create_task(site.store.search(N_IS_1, wait_for=head, wait_s=PATIENCE_S))
    await until(lambda: site.index.asked - before > 2)
    await site.catch_up()
    assert (await searching).count == 2
    assert len(checked) == 1


async def test_a_cursor_past_the_head_is_refused(site: Site) -> None:
    await site.append(1)
    await site.catch_up()
    cursor = (await site.store.head()).cursor
    past = cursor + "9"
    for wrong in (past, "x-y"):
        with pytest.raises(InvalidRequest) as caught:
            await site.store.search(N_IS_1, wait_for=type(START)(wrong), wait_s=0)
        assert caught.value.pointer == "/wait_for"


async def test_an_index_that_is_away(site: Site) -> None:
    await site.append(1)
    await site.catch_up()
    assert (await site.store.search(N_IS_1)).count == 1
    site.index.is_away = True
    for call in (site.store.search(N_IS_1), site.store.index.status(), site.store.index.rebuild()):
        with pytest.raises(Unavailable, match="the query index is out of reach: it is away"):
            await call
    assert (await site.store.read_feed()).count == 1, "only search asks the index"
    site.index.is_away = False
    assert (await site.store.search(N_IS_1)).count == 1


async def test_an_index_that_does_not_answer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.append(1)
    await site.catch_up()
    assert (await site.store.search(N_IS_1)).count == 1
    monkeypatch.setattr(searching, "SEARCH_TIMEOUT_S", 0.2)
    monkeypatch.setattr(searching, "SEARCH_SILENCE_GRACE_S", 0.1)

    async def search(*_: object, **__: object) -> None:
        await asyncio.sleep(60)

    with monkeypatch.context() as patched:
        patched.setattr(site.index, "search", search)
        patched.setattr(site.index, "search_aggregates", search)
        for aggregates in (False, True):
            async with asyncio.timeout(50):
                with pytest.raises(Unavailable, match="out of reach: it does not answer"):
                    await site.store.search(N_IS_1, aggregates=aggregates, wait_s=0.1)
    await site.append(1)
    head = (await site.store.head()).cursor
    site.index.slow_s = 60
    for call in (
        site.store.search(N_IS_1, wait_for=head, wait_s=0.1),
        site.store.index.status(),
        site.store.index.rebuild(),
        site.store.index.retry(),
        site.store.index.drop(),
    ):
        async with asyncio.timeout(50):
            with pytest.raises(Unavailable, match="out of reach: it does not answer"):
                await call


async def test_a_search_that_takes_too_long(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.catch_up()

    async def search(*_: object, **__: object) -> None:
        raise SearchTooBroad

    monkeypatch.setattr(site.index, "search", search)
    with pytest.raises(SearchTooCostly, match="say more of what to find") as caught:
        await site.store.search(N_IS_1)
    assert caught.value.fields["timeout_s"] > 0


async def test_an_index_that_moves_whenever_it_is_searched(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.append(1)
    await site.catch_up()
    rounds = 0

    async def search(*_: object, **__: object) -> None:
        nonlocal rounds
        rounds += 1
        raise IndexMoved

    with monkeypatch.context() as patched:
        patched.setattr(site.index, "search", search)
        for wait_s in (0, 0.3):
            async with asyncio.timeout(50):
                with pytest.raises(Unavailable, match="another has taken its place"):
                    await site.store.search(N_IS_1, wait_s=wait_s)
        assert rounds < 100
    assert (await site.store.search(N_IS_1)).count == 1


async def test_an_index_without_text(site: Site) -> None:
    await site.append(1)
    await site.catch_up()
    site.index.capabilities = Capabilities(text=False)
    with pytest.raises(InvalidRequest, match="does not find text") as caught:
        await site.store.search(SearchQuery("word"))
    assert caught.value.pointer == "/query"
    assert (await site.store.search(N_IS_1)).count == 1
    assert not (await site.store.index.status()).finds_text


async def test_an_event_that_the_log_does_not_have(site: Site) -> None:
    (event,) = await site.append(1)
    await site.catch_up()
    generation = site.index._documents[1]
    place, document = generation.popitem()
    unheard = NewEvent("Placed").event_id
    generation[place] = document._replace(place=place._replace(event_id=unheard))
    with pytest.raises(IndexMismatch, match="indelible index rebuild") as caught:
        await site.store.search(N_IS_1)
    assert caught.value.fields == {"event_id": str(unheard)}
    await site.store.index.rebuild()
    async with running(site.indexer):
        await until(lambda: site.index._serving == 2)
        assert ids((await site.store.search(N_IS_1)).events) == [event.event_id]


async def test_fields_that_are_declared_later_are_found(site: Site) -> None:
    more: dict[str, FieldType] = {**FIELDS, "event_data.m": "number"}
    await site.append(1)
    await site.catch_up()
    query = SearchQuery(where=(Where("event_data.m", "exists", False), Where("event_data.n", "=", 1)))
    with pytest.raises(InvalidRequest):
        await site.store.search(query)
    async with running(Indexer(site.log, site.index, more)):
        await until(lambda: site.index._serving == 2)
    assert (await site.store.search(query)).count == 1


async def test_a_dropped_index(site: Site) -> None:
    await site.append(1)
    await site.catch_up()
    assert (await site.store.search(N_IS_1)).count == 1
    await site.store.index.drop()
    with pytest.raises(IndexBuilding):
        await site.store.search(N_IS_1)
    info = await site.store.index.status()
    assert (info.serving, info.building, info.is_indexing) == (None, None, False)
    await site.catch_up()
    assert (await site.store.search(N_IS_1)).count == 1


async def test_what_was_refused_is_tried_again(site: Site) -> None:
    site.index.refused = {1, 2}
    events = await site.append(1, 2, 3)
    await site.catch_up()
    info = await site.store.index.status()
    assert [(one.event_id, one.position, one.reason) for one in info.rejected] == [
        (event.event_id, position, "it is bad") for position, event in enumerate(events[:2], 1)
    ]
    assert (await site.store.search(N_IS_1)).count == 0
    site.index.refused = {2}
    info = await site.store.index.retry()
    assert (info.rejected_count, [one.event_id for one in info.rejected]) == (1, [events[1].event_id])
    assert ids((await site.store.search(N_IS_1)).events) == [events[0].event_id]
    assert info.serving is not None
    assert (info.serving.documents, info.serving.lag) == (2, 0)


async def test_what_was_refused_is_tried_again_while_the_index_goes_on(site: Site) -> None:
    site.index.refused = {1}
    await site.append(*[1] * 40)
    await site.catch_up()
    site.index.refused, site.index.slow_s = set(), 0.001
    async with running(site.indexer):

        async def go_on() -> None:
            while True:
                await site.append(3)

        going_on = asyncio.create_task(go_on())
        assert (await site.store.index.retry()).rejected_count == 0
        going_on.cancel()
    assert (await site.store.search(N_IS_1)).count == 40


async def test_what_was_refused_and_is_not_in_the_log(site: Site) -> None:
    site.index.refused = {1}
    await site.append(1)
    await site.catch_up()
    unheard = NewEvent("Placed").event_id
    rejected = site.index._rejected[1]
    place, refused = rejected.popitem()
    rejected[place] = replace(refused, place=place._replace(event_id=unheard))
    with pytest.raises(IndexMismatch, match="indelible index rebuild") as caught:
        await site.store.index.retry()
    assert caught.value.fields == {"event_id": str(unheard)}
    await site.append(3)
    another = Indexer(site.log, site.index, FIELDS)
    async with running(another):
        await until(has_come_to_the_head(site.log, site.index))
    assert (await site.store.index.status()).rejected_count == 1


async def test_a_wait_ends_with_the_server(site: Site) -> None:
    if site.store is site.searching:
        pytest.skip("no server is in between")
    await site.append(1)
    await site.catch_up()
    await site.append(1)
    head = (await site.store.head()).cursor
    searching = asyncio.create_task(site.store.search(N_IS_1, wait_for=head, wait_s=60))
    await asyncio.sleep(0.2)
    site.stop.set()
    async with asyncio.timeout(30):
        with pytest.raises(ShuttingDown):
            await searching


async def test_clients_do_not_ask_again_by_themselves() -> None:
    """How long an index takes is not known, and the caller has said how long to wait."""
    assert not issubclass(IndexNotReady, Unavailable)
    assert not issubclass(SearchUnavailable, Unavailable)


async def test_durations_are_heard() -> None:
    heard: list[float] = []
    async with LocalEventStore(MemoryEngine()) as log:
        index = MemoryIndex()
        store = SearchingStore(log, index, FIELDS, on_search=heard.append)
        async with running(Indexer(log, index, FIELDS)):
            await until(has_come_to_the_head(log, index))
            await store.search(N_IS_1)
            await store.search(N_IS_1, aggregates=True)
    assert len(heard) == 2
    assert all(duration_s >= 0 for duration_s in heard)
