"""What every handler of every transport works with."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import Final, Protocol, TypeVar

from indelible.diagnostics import StoreDiagnostics
from indelible.errors import IndelibleError, ShuttingDown, Unavailable
from indelible.eventstore import EventStore
from indelible.limits import APPENDS_AT_ONCE_MAX, BODIES_SIZE_BYTES_MAX, RETRY_AFTER_S
from indelible.server.body_memory import BodyMemory
from indelible.server.followed_feed import RenderedPages
from indelible.server.metrics import Gauges, Metrics
from indelible.server.store_question import StoreQuestion

_T = TypeVar("_T")


class ServedStore(EventStore, StoreDiagnostics, Protocol):
    """What a server needs of the store that it serves."""


class Services:
    """One open store, what it says of itself, the server's metrics, and whether it is fit for work."""

    __slots__ = (
        "_appends",
        "_diagnostics",
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

    def __init__(self, store: EventStore, diagnostics: StoreDiagnostics, metrics: Metrics) -> None:
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
        self._diagnostics: Final = diagnostics
        self._head: Final = StoreQuestion(store.head)
        self._appends: Final = StoreQuestion(diagnostics.check_takes_appends)
        self._size: Final = StoreQuestion(diagnostics.storage_size_bytes)
        self._groups: Final = StoreQuestion(store.groups.list)

    async def check_ready(self) -> None:
        """Raises ``Unavailable``, or its kind ``ShuttingDown``, while the store takes no appends."""
        if self.not_ready_because is not None:
            raise ShuttingDown(self.not_ready_because, retry_after_s=RETRY_AFTER_S)
        # Both at once: a probe has no time for two that do not answer.
        reading, appending = await asyncio.gather(self._head.ask(), self._appends.ask(), return_exceptions=True)
        for found, what in ((reading, "the store is out of reach"), (appending, "the store takes no appends")):
            if isinstance(found, IndelibleError):
                raise Unavailable(f"{what}: {found.message}", retry_after_s=RETRY_AFTER_S) from found
            if isinstance(found, BaseException):
                raise found

    async def own_metrics_text(self) -> bytes:
        """Of this process."""
        gauges = Gauges(ready=True, queue_depth=self._diagnostics.queue_depth)
        try:
            await self.check_ready()
        except IndelibleError:
            gauges.ready = False
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


async def decoded_by_turns(appends: Iterable[_T]) -> list[_T]:
    """What an iterator makes that takes long over many appends; others on the event loop get their turns meanwhile."""
    made: list[_T] = []
    remaining = iter(appends)
    while turn := list(islice(remaining, APPENDS_AT_ONCE_MAX)):
        made += turn
        if len(turn) == APPENDS_AT_ONCE_MAX:
            await asyncio.sleep(0)
    return made
