"""Appends while the log that schemas are read from is out of reach, in whole or in part."""

import asyncio
import math
from typing import Any

import pytest

from indelible import NewEvent, Unavailable
from indelible.core.schemas import guard as guard_module
from indelible.core.schemas.guard import SchemaGuard
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import SchemaMismatch
from indelible.eventstore import AggregateAppend, AppendRequest


class AtTimes:
    """A log that may be out of reach."""

    def __init__(self, store: LocalEventStore) -> None:
        self._store = store
        self.is_away = False
        self.asked, self.goes_on = asyncio.Event(), asyncio.Event()
        self.goes_on.set()

    async def read_feed(self, *args: Any, **options: Any) -> Any:
        return await self._asked(self._store.read_feed, *args, **options)

    async def list_aggregates(self, *args: Any, **options: Any) -> Any:
        return await self._asked(self._store.list_aggregates, *args, **options)

    async def _asked(self, method: Any, *args: Any, **options: Any) -> Any:
        if self.is_away:
            raise Unavailable("the database is out of reach", retry_after_s=1)
        found = await method(*args, **options)
        self.asked.set()
        await self.goes_on.wait()
        return found


class Held(MemoryEngine):
    """Whose appends may be held before they are stored."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.free = asyncio.Event(), asyncio.Event()
        self.free.set()

    async def append(self, *args: Any, **options: Any) -> Any:
        if not self.free.is_set():
            self.reached.set()
        await self.free.wait()
        return await super().append(*args, **options)


@pytest.mark.parametrize("is_in_parts", [True, False])
async def test_once_known_schemas_hold_while_a_part_is_away(monkeypatch: pytest.MonkeyPatch, is_in_parts: bool):
    monkeypatch.setattr(guard_module, "SCHEMAS_FRESH_S", 0.0)
    async with LocalEventStore(MemoryEngine()) as store:
        await store.schemas.register("Counted", {"type": "integer"})
        log = AtTimes(store)
        guard = SchemaGuard(log, is_shared=True, is_in_parts=is_in_parts)

        async def check(event: NewEvent) -> None:
            request = AppendRequest((AggregateAppend.of("counter", "1", event),))
            await guard.check(request, lambda _: never(), atomic=False)

        log.is_away = True
        with pytest.raises(Unavailable):
            await check(NewEvent("Counted", 1))
        log.is_away = False
        await check(NewEvent("Counted", 1))
        log.is_away = True
        if is_in_parts:
            await check(NewEvent("Counted", 2))
        with pytest.raises(SchemaMismatch if is_in_parts else Unavailable):
            await check(NewEvent("Counted", "two"))
        await guard.finish()


async def never() -> bool:
    return False


# --- A change whose caller does not come to look ----------------------------------------------------------------------

SCHEMA = {"type": "object", "required": ["total"]}


async def check_enforced(store: LocalEventStore) -> None:
    with pytest.raises(SchemaMismatch):
        await store.append("order", "1", [NewEvent("Ordered", {"nothing": 1})])


async def test_a_change_counts_whose_caller_gave_up_while_it_was_stored():
    engine = Held()
    async with LocalEventStore(engine) as store:
        await store.append("order", "0", [NewEvent("Other", {})])
        engine.free.clear()
        registering = asyncio.create_task(store.schemas.register("Ordered", SCHEMA))
        await engine.reached.wait()
        registering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await registering
        # It sees nothing yet.
        await store.guard.look()
        engine.free.set()
        # Until the append has its answer, whoever appends beside it may come before or after it.
        for _ in range(100):
            await asyncio.sleep(0)
        assert (await store.head()).position == 2
        await check_enforced(store)


async def test_a_look_that_is_under_way_when_a_change_is_stored_looks_once_more():
    async with LocalEventStore(MemoryEngine()) as store:
        log = AtTimes(store)
        guard = SchemaGuard(log, is_shared=False)
        log.goes_on.clear()
        looking = asyncio.create_task(guard.look_if_old())
        await log.asked.wait()
        await store.schemas.register("Ordered", SCHEMA)
        guard.look_again()
        log.goes_on.set()
        await looking
        assert set(guard.records) == {"Ordered"}


async def test_a_change_counts_after_which_the_look_failed(monkeypatch: pytest.MonkeyPatch):
    async with LocalEventStore(MemoryEngine()) as store:
        await store.schemas.register("Ordered", {"type": "object"})
        with monkeypatch.context() as patch:
            patch.setattr(store.guard, "_log", away := AtTimes(store))
            away.is_away = True
            # The second time there is nothing to store; but it does not hold here yet.
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await store.schemas.register("Ordered", SCHEMA, compatibility="none")
        assert (await store.schemas.register("Ordered", SCHEMA, compatibility="none")).version == 2
        assert store.guard.records["Ordered"].version == 2
        await check_enforced(store)


async def test_a_part_that_is_away_keeps_no_append_back_after_a_change():
    async with LocalEventStore(MemoryEngine()) as store:
        log = AtTimes(store)
        guard = SchemaGuard(log, is_shared=False, is_in_parts=True)
        await guard.look()
        log.is_away = True
        guard.look_again()
        await guard.look_if_old()
        await guard.finish()
        assert guard._look_at < math.inf, "it looks again soon"


async def test_no_text_of_a_retired_schema_is_kept():
    async with LocalEventStore(MemoryEngine()) as store:
        await store.schemas.register("Ordered", SCHEMA)
        await store.schemas.retire("Ordered")
        assert store.guard.records["Ordered"].schema == b""
        assert [one.state for one in await store.schemas.list()] == ["retired"]
        assert (await store.schemas.get("Ordered")).schema == SCHEMA
        await store.schemas.set_compatibility("Ordered", "full")
        await store.schemas.register("Ordered", SCHEMA)
        await check_enforced(store)
