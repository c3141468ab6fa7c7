"""GetEvent: one event by its id."""

from indelible.events import check_event_id
from indelible.server.services import Services
from indelible.wire.pb.event_store_pb2 import GetEventRequest
from indelible.wire.proto_responses import encode_event


async def get_event(services: Services, request: GetEventRequest) -> bytes:
    return encode_event(await services.store.get_event(check_event_id(request.event_id)))
