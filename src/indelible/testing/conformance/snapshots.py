"""Snapshots: the newest counts, saving again replaces, and replay starts from one."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from indelible.errors import AggregateNotFound, InvalidRequest, PayloadTooLarge, SnapshotNotFound
from indelible.eventstore import EventStore
from indelible.limits import PAGE_EVENTS_MAX, SNAPSHOT_SIZE_BYTES_MAX
from indelible.testing.conformance.helpers import ids, refused, some_events, unique


async def _aggregate(store: EventStore, version: int = 10) -> tuple[str, str]:
    aggregate_type, aggregate_id = unique("Order"), unique()
    await store.append(aggregate_type, aggregate_id, some_events(version))
    return aggregate_type, aggregate_id


@pytest.mark.asyncio
class SnapshotConformance:
    async def test_saved_snapshot_comes_back(self, store: EventStore) -> None:
        key = await _aggregate(store)
        state = {"z": 1.0, "a": [2**80, "é\n"]}
        saved = await store.save_snapshot(*key, version=4, state=state, metadata={"by": "me"})
        assert (saved.aggregate_type, saved.aggregate_id, saved.version) == (*key, 4)
        assert (saved.state, saved.metadata) == (state, {"by": "me"})
        assert abs(saved.timestamp - datetime.now(UTC)) < timedelta(hours=1)
        assert await store.get_snapshot(*key) == saved

    async def test_state_is_kept_to_the_letter(self, store: EventStore) -> None:
        key = await _aggregate(store)
        for text in (b'{"b":1,"a":1.0,"n":12345678901234567890123}', b"null", b"1e999", b'"\\u0041"', b"[]"):
            await store.save_snapshot(*key, version=1, state=msgspec.Raw(text))
            assert bytes((await store.get_snapshot(*key)).state_raw) == text

    async def test_newest_is_by_version(self, store: EventStore) -> None:
        key = await _aggregate(store)
        for version in (3, 9, 5):
            await store.save_snapshot(*key, version=version, state=version)
        assert (await store.get_snapshot(*key)).version == 9
        for at_version, found in ((3, 3), (4, 3), (5, 5), (8, 5), (9, 9), (10, 9), (2**53 - 1, 9)):
            snapshot = await store.get_snapshot(*key, at_version=at_version)
            assert (snapshot.version, snapshot.state) == (found, found)

    async def test_same_version_replaces(self, store: EventStore) -> None:
        key = await _aggregate(store)
        await store.save_snapshot(*key, version=4, state="old", metadata={"a": 1})
        saved = await store.save_snapshot(*key, version=4, state="new")
        assert await store.get_snapshot(*key) == saved
        assert (saved.state, saved.metadata) == ("new", {})

    async def test_snapshots_do_not_count_as_events(self, store: EventStore) -> None:
        key = await _aggregate(store)
        head, info = await store.head(), await store.get_aggregate(*key)
        await store.save_snapshot(*key, version=10, state={})
        assert (await store.head(), await store.get_aggregate(*key)) == (head, info)

    async def test_no_snapshot(self, store: EventStore) -> None:
        key = await _aggregate(store)
        fields = {"aggregate_type": key[0], "aggregate_id": key[1]}
        await refused(SnapshotNotFound, store.get_snapshot(*key), **fields)
        await store.save_snapshot(*key, version=5, state={})
        await refused(SnapshotNotFound, store.get_snapshot(*key, at_version=4), **fields)
        other = unique()
        call = store.get_snapshot(key[0], other)
        await refused(SnapshotNotFound, call, aggregate_type=key[0], aggregate_id=other)

    async def test_version_above_the_aggregates(self, store: EventStore) -> None:
        key = await _aggregate(store)
        call = store.save_snapshot(*key, version=11, state={})
        await refused(InvalidRequest, call, pointer="/version", actual_version=10)
        await refused(SnapshotNotFound, store.get_snapshot(*key), aggregate_type=key[0], aggregate_id=key[1])

    async def test_aggregate_without_events(self, store: EventStore) -> None:
        key = unique("Order"), unique()
        call = store.save_snapshot(*key, version=1, state={})
        await refused(AggregateNotFound, call, aggregate_type=key[0], aggregate_id=key[1])

    async def test_largest_state(self, store: EventStore) -> None:
        key = await _aggregate(store)
        state = "x" * (SNAPSHOT_SIZE_BYTES_MAX - len('""{}'))
        await store.save_snapshot(*key, version=2, state=state)
        assert (await store.get_snapshot(*key)).state == state
        call = store.save_snapshot(*key, version=3, state=state + "x")
        await refused(PayloadTooLarge, call, pointer="/state", size_bytes_max=SNAPSHOT_SIZE_BYTES_MAX)

    # --- Replay ------------------------------------------------------------------------------------------------------

    async def test_replay_without_a_snapshot(self, store: EventStore) -> None:
        key = await _aggregate(store)
        replay = await store.replay(*key)
        assert replay.snapshot is None
        assert [e.version for e in replay.page.events] == list(range(1, 11))
        assert (replay.page.version, replay.page.next_version) == (10, None)

    async def test_replay_goes_on_from_the_newest_snapshot(self, store: EventStore) -> None:
        key = await _aggregate(store)
        for version in (2, 6):
            await store.save_snapshot(*key, version=version, state=version)
        cases: list[tuple[int | None, int | None, range]] = [
            (None, 6, range(7, 11)),
            (10, 6, range(7, 11)),
            (500, 6, range(7, 11)),
            (8, 6, range(7, 9)),
            (6, 6, range(0)),
            (5, 2, range(3, 6)),
            (2, 2, range(0)),
            (1, None, range(1, 2)),
        ]
        for at_version, snapshot_version, versions in cases:
            replay = await store.replay(*key, at_version=at_version)
            assert (replay.snapshot.version if replay.snapshot else None) == snapshot_version
            assert [e.version for e in replay.page.events] == list(versions), at_version
            assert (replay.page.count, replay.page.version) == (len(versions), 10)
            assert replay.page.next_version is None

    async def test_replay_from_a_snapshot_at_the_last_version(self, store: EventStore) -> None:
        key = await _aggregate(store)
        saved = await store.save_snapshot(*key, version=10, state={"n": 10})
        replay = await store.replay(*key)
        assert replay.snapshot == saved
        assert (replay.page.events, replay.page.version, replay.page.next_version) == ((), 10, None)

    async def test_long_replay_is_read_on(self, store: EventStore) -> None:
        key = await _aggregate(store, PAGE_EVENTS_MAX + 5)
        await store.save_snapshot(*key, version=2, state={})
        page = (await store.replay(*key)).page
        assert (page.count, page.next_version) == (PAGE_EVENTS_MAX, PAGE_EVENTS_MAX + 3)
        rest = await store.read_aggregate(*key, from_version=page.next_version)
        assert [e.version for e in rest.events] == [PAGE_EVENTS_MAX + n for n in (3, 4, 5)]
        assert not set(ids(page.events)) & set(ids(rest.events))
