"""ReadAggregate: one aggregate's events, page after page."""

from collections.abc import AsyncGenerator

from indelible.server.grpc.pages import PageBudget
from indelible.server.services import Services
from indelible.wire.pb.event_store_pb2 import ReadAggregateRequest
from indelible.wire.proto_requests import decode_direction
from indelible.wire.proto_responses import encode_aggregate_page


async def read_aggregate(services: Services, request: ReadAggregateRequest) -> AsyncGenerator[bytes]:
    from_version = request.from_version if request.HasField("from_version") else None
    to_version = request.to_version if request.HasField("to_version") else None
    direction = decode_direction(request.direction)
    budget = PageBudget(request)
    while True:
        page = await services.store.read_aggregate(
            request.aggregate_type,
            request.aggregate_id,
            from_version=from_version,
            to_version=to_version,
            direction=direction,
            limit=budget.page_limit,
        )
        yield encode_aggregate_page(page)
        if budget.spend(page.count) or page.next_version is None:
            return
        if direction == "forward":
            from_version = page.next_version
        else:
            to_version = page.next_version
