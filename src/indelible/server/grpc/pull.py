"""Pull: events for a member, waited for if need be."""

from indelible.limits import GROUP_PULL_DEFAULT
from indelible.server.services import Services, pull_until
from indelible.wire.pb.groups_pb2 import PullRequest
from indelible.wire.proto_consume import encode_deliveries


async def pull(services: Services, request: PullRequest) -> bytes:
    """The wait ends when the caller goes away, who then gets nothing, or when the server stops."""
    limit = request.limit if request.HasField("limit") else GROUP_PULL_DEFAULT
    pulled = services.store.groups.pull(request.group, member=request.member, limit=limit, wait_s=request.wait_s)
    return encode_deliveries(await pull_until(services.store.groups, request.group, pulled, services.stopping.wait()))
