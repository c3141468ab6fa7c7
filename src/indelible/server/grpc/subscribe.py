"""Subscribe: the log, and what comes to it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from indelible.errors import ShuttingDown
from indelible.limits import RETRY_AFTER_S
from indelible.queries import Cursor
from indelible.server.narration import tell
from indelible.server.services import Services
from indelible.wire.pb.event_store_pb2 import SubscribeRequest
from indelible.wire.proto_requests import decode_query
from indelible.wire.proto_responses import encode_told_cursor, encode_told_page


async def subscribe(services: Services, request: SubscribeRequest) -> AsyncGenerator[bytes]:
    after = Cursor.parse(request.after) if request.HasField("after") else None
    async with aclosing(services.store.follow(decode_query(request.query), after=after)) as pages:
        last = await anext(pages)
        async with aclosing(tell(last, pages, services.stopping)) as told_pages:
            async for told in told_pages:
                if told is None:
                    yield encode_told_cursor(last)
                else:
                    last = told.page
                    yield encode_told_page(last)
    raise ShuttingDown("the server stops; subscribe again after the last cursor", retry_after_s=RETRY_AFTER_S)
