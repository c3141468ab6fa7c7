"""One damaged event: readers get everything before it and are told its position; of a consumer group's aggregates it
stops its own."""

import asyncio
import json
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from conformance.storages import TRANSPORTS
from faults.damaged import SQLITE, SQLITE_LOST, Damage, postgres_damages
from faults.server_process import server_process
from indelible.core.open import open_local_store
from indelible.core.verify import verify
from indelible.cursors import START, cursor_at
from indelible.errors import StoreCorrupted
from indelible.events import NewEvent, timestamp_to_us
from indelible.eventstore import AggregateAppend, AppendResult, EventStore
from indelible.indexes.memory import MemoryIndex
from indelible.indexes.searching import SearchingStore
from indelible.queries import EVERYTHING, EventQuery
from indelible.search import SearchQuery
from indelible.testing.conformance.index_helpers import document
from serving import serving_in_a_thread

AGGREGATES, EACH = "abc", 3
DAMAGED = 5
"""The second event of the aggregate b."""
PATIENCE_S = 120.0


async def fill(store: EventStore) -> None:
    for _ in range(EACH):
        for name in AGGREGATES:
            data = {"text": "zażółć " * 20, "numbers": [1, 2.5, None]}
            position = (await store.head()).position + 1
            event = NewEvent("Moved", data, event_id=UUID(int=position), tags=["eu"], metadata={"by": "ann"})
            await store.append("order", name, [event])


@pytest.fixture(params=[*(f"sqlite: {name}" for name in SQLITE), "postgres: no JSON", "postgres: row gone"])
def damaged_url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """Of a store whose event at ``DAMAGED`` cannot be read."""
    engine, _, name = request.param.partition(": ")
    if engine == "sqlite":
        return _spoilt(f"sqlite:{tmp_path}/store.db", SQLITE[name])
    postgres = request.getfixturevalue("postgres")
    return _spoilt(postgres.new_database(), postgres_damages(postgres)[name])


@pytest.fixture
def lost_url(tmp_path: Any) -> str:
    """Of a store where nobody can even tell whose event it was."""
    (damage,) = SQLITE_LOST.values()
    return _spoilt(f"sqlite:{tmp_path}/store.db", damage)


def _spoilt(url: str, damage: Damage) -> str:
    async def make() -> None:
        async with open_local_store(url) as store:
            await fill(store)

    asyncio.run(make())
    damage(url, DAMAGED)
    return url


async def consume(store: EventStore, group: str) -> list[str]:
    """Pull and acknowledge until nothing comes; what came, as "b2" for the second of b."""
    done: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        while found := await store.groups.pull(group, limit=2):
            settled = await store.groups.ack(group, [one.delivery_id for one in found])
            assert settled.settled == len(found)
            done += [f"{one.event.aggregate_id}{one.event.version}" for one in found]
    return done


def in_order(done: list[str]) -> dict[str, list[int]]:
    return {name: [int(one[1:]) for one in done if one[0] == name] for name in AGGREGATES}


# --- Appends ---------------------------------------------------------------------------------------------------------


async def test_an_append_with_its_id_is_refused_alone(damaged_url: str) -> None:
    """Nobody can tell whether it is the same event; the others of the batch, and of later ones, are stored."""
    async with open_local_store(damaged_url) as store:
        again = NewEvent("Moved", 1, event_id=UUID(int=DAMAGED))
        appends = [AggregateAppend.of("order", name, [event]) for name, event in (
            ("a", NewEvent("Moved", 2)), ("b", again), ("c", NewEvent("Moved", 3)),
        )]  # fmt: skip
        first, refused, last = await store.append_each(appends)
        assert isinstance(refused, StoreCorrupted)
        assert refused.fields["position"] == DAMAGED
        assert isinstance(first, AppendResult)
        assert isinstance(last, AppendResult)
        assert (await store.append("order", "a", [NewEvent("Moved", 4)])).version == EACH + 2


# --- Groups ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_group_parks_the_aggregate_and_goes_on(damaged_url: str, transport: str) -> None:
    async with TRANSPORTS[transport](damaged_url) as store:
        await store.groups.create("billing")
        assert in_order(await consume(store, "billing")) == {"a": [1, 2, 3], "b": [1], "c": [1, 2, 3]}
        (parked,) = (await store.groups.list_parked("billing")).parked
        assert (parked.position, parked.aggregate_type, parked.aggregate_id) == (DAMAGED, "order", "b")
        assert parked.reason.startswith("store_corrupted: ")
        assert (parked.version, parked.attempts, parked.following) == (2, 0, 1)
        info = await store.groups.get("billing")
        assert (info.lag, info.unreadable, info.parked, info.parked_aggregates, info.is_stalled) == (0, 1, 2, 1, False)

        # As it is no better, it is parked again; and when it is passed over, the aggregate goes on.
        assert await store.groups.redrive_parked("billing") == 1
        assert await store.groups.pull("billing") == ()
        assert (await store.groups.get("billing")).unreadable == 1
        assert await store.groups.skip_parked("billing", [DAMAGED], reason="told by the backup") == 1
        assert await consume(store, "billing") == ["b3"]
        assert (await store.groups.get("billing")).unreadable == 0


@pytest.mark.parametrize(
    "query", [EventQuery.of(tags=["eu"]), EventQuery.of(event_types=["Moved"])], ids=["tag", "type"]
)
async def test_a_group_with_a_filter(damaged_url: str, query: EventQuery) -> None:
    async with open_local_store(damaged_url) as store:
        await store.groups.create("billing", query)
        await store.groups.create("others", EventQuery.of(tags=["us"]))
        assert in_order(await consume(store, "billing")) == {"a": [1, 2, 3], "b": [1], "c": [1, 2, 3]}
        assert [one.position for one in (await store.groups.list_parked("billing")).parked] == [DAMAGED]
        assert await consume(store, "others") == []
        assert (await store.groups.get("others")).parked == 0


async def test_damage_that_comes_once_the_event_was_read(tmp_path: Any) -> None:
    """It waits behind another, or is to be delivered again."""
    url = f"sqlite:{tmp_path}/store.db"
    async with open_local_store(url) as store:
        await fill(store)
        await store.groups.create("billing")
        assert len(await store.groups.pull("billing")) == len(AGGREGATES)
    for position in (2, DAMAGED):
        SQLITE["no record"](url, position)
    async with open_local_store(url) as store:
        await store.groups.reset("billing", after=cursor_at(6))
        assert await consume(store, "billing") == ["a3", "b3", "c3"]
        await store.groups.reset("billing", start="beginning")
        assert in_order(await consume(store, "billing")) == {"a": [1, 2, 3], "b": [], "c": [1, 2, 3]}
        assert await store.groups.skip_parked("billing", [2], reason="gone") == 1
        assert await consume(store, "billing") == []
        (parked,) = (await store.groups.list_parked("billing")).parked
        assert (parked.position, parked.version, parked.following) == (DAMAGED, 2, 1)
        await store.groups.reset("billing", after=cursor_at(7))
        assert (await store.groups.get("billing")).parked == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_event_of_nobody_knows_whom_holds_up_what_comes_after_it(lost_url: str, transport: str) -> None:
    async with TRANSPORTS[transport](lost_url) as store:
        await store.groups.create("billing")
        assert await consume(store, "billing") == ["a1", "b1", "c1", "a2"]
        info = await store.groups.get("billing")
        assert (info.position, info.unreadable, info.is_stalled) == (DAMAGED, 1, True)
        (parked,) = (await store.groups.list_parked("billing")).parked
        assert (parked.position, parked.aggregate_type, parked.aggregate_id, parked.version) == (DAMAGED, "", "", 0)
        assert parked.reason.startswith("store_corrupted: ")
        # It is looked at again where somebody asks for it, and stays what it is.
        assert await store.groups.redrive_parked("billing", [DAMAGED]) == 1
        assert await consume(store, "billing") == []
        assert (await store.groups.get("billing")).is_stalled
        assert await store.groups.skip_parked("billing", [DAMAGED], reason="told by the backup") == 1
        assert await consume(store, "billing") == ["c2", "a3", "b3", "c3"]
        (skipped,) = (await store.groups.list_skipped("billing")).skipped
        assert (skipped.position, skipped.aggregate_id) == (DAMAGED, "")
        assert not (await store.groups.get("billing")).is_stalled


async def test_the_server_says_so_in_its_log_and_metrics(damaged_url: str, tmp_path: Any) -> None:
    log = tmp_path / "server.log"
    async with server_process(damaged_url, log=log) as server, aiohttp.ClientSession(server.url) as session:
        await session.put("/v1/groups/billing", json={})
        async with asyncio.timeout(PATIENCE_S):
            while True:
                async with session.post("/v1/groups/billing/pull", json={}) as answer:
                    deliveries = (await answer.json())["deliveries"]
                if not deliveries:
                    break
                ids = [one["delivery_id"] for one in deliveries]
                await session.post("/v1/groups/billing/ack", json={"delivery_ids": ids})
        async with session.get("/metrics") as answer:
            metrics = await answer.text()
    assert 'indelible_group_corrupted_total{group="billing"} 1.0' in metrics
    assert 'indelible_group_unreadable{group="billing"} 1.0' in metrics
    (line,) = [line for line in log.read_text("utf-8").splitlines() if "damaged event" in line]
    assert "billing" in line
    assert f"{DAMAGED}" in line


# --- Readers ---------------------------------------------------------------------------------------------------------


async def test_a_read_by_ids_comes_up_to_it(damaged_url: str) -> None:
    async with open_local_store(damaged_url) as store:
        ids = [UUID(int=position) for position in range(1, EACH * len(AGGREGATES) + 1)]
        sound = {position: (await store.read_lines([UUID(int=position)]))[0] for position in (1, 2, 3, 4, 9)}
        before = await store.read_lines(ids)
        assert before
        assert list(before) == [sound[position] for position in range(1, DAMAGED)][: len(before)]
        assert list(await store.read_lines([UUID(int=9), UUID(int=1)])) == [sound[9], sound[1]]
        for asked in (ids[DAMAGED - 1 :], ids[DAMAGED - 1 : DAMAGED]):
            with pytest.raises(StoreCorrupted, match=f"the event {UUID(int=DAMAGED)} cannot be read"):
                await store.read_lines(asked)


async def test_a_search_comes_up_to_it(damaged_url: str) -> None:
    async with open_local_store(damaged_url) as log:
        index = MemoryIndex()
        begun = await index.begin({})
        sound = [number for number in range(1, 10) if number != DAMAGED]
        events = [await log.get_event(UUID(int=number)) for number in sound]
        times_us = {event.position: timestamp_to_us(event.timestamp) for event in events}
        times_us[DAMAGED] = times_us[DAMAGED - 1]
        found = [
            document(time_us=times_us[position], position=position, event_id=UUID(int=position))
            for position in range(1, 10)
        ]
        await index.apply(begun.number, found, after=START, cursor=(await log.head()).cursor)
        await index.swap(begun.number)
        store = SearchingStore(log, index, {})
        positions: list[int] = []
        cursor: str | None = None
        while len(positions) < 4:
            page = await store.search(SearchQuery(), order="newest", limit=7, cursor=cursor)
            positions += [event.position for event in page.events]
            cursor = page.cursor
        assert positions == [9, 8, 7, 6]
        with pytest.raises(StoreCorrupted, match=str(UUID(int=DAMAGED))):
            await store.search(SearchQuery(), order="newest", limit=7, cursor=cursor)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_readers_get_what_is_before_and_then_its_position(damaged_url: str, transport: str) -> None:
    async with TRANSPORTS[transport](damaged_url) as store:
        for query in (EVERYTHING, EventQuery.of(tags=["eu"])):
            page = await store.read_feed(query, limit=100)
            # The page ends where half of what was asked for is too much, or right before it.
            assert 1 <= page.events[-1].position < DAMAGED
            await _corrupted(store.read_feed(query, after=cursor_at(DAMAGED - 1)))
            backward = await store.read_feed(query, after=cursor_at(7), direction="backward", limit=100)
            assert [event.position for event in backward.events] == [6]
            await _corrupted(store.read_feed(query, after=cursor_at(6), direction="backward"))
            seen: list[int] = []
            await _corrupted(_follow(store, query, seen))
            assert seen == [1, 2, 3, 4]
        assert [event.version for event in (await store.read_aggregate("order", "b", limit=10)).events] == [1]
        await _corrupted(store.read_aggregate("order", "b", from_version=2))
        assert (await store.replay("order", "b")).page.next_version == 2
        after = await store.read_feed(after=cursor_at(DAMAGED))
        assert [event.position for event in after.events] == [6, 7, 8, 9]


async def _follow(store: EventStore, query: EventQuery, seen: list[int]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        async for page in store.follow(query):
            seen += [event.position for event in page.events]


async def _corrupted(read: Any) -> None:
    with pytest.raises(StoreCorrupted) as caught:
        await read
    assert caught.value.fields == {"position": DAMAGED}


async def test_no_text_that_is_no_json_goes_over_http(damaged_url: str) -> None:
    with serving_in_a_thread(open_local_store(damaged_url)) as url:
        async with aiohttp.ClientSession(url) as session:
            async with session.get("/v1/events", params={"after": str(DAMAGED - 1)}) as answer:
                assert answer.status == 500
                problem = await answer.json(content_type=None)
                assert (problem["code"], problem["position"]) == ("store_corrupted", DAMAGED)
            for kind in ("application/x-ndjson", "text/event-stream"):
                got = bytearray()
                # The stream has begun with 200: that it breaks off is what can still say so.
                with pytest.raises(aiohttp.ClientPayloadError):
                    await _read_all(session, kind, got)
                lines = [line.removeprefix(b"data: ") for line in got.split(b"\n")]
                events = [json.loads(line) for line in lines if line.startswith(b"{")]
                assert [event["position"] for event in events if "position" in event] == [1, 2, 3, 4], kind


async def _read_all(session: aiohttp.ClientSession, kind: str, got: bytearray) -> None:
    async with asyncio.timeout(PATIENCE_S), session.get("/v1/events", headers={"accept": kind}) as answer:
        assert answer.status == 200
        async for part in answer.content.iter_any():
            got += part


async def test_verify_still_names_it(damaged_url: str) -> None:
    async with open_local_store(damaged_url) as store:
        report = await verify(store)
    assert report.damage is not None
    assert report.damage.position == DAMAGED
