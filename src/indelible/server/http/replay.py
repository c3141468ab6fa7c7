"""``GET /v1/aggregates/{aggregate_type}/{aggregate_id}/replay``: newest snapshot and the events after it."""

from indelible.server.http.links import aggregate_events_path, next_link
from indelible.server.http.messages import Headers, Request, Response
from indelible.server.services import Services
from indelible.wire.responses import encode_replay


async def replay(services: Services, request: Request) -> Response:
    key = request.aggregate_key()
    at_version = request.query("at_version").integer("at_version")
    found = await services.store.replay(key.aggregate_type, key.aggregate_id, at_version=at_version)
    headers: Headers = ()
    if found.page.next_version is not None:
        rest = [("from_version", str(found.page.next_version))]
        if at_version is not None:
            rest.append(("to_version", str(at_version)))
        headers = next_link(aggregate_events_path(key), rest)
    return Response(200, encode_replay(found), headers=headers)
