"""One stream, followed: what is there is read from its aggregate, and what comes from the feed. The head that is looked
up first parts the two, so there is neither a gap nor an event twice."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import msgspec

from indelible.cursors import Cursor
from indelible.errors import AggregateNotFound
from indelible.events import AggregateKey, names_in_line
from indelible.eventstore import EventStore, FeedPage
from indelible.limits import SUBSCRIPTION_PAGE_EVENTS_MAX
from indelible.queries import EVERYTHING, EventQuery

_VERSION: Final = "v"
_FIRST_NAME: Final = b'"aggregate_type":'
"""In a line, before what stands in the event itself."""


def behind_version(version: int) -> Cursor:
    """Where one begins to follow a stream who has seen so many of its events. No store knows such a cursor."""
    return Cursor(f"{_VERSION}{version}")


class FollowedStream(msgspec.Struct, frozen=True):
    """The stream of an aggregate, to be followed as a store is."""

    store: EventStore
    key: AggregateKey

    @property
    def query(self) -> EventQuery:
        """What to follow it with."""
        return EventQuery.of(aggregate_types=[self.key.aggregate_type])

    async def follow(
        self, query: EventQuery = EVERYTHING, *, after: Cursor | None = None, gather_s: float = 0.0
    ) -> AsyncGenerator[FeedPage]:
        """From a cursor of :func:`behind_version` on, or from one of the store, as its pages have them."""
        if after is not None and after.startswith(_VERSION):
            head = await self.store.head()
            async with aclosing(self._until(head.position, int(after.removeprefix(_VERSION)))) as there:
                async for page in there:
                    given = [page]
                    del page  # it is large, and its taker may take its time
                    yield given.pop()
            after = head.cursor
        async with aclosing(self.store.follow(query, after=after, gather_s=gather_s)) as pages:
            while True:
                yield self._own_of(await anext(pages))

    async def _until(self, position: int, version: int) -> AsyncGenerator[FeedPage]:
        """What the stream has behind a version, up to this position."""
        following: int | None = version + 1
        while following is not None:
            try:
                page = await self.store.read_aggregate(
                    self.key.aggregate_type, self.key.aggregate_id,
                    from_version=following, limit=SUBSCRIPTION_PAGE_EVENTS_MAX,
                )  # fmt: skip
            except AggregateNotFound:
                return
            count = sum(event.position <= position for event in page.events)
            lines = page.lines if count == page.count else b"\n".join(page.lines.split(b"\n")[:count])
            if not count:
                return
            cursors = tuple(behind_version(following + i) for i in range(count))
            following = page.next_version if count == page.count else None
            del page
            given = [FeedPage(lines, count, cursors[-1], at_end=False, cursors=cursors)]
            del lines
            yield given.pop()

    def _own_of(self, page: FeedPage) -> FeedPage:
        """The same page without the events of other streams of the type."""
        names = names_in_line(self.key).encode()
        if names not in page.lines:
            return FeedPage(b"", 0, page.cursor, page.at_end)
        lines = page.lines.split(b"\n")
        own = [i for i, line in enumerate(lines) if line.startswith(names, line.index(_FIRST_NAME))]
        cursors = None if page.cursors is None else tuple([page.cursors[i] for i in own])
        return FeedPage(b"\n".join([lines[i] for i in own]), len(own), page.cursor, page.at_end, cursors)
