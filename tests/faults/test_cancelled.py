"""Callers that give up while their write is on its way to disk."""

import asyncio
from pathlib import Path

from indelible.core.open import open_local_store
from indelible.core.verify import verify
from indelible.events import NewEvent


async def test_a_cancelled_snapshot_leaves_the_store_to_others_only_once_it_is_written(tmp_path: Path) -> None:
    async with open_local_store(f"sqlite:{tmp_path / 'store.db'}") as store:
        await store.append("order", "1", [NewEvent("Opened", 0)])
        for version in range(2, 40):
            saving = asyncio.create_task(store.save_snapshot("order", "1", version=1, state={"version": version}))
            for _ in range(version % 12):
                await asyncio.sleep(0)
            await asyncio.sleep(0.0005 * (version % 3))
            saving.cancel()
            result = await store.append("order", "1", [NewEvent("Moved", version)])
            assert result.version == version
        await asyncio.gather(saving, return_exceptions=True)
        assert (await store.get_snapshot("order", "1")).version == 1
        assert (await verify(store)).damage is None


async def test_cancelled_appends_are_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    async with open_local_store(f"sqlite:{tmp_path / 'store.db'}") as store:
        for number in range(40):
            events = [NewEvent("Opened", 0), NewEvent("Closed", 0)]
            appending = asyncio.create_task(store.append("order", str(number), events))
            for _ in range(number % 8):
                await asyncio.sleep(0)
            appending.cancel()
            await asyncio.gather(appending, return_exceptions=True)
            again = await store.append("order", str(number), events)  # same ids: the outcome was unknown
            assert [event.version for event in again.events] == [1, 2]
        assert (await store.head()).position == 80
        assert (await verify(store)).damage is None
