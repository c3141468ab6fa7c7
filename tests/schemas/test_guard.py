"""Appends while the log that schemas are read from is out of reach, in whole or in part."""

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

    async def read_feed(self, *args: Any, **options: Any) -> Any:
        return await self._asked(self._store.read_feed, *args, **options)

    async def list_aggregates(self, *args: Any, **options: Any) -> Any:
        return await self._asked(self._store.list_aggregates, *args, **options)

    async def _asked(self, method: Any, *args: Any, **options: Any) -> Any:
        if self.is_away:
            raise Unavailable("the database is out of reach", retry_after_s=1)
        return await method(*args, **options)


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
