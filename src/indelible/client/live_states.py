"""The states of all aggregates of a type, kept in memory: the smallest read model, made anew by each process."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from typing import Final, Generic, TypeVar

from indelible.cursors import Cursor
from indelible.events import RecordedEvent
from indelible.eventstore import EventStore
from indelible.queries import EventQuery

T = TypeVar("T")


def never(_: object) -> bool:
    return False


class LiveStates(Mapping[str, T], Generic[T]):
    """States by ``aggregate_id``, as far as :meth:`run` has come; made by :meth:`Repository.live`. Belongs to one event
    loop.

    An aggregate whose state satisfies ``until`` is left out, and takes no memory. That is for what comes last in an
    aggregate's life: when something happens to it all the same, its state is loaded from the store for every event.
    There is no limit to how many are held. So take a projection into a database where they are too many, or where
    reading them all takes too long at the start of a process.
    """

    def __init__(
        self,
        store: EventStore,
        aggregate_type: str,
        apply: Callable[[T, RecordedEvent], T],
        initial: Callable[[], T],
        *,
        load: Callable[[str, int], Awaitable[T]],
        until: Callable[[T], bool],
    ) -> None:
        self._store: Final = store
        self._query: Final = EventQuery.of(aggregate_types=[aggregate_type])
        self._apply: Final = apply
        self._initial: Final = initial
        self._load: Final = load
        self._until: Final = until
        self._held: Final[dict[str, tuple[T, int]]] = {}
        """With the version that each is of."""
        self.cursor: Cursor | None = None
        """Every event at or before it is in the states; None before the first."""

    def __getitem__(self, aggregate_id: str) -> T:
        return self._held[aggregate_id][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    async def states(self) -> dict[str, T]:
        """A copy of them all."""
        return dict(self)

    async def run(self) -> None:
        """Follow the log until cancelled. A server that is out of reach is waited for. May be called again, and goes on
        where it was. Raises what ``apply`` raises, and meets that event again when it is called again."""
        async with aclosing(self._store.follow(self._query, after=self.cursor)) as pages:
            async for page in pages:
                for event, cursor in page.events_with_cursors():
                    await self._take(event)
                    self.cursor = cursor
                self.cursor = page.cursor

    async def _take(self, event: RecordedEvent) -> None:
        # Left out until it succeeds: apply may have changed half of what it was given.
        held = self._held.pop(event.aggregate_id, None)
        state, version = held or (self._initial(), 0)
        if version == event.version - 1:
            state = self._apply(state, event)
        else:
            state = await self._load(event.aggregate_id, event.version)
        if not self._until(state):
            self._held[event.aggregate_id] = (state, event.version)
