"""What a collector of OpenTelemetry gets over OTLP: read with its own messages."""

import contextlib
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

TIMEOUT_S = 300.0
T = TypeVar("T")


class Collector:
    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.metrics: dict[str, Metric] = {}
        """The last of each."""
        self.resources: list[dict[str, str]] = []

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            for traced in ExportTraceServiceRequest.FromString(body).resource_spans:
                self._note(traced.resource)
                # A sender that has not heard in time that they came sends them again.
                known = {span.span_id for span in self.spans}
                sent = (span for scope in traced.scope_spans for span in scope.spans)
                self.spans += [span for span in sent if span.span_id not in known]
        elif path == "/v1/metrics":
            for measured in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self._note(measured.resource)
                for scope in measured.scope_metrics:
                    self.metrics.update((metric.name, metric) for metric in scope.metrics)

    def _note(self, resource: Any) -> None:
        self.resources.append({one.key: one.value.string_value for one in resource.attributes})

    def named(self, name: str, trace_id: str) -> list[Span]:
        return [span for span in self.spans if span.name == name and span.trace_id.hex() == trace_id]


def until(ask: Callable[[], T]) -> T:
    """What it gives once that is something."""
    give_up_at = time.monotonic() + TIMEOUT_S
    while not (found := ask()):
        assert time.monotonic() < give_up_at, "it did not come"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def collector() -> Iterator[tuple[Collector, str]]:
    """With its URL."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.take(self.path, gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
