"""Gossip: who serves. A cluster of one member, whatever stands behind the address."""

import time
from typing import Final
from uuid import uuid4

from indelible.server.call import Call
from indelible.server.grpc.calls import Method, Unary
from indelible.server.services import Services
from indelible.wire.esdb.messages import fill_id
from indelible.wire.esdb.pb import cluster_pb2 as pb
from indelible.wire.esdb.pb.shared_pb2 import Empty

_GOSSIP_SERVICE: Final = "event_store.client.gossip.Gossip"
_TICKS_PER_S: Final = 10_000_000


def gossip_methods(services: Services, host: str, port: int) -> dict[str, tuple[Method, ...]]:
    """``host``, ``port``: where clients are sent."""
    instance = uuid4()

    async def read(_: Call, __: Empty) -> bytes:
        info = pb.ClusterInfo()
        member = info.members.add(is_alive=True, time_stamp=int(time.time() * _TICKS_PER_S))
        member.state = pb.MemberInfo.ShuttingDown if services.draining.is_set() else pb.MemberInfo.Leader
        member.http_end_point.address, member.http_end_point.port = host, port
        fill_id(member.instance_id, instance, structured=False)
        return info.SerializeToString()

    return {_GOSSIP_SERVICE: (Unary("Read", Empty, read),)}
