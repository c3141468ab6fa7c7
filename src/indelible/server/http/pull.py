"""``POST /v1/groups/{group}/pull``: events for a member of a consumer group, waited for if need be."""

import asyncio
from typing import Final

from indelible.server.giving_back import end_pull, give_back
from indelible.server.http.messages import Request, Response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.http.openapi_problems import GROUP_ERRORS
from indelible.server.services import Services
from indelible.wire.group_requests import PullBody, decode_pull
from indelible.wire.group_responses import DeliveriesBody, encode_deliveries

PULL: Final = Operation(
    "pull",
    "Consumer groups",
    "Get events for a member",
    "Events of one aggregate come one at a time: the next one is delivered once this one is acknowledged. When there "
    "is none to deliver, the answer waits for some, at most `wait_s` seconds, and is an empty list then.\n\n"
    "Acknowledge each event before its `deadline`, or refuse it; else it is delivered again. When the caller goes "
    "away before it is answered, its events are delivered to others.",
    (Answer(200, "Events that are now with the member; none when there is none.", DeliveriesBody),),
    body=PullBody,
    errors=GROUP_ERRORS,
)


async def pull(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    request.query()
    wanted = decode_pull(await request.json_body())
    pulling = asyncio.create_task(
        services.store.pull(group, member=wanted.member, limit=wanted.limit, wait_s=wanted.wait_s)
    )
    disconnected = asyncio.create_task(request.until_disconnected())
    stopping = asyncio.create_task(services.stopping.wait())
    try:
        await asyncio.wait((pulling, disconnected, stopping), return_when=asyncio.FIRST_COMPLETED)
        deliveries = await end_pull(pulling)
        if disconnected.done():
            await give_back(services.store, group, [one.delivery_id for one in deliveries], untried=True)
            deliveries = ()
    finally:
        for task in (pulling, disconnected, stopping):
            task.cancel()
    return Response(200, encode_deliveries(deliveries))
