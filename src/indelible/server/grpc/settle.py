"""Ack, Nack and Extend: what members do with the events that are with them."""

from indelible.server.services import Services
from indelible.wire.pb.groups_pb2 import AckRequest, ExtendRequest, NackRequest
from indelible.wire.proto_group_requests import decode_ack_timeout
from indelible.wire.proto_group_responses import encode_settled


async def ack(services: Services, request: AckRequest) -> bytes:
    return encode_settled(await services.store.ack(request.group, tuple(request.delivery_ids)))


async def nack(services: Services, request: NackRequest) -> bytes:
    settled = await services.store.nack(
        request.group,
        tuple(request.delivery_ids),
        delay_s=request.delay_s,
        reason=request.reason,
        park=request.park,
        untried=request.untried,
    )
    return encode_settled(settled)


async def extend(services: Services, request: ExtendRequest) -> bytes:
    ids, ack_timeout_s = tuple(request.delivery_ids), decode_ack_timeout(request)
    return encode_settled(await services.store.extend(request.group, ids, ack_timeout_s=ack_timeout_s))
