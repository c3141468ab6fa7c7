"""What becomes of a consumer group over several partitions when one of them fails, or a caller leaves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from indelible.core.partitions.store import PartitionedStore
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import GroupNotFound, Unavailable
from indelible.events import NewEvent

PARTITIONS = 4


class _Failing(MemoryEngine):
    """Of a database that may be out of reach for changes of groups."""

    is_away = False

    async def load_group(self, name: str) -> Any:
        self._check()
        return await super().load_group(name)

    async def save_group(self, change: Any) -> bool:
        self._check()
        return await super().save_group(change)

    async def delete_group(self, name: str) -> bool:
        self._check()
        return await super().delete_group(name)

    def _check(self) -> None:
        if self.is_away:
            raise Unavailable("the database is out of reach", retry_after_s=1)


@pytest.fixture
def engines() -> list[_Failing]:
    return [_Failing() for _ in range(PARTITIONS)]


@pytest.fixture
async def store(engines: list[_Failing]) -> AsyncIterator[PartitionedStore]:
    async with PartitionedStore([LocalEventStore(one, is_partition=True) for one in engines]) as store:
        await store.groups.create("billing", start="end")
        yield store


async def _append_to_all(store: PartitionedStore) -> None:
    names = {store.partition_of("order", str(n)): str(n) for n in range(50)}
    assert len(names) == PARTITIONS
    for name in names.values():
        await store.append("order", name, [NewEvent("Placed")])


async def test_a_delete_that_fails_leaves_the_group_whole(store: PartitionedStore, engines: list[_Failing]) -> None:
    await _append_to_all(store)
    engines[0].is_away = True
    with pytest.raises(Unavailable):
        await store.groups.delete("billing")
    engines[0].is_away = False
    assert (await store.groups.get("billing")).lag == PARTITIONS
    assert len(await store.groups.pull("billing", limit=10)) == PARTITIONS
    await store.groups.delete("billing")
    with pytest.raises(GroupNotFound):
        await store.groups.delete("billing")


async def test_one_partition_that_fails_keeps_no_events_of_the_others(
    store: PartitionedStore, engines: list[_Failing]
) -> None:
    """Whatever is asked first: what the others gave comes to the member, and is not held until its time is over."""
    await _append_to_all(store)
    engines[2].is_away = True
    found = []
    for _ in range(2 * PARTITIONS):
        with contextlib.suppress(Unavailable):
            found += await store.groups.pull("billing", limit=10)
    assert len(found) == PARTITIONS - 1
    engines[2].is_away = False
    found += await store.groups.pull("billing", limit=10)
    assert [one.attempt for one in found] == [1] * PARTITIONS
    assert (await store.groups.ack("billing", [one.delivery_id for one in found])).settled == PARTITIONS


async def test_a_caller_who_leaves_gives_back_what_he_had_not_got(
    store: PartitionedStore, engines: list[_Failing]
) -> None:
    await _append_to_all(store)
    may_go_on = asyncio.Event()
    last = store.groups._partitions[3]
    pull, asked = last.pull, asyncio.Event()

    async def held_up(*arguments: Any, **options: Any) -> Any:
        asked.set()
        await may_go_on.wait()
        return await pull(*arguments, **options)

    last.pull = held_up  # type: ignore[method-assign]  # as a database that takes its time
    pulling = asyncio.create_task(store.groups.pull("billing", limit=10))
    await asked.wait()
    pulling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pulling
    last.pull = pull  # type: ignore[method-assign]  # as it was
    found = await store.groups.pull("billing", limit=10)
    assert [one.attempt for one in found] == [1] * PARTITIONS
