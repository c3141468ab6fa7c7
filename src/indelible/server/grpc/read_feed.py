"""ReadFeed: the log up to its end, page after page."""

from collections.abc import AsyncGenerator

from indelible.cursors import Cursor
from indelible.server.grpc.pages import PageBudget
from indelible.server.services import Services
from indelible.wire.pb.event_store_pb2 import ReadFeedRequest
from indelible.wire.proto_requests import decode_direction, decode_query
from indelible.wire.proto_responses import encode_feed_page


async def read_feed(services: Services, request: ReadFeedRequest) -> AsyncGenerator[bytes]:
    query = decode_query(request.query)
    after = Cursor.parse(request.after) if request.HasField("after") else None
    direction = decode_direction(request.direction)
    budget = PageBudget(request)
    while True:
        page = await services.store.read_feed(query, after=after, direction=direction, limit=budget.page_limit)
        yield encode_feed_page(page)
        if budget.spend(page.count) or page.at_end:
            return
        after = page.cursor
