"""The promises of a storage engine that cannot be seen through a store: what a batch does, request by request."""

import hashlib
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import msgspec
import pytest

from indelible.conditions import AppendCondition, Scanned
from indelible.cursors import cursor_at
from indelible.engines.engine import AppendOutcome, ConditionBehind, Engine, LogHead
from indelible.engines.feed_walk import ConditionScan, Range
from indelible.errors import ConditionFailed, EventIdConflict, VersionConflict
from indelible.events import HASH_BEFORE_FIRST, AggregateKey, NewEvent, new_event_id, split_hashed_line, timestamp_to_us
from indelible.eventstore import AggregateAppend, AppendRequest, AtomicAppendResult
from indelible.limits import PAGE_SCAN_EVENTS_MAX, VERSION_MAX
from indelible.queries import EVERYTHING, EventQuery, QueryItem
from indelible.testing.conformance.group_storage import GroupStorageConformance
from indelible.testing.conformance.head import HeadConformance
from indelible.testing.conformance.helpers import some_events, unique
from indelible.testing.conformance.recorded import RecordedConformance
from indelible.testing.conformance.refusals import RefusalConformance
from indelible.testing.conformance.relay_storage import RelayStorageConformance

EngineFactory = Callable[[], Engine]
"""Gives a new engine, not yet open; if the engine is durable, over the same storage each time."""


def _key() -> AggregateKey:
    return AggregateKey(unique("Order"), unique())


def _request(*appends: AggregateAppend, condition: AppendCondition | None = None) -> AppendRequest:
    request = AppendRequest(appends, condition)
    request.check(atomic=True)
    return request


def _append(key: AggregateKey, *events: NewEvent, expected: int = -1) -> AggregateAppend:
    chosen = events or tuple(some_events(1))
    return AggregateAppend(key, chosen) if expected < 0 else AggregateAppend(key, chosen, expected)


def _stored(outcome: AppendOutcome) -> AtomicAppendResult:
    assert isinstance(outcome, AtomicAppendResult), outcome
    return outcome


async def _read_from(engine: Engine, after: int) -> list[bytes]:
    head = await engine.head()
    page = await engine.read_feed(EVERYTHING, after=after, until=head.position, direction="forward", limit=1_000)
    assert (page.reached, page.at_end) == (head.position, True)
    return page.lines.split(b"\n") if page.lines else []


async def _scan(engine: Engine, items: tuple[QueryItem, ...], after: int, until: int) -> ConditionScan:
    scan = ConditionScan(items, Range(after + 1, until, "forward"))
    while not scan.is_done:
        scan = await engine.scan_condition(scan, PAGE_SCAN_EVENTS_MAX)
    return scan


@pytest.mark.asyncio
class EngineConformance(
    HeadConformance, RecordedConformance, GroupStorageConformance, RelayStorageConformance, RefusalConformance
):
    """Fixtures: ``make_engine``, an :data:`EngineFactory`, and ``make_read_only_engine``, one over the same storage;
    that one is called only for engines with the capability ``read_only_beside_writer``."""

    @pytest.fixture
    async def engine(self, make_engine: EngineFactory) -> AsyncIterator[Engine]:
        engine = make_engine()
        await engine.open()
        await engine.append([_request(_append(_key(), *some_events(3)))])
        yield engine
        await engine.close()

    async def test_outcomes_are_each_requests_own(self, engine: Engine) -> None:
        one, two, three = _key(), _key(), _key()
        head = await engine.head()
        batch = [
            _request(_append(one, *some_events(2), expected=0)),
            _request(_append(one, expected=0)),
            _request(_append(two, expected=0), _append(three, expected=4)),
            _request(_append(two, expected=0)),
            _request(_append(one, expected=2)),
        ]
        first, conflict, refused, second, last = await engine.append(batch)
        assert [_stored(outcome).position for outcome in (first, second, last)] == [
            head.position + n for n in (2, 3, 4)
        ]
        assert isinstance(conflict, VersionConflict)
        assert (conflict.expected_version, conflict.actual_version) == (0, 2)
        assert isinstance(refused, VersionConflict)
        assert (refused.fields["aggregate_id"], refused.actual_version) == (three.aggregate_id, 0)
        assert (await engine.head()).position == head.position + 4
        assert await engine.read_aggregate_info(three) is None

    async def test_batch_of_refusals_changes_nothing(self, engine: Engine) -> None:
        head = await engine.head()
        outcomes = await engine.append([_request(_append(_key(), expected=1)) for _ in range(3)])
        assert all(isinstance(outcome, VersionConflict) for outcome in outcomes)
        assert await engine.head() == head
        assert await _read_from(engine, head.position) == []

    async def test_requests_of_a_batch_see_those_before_them(self, engine: Engine) -> None:
        key = _key()
        outcomes = await engine.append([_request(_append(key, expected=n)) for n in range(5)])
        assert [_stored(outcome).results[0].version for outcome in outcomes] == [1, 2, 3, 4, 5]

    async def test_conditions_see_the_batch(self, engine: Engine) -> None:
        tag, head = unique("tag"), await engine.head()
        condition = AppendCondition((QueryItem(("Booked",), (), (tag,)),), cursor_at(head.position))
        booked = [NewEvent("Booked", tags=[tag]) for _ in range(2)]
        outcomes = await engine.append(
            [
                _request(_append(_key(), NewEvent("Other", tags=[tag])), condition=condition),
                _request(_append(_key(), booked[0]), condition=condition),
                _request(_append(_key(), booked[1]), condition=condition),
                _request(
                    _append(_key()),
                    condition=AppendCondition((QueryItem(tags=(unique(),)), QueryItem(tags=(tag,)))),
                ),
            ]
        )
        assert [_stored(outcome).position for outcome in outcomes[:2]] == [head.position + 1, head.position + 2]
        late, early = outcomes[2:]
        assert isinstance(late, ConditionFailed)
        assert late.position == head.position + 2
        assert isinstance(early, ConditionFailed)
        assert early.position == head.position + 1

    async def test_stored_match_comes_before_one_of_the_batch(self, engine: Engine) -> None:
        tag = unique("tag")
        (stored,) = await engine.append([_request(_append(_key(), NewEvent("A", tags=[tag])))])
        outcomes = await engine.append(
            [
                _request(_append(_key(), NewEvent("A", tags=[tag]))),
                _request(_append(_key()), condition=AppendCondition((QueryItem(tags=(tag,)),))),
            ]
        )
        assert isinstance(outcomes[1], ConditionFailed)
        assert outcomes[1].position == _stored(stored).position

    async def test_look_and_append_see_every_event_between_them(self, engine: Engine) -> None:
        """What is stored after the look is the writer's to see; what was stored before is not looked at again."""
        tag, other, start = unique("tag"), unique("tag"), await engine.head()
        items = (QueryItem(tags=(tag,)), QueryItem(tags=(other,)))
        condition = AppendCondition(items, cursor_at(start.position))
        await engine.append([_request(_append(_key(), *some_events(3, tags=[unique()])))])
        head = await engine.head()
        seen = await _scan(engine, items, start.position, head.position)
        assert (seen.position, seen.entries > 0) == (None, True)
        (between,) = await engine.append([_request(_append(_key(), NewEvent("A", tags=[other])))])
        scanned = msgspec.structs.replace(
            _request(_append(_key()), condition=condition), scanned=Scanned(head.position)
        )
        (outcome,) = await engine.append([scanned])
        assert isinstance(outcome, ConditionFailed)
        assert outcome.position == _stored(between).position
        assert (await _scan(engine, items, start.position, head.position)).position is None
        assert (await _scan(engine, items, start.position, head.position + 1)).position == head.position + 1
        (outcome,) = await engine.append([msgspec.structs.replace(scanned, scanned=Scanned(head.position + 1))])
        assert not _stored(outcome).replayed

    async def test_look_is_short_page_after_short_page(self, engine: Engine) -> None:
        one, other, start = unique("tag"), unique("tag"), (await engine.head()).position
        count = PAGE_SCAN_EVENTS_MAX
        events = [NewEvent("A", tags=[one if number % 2 else other]) for number in range(2 * count)]
        await engine.append([_request(_append(_key(), *events))])
        items = tuple(QueryItem(("A", f"B{number}"), tags=(one, other)) for number in range(4))
        scan = ConditionScan(items, Range(start + 1, start + 2 * count, "forward"))
        pages = 0
        while not scan.is_done:
            before = scan.entries
            scan = await engine.scan_condition(scan, PAGE_SCAN_EVENTS_MAX)
            pages += 1
            assert scan.entries - before <= 2 * PAGE_SCAN_EVENTS_MAX
        assert scan.position is None
        assert scan.entries >= 4 * count
        assert pages >= 4

    async def test_first_of_single_tags(self, engine: Engine) -> None:
        """Wherever it stands: some of these events may be indexed already, and others not."""
        start = (await engine.head()).position
        often, seldom, never = unique(), unique(), unique()
        tags = {often: [7, 1_007, 6_007], seldom: [5_000], never: []}
        for first in range(0, 7_500, 2_500):
            numbers = range(first + 1, first + 2_501)
            events = [NewEvent("A", tags=[tag for tag in tags if number in tags[tag]]) for number in numbers]
            await engine.append([_request(_append(_key(), *events))])
        for asked in ([often], [seldom], [never], [seldom, often], [never, seldom, seldom]):
            for after, until in ((0, 7_500), (7, 7_500), (1_007, 7_500), (5_000, 6_006), (7, 1_006), (6_007, 6_007)):
                matching = [number for tag in asked for number in tags[tag] if after < number <= until]
                items = tuple(QueryItem(tags=(tag,)) for tag in asked)
                found = (await _scan(engine, items, start + after, start + until)).position
                assert found == (start + min(matching) if matching else None), (asked, after, until)

    async def test_condition_that_was_looked_at_too_long_ago_is_sent_back(self, engine: Engine) -> None:
        """The writer is held for a bounded time, whatever a condition asks for and whoever looked at it when."""
        start = (await engine.head()).position
        condition = AppendCondition((QueryItem(tags=(unique(),)),))
        request = _request(_append(_key()), condition=condition)
        for _ in range(2):
            await engine.append([_request(_append(_key(), *some_events(9_000)))])
        behind = [msgspec.structs.replace(request, scanned=Scanned(start)), _request(_append(_key()))]
        outcome, other = await engine.append(behind)
        assert isinstance(outcome, ConditionBehind)
        assert not _stored(other).replayed
        head = (await engine.head()).position
        (outcome,) = await engine.append([msgspec.structs.replace(request, scanned=Scanned(head - 100))])
        assert not _stored(outcome).replayed

    async def test_repeats_within_a_batch_are_replayed(self, engine: Engine) -> None:
        key = _key()
        request = _request(_append(key, *some_events(2), expected=0))
        respelled = NewEvent("Happened", msgspec.Raw(b'{"n" : 1.0}'), event_id=request.appends[0].events[0].event_id)
        first, second, part = map(
            _stored, await engine.append([request, request, _request(_append(key, respelled, expected=9))])
        )
        assert (first.replayed, second.replayed, part.replayed) == (False, True, True)
        assert second.results[0].events == first.results[0].events
        assert part.results[0].events == first.results[0].events[:1]
        assert (await engine.read_aggregate_info(key)).version == 2  # type: ignore[union-attr] # it was just stored

    async def test_conflicts_of_ids_within_a_batch(self, engine: Engine) -> None:
        key, event_id = _key(), new_event_id()
        event = NewEvent("A", 1, event_id=event_id)
        batch = [
            _request(_append(key, event)),
            _request(_append(key, NewEvent("A", 2, event_id=event_id))),
            _request(_append(_key(), event)),
            _request(_append(key, event, NewEvent("New"))),
        ]
        first, *others = await engine.append(batch)
        assert not _stored(first).replayed
        for outcome in others:
            assert isinstance(outcome, EventIdConflict)
            assert outcome.fields == {"event_id": str(event_id)}

    async def test_refused_request_leaves_its_ids_to_the_next(self, engine: Engine) -> None:
        key = _key()
        events = some_events(2)
        refused, stored = await engine.append(
            [_request(_append(key, *events, expected=7)), _request(_append(key, *events, expected=0))]
        )
        assert isinstance(refused, VersionConflict)
        assert (_stored(stored).replayed, _stored(stored).results[0].version) == (False, 2)

    async def test_stored_and_batch_events_replay_together(self, engine: Engine) -> None:
        """An atomic repeat may touch what an earlier batch stored and what this batch stored."""
        one, other = _key(), _key()
        before, now = some_events(1), some_events(1)
        (first,) = await engine.append([_request(_append(one, *before))])
        both = _request(_append(one, *before), _append(other, *now))
        mixed, second, again = await engine.append([both, _request(_append(other, *now)), both])
        assert isinstance(mixed, EventIdConflict)
        assert mixed.fields == {"event_id": str(before[0].event_id)}
        assert _stored(again).replayed
        assert _stored(again).position == _stored(second).position
        assert _stored(again).results[0].events == _stored(first).results[0].events

    async def test_head_is_that_of_the_last_event(self, engine: Engine) -> None:
        await engine.append([_request(_append(_key(), *some_events(3)))])
        head = await engine.head()
        (line,) = await _read_from(engine, head.position - 1)
        assert split_hashed_line(line)[1] == head.hash
        info = (await engine.list_aggregates(aggregate_type=None, after=None, limit=1_000))[0]
        assert timestamp_to_us(info.last_timestamp) <= head.timestamp_us

    async def test_chain_runs_through_batches(self, engine: Engine) -> None:
        head = await engine.head()
        previous = head.hash
        for size in (1, 3):
            await engine.append([_request(_append(_key(), *some_events(2))) for _ in range(size)])
        lines = await _read_from(engine, head.position)
        assert len(lines) == 8
        for line in lines:
            unhashed, digest = split_hashed_line(line)
            assert hashlib.sha256(previous + unhashed).digest() == digest
            previous = digest

    async def test_reading_an_unknown_aggregate(self, engine: Engine) -> None:
        version, lines = await engine.read_aggregate(
            _key(), from_version=1, to_version=10, direction="forward", limit=10
        )
        assert (version, lines.lines, lines.count, lines.at_end) == (0, b"", 0, True)
        assert await engine.read_event(UUID(int=0)) is None
        assert await engine.load_snapshot(_key(), at_version=None) is None

    async def test_events_by_their_ids_in_the_order_asked_for(self, engine: Engine) -> None:
        events = [NewEvent("Moved", {"text": f"ż {number}" * (number % 5)}) for number in range(40)]
        for lot in (events[:15], events[15:16], events[16:]):
            await engine.append([_request(_append(_key(), *lot))])
        lines = {event.event_id: await engine.read_event(event.event_id) for event in events}
        unheard = [new_event_id(), UUID(int=0)]
        given = [event.event_id for event in events]
        for asked in (
            given, given[::-1], given[1::3] + given[::7], [*unheard, *given[30:], unheard[0], given[0], unheard[1]],
            unheard, given[:1], [],
        ):  # fmt: skip
            assert list(await engine.read_events(asked)) == [lines.get(one) for one in asked]

    async def test_events_by_their_ids_up_to_a_size(self, engine: Engine) -> None:
        events = [NewEvent("Moved", "x" * 98) for _ in range(10)]
        await engine.append([_request(_append(_key(), *events))])
        asked = [event.event_id for event in events[::-1]]
        lines = [await engine.read_event(one) for one in asked]
        for size_bytes_max, count in ((1, 1), (102, 1), (103, 2), (306, 3), (307, 4), (1_020, 10), (5_000, 10)):
            assert list(await engine.read_events(asked, size_bytes_max=size_bytes_max)) == lines[:count]
        unheard = new_event_id()
        mixed = [unheard, asked[0], unheard, asked[1], unheard, asked[2], unheard]
        assert list(await engine.read_events(mixed, size_bytes_max=204))[:4] == [None, lines[0], None, lines[1]]
        assert len(await engine.read_events(mixed, size_bytes_max=204)) in (4, 5)
        assert len(await engine.read_events(mixed, size_bytes_max=10_000)) == 7

    async def test_events_are_located_without_being_read(self, engine: Engine) -> None:
        """As whoever meets a damaged one needs it."""
        keys = [AggregateKey(unique("order"), name) for name in ("a", "ó/ż 🦀")]
        for _ in range(3):
            for key in keys:
                append = AggregateAppend.of(key.aggregate_type, key.aggregate_id, some_events(1))
                await engine.append([AppendRequest((append,))])
        head = (await engine.head()).position
        for back in range(6):
            key, version = keys[1 - back % 2], 3 - back // 2
            assert await engine.locate_position(head - back) == (key, version)
            assert await engine.locate_version(key, version) == (version, head - back)
        assert await engine.locate_version(keys[0], VERSION_MAX) == (3, head - 1)
        assert await engine.locate_version(keys[0], 0) is None
        assert await engine.locate_version(AggregateKey(keys[0].aggregate_type, "nobody"), 1) is None
        assert await engine.locate_position(head + 1) is None

    async def test_feed_stops_where_it_is_told(self, engine: Engine) -> None:
        head = (await engine.head()).position
        await engine.append([_request(_append(_key(), *some_events(9)))])
        page = await engine.read_feed(EVERYTHING, after=head, until=head + 5, direction="forward", limit=100)
        assert (page.count, page.reached, page.at_end) == (5, head + 5, True)
        page = await engine.read_feed(EVERYTHING, after=head + 9, until=head + 4, direction="backward", limit=100)
        assert (page.count, page.reached, page.at_end) == (5, head + 4, True)

    async def test_a_page_of_the_feed_ends_with_the_event_that_brings_it_to_its_size(self, engine: Engine) -> None:
        head, tag = (await engine.head()).position, unique()
        await engine.append([_request(_append(_key(), *(NewEvent("Filled", "x" * 98, tags=[tag]) for _ in range(9))))])
        for query in (EVERYTHING, EventQuery.of(tags=[tag])):
            # Payloads of 102 bytes: the data as JSON, and the metadata.
            for size_bytes_max, count in ((1, 1), (102, 1), (103, 2), (408, 4), (2_000, 9)):
                page = await engine.read_feed(
                    query, after=head, until=head + 9, direction="forward", limit=100, size_bytes_max=size_bytes_max
                )
                assert (page.count, page.reached, page.at_end) == (count, head + count, count == 9)

    async def test_closing_twice_is_fine(self, engine: Engine) -> None:
        await engine.close()
        await engine.close()

    async def test_empty_or_durable_when_opened_again(self, make_engine: EngineFactory) -> None:
        key = _key()
        engine = make_engine()
        await engine.open()
        await engine.append([_request(_append(key, *some_events(3)))])
        head, lines = (
            await engine.head(),
            await engine.read_aggregate(key, from_version=1, to_version=3, direction="forward", limit=3),
        )
        await engine.close()
        again = make_engine()
        await again.open()
        if again.capabilities.durable:
            assert await again.head() == head
            assert await again.read_aggregate(key, from_version=1, to_version=3, direction="forward", limit=3) == lines
        else:
            assert await again.head() == LogHead(0, 0, HASH_BEFORE_FIRST)
        await again.close()
