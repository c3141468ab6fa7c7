"""A store that measures the appends to another."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, AppendOutcome, AppendResult, AtomicAppendResult, EventStore
from indelible.store_around import StoreAround


class MeasuredStore(StoreAround):
    """Tells how long each append takes, whatever becomes of it, in seconds."""

    def __init__(self, inner: EventStore, on_append: Callable[[float], None]) -> None:
        super().__init__(inner)
        self._on_append: Final = on_append

    async def append(
        self,
        aggregate_type: str,
        aggregate_id: str,
        events: Sequence[NewEvent],
        *,
        expected_version: ExpectedVersion = "any",
    ) -> AppendResult:
        started = time.perf_counter()
        try:
            return await self.inner.append(aggregate_type, aggregate_id, events, expected_version=expected_version)
        finally:
            self._on_append(time.perf_counter() - started)

    async def append_each(self, appends: Sequence[AggregateAppend]) -> list[AppendOutcome]:
        started = time.perf_counter()
        try:
            return await self.inner.append_each(appends)
        finally:
            self._on_append(time.perf_counter() - started)

    async def append_atomic(
        self, appends: Sequence[AggregateAppend], *, condition: AppendCondition | None = None
    ) -> AtomicAppendResult:
        started = time.perf_counter()
        try:
            return await self.inner.append_atomic(appends, condition=condition)
        finally:
            self._on_append(time.perf_counter() - started)
