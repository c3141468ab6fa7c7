"""``GET /v1/events/{event_id}``: one event."""

from typing import Final

from indelible.errors import NotAcceptable
from indelible.events import JSON_CONTENT_TYPE, RecordedEvent, check_event_id
from indelible.limits import HEADER_SIZE_BYTES_MAX
from indelible.server.http.media_types import negotiate
from indelible.server.http.messages import Request, Response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.services import Services
from indelible.wire.cloudevents import CLOUDEVENT_CONTENT_TYPE, encode_binary_cloud_event, encode_cloud_event
from indelible.wire.responses import encode_event

GET_EVENT: Final = Operation(
    "get_event",
    "Read",
    "Get one event",
    "By its id, wherever it stands.\n\n"
    "With `Accept: application/cloudevents+json` it is a CloudEvent. With `Accept: application/cloudevents` it is one "
    "in binary mode: its data is the body, with its own content type, and its attributes are headers, such as `ce-id`.",
    (Answer(200, "The event.", RecordedEvent),),
    errors=("event_not_found", "not_acceptable"),
)


_BINARY: Final = "application/cloudevents"
"""Asks for binary mode, whose own media type is that of the data."""
_OFFERED: Final = (JSON_CONTENT_TYPE, CLOUDEVENT_CONTENT_TYPE, _BINARY)


async def event(services: Services, request: Request) -> Response:
    event_id = check_event_id(request.parameter("event_id"))
    request.query()
    wanted = negotiate(request.headers.get(b"accept"), _OFFERED)
    found = await services.store.get_event(event_id)
    if wanted == CLOUDEVENT_CONTENT_TYPE:
        return Response(200, encode_cloud_event(found), wanted)
    if wanted == _BINARY:
        return _in_binary_mode(found)
    return Response(200, encode_event(found))


def _in_binary_mode(found: RecordedEvent) -> Response:
    headers, body = encode_binary_cloud_event(found)
    size_bytes = sum(len(name) + len(value) for name, value in headers.items())
    if size_bytes > HEADER_SIZE_BYTES_MAX:
        message = f"its metadata and tags take {size_bytes} bytes as headers, more than {HEADER_SIZE_BYTES_MAX}"
        raise NotAcceptable(message, offered=list(_OFFERED[:2]))
    return Response(200, body, found.content_type, tuple(headers.items()))
