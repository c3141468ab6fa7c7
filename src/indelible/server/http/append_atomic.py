"""``POST /v1/append``: append to many aggregates, whole or not at all."""

from typing import Final

from indelible.eventstore import AtomicAppendResult
from indelible.server.http.messages import Request, Response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.http.openapi_problems import APPEND_ERRORS
from indelible.server.services import Services
from indelible.wire.requests import AtomicAppendBody, decode_atomic_append
from indelible.wire.responses import append_status, encode_atomic_append_result

APPEND_ATOMIC: Final = Operation(
    "append_atomic",
    "Append",
    "Append to many aggregates, whole or not at all",
    "Events get their positions in the order of the request. Each aggregate has its own `expected_version`; one that "
    "stands in the request again has none there. With a `condition` nothing is stored if an event after its cursor "
    "matches any of its queries: `condition_failed`. So a decision that rests on a query stays true until its events "
    "are stored. What it takes to look is bounded: `condition_too_costly`.",
    (
        Answer(201, "The events are on stable storage.", AtomicAppendResult),
        Answer(200, "They were stored before; this is the first result again.", AtomicAppendResult),
    ),
    body=AtomicAppendBody,
    errors=(*APPEND_ERRORS, "condition_failed", "condition_too_costly"),
)


async def append_atomic(services: Services, request: Request) -> Response:
    request.query()
    asked = decode_atomic_append(await request.json_body())
    result = await services.store.append_atomic(asked.appends, condition=asked.condition)
    return Response(append_status(result), encode_atomic_append_result(result))
