"""A store of several partitions: what is put together from all of them, and how it is told from other stores."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from indelible.conditions import AppendCondition
from indelible.core.copy import copy_log, verify_copy
from indelible.core.open import open_local_store
from indelible.core.partitions.store import PartitionedStore
from indelible.core.store import LocalEventStore
from indelible.core.verify import verify
from indelible.cursors import START, Cursor
from indelible.engines.engine import Lines
from indelible.engines.memory import MemoryEngine
from indelible.errors import GroupExists, GroupNotFound, InvalidRequest, ParkedEventNotFound
from indelible.events import NewEvent, RecordedEvent
from indelible.eventstore import AggregateAppend, FeedPage
from indelible.groups import Delivery, Settled
from indelible.limits import PAGE_SIZE_BYTES_MAX, PARTITIONS_MAX, SUBSCRIPTION_PAGE_SIZE_BYTES_MAX
from indelible.queries import Direction, EventQuery, QueryItem
from indelible.testing.conformance.helpers import check_each_order, ids, read_feed_to_end

PARTITIONS = 5
_PATIENCE_S = 60


def _store(engines: list[MemoryEngine], **options: Any) -> PartitionedStore:
    partitions = [LocalEventStore(one, is_partition=True) for one in engines]
    return PartitionedStore(partitions, **options)


@pytest.fixture
async def store() -> AsyncIterator[PartitionedStore]:
    async with _store([MemoryEngine() for _ in range(PARTITIONS)]) as store:
        yield store


async def _filled(store: PartitionedStore, aggregates: int = 40, events: int = 3) -> list[NewEvent]:
    sent = []
    for version in range(events):
        for n in range(aggregates):
            sent.append(NewEvent("Happened", [n, version], tags=["filled"]))
            await store.append("order", str(n), [sent[-1]])
    return sent


# --- One store -------------------------------------------------------------------------------------------------------


class _Kept(MemoryEngine):
    """Keeps its log when it is closed, as others do."""

    async def close(self) -> None:
        pass


async def test_partitions_stay_one_store() -> None:
    engines: list[MemoryEngine] = [_Kept() for _ in range(3)]
    async with _store(engines) as store:
        await _filled(store, 10, 1)
        head = await store.head()
    async with _store(engines) as store:
        assert await store.head() == head
        assert (await store.get_aggregate("order", "7")).version == 1
    for wrong, named in (
        (engines[:2], "has 3 partitions"),
        ([*engines, _Kept()], "has 3 partitions"),
        ([engines[0], engines[2], engines[1]], "says that it is another"),
        (engines[::-1], "says that it is another"),
        ([engines[0], engines[1], _Kept()][::-1], "holds a store|says that it is another"),
    ):
        with pytest.raises(InvalidRequest, match=named) as caught:
            await _store(wrong).open()
        assert caught.value.pointer == "/store"
    with pytest.raises(InvalidRequest, match="partition 1 of 3"):
        await LocalEventStore(engines[1]).open()


async def test_a_store_of_one_partition_does_not_become_a_part_of_another() -> None:
    whole = _Kept()
    async with LocalEventStore(whole) as store:
        await store.append("order", "1", [NewEvent("Placed")])
    for engines in ([whole, _Kept()], [_Kept(), whole]):
        with pytest.raises(InvalidRequest, match="holds a store of its own"):
            await _store(engines).open()
    async with LocalEventStore(whole) as store:
        assert (await store.head()).position == 1


async def test_what_was_interrupted_when_the_store_was_made_is_done() -> None:
    engines: list[MemoryEngine] = [_Kept() for _ in range(3)]
    async with _store(engines):
        pass
    async with _store([engines[0], engines[1], fresh := _Kept()]) as store:
        assert (await store.head()).position == 3
    assert (await fresh.head()).position == 1


async def test_partition_keys_are_those_of_when_the_store_was_made() -> None:
    engines: list[MemoryEngine] = [_Kept() for _ in range(3)]
    keys = {"order": "{aggregate_id:/}"}
    async with _store(engines, partition_keys=keys):
        pass
    async with _store(engines) as store:
        assert len({store.partition_of("order", f"a/{n}") for n in range(20)}) == 1
    async with _store(engines, partition_keys=keys):
        pass
    for other in ({}, {"order": "all"}):
        with pytest.raises(InvalidRequest, match="other partition keys") as caught:
            await _store(engines, partition_keys=other).open()
        assert caught.value.pointer == "/partition_keys"


async def test_two_processes_make_a_store_at_once() -> None:
    engines: list[MemoryEngine] = [_Kept() for _ in range(3)]
    stores = await asyncio.gather(*[_store(engines).open() for _ in range(4)])
    assert {(await one.head()).position for one in stores} == {3}


@pytest.mark.parametrize(
    "url", ["memory:?partitions=0", "memory:?partitions=x", f"memory:?partitions={PARTITIONS_MAX + 1}"]
)
def test_how_many_partitions_there_may_be(url: str) -> None:
    with pytest.raises(InvalidRequest, match=f"from 1 to {PARTITIONS_MAX}"):
        open_local_store(url)


@pytest.mark.parametrize("url", ["memory:?partitions=4&partitions=2", "memory:?partitions=2&partition=1&partition=0"])
def test_a_parameter_that_stands_twice_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="must stand there once") as caught:
        open_local_store(url)
    assert caught.value.pointer == "/store"


async def test_relays_are_refused_by_name(store: PartitionedStore) -> None:
    with pytest.raises(InvalidRequest, match="takes no relays") as caught:
        await store.relays.claim("billing", "me")
    assert caught.value.pointer == "/relay"


async def test_a_url_of_several_partitions() -> None:
    for url in ("memory:?partitions=4", "memory: memory: memory: memory:", "memory:?partitions=2 memory:?partitions=2"):
        async with open_local_store(url) as store:
            assert (await store.head()).partitions == 4
    async with open_local_store("memory:?partitions=1") as store:
        assert (await store.head()).partitions == 1
    with pytest.raises(InvalidRequest) as caught:
        open_local_store("memory:", partition_keys={"order": "x"})
    assert caught.value.pointer == "/partition_keys"


# --- Appending -------------------------------------------------------------------------------------------------------


async def test_independent_appends_to_all_partitions(store: PartitionedStore) -> None:
    appends = [AggregateAppend.of("order", str(n), [NewEvent("Placed", n)], expected_version="none") for n in range(30)]
    bad = AggregateAppend.of("or-der", "1", [NewEvent("Placed")])
    outcomes = await store.append_each([*appends, bad, appends[3]])
    assert [(one.aggregate_id, one.version) for one in outcomes[:30]] == [(str(n), 1) for n in range(30)]  # type: ignore[union-attr]  # what it is is asserted
    assert isinstance(outcomes[30], InvalidRequest)
    assert outcomes[31].replayed  # type: ignore[union-attr]  # what it is is asserted
    assert len({store.partition_of("order", str(n)) for n in range(30)}) == PARTITIONS


async def test_what_one_append_may_name(store: PartitionedStore) -> None:
    homes = {store.partition_of("order", str(n)): str(n) for n in range(30)}
    apart = [AggregateAppend.of("order", homes[n], [NewEvent("Placed")]) for n in (0, 1)]
    with pytest.raises(InvalidRequest) as caught:
        await store.append_atomic(apart)
    assert caught.value.pointer == "/appends/1"
    condition = AppendCondition((QueryItem(tags=("x",)),))
    with pytest.raises(InvalidRequest) as caught:
        await store.append_atomic(apart[:1], condition=condition)
    assert caught.value.pointer == "/condition/fail_if/0"
    assert (await store.append_atomic(apart[:1])).results[0].version == 1


async def test_an_event_of_any_partition_is_found(store: PartitionedStore) -> None:
    sent = await _filled(store, 20, 1)
    for event in sent:
        assert (await store.get_event(event.event_id)).event_data == event.event_data
    lines = await store.read_lines([*ids(sent), NewEvent("Never").event_id])
    assert [len(found) for found in lines] == [1] * len(sent) + [0]


# --- The feed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 7, 1000])
@pytest.mark.parametrize("query", [EventQuery(), EventQuery.of(tags=["filled"])])
async def test_the_feed_goes_by_timestamps(store: PartitionedStore, query: EventQuery, limit: int) -> None:
    sent = await _filled(store)
    forward = await read_feed_to_end(store, query, limit=limit)
    check_each_order(forward)
    mine = [event for event in forward if event.aggregate_type == "order"]
    assert sorted(ids(mine)) == sorted(ids(sent))
    stamps = [event.timestamp for event in forward]
    assert stamps == sorted(stamps)
    backward = await read_feed_to_end(store, query, direction="backward", limit=limit)
    assert ids(backward) == ids(forward)[::-1]


async def test_a_page_is_full_where_there_is_enough(store: PartitionedStore) -> None:
    await _filled(store)
    page = await store.read_feed(limit=100)
    assert (page.count, page.at_end) == (100, False)
    rare = EventQuery.of(aggregate_types=["rare"])
    for n in range(50):
        await store.append("rare", "1", [NewEvent("Seen", n)])
    page = await store.read_feed(rare, limit=50)
    assert [event.event_data for event in page.events] == list(range(50))


class _Measured(MemoryEngine):
    """Counts the bytes of the pages that it gives."""

    size_bytes = 0

    async def read_feed(self, *arguments: Any, **options: Any) -> Lines:
        page = await super().read_feed(*arguments, **options)
        self.size_bytes += len(page.lines)
        return page


@pytest.mark.parametrize("data_size_bytes", [100, 10_000])
async def test_all_partitions_together_give_little_more_than_a_page(data_size_bytes: int) -> None:
    """What each gives is held until all of it is taken."""
    engines = [_Measured() for _ in range(16)]
    async with PartitionedStore([LocalEventStore(one, is_partition=True) for one in engines]) as store:
        for n in range(20_000_000 // (data_size_bytes + 900) // 100):
            data = "x" * data_size_bytes
            appends = [AggregateAppend.of("order", f"{n}-{i}", [NewEvent("Placed", data)]) for i in range(100)]
            await store.append_each(appends)
        before = sum(one.size_bytes for one in engines)
        async with aclosing(store.follow()) as pages:
            await anext(pages)
            assert sum(one.size_bytes for one in engines) - before < 3 * SUBSCRIPTION_PAGE_SIZE_BYTES_MAX
        directions: tuple[Direction, ...] = ("forward", "backward")
        for direction in directions:
            before = sum(one.size_bytes for one in engines)
            page = await store.read_feed(limit=1_000, direction=direction)
            assert max(page.count / 1_000, len(page.lines) / PAGE_SIZE_BYTES_MAX) > 0.5
            assert sum(one.size_bytes for one in engines) - before < 2.5 * PAGE_SIZE_BYTES_MAX


async def test_reading_turns_round_anywhere(store: PartitionedStore) -> None:
    """What is read backward from a cursor is what came before the event that was passed last, and nothing is lost when
    reading goes forward again."""
    await _filled(store, 12, 2)
    every = ids(await read_feed_to_end(store))
    cursor, passed = START, 0
    for step in (5, 1, 8, 3):
        page = await store.read_feed(after=cursor, limit=step)
        cursor, passed = page.cursor, passed + step
        before = await store.read_feed(after=cursor, direction="backward", limit=passed)
        assert ids(before.events) == every[: passed - 1][::-1]
        again = await store.read_feed(after=cursor, direction="backward", limit=2)
        more = await store.read_feed(after=again.cursor, direction="backward", limit=2)
        assert ids([*again.events, *more.events]) == every[: passed - 1][::-1][:4]
        assert ids((await store.read_feed(after=again.cursor, limit=1)).events) == [ids(again.events)[-2]]


async def test_reading_backward_from_the_head_passes_over_what_comes_meanwhile(store: PartitionedStore) -> None:
    """However much that is."""
    before = await _filled(store, 12, 1)
    at_head = (await store.read_feed(limit=1_000)).cursor
    home = store.partitions[store.partition_of("order", "0")]
    read_feed = home.read_feed

    async def late(*arguments: Any, **options: Any) -> FeedPage:
        await home.append("order", "0", [NewEvent("Late", n) for n in range(50)])
        return await read_feed(*arguments, **options)

    home.read_feed = late  # type: ignore[method-assign]  # as others append just then
    page = await store.read_feed(after=at_head, direction="backward", limit=1)
    home.read_feed = read_feed  # type: ignore[method-assign]  # as it was
    found = [*page.events]
    while not page.at_end:
        page = await store.read_feed(after=page.cursor, direction="backward", limit=20)
        found += page.events
    assert ids([one for one in found if one.event_type != "PartitionMade"]) == ids(before)[-2::-1]


async def test_a_subscription_catches_up_and_goes_on(store: PartitionedStore) -> None:
    sent = await _filled(store)
    found: list[RecordedEvent] = []
    cursors: list[Cursor] = []
    query = EventQuery.of(tags=["filled"])
    async with asyncio.timeout(_PATIENCE_S), aclosing(store.follow(query)) as pages:
        async for page in pages:
            for event, cursor in page.events_with_cursors():
                found.append(event)
                cursors.append(cursor)
            if page.at_end:
                break
        stamps = [event.timestamp for event in found]
        assert (sorted(ids(found)), stamps) == (sorted(ids(sent)), sorted(stamps))
        live = [NewEvent("Live", n, tags=["filled"]) for n in range(20)]
        for n, event in enumerate(live):
            await store.append("order", str(n), [event])
        while len(found) < len(sent) + len(live):
            found += (await anext(pages)).events
    assert sorted(ids(found[len(sent) :])) == sorted(ids(live))
    check_each_order(found)
    for n in (0, 17, 60, len(cursors) - 1):
        rest = await read_feed_to_end(store, query, after=cursors[n])
        assert sorted(ids(rest)) == sorted(ids(found[n + 1 :]))


async def test_a_subscription_ends_when_it_is_left(store: PartitionedStore) -> None:
    before = asyncio.all_tasks()
    pages = store.follow()
    await anext(pages)
    waiting = asyncio.create_task(anext(pages))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await pages.aclose()
    assert asyncio.all_tasks() == before


# --- Consumer groups -------------------------------------------------------------------------------------------------


async def test_a_group_over_all_partitions(store: PartitionedStore) -> None:
    sent = await _filled(store, 20, 3)
    made = await store.groups.create("billing", EventQuery.of(tags=["filled"]))
    assert (made.lag, made.is_new) == (len(sent) + PARTITIONS, True)
    done: list[RecordedEvent] = []
    while len(done) < len(sent):
        pulled = await store.groups.pull("billing", limit=7, wait_s=5)
        assert 0 < len(pulled) <= 7
        done += [one.event for one in pulled]
        assert (await store.groups.ack("billing", [one.delivery_id for one in pulled])).lost == ()
    check_each_order(done)
    assert sorted(ids(done)) == sorted(ids(sent))
    assert await store.groups.pull("billing") == ()
    info = await store.groups.get("billing")
    assert (info.lag, info.cursor) == (0, (await store.head()).cursor)
    assert await store.groups.list() == (info,)


async def test_a_member_who_waits_hears_of_any_partition(store: PartitionedStore) -> None:
    await store.groups.create("billing", start="end")
    for n in range(2 * PARTITIONS):
        waiting = asyncio.create_task(store.groups.pull("billing", limit=3, wait_s=30))
        await asyncio.sleep(0.01)
        event = NewEvent("Placed", n)
        await store.append("order", str(n), [event])
        async with asyncio.timeout(_PATIENCE_S):
            pulled = await waiting
        assert ids([one.event for one in pulled]) == [event.event_id]
        await store.groups.ack("billing", [one.delivery_id for one in pulled])
    assert (await store.groups.get("billing")).in_flight == 0


async def _parked(store: PartitionedStore) -> list[Delivery]:
    await _filled(store, 20, 1)
    await store.groups.create("billing", EventQuery.of(tags=["filled"]))
    pulled = await store.groups.pull("billing", limit=20)
    await store.groups.nack("billing", [one.delivery_id for one in pulled], park=True)
    return list(pulled)


async def test_parked_events_are_named_by_partition_and_position(store: PartitionedStore) -> None:
    await _parked(store)
    listed, after, at_end = [], None, False
    while not at_end:
        page = await store.groups.list_parked("billing", after=after, limit=3)
        listed, after, at_end = [*listed, *page.parked], page.cursor, page.at_end
    assert len(listed) == 20
    for one in listed:
        assert one.partition == store.partition_of(one.aggregate_type, one.aggregate_id)
    twice = next(one for one in listed if sum(other.position == one.position for other in listed) > 1)
    with pytest.raises(InvalidRequest) as caught:
        await store.groups.skip_parked("billing", [twice.position], reason="two of them")
    assert caught.value.pointer == "/partition"
    assert (await store.groups.get("billing")).parked == 20
    skip = store.groups.skip_parked("billing", [twice.position], reason="this one", partition=twice.partition)
    assert await skip == 1
    (skipped,) = (await store.groups.list_skipped("billing")).skipped
    assert (skipped.aggregate_id, skipped.partition) == (twice.aggregate_id, twice.partition)
    with pytest.raises(ParkedEventNotFound):
        await store.groups.redrive_parked("billing", [twice.position], partition=twice.partition)
    assert await store.groups.redrive_parked("billing", partition=twice.partition) > 0
    assert await store.groups.redrive_parked("billing") > 0
    assert (await store.groups.get("billing")).parked == 0


async def test_a_partition_that_there_is_not_is_refused(store: PartitionedStore) -> None:
    async with LocalEventStore(MemoryEngine()) as whole:
        for one, beyond in ((store, PARTITIONS), (whole, 1)):
            groups = one.groups
            await groups.create("billing")
            for asked in (
                groups.redrive_parked("billing", partition=beyond),
                groups.redrive_parked("billing", [1], partition=beyond),
                groups.skip_parked("billing", [1], reason="none", partition=beyond),
            ):
                with pytest.raises(InvalidRequest) as caught:
                    await asked
                assert caught.value.pointer == "/partition"
            assert await groups.redrive_parked("billing", partition=beyond - 1) == 0
            with pytest.raises(ParkedEventNotFound):
                await groups.redrive_parked("billing", [1], partition=beyond - 1)


async def test_a_group_that_was_half_made_is_made(store: PartitionedStore) -> None:
    await store.partitions[3].groups.create("billing", max_attempts=7)
    assert await store.groups.list() == ()
    with pytest.raises(GroupNotFound):
        await store.groups.pull("billing")
    assert (await store.groups.create("billing", max_attempts=3)).max_attempts == 3
    assert {(await one.groups.get("billing")).max_attempts for one in store.partitions} == {3}
    with pytest.raises(GroupExists):
        await store.groups.create("billing", max_attempts=7)
    await store.groups.delete("billing")
    for one in store.partitions:
        assert await one.groups.list() == ()


async def test_delivery_ids_of_other_stores_are_lost(store: PartitionedStore) -> None:
    await store.groups.create("billing")
    others = ["1-1", "1-1.5", "1-1.99", "1-1.2"]
    assert await store.groups.ack("billing", others) == Settled(0, tuple(others))
    with pytest.raises(InvalidRequest) as caught:
        await store.groups.ack("billing", ["1-1.x"])
    assert caught.value.pointer == "/delivery_ids/0"
    with pytest.raises(GroupNotFound):
        await store.groups.ack("shipping", others)
    async with LocalEventStore(MemoryEngine()) as whole:
        await whole.groups.create("billing")
        assert await whole.groups.ack("billing", ["1-1.0"]) == Settled(0, ("1-1.0",))


# --- Copies ----------------------------------------------------------------------------------------------------------


async def test_partitions_are_copied_one_by_one(tmp_path: Path) -> None:
    url, copy = (" ".join(f"sqlite:{tmp_path}/{name}-{n}.db" for n in range(3)) for name in ("store", "copy"))
    async with open_local_store(url, partition_keys={"seat": "{aggregate_id:/}"}) as store:
        assert isinstance(store, PartitionedStore)
        await _filled(store, 20, 2)
        every = await read_feed_to_end(store)
    for n in range(3):
        source = open_local_store(f"{url}?partition={n}", read_only=True)
        destination = open_local_store(f"{copy}?partition={n}", is_copy=True)
        async with source, destination:
            report = await copy_log(source, destination)
            await verify_copy(destination, report)
            # It goes on where the source has grown, and does not begin anew.
            assert (await copy_log(source, destination)).copied == 0
    async with open_local_store(copy) as store:
        assert await read_feed_to_end(store) == every
        assert (await verify(store)).damage is None
        assert (await store.append("order", "7", [NewEvent("Happened")])).version == 3
    with pytest.raises(InvalidRequest, match="nothing is appended"):
        open_local_store(f"{url}?partition=0")
    with pytest.raises(InvalidRequest, match="names none of them"):
        open_local_store(f"{url}?partition=3", read_only=True)
    with pytest.raises(InvalidRequest, match="names none of them"):
        open_local_store(f"sqlite:{tmp_path}/store-0.db?partition=0", read_only=True)


def test_a_file_of_sqlite_is_one_partition(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="is one partition"):
        open_local_store(f"sqlite:{tmp_path}/store.db?partitions=2")
    assert list(tmp_path.iterdir()) == []
