"""SaveSnapshot and GetSnapshot."""

import msgspec

from indelible.server.services import Services
from indelible.wire.pb.event_store_pb2 import GetSnapshotRequest, SaveSnapshotRequest
from indelible.wire.proto_responses import encode_snapshot


async def save_snapshot(services: Services, request: SaveSnapshotRequest) -> bytes:
    snapshot = await services.store.save_snapshot(
        request.aggregate_type,
        request.aggregate_id,
        version=request.version,
        state=msgspec.Raw(request.state.encode()),
        metadata=msgspec.Raw(request.metadata.encode()) if request.metadata else None,
    )
    return encode_snapshot(snapshot)


async def get_snapshot(services: Services, request: GetSnapshotRequest) -> bytes:
    at_version = request.at_version if request.HasField("at_version") else None
    return encode_snapshot(
        await services.store.get_snapshot(request.aggregate_type, request.aggregate_id, at_version=at_version)
    )
