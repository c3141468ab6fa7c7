"""Writers that append all kinds of things, and keep a ledger."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from faults.ledger import Entry, Ledger, attempt
from indelible.errors import IndelibleError
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, EventStore

ACKNOWLEDGED_TIMEOUT_S = 120.0


class Load:
    """Tasks that append to aggregates of their own, with the expected version, and to shared ones, without. ``writers``
    are their numbers: loads that share a store must share none."""

    def __init__(self, ledger: Ledger, writers: Sequence[int] = range(8), seed: int = 0) -> None:
        self.ledger = ledger
        self._writers = [_Writer(ledger, number, random.Random(seed * 1_000 + number)) for number in writers]
        self._over = asyncio.Event()

    async def run(self, store: EventStore) -> list[IndelibleError]:
        """Append until each writer has met an error, or :meth:`stop`; those errors."""
        self._over.clear()
        errors = await asyncio.gather(*(writer.run(store, self._over.is_set) for writer in self._writers))
        return [error for error in errors if error is not None]

    def stop(self) -> None:
        self._over.set()

    async def until_acknowledged(self, count: int = 1) -> None:
        """Until so many of all appends in the ledger are, while this runs. However slow the machine is, there is
        something to lose then."""
        async with asyncio.timeout(ACKNOWLEDGED_TIMEOUT_S):
            while len(self.ledger.acknowledged) < count:  # noqa: ASYNC110 - what is waited for sets no event
                await asyncio.sleep(0.01)


class _Writer:
    def __init__(self, ledger: Ledger, number: int, chance: random.Random) -> None:
        self._ledger = ledger
        self._number = number
        self._chance = chance
        self._versions: defaultdict[AggregateKey, int] = defaultdict(int)
        self._last: Entry | None = None

    async def run(self, store: EventStore, is_over: Callable[[], bool]) -> IndelibleError | None:
        while not is_over():
            error = await attempt(self._ledger, store, self._next())
            if error is not None:
                return error
        return None

    def _next(self) -> Entry:
        if self._last is not None and self._last.results is not None and self._chance.random() < 0.05:
            return self._last  # a repeat of what was acknowledged
        kind = self._chance.random()
        if kind < 0.6:
            self._last = self._ledger.open([self._own(1)], atomic=False)
        elif kind < 0.75:
            self._last = self._ledger.open([self._own(self._chance.randint(2, 40))], atomic=False)
        elif kind < 0.85:
            shared = AggregateAppend.of("shared", str(self._chance.randrange(3)), self._events(1))
            self._last = self._ledger.open([shared], atomic=False)
        else:
            own = self._own(self._chance.randint(1, 3))
            names = self._chance.sample(range(3), self._chance.randint(1, 3))
            shared_ones = [AggregateAppend.of("shared", str(name), self._events(2)) for name in names]
            self._last = self._ledger.open([own, *shared_ones], atomic=True)
        return self._last

    def _own(self, count: int) -> AggregateAppend:
        """Events for an aggregate that nobody else appends to, so that its version is known: an append whose outcome
        is unknown is settled before this writer goes on."""
        key = AggregateKey("own", f"{self._number}/{self._chance.randrange(20)}")
        expected = self._versions[key]
        self._versions[key] += count
        return AggregateAppend(key, tuple(self._events(count)), expected)

    def _events(self, count: int) -> Iterable[NewEvent]:
        return tuple(self._event() for _ in range(count))

    def _event(self) -> NewEvent:
        if self._chance.random() < 0.1:
            return NewEvent("Scanned", self._chance.randbytes(self._chance.randint(0, 300)))
        data = {"n": self._chance.getrandbits(70), "text": "ż" * self._chance.randint(0, 200)}
        return NewEvent("Counted", data, metadata={"writer": self._number}, tags=[f"tag{self._chance.randrange(5)}"])
