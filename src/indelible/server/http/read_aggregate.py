"""``GET /v1/aggregates/{aggregate_type}/{aggregate_id}/events``: one aggregate's events, as a page or as a stream."""

from collections.abc import AsyncIterator
from typing import Final

from indelible.events import JSON_CONTENT_TYPE, AggregateKey
from indelible.eventstore import AggregatePage
from indelible.limits import PAGE_EVENTS_DEFAULT
from indelible.server.http.links import next_link, with_parameter
from indelible.server.http.media_types import negotiate
from indelible.server.http.messages import NDJSON_CONTENT_TYPE, Headers, Request, Response, StreamedResponse
from indelible.server.http.ndjson import stream_lines
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.http.query_string import QueryString
from indelible.server.services import Services
from indelible.server.streams import Budget
from indelible.wire.cloudevents import CLOUDEVENTS_BATCH_CONTENT_TYPE, encode_cloud_events
from indelible.wire.paths import aggregate_path
from indelible.wire.responses import AggregatePageBody, encode_aggregate_page

READ_AGGREGATE: Final = Operation(
    "read_aggregate",
    "Read",
    "Read the events of one aggregate",
    "A page of events in the order of their versions, both ends of the range included. Read on from `next_version`, or "
    "follow `Link`.\n\n"
    "With `Accept: application/x-ndjson` everything asked for comes in one stream, one event a line, without a page "
    "limit. With `Accept: application/cloudevents-batch+json` a page is a batch of CloudEvents.",
    (Answer(200, "A page of events.", AggregatePageBody, ("Link",)),),
    query=("from_version", "to_version", "direction", "limit"),
    errors=("aggregate_not_found", "not_acceptable"),
)


_OFFERED: Final = (JSON_CONTENT_TYPE, NDJSON_CONTENT_TYPE, CLOUDEVENTS_BATCH_CONTENT_TYPE)


async def read_aggregate(services: Services, request: Request) -> Response | StreamedResponse:
    key = request.aggregate_key()
    query = request.query("from_version", "to_version", "direction", "limit")
    read = _AggregateRead(services, key, query)
    wanted = negotiate(request.headers.get(b"accept"), _OFFERED)
    if wanted == NDJSON_CONTENT_TYPE:
        return await stream_lines(read.pages(Budget(query.integer("limit"))))
    limit = query.integer("limit")
    page = await read.page(PAGE_EVENTS_DEFAULT if limit is None else limit)
    headers: Headers = ()
    if page.next_version is not None:
        following = with_parameter(query.pairs(), read.moving_end, str(page.next_version))
        headers = next_link(f"{aggregate_path(key)}/events", following)
    if wanted == CLOUDEVENTS_BATCH_CONTENT_TYPE:
        return Response(200, encode_cloud_events(page.lines), wanted, headers)
    return Response(200, encode_aggregate_page(page), headers=headers)


class _AggregateRead:
    """What was asked for. Reading forward moves ``from_version`` on, reading backward ``to_version`` down."""

    def __init__(self, services: Services, key: AggregateKey, query: QueryString) -> None:
        self._store = services.store
        self._key = key
        self._direction = query.direction()
        self._from_version = query.integer("from_version")
        self._to_version = query.integer("to_version")
        self.moving_end = "to_version" if self._direction == "backward" else "from_version"

    async def page(self, limit: int) -> AggregatePage:
        return await self._store.read_aggregate(
            self._key.aggregate_type,
            self._key.aggregate_id,
            from_version=self._from_version,
            to_version=self._to_version,
            direction=self._direction,
            limit=limit,
        )

    async def pages(self, budget: Budget) -> AsyncIterator[bytes]:
        while True:
            page = await self.page(budget.page_limit)
            yield page.lines
            if budget.spend(page.count) or page.next_version is None:
                return
            if self.moving_end == "from_version":
                self._from_version = page.next_version
            else:
                self._to_version = page.next_version
