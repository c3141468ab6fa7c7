"""What the REST API does with events: appends, pages, streams of lines, and subscriptions.

A subscription comes as server-sent events. ``id:`` is the cursor behind what came, so that a browser, or whoever else,
resumes by ``Last-Event-ID``. Events come as messages without a name, each with the event's JSON as data; ``caught-up``
says that the log's end is reached, ``checkpoint`` how far reading has come where nothing matched. Comments keep silent
connections open.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final

from indelible.conditions import ExpectedVersion
from indelible.cursors import Cursor, cursor_behind
from indelible.errors import IndelibleError, InvalidRequest, NotAcceptable, VersionConflict
from indelible.events import JSON_CONTENT_TYPE, AggregateKey, NewEvent, RecordedEvent
from indelible.eventstore import AggregateAppend, AggregatePage, FeedPage, each_outcome
from indelible.limits import HEADER_SIZE_BYTES_MAX, STREAM_CHUNK_SIZE_BYTES_MAX
from indelible.operations import Operation
from indelible.operations import events as operations
from indelible.server.call import Call
from indelible.server.http.messages import (
    NDJSON_CONTENT_TYPE,
    Headers,
    Request,
    Response,
    StreamedResponse,
    etag,
    next_link,
    problem_response,
)
from indelible.server.streams import FollowedFeed, StreamMessage, read_pages, stream_messages
from indelible.tasks import taken_by_turns
from indelible.wire import cloudevents, json_events
from indelible.wire.errors import STATUS_PRECONDITION_FAILED
from indelible.wire.operation_json import encode_answer

_ENTITY_TAG: Final = re.compile(rb'"([0-9]{1,16})"')
_APPENDS_TAKEN: Final = (
    JSON_CONTENT_TYPE,
    cloudevents.CLOUDEVENT_CONTENT_TYPE,
    cloudevents.CLOUDEVENTS_BATCH_CONTENT_TYPE,
)
_PAGES_OFFERED: Final = (JSON_CONTENT_TYPE, NDJSON_CONTENT_TYPE, cloudevents.CLOUDEVENTS_BATCH_CONTENT_TYPE)
_FEED_OFFERED: Final = (
    JSON_CONTENT_TYPE,
    NDJSON_CONTENT_TYPE,
    operations.EVENT_STREAM,
    cloudevents.CLOUDEVENTS_BATCH_CONTENT_TYPE,
)
_BINARY: Final = "application/cloudevents"
"""Asks for binary mode, whose own media type is that of the data."""
_EVENT_OFFERED: Final = (JSON_CONTENT_TYPE, cloudevents.CLOUDEVENT_CONTENT_TYPE, _BINARY)
_HEARTBEAT: Final = b":\n\n"

# --- Appends ---------------------------------------------------------------------------------------------------------


async def append(call: Call, request: Request) -> Response:
    expected_version = _expected_version_of(request.headers)
    key = _key_of(request)
    request.query(operations.APPEND)
    if cloudevents.is_binary_cloud_event(request.headers):
        event = cloudevents.decode_binary_cloud_event(request.headers, await request.whole_body(), key)
        decoded = _append_of((event,), key, expected_version)
    else:
        decoded = _decode_append(*await request.body(_APPENDS_TAKEN), key, expected_version)
    call.take_events(len(decoded.events))
    try:
        result = await call.store.append(
            key.aggregate_type, key.aggregate_id, decoded.events, expected_version=decoded.expected_version
        )
    except VersionConflict as error:
        if expected_version is None:
            raise
        return problem_response(error, STATUS_PRECONDITION_FAILED, etag(error.actual_version))
    return Response(
        json_events.append_status(result), encode_answer(operations.APPEND, result), headers=etag(result.version)
    )


def _expected_version_of(headers: dict[bytes, bytes]) -> ExpectedVersion | None:
    """``If-Match: "3"`` expects version 3, ``If-Match: *`` any but 0, ``If-None-Match: *`` 0 (RFC 9110, section 13.1).
    None without either."""
    if_match = headers.get(b"if-match")
    if_none_match = headers.get(b"if-none-match")
    if if_none_match is not None:
        if if_match is not None:
            raise InvalidRequest("must not stand next to If-Match", pointer="/If-None-Match")
        if if_none_match != b"*":
            raise InvalidRequest('must be "*" on an append', pointer="/If-None-Match")
        return "none"
    if if_match is None:
        return None
    if if_match == b"*":
        return "exists"
    tag = _ENTITY_TAG.fullmatch(if_match)
    if tag is None:
        raise InvalidRequest('must be one version in quotes, such as "3", or *', pointer="/If-Match")
    return int(tag[1])


def _key_of(request: Request) -> AggregateKey:
    """The aggregate that the path names, not checked yet."""
    return AggregateKey(request.parameter("aggregate_type"), request.parameter("aggregate_id"))


def _decode_append(
    media_type: str, body: bytes, key: AggregateKey, expected_version: ExpectedVersion | None
) -> AggregateAppend:
    if media_type == JSON_CONTENT_TYPE:
        return json_events.decode_append(body, key, expected_version=expected_version)
    if media_type == cloudevents.CLOUDEVENT_CONTENT_TYPE:
        return _append_of((cloudevents.decode_cloud_event(body, key),), key, expected_version)
    return _append_of(cloudevents.decode_cloud_events(body, key), key, expected_version)


def _append_of(
    events: tuple[NewEvent, ...], key: AggregateKey, expected_version: ExpectedVersion | None
) -> AggregateAppend:
    return AggregateAppend(key, events, "any" if expected_version is None else expected_version)


async def append_atomic(call: Call, request: Request) -> Response:
    request.query(operations.APPEND_ATOMIC)
    asked = json_events.decode_atomic_append(await request.json_body())
    call.take_events(sum(len(one.events) for one in asked.appends))
    result = await call.store.append_atomic(asked.appends, condition=asked.condition)
    return Response(json_events.append_status(result), encode_answer(operations.APPEND_ATOMIC, result))


async def append_batch(call: Call, request: Request) -> Response:
    request.query(operations.APPEND_BATCH)
    decoded = await taken_by_turns(json_events.decode_batch(await request.json_body()))
    call.take_events(sum(len(one.events) for one in decoded if not isinstance(one, IndelibleError)))
    return Response(200, json_events.encode_batch_results(await each_outcome(decoded, call.store.append_each)))


# --- Pages -----------------------------------------------------------------------------------------------------------


async def read_aggregate(call: Call, request: Request) -> Response | StreamedResponse:
    asked = await request.asked_with(operations.READ_AGGREGATE)
    media_type = negotiate(request.headers.get(b"accept"), _PAGES_OFFERED)
    if media_type == NDJSON_CONTENT_TYPE:
        return await _stream_lines(read_pages(operations.READ_AGGREGATE, call.store, asked))
    page = await operations.READ_AGGREGATE.ask(call.store, asked)
    headers: Headers = ()
    if page.next_version is not None:
        path = f"{json_events.aggregate_path(AggregateKey(asked.aggregate_type, asked.aggregate_id))}/events"
        headers = request.next_page(operations.READ_AGGREGATE, path, asked.moving_end, str(page.next_version))
    return _page_response(operations.READ_AGGREGATE, page, media_type, headers)


async def replay(call: Call, request: Request) -> Response:
    asked = await request.asked_with(operations.REPLAY)
    found = await operations.REPLAY.ask(call.store, asked)
    headers: Headers = ()
    if found.page.next_version is not None:
        rest = [("from_version", str(found.page.next_version))]
        if asked.at_version is not None:
            rest.append(("to_version", str(asked.at_version)))
        headers = next_link(
            f"{json_events.aggregate_path(AggregateKey(asked.aggregate_type, asked.aggregate_id))}/events", rest
        )
    return Response(200, encode_answer(operations.REPLAY, found), headers=headers)


async def read_feed(call: Call, request: Request) -> Response | StreamedResponse:
    media_type = negotiate(request.headers.get(b"accept"), _FEED_OFFERED)
    if media_type == operations.EVENT_STREAM:
        subscribed = await request.asked_with(operations.SUBSCRIBE)
        call.tell_export(operations.SUBSCRIBE, subscribed)
        return await _subscribe(call, request, subscribed)
    asked = await request.asked_with(operations.READ_FEED)
    if media_type == NDJSON_CONTENT_TYPE:
        call.tell_export(operations.READ_FEED, asked)
        return await _stream_lines(read_pages(operations.READ_FEED, call.store, asked))
    page = await operations.READ_FEED.ask(call.store, asked)
    headers: Headers = ((b"indelible-cursor", page.cursor.encode("ascii")),)
    if not page.at_end:
        headers += request.next_page(operations.READ_FEED, operations.READ_FEED.path, "after", page.cursor)
    return _page_response(operations.READ_FEED, page, media_type, headers)


def _page_response(
    operation: Operation[Any, Any], page: AggregatePage | FeedPage, media_type: str, headers: Headers
) -> Response:
    if media_type == cloudevents.CLOUDEVENTS_BATCH_CONTENT_TYPE:
        return Response(200, cloudevents.encode_cloud_events(page.lines), media_type, headers)
    return Response(200, encode_answer(operation, page), headers=headers)


async def _stream_lines(pages: AsyncGenerator[Any]) -> StreamedResponse:
    """The answer that holds all pages as NDJSON. Reads the first one now, so that what is wrong with the request is
    known before anything is sent."""
    first = await anext(pages)
    return StreamedResponse(_chunks(first.lines, pages), NDJSON_CONTENT_TYPE)


async def _chunks(lines: bytes | None, pages: AsyncGenerator[Any]) -> AsyncGenerator[bytes]:
    """Each page as a chunk; the next is read while the caller takes this one. Keeps no other page in memory: callers
    may take their time."""
    following: asyncio.Task[bytes | None] | None = None
    try:
        while lines is not None:
            following = asyncio.create_task(_next_lines(pages))
            # Lets it begin: to write this one takes a while too.
            await asyncio.sleep(0)
            if lines:
                lines += b"\n"
                yield lines
            lines = await following
    finally:
        if following is not None:
            following.cancel()


async def _next_lines(pages: AsyncGenerator[Any]) -> bytes | None:
    page = await anext(pages, None)
    return None if page is None else page.lines


# --- One event -------------------------------------------------------------------------------------------------------


async def get_event(call: Call, request: Request) -> Response:
    asked = await request.asked_with(operations.GET_EVENT)
    media_type = negotiate(request.headers.get(b"accept"), _EVENT_OFFERED)
    found = await operations.GET_EVENT.ask(call.store, asked)
    if media_type == cloudevents.CLOUDEVENT_CONTENT_TYPE:
        return Response(200, cloudevents.encode_cloud_event(found), media_type)
    if media_type == _BINARY:
        return _in_binary_mode(found)
    return Response(200, encode_answer(operations.GET_EVENT, found))


def _in_binary_mode(found: RecordedEvent) -> Response:
    headers, body = cloudevents.encode_binary_cloud_event(found)
    size_bytes = sum(len(name) + len(value) for name, value in headers.items())
    if size_bytes > HEADER_SIZE_BYTES_MAX:
        message = f"its metadata and tags take {size_bytes} bytes as headers, more than {HEADER_SIZE_BYTES_MAX}"
        raise NotAcceptable(message, offered=list(_EVENT_OFFERED[:2]))
    return Response(200, body, found.content_type, tuple(headers.items()), is_verbatim=True)


# --- Which media type ------------------------------------------------------------------------------------------------


def negotiate(accept: bytes | None, offered: tuple[str, ...]) -> str:
    """The offered type that the Accept header weighs highest (RFC 9110, section 12.5.1); of equals the one offered
    first.

    Raises ``NotAcceptable`` when it takes none of them.
    """
    if accept is None:
        return offered[0]
    ranges = dict(_parse_range(part) for part in accept.decode("latin-1").lower().split(","))
    best = max(offered, key=lambda media_type: _weight(media_type, ranges))
    if _weight(best, ranges) <= 0:
        raise NotAcceptable(f"offered here: {', '.join(offered)}", offered=list(offered))
    return best


def _parse_range(text: str) -> tuple[str, float]:
    media_range, *parameters = (part.strip() for part in text.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return media_range, float(parameter[2:])
            except ValueError:
                return media_range, 0.0
    return media_range, 1.0


def _weight(media_type: str, ranges: dict[str, float]) -> float:
    """What the most specific range that matches says."""
    main = media_type.partition("/")[0]
    return next((ranges[one] for one in (media_type, f"{main}/*", "*/*") if one in ranges), 0.0)


# --- Subscriptions ---------------------------------------------------------------------------------------------------


async def _subscribe(call: Call, request: Request, asked: operations.Subscribe) -> StreamedResponse:
    """What goes over the wire until the caller leaves or the server stops, in pieces: what is given to a connection
    whose reader takes nothing lies there. Reads the first page now, so that what is wrong with the request is known
    before anything is sent."""
    # A client that resumes says where it had come to, whatever its URL said at first.
    last_id = request.headers.get(b"last-event-id", b"").decode("latin-1")
    try:
        feed = FollowedFeed(
            call.store, asked.query, Cursor.parse(last_id) if last_id else asked.after, call.rendered_pages,
            render=render_messages, gather_s=asked.gather_s, take_size_bytes_max=STREAM_CHUNK_SIZE_BYTES_MAX,
        )  # fmt: skip
        await feed.read()
    except InvalidRequest as error:
        if last_id and error.pointer == "/after":
            raise InvalidRequest(error.message, pointer="/Last-Event-ID") from None
        raise
    # Now, while it can be answered so.
    call.check_subscriptions()
    return StreamedResponse(_messages(feed, call), operations.EVENT_STREAM, is_endless=True)


async def _messages(feed: FollowedFeed, call: Call) -> AsyncGenerator[bytes]:
    with call.subscribed():
        async with aclosing(stream_messages(feed, call.stopping)) as messages:
            async for message in messages:
                chunk = _render(message)
                del message  # kept here for as long as the caller takes, it would be held twice
                yield chunk
                del chunk


def _render(message: StreamMessage | None) -> bytes:
    if message is None:
        return _HEARTBEAT
    if message.has_caught_up:
        return message.data + _message("caught-up", message.cursor)
    return message.data or _message("checkpoint", message.cursor)


def _message(name: str, cursor: Cursor) -> bytes:
    return f'id: {cursor}\nevent: {name}\ndata: {{"cursor":"{cursor}"}}\n\n'.encode()


def render_messages(lines: Sequence[bytes], cursors: Sequence[Cursor] | None) -> bytes:
    """Events as messages."""
    behind = cursors or map(cursor_behind, lines)
    return b"".join(
        b"id: %b\ndata: %b\n\n" % (cursor.encode(), line) for line, cursor in zip(lines, behind, strict=True)
    )
