"""Leases of relays, where the store's clock does not go on as clocks do."""

import time

import pytest

from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import RelayFenced, RelayOwned
from indelible.limits import RELAY_LEASE_MAX_S


async def test_a_lease_does_not_grow_by_a_clock_that_is_set_back() -> None:
    """Its owner may be dead, and nobody would take over until the clock comes to that time again."""
    set_back_s = 0.0
    engine = MemoryEngine(clock_us=lambda: time.time_ns() // 1_000 - round(set_back_s * 1e6))
    async with LocalEventStore(engine) as store:
        first = await store.relays.claim("orders", "one", lease_s=RELAY_LEASE_MAX_S)
        with pytest.raises(RelayOwned):
            await store.relays.claim("orders", "two")
        set_back_s = 3_600
        info = await store.relays.get("orders")
        assert (info.state, info.lease_left_s) == ("unowned", 0)
        second = await store.relays.claim("orders", "two")
        assert second.epoch == first.epoch + 1
        with pytest.raises(RelayFenced):
            await store.relays.advance("orders", first.epoch, first.cursor, published=0)


async def test_an_owner_goes_on_behind_a_clock_that_is_set_back() -> None:
    set_back_s = 0.0
    engine = MemoryEngine(clock_us=lambda: time.time_ns() // 1_000 - round(set_back_s * 1e6))
    async with LocalEventStore(engine) as store:
        lease = await store.relays.claim("orders", "one")
        set_back_s = 3_600
        info = await store.relays.advance("orders", lease.epoch, lease.cursor, published=0)
        assert info.state == "running"
        with pytest.raises(RelayOwned):
            await store.relays.claim("orders", "two")
