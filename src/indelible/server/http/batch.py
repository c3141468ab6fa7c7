"""``POST /v1/batch``: many independent appends in one call, each with its own outcome."""

from typing import Final

from indelible.eventstore import each_outcome
from indelible.server.http.messages import Request, Response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.services import Services, decoded_by_turns
from indelible.wire.requests import BatchBody, decode_batch
from indelible.wire.responses import BatchResultsBody, encode_batch_results

APPEND_BATCH: Final = Operation(
    "append_batch",
    "Append",
    "Append many times in one call",
    "Each append stands alone: it is stored, or refused, as if it had come in a request of its own. The answer is 200 "
    "even when every append was refused; look at the `status` of each.",
    (Answer(200, "What became of each append, in order.", BatchResultsBody),),
    body=BatchBody,
)


async def batch(services: Services, request: Request) -> Response:
    request.query()
    decoded = await decoded_by_turns(decode_batch(await request.json_body()))
    return Response(200, encode_batch_results(await each_outcome(decoded, services.store.append_each)))
