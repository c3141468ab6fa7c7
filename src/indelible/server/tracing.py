"""What both transports tell of each request: a metric, a log line where there is reason for one, and a span where the
server traces.

Nothing of OpenTelemetry is imported here: ``server/otel_traces.py`` has the tracer, and is imported where it is asked
for. A request that nobody traces pays for one look at a context variable.
"""

import random
import time
from collections.abc import Sequence
from typing import Any, Final, Protocol

import structlog

from indelible.limits import REQUEST_LINES_PER_S_MAX, SLOW_REQUEST_S
from indelible.server.call import TraceContext
from indelible.server.metrics import Histogram
from indelible.server.services import Services
from indelible.traced import TRACED, Traced

_log: Final = structlog.get_logger(__name__)
_SAMPLED: Final = 1
"""The flag of W3C Trace Context: the caller's side keeps this trace."""


class Span(Protocol):
    """Of one request, until it ends."""

    @property
    def traced(self) -> Traced: ...

    def end(self, name: str, attributes: dict[str, Any], code: str | None, *, is_failure: bool) -> None:
        """With spans of its own for the commits that it waited for."""
        ...


class Tracer(Protocol):
    def begin(self, trace: TraceContext | None) -> Span:
        """Of a request that is sampled: ``trace`` goes on, or a new one begins."""
        ...


class Tracing:
    """Which requests are traced: those whose callers do, and of all others as many as ``sample_ratio`` says."""

    def __init__(self, tracer: Tracer, sample_ratio: float) -> None:
        self._tracer: Final = tracer
        self._sample_ratio: Final = sample_ratio

    def begin(self, trace: TraceContext | None) -> Span | None:
        is_sampled = random.random() < self._sample_ratio if trace is None else is_kept(trace.traceparent)  # noqa: S311 - no secret
        return self._tracer.begin(trace) if is_sampled else None


def is_kept(traceparent: str) -> bool:
    """Whether whoever began the trace keeps it."""
    return bool(int(traceparent[53:55], 16) & _SAMPLED)


class Begun:
    """A request that is under way."""

    __slots__ = ("span", "started")

    def __init__(self, span: Span | None) -> None:
        self.span: Final = span
        self.started: Final = time.perf_counter()


class RequestWatch:
    """Of one transport. ``attributes`` are the names that spans have for the histogram's labels."""

    def __init__(self, services: Services, transport: str, histogram: Histogram, attributes: Sequence[str]) -> None:
        self._services: Final = services
        self._transport: Final = transport
        self._times: Final = histogram
        self._attributes: Final = attributes
        self._ration: Final = Ration(REQUEST_LINES_PER_S_MAX)

    def begin(self, trace: TraceContext | None) -> Begun:
        """Call it in the request's own task."""
        tracing = self._services.tracing
        span = None if tracing is None else tracing.begin(trace)
        if span is not None:
            TRACED.set(span.traced)
        elif trace is not None:
            TRACED.set(Traced(trace.traceparent[3:35], is_sampled=False))
        elif TRACED.get() is not None:
            # Of the request before it on the same connection, whose task began this one.
            TRACED.set(None)
        return Begun(span)

    def end(
        self, begun: Begun, name: str, *labels: Any, code: str | None = None, is_failure: bool, may_wait: bool
    ) -> None:
        """``labels``: the histogram's. ``code``: of the error that was answered. ``may_wait``: whether the request may
        take long because it was asked to."""
        took_s = time.perf_counter() - begun.started
        span = begun.span
        self._times.observe(took_s, *labels, trace_id=None if span is None else span.traced.trace_id)
        if code is not None:
            self._services.request_errors.add(self._transport, code)
        is_slow = took_s > SLOW_REQUEST_S and not may_wait
        if is_failure or is_slow or self._services.access_log:
            self._tell(name, labels, code, took_s, is_failure=is_failure, is_slow=is_slow)
        if span is not None:
            span.end(name, dict(zip(self._attributes, labels, strict=True)), code, is_failure=is_failure)

    def _tell(
        self, name: str, labels: Sequence[Any], code: str | None, took_s: float, *, is_failure: bool, is_slow: bool
    ) -> None:
        """Names of operations and errors alone: what callers wrote may be events, or secrets."""
        fields: dict[str, Any] = {"api": self._transport, "request": name, "status": labels[-1]}
        if code is not None:
            fields["code"] = code
        fields["duration_ms"] = round(took_s * 1_000, 1)
        if not is_failure and not is_slow:
            _log.info("request", **fields)
        elif (left_out := self._ration.take()) is not None:
            if left_out:
                fields["left_out"] = left_out
            _log.warning("failed request" if is_failure else "slow request", **fields)


class Ration:
    """So many a second."""

    def __init__(self, per_s: int) -> None:
        self._per_s: Final = per_s
        self._second = 0
        self._taken = 0
        self._left_out = 0

    def take(self) -> int | None:
        """None where there are no more in this second; else how many were left out since the last."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._taken = second, 0
        if self._taken >= self._per_s:
            self._left_out += 1
            return None
        self._taken += 1
        left_out, self._left_out = self._left_out, 0
        return left_out
