"""``POST /v1/aggregates/{aggregate_type}/{aggregate_id}/events``: append to one aggregate."""

from indelible.errors import VersionConflict
from indelible.server.http.messages import Request, Response, etag, problem_response
from indelible.server.http.preconditions import expected_version_of
from indelible.server.services import Services
from indelible.wire.errors import STATUS_PRECONDITION_FAILED
from indelible.wire.requests import decode_append
from indelible.wire.responses import append_status, encode_append_result


async def append(services: Services, request: Request) -> Response:
    expected_version = expected_version_of(request.headers)
    key = request.aggregate_key()
    request.query()
    decoded = decode_append(await request.json_body(), key, expected_version=expected_version)
    try:
        result = await services.append(decoded)
    except VersionConflict as error:
        if expected_version is None:
            raise
        return problem_response(error, STATUS_PRECONDITION_FAILED, etag(error.actual_version))
    return Response(append_status(result), encode_append_result(result), headers=etag(result.version))
