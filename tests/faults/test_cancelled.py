"""Callers that give up while their write is on its way to disk."""

import asyncio
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.core.verify import verify
from indelible.engines.group_storage import GroupChange, StoredGroup
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.events import NewEvent
from indelible.groups import GroupSettings


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


@pytest.mark.parametrize("may_hold_loop", [False, True])
async def test_cancelled_appends_are_stored_whole_or_not_at_all(tmp_path: Path, may_hold_loop: bool) -> None:
    async with open_local_store(f"sqlite:{tmp_path / 'store.db'}", may_hold_loop=may_hold_loop) as store:
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


async def test_a_cancelled_save_of_a_group_leaves_the_store_to_others_only_once_it_is_written(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "store.db")
    async with LocalEventStore(engine) as store:
        group = StoredGroup("billing", GroupSettings(), 1, 1, 0, 0, 0, uuid4())
        assert await engine.create_group(group, groups_max=1)
        for number in range(1, 40):
            then = msgspec.structs.replace(group, revision=group.revision + 1, reached=number)
            saving = asyncio.create_task(engine.save_group(GroupChange(group.revision, then)))
            for _ in range(number % 12):
                await asyncio.sleep(0)
            await asyncio.sleep(0.0005 * (number % 3))
            saving.cancel()
            assert (await store.append("order", "1", [NewEvent("Moved", number)])).version == number
            await asyncio.gather(saving, return_exceptions=True)
            state = await engine.load_group("billing")
            assert state is not None
            assert state.group in (group, then)
            group = state.group
        assert (await verify(store)).damage is None
