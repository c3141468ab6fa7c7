"""Every route of REST API version 1."""

from functools import partial
from typing import Final

from indelible.operations import OPERATIONS
from indelible.operations.deliveries import PULL
from indelible.server.http.append import APPEND, append
from indelible.server.http.append_atomic import APPEND_ATOMIC, append_atomic
from indelible.server.http.ask import ask
from indelible.server.http.batch import APPEND_BATCH, batch
from indelible.server.http.event import GET_EVENT, event
from indelible.server.http.feed import READ_FEED, feed
from indelible.server.http.openapi_rows import described
from indelible.server.http.operations import LIVEZ, METRICS, READYZ, livez, metrics, readyz
from indelible.server.http.pull import pull
from indelible.server.http.read_aggregate import READ_AGGREGATE, read_aggregate
from indelible.server.http.reference import reference_routes
from indelible.server.http.replay import REPLAY, replay
from indelible.server.http.routing import Route

_AGGREGATE: Final = "/v1/aggregates/{aggregate_type}/{aggregate_id}"
_OWN_HANDLERS: Final = {PULL.name: pull}
"""Of operations that take more than asking the store."""

_SERVED: Final = (
    Route("POST", f"{_AGGREGATE}/events", append, APPEND),
    Route("POST", "/v1/append", append_atomic, APPEND_ATOMIC),
    Route("POST", "/v1/batch", batch, APPEND_BATCH),
    Route("GET", f"{_AGGREGATE}/events", read_aggregate, READ_AGGREGATE),
    Route("GET", f"{_AGGREGATE}/replay", replay, REPLAY),
    Route("GET", "/v1/events", feed, READ_FEED),
    Route("GET", "/v1/events/{event_id}", event, GET_EVENT),
    *(
        Route(one.method, one.path, _OWN_HANDLERS.get(one.name) or partial(ask, one), described(one))
        for one in OPERATIONS
    ),
    Route("GET", "/livez", livez, LIVEZ),
    Route("GET", "/readyz", readyz, READYZ),
    Route("GET", "/metrics", metrics, METRICS),
)
ROUTES: Final = (*_SERVED, *reference_routes(_SERVED))
"""All of them, with those that describe them."""
