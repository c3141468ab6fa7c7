"""``POST /v1/groups/{group}/ack``, ``nack`` and ``extend``: what members do with the events that are with them."""

from typing import Final

from indelible.groups import Settled
from indelible.server.http.messages import Request, Response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.http.openapi_problems import GROUP_ERRORS
from indelible.server.services import Services
from indelible.wire.group_requests import AckBody, ExtendBody, NackBody, decode_ack, decode_extend, decode_nack
from indelible.wire.group_responses import encode_settled

_SETTLED: Final = (Answer(200, "How many took effect, and which did not.", Settled),)

ACK: Final = Operation(
    "ack",
    "Consumer groups",
    "Acknowledge deliveries",
    "Their events are done; the answer comes once that is on stable storage. May be repeated.",
    _SETTLED,
    body=AckBody,
    errors=GROUP_ERRORS,
)
NACK: Final = Operation(
    "nack",
    "Consumer groups",
    "Refuse deliveries",
    "Their events are delivered again after `delay_s`, or parked: after the last attempt, or at once with `park`. May "
    "be repeated.",
    _SETTLED,
    body=NackBody,
    errors=GROUP_ERRORS,
)
EXTEND: Final = Operation(
    "extend",
    "Consumer groups",
    "Take more time",
    "Moves the deadlines of these deliveries to `ack_timeout_s` from now. May be repeated.",
    _SETTLED,
    body=ExtendBody,
    errors=GROUP_ERRORS,
)


async def ack(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    request.query()
    delivery_ids = decode_ack(await request.json_body())
    return Response(200, encode_settled(await services.store.ack(group, delivery_ids)))


async def nack(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    request.query()
    refused = decode_nack(await request.json_body())
    settled = await services.store.nack(
        group,
        refused.delivery_ids,
        delay_s=refused.delay_s,
        reason=refused.reason,
        park=refused.park,
        untried=refused.untried,
    )
    return Response(200, encode_settled(settled))


async def extend(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    request.query()
    delivery_ids, ack_timeout_s = decode_extend(await request.json_body())
    return Response(200, encode_settled(await services.store.extend(group, delivery_ids, ack_timeout_s=ack_timeout_s)))
