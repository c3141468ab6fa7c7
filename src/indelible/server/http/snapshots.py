"""``PUT`` and ``GET /v1/aggregates/{aggregate_type}/{aggregate_id}/snapshot``."""

from indelible.server.http.messages import Request, Response, etag
from indelible.server.services import Services
from indelible.wire.requests import decode_snapshot
from indelible.wire.responses import encode_snapshot


async def save_snapshot(services: Services, request: Request) -> Response:
    key = request.aggregate_key()
    request.query()
    version, state, metadata = decode_snapshot(await request.json_body())
    snapshot = await services.store.save_snapshot(
        key.aggregate_type, key.aggregate_id, version=version, state=state, metadata=metadata
    )
    return Response(200, encode_snapshot(snapshot), headers=etag(snapshot.version))


async def get_snapshot(services: Services, request: Request) -> Response:
    key = request.aggregate_key()
    at_version = request.query("at_version").integer("at_version")
    snapshot = await services.store.get_snapshot(key.aggregate_type, key.aggregate_id, at_version=at_version)
    return Response(200, encode_snapshot(snapshot), headers=etag(snapshot.version))
