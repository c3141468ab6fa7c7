"""Stores around a store: what they do not do themselves, the inner store does."""

import pytest

from indelible.core.measured_store import MeasuredStore
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import InvalidRequest, VersionConflict
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend
from indelible.store_around import StoreAround


async def test_appends_are_measured_whatever_becomes_of_them() -> None:
    heard: list[tuple[float, dict[str, int]]] = []
    measured = MeasuredStore(LocalEventStore(MemoryEngine()), lambda *measures: heard.append(measures))
    async with measured as store:
        await store.append("Order", "1", [NewEvent("Placed")])
        with pytest.raises(VersionConflict):
            await store.append("Order", "1", [NewEvent("Placed")], expected_version="none")
        some = [AggregateAppend.of("Order", n, [NewEvent("Placed")]) for n in "234"]
        again = AggregateAppend.of("Order", "1", [NewEvent("Placed")], expected_version=7)
        await store.append_each([*some, again])
        with pytest.raises(InvalidRequest):
            await store.append_atomic([])
        assert (await store.head()).position == 4
    assert [outcomes for _, outcomes in heard] == [
        {"stored": 1}, {"version_conflict": 1}, {"stored": 3, "version_conflict": 1}, {"invalid_request": 1},
    ]  # fmt: skip
    assert all(duration_s >= 0 for duration_s, _ in heard)


class OfOneKind(StoreAround):
    """Takes appends to one kind of aggregate."""

    async def append(self, aggregate_type, aggregate_id, events, *, expected_version="any"):
        if aggregate_type != "Order":
            raise InvalidRequest("must be Order", pointer="/aggregate_type")
        return await self.inner.append(aggregate_type, aggregate_id, events, expected_version=expected_version)


async def test_stores_stand_around_one_another_in_any_order() -> None:
    for stack in (
        lambda store: OfOneKind(MeasuredStore(store, lambda *_: None)),
        lambda store: MeasuredStore(OfOneKind(store), lambda *_: None),
    ):
        async with stack(LocalEventStore(MemoryEngine())) as store:
            assert (await store.append("Order", "1", [NewEvent("Placed")])).version == 1
            with pytest.raises(InvalidRequest):
                await store.append("Invoice", "1", [NewEvent("Placed")])
            assert (await store.get_aggregate("Order", "1")).version == 1
            async for page in store.follow():
                assert page.count == 1
                break


async def test_what_is_passed_on_costs_no_hop() -> None:
    inner = LocalEventStore(MemoryEngine())
    assert StoreAround(inner).read_feed == inner.read_feed
