"""Bad input is refused with the pointer of the bad field; nothing is stored, and the store goes on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from indelible.conditions import AppendCondition
from indelible.cursors import Cursor
from indelible.errors import InvalidRequest, PayloadTooLarge
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, EventStore
from indelible.limits import (
    CONDITION_ITEMS_MAX,
    EVENT_SIZE_BYTES_MAX,
    NAME_LENGTH_MAX,
    PAGE_EVENTS_MAX,
    QUERY_NAMES_MAX,
    REQUEST_EVENTS_MAX,
    REQUEST_SIZE_BYTES_MAX,
    REQUEST_TAGS_MAX,
    TAG_LENGTH_MAX,
    TAGS_PER_EVENT_MAX,
    VERSION_MAX,
)
from indelible.queries import EventQuery, QueryItem
from indelible.testing.conformance.helpers import append_noise, cursor_past_the_head, refused, some_events, unique

BAD_NAMES: tuple[Any, ...] = ("", "x" * (NAME_LENGTH_MAX + 1), "a\nb", "\x00", "\x7f", "\x85", "\ud800", 7, None)
BAD_VERSIONS: tuple[Any, ...] = (-1, 1.5, 1.0, True, "1", VERSION_MAX + 1)
_IDS = ascii

Call = Callable[[], Awaitable[object]]


@pytest.mark.asyncio
class BadInputConformance:
    @pytest.fixture
    async def unchanged(self, store: EventStore) -> AsyncIterator[EventStore]:
        """A store in which the test stores nothing: the log does not move, and the store takes appends afterwards."""
        await append_noise(store)
        before = await store.head()
        yield store
        assert await store.head() == before
        assert (await append_noise(store, 2)).version == 2

    # --- Names -------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", [*BAD_NAMES, "with-hyphen"], ids=_IDS)
    async def test_bad_aggregate_type(self, unchanged: EventStore, name: Any) -> None:
        calls: list[Call] = [
            lambda: unchanged.append(name, "1", some_events(1)),
            lambda: unchanged.read_aggregate(name, "1"),
            lambda: unchanged.get_aggregate(name, "1"),
            lambda: unchanged.replay(name, "1"),
            lambda: unchanged.save_snapshot(name, "1", version=1, state={}),
            lambda: unchanged.get_snapshot(name, "1"),
        ]
        if name is not None:
            calls.append(lambda: unchanged.list_aggregates(aggregate_type=name))
        for call in calls:
            await refused(InvalidRequest, call(), pointer="/aggregate_type")

    async def test_the_stores_own_aggregate_types_are_not_written(self, unchanged: EventStore) -> None:
        await refused(InvalidRequest, unchanged.append("$key", "1", some_events(1)), pointer="/aggregate_type")
        snapshot = unchanged.save_snapshot("$", "1", version=1, state={})
        await refused(InvalidRequest, snapshot, pointer="/aggregate_type")
        appends = [AggregateAppend.of(name, "1", some_events(1)) for name in ("Order", "$audit")]
        await refused(InvalidRequest, unchanged.append_atomic(appends), pointer="/appends/1/aggregate_type")
        (outcome,) = await unchanged.append_each(appends[1:])
        assert isinstance(outcome, InvalidRequest)
        assert outcome.pointer == "/aggregate_type"

    @pytest.mark.parametrize("name", BAD_NAMES, ids=_IDS)
    async def test_bad_aggregate_id(self, unchanged: EventStore, name: Any) -> None:
        calls: list[Call] = [
            lambda: unchanged.append("Order", name, some_events(1)),
            lambda: unchanged.read_aggregate("Order", name),
            lambda: unchanged.get_aggregate("Order", name),
            lambda: unchanged.replay("Order", name),
            lambda: unchanged.save_snapshot("Order", name, version=1, state={}),
            lambda: unchanged.get_snapshot("Order", name),
        ]
        for call in calls:
            await refused(InvalidRequest, call(), pointer="/aggregate_id")

    @pytest.mark.parametrize("name", BAD_NAMES, ids=_IDS)
    async def test_bad_name_in_a_query(self, unchanged: EventStore, name: Any) -> None:
        for field in ("event_types", "aggregate_types", "tags"):
            query = EventQuery((QueryItem(), QueryItem(**{field: ("fine", name)})))
            await refused(InvalidRequest, unchanged.read_feed(query), pointer=f"/items/1/{field}/1")
            call = unchanged.append_atomic(
                [AggregateAppend.of("Order", "1", some_events(1))], condition=AppendCondition(query.items)
            )
            await refused(InvalidRequest, call, pointer=f"/condition/fail_if/1/{field}/1")

    # --- Appends -----------------------------------------------------------------------------------------------------

    async def test_no_events(self, unchanged: EventStore) -> None:
        await refused(InvalidRequest, unchanged.append("Order", "1", []), pointer="/events")
        appends = [AggregateAppend.of("Order", "1", some_events(1)), AggregateAppend.of("Order", "2", [])]
        await refused(InvalidRequest, unchanged.append_atomic(appends), pointer="/appends/1/events")

    async def test_no_appends(self, unchanged: EventStore) -> None:
        await refused(InvalidRequest, unchanged.append_atomic([]), pointer="/appends")

    @pytest.mark.parametrize("version", [*BAD_VERSIONS, None, "ANY", "", "latest"], ids=_IDS)
    async def test_bad_expected_version(self, unchanged: EventStore, version: Any) -> None:
        call = unchanged.append("Order", "1", some_events(1), expected_version=version)
        await refused(InvalidRequest, call, pointer="/expected_version")
        bad = AggregateAppend.of("Order", "2", some_events(1), expected_version=version)
        call_atomic = unchanged.append_atomic([AggregateAppend.of("Order", "1", some_events(1)), bad])
        await refused(InvalidRequest, call_atomic, pointer="/appends/1/expected_version")
        await refused(InvalidRequest, unchanged.append_atomic([bad]), pointer="/appends/0/expected_version")

    async def test_event_id_twice(self, unchanged: EventStore) -> None:
        one, other = some_events(2)
        call = unchanged.append("Order", "1", [one, other, one])
        await refused(InvalidRequest, call, pointer="/events/2/event_id")
        appends = [AggregateAppend.of("Order", "1", [one]), AggregateAppend.of("Order", "2", [other, one])]
        await refused(InvalidRequest, unchanged.append_atomic(appends), pointer="/appends/1/events/1/event_id")

    @pytest.mark.parametrize("version", [0, 1, "exists", "none"])
    async def test_aggregate_again_with_an_expected_version(self, unchanged: EventStore, version: Any) -> None:
        appends = [AggregateAppend.of("Order", name, some_events(1)) for name in ("1", "2")]
        again = AggregateAppend.of("Order", "1", some_events(1), expected_version=version)
        call = unchanged.append_atomic([*appends, again])
        await refused(InvalidRequest, call, pointer="/appends/2/expected_version")

    async def test_too_many_events(self, unchanged: EventStore) -> None:
        events = some_events(REQUEST_EVENTS_MAX + 1)
        call = unchanged.append("Order", "1", events)
        await refused(PayloadTooLarge, call, pointer="/events", events_max=REQUEST_EVENTS_MAX)
        appends = [AggregateAppend.of("Order", "1", events[:-1]), AggregateAppend.of("Order", "2", events[-1:])]
        await refused(
            PayloadTooLarge, unchanged.append_atomic(appends), pointer="/appends", events_max=REQUEST_EVENTS_MAX
        )

    async def test_too_many_tags(self, unchanged: EventStore) -> None:
        tags = [f"t{n}" for n in range(TAGS_PER_EVENT_MAX)]
        events = [NewEvent("Tagged", tags=tags) for _ in range(REQUEST_TAGS_MAX // TAGS_PER_EVENT_MAX + 1)]
        call = unchanged.append("Order", "1", events)
        await refused(PayloadTooLarge, call, pointer="/events", tags_max=REQUEST_TAGS_MAX)
        appends = [AggregateAppend.of("Order", "1", events[:-1]), AggregateAppend.of("Order", "2", events[-1:])]
        await refused(PayloadTooLarge, unchanged.append_atomic(appends), pointer="/appends", tags_max=REQUEST_TAGS_MAX)

    async def test_too_many_bytes(self, unchanged: EventStore) -> None:
        data = "x" * (EVENT_SIZE_BYTES_MAX - len('""{}'))
        events = [NewEvent("Large", data) for _ in range(REQUEST_SIZE_BYTES_MAX // EVENT_SIZE_BYTES_MAX + 1)]
        call = unchanged.append("Order", "1", events)
        await refused(PayloadTooLarge, call, pointer="/events", size_bytes_max=REQUEST_SIZE_BYTES_MAX)

    async def test_bad_condition(self, unchanged: EventStore) -> None:
        appends = [AggregateAppend.of("Order", "1", some_events(1))]
        items = (QueryItem(tags=("x",)),)
        cases: list[tuple[AppendCondition, str]] = [
            (AppendCondition(()), "/condition/fail_if"),
            (AppendCondition(items * (CONDITION_ITEMS_MAX + 1)), "/condition/fail_if"),
            (AppendCondition(items, Cursor("nonsense")), "/condition/after"),
        ]
        for condition, pointer in cases:
            await refused(InvalidRequest, unchanged.append_atomic(appends, condition=condition), pointer=pointer)

    # --- Reads -------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("version", [*BAD_VERSIONS, 0], ids=_IDS)
    async def test_bad_versions(self, unchanged: EventStore, version: Any) -> None:
        read = unchanged.read_aggregate
        await refused(InvalidRequest, read("Order", "1", from_version=version), pointer="/from_version")
        await refused(InvalidRequest, read("Order", "1", to_version=version), pointer="/to_version")
        await refused(InvalidRequest, unchanged.replay("Order", "1", at_version=version), pointer="/at_version")
        await refused(InvalidRequest, unchanged.get_snapshot("Order", "1", at_version=version), pointer="/at_version")
        call = unchanged.save_snapshot("Order", "1", version=version, state={})
        await refused(InvalidRequest, call, pointer="/version")

    @pytest.mark.parametrize("limit", [0, -1, PAGE_EVENTS_MAX + 1, 1.5, "1", True, None], ids=_IDS)
    async def test_bad_limit(self, unchanged: EventStore, limit: Any) -> None:
        await refused(InvalidRequest, unchanged.read_aggregate("Order", "1", limit=limit), pointer="/limit")
        await refused(InvalidRequest, unchanged.read_feed(limit=limit), pointer="/limit")
        await refused(InvalidRequest, unchanged.list_aggregates(limit=limit), pointer="/limit")

    @pytest.mark.parametrize("prefix", ["a\n", "\x00", "a\ud800", "x" * (NAME_LENGTH_MAX + 1), 7, None])
    async def test_prefixes(self, unchanged: EventStore, prefix: Any) -> None:
        for call in (unchanged.event_types, unchanged.aggregate_types, unchanged.list_aggregates):
            await refused(InvalidRequest, call(prefix=prefix), pointer="/prefix")

    @pytest.mark.parametrize("direction", ["up", "", "FORWARD", None])
    async def test_bad_direction(self, unchanged: EventStore, direction: Any) -> None:
        await refused(InvalidRequest, unchanged.read_aggregate("Order", "1", direction=direction), pointer="/direction")
        await refused(InvalidRequest, unchanged.read_feed(direction=direction), pointer="/direction")

    @pytest.mark.parametrize(
        "cursor", ["x", "-1", "1.0", " 1", "1 ", "+1", "١", "1_0", "9" * 16, "9" * 5_000, "\ud800", 0], ids=_IDS
    )
    async def test_bad_cursor(self, unchanged: EventStore, cursor: Any) -> None:
        await refused(InvalidRequest, unchanged.read_feed(after=cursor), pointer="/after")
        await refused(InvalidRequest, unchanged.read_feed(after=cursor, direction="backward"), pointer="/after")

    async def test_cursor_past_the_head(self, unchanged: EventStore) -> None:
        past = await cursor_past_the_head(unchanged)
        await refused(InvalidRequest, unchanged.read_feed(after=past), pointer="/after")
        await refused(InvalidRequest, unchanged.read_feed(after=past, direction="backward"), pointer="/after")
        call = unchanged.append_atomic(
            [AggregateAppend.of("Order", "1", some_events(1))],
            condition=AppendCondition((QueryItem(tags=("x",)),), past),
        )
        await refused(InvalidRequest, call, pointer="/condition/after")

    async def test_cursor_may_be_plain_text(self, unchanged: EventStore) -> None:
        text: Any = str((await unchanged.head()).cursor)
        assert (await unchanged.read_feed(after=text)).at_end

    @pytest.mark.parametrize(
        "cursor", ["x", "AAAA", "ééé", "bnVsbA", "WyIiLCIiXQ", "WyJhLWIiLCJjIl0", "\ud800", 7], ids=_IDS
    )
    async def test_bad_list_cursor(self, unchanged: EventStore, cursor: Any) -> None:
        await refused(InvalidRequest, unchanged.list_aggregates(after=cursor), pointer="/after")

    @pytest.mark.parametrize("query", ["Order", None, (), QueryItem()], ids=_IDS)
    async def test_bad_query(self, unchanged: EventStore, query: Any) -> None:
        await refused(InvalidRequest, unchanged.read_feed(query), pointer="/query")
        await refused(InvalidRequest, anext(unchanged.follow(query)), pointer="/query")
        await refused(InvalidRequest, unchanged.groups.create("billing", query), pointer="/query")

    async def test_too_many_names_in_a_query(self, unchanged: EventStore) -> None:
        names = tuple(unique() for _ in range(QUERY_NAMES_MAX + 1))
        for field in ("event_types", "aggregate_types", "tags"):
            query = EventQuery((QueryItem(**{field: names}),))
            await refused(InvalidRequest, unchanged.read_feed(query), pointer=f"/items/0/{field}")
        await unchanged.read_feed(EventQuery((QueryItem(names[1:], names[1:], names[1:]),)))

    async def test_tag_too_long_in_a_query(self, unchanged: EventStore) -> None:
        query = EventQuery((QueryItem(tags=("x" * (TAG_LENGTH_MAX + 1),)),))
        await refused(InvalidRequest, unchanged.read_feed(query), pointer="/items/0/tags/0")

    async def test_bad_time(self, unchanged: EventStore) -> None:
        values: tuple[Any, ...] = (datetime(2026, 1, 31), "2026-01-31T12:00:00Z", 5)  # noqa: DTZ001 - the bad case
        for value in values:
            await refused(InvalidRequest, unchanged.read_feed(EventQuery(since=value)), pointer="/since")
            await refused(InvalidRequest, unchanged.read_feed(EventQuery(until=value)), pointer="/until")

    @pytest.mark.parametrize("event_id", ["", "x", "01890a5d", 7, None], ids=_IDS)
    async def test_bad_event_id(self, unchanged: EventStore, event_id: Any) -> None:
        await refused(InvalidRequest, unchanged.get_event(event_id), pointer="/event_id")

    # --- Snapshots ---------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("state", [float("nan"), float("inf"), {1, 2}, b"x", {"a": ...}, "\ud800"], ids=_IDS)
    async def test_bad_state(self, unchanged: EventStore, state: Any) -> None:
        await refused(InvalidRequest, unchanged.save_snapshot("Order", "1", version=1, state=state), pointer="/state")

    @pytest.mark.parametrize("metadata", [[], [1], "x", 7, {"a": float("nan")}], ids=_IDS)
    async def test_bad_snapshot_metadata(self, unchanged: EventStore, metadata: Any) -> None:
        call = unchanged.save_snapshot("Order", "1", version=1, state={}, metadata=metadata)
        await refused(InvalidRequest, call, pointer="/metadata")
