"""Every route of REST API version 1."""

from typing import Final

from indelible.server.http.aggregate_info import GET_AGGREGATE, aggregate_info
from indelible.server.http.append import APPEND, append
from indelible.server.http.append_atomic import APPEND_ATOMIC, append_atomic
from indelible.server.http.batch import APPEND_BATCH, batch
from indelible.server.http.catalogue import (
    AGGREGATE_TYPES,
    EVENT_TYPES,
    HEAD,
    LIST_AGGREGATES,
    aggregate_types,
    aggregates,
    event_types,
    head,
)
from indelible.server.http.event import GET_EVENT, event
from indelible.server.http.feed import READ_FEED, feed
from indelible.server.http.operations import LIVEZ, METRICS, READYZ, livez, metrics, readyz
from indelible.server.http.read_aggregate import READ_AGGREGATE, read_aggregate
from indelible.server.http.reference import reference_routes
from indelible.server.http.replay import REPLAY, replay
from indelible.server.http.routing import Route
from indelible.server.http.snapshots import GET_SNAPSHOT, SAVE_SNAPSHOT, get_snapshot, save_snapshot

_AGGREGATE: Final = "/v1/aggregates/{aggregate_type}/{aggregate_id}"

_SERVED: Final = (
    Route("POST", f"{_AGGREGATE}/events", append, APPEND),
    Route("POST", "/v1/append", append_atomic, APPEND_ATOMIC),
    Route("POST", "/v1/batch", batch, APPEND_BATCH),
    Route("GET", f"{_AGGREGATE}/events", read_aggregate, READ_AGGREGATE),
    Route("GET", _AGGREGATE, aggregate_info, GET_AGGREGATE),
    Route("GET", f"{_AGGREGATE}/replay", replay, REPLAY),
    Route("PUT", f"{_AGGREGATE}/snapshot", save_snapshot, SAVE_SNAPSHOT),
    Route("GET", f"{_AGGREGATE}/snapshot", get_snapshot, GET_SNAPSHOT),
    Route("GET", "/v1/events", feed, READ_FEED),
    Route("GET", "/v1/events/{event_id}", event, GET_EVENT),
    Route("GET", "/v1/head", head, HEAD),
    Route("GET", "/v1/event-types", event_types, EVENT_TYPES),
    Route("GET", "/v1/aggregate-types", aggregate_types, AGGREGATE_TYPES),
    Route("GET", "/v1/aggregates", aggregates, LIST_AGGREGATES),
    Route("GET", "/livez", livez, LIVEZ),
    Route("GET", "/readyz", readyz, READYZ),
    Route("GET", "/metrics", metrics, METRICS),
)
ROUTES: Final = (*_SERVED, *reference_routes(_SERVED))
"""All of them, with those that describe them."""
