"""``GET /v1/aggregates/{aggregate_type}/{aggregate_id}/replay``: newest snapshot and the events after it."""

from typing import Final

from indelible.server.http.links import next_link
from indelible.server.http.messages import Headers, Request, Response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.services import Services
from indelible.wire.paths import aggregate_path
from indelible.wire.responses import ReplayBody, encode_replay

REPLAY: Final = Operation(
    "replay",
    "Read",
    "Get what rebuilds an aggregate",
    "The newest snapshot, not above `at_version`, and the events after it up to `at_version`, in one answer. When "
    "there are more events than fit, `Link` leads to the rest.",
    (Answer(200, "A snapshot, if there is one, and the events after it.", ReplayBody, ("Link",)),),
    query=("at_version",),
    errors=("aggregate_not_found",),
)


async def replay(services: Services, request: Request) -> Response:
    key = request.aggregate_key()
    at_version = request.query("at_version").integer("at_version")
    found = await services.store.replay(key.aggregate_type, key.aggregate_id, at_version=at_version)
    headers: Headers = ()
    if found.page.next_version is not None:
        rest = [("from_version", str(found.page.next_version))]
        if at_version is not None:
            rest.append(("to_version", str(at_version)))
        headers = next_link(f"{aggregate_path(key)}/events", rest)
    return Response(200, encode_replay(found), headers=headers)
