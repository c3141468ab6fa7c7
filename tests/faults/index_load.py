"""What a fault run of the query index appends, what may be asked of the index then, and who appends."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from faults.ledger import Ledger, attempt
from indelible import AggregateAppend, NewEvent, RecordedEvent
from indelible.errors import OutcomeUnknown, Unavailable
from indelible.eventstore import EventStore
from indelible.search import FieldType, SearchQuery, Where

FIELDS: Final[Mapping[str, FieldType]] = {"event_data.append": "number", "event_data.name": "string"}
EVENT_TYPES: Final = ("Placed", "Paid", "Packed", "Sent", "Returned")
AGGREGATES: Final = 1_000
EVENTS_AN_APPEND_MAX: Final = 20
WRITERS: Final = 10
_VALUES: Final = 500
"""Of names, of tags and of words: of 100,000 events 200 have the same one, and fit on a page."""
_LATEST_MAX: Final = 50
_RETRY_S: Final = 0.02


class Question(NamedTuple):
    """A search for all events with one value."""

    by: str
    value: Any

    @property
    def query(self) -> SearchQuery:
        return _QUERIES[self.by](self.value)


_QUERIES: Final[Mapping[str, Callable[[Any], SearchQuery]]] = {
    "aggregate": lambda value: SearchQuery(where=(Where("aggregate_id", "=", value),)),
    "append": lambda value: SearchQuery(where=(Where("event_data.append", "=", value),)),
    "name": lambda value: SearchQuery(where=(Where("event_data.name", "=", value),)),
    "tag": lambda value: SearchQuery(tags=(value,)),
    "word": SearchQuery,
    "event type": lambda value: SearchQuery(event_types=(value,)),
    # All of them, however it is asked.
    "field": lambda value: SearchQuery(where=(Where(value, "exists"),)),
}

NARROW: Final = ("aggregate", "append", "name", "tag", "word")
"""Those whose answer is one page."""


def questions_of(aggregate_id: str, event: NewEvent | RecordedEvent) -> list[Question]:
    """Those that find it."""
    data = event.event_data
    return [
        Question("aggregate", aggregate_id), Question("append", data["append"]), Question("name", data["name"]),
        Question("word", data["text"].split()[0]), Question("event type", event.event_type),
        *(Question("tag", tag) for tag in event.tags), Question("field", "event_data.append"),
    ]  # fmt: skip


class Appended(NamedTuple):
    """An append that was acknowledged."""

    position: int
    """Of its last event."""
    questions: Sequence[Question]
    """That find that event, the narrow ones."""


class Writers:
    """Append what they are told to, each through one of the stores in turn, again and again with the same ids until it
    is acknowledged."""

    def __init__(self, stores: Sequence[EventStore], ledger: Ledger, seed: int) -> None:
        self._stores: Final = stores
        self._ledger: Final = ledger
        self._chance: Final = random.Random(seed)
        self._sizes: Final[asyncio.Queue[int]] = asyncio.Queue()
        self._numbers = 0
        self.told = 0
        """Events that are to be appended."""
        self.latest: Final[deque[Appended]] = deque(maxlen=_LATEST_MAX)

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(*(self._run(self._stores[n % len(self._stores)]) for n in range(WRITERS)))

    def tell(self, events: int) -> None:
        """To append so many more."""
        self.told += events
        while events > 0:
            size = min(self._chance.randint(1, EVENTS_AN_APPEND_MAX), events)
            self._sizes.put_nowait(size)
            events -= size

    async def until_done(self) -> None:
        await self._sizes.join()

    async def _run(self, store: EventStore) -> None:
        while True:
            append = self._append(await self._sizes.get())
            entry = self._ledger.open([append], atomic=False)
            while (error := await attempt(self._ledger, store, entry)) is not None:
                assert isinstance(error, (OutcomeUnknown, Unavailable)), error
                await asyncio.sleep(_RETRY_S)
            assert entry.results is not None
            found_by = questions_of(append.key.aggregate_id, append.events[-1])
            narrow = [one for one in found_by if one.by in NARROW]
            self.latest.append(Appended(entry.results[0].position, narrow))
            self._sizes.task_done()

    def _append(self, size: int) -> AggregateAppend:
        self._numbers += 1
        aggregate = f"order{self._chance.randrange(AGGREGATES)}"
        return AggregateAppend.of("order", aggregate, [self._event(self._numbers) for _ in range(size)])

    def _event(self, append: int) -> NewEvent:
        name, tag, word = (self._chance.randrange(_VALUES) for _ in range(3))
        data = {"append": append, "name": f"name{name}", "text": f"word{word} stands in all of them"}
        return NewEvent(self._chance.choice(EVENT_TYPES), data, tags=[f"tag{tag}"])
