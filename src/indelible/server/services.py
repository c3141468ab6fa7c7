"""What every handler of every transport works with."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from indelible.core.store import LocalEventStore
from indelible.errors import IndelibleError
from indelible.eventstore import AggregateAppend, AppendRequest, AppendResult, AtomicAppendResult
from indelible.server.metrics import Metrics


class Services:
    """One open store, its metrics, and whether it is fit for work. Appends go through here, to be measured."""

    __slots__ = ("metrics", "not_ready_because", "stopping", "store")

    def __init__(self, store: LocalEventStore, metrics: Metrics) -> None:
        self.store: Final = store
        self.metrics: Final = metrics
        self.not_ready_because: str | None = None
        """None while the store takes appends."""
        self.stopping: Final = asyncio.Event()
        """Set when the server stops: what would go on for ever ends then."""

    async def append(self, append: AggregateAppend) -> AppendResult:
        (outcome,) = await self.append_each((append,))
        if isinstance(outcome, IndelibleError):
            raise outcome
        return outcome

    async def append_atomic(self, request: AppendRequest) -> AtomicAppendResult:
        started = time.perf_counter()
        try:
            return await self.store.append_atomic(request.appends, condition=request.condition)
        finally:
            self.metrics.on_append(time.perf_counter() - started)

    async def append_each(self, appends: Sequence[AggregateAppend]) -> list[AppendResult | IndelibleError]:
        """One outcome an append, in their order."""
        started = time.perf_counter()
        try:
            return await self.store.append_each(appends)
        finally:
            self.metrics.on_append(time.perf_counter() - started)
