"""What becomes of a consumer group over several partitions when one of them fails, or a caller leaves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, cast

import pytest

from indelible.core.consumer_groups import LocalConsumerGroups
from indelible.core.partitions.groups import PartitionedGroups
from indelible.core.partitions.store import PartitionedStore
from indelible.core.store import LocalEventStore
from indelible.cursors import Cursor
from indelible.engines.memory import MemoryEngine
from indelible.errors import GroupExists, GroupNotFound, InvalidRequest, OutcomeUnknown, Unavailable
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

    async def create_group(self, group: Any, *, groups_max: int) -> bool:
        self._check()
        return await super().create_group(group, groups_max=groups_max)

    async def delete_group(self, name: str, *, created_us: int | None = None) -> bool:
        self._check()
        return await super().delete_group(name, created_us=created_us)

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


# --- Several servers -------------------------------------------------------------------------------------------------


class _Slow:
    """One partition's groups as another server asks them: each question waits for its turn."""

    def __init__(self, groups: LocalConsumerGroups, turn: Callable[[], Awaitable[None]]) -> None:
        self._groups = groups
        self._turn = turn

    def __getattr__(self, name: str) -> Any:
        ask = getattr(self._groups, name)

        async def asked(*arguments: Any, **options: Any) -> Any:
            await self._turn()
            answer = await ask(*arguments, **options)
            await self._turn()
            return answer

        return asked


class _Server:
    """Does as many steps as it is told to."""

    def __init__(self, store: PartitionedStore) -> None:
        self._steps = asyncio.Semaphore(0)
        self.groups = PartitionedGroups(
            cast("Sequence[LocalConsumerGroups]", [_Slow(one.groups, self._turn) for one in store.partitions])
        )

    async def _turn(self) -> None:
        await self._steps.acquire()

    async def go(self, steps: int) -> None:
        for _ in range(steps):
            self._steps.release()
            for _ in range(20):
                await asyncio.sleep(0)


async def _pull_all(store: PartitionedStore, group: str) -> int:
    count = 0
    while pulled := await store.groups.pull(group, limit=100):
        await store.groups.ack(group, [one.delivery_id for one in pulled])
        count += len(pulled)
    return count


@pytest.mark.parametrize("steps", range(30))
async def test_a_group_that_two_servers_make_at_once_loses_nothing(store: PartitionedStore, steps: int) -> None:
    """However far one of them has come when the other has made it, and events are stored."""
    slow = _Server(store)
    making = asyncio.create_task(slow.groups.create("shipping", start="end"))
    await slow.go(steps)
    made = await store.groups.create("shipping", start="end")
    await _append_to_all(store)
    await slow.go(200)
    assert (await making).is_new is not made.is_new
    assert await _pull_all(store, "shipping") == PARTITIONS


@pytest.mark.parametrize("steps", range(0, 40, 2))
async def test_a_group_that_is_deleted_while_it_is_made_is_there_or_not(store: PartitionedStore, steps: int) -> None:
    slow = _Server(store)
    making = asyncio.create_task(slow.groups.create("shipping", start="end"))
    await slow.go(steps)
    with contextlib.suppress(GroupNotFound):
        await store.groups.delete("shipping")
    await slow.go(200)
    with contextlib.suppress(Unavailable, GroupNotFound):
        await making
    found = [[one.group for one in await part.groups.list()] for part in store.partitions]
    assert found in ([["billing"]] * PARTITIONS, [["billing", "shipping"]] * PARTITIONS)


@pytest.mark.parametrize("steps", range(30))
async def test_what_deletes_an_old_group_leaves_the_new_one(
    store: PartitionedStore, engines: list[_Failing], steps: int
) -> None:
    """The delete was interrupted, and is repeated while others make the group anew."""
    engines[1].is_away = True
    with pytest.raises(OutcomeUnknown):
        await store.groups.delete("billing")
    engines[1].is_away = False
    slow = _Server(store)
    deleting = asyncio.create_task(slow.groups.delete("billing"))
    await slow.go(steps)
    with contextlib.suppress(GroupNotFound):
        await store.groups.create("billing", start="end")
    was_first = deleting.done()
    await _append_to_all(store)
    await slow.go(200)
    is_deleted = await asyncio.gather(deleting, return_exceptions=True) == [None]
    if was_first or not is_deleted:
        assert await _pull_all(store, "billing") == PARTITIONS
    else:
        assert await store.groups.list() == ()


# --- What is refused, and what fails half way ------------------------------------------------------------------------


async def test_a_place_that_one_partition_refuses_changes_none(store: PartitionedStore) -> None:
    await _append_to_all(store)
    before = await store.groups.get("billing")
    beyond = Cursor("~2~2~2~99")
    for refused in (store.groups.reset("billing", after=beyond), store.groups.create("shipping", after=beyond)):
        with pytest.raises(InvalidRequest) as caught:
            await refused
        assert caught.value.pointer == "/after"
    with pytest.raises(InvalidRequest):
        await store.groups.create("shipping", after=Cursor("~99~2~2~2"))
    assert await store.groups.get("billing") == before
    assert [[one.group for one in await part.groups.list()] for part in store.partitions] == [["billing"]] * PARTITIONS


_CHANGES: dict[str, Callable[[PartitionedGroups], Awaitable[Any]]] = {
    "create": lambda groups: groups.create("shipping"),
    "change": lambda groups: groups.change("billing", max_attempts=9),
    "reset": lambda groups: groups.reset("billing", start="beginning"),
    "delete": lambda groups: groups.delete("billing"),
}


@pytest.mark.parametrize("name", _CHANGES)
async def test_a_change_that_not_all_partitions_have_made(
    store: PartitionedStore, engines: list[_Failing], name: str
) -> None:
    """It is not said that nothing was done; and done again it is whole."""
    change = _CHANGES[name]
    engines[0].is_away = True
    with pytest.raises(Unavailable):
        await change(store.groups)
    engines[0].is_away, engines[2].is_away = False, True
    with pytest.raises(OutcomeUnknown):
        await change(store.groups)
    engines[2].is_away = False
    with contextlib.suppress(GroupNotFound):
        await change(store.groups)
    infos = [await part.groups.list() for part in store.partitions]
    assert len({(one.group, one.max_attempts, one.created) for some in infos for one in some}) == len(infos[0])
    assert all(len(some) == len(infos[0]) for some in infos)


async def test_a_group_that_is_not_whole_is_none_yet(store: PartitionedStore, engines: list[_Failing]) -> None:
    await _append_to_all(store)
    engines[2].is_away = True
    with pytest.raises(OutcomeUnknown):
        await store.groups.create("shipping", max_attempts=7)
    engines[2].is_away = False
    assert [one.group for one in await store.groups.list()] == ["billing"]
    for asked in (store.groups.get("shipping"), store.groups.pull("shipping", limit=100)):
        with pytest.raises(GroupNotFound):
            await asked
    with pytest.raises(GroupExists):
        await store.groups.create("shipping")
    await store.groups.create("shipping", max_attempts=7)
    pulled = await store.groups.pull("shipping", limit=100)
    assert [one.attempt for one in pulled] == [1] * PARTITIONS
