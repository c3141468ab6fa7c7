"""The server's metrics over OTLP: the same registry that Prometheus asks, sent now and then.

There is no second way of counting: the families that are rendered for Prometheus are put into OpenTelemetry's own
shape, and its exporter sends them from a thread. Where the collector is away, an interval is left out; sums are
cumulative, so that nothing is lost by that. Needs the packages of ``indelible[otel]``.
"""

import asyncio
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

from indelible.limits import METRICS_PUSH_INTERVAL_S
from indelible.server.config import OtelSettings
from indelible.server.metrics import Metrics
from indelible.server.otel_traces import endpoint_of

_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
_SCOPE: Final = InstrumentationScope("indelible")


class MetricsPush:
    """Sends the metrics of this process, until it is cancelled."""

    def __init__(self, settings: OtelSettings, resource: Resource, metrics: Metrics) -> None:
        self._exporter: Final = OTLPMetricExporter(endpoint_of(settings, "metrics"))
        self._resource: Final = resource
        self._metrics: Final = metrics
        self._began_ns: Final = time.time_ns()
        self._interval_s: Final = _interval_s()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            await self.send()

    async def send(self) -> None:
        families = await self._metrics.families()
        data = metrics_data(families, self._resource, self._began_ns, time.time_ns())
        # That it failed is in the log, and the next interval tells all the same.
        await _in_a_thread(lambda: self._exporter.export(data))


def _interval_s() -> float:
    asked = os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "")
    return int(asked) / 1_000 if asked.isdigit() and int(asked) else METRICS_PUSH_INTERVAL_S


async def _in_a_thread(work: Callable[[], object]) -> None:
    """Of its own, which keeps no process from ending: a collector may take its time."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def run() -> None:
        try:
            work()
        finally:
            # The loop may be gone by then.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="otel-metrics", daemon=True).start()
    await done.wait()


def metrics_data(families: Sequence[Family], resource: Resource, began_ns: int, now_ns: int) -> MetricsData:
    """In OpenTelemetry's shape."""
    metrics = [_metric(family, began_ns, now_ns) for family in families if family.samples]
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(_SCOPE, metrics, "")], "")])


def _metric(family: Family, began_ns: int, now_ns: int) -> Metric:
    data: Gauge | Sum | Histogram
    if family.type == "histogram":
        data = Histogram(list(_histograms(family, began_ns, now_ns)), _CUMULATIVE)
    elif family.type == "counter":
        data = Sum(_numbers(family, began_ns, now_ns), _CUMULATIVE, is_monotonic=True)
    else:
        data = Gauge(_numbers(family, began_ns, now_ns))
    return Metric(family.name, family.documentation, "s" if family.name.endswith("_seconds") else "", data)


def _numbers(family: Family, began_ns: int, now_ns: int) -> list[NumberDataPoint]:
    return [NumberDataPoint(sample.labels, began_ns, now_ns, sample.value) for sample in family.samples]


def _histograms(family: Family, began_ns: int, now_ns: int) -> Iterator[HistogramDataPoint]:
    series: dict[tuple[tuple[str, str], ...], list[Sample]] = defaultdict(list)
    for sample in family.samples:
        series[tuple((name, value) for name, value in sample.labels.items() if name != "le")].append(sample)
    for labels, samples in series.items():
        buckets = [sample for sample in samples if sample.name.endswith("_bucket")]
        counts = [int(sample.value) for sample in buckets]
        (total,) = (sample.value for sample in samples if sample.name.endswith("_sum"))
        yield HistogramDataPoint(
            dict(labels), began_ns, now_ns, counts[-1], total,
            [count - before for count, before in zip(counts, [0, *counts], strict=False)],
            [float(sample.labels["le"]) for sample in buckets[:-1]],
            min=None, max=None,  # type: ignore[arg-type]  # left out, as they are not known
        )  # fmt: skip
