"""A call: who asks, of which store, until when, and within which trace. All that handlers of both transports work with;
what the server is made of lies behind it."""

import asyncio
import re
from collections.abc import Awaitable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, NamedTuple, TypeVar

from indelible.access import Permission, Principal
from indelible.errors import IndelibleError
from indelible.eventstore import EventStore
from indelible.operations import Operation, Parameters
from indelible.server.audit import AUDITED
from indelible.server.background import PartState
from indelible.server.callers import NO_CREDENTIALS, Authenticator, Credentials
from indelible.server.metrics import MetricsText
from indelible.server.principal_limits import Use
from indelible.server.services import BodyMemory, Services
from indelible.server.streams import RenderedPages

P = TypeVar("P", bound=Parameters)
R = TypeVar("R")


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

    __slots__ = ("_services", "_use", "authority", "credentials", "deadline", "principal", "store", "trace")

    def __init__(
        self,
        services: Services,
        *,
        principal: Principal,
        credentials: Credentials = NO_CREDENTIALS,
        deadline: float | None = None,
        trace: TraceContext | None = None,
        use: Use | None = None,
        authority: str = "",
        store: EventStore | None = None,
    ) -> None:
        self._services: Final = services
        self._use: Final = use
        self.store: Final[EventStore] = services.store_of(principal) if store is None else store
        """What the caller may use."""
        self.principal: Final = principal
        self.credentials: Final = credentials
        self.deadline: Final = deadline
        """When the caller waits no longer, on the event loop's clock, in seconds; None when it has not said."""
        self.trace: Final = trace
        self.authority: Final = authority
        """HOST:PORT that the caller called, as it says; empty where nobody asks for it."""

    def take_events(self, count: int) -> None:
        """Say so before events are appended. Raises ``RateLimited`` when the principal has had enough."""
        if self._use is not None:
            self._use.take_events(count)

    async def wait_for_events(self, count: int) -> None:
        """The same of a stream, which then waits."""
        if self._use is not None:
            await self._use.wait_for_events(count)

    def check_subscriptions(self) -> None:
        """Raises ``RateLimited`` when the principal may not have one more."""
        if self._use is not None:
            self._use.check_subscriptions()

    def subscribed(self) -> AbstractContextManager[None]:
        """Is open as long as a subscription. Raises as :meth:`check_subscriptions`."""
        return nullcontext() if self._use is None else self._use.subscribed()

    def check_all(self, permission: Permission) -> None:
        """Whether the caller has it for every aggregate type, where the store is not asked. Raises ``Forbidden``."""
        self.principal.reach(permission).check_all()

    @property
    def stopping(self) -> asyncio.Event:
        """Set when the server stops: what would go on for ever ends then."""
        return self._services.stopping

    async def ask(self, operation: Operation[P, R], asked: P) -> R:
        """Have the store do it. What administers it is told to the audit log, however it ends."""
        audit = self._services.audit
        if audit is None or operation.name not in AUDITED:
            return await operation.ask(self.store, asked)
        outcome = "outcome_unknown"
        try:
            result = await operation.ask(self.store, asked)
            outcome = "done"
        except IndelibleError as error:
            outcome = error.code
            raise
        finally:
            audit.administered(self.principal.name, self.credentials.address, operation, asked, outcome)
        return result

    def tell_export(self, operation: Operation[P, Any], asked: P) -> None:
        """Say so before a stream of the feed begins."""
        if self._services.audit is not None:
            self._services.audit.exported(self.principal.name, self.credentials.address, operation.name, asked)

    def ends(self) -> Sequence[Awaitable[object]]:
        """What ends a wait before its time: the server stops, or the caller's credentials hold no longer."""
        authenticator = self._services.authenticator
        if authenticator is None:
            return (self.stopping.wait(),)
        return (self.stopping.wait(), self._until_withdrawn(authenticator))

    async def _until_withdrawn(self, authenticator: Authenticator) -> None:
        ended = asyncio.Event()
        with authenticator.watching(self.credentials, ended.set):
            await ended.wait()

    @property
    def engine(self) -> str | None:
        """The scheme of the store's URL, where one was given."""
        return self._services.engine

    @property
    def bodies(self) -> BodyMemory:
        """What the bodies of all requests may take together."""
        return self._services.bodies

    @property
    def rendered_pages(self) -> RenderedPages:
        """Pages that all subscribers share."""
        return self._services.rendered_pages

    @property
    def metrics_text(self) -> MetricsText:
        """Of the whole server."""
        return self._services.metrics_text

    async def check_ready(self, *, verbose: bool) -> list[PartState]:
        """See :meth:`Services.check_ready`."""
        return await self._services.check_ready(verbose=verbose)
