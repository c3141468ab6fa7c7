"""What a consumer group has not done, and what to do about it: ListInFlight, ListParked, ReplayParked, SkipParked and
ListSkipped."""

from indelible.limits import PAGE_EVENTS_DEFAULT
from indelible.server.services import Services
from indelible.wire.pb.groups_pb2 import (
    ListInFlightRequest,
    ListParkedRequest,
    ListSkippedRequest,
    ReplayParkedRequest,
    ReplayParkedResponse,
    SkipParkedRequest,
    SkipParkedResponse,
)
from indelible.wire.proto_group_requests import decode_positions
from indelible.wire.proto_group_responses import encode_in_flight, encode_parked, encode_skipped


async def list_in_flight(services: Services, request: ListInFlightRequest) -> bytes:
    return encode_in_flight(await services.store.list_in_flight(request.group))


async def list_parked(services: Services, request: ListParkedRequest) -> bytes:
    after, limit = _page(request)
    return encode_parked(await services.store.list_parked(request.group, after=after, limit=limit))


async def list_skipped(services: Services, request: ListSkippedRequest) -> bytes:
    after, limit = _page(request)
    return encode_skipped(await services.store.list_skipped(request.group, after=after, limit=limit))


async def replay_parked(services: Services, request: ReplayParkedRequest) -> bytes:
    replayed = await services.store.replay_parked(request.group, decode_positions(request))
    return ReplayParkedResponse(replayed=replayed).SerializeToString()


async def skip_parked(services: Services, request: SkipParkedRequest) -> bytes:
    skipped = await services.store.skip_parked(request.group, tuple(request.positions), reason=request.reason)
    return SkipParkedResponse(skipped=skipped).SerializeToString()


def _page(request: ListParkedRequest | ListSkippedRequest) -> tuple[str | None, int]:
    """After which cursor, and how many."""
    after = request.after if request.HasField("after") else None
    return after, request.limit if request.HasField("limit") else PAGE_EVENTS_DEFAULT
