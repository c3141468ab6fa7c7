"""The client against a server in a process of its own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from uuid import uuid4

import pytest

from indelible import (
    AggregateAppend,
    AggregateNotFound,
    AppendCondition,
    AsyncClient,
    Client,
    ConditionFailed,
    EventIdConflict,
    EventNotFound,
    EventQuery,
    InvalidRequest,
    NewEvent,
    PayloadTooLarge,
    QueryItem,
    ShuttingDown,
    SnapshotNotFound,
    VersionConflict,
)


def unique() -> str:
    return uuid4().hex


async def test_concurrent_appends_travel_together(http_client: AsyncClient, shared_server):
    kind = unique()
    before = shared_server.requests("POST", "/v1/batch")
    results = await asyncio.gather(*(http_client.append(kind, str(n % 50), [NewEvent("X", n)]) for n in range(1000)))
    requests = shared_server.requests("POST", "/v1/batch") - before
    assert 4 <= requests <= 20
    assert sorted(result.version for result in results) == sorted([*range(1, 21)] * 50)
    assert len({result.position for result in results}) == 1000


async def test_each_append_of_a_batch_has_its_own_outcome(http_client: AsyncClient):
    kind, taken = unique(), NewEvent("X", 1)
    await http_client.append(kind, "taken", [taken])
    outcomes = await asyncio.gather(
        http_client.append(kind, "1", [NewEvent("X")]),
        http_client.append(kind, "2", [NewEvent("X")], expected_version=7),
        http_client.append(kind, "3", [NewEvent("X", 2, event_id=taken.event_id)]),
        http_client.append(kind, "taken", [taken]),
        http_client.append("bad-type", "4", [NewEvent("X")]),
        return_exceptions=True,
    )
    stored, conflict, id_conflict, replayed, invalid = outcomes
    assert (stored.version, stored.replayed) == (1, False)
    assert isinstance(conflict, VersionConflict)
    assert conflict.fields == {
        "aggregate_type": kind, "aggregate_id": "2", "expected_version": 7, "actual_version": 0
    }  # fmt: skip
    assert isinstance(id_conflict, EventIdConflict)
    assert id_conflict.fields == {"event_id": str(taken.event_id)}
    assert (replayed.version, replayed.replayed) == (1, True)
    assert isinstance(invalid, InvalidRequest)
    assert invalid.pointer == "/aggregate_type"


async def test_atomic_appends_and_conditions(http_client: AsyncClient):
    kind, tag = unique(), unique()
    condition = AppendCondition((QueryItem(tags=(tag,)),), (await http_client.head()).cursor)
    appends = [
        AggregateAppend.of(kind, "1", [NewEvent("X", tags=[tag])], expected_version="none"),
        AggregateAppend.of(kind, "2", [NewEvent("X"), NewEvent("X")]),
    ]
    result = await http_client.append_atomic(appends, condition=condition)
    assert [one.version for one in result.results] == [1, 2]
    with pytest.raises(ConditionFailed) as caught:
        await http_client.append_atomic([AggregateAppend.of(kind, "3", [NewEvent("X")])], condition=condition)
    assert caught.value.position == result.results[0].position
    with pytest.raises(AggregateNotFound):
        await http_client.get_aggregate(kind, "3")


async def test_errors_carry_their_fields(http_client: AsyncClient):
    kind, event_id = unique(), uuid4()
    with pytest.raises(AggregateNotFound) as no_aggregate:
        await http_client.read_aggregate(kind, "1")
    assert no_aggregate.value.fields == {"aggregate_type": kind, "aggregate_id": "1"}
    with pytest.raises(EventNotFound) as no_event:
        await http_client.get_event(event_id)
    assert no_event.value.fields == {"event_id": str(event_id)}
    with pytest.raises(InvalidRequest) as bad_limit:
        await http_client.read_feed(limit=100_000)
    assert bad_limit.value.pointer == "/limit"
    await http_client.append(kind, "1", [NewEvent("X")])
    with pytest.raises(SnapshotNotFound):
        await http_client.get_snapshot(kind, "1")
    with pytest.raises(InvalidRequest) as too_high:
        await http_client.save_snapshot(kind, "1", version=2, state=None)
    assert (too_high.value.pointer, too_high.value.fields["actual_version"]) == ("/version", 1)


async def test_too_many_events_are_refused_before_they_travel(http_client: AsyncClient, shared_server):
    before = shared_server.requests("POST", "/v1/batch")
    with pytest.raises(PayloadTooLarge) as caught:
        await http_client.append(unique(), "1", [NewEvent("X") for _ in range(10_001)])
    assert caught.value.fields["events_max"] == 10_000
    assert shared_server.requests("POST", "/v1/batch") == before


async def test_large_appends_are_spread_over_requests(http_client: AsyncClient):
    kind = unique()
    payload = "x" * 1_000_000
    await asyncio.gather(*(http_client.append(kind, str(n), [NewEvent("X", payload)]) for n in range(40)))
    sizes = [
        len(event.event_data_bytes) async for event in http_client.iter_feed(EventQuery.of(aggregate_types=[kind]))
    ]
    assert sizes == [1_000_002] * 40


@pytest.mark.parametrize("name", ["..", ".", "a/b", "%2F", "a b+c", "ä€😀", "?x=1#y", "a-b"])
async def test_odd_names_are_safe_in_paths(http_client: AsyncClient, name: str):
    kind = unique()
    await http_client.append(kind, name, [NewEvent("X", name)])
    (event,) = (await http_client.read_aggregate(kind, name)).events
    assert (event.aggregate_id, event.event_data) == (name, name)
    assert (await http_client.get_aggregate(kind, name)).version == 1


async def test_iterators_over_many_pages(http_client: AsyncClient):
    kind = unique()
    for first in range(0, 100, 25):
        await http_client.append(kind, "1", [NewEvent("X", n) for n in range(first, first + 25)])
    forward = http_client.iter_aggregate(kind, "1", page_size=9)
    assert [event.event_data async for event in forward] == list(range(100))
    query = EventQuery((QueryItem(aggregate_types=(kind,)), QueryItem(event_types=(unique(),))))
    feed = http_client.iter_feed(query, direction="backward", page_size=9)
    assert [event.event_data async for event in feed] == list(range(99, -1, -1))


@dataclass
class Seen:
    versions: list[int] = field(default_factory=list)


async def test_rebuild_with_snapshots_equals_rebuild_without(http_client: AsyncClient):
    def apply(seen: Seen, event) -> Seen:
        seen.versions.append(event.version)
        return seen

    kind = unique()
    for count in (3, 8, 900, 700, 4):
        await http_client.append(kind, "1", [NewEvent("X") for _ in range(count)])
        aided = await http_client.rebuild(
            kind, "1", apply, Seen(), snapshot_every=10, encode=asdict, decode=lambda state: Seen(**state)
        )
        assert aided == await http_client.rebuild(kind, "1", apply, Seen(), use_snapshots=False)
        assert aided.state.versions == list(range(1, aided.version + 1))
    assert (await http_client.get_snapshot(kind, "1")).version == 1611


async def test_updates_that_race_all_count(http_client: AsyncClient):
    counters = http_client.repository(unique(), lambda count, event: count + 1, int)
    updates = [counters.update("1", lambda count: [NewEvent("Counted", count)], attempts_max=100) for _ in range(20)]
    await asyncio.gather(*updates)
    assert await counters.load("1") == (20, 20)


def test_threads_share_requests(shared_server):
    kind = unique()
    before = shared_server.requests("POST", "/v1/batch")

    def work(n: int) -> None:
        for _ in range(25):
            client.append(kind, str(n), [NewEvent("X")])

    with Client(shared_server.url) as client, ThreadPoolExecutor(32) as pool:
        list(pool.map(work, range(32)))
        assert sum(1 for _ in client.iter_feed(EventQuery.of(aggregate_types=[kind]), page_size=100)) == 800
    assert shared_server.requests("POST", "/v1/batch") - before < 600


async def test_closing_finishes_what_is_in_flight(shared_server):
    kind = unique()
    client = AsyncClient(shared_server.url)
    await client.head()
    appends = [asyncio.create_task(client.append(kind, str(n), [NewEvent("X")])) for n in range(2000)]
    await asyncio.sleep(0)
    await client.aclose()
    assert {(await append).version for append in appends} == {1}
    await client.aclose()
    with pytest.raises(ShuttingDown):
        await client.append(kind, "1", [NewEvent("X")])


async def test_headers_go_along_and_a_path_prefix_is_kept():
    seen = asyncio.Queue()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await seen.put(await reader.readuntil(b"\r\n\r\n"))
        body = b'{"position":0,"cursor":"0"}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with AsyncClient(f"http://127.0.0.1:{port}/events/", headers={"X-Tenant": "a"}) as client:
            assert (await client.head()).position == 0
    request = await seen.get()
    assert request.startswith(b"GET /events/v1/head HTTP/1.1\r\n")
    assert b"X-Tenant: a\r\n" in request
    assert b"User-Agent: indelible-python/" in request


@pytest.mark.parametrize(
    "url", ["nothing://here", "", "http://", "http://host?x=1", "http://host:notaport", "memory", 7, None, b"http://x"]
)
def test_bad_urls(url):
    with pytest.raises(InvalidRequest) as caught:
        AsyncClient(url)
    assert caught.value.pointer == "/url"
