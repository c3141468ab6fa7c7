"""What the store holds: its head, its event types, its aggregate types and its aggregates."""

from typing import Final

from indelible.eventstore import AggregateList
from indelible.limits import PAGE_EVENTS_DEFAULT
from indelible.server.http.links import next_link, with_parameter
from indelible.server.http.messages import Headers, Request, Response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.services import Services
from indelible.wire.responses import (
    AggregateTypesBody,
    EventTypesBody,
    HeadBody,
    encode_aggregate_list,
    encode_aggregate_types,
    encode_event_types,
    encode_head,
)

HEAD: Final = Operation(
    "head",
    "Catalogue",
    "Get the head of the log",
    "The last committed position, and the cursor there: reading the feed from it gives what comes later.",
    (Answer(200, "Where the log ends now.", HeadBody),),
)
EVENT_TYPES: Final = Operation(
    "event_types",
    "Catalogue",
    "List event types",
    "Every pair of event type and aggregate type, with the number of events.",
    (Answer(200, "All of them.", EventTypesBody),),
)
AGGREGATE_TYPES: Final = Operation(
    "aggregate_types",
    "Catalogue",
    "List aggregate types",
    "Every aggregate type, with the numbers of aggregates and events.",
    (Answer(200, "All of them.", AggregateTypesBody),),
)
LIST_AGGREGATES: Final = Operation(
    "list_aggregates",
    "Catalogue",
    "List aggregates",
    "A page of the aggregates, ordered by type and id. Give a page's `cursor` as `after` of the next one, or follow "
    "`Link`, until `at_end`.",
    (Answer(200, "A page of aggregates.", AggregateList, ("Link",)),),
    query=("aggregate_type", "after", "limit"),
)


async def head(services: Services, request: Request) -> Response:
    request.query()
    return Response(200, encode_head(await services.store.head()))


async def event_types(services: Services, request: Request) -> Response:
    request.query()
    return Response(200, encode_event_types(await services.store.event_types()))


async def aggregate_types(services: Services, request: Request) -> Response:
    request.query()
    return Response(200, encode_aggregate_types(await services.store.aggregate_types()))


async def aggregates(services: Services, request: Request) -> Response:
    query = request.query("aggregate_type", "after", "limit")
    limit = query.integer("limit")
    found = await services.store.list_aggregates(
        aggregate_type=query.text("aggregate_type"),
        after=query.text("after"),
        limit=PAGE_EVENTS_DEFAULT if limit is None else limit,
    )
    headers: Headers = ()
    if not found.at_end:
        headers = next_link("/v1/aggregates", with_parameter(query.pairs(), "after", found.cursor))
    return Response(200, encode_aggregate_list(found), headers=headers)
