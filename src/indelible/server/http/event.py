"""``GET /v1/events/{event_id}``: one event."""

from indelible.events import check_event_id
from indelible.server.http.messages import Request, Response
from indelible.server.services import Services
from indelible.wire.responses import encode_event


async def event(services: Services, request: Request) -> Response:
    event_id = check_event_id(request.parameter("event_id"))
    request.query()
    return Response(200, encode_event(await services.store.get_event(event_id)))
