"""Every store is put through the same suite: two engines cannot be told apart but by their capabilities."""

import pytest

from conformance.storages import PARTITIONED
from indelible.conditions import AppendCondition
from indelible.core import condition_scans
from indelible.cursors import cursor_at
from indelible.errors import ConditionTooCostly
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, EventStore
from indelible.limits import PAGE_SCAN_EVENTS_MAX
from indelible.queries import QueryItem
from indelible.testing.conformance import (
    EventStoreConformance,
    GroupConformance,
    LogConformance,
    ParkingConformance,
    SchemaConformance,
)
from indelible.testing.conformance.helpers import unique


class TestEventStore(EventStoreConformance):
    pass


@pytest.mark.parametrize("storage", PARTITIONED, ids=str)
class TestPartitionedStore(LogConformance, GroupConformance, ParkingConformance, SchemaConformance):
    pass


async def test_condition_that_costs_too_much_to_look_at(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores and servers are in this process, so the bound can be made smaller."""
    monkeypatch.setattr(condition_scans, "CONDITION_ENTRIES_MAX", 100)
    one, other, start = unique("tag"), unique("tag"), (await store.head()).cursor
    events = [NewEvent("A", tags=[tag]) for _ in range(PAGE_SCAN_EVENTS_MAX) for tag in (one, other)]
    stored = await store.append(unique("Order"), unique(), events)
    condition = AppendCondition((QueryItem(tags=(one, other)),), start)
    appends = [AggregateAppend.of(unique("Order"), unique(), [NewEvent("A")])]
    with pytest.raises(ConditionTooCostly) as caught:
        await store.append_atomic(appends, condition=condition)
    fields = caught.value.fields
    assert (fields["pointer"], fields["entries_looked_at_max"]) == ("/condition", 100)
    assert fields["entries_looked_at"] >= 100
    later = AppendCondition(condition.fail_if, cursor_at(stored.position))
    assert not (await store.append_atomic(appends, condition=later)).replayed
    assert (await store.append_atomic(appends, condition=condition)).replayed
