"""``POST /v1/groups/{group}/pull``: events for a member of a consumer group, waited for if need be."""

import asyncio

from indelible.operations.deliveries import PULL
from indelible.server.giving_back import end_pull, give_back
from indelible.server.http.ask import asked_with
from indelible.server.http.messages import Request, Response
from indelible.server.services import Services
from indelible.wire.operation_json import encode_answer


async def pull(services: Services, request: Request) -> Response:
    asked = await asked_with(PULL, request)
    pulling = asyncio.create_task(PULL.ask(services.store, asked))
    disconnected = asyncio.create_task(request.until_disconnected())
    stopping = asyncio.create_task(services.stopping.wait())
    try:
        await asyncio.wait((pulling, disconnected, stopping), return_when=asyncio.FIRST_COMPLETED)
        deliveries = await end_pull(pulling)
        if disconnected.done():
            await give_back(services.store.groups, asked.group, [one.delivery_id for one in deliveries], untried=True)
            deliveries = ()
    finally:
        for task in (pulling, disconnected, stopping):
            task.cancel()
    return Response(200, encode_answer(PULL, deliveries))
