"""What every handler of every transport works with."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from indelible.core.store import LocalEventStore
from indelible.errors import IndelibleError, ShuttingDown, Unavailable
from indelible.eventstore import AggregateAppend, AppendRequest, AppendResult, AtomicAppendResult
from indelible.limits import BODIES_SIZE_BYTES_MAX, RETRY_AFTER_S
from indelible.server.body_memory import BodyMemory
from indelible.server.followed_feed import RenderedPages
from indelible.server.metrics import Gauges, Metrics
from indelible.server.store_question import StoreQuestion


class Services:
    """One open store, its metrics, and whether it is fit for work. Appends go through here, to be measured."""

    __slots__ = (
        "_groups",
        "_head",
        "_size",
        "bodies",
        "metrics",
        "metrics_text",
        "not_ready_because",
        "rendered_pages",
        "stopping",
        "store",
    )

    def __init__(self, store: LocalEventStore, metrics: Metrics) -> None:
        self.store: Final = store
        self.metrics: Final = metrics
        self.bodies: Final = BodyMemory(BODIES_SIZE_BYTES_MAX)
        self.rendered_pages: Final = RenderedPages()
        self.metrics_text: Callable[[], Awaitable[bytes]] = self.own_metrics_text
        """Of the whole server, in Prometheus' text format; a server of several workers puts in that of all."""
        self.not_ready_because: str | None = None
        """None until the server stops."""
        self.stopping: Final = asyncio.Event()
        """Set when the server stops: what would go on for ever ends then."""
        self._head: Final = StoreQuestion(store.head)
        self._size: Final = StoreQuestion(store.storage_size_bytes)
        self._groups: Final = StoreQuestion(store.list_groups)

    async def check_ready(self) -> None:
        """Raises ``Unavailable``, or its kind ``ShuttingDown``, while the store takes no appends."""
        if self.not_ready_because is not None:
            raise ShuttingDown(self.not_ready_because, retry_after_s=RETRY_AFTER_S)
        try:
            await self._head.ask()
        except IndelibleError as error:
            raise Unavailable(f"the store is out of reach: {error.message}", retry_after_s=RETRY_AFTER_S) from error

    async def own_metrics_text(self) -> bytes:
        """Of this process."""
        gauges = Gauges(ready=self.not_ready_because is None, queue_depth=self.store.queue_depth)
        try:
            gauges.head_position = (await self._head.ask()).position
            gauges.storage_size_bytes = await self._size.ask()
        except IndelibleError:
            # A store that has failed cannot say; what was counted is worth the more then.
            gauges.ready = False
        else:
            # A store with much to add up may take longer than this waits; it is ready all the same.
            with contextlib.suppress(IndelibleError):
                gauges.groups = await self._groups.ask()
        return self.metrics.render(gauges)

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
