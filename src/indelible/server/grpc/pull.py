"""Pull: events for a member, waited for if need be."""

import asyncio
from contextlib import suppress

from indelible.errors import IndelibleError
from indelible.limits import GROUP_PULL_DEFAULT
from indelible.server.giving_back import end_pull, give_back
from indelible.server.services import Services
from indelible.wire.pb.groups_pb2 import PullRequest
from indelible.wire.proto_consume import encode_deliveries


async def pull(services: Services, request: PullRequest) -> bytes:
    """The wait ends when the caller goes away, who then gets nothing, or when the server stops."""
    limit = request.limit if request.HasField("limit") else GROUP_PULL_DEFAULT
    pulled = services.store.groups.pull(request.group, member=request.member, limit=limit, wait_s=request.wait_s)
    pulling, stop = asyncio.create_task(pulled), asyncio.create_task(services.stopping.wait())
    try:
        await asyncio.wait((pulling, stop), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        with suppress(IndelibleError):
            deliveries = await end_pull(pulling)
            await give_back(services.store.groups, request.group, [one.delivery_id for one in deliveries], untried=True)
        raise
    finally:
        stop.cancel()
    return encode_deliveries(await end_pull(pulling))
