"""Replay: an aggregate's newest snapshot and the events after it."""

from indelible.server.services import Services
from indelible.wire.pb.event_store_pb2 import ReplayRequest
from indelible.wire.proto_responses import encode_replay


async def replay(services: Services, request: ReplayRequest) -> bytes:
    at_version = request.at_version if request.HasField("at_version") else None
    found = await services.store.replay(request.aggregate_type, request.aggregate_id, at_version=at_version)
    return encode_replay(found)
