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
from indelible.server.http.groups import (
    CHANGE_GROUP,
    CREATE_GROUP,
    DELETE_GROUP,
    GET_GROUP,
    LIST_GROUPS,
    RESET_GROUP,
    change_group,
    create_group,
    delete_group,
    get_group,
    list_groups,
    reset_group,
)
from indelible.server.http.operations import LIVEZ, METRICS, READYZ, livez, metrics, readyz
from indelible.server.http.pull import PULL, pull
from indelible.server.http.read_aggregate import READ_AGGREGATE, read_aggregate
from indelible.server.http.reference import reference_routes
from indelible.server.http.replay import REPLAY, replay
from indelible.server.http.routing import Route
from indelible.server.http.settle import ACK, EXTEND, NACK, ack, extend, nack
from indelible.server.http.snapshots import GET_SNAPSHOT, SAVE_SNAPSHOT, get_snapshot, save_snapshot
from indelible.server.http.unfinished import (
    LIST_IN_FLIGHT,
    LIST_PARKED,
    LIST_SKIPPED,
    REPLAY_PARKED,
    SKIP_PARKED,
    list_in_flight,
    list_parked,
    list_skipped,
    replay_parked,
    skip_parked,
)

_AGGREGATE: Final = "/v1/aggregates/{aggregate_type}/{aggregate_id}"
_GROUP: Final = "/v1/groups/{group}"

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
    Route("PUT", _GROUP, create_group, CREATE_GROUP),
    Route("GET", "/v1/groups", list_groups, LIST_GROUPS),
    Route("GET", _GROUP, get_group, GET_GROUP),
    Route("PATCH", _GROUP, change_group, CHANGE_GROUP),
    Route("POST", f"{_GROUP}/reset", reset_group, RESET_GROUP),
    Route("POST", f"{_GROUP}/pull", pull, PULL),
    Route("POST", f"{_GROUP}/ack", ack, ACK),
    Route("POST", f"{_GROUP}/nack", nack, NACK),
    Route("POST", f"{_GROUP}/extend", extend, EXTEND),
    Route("GET", f"{_GROUP}/in-flight", list_in_flight, LIST_IN_FLIGHT),
    Route("GET", f"{_GROUP}/parked", list_parked, LIST_PARKED),
    Route("POST", f"{_GROUP}/parked/skip", skip_parked, SKIP_PARKED),
    Route("POST", f"{_GROUP}/parked/replay", replay_parked, REPLAY_PARKED),
    Route("GET", f"{_GROUP}/skipped", list_skipped, LIST_SKIPPED),
    Route("DELETE", _GROUP, delete_group, DELETE_GROUP),
    Route("GET", "/livez", livez, LIVEZ),
    Route("GET", "/readyz", readyz, READYZ),
    Route("GET", "/metrics", metrics, METRICS),
)
ROUTES: Final = (*_SERVED, *reference_routes(_SERVED))
"""All of them, with those that describe them."""
