"""The relays of a server's configuration, as parts that run beside the requests."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric

from indelible.errors import InvalidRequest
from indelible.eventstore import EventStore, FeedPage
from indelible.groups import StartPoint
from indelible.queries import EventQuery
from indelible.relays.relay import Relay
from indelible.relays.sink import make_sink
from indelible.server.background import Part
from indelible.server.config import RelaySettings
from indelible.server.metrics import Metrics


def check_sink(name: str, relay: RelaySettings) -> None:
    """Raises ``InvalidRequest`` for a URL that names no sink here."""
    try:
        make_sink(relay.to)
    except InvalidRequest as error:
        raise InvalidRequest(f"relays.{name}.to: {error.message}", pointer=f"/relays/{name}/to") from None


def relay_parts(
    store: EventStore,
    settings: Mapping[str, RelaySettings],
    metrics: Metrics,
    on_page: Callable[[str, FeedPage, int], None] | None = None,
) -> Sequence[Part]:
    """``on_page``: see :class:`Relay`. Raises ``InvalidRequest`` for what no relay can be made of."""
    relays = [_relay(store, name, one, on_page) for name, one in settings.items()]
    if relays:
        metrics.add(lambda: _errors(relays))
    return [_part(relay) for relay in relays]


def _relay(
    store: EventStore, name: str, settings: RelaySettings, on_page: Callable[[str, FeedPage, int], None] | None
) -> Relay:
    query = EventQuery.of(
        event_types=settings.event_types, aggregate_types=settings.aggregate_types, tags=settings.tags
    )
    start = StartPoint(settings.start)
    sink = make_sink(settings.to)
    return Relay(store, name, sink, query, start=start, on_refusal=settings.on_refusal, on_page=on_page)


def _part(relay: Relay) -> Part:
    """Not vital: appends and reads have nothing to do with a broker."""

    def problem() -> str | None:
        return None if relay.info is None else relay.info.problem

    return Part(f"relay {relay.name}", relay.run, why_not_ready=problem)


def _errors(relays: Sequence[Relay]) -> Iterator[Metric]:
    family = CounterMetricFamily(
        "indelible_relay_errors", "How often publishing was interrupted or refused, in this process.", labels=("relay",)
    )
    for relay in relays:
        family.add_metric((relay.name,), relay.errors)
    yield family
