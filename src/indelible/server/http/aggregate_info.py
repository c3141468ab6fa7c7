"""``GET /v1/aggregates/{aggregate_type}/{aggregate_id}``: an aggregate's version and times."""

from indelible.server.http.messages import Request, Response, etag
from indelible.server.services import Services
from indelible.wire.responses import encode_aggregate_info


async def aggregate_info(services: Services, request: Request) -> Response:
    key = request.aggregate_key()
    request.query()
    info = await services.store.get_aggregate(key.aggregate_type, key.aggregate_id)
    return Response(200, encode_aggregate_info(info), headers=etag(info.version))
