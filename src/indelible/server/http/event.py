"""``GET /v1/events/{event_id}``: one event."""

from typing import Final

from indelible.events import RecordedEvent, check_event_id
from indelible.server.http.messages import Request, Response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.services import Services
from indelible.wire.responses import encode_event

GET_EVENT: Final = Operation(
    "get_event",
    "Read",
    "Get one event",
    "By its id, wherever it stands.",
    (Answer(200, "The event.", RecordedEvent),),
    errors=("event_not_found",),
)


async def event(services: Services, request: Request) -> Response:
    event_id = check_event_id(request.parameter("event_id"))
    request.query()
    return Response(200, encode_event(await services.store.get_event(event_id)))
