"""Several stores on one storage, as several servers are over one database: together they behave as one store does."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from typing import Final, TypeVar

import pytest

from indelible.conditions import AppendCondition
from indelible.core.verify import verify
from indelible.cursors import Cursor, cursor_at, position_of
from indelible.errors import (
    AggregateNotFound,
    ConditionFailed,
    EventIdConflict,
    GroupNotFound,
    IndelibleError,
    SchemaMismatch,
    SnapshotNotFound,
    VersionConflict,
)
from indelible.events import NewEvent, RecordedEvent
from indelible.eventstore import AggregateAppend, AppendResult, AtomicAppendResult, EventStore
from indelible.groups import Settled
from indelible.queries import EventQuery, QueryItem
from indelible.testing.conformance.helpers import (
    OpenStore,
    append_noise,
    check_feed_page,
    ids,
    read_aggregate_to_end,
    read_feed_to_end,
    refused,
    some_events,
    unique,
)

_ROUNDS: Final = 15
_WRITERS: Final = 4
"""On each of two stores, so that more than one append waits for a commit and commits hold several appends."""
_PAIRS: Final = 2 * _WRITERS * _ROUNDS
"""What :func:`_write_from_both` appends."""

_PATIENCE_S: Final = 120.0
"""For what comes at once unless it never does."""

R = TypeVar("R")
E = TypeVar("E", bound=IndelibleError)
_Key = tuple[str, str]


@asynccontextmanager
async def _two(open_store: OpenStore) -> AsyncIterator[tuple[EventStore, EventStore]]:
    """Opened at the same moment, because each may find that the storage has to be made ready first."""
    async with AsyncExitStack() as exits:
        one, other = await asyncio.gather(*(exits.enter_async_context(open_store()) for _ in range(2)))
        await append_noise(one)
        yield one, other


@asynccontextmanager
async def _group(open_store: OpenStore) -> AsyncIterator[tuple[tuple[EventStore, EventStore], str, str]]:
    """Two stores, and a new group's name and the tag of its events."""
    async with _two(open_store) as stores:
        group, tag = unique("group"), unique("tag")
        await stores[0].groups.create(group, EventQuery.of(tags=[tag]), start="end")
        yield stores, group, tag


def _new_key() -> _Key:
    return unique("Order"), unique()


async def _race(kind: type[E], *calls: Awaitable[R]) -> tuple[R, list[E]]:
    """Make the calls at the same time. Exactly one succeeds; what it gives, and the errors of the others."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    lost = [outcome for outcome in outcomes if isinstance(outcome, kind)]
    (won,) = (outcome for outcome in outcomes if not isinstance(outcome, kind))
    if isinstance(won, BaseException):
        raise won
    assert len(lost) == len(calls) - 1 > 0
    return won, lost


async def _write_pairs(store: EventStore, keys: tuple[_Key, _Key], rounds: int) -> None:
    """Appends of one event to each of two aggregates."""
    for _ in range(rounds):
        await store.append_atomic([AggregateAppend.of(*key, some_events(1)) for key in keys])


def _write_from_both(stores: Sequence[EventStore], keys: tuple[_Key, _Key]) -> asyncio.Future[list[None]]:
    """Half of the writers name the aggregates in the other order, which must not end in a deadlock."""
    orders = (keys, keys[::-1])
    return asyncio.gather(
        *(_write_pairs(store, orders[n % 2], _ROUNDS) for n in range(_WRITERS) for store in stores),
    )


def _has_ended(writing: asyncio.Future[list[None]]) -> bool:
    """Raises what a writer raised, so that a test does not blame the reader for it."""
    return writing.done() and bool(writing.result())


async def _check_log(stores: Sequence[EventStore], after: Cursor, count: int) -> list[RecordedEvent]:
    """Every store gives the same log, and it is whole. Returns its events after a cursor, ``count`` of them."""
    one, other = [await read_feed_to_end(store, after=after) for store in stores]
    assert one == other
    first = position_of(after) + 1
    assert [event.position for event in one] == list(range(first, first + count))
    assert all(before.timestamp <= event.timestamp for before, event in pairwise(one))
    for store in stores:
        report = await verify(store)
        assert (report.damage, report.verified) == (None, first + count - 1)
    return one


@pytest.mark.asyncio
class SharedConformance:
    """For stores whose engine says ``many_processes``. Fixture: ``open_store``, an
    :class:`indelible.testing.conformance.helpers.OpenStore` that may be called again while a store is open."""

    async def test_each_sees_at_once_what_the_other_appended(self, open_store: OpenStore) -> None:
        async with _two(open_store) as stores:
            for writer, reader in (stores, stores[::-1]) * 3:
                key = _new_key()
                await refused(AggregateNotFound, reader.get_aggregate(*key), aggregate_type=key[0], aggregate_id=key[1])
                for version in (2, 4):
                    await self._append_and_look(writer, reader, key, version)

    async def _append_and_look(self, writer: EventStore, reader: EventStore, key: _Key, version: int) -> None:
        start, tag, event_type = (await reader.head()).cursor, unique("tag"), unique("Type")
        events = [NewEvent(event_type, {"n": 1}, tags=[tag]), NewEvent("Other", 2)]
        result = await writer.append(*key, events, expected_version=version - 2)
        assert (await reader.head()).position == result.position == position_of(start) + 2
        assert (await reader.get_aggregate(*key)).version == version
        assert ids((await read_aggregate_to_end(reader, *key))[-2:]) == ids(events)
        assert (await reader.replay(*key)).page.version == version
        assert ids(await read_feed_to_end(reader, after=start)) == ids(events)
        assert ids((await reader.read_feed(direction="backward", limit=2)).events) == ids(events)[::-1]
        for query in (EventQuery.of(tags=[tag]), EventQuery.of(event_types=[event_type])):
            assert ids(await read_feed_to_end(reader, query, after=start)) == ids(events[:1])
        for event, appended in zip(events, result.events, strict=True):
            assert (await reader.get_event(event.event_id)).position == appended.position

    async def test_catalogue_is_one(self, open_store: OpenStore) -> None:
        async with _two(open_store) as stores:
            aggregate_type, event_type = unique("Order"), unique("Type")
            for count, (writer, reader) in enumerate((stores, stores[::-1]) * 2, start=1):
                await writer.append(aggregate_type, unique(), [NewEvent(event_type)])
                types = [info for info in await reader.event_types() if info.event_type == event_type]
                assert [(info.aggregate_type, info.events) for info in types] == [(aggregate_type, count)]
                kinds = [info for info in await reader.aggregate_types() if info.aggregate_type == aggregate_type]
                assert [(info.aggregates, info.events) for info in kinds] == [(count, count)]
                listed = await reader.list_aggregates(aggregate_type=aggregate_type)
                assert (len(listed.aggregates), listed.at_end) == (count, True)

    async def test_snapshots_are_shared(self, open_store: OpenStore) -> None:
        async with _two(open_store) as stores:
            key = _new_key()
            await stores[0].append(*key, some_events(3))
            for store in stores:
                await refused(SnapshotNotFound, store.get_snapshot(*key), aggregate_type=key[0], aggregate_id=key[1])
            for n, (writer, reader) in enumerate((stores, stores[::-1]) * 2):
                saved = await writer.save_snapshot(*key, version=2, state={"n": n})
                assert await reader.get_snapshot(*key) == saved
                assert (await reader.replay(*key)).snapshot == saved

    async def test_of_racing_appends_with_one_expected_version_one_wins(self, open_store: OpenStore) -> None:
        async with _two(open_store) as stores:
            key, start = _new_key(), (await stores[1].head()).cursor
            won = []
            for version in range(_ROUNDS):
                events = [NewEvent("Tried") for _ in range(2 * _WRITERS)]
                result, lost = await _race(
                    VersionConflict,
                    *(
                        stores[(n + version) % 2].append(*key, [event], expected_version=version or "none")
                        for n, event in enumerate(events)
                    ),
                )
                assert {error.actual_version for error in lost} == {result.version} == {version + 1}
                won += ids(result.events)
            assert ids(await _check_log(stores, start, _ROUNDS)) == won

    async def test_repeats_that_race_are_stored_once(self, open_store: OpenStore) -> None:
        async with _two(open_store) as stores:
            start = (await stores[1].head()).cursor
            for _ in range(_ROUNDS):
                key, events = _new_key(), some_events(2)
                results = await asyncio.gather(
                    *(stores[n % 2].append(*key, events, expected_version="none") for n in range(2 * _WRITERS))
                )
                assert sorted(result.replayed for result in results) == [False] + [True] * (len(results) - 1)
                assert {result.events for result in results} == {results[0].events}
            await _check_log(stores, start, 2 * _ROUNDS)

    async def test_of_racing_appends_with_one_event_id_one_wins(self, open_store: OpenStore) -> None:
        """Other content, or another aggregate: a conflict, whoever stored the first."""
        async with _two(open_store) as stores:
            start = (await stores[1].head()).cursor
            for n in range(_ROUNDS):
                first, key = NewEvent("Tried", 1), _new_key()
                other = NewEvent("Tried", n % 2 + 1, event_id=first.event_id)
                elsewhere = key if n % 2 else _new_key()
                _, (error,) = await _race(
                    EventIdConflict, stores[0].append(*key, [first]), stores[1].append(*elsewhere, [other])
                )
                assert error.fields == {"event_id": str(first.event_id)}
            await _check_log(stores, start, _ROUNDS)

    async def test_of_racing_conditional_appends_one_wins(self, open_store: OpenStore) -> None:
        async with _two(open_store) as stores:
            start = (await stores[1].head()).cursor
            for _ in range(_ROUNDS):
                won, lost = await self._race_for_a_name(stores, start)
                assert {error.position for error in lost} == {won.position}
            await _check_log(stores, start, _ROUNDS)

    async def _race_for_a_name(
        self, stores: Sequence[EventStore], start: Cursor
    ) -> tuple[AtomicAppendResult, list[ConditionFailed]]:
        tag = unique("seat")
        condition = AppendCondition((QueryItem(tags=(tag,)),), start)
        appends = [AggregateAppend.of(*_new_key(), [NewEvent("Booked", tags=[tag])]) for _ in range(2 * _WRITERS)]
        return await _race(
            ConditionFailed,
            *(stores[n % 2].append_atomic([append], condition=condition) for n, append in enumerate(appends)),
        )

    async def test_conditions_see_what_the_other_appended(self, open_store: OpenStore) -> None:
        async with _two(open_store) as stores:
            start, tag = (await stores[1].head()).cursor, unique("tag")
            for writer, other in (stores, stores[::-1]):
                booked = await writer.append(*_new_key(), [NewEvent(unique("Type"), tags=[tag])])
                condition = AppendCondition((QueryItem(tags=(tag,)),), start)
                append = AggregateAppend.of(*_new_key(), some_events(1))
                await refused(
                    ConditionFailed, other.append_atomic([append], condition=condition), position=booked.position
                )
                start = cursor_at(booked.position)

    async def test_positions_and_versions_have_no_gaps(self, open_store: OpenStore) -> None:
        async with _two(open_store) as stores:
            keys, start = [_new_key() for _ in range(3)], (await stores[1].head()).cursor

            async def write(store: EventStore, number: int) -> list[AppendResult]:
                return [
                    await store.append(*keys[(number + n) % 3], some_events(1 + (number + n) % 4))
                    for n in range(_ROUNDS)
                ]

            written = await asyncio.gather(*(write(stores[n % 2], n) for n in range(2 * _WRITERS)))
            appended = [event for results in written for result in results for event in result.events]
            events = await _check_log(stores, start, len(appended))
            assert {(event.event_id, event.position, event.version) for event in events} == {
                (event.event_id, event.position, event.version) for event in appended
            }
            for key in keys:
                versions = [event.version for event in events if (event.aggregate_type, event.aggregate_id) == key]
                assert versions == list(range(1, len(versions) + 1))

    async def test_reader_that_follows_misses_nothing(self, open_store: OpenStore) -> None:
        """On each store one, page by page behind the head while both are written to: every event once, in order."""
        async with _two(open_store) as stores:
            start = (await stores[1].head()).cursor
            writing = _write_from_both(stores, (_new_key(), _new_key()))

            async def follow(store: EventStore) -> list[RecordedEvent]:
                found: list[RecordedEvent] = []
                cursor = start
                while len(found) < 2 * _PAIRS:
                    # Asked before the page is read: afterwards the writers may have ended behind it.
                    ended = _has_ended(writing)
                    page = await store.read_feed(after=cursor, limit=7)
                    events = check_feed_page(page, cursor, "forward", 7, partitions=1)
                    assert events or not ended, "the log ends before its last event"
                    found += events
                    cursor = page.cursor
                    await asyncio.sleep(0)
                return found

            followed = await asyncio.gather(*(follow(store) for store in stores))
            await writing
            events = await _check_log(stores, start, 2 * _PAIRS)
            assert followed == [events, events]

    async def test_no_page_shows_a_part_of_an_append(self, open_store: OpenStore) -> None:
        async with _two(open_store) as stores:
            keys, start = (_new_key(), _new_key()), (await stores[1].head()).cursor
            writing = _write_from_both(stores, keys)
            seen = 0
            while not writing.done():
                for store in stores:
                    page = await store.read_feed(after=start, limit=1_000)
                    assert page.count % 2 == 0
                    assert page.count >= seen
                    seen = page.count
                    await asyncio.sleep(0)
            await writing
            await _check_log(stores, start, 2 * _PAIRS)

    async def test_nothing_appears_behind_the_head(self, open_store: OpenStore) -> None:
        """A head that one store gives holds for the other too."""
        async with _two(open_store) as stores:
            start = (await stores[1].head()).cursor
            writing = _write_from_both(stores, (_new_key(), _new_key()))
            seen = []
            while not writing.done():
                for teller, reader in (stores, stores[::-1]):
                    head = (await teller.head()).position
                    found = await read_feed_to_end(reader, after=start)
                    assert len(found) >= head - position_of(start)
                    seen.append(found)
                    await asyncio.sleep(0)
            await writing
            events = await _check_log(stores, start, 2 * _PAIRS)
            assert all(found == events[: len(found)] for found in seen)

    async def test_opens_while_another_writes(self, open_store: OpenStore) -> None:
        async with _two(open_store) as stores:
            start = (await stores[1].head()).cursor
            writing = _write_from_both(stores, (_new_key(), _new_key()))

            async def open_and_close() -> None:
                while not _has_ended(writing):
                    async with open_store() as latecomer:
                        assert (await latecomer.head()).position >= position_of(start)
                    await asyncio.sleep(0)

            await asyncio.gather(*(open_and_close() for _ in range(_WRITERS)))
            await _check_log(stores, start, 2 * _PAIRS)

    async def test_one_goes_on_when_the_other_has_gone(self, open_store: OpenStore) -> None:
        async with open_store() as staying:
            start, key = (await staying.head()).cursor, _new_key()
            for version in (0, 2, 4):
                async with open_store() as passing:
                    await passing.append(*key, some_events(1), expected_version=version)
                await staying.append(*key, some_events(1), expected_version=version + 1)
            async with open_store() as last:
                await _check_log((staying, last), start, 6)

    # --- Consumer groups ---------------------------------------------------------------------------------------------

    async def test_members_at_both_stores_keep_the_order(self, open_store: OpenStore) -> None:
        """And no two events of an aggregate are with members at once."""
        async with _group(open_store) as (stores, group, tag):
            done: dict[str, list[int]] = defaultdict(list)
            held: set[str] = set()
            total = 6 * _ROUNDS

            async def write(store: EventStore, aggregate_id: str) -> None:
                for _ in range(_ROUNDS):
                    await store.append("Order", aggregate_id, some_events(1, tags=[tag]))

            async def consume(store: EventStore, number: int) -> None:
                while sum(map(len, done.values())) < total:
                    found = await store.groups.pull(group, limit=1 + number, wait_s=0.5)
                    for one in found:
                        aggregate_id = one.event.aggregate_id
                        assert aggregate_id not in held
                        held.add(aggregate_id)
                        done[aggregate_id].append(one.event.version)
                    held.difference_update(one.event.aggregate_id for one in found)
                    if found:
                        assert (await store.groups.ack(group, [one.delivery_id for one in found])).lost == ()

            async with asyncio.timeout(_PATIENCE_S), asyncio.TaskGroup() as tasks:
                for n in range(6):
                    tasks.create_task(write(stores[n % 2], f"{tag} {n}"))
                for n in range(2 * _WRITERS):
                    tasks.create_task(consume(stores[n % 2], n))
            assert all(versions == list(range(1, _ROUNDS + 1)) for versions in done.values())
            for store in stores:
                info = await store.groups.get(group)
                assert (info.in_flight, info.waiting, info.parked) == (0, 0, 0)

    async def test_what_one_store_frees_the_other_delivers(self, open_store: OpenStore) -> None:
        """Within a second, to a pull that waits."""
        async with _group(open_store) as (stores, group, tag):
            await stores[0].append("Order", tag, some_events(5, tags=[tag]))
            (held,) = await stores[0].groups.pull(group)
            took_s: list[float] = []
            for giver, taker in (stores, stores[::-1]) * 2:
                waiting = asyncio.create_task(taker.groups.pull(group, wait_s=20))
                await asyncio.sleep(0.3)
                assert not waiting.done()
                assert await giver.groups.ack(group, [held.delivery_id]) == Settled(1)
                freed_at = time.monotonic()
                (following,) = await waiting
                took_s.append(time.monotonic() - freed_at)
                assert following.event.version == held.event.version + 1
                held = following
            # Of several: a busy machine may be late for some.
            assert sorted(took_s)[1] < 1

    async def test_what_one_store_delivered_the_other_settles(self, open_store: OpenStore) -> None:
        async with _group(open_store) as (stores, group, tag):
            for n in range(4):
                await stores[0].append("Order", f"{tag} {n}", some_events(2, tags=[tag]))
            found = await stores[0].groups.pull(group, member="one")
            ids = [one.delivery_id for one in found]
            assert [one.member for one in await stores[1].groups.list_in_flight(group)] == ["one"] * 4
            assert await stores[1].groups.pull(group) == ()
            assert await stores[1].groups.extend(group, ids[:1], ack_timeout_s=60) == Settled(1)
            assert await stores[1].groups.nack(group, ids[:2], park=True, reason="no good") == Settled(2)
            assert await stores[1].groups.ack(group, ids[2:]) == Settled(2)
            assert await stores[0].groups.ack(group, ids[2:]) == Settled(2)
            positions = [one.event.position for one in found[:2]]
            assert await stores[0].groups.skip_parked(group, positions[:1], reason="a duplicate") == 1
            assert await stores[1].groups.redrive_parked(group) == 1
            assert [one.position for one in (await stores[1].groups.list_skipped(group)).skipped] == positions[:1]
            rest = await stores[0].groups.pull(group)
            assert [one.event.version for one in rest] == [2, 1, 2, 2]

    async def test_a_reset_through_one_store_counts_for_the_other(self, open_store: OpenStore) -> None:
        async with _group(open_store) as (stores, group, tag):
            await stores[0].append("Order", tag, some_events(2, tags=[tag]))
            (held,) = await stores[0].groups.pull(group)
            await stores[1].groups.reset(group, after=cursor_at(held.event.position - 1))
            assert (await stores[0].groups.ack(group, [held.delivery_id])).lost == (held.delivery_id,)
            (again,) = await stores[0].groups.pull(group)
            assert (again.event, again.attempt) == (held.event, 1)
            await stores[1].groups.delete(group)
            await refused(GroupNotFound, stores[0].groups.ack(group, [again.delivery_id]), group=group)

    async def test_a_schema_holds_in_the_other_store(self, open_store: OpenStore) -> None:
        """Soon after: what it knows may be some seconds old."""
        pytest.importorskip("jsonschema_rs")
        async with _two(open_store) as (one, other):
            event_type = unique("Placed")
            await other.append(*_new_key(), [NewEvent(event_type, "any")])
            await one.schemas.register(event_type, {"type": "object"})
            async with asyncio.timeout(_PATIENCE_S):
                await self._append_until_refused(other, event_type)
            assert (await other.schemas.get(event_type)).version == 1

    @staticmethod
    async def _append_until_refused(store: EventStore, event_type: str) -> None:
        while True:
            try:
                await store.append(*_new_key(), [NewEvent(event_type, "any")])
            except SchemaMismatch:
                return
            # It is looked at once a second, beside the appends.
            await asyncio.sleep(0.1)
