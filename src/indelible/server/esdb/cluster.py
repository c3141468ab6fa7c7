"""Gossip: who serves. A cluster of one member, whatever stands behind the address."""

import time
from typing import Final
from uuid import uuid4

from indelible.server.call import Call
from indelible.server.config import Address
from indelible.server.grpc.calls import Method, Unary
from indelible.server.services import Services
from indelible.wire.esdb.messages import fill_id
from indelible.wire.esdb.pb import cluster_pb2 as pb
from indelible.wire.esdb.pb.shared_pb2 import Empty

_GOSSIP_SERVICE: Final = "event_store.client.gossip.Gossip"
_TICKS_PER_S: Final = 10_000_000
_PORT_MAX: Final = 65_535


def gossip_methods(services: Services, advertised: Address | None, bound: Address) -> dict[str, tuple[Method, ...]]:
    """Clients are sent to the ``advertised`` address, or without one to that which they asked: it led here. Who did not
    say whom it asked is sent where the socket is ``bound``."""
    instance = uuid4()

    async def read(call: Call, _: Empty) -> bytes:
        info = pb.ClusterInfo()
        member = info.members.add(is_alive=True, time_stamp=int(time.time() * _TICKS_PER_S))
        member.state = pb.MemberInfo.ShuttingDown if services.draining.is_set() else pb.MemberInfo.Leader
        at = advertised or _address_of(call.authority) or bound
        member.http_end_point.address, member.http_end_point.port = at
        fill_id(member.instance_id, instance, structured=False)
        return info.SerializeToString()

    return {_GOSSIP_SERVICE: (Unary("Read", Empty, read),)}


def _address_of(authority: str) -> Address | None:
    """None for what names no port, or none there is."""
    host, _, port = authority.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) <= _PORT_MAX:
        return None
    return Address(host.removeprefix("[").removesuffix("]"), int(port))
