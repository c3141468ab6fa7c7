"""What the server counts, for Prometheus.

Counting happens several times a request, so it is two list operations here; prometheus-client renders what was
counted when it is asked to. One event loop counts and renders, so nothing needs a lock.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from indelible.diagnostics import BatchMeasure, GroupMeasure
from indelible.groups import GroupInfo
from indelible.server.group_metrics import GroupCounts, group_gauges

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
COUNTS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0)


class Histogram:
    """How many observations fell at or below each bound."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds: Final = tuple(bounds)
        self._counts: Final = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def buckets(self) -> list[tuple[str, float]]:
        names = [*map(str, self._bounds), "+Inf"]
        return list(zip(names, accumulate(map(float, self._counts)), strict=True))

    @property
    def sum(self) -> float:
        return self._sum


class Gauges:
    """What is looked up, and not counted, when metrics are asked for."""

    __slots__ = ("groups", "head_position", "queue_depth", "ready", "storage_size_bytes")

    def __init__(self, *, ready: bool, queue_depth: int) -> None:
        self.ready = ready
        self.queue_depth = queue_depth
        self.head_position: int | None = None
        self.storage_size_bytes: int | None = None
        self.groups: Sequence[GroupInfo] = ()


class Metrics(Collector):
    """``worker``: its number, which every sample then has as a label."""

    def __init__(self, worker: int | None = None) -> None:
        self._requests: dict[tuple[str, str, int], Histogram] = {}
        self._grpc_calls: dict[tuple[str, str], Histogram] = {}
        self._append = Histogram(SECONDS)
        self._commit = Histogram(SECONDS)
        self._batch_events = Histogram(COUNTS)
        self._batch_requests = Histogram(COUNTS)
        self._groups = GroupCounts()
        self._gauges: Gauges | None = None
        self._registry = CollectorRegistry(auto_describe=False)
        process = ProcessCollector(registry=None)
        for collector in (self, process):
            self._registry.register(collector if worker is None else _Labelled(collector, {"worker": str(worker)}))

    def on_request(self, method: str, route: str, status: int, duration_s: float) -> None:
        histogram = self._requests.get((method, route, status))
        if histogram is None:
            histogram = self._requests[method, route, status] = Histogram(SECONDS)
        histogram.observe(duration_s)

    def on_grpc_call(self, method: str, status: str, duration_s: float) -> None:
        histogram = self._grpc_calls.get((method, status))
        if histogram is None:
            histogram = self._grpc_calls[method, status] = Histogram(SECONDS)
        histogram.observe(duration_s)

    def on_append(self, duration_s: float) -> None:
        """From the moment an append is decoded until it is on stable storage, or refused."""
        self._append.observe(duration_s)

    def on_batch(self, batch: BatchMeasure) -> None:
        self._commit.observe(batch.commit_s)
        self._batch_events.observe(batch.events)
        self._batch_requests.observe(batch.requests)

    def on_group(self, group: str, measure: GroupMeasure) -> None:
        self._groups.add(group, measure)

    def render(self, gauges: Gauges) -> bytes:
        """Everything, in Prometheus' text format."""
        self._gauges = gauges
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        yield self._request_histograms()
        yield self._grpc_call_histograms()
        yield _family("indelible_append_seconds", "Time of an append in the store, in seconds.", self._append)
        yield _family("indelible_commit_seconds", "Time of one commit of a batch, in seconds.", self._commit)
        yield _family("indelible_batch_events", "Events in one commit.", self._batch_events)
        yield _family("indelible_batch_requests", "Append requests in one commit.", self._batch_requests)
        yield from self._groups.collect()
        if self._gauges is not None:
            yield from _gauges(self._gauges)
            yield from group_gauges(self._gauges.groups)

    def _request_histograms(self) -> Metric:
        family = HistogramMetricFamily(
            "indelible_http_request_seconds",
            "Time from a request's headers to the end of its answer, in seconds.",
            labels=("method", "route", "status"),
        )
        for (method, route, status), histogram in self._requests.items():
            family.add_metric((method, route, str(status)), histogram.buckets(), histogram.sum)
        return family

    def _grpc_call_histograms(self) -> Metric:
        family = HistogramMetricFamily(
            "indelible_grpc_call_seconds",
            "Time from a call's beginning to its end, in seconds.",
            labels=("method", "status"),
        )
        for labels, histogram in self._grpc_calls.items():
            family.add_metric(labels, histogram.buckets(), histogram.sum)
        return family


class _Labelled(Collector):
    """What another collector gives, with more labels."""

    def __init__(self, collector: Collector, labels: dict[str, str]) -> None:
        self._collector: Final = collector
        self._labels: Final = labels

    def collect(self) -> Iterator[Metric]:
        for family in self._collector.collect():
            family.samples = [sample._replace(labels={**self._labels, **sample.labels}) for sample in family.samples]
            yield family


def _family(name: str, documentation: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(name, documentation, buckets=histogram.buckets(), sum_value=histogram.sum)


def _gauges(gauges: Gauges) -> Iterator[Metric]:
    for name, documentation, value in (
        ("indelible_ready", "1 while the store takes appends, else 0.", gauges.ready),
        ("indelible_queue_depth", "Appends that wait for a commit.", gauges.queue_depth),
        ("indelible_head_position", "Last committed position.", gauges.head_position),
        ("indelible_storage_size_bytes", "What the store takes on disk, in bytes.", gauges.storage_size_bytes),
    ):
        if value is not None:
            yield GaugeMetricFamily(name, documentation, value=float(value))
