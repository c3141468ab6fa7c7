"""Subscribe: the log, and what comes to it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from indelible.cursors import Cursor
from indelible.errors import ShuttingDown
from indelible.limits import RETRY_AFTER_S
from indelible.server.grpc.methods import MakeRoom
from indelible.server.services import Services
from indelible.server.streams import FollowedFeed, stream_messages
from indelible.wire.pb.event_store_pb2 import SubscribeRequest
from indelible.wire.proto_requests import decode_query
from indelible.wire.proto_responses import encode_lines, encode_told


async def subscribe(services: Services, request: SubscribeRequest, make_room: MakeRoom) -> AsyncGenerator[bytes]:
    after = Cursor.parse(request.after) if request.HasField("after") else None
    query = decode_query(request.query)
    feed = FollowedFeed(services.store, query, after, services.rendered_pages, render=encode_lines, make_room=make_room)
    await feed.read()
    cursor, at_end = feed.cursor, False
    async with aclosing(stream_messages(feed, services.stopping)) as all_told:
        async for told in all_told:
            if told is None:
                yield encode_told(b"", cursor, at_end=at_end)
                continue
            _, cursor, at_end, _ = told
            message = encode_told(told.data, cursor, at_end=at_end)
            del told  # kept here for as long as the caller takes, it would be held twice
            yield message
            del message
    raise ShuttingDown("the server stops; subscribe again after the last cursor", retry_after_s=RETRY_AFTER_S)
