"""A pull that is cancelled holds nothing, at whichever step of the event loop that comes."""

import asyncio

import pytest

from indelible import NewEvent
from indelible.core.open import open_local_store


@pytest.mark.parametrize("steps", range(40))
async def test_a_pull_that_is_cancelled_holds_nothing(steps: int) -> None:
    async with open_local_store("memory:") as store, asyncio.timeout(60):
        await store.groups.create("billing")
        waiting = asyncio.create_task(store.groups.pull("billing", wait_s=20))
        await asyncio.sleep(0.01)
        await store.append("order", "o-1", [NewEvent("OrderPlaced")])
        for _ in range(steps):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
        if waiting.cancelled():
            (delivery,) = await store.groups.pull("billing", wait_s=20)
            assert delivery.attempt == 1
            assert len(await store.groups.list_in_flight("billing")) == 1
