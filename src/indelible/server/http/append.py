"""``POST /v1/aggregates/{aggregate_type}/{aggregate_id}/events``: append to one aggregate."""

from typing import Final

from indelible.conditions import ExpectedVersion
from indelible.errors import VersionConflict
from indelible.events import JSON_CONTENT_TYPE, AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, AppendResult
from indelible.server.http.messages import Request, Response, etag, problem_response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.http.openapi_problems import APPEND_ERRORS
from indelible.server.http.preconditions import expected_version_of
from indelible.server.services import Services
from indelible.wire.cloudevents import (
    CLOUDEVENT_CONTENT_TYPE,
    CLOUDEVENTS_BATCH_CONTENT_TYPE,
    decode_binary_cloud_event,
    decode_cloud_event,
    decode_cloud_events,
    is_binary_cloud_event,
)
from indelible.wire.errors import STATUS_PRECONDITION_FAILED
from indelible.wire.requests import AppendBody, decode_append
from indelible.wire.responses import append_status, encode_append_result

APPEND: Final = Operation(
    "append",
    "Append",
    "Append events to one aggregate",
    "The events are stored together or not at all, at the versions that follow the aggregate's. `expected_version`, or "
    "`If-Match`, guards against others who append at the same time: at another version nothing is stored, and the "
    "answer is `version_conflict`, with 409, or 412 when a header asked.\n\n"
    "Sending the same events with the same ids again stores nothing and gives the first result again, whatever the "
    "expected version.\n\n"
    "The body may also be one CloudEvent (`application/cloudevents+json`), or a batch of them "
    "(`application/cloudevents-batch+json`); or the data of one whose attributes are headers, such as `ce-id` "
    "(CloudEvents' binary mode). Then the headers alone say what version is expected.",
    (
        Answer(201, "The events are on stable storage.", AppendResult, ("ETag",)),
        Answer(200, "They were stored before; this is the first result again.", AppendResult, ("ETag",)),
    ),
    headers=("If-Match", "If-None-Match"),
    body=AppendBody,
    errors=APPEND_ERRORS,
)


_TAKEN: Final = (JSON_CONTENT_TYPE, CLOUDEVENT_CONTENT_TYPE, CLOUDEVENTS_BATCH_CONTENT_TYPE)


async def append(services: Services, request: Request) -> Response:
    expected_version = expected_version_of(request.headers)
    key = request.aggregate_key()
    request.query()
    if is_binary_cloud_event(request.headers):
        event = decode_binary_cloud_event(request.headers, await request.whole_body(), key)
        decoded = _append((event,), key, expected_version)
    else:
        decoded = _decode(*await request.body(_TAKEN), key, expected_version)
    try:
        result = await services.store.append(
            key.aggregate_type, key.aggregate_id, decoded.events, expected_version=decoded.expected_version
        )
    except VersionConflict as error:
        if expected_version is None:
            raise
        return problem_response(error, STATUS_PRECONDITION_FAILED, etag(error.actual_version))
    return Response(append_status(result), encode_append_result(result), headers=etag(result.version))


def _decode(
    media_type: str, body: bytes, key: AggregateKey, expected_version: ExpectedVersion | None
) -> AggregateAppend:
    if media_type == JSON_CONTENT_TYPE:
        return decode_append(body, key, expected_version=expected_version)
    if media_type == CLOUDEVENT_CONTENT_TYPE:
        events: tuple[NewEvent, ...] = (decode_cloud_event(body, key),)
    else:
        events = decode_cloud_events(body, key)
    return _append(events, key, expected_version)


def _append(
    events: tuple[NewEvent, ...], key: AggregateKey, expected_version: ExpectedVersion | None
) -> AggregateAppend:
    return AggregateAppend(key, events, "any" if expected_version is None else expected_version)
