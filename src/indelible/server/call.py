"""A call: who asks, of which store, until when, and within which trace. All that handlers of both transports work with;
what the server is made of lies behind it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import msgspec

from indelible.eventstore import EventStore
from indelible.server.background import PartState
from indelible.server.services import BodyMemory, Services
from indelible.server.streams import RenderedPages


class Principal(msgspec.Struct, frozen=True):
    """Who asks."""

    name: str


ANONYMOUS: Final = Principal("anonymous")
"""Whoever asks: nobody has to say who it is."""


class TraceContext(NamedTuple):
    """What the caller said of the trace that the call is part of (W3C Trace Context), as it came. It is for logs and
    spans, and never enters an event."""

    traceparent: str
    tracestate: str = ""


_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


def trace_context(traceparent: bytes | str | None, tracestate: bytes | str | None) -> TraceContext | None:
    """None where the caller said nothing, or nothing that can be understood."""
    if traceparent is None:
        return None
    parent = traceparent if isinstance(traceparent, str) else traceparent.decode("latin-1")
    if not _TRACEPARENT.fullmatch(parent):
        return None
    state = tracestate or ""
    return TraceContext(parent, state if isinstance(state, str) else state.decode("latin-1"))


class Call:
    """One call of one caller."""

    __slots__ = ("_services", "deadline", "principal", "store", "trace")

    def __init__(
        self,
        services: Services,
        *,
        principal: Principal = ANONYMOUS,
        deadline: float | None = None,
        trace: TraceContext | None = None,
    ) -> None:
        self._services: Final = services
        self.store: Final[EventStore] = services.store
        """What the caller may use."""
        self.principal: Final = principal
        self.deadline: Final = deadline
        """When the caller waits no longer, on the event loop's clock, in seconds; None when it has not said."""
        self.trace: Final = trace

    @property
    def stopping(self) -> asyncio.Event:
        """Set when the server stops: what would go on for ever ends then."""
        return self._services.stopping

    @property
    def bodies(self) -> BodyMemory:
        """What the bodies of all requests may take together."""
        return self._services.bodies

    @property
    def rendered_pages(self) -> RenderedPages:
        """Pages that all subscribers share."""
        return self._services.rendered_pages

    @property
    def metrics_text(self) -> Callable[[], Awaitable[bytes]]:
        """Of the whole server, in Prometheus' text format."""
        return self._services.metrics_text

    async def check_ready(self, *, verbose: bool) -> list[PartState]:
        """See :meth:`Services.check_ready`."""
        return await self._services.check_ready(verbose=verbose)
