"""What the server counts, for Prometheus: one registry, which its parts add to.

Counting happens several times a request, so it is two list operations here; prometheus-client renders what was
counted when it is asked to. One event loop counts and renders, so nothing needs a lock.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, Protocol, get_args

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from indelible.diagnostics import COMMIT_BOUNDS_S, BatchMeasure, CommitCounts, GroupMeasure, StorageState
from indelible.groups import GroupInfo
from indelible.limits import GROUPS_MAX
from indelible.relay_state import RelayInfo, RelayState
from indelible.traced import trace_id

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
COUNTS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0)

Source = Callable[[], Iterable[Metric] | Awaitable[Iterable[Metric]]]
"""Gives families of metrics as they are now. Must not take long, nor raise."""


class MetricsText(Protocol):
    """Gives what is counted in Prometheus' text format; or in that of OpenMetrics, which has exemplars as well."""

    def __call__(self, *, is_openmetrics: bool = False) -> Awaitable[bytes]: ...


class Metrics:
    """The registry. ``worker``: its number, which every sample then has as a label."""

    def __init__(self, worker: int | None = None) -> None:
        self._labels: Final = {} if worker is None else {"worker": str(worker)}
        self._sources: Final[list[Source]] = []
        self.add(ProcessCollector(registry=None).collect)

    def add(self, source: Source) -> None:
        self._sources.append(source)

    def histogram(self, name: str, documentation: str, *labels: str, bounds: Sequence[float] = SECONDS) -> "Histogram":
        """A new one, which is rendered from now on."""
        histogram = Histogram(name, documentation, labels, bounds)
        self.add(histogram.collect)
        return histogram

    async def text(self, *, is_openmetrics: bool = False) -> bytes:
        """Everything of this process; see :class:`MetricsText`."""
        families = _Families(await self.families())
        if not is_openmetrics:
            return generate_latest(families)
        text: bytes = openmetrics.generate_latest(families)  # type: ignore[no-untyped-call]  # it has no types
        return text

    async def families(self) -> list[Metric]:
        """Everything of this process."""
        families: list[Metric] = []
        for source in self._sources:
            found = source()
            families += await found if isinstance(found, Awaitable) else found
        for family in families if self._labels else ():
            family.samples = [sample._replace(labels={**self._labels, **sample.labels}) for sample in family.samples]
        return families


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families: Final = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class _Series:
    __slots__ = ("counts", "exemplars", "sum")

    def __init__(self, length: int) -> None:
        self.counts: Final = [0] * length
        self.sum = 0.0
        self.exemplars: Final[dict[int, Exemplar]] = {}
        """By bucket: the last observation of a trace that is kept."""


class Histogram:
    """How many observations fell at or below each bound; for each combination of its labels' values."""

    __slots__ = ("_bounds", "_documentation", "_labels", "_name", "_series")

    def __init__(self, name: str, documentation: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self._name: Final = name
        self._documentation: Final = documentation
        self._labels: Final = labels
        self._bounds: Final = tuple(bounds)
        self._series: Final[dict[tuple[object, ...], _Series]] = {} if labels else {(): self._empty()}

    def _empty(self) -> _Series:
        return _Series(len(self._bounds) + 1)

    def observe(self, value: float, *labels: object, trace_id: str | None = None) -> None:
        """``trace_id``: of a trace that is kept, as an example of such a value."""
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = self._empty()
        bucket = bisect_left(self._bounds, value)
        series.counts[bucket] += 1
        series.sum += value
        if trace_id is not None:
            series.exemplars[bucket] = Exemplar({"trace_id": trace_id}, value, time.time())

    def collect(self) -> Iterator[Metric]:
        names = [*map(str, self._bounds), "+Inf"]
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, series in self._series.items():
            counts = zip(names, accumulate(map(float, series.counts)), strict=True)
            buckets = [(*one, series.exemplars[at]) if at in series.exemplars else one for at, one in enumerate(counts)]
            family.add_metric(tuple(map(str, labels)), buckets, series.sum)
        yield family


class ErrorCounts:
    """Requests that ended in an error, by the API and the error's code."""

    def __init__(self, metrics: Metrics) -> None:
        self._counts: Final[Counter[tuple[str, str]]] = Counter()
        metrics.add(self._collect)

    def add(self, api: str, code: str) -> None:
        self._counts[api, code] += 1

    def _collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "indelible_request_errors", "Requests that ended in an error.", labels=("api", "code")
        )
        for labels, count in self._counts.items():
            family.add_metric(labels, count)
        yield family


# --- Of the store ----------------------------------------------------------------------------------------------------


class StoreMetrics:
    """Measures of a store's work; ``on_`` methods are its hooks."""

    def __init__(self, registry: Metrics) -> None:
        self.registry: Final = registry
        self._append: Final = registry.histogram(
            "indelible_append_seconds", "Time of an append in the store, in seconds."
        )
        self._commit: Final = registry.histogram(
            "indelible_commit_seconds", "Time of one commit of a batch, in seconds."
        )
        self._events: Final = registry.histogram("indelible_batch_events", "Events in one commit.", bounds=COUNTS)
        self._requests: Final = registry.histogram(
            "indelible_batch_requests", "Append requests in one commit.", bounds=COUNTS
        )
        self._outcomes: Final[Counter[str]] = Counter()
        registry.add(self._collect_outcomes)
        self._groups: Final = GroupCounts()
        registry.add(self._groups.collect)

    def on_appends(self, duration_s: float, outcomes: dict[str, int]) -> None:
        """From the moment that appends are decoded until they are on stable storage, or refused."""
        self._append.observe(duration_s, trace_id=trace_id())
        self._outcomes.update(outcomes)

    def _collect_outcomes(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "indelible_append_outcomes", "Appends by what became of them: stored, or the error's code.",
            labels=("outcome",),
        )  # fmt: skip
        for outcome, count in self._outcomes.items():
            family.add_metric((outcome,), count)
        yield family

    def on_batch(self, batch: BatchMeasure) -> None:
        self._commit.observe(batch.commit_s)
        self._events.observe(batch.events)
        self._requests.observe(batch.requests)

    def on_group(self, group: str, measure: GroupMeasure) -> None:
        self._groups.add(group, measure)


_COUNTERS: Final = (
    ("acks", "indelible_group_acks", "Deliveries that were acknowledged."),
    ("nacks", "indelible_group_nacks", "Deliveries that were refused."),
    ("timeouts", "indelible_group_timeouts", "Deliveries that were not acknowledged in time."),
    ("parked", "indelible_group_given_up", "Events that were parked, those that follow them aside."),
    ("damage", "indelible_group_corrupted", "Events that were parked because the store cannot read them."),
)
_GAUGES: Final = (
    ("lag", "indelible_group_lag", "Positions from the checkpoint to the head."),
    ("in_flight", "indelible_group_in_flight", "Events that are with members."),
    ("waiting", "indelible_group_waiting", "Aggregates with an event that was read and is to be delivered."),
    ("parked", "indelible_group_parked", "Events that are parked, those that follow them included."),
    ("parked_aggregates", "indelible_group_parked_aggregates", "Aggregates with a parked event."),
    ("unreadable", "indelible_group_unreadable", "Parked aggregates whose event the store cannot read."),
    ("is_stalled", "indelible_group_stalled", "1 while nothing more is delivered for what is parked, else 0."),
)


class GroupCounts:
    """What this process did for each group since it started."""

    def __init__(self, groups_max: int = GROUPS_MAX) -> None:
        self._groups_max: Final = groups_max
        self._of_group: Final[dict[str, Counter[str]]] = {}
        """The one that something happened to last stands last."""

    def add(self, group: str, measure: GroupMeasure) -> None:
        counted = self._of_group.pop(group, None) or Counter[str]()
        for name in GroupMeasure.__struct_fields__:
            value = getattr(measure, name)
            # A delivery that reached nobody is taken back, and a counter must never fall.
            counted[name] += len(value) if isinstance(value, list) else max(value, 0)
        self._of_group[group] = counted
        if len(self._of_group) > self._groups_max:
            # Where there are more than a store can hold, some are deleted, and nothing happens to those.
            del self._of_group[next(iter(self._of_group))]

    def collect(self) -> Iterator[Metric]:
        deliveries = CounterMetricFamily(
            "indelible_group_deliveries",
            "Events handed to members: for the first time, or again.",
            labels=("group", "attempt"),
        )
        for group, counted in self._of_group.items():
            deliveries.add_metric((group, "first"), counted["deliveries"] - counted["redeliveries"])
            deliveries.add_metric((group, "again"), counted["redeliveries"])
        yield deliveries
        for field, name, documentation in _COUNTERS:
            family = CounterMetricFamily(name, documentation, labels=("group",))
            for group, counted in self._of_group.items():
                family.add_metric((group,), counted[field])
            yield family


def gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=float(value))


def storage_metrics(storage: StorageState) -> Iterator[Metric]:
    """How far the index is behind the log, and how much is written ahead of both."""
    yield gauge(
        "indelible_index_lag_events", "Stored events that the index does not have yet.", storage.index_lag_events
    )
    yield gauge("indelible_index_lag_seconds", "How long the index has not had the first of them.", storage.index_lag_s)
    yield gauge("indelible_index_failing", "1 while the index cannot be written, else 0.", bool(storage.index_trouble))
    yield CounterMetricFamily(
        "indelible_index_rebuilds", "How often the index was made anew, or that was tried.", storage.index_rebuilds
    )
    wal = GaugeMetricFamily("indelible_wal_size_bytes", "Size of the write-ahead logs.", labels=("file",))
    wal.add_metric(("log",), float(storage.log_wal_size_bytes))
    wal.add_metric(("index",), float(storage.index_wal_size_bytes))
    yield wal
    yield gauge(
        "indelible_disk_free_bytes", "Free space of the file system that the store is in.", storage.disk_free_bytes
    )
    yield gauge("indelible_disk_size_bytes", "Size of that file system.", storage.disk_size_bytes)


_COMMITS: Final = (
    ("events", "indelible_partition_committed_events", "Events in commits that took effect."),
    ("lost", "indelible_partition_commits_lost", "Commits before which another server had moved the end of the log."),
    ("repeats", "indelible_partition_commit_repeats", "How often a commit was sent again."),
    ("unknown", "indelible_partition_commits_unknown", "Commits whose answer was lost, so that it was looked for."),
)


def commit_metrics(counts: Sequence[CommitCounts]) -> Iterator[Metric]:
    """Of each partition, by its number from 0; none where nobody counts them."""
    if not counts:
        return
    times = HistogramMetricFamily(
        "indelible_partition_commit_seconds",
        "Time of commits that took effect, from when they were first sent until that was known.",
        labels=("partition",),
    )
    bounds = [*map(str, COMMIT_BOUNDS_S), "+Inf"]
    for number, one in enumerate(counts):
        times.add_metric((str(number),), list(zip(bounds, accumulate(one.within), strict=True)), one.commit_s)
    yield times
    for field, name, documentation in _COMMITS:
        family = CounterMetricFamily(name, documentation, labels=("partition",))
        for number, one in enumerate(counts):
            family.add_metric((str(number),), float(getattr(one, field)))
        yield family


def writable_gauges(troubles: Sequence[str | None]) -> Iterator[Metric]:
    """Of each partition of a store of several."""
    if troubles:
        family = GaugeMetricFamily(
            "indelible_partition_writable", "1 while the partition takes appends, else 0.", labels=("partition",)
        )
        for number, trouble in enumerate(troubles):
            family.add_metric((str(number),), float(trouble is None))
        yield family


def group_gauges(groups: Iterable[GroupInfo]) -> Iterator[Metric]:
    """How far each group has come. The store says so, hence every server and worker says the same."""
    for field, name, documentation in _GAUGES:
        family = GaugeMetricFamily(name, documentation, labels=("group",))
        for info in groups:
            family.add_metric((info.group,), float(getattr(info, field)))
        yield family


def relay_metrics(relays: Iterable[RelayInfo]) -> Iterator[Metric]:
    """How far each relay has come, and what it does. The store says so too."""
    lag = GaugeMetricFamily(
        "indelible_relay_lag_events", "Positions from the checkpoint to the head.", labels=("relay",)
    )
    lag_s = GaugeMetricFamily(
        "indelible_relay_lag_seconds", "Age of the oldest event after the checkpoint.", labels=("relay",)
    )
    published = CounterMetricFamily("indelible_relay_published", "Events that were published.", labels=("relay",))
    state = GaugeMetricFamily(
        "indelible_relay_state", "1 for what the relay does, 0 for what it does not.", labels=("relay", "state")
    )
    set_aside = GaugeMetricFamily(
        "indelible_relay_set_aside", "Events that the broker refused, and nobody has decided about.", labels=("relay",)
    )
    for info in relays:
        set_aside.add_metric((info.relay,), info.set_aside)
        lag.add_metric((info.relay,), info.lag)
        lag_s.add_metric((info.relay,), info.lag_s)
        published.add_metric((info.relay,), info.published)
        for name in get_args(RelayState):
            state.add_metric((info.relay, name), float(info.state == name))
    yield from (lag, lag_s, published, state, set_aside)


def verify_metrics(*, is_damaged: bool, failures: int, position: int, age_s: float, every_s: float) -> Iterator[Metric]:
    """Of a server that verifies its log."""
    yield CounterMetricFamily(
        "indelible_verify_failures", "How often the log was found to be damaged, in this process.", value=failures
    )
    yield gauge("indelible_verify_damaged", "1 where it was when it was verified last, else 0.", is_damaged)
    yield gauge("indelible_verify_position", "How far the log is verified in this round, or was in the last.", position)
    yield gauge(
        "indelible_verify_age_seconds", "Since the log was found to be sound, or the server has started.", age_s
    )
    yield gauge("indelible_verify_interval_seconds", "How often the log is to be verified.", every_s)
