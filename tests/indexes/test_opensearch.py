"""The query index in OpenSearch, on a real node: the suites of indexes, and what is refused.

The client of Elasticsearch is run on the same node, through a proxy that changes what that client insists on.
"""

import asyncio
import operator
from collections.abc import Mapping

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings

from indelible.cursors import cursor_at
from indelible.events import AggregateKey
from indelible.indexes.index import IndexMoved, IndexState, IndexUnavailable
from indelible.indexes.makers import make_index as index_of
from indelible.indexes.opensearch.client import Request
from indelible.search import FieldType, SearchQuery, Where
from indelible.testing.conformance import IndexConformance, ReopenIndexConformance
from indelible.testing.conformance.index_helpers import (
    AMOUNT,
    FIELDS,
    NAME,
    MakeIndex,
    document,
    filled,
    found,
    found_aggregates,
    having,
    more,
    those_where,
)
from indelible.testing.index_scenarios import Scenario, compare, scenarios
from indexes.opensearch_server import OpenSearchServer
from indexes.rewriting_proxy import RewritingProxy
from indexes.watched_indexes import by, nothing, opened, refusing_above, rejected_by, watched

ALL = SearchQuery()
OTHER_FIELDS: Mapping[str, FieldType] = {NAME: "string"}


# --- The suites ------------------------------------------------------------------------------------------------------


class TestOpenSearch(IndexConformance):
    @pytest.fixture
    def make_index(self, url: str) -> MakeIndex:
        return lambda: index_of(url)


class TestReopened(ReopenIndexConformance):
    @pytest.fixture
    def make_index(self, url: str) -> MakeIndex:
        return lambda: index_of(url)


class TestElasticsearchClient(ReopenIndexConformance):
    @pytest.fixture
    def make_index(self, prefix: str, proxy: RewritingProxy) -> MakeIndex:
        url = f"elasticsearch://{proxy.address}/{prefix}"
        return lambda: index_of(url)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenario=scenarios())
def test_it_finds_what_the_model_finds(scenario: Scenario, url: str) -> None:
    async def run() -> None:
        async with opened(index_of(url)) as index:
            await compare(index, scenario)

    asyncio.run(run())


_LONG = [
    start + "a" * count + end
    for start in ("", "b", "\U0010ffff" * 199)
    for count in (1, 198, 199, 200, 201, 399, 400, 401, 600, 799)
    for end in ("", "A", "b", "\U0010ffff", "\U0001f600b", "\ud7ffb")
]


async def test_strings_beyond_what_a_bound_may_be(url: str) -> None:
    """Some begin as others do, for the length of one part or several."""
    values = sorted(set(_LONG))
    documents = [having(NAME, one) for one in values]
    async with opened(index_of(url)) as index:
        await filled(index, documents)
        for value in [one for one in values if len(one) > 200][::9]:
            for name, compared in _COMPARED.items():
                expected = [number for number, one in enumerate(values) if compared(one, value)]
                assert await those_where(index, documents, NAME, name, value) == expected, (name, value)
        assert len(await found(index, SearchQuery(where=(Where("event_id", "<", "z" * 500),)))) == len(values)


_COMPARED = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "prefix": str.startswith
}  # fmt: skip


async def test_the_mapping_takes_no_other_fields(url: str, prefix: str, opensearch: OpenSearchServer) -> None:
    async with opened(index_of(url + "?shards=2&replicas=0")) as index:
        documents = [document(aggregate=("order", f"{n % 7}"), values={AMOUNT: [n, n + 0.5]}) for n in range(40)]
        serving = await filled(index, documents)
        assert await found(index, ALL, limit=7) == [one.place for one in documents]
        assert await found_aggregates(index, ALL, limit=3) == [AggregateKey("order", f"{n}") for n in range(7)]
        made = opensearch.call("GET", f"/{prefix}-{serving.number}")[f"{prefix}-{serving.number}"]
        assert made["mappings"]["dynamic"] == "strict"
        assert made["settings"]["index"]["number_of_shards"] == "2"
        assert made["settings"]["index"]["number_of_replicas"] == "0"
        assert made["mappings"]["_meta"]["fields"]["v3"] == NAME
        answer = opensearch.call("PUT", f"/{prefix}-{serving.number}/_doc/1", {"other": 1})
        assert answer["error"]["type"] == "strict_dynamic_mapping_exception"


async def test_the_client_of_elasticsearch(opensearch: OpenSearchServer, prefix: str, proxy: RewritingProxy) -> None:
    direct = index_of(f"elasticsearch://{opensearch.address}/x")
    with pytest.raises(IndexUnavailable, match="opensearch://"):
        await direct.open()
    await direct.close()
    nobody = index_of("elasticsearch://127.0.0.1:1,127.0.0.1:2/x")
    with pytest.raises(IndexUnavailable, match="cannot be reached"):
        await nobody.open()
    await nobody.close()
    async with opened(index_of(f"elasticsearch://{proxy.address}/{prefix}")) as index:
        documents = [
            document(aggregate=("a", f"{n}"), values={NAME: ["x"], AMOUNT: [n, 0.5]}, text="some words", tags=["t"])
            for n in range(700)
        ]
        serving = await filled(index, documents)
        query = SearchQuery('"some words"', tags=("t",))
        assert await found(index, query) == [one.place for one in documents]
        assert len(await found_aggregates(index, query)) == 700
        assert await those_where(index, documents, AMOUNT, "<", 2) == list(range(700))
        proxy.handle = refusing_above(3_000)
        large = document(text="word " * 1_000)
        rejected = await index.apply(serving.number, [large], after=serving.cursor, cursor=cursor_at(2))
        assert [one.place.event_id for one in rejected] == [large.place.event_id]
        await index.drop()
        assert await index.state() == IndexState(None, None)
        await index.begin(FIELDS)


# --- Refused documents -----------------------------------------------------------------------------------------------


async def test_what_is_refused_is_listed_and_taken_once_the_cause_is_mended(
    url: str, prefix: str, opensearch: OpenSearchServer
) -> None:
    async with opened(index_of(url)) as index:
        serving = await filled(index, [])
        # Somebody has made the index anew, and forgotten a field.
        name = f"/{prefix}-{serving.number}"
        made = opensearch.call("GET", name)[f"{prefix}-{serving.number}"]
        forgotten = made["mappings"]["properties"].pop("v3")
        assert forgotten["type"] == "keyword"
        opensearch.call("DELETE", name)
        opensearch.call("PUT", name, {"mappings": made["mappings"], "aliases": made["aliases"]})
        documents = [having(NAME, "a"), having(AMOUNT, 1), having(NAME, "b")]
        rejected = await index.apply(serving.number, documents, after=serving.cursor, cursor=cursor_at(2))
        assert [one.place.event_id for one in rejected] == [documents[n].place.event_id for n in (0, 2)]
        assert [one.place.position for one in rejected] == [documents[n].place.position for n in (0, 2)]
        assert "v3" in rejected[0].reason
        assert await found(index, ALL) == [documents[1].place]
        assert await rejected_by(index, serving.number) == rejected
        # Nobody has mended it.
        again = await index.apply(serving.number, documents[:1], after=cursor_at(2), cursor=cursor_at(2))
        assert [one.place.event_id for one in again] == [documents[0].place.event_id]
        assert await rejected_by(index, serving.number) == rejected
        opensearch.call("PUT", f"{name}/_mapping", {"properties": {"v3": forgotten}})
        assert not await index.apply(serving.number, documents[2:], after=cursor_at(2), cursor=cursor_at(2))
        assert await rejected_by(index, serving.number) == rejected[:1]
        assert not await index.apply(serving.number, documents[:1], after=cursor_at(2), cursor=cursor_at(2))
        assert await rejected_by(index, serving.number) == []
        assert await those_where(index, documents, NAME, "exists", True) == [0, 2]
        state = await index.state()
        assert state.serving is not None
        assert (state.serving.documents, state.serving.cursor) == (3, cursor_at(2))
        with pytest.raises(IndexMoved):
            await rejected_by(index, serving.number + 1)


async def test_a_retry_that_is_not_committed_forgets_no_refused_one(url: str, proxy: RewritingProxy) -> None:
    proxy.handle = refusing_above(3_000)
    index, client = watched(by(proxy, url))
    await index.open()
    large = document(text="word " * 1_000)
    serving = await filled(index, [])
    assert len(await index.apply(serving.number, [large], after=serving.cursor, cursor=cursor_at(2))) == 1
    proxy.handle = refusing_above(10_000)

    async def dying(request: Request) -> None:
        if request.path.endswith("_bulk"):
            raise IndexUnavailable("dead")

    client.after = dying
    with pytest.raises(IndexUnavailable):
        await index.apply(serving.number, [large], after=cursor_at(2), cursor=cursor_at(2))
    client.after = nothing
    await more(index, [document()])
    assert [one.place.event_id for one in await rejected_by(index, serving.number)] == [large.place.event_id]
    assert not await index.apply(serving.number, [large], after=cursor_at(3), cursor=cursor_at(3))
    assert len(await found(index, SearchQuery("word"))) == 1
    assert await rejected_by(index, serving.number) == []
    await index.close()


async def test_more_than_is_taken_at_once_is_sent_in_parts(url: str, proxy: RewritingProxy) -> None:
    proxy.handle = refusing_above(3_000)
    async with opened(index_of(by(proxy, url))) as index:
        documents = [document() for _ in range(30)]
        documents[7] = document(text="large " * 1_000)
        serving = await filled(index, [])
        rejected = await index.apply(serving.number, documents, after=serving.cursor, cursor=cursor_at(2))
        assert [one.place.event_id for one in rejected] == [documents[7].place.event_id]
        assert "too large" in rejected[0].reason
        assert len(await found(index, ALL)) == 29


async def test_requests_are_bounded_in_documents_and_bytes(url: str, proxy: RewritingProxy) -> None:
    sizes: list[int] = []

    async def noting(request: web.Request, body: bytes) -> None:
        if request.path.endswith("_bulk"):
            sizes.append(len(body))

    proxy.handle = noting
    async with opened(index_of(by(proxy, url))) as index:
        documents = [document(text=f"{'x' * 190} " * 315) for _ in range(100)] + [document() for _ in range(600)]
        await filled(index, documents)
        assert len(await found(index, ALL)) == 700
    assert len(sizes) == 3
    assert max(sizes) <= 4 * 1024 * 1024
