"""Streams of pages: how much they may hold, and one page after the other."""

from collections.abc import AsyncGenerator
from typing import Any, TypeVar

import msgspec

from indelible.errors import InvalidRequest
from indelible.eventstore import AggregatePage, FeedPage
from indelible.limits import PAGE_EVENTS_MAX, VERSION_MAX
from indelible.operations import Operation
from indelible.operations.events import ReadAggregate, ReadFeed

PageT = TypeVar("PageT", AggregatePage, FeedPage)


class Budget:
    """How many events a stream may still hold."""

    def __init__(self, limit: int | None) -> None:
        if limit is not None and not 1 <= limit <= VERSION_MAX:
            raise InvalidRequest(f"must be from 1 to {VERSION_MAX}", pointer="/limit")
        self._left = limit

    @property
    def page_limit(self) -> int:
        return PAGE_EVENTS_MAX if self._left is None else min(PAGE_EVENTS_MAX, self._left)

    def spend(self, count: int) -> bool:
        """Whether nothing is left after ``count`` more events."""
        if self._left is None:
            return False
        self._left -= count
        return self._left <= 0


async def read_pages(
    operation: Operation[Any, PageT], store: Any, asked: ReadAggregate | ReadFeed, *, pages_max: int | None = None
) -> AsyncGenerator[PageT]:
    """All that is asked for, without a page limit; or that of the first ``pages_max`` pages."""
    budget = Budget(asked.limit)
    if pages_max is not None and pages_max < 1:
        raise InvalidRequest("must be at least 1", pointer="/pages_max")
    following: ReadAggregate | ReadFeed | None = asked
    pages = 0
    while following is not None:
        page: PageT = await operation.ask(store, msgspec.structs.replace(following, limit=budget.page_limit))
        yield page
        pages += 1
        if budget.spend(page.count) or pages == pages_max:
            return
        following = following.following(page)  # type: ignore[arg-type]  # the page is of its own operation
