"""``POST /v1/append``: append to many aggregates, whole or not at all."""

from indelible.server.http.messages import Request, Response
from indelible.server.services import Services
from indelible.wire.requests import decode_atomic_append
from indelible.wire.responses import append_status, encode_atomic_append_result


async def append_atomic(services: Services, request: Request) -> Response:
    request.query()
    result = await services.append_atomic(decode_atomic_append(await request.json_body()))
    return Response(append_status(result), encode_atomic_append_result(result))
