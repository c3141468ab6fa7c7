"""What every screen works with: the store, how it does, and how far its log has come."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

from textual.message import Message

from indelible.eventstore import EventStore, Head
from indelible.ui.rates import HeadRate
from indelible.ui.reach import REFUSALS, Reach

OpenForWriting = Callable[[], AbstractAsyncContextManager[EventStore]]


class Session:
    """``place``: what the store is called, for people. ``for_writing`` gives the store as it may be changed, where that
    takes another one, such as one that nobody else has open for writing."""

    def __init__(self, store: EventStore, place: str, for_writing: OpenForWriting | None = None) -> None:
        self.store: Final = store
        self.place: Final = place
        self.for_writing: Final[OpenForWriting] = for_writing or (lambda: nullcontext(store))
        self.reach: Final = Reach()
        self.rate: Final = HeadRate()
        self.head: Head | None = None
        """As of the last answer."""
        self.refusal: str | None = None
        """Why the head is not told, where it is not."""

    async def look_at_head(self) -> None:
        try:
            self.head = await self.reach.ask(self.store.head)
        except REFUSALS as error:
            self.refusal = error.message
        else:
            self.rate.add(self.head.position, time.monotonic())

    @property
    def has_partitions(self) -> bool:
        return self.head is not None and self.head.partitions > 1


class ShowAggregate(Message):
    """Somebody wants to see an aggregate's events."""

    def __init__(self, aggregate_type: str, aggregate_id: str) -> None:
        super().__init__()
        self.aggregate_type: Final = aggregate_type
        self.aggregate_id: Final = aggregate_id
