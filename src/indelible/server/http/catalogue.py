"""What the store holds: its head, its event types, its aggregate types and its aggregates."""

from indelible.limits import PAGE_EVENTS_DEFAULT
from indelible.server.http.links import next_link, with_parameter
from indelible.server.http.messages import Headers, Request, Response
from indelible.server.services import Services
from indelible.wire.responses import (
    encode_aggregate_list,
    encode_aggregate_types,
    encode_event_types,
    encode_head,
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
