"""GetAggregate: how far an aggregate has come."""

from indelible.server.services import Services
from indelible.wire.pb.event_store_pb2 import GetAggregateRequest
from indelible.wire.proto_responses import encode_aggregate_info


async def get_aggregate(services: Services, request: GetAggregateRequest) -> bytes:
    return encode_aggregate_info(await services.store.get_aggregate(request.aggregate_type, request.aggregate_id))
