"""``PUT`` and ``GET /v1/aggregates/{aggregate_type}/{aggregate_id}/snapshot``."""

from typing import Final

from indelible.events import Snapshot, timestamp_to_us
from indelible.server.http.messages import Headers, Request, Response
from indelible.server.http.openapi_operation import NOT_MODIFIED, Answer, Operation
from indelible.server.services import Services
from indelible.wire.requests import SnapshotBody, decode_snapshot
from indelible.wire.responses import encode_snapshot

SAVE_SNAPSHOT: Final = Operation(
    "save_snapshot",
    "Snapshots",
    "Save a snapshot",
    "One that is saved already at the same version is replaced. A version above the aggregate's is refused.",
    (Answer(200, "The snapshot as it is saved.", Snapshot, ("ETag",)),),
    body=SnapshotBody,
    errors=("aggregate_not_found", "shutting_down", "storage_full"),
)
GET_SNAPSHOT: Final = Operation(
    "get_snapshot",
    "Snapshots",
    "Get a snapshot",
    "The newest one, or the newest not above `at_version`.",
    (Answer(200, "The snapshot.", Snapshot, ("ETag",)), NOT_MODIFIED),
    query=("at_version",),
    errors=("snapshot_not_found",),
)


async def save_snapshot(services: Services, request: Request) -> Response:
    key = request.aggregate_key()
    request.query()
    version, state, metadata = decode_snapshot(await request.json_body())
    snapshot = await services.store.save_snapshot(
        key.aggregate_type, key.aggregate_id, version=version, state=state, metadata=metadata
    )
    return Response(200, encode_snapshot(snapshot), headers=_etag(snapshot))


async def get_snapshot(services: Services, request: Request) -> Response:
    key = request.aggregate_key()
    at_version = request.query("at_version").integer("at_version")
    snapshot = await services.store.get_snapshot(key.aggregate_type, key.aggregate_id, at_version=at_version)
    return Response(200, encode_snapshot(snapshot), headers=_etag(snapshot))


def _etag(snapshot: Snapshot) -> Headers:
    """Version and time: a snapshot may be replaced by another of the same version."""
    return ((b"etag", b'"%d-%d"' % (snapshot.version, timestamp_to_us(snapshot.timestamp))),)
