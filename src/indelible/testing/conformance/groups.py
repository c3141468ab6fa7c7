"""Consumer groups: every matching event is acknowledged, each aggregate's in order, and no failure holds up others."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from indelible.cursors import START, Cursor
from indelible.errors import GroupExists, GroupNotFound, InvalidRequest
from indelible.events import NewEvent
from indelible.eventstore import EventStore
from indelible.groups import Settled
from indelible.limits import (
    GROUP_ACK_TIMEOUT_DEFAULT_S,
    GROUP_ATTEMPTS_DEFAULT,
    GROUP_IN_FLIGHT_DEFAULT,
    GROUP_NEXT_EVENTS_MAX,
)
from indelible.queries import EventQuery, QueryItem
from indelible.testing.conformance.consuming import PATIENCE_S, SHORT_S, Consumer, events_of, positions_of
from indelible.testing.conformance.helpers import (
    ODD_NAMES,
    append_noise,
    cursor_behind,
    ids,
    read_feed_to_end,
    refused,
    some_events,
    unique,
)


@pytest.mark.asyncio
class GroupConformance:
    # --- Groups ------------------------------------------------------------------------------------------------------

    async def test_a_new_group_is_described(self, store: EventStore) -> None:
        group = unique("group")
        query = EventQuery.of(event_types=["A", "B"], aggregate_types=["Order"], tags=["x"])
        made = await store.groups.create(
            group, query, start="end", ack_timeout_s=12.5, max_attempts=3, max_in_flight=40
        )
        head = await store.head()
        assert (made.group, made.items) == (group, query.items)
        assert (made.ack_timeout_s, made.max_attempts, made.max_in_flight) == (12.5, 3, 40)
        assert (made.cursor, made.position, made.lag) == (head.cursor, head.position, 0)
        assert (made.in_flight, made.waiting, made.parked, made.parked_aggregates) == (0, 0, 0, 0)
        assert made.is_stalled is False
        assert made.is_new
        described = await store.groups.get(group)
        assert described == msgspec.structs.replace(made, is_new=False)
        assert described in await store.groups.list()

    async def test_a_group_starts_at_the_empty_cursor(self, store: EventStore) -> None:
        await append_noise(store)
        group = unique("group")
        try:
            assert (await store.groups.create(group, after=Cursor(""))).position == 0
        finally:
            await store.groups.delete(group)

    async def test_settings_have_defaults(self, store: EventStore) -> None:
        made = await store.groups.create(unique("group"))
        assert made.items == ()
        assert made.ack_timeout_s == GROUP_ACK_TIMEOUT_DEFAULT_S
        assert (made.max_attempts, made.max_in_flight) == (GROUP_ATTEMPTS_DEFAULT, GROUP_IN_FLIGHT_DEFAULT)
        assert made.position == 0

    async def test_groups_are_listed_by_name(self, store: EventStore) -> None:
        for _ in range(3):
            await store.groups.create(unique("group"))
        names = [info.group for info in await store.groups.list()]
        assert names == sorted(names, key=str.encode)

    async def test_creating_again_changes_nothing(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        await consumer.append("1")
        await consumer.ack(await consumer.pull(1))
        query = EventQuery.of(tags=[consumer.tag])
        again = await store.groups.create(consumer.group, query, start="beginning", ack_timeout_s=30)
        assert again == await consumer.info()
        others: tuple[dict[str, Any], ...] = ({"max_attempts": 2}, {"ack_timeout_s": 31.0}, {"max_in_flight": 2})
        for other in others:
            call = store.groups.create(consumer.group, query, **other)
            await refused(GroupExists, call, group=consumer.group)
        await refused(GroupExists, store.groups.create(consumer.group), group=consumer.group)
        assert again == await consumer.info()

    async def test_names_come_back_as_they_were(self, store: EventStore) -> None:
        for name in ODD_NAMES:
            group = name + unique()
            assert (await store.groups.create(group, start="end")).group == group
            assert (await store.groups.get(group)).group == group
            assert await store.groups.pull(group, member=name) == ()
            await store.groups.delete(group)

    async def test_where_a_group_starts(self, store: EventStore) -> None:
        tag, group, events = unique("tag"), unique("group"), some_events(4)
        sent = [NewEvent(one.event_type, one.event_data, tags=[tag]) for one in events]
        await store.append("Order", unique(), sent)
        after = await cursor_behind(store, sent[0].event_id)
        made = await store.groups.create(group, EventQuery.of(tags=[tag]), after=after)
        assert made.cursor == after
        assert events_of(await store.groups.pull(group, limit=1)) == [sent[1].event_id]
        await append_noise(store, 1)
        await asyncio.sleep(0.002)
        before = await store.head()
        await append_noise(store, 1)
        (event,) = (await store.read_feed(after=before.cursor, limit=1)).events
        made = await store.groups.create(unique("group"), since=event.timestamp)
        assert (made.cursor, made.position) == (before.cursor, before.position)
        made = await store.groups.create(unique("group"), since=event.timestamp + timedelta(days=1))
        assert made.cursor == (await store.head()).cursor

    async def test_settings_change(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        for n in range(3):
            await consumer.append(str(n))
        changed = await store.groups.change(consumer.group, max_in_flight=2)
        assert (changed.max_in_flight, changed.max_attempts) == (2, GROUP_ATTEMPTS_DEFAULT)
        await consumer.pull(2)
        changed = await store.groups.change(consumer.group, ack_timeout_s=7, max_attempts=9)
        assert (changed.ack_timeout_s, changed.max_attempts, changed.max_in_flight) == (7.0, 9, 2)
        assert changed == await consumer.info()

    async def test_deleting_a_group_deletes_no_event(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        await consumer.append("1", 3)
        before = await consumer.pull(1)
        head = await store.head()
        await store.groups.delete(consumer.group)
        assert await store.head() == head
        assert consumer.group not in [info.group for info in await store.groups.list()]
        query = EventQuery.of(tags=[consumer.tag])
        await refused(GroupNotFound, consumer.info(), group=consumer.group)
        await store.groups.create(consumer.group, query, after=consumer.start)
        await consumer.ack(before, lost=1)
        assert events_of(await consumer.pull(1)) == events_of(before)

    async def test_a_group_that_does_not_exist(self, store: EventStore) -> None:
        group = unique("group")
        delivery_id = "1-1" if (await store.head()).partitions == 1 else "1-1.0"
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: store.groups.get(group),
            lambda: store.groups.change(group, max_attempts=2),
            lambda: store.groups.delete(group),
            lambda: store.groups.reset(group, start="end"),
            lambda: store.groups.pull(group),
            lambda: store.groups.ack(group, [delivery_id]),
            lambda: store.groups.nack(group, [delivery_id]),
            lambda: store.groups.extend(group, [delivery_id]),
            lambda: store.groups.list_in_flight(group),
            lambda: store.groups.list_parked(group),
            lambda: store.groups.redrive_parked(group),
            lambda: store.groups.skip_parked(group, [1], reason="x"),
            lambda: store.groups.list_skipped(group),
        ]
        for call in calls:
            await refused(GroupNotFound, call(), group=group)

    async def test_deleting_ends_a_wait(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        waiting = asyncio.create_task(store.groups.pull(consumer.group, wait_s=20))
        await asyncio.sleep(0.1)
        await store.groups.delete(consumer.group)
        await refused(GroupNotFound, waiting, group=consumer.group)

    # --- Delivering --------------------------------------------------------------------------------------------------

    async def test_matching_events_come_in_order(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        wanted = []
        for n in range(5):
            await append_noise(store)
            wanted += await consumer.append(str(n))
        found = await consumer.pull(5)
        assert events_of(found) == ids(wanted)
        assert [one.attempt for one in found] == [1] * 5
        assert len({one.delivery_id for one in found}) == 5
        stored = await read_feed_to_end(store, EventQuery.of(tags=[consumer.tag]))
        assert [one.event for one in found] == stored
        await consumer.pull(0)

    async def test_any_item_of_the_query_matches(self, store: EventStore) -> None:
        start, tags = (await store.head()).cursor, (unique("tag"), unique("tag"))
        query = EventQuery(tuple(QueryItem(tags=(tag,)) for tag in tags))
        group = unique("group")
        await store.groups.create(group, query, after=start)
        for n, tag in enumerate((*tags, unique())):
            await store.append("Order", unique(), [NewEvent("E", n, tags=[tag])])
        assert sorted(one.event.event_data for one in await store.groups.pull(group)) == [0, 1]

    async def test_an_aggregates_events_come_one_at_a_time(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        ones, twos = await consumer.append("1", 3), await consumer.append("2", 3)
        for n in range(3):
            found = await consumer.pull(2)
            assert events_of(found) == [ones[n].event_id, twos[n].event_id]
            await consumer.pull(0)
            await consumer.ack(found)
        await consumer.pull(0)

    async def test_members_compete(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        wanted = [event for n in range(6) for event in await consumer.append(str(n))]
        first = await consumer.pull(4, member="first", limit=4)
        second = await consumer.pull(2, member="second", limit=4)
        assert events_of(first + second) == ids(wanted)
        in_flight = await store.groups.list_in_flight(consumer.group)
        assert [one.member for one in in_flight] == ["first"] * 4 + ["second"] * 2
        assert [one.position for one in in_flight] == positions_of(first + second)
        assert [(one.aggregate_type, one.aggregate_id) for one in in_flight] == [
            (consumer.aggregate_type, await consumer.name(str(n))) for n in range(6)
        ]
        assert {
            (one.version - event.event.version, one.attempt) for one, event in zip(in_flight, first, strict=False)
        } == {(0, 1)}
        assert abs(in_flight[0].deadline - first[0].deadline) < timedelta(milliseconds=1)

    async def test_no_more_in_flight_than_allowed(self, store: EventStore) -> None:
        """Of several partitions, in each: these aggregates lie in one."""
        consumer = await Consumer.begin(store, max_in_flight=3)
        for n in range(5):
            await consumer.append(str(n))
        first = await consumer.pull(3)
        await consumer.pull(0)
        assert (await consumer.info()).in_flight == 3
        await consumer.ack(first[:1])
        await consumer.pull(1)

    async def test_a_pull_waits_for_an_event(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        waiting = asyncio.create_task(store.groups.pull(consumer.group, wait_s=20))
        await asyncio.sleep(0.1)
        await append_noise(store)
        events = await consumer.append("1")
        async with asyncio.timeout(PATIENCE_S):
            assert events_of(await waiting) == ids(events)

    async def test_a_pull_waits_for_an_aggregates_turn(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        events = await consumer.append("1", 2)
        first = await consumer.pull(1)
        waiting = asyncio.create_task(store.groups.pull(consumer.group, wait_s=20))
        await asyncio.sleep(0.1)
        await consumer.ack(first)
        async with asyncio.timeout(PATIENCE_S):
            assert events_of(await waiting) == [events[1].event_id]

    async def test_a_wait_ends(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        started = time.monotonic()
        assert await store.groups.pull(consumer.group, wait_s=SHORT_S) == ()
        assert time.monotonic() - started >= SHORT_S * 0.9

    async def test_who_gives_up_waiting_gets_nothing(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        waiting = asyncio.create_task(store.groups.pull(consumer.group, wait_s=20))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.sleep(0.1)
        await consumer.append("1")
        assert len(await consumer.wait(1)) == 1

    async def test_more_events_of_one_aggregate_than_are_remembered(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        hot = await consumer.append("hot", GROUP_NEXT_EVENTS_MAX + 6)
        cold = await consumer.append("cold", 1)
        found = await consumer.pull(2)
        assert events_of(found) == [hot[0].event_id, cold[0].event_id]
        for event in hot[1:]:
            await consumer.ack(found)
            found = await consumer.pull(1)
            assert events_of(found) == [event.event_id]
        await consumer.ack(found)
        info = await consumer.info()
        assert (info.lag, info.in_flight, info.waiting) == (0, 0, 0)

    async def test_many_members_do_everything_once_and_in_order(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        done: dict[str, list[int]] = defaultdict(list)
        total = 8 * 12

        async def write(aggregate_id: str) -> None:
            for _ in range(4):
                await consumer.append(aggregate_id, 3)

        async def consume() -> None:
            while sum(map(len, done.values())) < total:
                found = await store.groups.pull(consumer.group, limit=5, wait_s=0.5)
                for one in found:
                    done[one.event.aggregate_id].append(one.event.version)
                if found:
                    await consumer.ack(found)

        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            for n in range(8):
                tasks.create_task(write(str(n)))
            for _ in range(4):
                tasks.create_task(consume())
        assert all(versions == sorted(versions) for versions in done.values())
        assert sum(map(len, done.values())) == total

    # --- Acknowledging -----------------------------------------------------------------------------------------------

    async def test_the_checkpoint_moves_over_what_is_done_only(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        start = (await consumer.info()).position
        for n in range(4):
            await consumer.append(str(n))
            await append_noise(store, 1)
        end = await store.head()
        head = end.position
        found = await consumer.pull(4)
        info = await consumer.info()
        assert (info.position + info.lag, info.in_flight) == (head, 4)
        # Beside them lie other partitions, where nothing is for the group, and all is passed.
        assert info.position == start or end.partitions > 1
        await consumer.ack(found[1:3])
        assert (await consumer.info()).position == info.position
        await consumer.ack(found[:1])
        after = Cursor.parse((await consumer.info()).cursor)
        (left,) = (await store.read_feed(EventQuery.of(tags=[consumer.tag]), after=after)).events
        assert left == found[3].event
        await consumer.ack(found[3:])
        await consumer.pull(0)
        info = await consumer.info()
        assert (info.position, info.cursor, info.lag) == (head, (await store.head()).cursor, 0)
        assert info.in_flight == 0

    async def test_acknowledging_again_is_safe(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        await consumer.append("1", 2)
        found = await consumer.pull(1)
        await consumer.ack(found)
        await consumer.ack(found)
        following = await consumer.pull(1)
        await consumer.ack(found)
        assert following[0].event.version == 2
        await consumer.ack(following)
        await consumer.ack(found + following)

    async def test_a_refused_event_comes_again(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        events = await consumer.append("1", 2)
        for attempt in range(1, 4):
            found = await consumer.pull(1)
            assert (events_of(found), found[0].attempt) == ([events[0].event_id], attempt)
            assert await consumer.nack(found) == Settled(1)
        found = await consumer.pull(1)
        await consumer.ack(found)
        assert events_of(await consumer.pull(1)) == [events[1].event_id]

    async def test_a_refused_event_waits_out_its_delay(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        await consumer.append("1", 2)
        await consumer.append("2")
        found = await consumer.pull(2)
        await consumer.nack(found[:1], delay_s=10 * PATIENCE_S)
        await consumer.pull(0)
        info = await consumer.info()
        assert (info.in_flight, info.waiting) == (1, 1)
        started = time.monotonic()
        await consumer.nack(found[1:], delay_s=SHORT_S)
        again = await consumer.wait(1)
        assert time.monotonic() - started >= SHORT_S * 0.9
        assert (events_of(again), again[0].attempt) == (events_of(found[1:]), 2)

    async def test_what_nobody_tried_counts_as_no_attempt(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store, max_attempts=1)
        events = await consumer.append("1")
        for _ in range(3):
            found = await consumer.pull(1)
            assert (events_of(found), found[0].attempt) == (ids(events), 1)
            assert await consumer.nack(found, untried=True) == Settled(1)
        assert (await consumer.info()).parked == 0
        with pytest.raises(InvalidRequest) as caught:
            await consumer.nack(found, untried=True, park=True)
        assert caught.value.pointer == "/untried"

    async def test_an_event_that_is_not_acknowledged_comes_again(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store, ack_timeout_s=SHORT_S)
        await consumer.append("1", 2)
        first = await consumer.pull(1)
        second = await consumer.wait(1)
        assert (events_of(second), second[0].attempt) == (events_of(first), 2)
        await consumer.ack(first, lost=1)
        assert (await consumer.nack(first)).lost == (first[0].delivery_id,)
        assert (await store.groups.extend(consumer.group, [first[0].delivery_id])).lost == (first[0].delivery_id,)
        await consumer.ack(second)
        assert (await consumer.pull(1))[0].event.version == 2

    async def test_a_late_acknowledgement_counts_while_nobody_else_has_the_event(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store, ack_timeout_s=SHORT_S)
        await consumer.append("1")
        first = await consumer.pull(1)
        await asyncio.sleep(2 * SHORT_S)
        await consumer.ack(first)
        await consumer.pull(0)

    async def test_extending_gives_more_time(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store, ack_timeout_s=SHORT_S)
        await consumer.append("1")
        found = await consumer.pull(1)
        settled = await store.groups.extend(consumer.group, [found[0].delivery_id], ack_timeout_s=20)
        assert settled == Settled(1)
        await asyncio.sleep(2 * SHORT_S)
        await consumer.pull(0)
        (in_flight,) = await store.groups.list_in_flight(consumer.group)
        assert in_flight.deadline - found[0].deadline > timedelta(seconds=15)
        await consumer.ack(found)

    async def test_some_of_many_are_lost(self, store: EventStore) -> None:
        consumer = await Consumer.begin(store)
        await consumer.append("1")
        found = await consumer.pull(1)
        partition = "" if (await store.head()).partitions == 1 else ".0"
        lost = (f"1-1{partition}", f"999999999-5{partition}")
        settled = await store.groups.ack(consumer.group, [found[0].delivery_id, *lost])
        assert settled == Settled(1, lost)

    # --- Bad input ---------------------------------------------------------------------------------------------------

    async def test_bad_settings_are_named(self, store: EventStore) -> None:
        group = unique("group")
        bad: tuple[tuple[dict[str, Any], str], ...] = (
            ({"ack_timeout_s": 0.01}, "/ack_timeout_s"),
            ({"ack_timeout_s": 1e9}, "/ack_timeout_s"),
            ({"max_attempts": 0}, "/max_attempts"),
            ({"max_attempts": 1_001}, "/max_attempts"),
            ({"max_in_flight": 0}, "/max_in_flight"),
            ({"max_in_flight": 10_001}, "/max_in_flight"),
            ({"after": Cursor(10**12)}, "/after"),
            ({"start": "end", "after": START}, "/start"),
        )
        for settings, pointer in bad:
            with pytest.raises(InvalidRequest) as caught:
                await store.groups.create(group, **settings)
            assert caught.value.pointer == pointer
        await refused(GroupNotFound, store.groups.get(group), group=group)

    async def test_a_groups_query_has_no_time_window(self, store: EventStore) -> None:
        now = datetime.now(UTC)
        for query, pointer in ((EventQuery(since=now), "/since"), (EventQuery(until=now), "/until")):
            with pytest.raises(InvalidRequest) as caught:
                await store.groups.create(unique("group"), query)
            assert caught.value.pointer == pointer

    async def test_bad_calls_are_named(self, store: EventStore) -> None:
        group = (await Consumer.begin(store)).group
        calls: list[tuple[Awaitable[object], str]] = [
            (store.groups.pull(group, limit=0), "/limit"),
            (store.groups.pull(group, limit=1_001), "/limit"),
            (store.groups.pull(group, wait_s=-1), "/wait_s"),
            (store.groups.pull(group, wait_s=31), "/wait_s"),
            (store.groups.pull(group, member="\n"), "/member"),
            (store.groups.ack(group, []), "/delivery_ids"),
            (store.groups.ack(group, ["1-1"] * 1_001), "/delivery_ids"),
            (store.groups.ack(group, ["1-1", "nonsense"]), "/delivery_ids/1"),
            (store.groups.nack(group, ["1-1"], delay_s=-1), "/delay_s"),
            (store.groups.nack(group, ["1-1"], reason="x" * 1_001), "/reason"),
            (store.groups.extend(group, ["1-1"], ack_timeout_s=0), "/ack_timeout_s"),
            (store.groups.skip_parked(group, [1], reason=""), "/reason"),
            (store.groups.skip_parked(group, [0], reason="x"), "/positions/0"),
            (store.groups.redrive_parked(group, []), "/positions"),
            (store.groups.list_parked(group, limit=0), "/limit"),
            (store.groups.list_skipped(group, after="x"), "/after"),
            (store.groups.reset(group), "/start"),
            (store.groups.change(group, max_attempts=0), "/max_attempts"),
            (store.groups.get(""), "/group"),
        ]
        for call, pointer in calls:
            with pytest.raises(InvalidRequest) as caught:
                await call
            assert caught.value.pointer == pointer
