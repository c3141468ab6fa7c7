"""What the store holds: GetHead, ListEventTypes, ListAggregateTypes and ListAggregates."""

from indelible.limits import PAGE_EVENTS_DEFAULT
from indelible.server.services import Services
from indelible.wire.pb.event_store_pb2 import (
    GetHeadRequest,
    ListAggregatesRequest,
    ListAggregateTypesRequest,
    ListEventTypesRequest,
)
from indelible.wire.proto_responses import (
    encode_aggregate_list,
    encode_aggregate_types,
    encode_event_types,
    encode_head,
)


async def get_head(services: Services, request: GetHeadRequest) -> bytes:  # noqa: ARG001 - there is nothing in it
    return encode_head(await services.store.head())


async def list_event_types(services: Services, request: ListEventTypesRequest) -> bytes:  # noqa: ARG001 - as above
    return encode_event_types(await services.store.event_types())


async def list_aggregate_types(
    services: Services,
    request: ListAggregateTypesRequest,  # noqa: ARG001 - as above
) -> bytes:
    return encode_aggregate_types(await services.store.aggregate_types())


async def list_aggregates(services: Services, request: ListAggregatesRequest) -> bytes:
    found = await services.store.list_aggregates(
        aggregate_type=request.aggregate_type if request.HasField("aggregate_type") else None,
        after=request.after if request.HasField("after") else None,
        limit=request.limit if request.HasField("limit") else PAGE_EVENTS_DEFAULT,
    )
    return encode_aggregate_list(found)
