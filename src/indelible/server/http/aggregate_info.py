"""``GET /v1/aggregates/{aggregate_type}/{aggregate_id}``: an aggregate's version and times."""

from typing import Final

from indelible.eventstore import AggregateInfo
from indelible.server.http.messages import Request, Response, etag
from indelible.server.http.openapi_operation import NOT_MODIFIED, Answer, Operation
from indelible.server.services import Services
from indelible.wire.responses import encode_aggregate_info

GET_AGGREGATE: Final = Operation(
    "get_aggregate",
    "Read",
    "Get an aggregate's version",
    "The version, and when its first and last event were stored.",
    (Answer(200, "How far the aggregate has come.", AggregateInfo, ("ETag",)), NOT_MODIFIED),
    errors=("aggregate_not_found",),
)


async def aggregate_info(services: Services, request: Request) -> Response:
    key = request.aggregate_key()
    request.query()
    info = await services.store.get_aggregate(key.aggregate_type, key.aggregate_id)
    return Response(200, encode_aggregate_info(info), headers=etag(info.version))
