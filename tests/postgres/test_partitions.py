"""The log lies in partitions by position; nobody who reads or writes it has to know."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from indelible.conditions import AppendCondition
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.core.verify import verify
from indelible.cursors import cursor_at
from indelible.engines.postgres.engine import PostgresEngine
from indelible.errors import ConditionFailed, IndelibleError, StorageFailure, StoreCorrupted, Unavailable
from indelible.events import NewEvent, RecordedEvent
from indelible.eventstore import AggregateAppend
from indelible.queries import EventQuery, QueryItem
from indelible.testing.conformance.helpers import ids, read_aggregate_to_end, read_feed_to_end
from postgres.server import PostgresServer
from postgres.stores import SMALL, append_many, database_of, role_of, runtime_url, small_store, tables


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


async def _wait_for_tables(server: PostgresServer, url: str, count: int) -> list[str]:
    for _ in range(600):
        found = tables(server, url)
        if len(found) >= count:
            return found
        await asyncio.sleep(0.05)
    pytest.fail(f"{count} partitions were not made: {found}")


async def _append_across(store: LocalEventStore, partitions: int) -> None:
    """Fill partitions: in each, an aggregate of its own and one that goes through all of them; 10 ms between them."""
    for n in range(partitions):
        rest = [NewEvent("Filled", {"n": i}) for i in range(SMALL - 2)]
        await store.append(f"filler{n}", "f", [NewEvent("Begun", {"n": n}, tags=[f"part:{n}", "begun"]), *rest])
        await store.append("long", "l", [NewEvent("Went", {"n": n}, tags=["long"])])
        await asyncio.sleep(0.01)


class TestMaking:
    async def test_next_partition_is_there_before_it_is_needed(self, postgres: PostgresServer, url: str) -> None:
        async with small_store(url) as store:
            await append_many(store, 400)
            assert tables(postgres, url) == ["events_from_1"]
            await append_many(store, 200)
            assert await _wait_for_tables(postgres, url, 2) == ["events_from_1", "events_from_1001"]

    async def test_several_servers_make_each_once(self, postgres: PostgresServer, url: str) -> None:
        stores = [small_store(url) for _ in range(3)]
        for store in stores:
            await store.open()
        try:
            for _ in range(2):
                await asyncio.gather(*(append_many(store, 300) for store in stores for _ in range(3)))
            head = (await stores[0].head()).position
            assert head == 5_400
            assert (await verify(stores[1])).damage is None
        finally:
            for store in stores:
                await store.aclose()
        found = postgres.query(
            "SELECT first_position, end_position, table_name::text FROM indelible.event_partitions ORDER BY 1", url=url
        )
        assert [first for first, _, _ in found] == [1 + SMALL * n for n in range(len(found))]
        assert [end for _, end, _ in found] == [1 + SMALL * (n + 1) for n in range(len(found))]
        assert tables(postgres, url) == [name for _, _, name in found]
        assert found[-1][1] > head

    async def test_one_append_may_span_partitions(self, url: str) -> None:
        async with small_store(url) as store:
            events = await append_many(store, 4_500)
            found = await read_aggregate_to_end(store, "counter", "c", limit=1_000)
            assert ids(found) == ids(events)

    async def test_sizes_may_change_from_one_server_to_the_next(self, postgres: PostgresServer, url: str) -> None:
        for positions in (1_000, 5_000, 2_000):
            async with small_store(url, positions) as store:
                await append_many(store, 1_500)
        async with small_store(url) as store:
            assert (await verify(store)).verified == 4_500
        sql = "SELECT first_position, end_position FROM indelible.event_partitions ORDER BY 1"
        found = postgres.query(sql, url=url)
        assert {end - first for first, end in found} == {1_000, 5_000}
        assert [first for first, _ in found[1:]] == [end for _, end in found[:-1]]

    async def test_missing_one_is_made_when_it_is_needed(self, postgres: PostgresServer, url: str) -> None:
        """Making it ahead failed, and nobody noticed; the append that needs it is told why, until it works again."""
        as_role = await runtime_url(postgres, url)
        right = f"EXECUTE ON FUNCTION indelible.make_event_partitions(bigint, bigint) {{}} {role_of(as_role)}"
        async with small_store(as_role) as store:
            postgres.query(f"REVOKE {right.format('FROM')}", url=url)
            await append_many(store, 900)
            with pytest.raises(Unavailable, match="permission denied for function make_event_partitions"):
                await append_many(store, 200)
            assert (await store.head()).position == 900
            postgres.query(f"GRANT {right.format('TO')}", url=url)
            await append_many(store, 200)
            report = await verify(store)
            assert (report.damage, report.verified) == (None, 1_100)

    async def test_holds_up_neither_readers_nor_writers(self, postgres: PostgresServer, url: str) -> None:
        """Its transaction is held open; meanwhile everybody goes on. And it does not wait for those who are at it."""
        async with small_store(url) as store:
            await append_many(store, 10)
            with psycopg.connect(url) as reader, psycopg.connect(url) as writer, psycopg.connect(url) as maker:
                reader.execute("SELECT count(*) FROM indelible.events")
                writer.execute("INSERT INTO indelible.events SELECT 11, aggregate_type, aggregate_id, 11, event_id, "
                               "event_type, timestamp, event_data FROM indelible.events WHERE false")  # fmt: skip
                maker.execute("SET lock_timeout = '5s'")
                maker.execute("SELECT indelible.make_event_partitions(3000, 1000)")
                async with asyncio.timeout(30):
                    await append_many(store, 10)
                    assert len(await read_feed_to_end(store)) == 20
                maker.commit()
            await append_many(store, 2_500)
            assert (await verify(store)).damage is None


class TestManyPartitions:
    @pytest.fixture(scope="class")
    @staticmethod
    def filled(postgres: PostgresServer) -> str:
        url = postgres.new_database()

        async def make() -> None:
            async with small_store(url) as store:
                await _append_across(store, 5)

        asyncio.run(make())
        return url

    @pytest.fixture
    async def store(self, filled: str) -> AsyncIterator[LocalEventStore]:
        async with small_store(filled) as store:
            yield store

    async def test_log_reads_and_verifies(self, store: LocalEventStore) -> None:
        events = await read_feed_to_end(store, limit=999)
        assert [event.position for event in events] == list(range(1, 5_001))
        backward = await read_feed_to_end(store, direction="backward", limit=1_000)
        assert backward == events[::-1]
        assert (await verify(store)).damage is None

    async def test_filters_find_across_partitions(self, store: LocalEventStore) -> None:
        begun = await read_feed_to_end(store, EventQuery.of(tags=["begun"]))
        assert [event.tags for event in begun] == [("begun", f"part:{n}") for n in range(5)]
        long = await read_feed_to_end(store, EventQuery.of(event_types=["Went"]), direction="backward")
        assert [event.version for event in long] == [5, 4, 3, 2, 1]

    async def test_time_windows_find_across_partitions(self, store: LocalEventStore) -> None:
        events = await read_feed_to_end(store, limit=1_000)
        for since, until in ((0, 1_500), (1_500, 3_500), (999, 4_900)):
            window = EventQuery.of(since=events[since].timestamp, until=events[until].timestamp)
            expected = [
                event for event in events if events[since].timestamp <= event.timestamp < events[until].timestamp
            ]
            assert await read_feed_to_end(store, window, limit=1_000) == expected

    async def test_aggregates_go_through_partitions(self, store: LocalEventStore) -> None:
        found = await read_aggregate_to_end(store, "long", "l", limit=2)
        assert [event.version for event in found] == [1, 2, 3, 4, 5]
        info = await store.get_aggregate("long", "l")
        assert (info.version, info.first_timestamp) == (5, found[0].timestamp)

    async def test_id_in_an_old_partition_is_replayed(self, store: LocalEventStore) -> None:
        (first,) = (await store.read_feed(limit=1)).events
        head = (await store.head()).position
        again = await store.append(first.aggregate_type, first.aggregate_id, [NewEvent.from_recorded(first)])
        assert (again.replayed, again.events[0].position) == (True, 1)
        assert (await store.head()).position == head

    async def test_condition_sees_old_partitions(self, store: LocalEventStore) -> None:
        append = AggregateAppend.of("other", "o", [NewEvent("Other")])
        condition = AppendCondition((QueryItem(tags=("part:0",)),), cursor_at(0))
        with pytest.raises(ConditionFailed) as caught:
            await store.append_atomic([append], condition=condition)
        assert caught.value.position == 1

    def test_nothing_can_be_stored_twice_even_by_hand(self, postgres: PostgresServer, filled: str) -> None:
        for key, name in (
            ("(9999, 9999, 1, 1, (SELECT event_id FROM indelible.event_keys WHERE position = 3))", "by_event_id"),
            ("(9999, 1, 3, 1, gen_random_uuid())", "by_aggregate"),
            ("(1, 9999, 1, 1, gen_random_uuid())", "by_event_type"),
        ):
            with pytest.raises(psycopg.errors.UniqueViolation, match=f"event_keys_{name}"):
                postgres.query(f"INSERT INTO indelible.event_keys VALUES {key}", url=filled)
        with pytest.raises(psycopg.errors.UniqueViolation, match="events_from_1_pkey"):
            postgres.query("INSERT INTO indelible.events SELECT * FROM indelible.events WHERE position = 3", url=filled)

    async def test_moving_one_to_another_tablespace_changes_nothing(
        self, postgres: PostgresServer, filled: str, store: LocalEventStore
    ) -> None:
        before = await read_feed_to_end(store, limit=1_000)
        folder = _move_first_partition(postgres, filled)
        assert any(path.is_file() for path in folder)
        assert await read_feed_to_end(store, limit=1_000) == before
        again = await store.append("filler0", "f", [NewEvent.from_recorded(before[0])])
        assert again.replayed


def _move_first_partition(server: PostgresServer, url: str) -> list[Path]:
    """All that is in the folder that it is moved to."""
    space = f"slow_{database_of(url)}"
    folder = server.data.parent / space
    folder.mkdir()
    server.give(folder)
    server.query(f"CREATE TABLESPACE {space} LOCATION '{folder}'")
    server.query(f"ALTER TABLE indelible.events_from_1 SET TABLESPACE {space}", url=url)
    server.query(f"ALTER INDEX indelible.events_from_1_pkey SET TABLESPACE {space}", url=url)
    return list(folder.rglob("*"))


class TestDetached:
    """An administrator took the second of four partitions off. What is in it can be had from nowhere."""

    @pytest.fixture(scope="class")
    @staticmethod
    def whole(postgres: PostgresServer) -> tuple[str, list[RecordedEvent]]:
        url = postgres.new_database()

        async def make() -> list[RecordedEvent]:
            async with small_store(url) as store:
                await _append_across(store, 4)
                return await read_feed_to_end(store, limit=1_000)

        return url, asyncio.run(make())

    @pytest.fixture
    def events(self, whole: tuple[str, list[RecordedEvent]]) -> list[RecordedEvent]:
        return whole[1]

    @pytest.fixture
    def url(self, postgres: PostgresServer, whole: tuple[str, list[RecordedEvent]]) -> Iterator[str]:
        url = whole[0]
        postgres.query("ALTER TABLE indelible.events DETACH PARTITION indelible.events_from_1001", url=url)
        yield url
        sql = (
            "ALTER TABLE indelible.events ATTACH PARTITION indelible.events_from_1001 FOR VALUES FROM (1001) TO (2001)"
        )
        postgres.query(sql, url=url)

    async def test_reads_that_need_it_fail_and_skip_nothing(self, url: str, events: list[RecordedEvent]) -> None:
        async with open_local_store(url) as store:
            whole_page = await store.read_feed(limit=1_000)
            assert (whole_page.events[-1].position, whole_page.at_end) == (1_000, False)
            begun = await store.read_feed(EventQuery.of(tags=["begun"]))
            assert ([event.position for event in begun.events], begun.at_end) == ([1], False)
            long = await store.read_aggregate("long", "l")
            assert ([event.version for event in long.events], long.next_version) == ([1], 2)
            gone = events[1_200]
            for read in (
                store.read_feed(after=whole_page.cursor),
                store.read_feed(after=cursor_at(2_001), direction="backward"),
                store.read_feed(EventQuery.of(tags=["begun"]), after=cursor_at(1)),
                store.read_aggregate("long", "l", from_version=2),
                store.read_aggregate("filler1", "f"),
                store.get_event(gone.event_id),
                store.get_aggregate("filler1", "f"),
                store.list_aggregates(),
            ):
                with pytest.raises(StoreCorrupted, match="was a partition taken off"):
                    await read

    async def test_time_windows_skip_nothing(self, url: str, events: list[RecordedEvent]) -> None:
        """A window is read whole; or not at all, where events that are gone may be in it."""
        read, failed = 0, 0
        async with open_local_store(url) as store:
            for since in range(0, len(events), 333):
                for length in (1, 400, 1_500):
                    begin, end = events[since].timestamp, events[min(since + length, len(events) - 1)].timestamp
                    expected = [event for event in events if begin <= event.timestamp < end]
                    try:
                        found = await read_feed_to_end(store, EventQuery.of(since=begin, until=end), limit=1_000)
                    except StoreCorrupted:
                        failed += 1
                        assert begin <= events[2_000].timestamp
                        assert end > events[999].timestamp
                    else:
                        read += 1
                        assert found == expected
        assert read > 5
        assert failed > 5

    async def test_the_rest_is_read_and_written(self, url: str, events: list[RecordedEvent]) -> None:
        async with open_local_store(url) as store:
            assert await read_feed_to_end(store, after=cursor_at(2_000), limit=1_000) == events[2_000:]
            assert (await store.get_event(events[5].event_id)) == events[5]
            page = await store.read_aggregate("long", "l", from_version=3)
            assert [event.version for event in page.events] == [3, 4]
            with pytest.raises(ConditionFailed):
                await store.append_atomic(
                    [AggregateAppend.of("other", "o", [NewEvent("Other")])],
                    condition=AppendCondition((QueryItem(tags=("part:1",)),), cursor_at(0)),
                )

    async def test_a_group_parks_what_is_gone_and_goes_on(self, url: str, events: list[RecordedEvent]) -> None:
        gone = {(event.aggregate_type, event.aggregate_id) for event in events[1_000:2_000]}
        async with open_local_store(url) as store:
            await store.groups.create("readers", after=cursor_at(995))
            delivered: list[RecordedEvent] = []
            async with asyncio.timeout(120):
                while not delivered or delivered[-1].position <= 2_002:
                    found = await store.groups.pull("readers", wait_s=1)
                    if found:
                        await store.groups.ack("readers", [one.delivery_id for one in found])
                    delivered += [one.event for one in found]
            assert sorted(event.position for event in delivered)[:5] == [996, 997, 998, 999, 1_000]
            assert delivered == [events[event.position - 1] for event in delivered]
            parked = (await store.groups.list_parked("readers")).parked
            assert {(one.aggregate_type, one.aggregate_id) for one in parked} == gone
            assert all("was a partition taken off" in one.reason for one in parked)
            assert sum(1 + one.following for one in parked) >= 1_000
            assert (await store.groups.get("readers")).unreadable == len(gone)
            await store.groups.delete("readers")

    async def test_verify_names_the_first_that_is_gone(self, url: str) -> None:
        async with open_local_store(url) as store:
            damage = (await verify(store)).damage
        assert damage is not None
        assert damage.position == 1_001
        assert "was a partition taken off" in damage.reason

    async def test_id_in_it_is_never_stored_again(self, url: str, events: list[RecordedEvent]) -> None:
        """Nobody can say whether it is the same event. That is the answer, to that request alone."""
        gone, other = events[1_200], NewEvent("Other")
        async with open_local_store(url) as store:
            head = (await store.head()).position
            repeat = store.append(gone.aggregate_type, gone.aggregate_id, [NewEvent.from_recorded(gone)])
            results = await asyncio.gather(
                repeat,
                store.append("other", "o", [NewEvent("Other", event_id=gone.event_id)]),
                store.append("other", "o", [NewEvent("Other"), NewEvent("Other", event_id=gone.event_id)]),
                store.append("rest", f"{head}", [other]),
                return_exceptions=True,
            )
            for refused in results[:3]:
                assert isinstance(refused, StoreCorrupted)
                assert f"event id {gone.event_id} is stored at position {gone.position}" in refused.message
                assert refused.fields == {"position": gone.position}
            assert not isinstance(results[3], BaseException)
            assert (await store.head()).position == head + 1
            # The store is not given up for that.
            await store.append("rest", f"{head}", [NewEvent("Later")], expected_version=1)

    async def test_recorded_events_with_its_ids_are_refused(self, url: str, events: list[RecordedEvent]) -> None:
        async with open_local_store(url) as store:
            with pytest.raises(IndelibleError) as caught:
                await store.append_recorded([events[1_200]])
            assert not isinstance(caught.value, StorageFailure)

    async def test_attached_again_all_is_there(
        self, postgres: PostgresServer, whole: tuple[str, list[RecordedEvent]]
    ) -> None:
        url, events = whole
        async with open_local_store(url) as store:
            assert (await read_feed_to_end(store, limit=1_000))[: len(events)] == events
            assert (await verify(store)).damage is None
            again = await store.append(
                events[1_200].aggregate_type, events[1_200].aggregate_id, [NewEvent.from_recorded(events[1_200])]
            )
            assert again.replayed
        for sql in ("UPDATE indelible.events_from_1001 SET hash = hash", "TRUNCATE indelible.events_from_1001"):
            with pytest.raises(psycopg.errors.RaiseException, match="immutable"):
                postgres.query(sql, url=url)


async def test_what_is_asked_for_must_make_sense(url: str) -> None:
    with pytest.raises(StorageFailure, match="a partition holds from 1000"):
        await PostgresEngine(url, partition_positions=10).open()
