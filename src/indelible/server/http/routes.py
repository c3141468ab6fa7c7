"""Every route of REST API version 1."""

from typing import Final

from indelible.server.http.aggregate_info import aggregate_info
from indelible.server.http.append import append
from indelible.server.http.append_atomic import append_atomic
from indelible.server.http.batch import batch
from indelible.server.http.catalogue import aggregate_types, aggregates, event_types, head
from indelible.server.http.event import event
from indelible.server.http.feed import feed
from indelible.server.http.operations import livez, metrics, readyz
from indelible.server.http.read_aggregate import read_aggregate
from indelible.server.http.replay import replay
from indelible.server.http.routing import Route
from indelible.server.http.snapshots import get_snapshot, save_snapshot

_AGGREGATE: Final = "/v1/aggregates/{aggregate_type}/{aggregate_id}"

ROUTES: Final = (
    Route("POST", f"{_AGGREGATE}/events", append),
    Route("POST", "/v1/append", append_atomic),
    Route("POST", "/v1/batch", batch),
    Route("GET", f"{_AGGREGATE}/events", read_aggregate),
    Route("GET", _AGGREGATE, aggregate_info),
    Route("GET", f"{_AGGREGATE}/replay", replay),
    Route("PUT", f"{_AGGREGATE}/snapshot", save_snapshot),
    Route("GET", f"{_AGGREGATE}/snapshot", get_snapshot),
    Route("GET", "/v1/events", feed),
    Route("GET", "/v1/events/{event_id}", event),
    Route("GET", "/v1/head", head),
    Route("GET", "/v1/event-types", event_types),
    Route("GET", "/v1/aggregate-types", aggregate_types),
    Route("GET", "/v1/aggregates", aggregates),
    Route("GET", "/livez", livez),
    Route("GET", "/readyz", readyz),
    Route("GET", "/metrics", metrics),
)
