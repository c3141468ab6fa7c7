"""Traces over OTLP: a span for each request that is sampled, with one for what it waited in the queue and one for each
commit; and one for each page that a relay publishes, with links to the traces that its events tell of.

Spans wait in a bounded queue, which a thread sends on: where the collector is away or slow, they are dropped. Needs the
packages of ``indelible[otel]``; imported where the settings ask for it.
"""

import os
import threading
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final

import msgspec
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelApiSpan
from opentelemetry.trace import Tracer as OtelApiTracer

from indelible.eventstore import FeedPage
from indelible.limits import TRACE_LINKS_MAX
from indelible.server.call import TraceContext, trace_context
from indelible.server.config import OtelSettings
from indelible.server.tracing import is_kept
from indelible.traced import Traced

_NOWHERE: Final = Context()
"""Spans here have the parents that they are given, whatever is current."""


def resource_of(settings: OtelSettings, instance: str) -> Resource:
    """What everything that is sent is of. ``OTEL_RESOURCE_ATTRIBUTES`` may add to it."""
    name = settings.service_name or os.environ.get("OTEL_SERVICE_NAME") or "indelible"
    attributes = {SERVICE_NAME: name, SERVICE_VERSION: version("indelible"), SERVICE_INSTANCE_ID: instance}
    return Resource.create(attributes)


def endpoint_of(settings: OtelSettings, signal: str) -> str | None:
    """None: as the standard variables say."""
    return None if settings.endpoint is None else f"{settings.endpoint.rstrip('/')}/v1/{signal}"


class OtelSpan:
    """Of a request."""

    __slots__ = ("_span", "_tracer", "traced")

    def __init__(self, tracer: OtelApiTracer, span: OtelApiSpan) -> None:
        self._tracer: Final = tracer
        self._span: Final = span
        self.traced: Final = Traced(f"{span.get_span_context().trace_id:032x}", is_sampled=True)

    def end(self, name: str, attributes: dict[str, Any], code: str | None, *, is_failure: bool) -> None:
        span = self._span
        if self.traced.commits:
            self._tell_of_commits()
        span.update_name(name)
        span.set_attributes(attributes)
        if code is not None:
            span.set_attribute("error.type", code)
        if is_failure:
            span.set_status(StatusCode.ERROR)
        span.end()

    def _tell_of_commits(self) -> None:
        here = set_span_in_context(self._span, _NOWHERE)
        for commit in self.traced.commits:
            self._tracer.start_span("queue wait", here, start_time=commit.queued_ns).end(commit.begun_ns)
            size = {"indelible.batch.requests": commit.requests, "indelible.batch.events": commit.events}
            self._tracer.start_span("commit", here, start_time=commit.begun_ns, attributes=size).end(
                commit.committed_ns
            )


class OtelTracer:
    """Implements :class:`indelible.server.tracing.Tracer`. Make it once in a process; ``stop`` ends its thread."""

    def __init__(self, settings: OtelSettings, resource: Resource) -> None:
        self._provider: Final = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint_of(settings, "traces"))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer: Final = self._provider.get_tracer("indelible", version("indelible"))

    def begin(self, trace: TraceContext | None) -> OtelSpan:
        parent = _NOWHERE if trace is None else set_span_in_context(NonRecordingSpan(_context_of(trace)), _NOWHERE)
        return OtelSpan(self._tracer, self._tracer.start_span("request", parent, SpanKind.SERVER))

    def on_page(self, relay: str, page: FeedPage, began_ns: int) -> None:
        """A relay has just published it. Of a page without an event whose producer is traced there is no span."""
        links = [Link(_context_of(trace)) for trace in _traces_in(page)]
        if links:
            attributes: dict[str, str | int] = {
                "messaging.operation.type": "send",
                "messaging.batch.message_count": page.count,
                "indelible.relay": relay,
            }
            self._tracer.start_span(
                f"publish {relay}", _NOWHERE, SpanKind.PRODUCER, attributes, links, start_time=began_ns
            ).end(time.time_ns())

    def stop(self) -> threading.Thread:
        """What sends the rest, as long as it takes. It keeps no process from ending."""
        thread = threading.Thread(target=self._provider.shutdown, name="otel-stop", daemon=True)
        thread.start()
        return thread


def _context_of(trace: TraceContext) -> SpanContext:
    _, trace_id, span_id, flags = trace.traceparent.split("-")[:4]
    state = TraceState.from_header([trace.tracestate]) if trace.tracestate else None
    return SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16)), state)


# --- Traces that events tell of --------------------------------------------------------------------------------------


class _Metadata(msgspec.Struct):
    traceparent: str = ""


class _Event(msgspec.Struct):
    metadata: _Metadata


_decode: Final = msgspec.json.Decoder(_Event).decode


def _traces_in(page: FeedPage) -> list[TraceContext]:
    """Those that are kept, each once, up to a bound."""
    found: dict[str, TraceContext] = {}
    for line in page.lines.split(b"\n") if b'"traceparent"' in page.lines else ():
        for trace in _trace_of(line):
            found[trace.traceparent] = trace
        if len(found) == TRACE_LINKS_MAX:
            break
    return list(found.values())


def _trace_of(line: bytes) -> Iterator[TraceContext]:
    try:
        trace = trace_context(_decode(line).metadata.traceparent, None)
    except msgspec.ValidationError:
        # A producer may give that name to anything.
        return
    if trace is not None and is_kept(trace.traceparent):
        yield trace
