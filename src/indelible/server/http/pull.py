"""``POST /v1/groups/{group}/pull``: events for a member of a consumer group, waited for if need be."""

import asyncio

from indelible.operations.deliveries import PULL
from indelible.server.http.ask import asked_with
from indelible.server.http.messages import Request, Response
from indelible.server.services import Services, give_back, pull_until
from indelible.wire.operation_json import encode_answer


async def pull(services: Services, request: Request) -> Response:
    asked = await asked_with(PULL, request)
    leaving = asyncio.create_task(request.until_disconnected())
    pulled = PULL.ask(services.store, asked)
    deliveries = await pull_until(services.store.groups, asked.group, pulled, leaving, services.stopping.wait())
    if not leaving.cancelled():
        await give_back(services.store.groups, asked.group, [one.delivery_id for one in deliveries], untried=True)
        deliveries = ()
    return Response(200, encode_answer(PULL, deliveries))
