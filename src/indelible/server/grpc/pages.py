"""How much one stream of pages may hold, over gRPC."""

from indelible.errors import InvalidRequest
from indelible.server.streams import Budget
from indelible.wire.pb.event_store_pb2 import ReadAggregateRequest, ReadFeedRequest


class PageBudget:
    """Events and pages that may still come."""

    def __init__(self, request: ReadAggregateRequest | ReadFeedRequest) -> None:
        self._events = Budget(request.limit if request.HasField("limit") else None)
        self._pages_left = request.pages_max if request.HasField("pages_max") else None
        if self._pages_left is not None and self._pages_left < 1:
            raise InvalidRequest("must be at least 1", pointer="/pages_max")

    @property
    def page_limit(self) -> int:
        return self._events.page_limit

    def spend(self, count: int) -> bool:
        """Whether nothing may come after one more page with ``count`` events."""
        if self._pages_left is not None:
            self._pages_left -= 1
        return self._events.spend(count) or self._pages_left == 0
