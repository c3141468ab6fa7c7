"""The query index in OpenSearch, on a real node: what a process does not live to do, two writers, and trouble."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest
from aiohttp import web

from indelible.cursors import START, cursor_at
from indelible.indexes.index import Document, IndexMoved, IndexState, IndexUnavailable, QueryIndex, SearchTooBroad
from indelible.indexes.makers import make_index as index_of
from indelible.indexes.opensearch import calls, state
from indelible.indexes.opensearch.address import Address
from indelible.indexes.opensearch.client import Request
from indelible.search import FieldType, SearchQuery
from indelible.testing.conformance.index_helpers import (
    FIELDS,
    NAME,
    document,
    filled,
    found,
    having,
    more,
)
from indexes.opensearch_server import OpenSearchServer
from indexes.rewriting_proxy import RewritingProxy
from indexes.watched_indexes import by, nothing, opened, watched

ALL = SearchQuery()
OTHER_FIELDS: Mapping[str, FieldType] = {NAME: "string"}


# --- What a process does not live to do ------------------------------------------------------------------------------


async def _keep_up(index: QueryIndex, fields: Mapping[str, FieldType], log: Sequence[Document]) -> None:
    """As the indexer does it, two events at a time. A document's place in the log is its cursor."""
    state = await index.open()
    newest = state.building or state.serving
    if newest is None or newest.fields != fields:
        newest = await index.begin(fields)
    for done in range(int(newest.cursor), len(log), 2):
        after, cursor = cursor_at(done), cursor_at(min(done + 2, len(log)))
        await index.apply(newest.number, log[done : done + 2], after=after, cursor=cursor)
    await index.swap(newest.number)


async def test_killed_between_any_two_calls_another_goes_on(
    opensearch: OpenSearchServer, url: str, prefix: str
) -> None:
    """Each process is to build an index with other fields than there are, and dies one call later than the one before:
    what the call did is done, and nobody heard of it."""
    log = [having(NAME, f"n{number}") for number in range(4)]
    deaths = 0
    for count in itertools.count():
        fields = (FIELDS, OTHER_FIELDS)[count % 2]
        index, client = watched(url)
        client.after = _dying_after(count)
        try:
            await _keep_up(index, fields, log)
            break
        except IndexUnavailable:
            deaths += 1
        finally:
            await index.close()
        async with opened(index_of(url)) as heir:
            await _keep_up(heir, fields, log)
            assert await found(heir, ALL, fields=fields) == [one.place for one in log], count
            serving = (await heir.state()).serving
            assert serving is not None
            assert (serving.documents, serving.cursor) == (len(log), cursor_at(len(log))), count
        assert opensearch.indices(prefix) == [f"{prefix}-{serving.number}", f"{prefix}-state"], count
        assert list(opensearch.call("GET", f"/_alias/{prefix}")) == [f"{prefix}-{serving.number}"], count
    assert deaths > 20


def _dying_after(calls: int) -> Callable[[Request], Awaitable[None]]:
    counter = itertools.count()

    async def after(request: Request) -> None:
        if next(counter) >= calls:
            raise IndexUnavailable("dead")

    return after


async def test_a_node_that_is_killed_while_events_are_added(opensearch: OpenSearchServer, url: str) -> None:
    index, client = watched(url)
    await index.open()
    serving = await filled(index, [document() for _ in range(10)])
    documents = [document() for _ in range(1_200)]
    bulks = itertools.count(1)

    async def killing(request: Request) -> None:
        if request.path.endswith("_bulk") and next(bulks) == 2:
            await asyncio.to_thread(opensearch.kill)

    client.before = killing
    with pytest.raises(IndexUnavailable):
        await index.apply(serving.number, documents, after=serving.cursor, cursor=cursor_at(2))
    with pytest.raises(IndexUnavailable):
        await index.state()
    await asyncio.to_thread(opensearch.start)
    assert await index.open() == IndexState(serving, None)
    assert len(await found(index, ALL)) == 10
    await index.apply(serving.number, documents, after=serving.cursor, cursor=cursor_at(2))
    assert len(await found(index, ALL)) == 1_210
    await index.close()


# --- Two writers -----------------------------------------------------------------------------------------------------


async def check_stale_writer(url: str, added: Sequence[int]) -> None:
    """One writer stops in the middle of its documents, another adds some of the same, and then the first goes on."""
    stale, client = watched(url)
    await stale.open()
    serving = await filled(stale, [])
    bulks, goes_on, is_half_written = itertools.count(1), asyncio.Event(), asyncio.Event()

    async def held_up(request: Request) -> None:
        if request.path.endswith("_bulk") and next(bulks) == 2:
            await goes_on.wait()

    async def written(request: Request) -> None:
        # Both requests are under way at once.
        if request.path.endswith("_bulk"):
            is_half_written.set()

    client.before, client.after = held_up, written
    documents = [document() for _ in range(600)]
    writing = asyncio.create_task(stale.apply(serving.number, documents, after=serving.cursor, cursor=cursor_at(600)))
    await is_half_written.wait()
    other = index_of(url)
    await other.open()
    try:
        chosen = [documents[number] for number in added]
        await other.apply(serving.number, chosen, after=serving.cursor, cursor=cursor_at(2))
        assert await found(other, ALL) == [one.place for one in chosen]
        goes_on.set()
        with pytest.raises(IndexMoved):
            await writing
        assert await found(other, ALL) == [one.place for one in chosen]
        await more(other, documents)
        assert await found(other, ALL) == [one.place for one in documents]
    finally:
        goes_on.set()
        await asyncio.gather(writing, return_exceptions=True)
        await stale.close()
        await other.close()


async def check_claimed_over(url: str) -> None:
    """A second writer writes over what the first has written, and dies before it commits; the first must not commit."""
    first, client = watched(url)
    await first.open()
    serving = await filled(first, [])
    documents = [document() for _ in range(3)]
    other, others = watched(url)
    await other.open()

    async def dying(request: Request) -> None:
        if request.path.endswith("_bulk"):
            raise IndexUnavailable("dead")

    async def meanwhile(request: Request) -> None:
        if request.path.endswith("_refresh"):
            client.before = nothing
            with pytest.raises(IndexUnavailable):
                await other.apply(serving.number, documents, after=serving.cursor, cursor=cursor_at(2))

    client.before, others.after = meanwhile, dying
    try:
        with pytest.raises(IndexMoved):
            await first.apply(serving.number, documents, after=serving.cursor, cursor=cursor_at(2))
        assert await found(first, ALL) == []
        await first.apply(serving.number, documents, after=serving.cursor, cursor=cursor_at(2))
        assert await found(first, ALL) == [one.place for one in documents]
    finally:
        await first.close()
        await other.close()


@pytest.mark.parametrize("added", [range(400, 600), range(2), range(600)], ids=["the_late", "the_early", "all"])
async def test_a_stale_writer_changes_nothing(url: str, added: Sequence[int]) -> None:
    await check_stale_writer(url, added)


async def test_who_was_claimed_over_does_not_commit(url: str) -> None:
    await check_claimed_over(url)


async def test_the_checks_notice_what_they_are_for(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule is left out in turn."""
    with monkeypatch.context() as faulty:
        faulty.setattr(state.Held, "hidden", ())
        with pytest.raises(AssertionError):
            await check_stale_writer(url, range(2))
    with monkeypatch.context() as faulty:
        faulty.setattr(state, "_LEFT_OUT_MAX", -1_000)
        with pytest.raises(AssertionError):
            await check_stale_writer(url, range(2))
    with monkeypatch.context() as faulty:
        faulty.setattr(state.State, "committed", lambda self, number, changed, **_: self._changed(number, changed))
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            await check_claimed_over(url)


async def test_one_that_is_swapped_while_another_adds_to_it(url: str) -> None:
    """What was not made searchable before the swap is not committed after it."""
    index, client = watched(url)
    await index.open()
    begun, other = await index.begin(FIELDS), index_of(url)
    await other.open()

    async def swapping(request: Request) -> None:
        if request.path.endswith("_bulk"):
            client.after = nothing
            await other.swap(begun.number)

    client.after = swapping
    try:
        with pytest.raises(IndexMoved):
            await index.apply(begun.number, [document()], after=START, cursor=cursor_at(1))
        assert await found(index, ALL) == []
        one = document()
        await index.apply(begun.number, [one], after=START, cursor=cursor_at(1))
        assert await found(index, ALL) == [one.place]
    finally:
        await index.close()
        await other.close()


async def test_two_that_begin_and_swap_at_once(url: str, prefix: str, opensearch: OpenSearchServer) -> None:
    """Whoever is last has its way, and nothing is left over."""
    one, other = index_of(url), index_of(url)
    await one.open()
    await other.open()
    try:
        for _ in range(2):
            begun = await asyncio.gather(one.begin(FIELDS), other.begin(OTHER_FIELDS))
            newest = max(begun, key=lambda generation: generation.number)
            assert (await one.state()).building == newest
            await asyncio.gather(*(index.swap(newest.number) for index in (one, other)))
            assert await one.state() == IndexState(newest, None)
        assert opensearch.indices(prefix) == [f"{prefix}-{newest.number}", f"{prefix}-state"]
    finally:
        await one.close()
        await other.close()


# --- Trouble ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 404, 429, 503])
async def test_whatever_it_answers_the_index_goes_on_later(url: str, proxy: RewritingProxy, status: int) -> None:
    async with opened(index_of(by(proxy, url))) as index:
        serving = await filled(index, [document()])

        troubles = [""]

        async def troubled(request: web.Request, body: bytes) -> web.Response | None:
            if request.path.endswith(troubles[0]):
                return web.json_response({"error": {"type": "trouble", "reason": "of some kind"}}, status=status)
            return None

        proxy.handle, query = troubled, ALL.checked(FIELDS)
        for troubles[0] in ("_bulk", "_refresh", "_count", "/state"):
            with pytest.raises(IndexUnavailable, match=f"{status}: of some kind"):
                await index.apply(serving.number, [document()], after=serving.cursor, cursor=cursor_at(2))
        for troubles[0] in ("_search", "/state"):
            with pytest.raises(IndexUnavailable, match=f"{status}: of some kind"):
                await index.search(query, order="newest", limit=1, behind=None)
        troubles[0] = "none"
        await more(index, [document()])
        assert len(await found(index, ALL)) == 2


async def test_of_one_document_that_the_node_has_no_room_for_now(url: str, proxy: RewritingProxy) -> None:
    async def full(request: web.Request, body: bytes) -> web.Response | None:
        item = {"index": {"status": 429, "error": {"type": "rejected_execution_exception", "reason": "full"}}}
        return web.json_response({"errors": True, "items": [item]}) if request.path.endswith("_bulk") else None

    async with opened(index_of(by(proxy, url))) as index:
        serving = await filled(index, [])
        proxy.handle = full
        with pytest.raises(IndexUnavailable, match="full"):
            await index.apply(serving.number, [document()], after=serving.cursor, cursor=cursor_at(2))
        assert await index.state() == IndexState(serving, None)


async def test_out_of_reach(opensearch: OpenSearchServer, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = index_of("opensearch://127.0.0.1:1,127.0.0.1:2/x")
    with pytest.raises(IndexUnavailable, match="cannot be reached"):
        await nobody.open()
    await nobody.close()
    with pytest.raises(IndexUnavailable, match="not open"):
        await nobody.state()
    one_is_there = index_of(f"opensearch://127.0.0.1:1,{opensearch.address}/{Address.of(url).prefix}")
    async with opened(one_is_there) as index:
        await filled(index, [document()])
        for name in ("INDEX_SERVICE_TIMEOUT_S", "INDEX_SERVICE_WRITE_TIMEOUT_S", "SEARCH_TIMEOUT_S", "_GRACE_S"):
            monkeypatch.setattr(calls, name, 0.2)
        opensearch.freeze()
        try:
            with pytest.raises(IndexUnavailable):
                await index.search(ALL.checked(FIELDS), order="newest", limit=1, behind=None)
            with pytest.raises(IndexUnavailable):
                await more(index, [document()])
        finally:
            opensearch.thaw()
            monkeypatch.undo()
        await more(index, [document()])
        assert len(await found(index, ALL)) == 2


async def test_a_search_that_takes_too_long(url: str, proxy: RewritingProxy) -> None:
    async def slow(request: web.Request, body: bytes) -> web.Response | None:
        if not request.path.endswith("_search"):
            return None
        assert json.loads(body)["timeout"] == "10000ms"
        answer = await proxy.pass_on(request, body)
        answer.body = (answer.body or b"").replace(b'"timed_out":false', b'"timed_out":true')
        return answer

    async with opened(index_of(by(proxy, url))) as index:
        await filled(index, [document()])
        proxy.handle = slow
        with pytest.raises(SearchTooBroad):
            await index.search(ALL.checked(FIELDS), order="newest", limit=1_000, behind=None)
        with pytest.raises(SearchTooBroad):
            await index.search_aggregates(ALL.checked(FIELDS), limit=1_000, behind=None)


async def test_an_index_that_somebody_removes_is_made_anew(url: str, prefix: str, opensearch: OpenSearchServer) -> None:
    async with opened(index_of(url)) as index:
        for use in (lambda: found(index, ALL), lambda: more(index, [document()])):
            serving = await filled(index, [document()])
            opensearch.call("DELETE", f"/{prefix}-{serving.number}")
            with pytest.raises(IndexUnavailable, match="made anew"):
                await use()
            assert await index.state() == IndexState(None, None)
            assert opensearch.indices(prefix) == [f"{prefix}-state"]


async def test_a_state_that_is_none_of_ours(url: str, prefix: str, opensearch: OpenSearchServer) -> None:
    index = index_of(url)
    opensearch.call("PUT", f"/{prefix}-state/_doc/state", {"format": "other"})
    with pytest.raises(IndexUnavailable, match="no state of a query index"):
        await index.open()
    opensearch.call("PUT", f"/{prefix}-state/_doc/state", {"format": state.FORMAT + 1})
    with pytest.raises(IndexUnavailable, match="of format"):
        await index.open()
    opensearch.call("PUT", f"/{prefix}-state/_doc/state", {"format": state.FORMAT - 1, "last_number": 7, "serving": 7})
    assert await index.open() == IndexState(None, None)
    assert (await index.begin(FIELDS)).number == 8
    await index.close()
