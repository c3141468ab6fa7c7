"""``GET /v1/events/{event_id}``: one event."""

from typing import Final

from indelible.events import JSON_CONTENT_TYPE, RecordedEvent, check_event_id
from indelible.server.http.media_types import negotiate
from indelible.server.http.messages import Request, Response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.services import Services
from indelible.wire.cloudevents import CLOUDEVENT_CONTENT_TYPE, encode_cloud_event
from indelible.wire.responses import encode_event

GET_EVENT: Final = Operation(
    "get_event",
    "Read",
    "Get one event",
    "By its id, wherever it stands.",
    (Answer(200, "The event.", RecordedEvent, cloudevents=CLOUDEVENT_CONTENT_TYPE),),
    errors=("event_not_found",),
)


_OFFERED: Final = (JSON_CONTENT_TYPE, CLOUDEVENT_CONTENT_TYPE)


async def event(services: Services, request: Request) -> Response:
    event_id = check_event_id(request.parameter("event_id"))
    request.query()
    wanted = negotiate(request.headers.get(b"accept"), _OFFERED)
    found = await services.store.get_event(event_id)
    if wanted == CLOUDEVENT_CONTENT_TYPE:
        return Response(200, encode_cloud_event(found), wanted)
    return Response(200, encode_event(found))
