"""``GET /v1/events``: the feed, as a page or as a stream."""

from collections.abc import AsyncIterator
from typing import Final

from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.events import JSON_CONTENT_TYPE
from indelible.eventstore import FeedPage
from indelible.limits import PAGE_EVENTS_DEFAULT
from indelible.queries import EventQuery
from indelible.server.http.event_stream import EVENT_STREAM_CONTENT_TYPE, subscribe
from indelible.server.http.links import next_link, with_parameter
from indelible.server.http.media_types import negotiate
from indelible.server.http.messages import NDJSON_CONTENT_TYPE, Headers, Request, Response, StreamedResponse
from indelible.server.http.ndjson import stream_lines
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.http.query_string import QueryString
from indelible.server.services import Services
from indelible.server.streams import Budget
from indelible.wire.cloudevents import CLOUDEVENTS_BATCH_CONTENT_TYPE, encode_cloud_events
from indelible.wire.feed_query import decode_items
from indelible.wire.responses import FeedPageBody, encode_feed_page

READ_FEED: Final = Operation(
    "read_feed",
    "Read",
    "Read the feed",
    "Events of all aggregates in the order of their positions, filtered if wanted: any of the event types, any of the "
    "aggregate types, and all of the tags.\n\n"
    "Give a page's `cursor` as `after` of the next one, or follow `Link`, until `at_end`. A page looks at a bounded "
    "part of the log, so it may be short, or empty, without being the last. A cursor past the end of the log is an "
    "error.\n\n"
    "With `Accept: application/x-ndjson` everything asked for comes in one stream, one event a line, without a page "
    "limit.\n\n"
    "With `Accept: application/cloudevents-batch+json` a page is a batch of CloudEvents; its cursor is the header "
    "`Indelible-Cursor`, and it is the last one when there is no `Link`.\n\n"
    "With `Accept: text/event-stream` it is a subscription that never ends: each event is a message whose `id` is the "
    "cursor behind it, `caught-up` says that the log's end is reached, `checkpoint` how far reading has come, and a "
    "comment keeps a silent connection open. `Last-Event-ID` resumes. `direction` and `limit` are not for it.",
    (Answer(200, "A page of events.", FeedPageBody, ("Link", "Indelible-Cursor")),),
    query=("after", "direction", "limit", "event_type", "aggregate_type", "tag", "since", "until", "items"),
    errors=("not_acceptable",),
)


_OFFERED: Final = (JSON_CONTENT_TYPE, NDJSON_CONTENT_TYPE, EVENT_STREAM_CONTENT_TYPE, CLOUDEVENTS_BATCH_CONTENT_TYPE)
_SINGLE = ("after", "direction", "limit", "since", "until", "items")
_REPEATABLE = ("event_type", "aggregate_type", "tag")


async def feed(services: Services, request: Request) -> Response | StreamedResponse:
    query = request.query(*_SINGLE, repeatable=_REPEATABLE)
    read = _FeedRead(services, query)
    wanted = negotiate(request.headers.get(b"accept"), _OFFERED)
    if wanted == EVENT_STREAM_CONTENT_TYPE:
        return await _subscribe(services, request, query)
    if wanted == NDJSON_CONTENT_TYPE:
        return await stream_lines(read.pages(Budget(query.integer("limit"))))
    limit = query.integer("limit")
    page = await read.page(PAGE_EVENTS_DEFAULT if limit is None else limit)
    headers: Headers = ((b"indelible-cursor", page.cursor.encode("ascii")),)
    if not page.at_end:
        headers += next_link("/v1/events", with_parameter(query.pairs(), "after", page.cursor))
    if wanted == CLOUDEVENTS_BATCH_CONTENT_TYPE:
        return Response(200, encode_cloud_events(page.lines), wanted, headers)
    return Response(200, encode_feed_page(page), headers=headers)


async def _subscribe(services: Services, request: Request, query: QueryString) -> StreamedResponse:
    for name in ("direction", "limit"):
        if name in query:
            raise InvalidRequest("is not for subscriptions, which go forward without an end", pointer=f"/{name}")
    # A client that resumes says where it had come to, whatever its URL said at first.
    last_id = request.headers.get(b"last-event-id", b"").decode("latin-1")
    text = last_id or query.text("after")
    try:
        after = None if text is None else Cursor.parse(text)
        chunks = await subscribe(services, _event_query(query), after)
    except InvalidRequest as error:
        if last_id and error.pointer == "/after":
            raise InvalidRequest(error.message, pointer="/Last-Event-ID") from None
        raise
    return StreamedResponse(chunks, EVENT_STREAM_CONTENT_TYPE, is_endless=True)


class _FeedRead:
    """What was asked for, and how far reading has come."""

    def __init__(self, services: Services, query: QueryString) -> None:
        self._store = services.store
        self._query = _event_query(query)
        self._direction = query.direction()
        after = query.text("after")
        self._after = None if after is None else Cursor.parse(after)

    async def page(self, limit: int) -> FeedPage:
        return await self._store.read_feed(self._query, after=self._after, direction=self._direction, limit=limit)

    async def pages(self, budget: Budget) -> AsyncIterator[bytes]:
        while True:
            page = await self.page(budget.page_limit)
            yield page.lines
            if budget.spend(page.count) or page.at_end:
                return
            self._after = page.cursor


def _event_query(query: QueryString) -> EventQuery:
    since, until = query.time("since"), query.time("until")
    items = query.text("items")
    if items is not None:
        if any(name in query for name in _REPEATABLE):
            raise InvalidRequest(f"must not stand next to {', '.join(_REPEATABLE)}", pointer="/items")
        return EventQuery(decode_items(items), since, until)
    try:
        return EventQuery.of(
            event_types=query.texts("event_type"),
            aggregate_types=query.texts("aggregate_type"),
            tags=query.texts("tag"),
            since=since,
            until=until,
        )
    except InvalidRequest as error:
        raise _by_parameter(error) from None


def _by_parameter(error: InvalidRequest) -> InvalidRequest:
    """The pointer of a query's field, such as "/event_types/2", as that of the parameter that it came from."""
    pointer = error.pointer
    for plural, parameter in zip(("/event_types", "/aggregate_types", "/tags"), _REPEATABLE, strict=True):
        if pointer.startswith(plural):
            pointer = f"/{parameter}"
    return InvalidRequest(error.message, **{**error.fields, "pointer": pointer})
