"""``POST /v1/batch``: many independent appends in one call, each with its own outcome."""

from indelible.errors import IndelibleError
from indelible.server.http.messages import Request, Response
from indelible.server.services import Services
from indelible.wire.requests import decode_batch
from indelible.wire.responses import encode_batch_results


async def batch(services: Services, request: Request) -> Response:
    request.query()
    decoded = decode_batch(await request.json_body())
    # What is wrong with one append is its own outcome; the others go on.
    outcomes = iter(await services.append_each([one for one in decoded if not isinstance(one, IndelibleError)]))
    return Response(
        200, encode_batch_results(one if isinstance(one, IndelibleError) else next(outcomes) for one in decoded)
    )
