"""Appends are stored whole, in order, numbered without gaps, and seen by whoever reads after the answer."""

import asyncio
from enum import Enum
from uuid import UUID

import pytest

from indelible.conditions import AppendCondition
from indelible.errors import (
    AggregateNotFound,
    ConditionFailed,
    EventIdConflict,
    EventNotFound,
    InvalidRequest,
    VersionConflict,
)
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, AppendResult, EventStore
from indelible.limits import (
    CLIENT_BATCH_APPENDS_MAX,
    NAME_LENGTH_MAX,
    REQUEST_EVENTS_MAX,
    TAG_LENGTH_MAX,
    TAGS_PER_EVENT_MAX,
)
from indelible.queries import EventQuery, QueryItem
from indelible.testing.conformance.helpers import (
    ODD_NAMES,
    append_noise,
    check_same_feed,
    ids,
    new_names,
    read_aggregate_to_end,
    read_feed_to_end,
    refused,
    some_events,
    unique,
)


class _Name(str, Enum):  # noqa: UP042 - unlike StrEnum, its members do not print as what they hold
    ORDER = "Order"


class _PlainName(str):
    __slots__ = ()


async def _another(store: EventStore, aggregate_type: str, beside: str) -> AggregateAppend:
    """Of a new aggregate, which an append may name beside the other."""
    (aggregate_id,) = await new_names(store, aggregate_type, 1, beside=beside)
    return AggregateAppend.of(aggregate_type, aggregate_id, some_events(1))


@pytest.mark.asyncio
class AppendConformance:
    async def test_first_append_starts_at_version_one(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        event = NewEvent("OrderPlaced", {"total": 12})
        head = await store.head()
        result = await store.append(aggregate_type, aggregate_id, [event])
        assert (result.aggregate_type, result.aggregate_id) == (aggregate_type, aggregate_id)
        assert (result.version, result.replayed) == (1, False)
        assert result.position == head.position + 1 or head.partitions > 1
        assert [(e.event_id, e.version, e.position) for e in result.events] == [(event.event_id, 1, result.position)]

    async def test_versions_run_on_without_gaps(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        sent: list[NewEvent] = []
        for count in (1, 3, 2):
            await append_noise(store, 2)
            events = some_events(count)
            # One may stand by itself.
            result = await store.append(aggregate_type, aggregate_id, events if count > 1 else events[0])
            assert [e.version for e in result.events] == [len(sent) + n for n in range(1, count + 1)]
            assert ids(result.events) == ids(events)
            sent += events
            assert result.version == len(sent)
        stored = await read_aggregate_to_end(store, aggregate_type, aggregate_id)
        assert ids(stored) == ids(sent)
        assert [e.version for e in stored] == [1, 2, 3, 4, 5, 6]

    async def test_positions_run_on_without_gaps(self, store: EventStore) -> None:
        head = await store.head()
        results = await asyncio.gather(*(append_noise(store, count % 4 + 1) for count in range(20)))
        end = await store.head()
        assert end.position == head.position + sum(result.version for result in results)
        feed = await read_feed_to_end(store, after=head.cursor, limit=7)
        positions = [e.position for e in feed]
        assert positions == list(range(head.position + 1, end.position + 1)) or head.partitions > 1
        places = {e.event_id: (e.version, e.position) for e in feed}
        assert places == {e.event_id: (e.version, e.position) for result in results for e in result.events}

    async def test_stored_event_says_what_was_sent(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        event = NewEvent("OrderPlaced", {"total": 12}, metadata={"by": "me"}, tags=["b", "a", "b"])
        result = await store.append(aggregate_type, aggregate_id, [event])
        stored = await store.get_event(event.event_id)
        assert (stored.event_id, stored.event_type) == (event.event_id, "OrderPlaced")
        assert (stored.aggregate_type, stored.aggregate_id) == (aggregate_type, aggregate_id)
        assert (stored.version, stored.position) == (1, result.position)
        assert (stored.event_data, stored.metadata, stored.tags) == ({"total": 12}, {"by": "me"}, ("a", "b"))
        assert stored.content_type == "application/json"
        assert stored.timestamp.utcoffset() is not None

    async def test_event_without_data_holds_null(self, store: EventStore) -> None:
        event = NewEvent("Touched")
        await store.append(unique("Order"), unique(), [event])
        stored = await store.get_event(event.event_id)
        assert (stored.event_data, stored.metadata, stored.tags) == (None, {}, ())

    @pytest.mark.parametrize(
        "event_id",
        ["00000000-0000-0000-0000-{}", "ffffffff-ffff-4fff-bfff-{}", "01890a5d-ac96-774b-bcce-{}"],
    )
    async def test_any_uuid_is_an_event_id(self, store: EventStore, event_id: str) -> None:
        given = UUID(event_id.format(unique("")[1:13]))
        await store.append(unique("Order"), unique(), [NewEvent("Touched", event_id=given)])
        assert (await store.get_event(given)).event_id == given

    async def test_many_events_in_one_append_keep_their_order(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        events = some_events(2_500)
        result = await store.append(aggregate_type, aggregate_id, events)
        assert result.version == 2_500
        assert ids(result.events) == ids(events)
        assert ids(await read_aggregate_to_end(store, aggregate_type, aggregate_id, limit=999)) == ids(events)

    async def test_request_may_hold_the_most_events_allowed(self, store: EventStore) -> None:
        result = await store.append(unique("Order"), unique(), some_events(REQUEST_EVENTS_MAX))
        assert [e.version for e in result.events] == list(range(1, REQUEST_EVENTS_MAX + 1))

    async def test_reader_sees_what_was_acknowledged(self, store: EventStore) -> None:
        aggregate_type = unique("Order")

        async def append_and_read(aggregate_id: str) -> None:
            for version in range(1, 6):
                event = NewEvent("Touched")
                result = await store.append(aggregate_type, aggregate_id, [event])
                assert (await store.get_aggregate(aggregate_type, aggregate_id)).version == version
                assert (await store.get_event(event.event_id)).position == result.position
                head = await store.head()
                assert head.position >= result.position
                assert event.event_id not in ids((await store.read_feed(after=head.cursor)).events)

        await asyncio.gather(*(append_and_read(unique()) for _ in range(8)))

    async def test_names_are_kept_to_the_letter(self, store: EventStore) -> None:
        for odd in ODD_NAMES:
            aggregate_type, aggregate_id = unique(odd.replace("-", "")), unique(odd)
            event = NewEvent(odd, tags=[odd])
            await store.append(aggregate_type, aggregate_id, [event])
            (stored,) = (await store.read_aggregate(aggregate_type, aggregate_id)).events
            assert (stored.aggregate_type, stored.aggregate_id) == (aggregate_type, aggregate_id)
            assert (stored.event_id, stored.event_type, stored.tags) == (event.event_id, odd, (odd,))

    async def test_odd_names_are_aggregates_of_their_own(self, store: EventStore) -> None:
        aggregate_type = unique("Order")
        names = [*ODD_NAMES, "a-b", "-", "A/B", "A", "a"]
        for name in names:
            await store.append(aggregate_type, name, [NewEvent("Touched", name)], expected_version="none")
        for name in names:
            page = await store.read_aggregate(aggregate_type, name)
            assert [e.event_data for e in page.events] == [name]

    async def test_names_may_be_members_of_enums(self, store: EventStore) -> None:
        """Services keep their names in enums; what counts is the text."""
        for name in (_Name.ORDER, _PlainName("Order")):
            event = NewEvent(name, tags=[name])
            append = AggregateAppend.of(name, unique(), [event])
            item = QueryItem((name,), (name,), (name,))
            head = await store.head()
            start, condition = head.cursor, AppendCondition((item,), head.cursor) if head.partitions == 1 else None
            done = await store.append_atomic([append], condition=condition)
            result = await store.append(name, append.key.aggregate_id, [NewEvent("Other")], expected_version=1)
            page = await store.read_feed(EventQuery((item,)), after=start)
            assert ids(page.events) == [event.event_id]
            (stored,) = page.events
            assert (stored.event_type, stored.aggregate_type, stored.tags) == ("Order", "Order", ("Order",))
            another = await _another(store, name, append.key.aggregate_id)
            call = store.append_atomic([append, another], condition=condition)
            await refused(EventIdConflict, call, event_id=str(event.event_id))
            if condition is not None:
                call = store.append_atomic([another], condition=condition)
                await refused(ConditionFailed, call, position=done.position)
            assert (await store.get_aggregate(name, append.key.aggregate_id)).version == result.version == 2
            saved = await store.save_snapshot(name, append.key.aggregate_id, version=1, state=name)
            assert (saved.aggregate_type, saved.state) == ("Order", "Order")
            listed = await store.list_aggregates(aggregate_type=name, limit=1_000)
            assert append.key.aggregate_id in {info.aggregate_id for info in listed.aggregates}

    async def test_longest_names_are_taken(self, store: EventStore) -> None:
        aggregate_type = unique("T").ljust(NAME_LENGTH_MAX, "𝔸")
        aggregate_id, event_type = "🜁" * NAME_LENGTH_MAX, "é" * NAME_LENGTH_MAX
        tags = [f"{n:03}".ljust(TAG_LENGTH_MAX, "日") for n in range(TAGS_PER_EVENT_MAX)]
        await store.append(aggregate_type, aggregate_id, [NewEvent(event_type, tags=tags)])
        (stored,) = (await store.read_aggregate(aggregate_type, aggregate_id)).events
        assert (stored.aggregate_id, stored.event_type, stored.tags) == (aggregate_id, event_type, tuple(tags))

    async def test_cancelled_append_is_stored_whole_or_not_at_all(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        events = some_events(5)
        task = asyncio.create_task(store.append(aggregate_type, aggregate_id, events))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        result = await store.append(aggregate_type, aggregate_id, events)
        assert result.version == 5
        assert ids(await read_aggregate_to_end(store, aggregate_type, aggregate_id)) == ids(events)

    # --- Independent appends -----------------------------------------------------------------------------------------

    async def test_each_append_has_its_own_outcome(self, store: EventStore) -> None:
        """Those of one aggregate follow one another in their order; what is wrong with one does not touch others."""
        aggregate_type, name, before = unique("Account"), unique(), some_events(1)
        stored = await store.append(aggregate_type, unique(), before)
        outcomes = await store.append_each(
            [
                AggregateAppend.of(aggregate_type, name, some_events(2), expected_version="none"),
                AggregateAppend.of(aggregate_type, name, some_events(1), expected_version=7),
                AggregateAppend.of("a-b", name, some_events(1)),
                AggregateAppend.of(aggregate_type, stored.aggregate_id, before),
                AggregateAppend.of(aggregate_type, name, ()),
                AggregateAppend.of(aggregate_type, name, some_events(1), expected_version=2),
            ]
        )
        first, conflict, misnamed, repeated, empty, last = outcomes
        assert isinstance(first, AppendResult)
        assert isinstance(last, AppendResult)
        assert (first.version, last.version) == (2, 3)
        assert first.position < last.position
        assert isinstance(conflict, VersionConflict)
        assert (conflict.fields["expected_version"], conflict.actual_version) == (7, 2)
        for refused_one, pointer in ((misnamed, "/aggregate_type"), (empty, "/events")):
            assert isinstance(refused_one, InvalidRequest)
            assert refused_one.fields["pointer"] == pointer
        assert isinstance(repeated, AppendResult)
        assert (repeated.replayed, repeated.events) == (True, stored.events)
        assert ids(await read_aggregate_to_end(store, aggregate_type, name)) == ids([*first.events, *last.events])

    async def test_many_independent_appends_are_stored_in_their_order(self, store: EventStore) -> None:
        aggregate_type, names, head = unique("Account"), [unique() for _ in range(3)], await store.head()
        appends = [
            AggregateAppend.of(aggregate_type, names[n % 3], some_events(1), expected_version=n // 3)
            for n in range(2 * CLIENT_BATCH_APPENDS_MAX + 3)
        ]
        outcomes = await store.append_each(appends)
        results = [one for one in outcomes if isinstance(one, AppendResult)]
        assert len(results) == len(outcomes) == len(appends)
        assert [result.version for result in results] == [n // 3 + 1 for n in range(len(appends))]
        found = await read_feed_to_end(store, EventQuery.of(aggregate_types=[aggregate_type]), after=head.cursor)
        check_same_feed(ids(found), [append.events[0].event_id for append in appends], head.partitions)

    async def test_no_independent_appends_have_no_outcomes(self, store: EventStore) -> None:
        assert await store.append_each([]) == []

    # --- Many aggregates at once -------------------------------------------------------------------------------------

    async def test_atomic_append_answers_in_the_order_of_the_request(self, store: EventStore) -> None:
        aggregate_type = unique("Account")
        names = await new_names(store, aggregate_type, 3)
        before = (await store.append(aggregate_type, names[1], some_events(2))).position
        appends = [AggregateAppend.of(aggregate_type, name, some_events(n)) for n, name in enumerate(names, 1)]
        done = await store.append_atomic(appends)
        assert not done.replayed
        assert done.position == before + 6
        assert [(r.aggregate_id, r.version) for r in done.results] == [(names[0], 1), (names[1], 4), (names[2], 3)]
        positions = [e.position for r in done.results for e in r.events]
        assert positions == list(range(before + 1, before + 7))
        assert [r.position for r in done.results] == [before + 1, before + 3, before + 6]
        assert [ids(r.events) for r in done.results] == [ids(append.events) for append in appends]

    async def test_atomic_append_keeps_its_order(self, store: EventStore) -> None:
        """However often an aggregate stands in it; and it is known again."""
        aggregate_type = unique("Account")
        names = await new_names(store, aggregate_type, 2)
        await store.append(aggregate_type, names[1], some_events(2))
        appends = [
            AggregateAppend.of(aggregate_type, names[0], some_events(1), expected_version=0),
            AggregateAppend.of(aggregate_type, names[1], some_events(2), expected_version=2),
            AggregateAppend.of(aggregate_type, names[0], some_events(2)),
            AggregateAppend.of(aggregate_type, names[1], some_events(1)),
        ]
        start = (await store.head()).cursor
        done = await store.append_atomic(appends)
        assert [(r.aggregate_id, r.version) for r in done.results] == [
            (names[0], 1), (names[1], 4), (names[0], 3), (names[1], 5)
        ]  # fmt: skip
        events = [event for append in appends for event in append.events]
        assert ids(await read_feed_to_end(store, after=start)) == ids(events)
        for name in names:
            own = await read_aggregate_to_end(store, aggregate_type, name)
            assert [event.version for event in own] == list(range(1, len(own) + 1))
        again = await store.append_atomic(appends)
        assert (again.replayed, again.position, [r.events for r in again.results]) == (
            True, done.position, [r.events for r in done.results]
        )  # fmt: skip

    async def test_atomic_append_of_one_aggregate(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Account"), unique()
        done = await store.append_atomic([AggregateAppend.of(aggregate_type, aggregate_id, some_events(2))])
        assert [(r.aggregate_id, r.version) for r in done.results] == [(aggregate_id, 2)]

    async def test_atomic_append_is_refused_whole(self, store: EventStore) -> None:
        aggregate_type = unique("Account")
        first, second, third = await new_names(store, aggregate_type, 3)
        await store.append(aggregate_type, second, some_events(3))
        events = some_events(3)
        appends = [
            AggregateAppend.of(aggregate_type, first, events[:1], expected_version=0),
            AggregateAppend.of(aggregate_type, second, events[1:2], expected_version=2),
            AggregateAppend.of(aggregate_type, third, events[2:], expected_version="exists"),
        ]
        await refused(
            VersionConflict, store.append_atomic(appends),
            aggregate_type=aggregate_type, aggregate_id=second, expected_version=2, actual_version=3,
        )  # fmt: skip
        for name in (first, third):
            call = store.get_aggregate(aggregate_type, name)
            await refused(AggregateNotFound, call, aggregate_type=aggregate_type, aggregate_id=name)
        assert (await store.get_aggregate(aggregate_type, second)).version == 3
        for event in events:
            await refused(EventNotFound, store.get_event(event.event_id), event_id=str(event.event_id))

    async def test_atomic_appends_do_not_mix(self, store: EventStore) -> None:
        """Each atomic append's events stand next to each other, however many are on their way."""
        aggregate_type = unique("Account")
        names = await new_names(store, aggregate_type, 4)

        async def append_to_all() -> None:
            done = await store.append_atomic([AggregateAppend.of(aggregate_type, n, some_events(2)) for n in names])
            positions = [e.position for r in done.results for e in r.events]
            assert positions == list(range(positions[0], positions[0] + 8))
            assert len({result.version for result in done.results}) == 1

        await asyncio.gather(*(append_to_all() for _ in range(10)))
        for name in names:
            assert (await store.get_aggregate(aggregate_type, name)).version == 20

    async def test_atomic_append_names_aggregates_of_one_partition(self, store: EventStore) -> None:
        aggregate_type = unique("Account")
        appends = [AggregateAppend.of(aggregate_type, unique(), some_events(1)) for _ in range(20)]
        before = await store.head()
        if before.partitions == 1:
            assert len((await store.append_atomic(appends)).results) == 20
            return
        with pytest.raises(InvalidRequest) as caught:
            await store.append_atomic(appends)
        assert caught.value.pointer.startswith("/appends/")
        assert await store.head() == before
        for append in appends:
            event_id = append.events[0].event_id
            await refused(EventNotFound, store.get_event(event_id), event_id=str(event_id))
