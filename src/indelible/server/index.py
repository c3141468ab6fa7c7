"""The query index of a server's configuration: the store that searches it, and the part that keeps it up to date."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from indelible.errors import IndelibleError, InvalidRequest
from indelible.eventstore import MeasuringStore
from indelible.index_state import GenerationInfo, IndexInfo
from indelible.indexes.indexer import Indexer
from indelible.indexes.makers import default_index_url, make_index
from indelible.indexes.opened import OpenedIndex
from indelible.indexes.searching import SearchingStore
from indelible.server.background import Part
from indelible.server.config import IndexSettings, Settings
from indelible.server.metrics import Metrics
from indelible.server.services import StoreQuestion
from indelible.store_urls import scheme_of


def index_url(settings: Settings, index: IndexSettings) -> str:
    """Where the index is kept. Raises ``InvalidRequest`` where that has to be said, and is not."""
    url = default_index_url(settings.store) if index.store is None else index.store
    if url is None:
        raise InvalidRequest(
            "index.store: must be given for this store, such as sqlite:data/search.db", pointer="/index/store"
        )
    if scheme_of(url) == "memory" and settings.workers > 1:
        raise InvalidRequest(
            "index.store: memory: belongs to one process, and there are several workers", pointer="/index/store"
        )
    return url


def check_index(settings: Settings) -> None:
    """Raises ``InvalidRequest`` for what no index can be made of, before anything is opened."""
    if settings.index is None:
        return
    try:
        make_index(index_url(settings, settings.index))
    except InvalidRequest as error:
        raise InvalidRequest(error.message, pointer=error.pointer or "/index/store") from None


class ServerIndex:
    """One index, in this process. ``indexes_here``: of several workers, one keeps it up to date."""

    def __init__(self, settings: Settings, index: IndexSettings, store: MeasuringStore, *, indexes_here: bool) -> None:
        self._index: Final = OpenedIndex(make_index(index_url(settings, index)))
        self._indexer: Final = Indexer(store, self._index, index.fields) if indexes_here else None
        self._on_search: Callable[[float], None] | None = None
        self.store: Final = SearchingStore(
            store, self._index, index.fields, indexer=self._indexer, on_search=self._hear_of_search
        )
        self.close: Final = self._index.close

    def _hear_of_search(self, duration_s: float) -> None:
        if self._on_search is not None:
            self._on_search(duration_s)

    def parts(self) -> Sequence[Part]:
        """Not vital: appends and reads have nothing to do with it."""
        indexer = self._indexer
        return [] if indexer is None else [Part("query index", indexer.run, why_not_ready=lambda: indexer.problem)]

    def add_metrics(self, metrics: Metrics) -> None:
        histogram = metrics.histogram(
            "indelible_search_duration_seconds", "Of a search in the query index, and of reading what it found."
        )
        self._on_search = histogram.observe
        status = StoreQuestion(self.store.index.status)

        async def gauges() -> Sequence[Metric]:
            try:
                return list(_index_metrics(await status.ask()))
            except IndelibleError:
                # An index that is out of reach cannot say.
                return []

        metrics.add(gauges)
        if self._indexer is not None:
            metrics.add(lambda: _indexer_metrics(self._indexer))


def _indexer_metrics(indexer: Indexer | None) -> Iterator[Metric]:
    if indexer is None:
        return
    yield CounterMetricFamily(
        "indelible_search_indexed", "Events that were indexed, in this process.", value=indexer.indexed
    )
    yield CounterMetricFamily(
        "indelible_search_index_errors", "How often indexing was interrupted, in this process.", value=indexer.errors
    )
    rejected = sum(map(len, indexer.rejected.values()))
    yield GaugeMetricFamily("indelible_search_index_rejected", "Events that the index refused.", value=float(rejected))
    yield GaugeMetricFamily(
        "indelible_search_index_failing", "1 while indexing does not go on, else 0.", value=float(bool(indexer.problem))
    )


def _index_metrics(info: IndexInfo) -> Iterator[Metric]:
    """How far the index has come. Every server and worker says the same."""
    lag = GaugeMetricFamily(
        "indelible_search_index_lag_events", "Positions from the index to the head.", labels=("generation",)
    )
    lag_s = GaugeMetricFamily(
        "indelible_search_index_lag_seconds", "Age of the oldest event that is not indexed.", labels=("generation",)
    )
    documents = GaugeMetricFamily("indelible_search_index_documents", "Events in the index.", labels=("generation",))
    generations: dict[str, GenerationInfo | None] = {"serving": info.serving, "building": info.building}
    for name, one in generations.items():
        if one is not None:
            lag.add_metric((name,), one.lag)
            lag_s.add_metric((name,), one.lag_s)
            documents.add_metric((name,), one.documents)
    ready = GaugeMetricFamily("indelible_search_ready", "1 while the index is searched, else 0.")
    ready.add_metric((), float(info.serving is not None))
    yield from (lag, lag_s, documents, ready)
