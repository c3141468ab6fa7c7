"""The same event ids with the same content are the same append, for ever; anything else under them is a conflict."""

import asyncio

import msgspec
import pytest

from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.errors import EventIdConflict, EventNotFound, VersionConflict
from indelible.events import NewEvent, new_event_id
from indelible.eventstore import AggregateAppend, EventStore
from indelible.queries import QueryItem
from indelible.testing.conformance.helpers import (
    append_noise,
    new_names,
    read_aggregate_to_end,
    refused,
    some_events,
    unique,
)

_HUGE = b'{"n":1e99999999999999999999}'
"""A number past what decimal libraries can hold, and JSON all the same."""


def _raw(text: bytes, **fields: object) -> NewEvent:
    return NewEvent("Measured", msgspec.Raw(text), **fields)  # type: ignore[arg-type] # passed on as given


@pytest.mark.asyncio
class IdempotencyConformance:
    @pytest.mark.parametrize("expected", ["any", "exists", "none", 0, 1, 7])
    async def test_repeated_append_is_replayed(self, store: EventStore, expected: ExpectedVersion) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        events = some_events(3, tags=["x"], metadata={"by": "me"})
        first = await store.append(aggregate_type, aggregate_id, events, expected_version="none")
        assert not first.replayed
        await store.append(aggregate_type, aggregate_id, some_events(2))
        head = await store.head()
        again = await store.append(aggregate_type, aggregate_id, events, expected_version=expected)
        assert again == msgspec.structs.replace(first, replayed=True)
        assert await store.head() == head

    @pytest.mark.parametrize(
        ("stored", "sent"),
        [
            (b'{"a":1,"b":[2,{}]}', b' { "b" : [ 2 , { } ] ,\n"a" : 1 } '),
            (b"1.0", b"1"),
            (b"1", b"1.000"),
            (b"100", b"1e2"),
            (b"1e400", b"10E399"),
            (b"0", b"-0.0"),
            (b"123456789012345678901234567890", b"123456789012345678901234567890.0"),
            (b'"\\u0041\\/\\u00e9"', '"A/é"'.encode()),
            (b'"\\ud83d\\ude00"', '"😀"'.encode()),
            (b'{"\\u0061":null}', b'{"a":null}'),
            (_HUGE, b' {"n" : 1e99999999999999999999} '),
        ],
    )
    async def test_equal_json_is_the_same_event(self, store: EventStore, stored: bytes, sent: bytes) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        event = _raw(stored)
        await store.append(aggregate_type, aggregate_id, [event])
        again = await store.append(aggregate_type, aggregate_id, [_raw(sent, event_id=event.event_id)])
        assert (again.version, again.replayed) == (1, True)
        assert (await store.get_event(event.event_id)).event_data_bytes == stored

    @pytest.mark.parametrize(
        ("stored", "sent"),
        [
            (b"1", b"true"),
            (b"0", b"false"),
            (b"1", b'"1"'),
            (b"null", b"false"),
            (b"[]", b"{}"),
            (b"[1,2]", b"[2,1]"),
            (b'{"a":1}', b'{"a":1,"b":null}'),
            (b'"a"', b'"A"'),
            (b'"\\u00e9"', '"e\u0301"'.encode()),
            (b"9007199254740993", b"9007199254740992"),
            (b"0.1", b"0.10000000000000001"),
            (b"1e400", b"1e401"),
            (b'{"a":1,"a":2}', b'{"a":2}'),
            (_HUGE, b'{"n":1e99999999999999999998}'),
            (_HUGE, b'{"n":"1e99999999999999999999"}'),
        ],
    )
    async def test_other_json_is_a_conflict(self, store: EventStore, stored: bytes, sent: bytes) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        event = _raw(stored)
        await store.append(aggregate_type, aggregate_id, [event])
        call = store.append(aggregate_type, aggregate_id, [_raw(sent, event_id=event.event_id)])
        await refused(EventIdConflict, call, event_id=str(event.event_id))
        assert (await store.get_event(event.event_id)).event_data_bytes == stored

    async def test_every_part_of_the_content_counts(self, store: EventStore) -> None:
        aggregate_type, aggregate_id, event_id = unique("Order"), unique(), new_event_id()
        event = NewEvent("Paid", {"a": 1}, event_id=event_id, metadata={"m": 1}, tags=["t"])
        await store.append(aggregate_type, aggregate_id, [event])
        others = [
            NewEvent("paid", {"a": 1}, event_id=event_id, metadata={"m": 1}, tags=["t"]),
            NewEvent("Paid", {"a": 2}, event_id=event_id, metadata={"m": 1}, tags=["t"]),
            NewEvent("Paid", {"a": 1}, event_id=event_id, metadata={"m": 2}, tags=["t"]),
            NewEvent("Paid", {"a": 1}, event_id=event_id, metadata={"m": 1}, tags=["t", "u"]),
            NewEvent("Paid", {"a": 1}, event_id=event_id, metadata={"m": 1}),
            NewEvent("Paid", {"a": 1}, event_id=event_id, metadata={"m": 1}, tags=["t"], content_type="a/b+json"),
            NewEvent("Paid", b'{"a":1}', event_id=event_id, metadata={"m": 1}, tags=["t"]),
        ]
        for other in others:
            await refused(EventIdConflict, store.append(aggregate_type, aggregate_id, [other]), event_id=str(event_id))
        assert (await store.append(aggregate_type, aggregate_id, [event])).replayed

    async def test_equal_bytes_are_the_same_event(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        event = NewEvent("Scanned", b"1.0")
        await store.append(aggregate_type, aggregate_id, [event])
        assert (await store.append(aggregate_type, aggregate_id, [event])).replayed
        other = NewEvent("Scanned", b"1", event_id=event.event_id)
        call = store.append(aggregate_type, aggregate_id, [other])
        await refused(EventIdConflict, call, event_id=str(event.event_id))

    async def test_id_of_another_aggregate_is_a_conflict(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        (event,) = some_events(1)
        await store.append(aggregate_type, aggregate_id, [event])
        (beside,) = await new_names(store, aggregate_type, 1, beside=aggregate_id)
        others = [(aggregate_type, beside)]
        # An id is looked for in the partition of its append.
        if (await store.head()).partitions == 1:
            others.append((unique("Order"), aggregate_id))
        for other in others:
            await refused(EventIdConflict, store.append(*other, [event]), event_id=str(event.event_id))

    async def test_stored_and_new_ids_do_not_mix(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        old, new = some_events(2), some_events(2)
        await store.append(aggregate_type, aggregate_id, old)
        for mixed in ([*old, *new], [*new, *old], [old[0], new[0]]):
            call = store.append(aggregate_type, aggregate_id, mixed)
            await refused(EventIdConflict, call, event_id=str(old[0].event_id))
        await refused(EventNotFound, store.get_event(new[0].event_id), event_id=str(new[0].event_id))
        assert (await store.get_aggregate(aggregate_type, aggregate_id)).version == 2

    async def test_part_of_an_earlier_append_is_replayed(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        events = some_events(4)
        first = await store.append(aggregate_type, aggregate_id, events)
        part = await store.append(aggregate_type, aggregate_id, events[1:3])
        assert part.replayed
        assert part.events == first.events[1:3]
        assert (part.version, part.position) == (3, first.events[2].position)

    async def test_other_order_or_a_gap_is_a_conflict(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        events = some_events(3)
        await store.append(aggregate_type, aggregate_id, events)
        for changed in (events[::-1], [events[0], events[2]]):
            call = store.append(aggregate_type, aggregate_id, changed)
            await refused(EventIdConflict, call, event_id=str(changed[0].event_id))

    async def test_repeated_atomic_append_is_replayed(self, store: EventStore) -> None:
        aggregate_type, tag = unique("Account"), unique("tag")
        names = await new_names(store, aggregate_type, 2)
        appends = [AggregateAppend.of(aggregate_type, name, some_events(2, tags=[tag])) for name in names]
        head = await store.head()
        condition = AppendCondition((QueryItem(tags=(tag,)),), head.cursor) if head.partitions == 1 else None
        first = await store.append_atomic(appends, condition=condition)
        await append_noise(store)
        # Its own events match the condition now; a repeat is answered all the same.
        again = await store.append_atomic(appends, condition=condition)
        assert again.replayed
        assert again.position == first.position
        assert again.results == tuple(msgspec.structs.replace(result, replayed=True) for result in first.results)

    async def test_atomic_append_of_stored_and_new_events_is_a_conflict(self, store: EventStore) -> None:
        aggregate_type = unique("Account")
        one, other = await new_names(store, aggregate_type, 2)
        stored = AggregateAppend.of(aggregate_type, one, some_events(1))
        await store.append_atomic([stored])
        new = AggregateAppend.of(aggregate_type, other, some_events(1))
        call = store.append_atomic([new, stored])
        await refused(EventIdConflict, call, event_id=str(stored.events[0].event_id))
        await refused(EventNotFound, store.get_event(new.events[0].event_id), event_id=str(new.events[0].event_id))

    async def test_conflicting_content_is_named_before_order(self, store: EventStore) -> None:
        aggregate_type = unique("Account")
        one, other = await new_names(store, aggregate_type, 2)
        events = some_events(2)
        (more,) = some_events(1)
        await store.append(aggregate_type, one, events)
        await store.append(aggregate_type, other, [more])
        appends = [
            AggregateAppend.of(aggregate_type, one, events[::-1]),
            AggregateAppend.of(aggregate_type, other, [NewEvent("Other", event_id=more.event_id)]),
        ]
        await refused(EventIdConflict, store.append_atomic(appends), event_id=str(more.event_id))

    async def test_repeats_on_their_way_together_are_stored_once(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        events = some_events(2)
        results = await asyncio.gather(
            *(store.append(aggregate_type, aggregate_id, events, expected_version=0) for _ in range(10))
        )
        assert sorted(result.replayed for result in results) == [False] + [True] * 9
        assert len({result.events for result in results}) == 1
        assert len(await read_aggregate_to_end(store, aggregate_type, aggregate_id)) == 2

    async def test_rivals_for_one_id_on_their_way_together(self, store: EventStore) -> None:
        aggregate_type, event_id = unique("Order"), new_event_id()
        results = await asyncio.gather(
            *(
                store.append(aggregate_type, name, [NewEvent("A", event_id=event_id)])
                for name in await new_names(store, aggregate_type, 10)
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(result, EventIdConflict) for result in results) == 9
        assert (await store.get_event(event_id)).version == 1

    async def test_refused_append_leaves_its_ids_free(self, store: EventStore) -> None:
        aggregate_type, aggregate_id = unique("Order"), unique()
        await store.append(aggregate_type, aggregate_id, some_events(1))
        events = some_events(1)
        await refused(
            VersionConflict, store.append(aggregate_type, aggregate_id, events, expected_version=0),
            aggregate_type=aggregate_type, aggregate_id=aggregate_id, expected_version=0, actual_version=1,
        )  # fmt: skip
        result = await store.append(aggregate_type, aggregate_id, events, expected_version=1)
        assert (result.version, result.replayed) == (2, False)
