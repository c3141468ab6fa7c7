"""Callers at an even pace: writers that read back what they wrote, subscribers and consumers; and what each was told.

Every writer appends to an aggregate of its own with the version that it expects, so an append that was stored twice, or
not at all, makes its next one fail.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from itertools import cycle
from statistics import quantiles
from uuid import UUID

import msgspec

from indelible import AsyncClient, Cursor, EventQuery, NewEvent
from indelible.cursors import cursor_at, position_of
from indelible.errors import IndelibleError
from indelible.queries import EVERYTHING

TAGS = 10
"""An event has one of so many tags."""
GROUP_TAG = 0
EVENTS_AN_AGGREGATE = 200
EVENTS_AN_APPEND = 100
"""Of those that are appended before all else."""
READ_EVERY = 5
"""A writer reads back one append in so many."""
FAILURES_SHOWN_MAX = 20
SILENCE_MAX_S = 60.0
"""Of a subscriber that has not got everything. How long all of it takes is for the machine to say."""


class Load(msgspec.Struct, frozen=True):
    appends_per_s: float
    writers: int = 64
    subscribers: int = 4
    """Half of them to everything, half to one tag each."""
    members: int = 0
    """Of one consumer group, of the events with one tag."""
    first_events: int = 0
    """Large ones that are appended before all else, as fast as can be: caches are full then."""


class Heard:
    """What callers were told. ``keeps_ids``: every event that was acknowledged is remembered, with its position."""

    def __init__(self, *, keeps_ids: bool) -> None:
        self.appends_s: list[float] = []
        self.reads_s: list[float] = []
        self.acknowledged = 0
        self.replayed = 0
        self.of_tag = [0] * TAGS
        self.positions: dict[UUID, int] | None = {} if keeps_ids else None
        self.failures = 0
        self.first_failures: list[str] = []

    def failed(self, what: str, error: Exception) -> None:
        self.failures += 1
        if len(self.first_failures) < FAILURES_SHOWN_MAX:
            self.first_failures.append(f"{what}: {type(error).__name__}: {error}")


async def _news(moved: asyncio.Event) -> None:
    moved.clear()
    async with asyncio.timeout(SILENCE_MAX_S):
        await moved.wait()


def p99(times_s: Sequence[float]) -> float:
    return quantiles(times_s, n=100)[98] if len(times_s) > 1 else 0.0


class Callers:
    """Run ``run()`` as a task; :meth:`finish` ends the writers and waits until each subscriber has everything."""

    def __init__(self, clients: Sequence[AsyncClient], load: Load, *, keeps_ids: bool = False) -> None:
        self.heard = Heard(keeps_ids=keeps_ids)
        self._load = load
        self.begun = asyncio.Event()
        """Set when the even load begins."""
        self.load_s = 0.0
        """How long the even load went on."""
        self._over = asyncio.Event()
        doors = cycle(clients)
        self._writers = [_Writer(number, next(doors), self.heard) for number in range(load.writers)]
        self._subscribers = [_Subscriber(number, next(doors)) for number in range(load.subscribers)]
        self._group = _Group([next(doors) for _ in range(load.members)])
        self._client = clients[0]

    async def run(self) -> None:
        head = (await self._client.head()).position
        await self._group.create(head)
        following = [asyncio.create_task(each.run(head, self.heard)) for each in self._subscribers]
        following += self._group.start(self.heard)
        try:
            await self._append_first()
            await self._followed()
            self.begun.set()
            began = time.monotonic()
            interval_s = len(self._writers) / self._load.appends_per_s
            await asyncio.gather(*(each.run(interval_s, self._over.is_set) for each in self._writers))
            self.load_s = time.monotonic() - began
            await self._followed()
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)

    async def _followed(self) -> None:
        """Until each subscriber has come to the head."""
        head = (await self._client.head()).position
        for each in self._subscribers:
            await each.wait_for(head)
        await self._group.wait_for(self.heard)

    async def _append_first(self) -> None:
        for first in range(0, self._load.first_events, EVENTS_AN_APPEND):
            events = [NewEvent("Filled", "x" * 1_000, tags=[f"tag{n % TAGS}"]) for n in range(EVENTS_AN_APPEND)]
            await self._client.append("filled", f"{time.time_ns()}-{first}", events)
            self.heard.acknowledged += EVENTS_AN_APPEND
            self.heard.of_tag = [count + EVENTS_AN_APPEND // TAGS for count in self.heard.of_tag]

    def finish(self) -> None:
        self._over.set()

    def missed(self) -> list[str]:
        """What subscribers got too little or too much of."""
        totals = (self.heard.acknowledged, self.heard.of_tag)
        found = [each.differs(*totals) for each in self._subscribers] + [self._group.differs(self.heard.of_tag)]
        return [line for line in found if line is not None]


class _Writer:
    def __init__(self, number: int, client: AsyncClient, heard: Heard) -> None:
        self._name, self._client, self._heard = f"{number}-{time.time_ns()}", client, heard
        self._aggregates, self._version = 0, 0

    async def run(self, interval_s: float, is_over: Callable[[], bool]) -> None:
        clock = time.perf_counter
        due = clock() + random.random() * interval_s  # not all at once
        while not is_over():
            await asyncio.sleep(max(due - clock(), 0))
            due += interval_s  # what was late is caught up with
            await self._append()
            if self._version % READ_EVERY == 1:
                await self._read()

    async def _append(self) -> None:
        if self._version % EVENTS_AN_AGGREGATE == 0:
            self._aggregates, self._version = self._aggregates + 1, 0
        tag = random.randrange(TAGS)
        event = NewEvent("Counted", {"n": self._version, "text": "x" * 100}, tags=[f"tag{tag}"])
        began = time.perf_counter()
        try:
            result = await self._client.append("paced", self._id, [event], expected_version=self._version)
        except IndelibleError as error:
            self._heard.failed("append", error)
            self._version = 0  # what there is of this aggregate is not known any more
            return
        self._heard.appends_s.append(time.perf_counter() - began)
        self._version = result.version
        self._heard.acknowledged += 1
        self._heard.replayed += result.replayed
        self._heard.of_tag[tag] += 1
        if self._heard.positions is not None:
            self._heard.positions[event.event_id] = result.position

    @property
    def _id(self) -> str:
        return f"{self._name}-{self._aggregates}"

    async def _read(self) -> None:
        began = time.perf_counter()
        try:
            page = await self._client.read_aggregate("paced", self._id, from_version=self._version)
        except IndelibleError as error:
            self._heard.failed("read", error)
            return
        self._heard.reads_s.append(time.perf_counter() - began)
        if page.version != self._version or len(page.events) != 1:
            self._heard.failed("read", AssertionError(f"version {page.version} instead of {self._version}"))


class _Subscriber:
    def __init__(self, number: int, client: AsyncClient) -> None:
        self._client = client
        self._tag = number // 2 % TAGS if number % 2 else None
        self._query = EVERYTHING if self._tag is None else EventQuery.of(tags=[f"tag{self._tag}"])
        self._count = 0
        self._position = 0
        self._moved = asyncio.Event()
        self._failed = False

    async def run(self, head: int, heard: Heard) -> None:
        self._position = head
        try:
            async with aclosing(self._client.follow(self._query, after=cursor_at(head))) as pages:
                async for page in pages:
                    self._take(head, page.cursor, page.count)
        except (IndelibleError, AssertionError) as error:
            heard.failed("subscription", error)
            self._failed = True
            self._moved.set()

    def _take(self, head: int, cursor: Cursor, count: int) -> None:
        self._count += count
        self._position = position_of(cursor)
        if self._tag is None:
            assert self._position == head + self._count, f"{self._count} events between {head} and {self._position}"
        self._moved.set()

    async def wait_for(self, position: int) -> None:
        while self._position < position and not self._failed:
            await _news(self._moved)

    def differs(self, acknowledged: int, of_tag: Sequence[int]) -> str | None:
        due = acknowledged if self._tag is None else of_tag[self._tag]
        return None if due == self._count else f"a subscriber to {self._query} got {self._count} of {due} events"


class _Group:
    """Members of one consumer group. Each event comes at least once, and those of an aggregate in order."""

    def __init__(self, clients: Sequence[AsyncClient]) -> None:
        self._clients, self._name = clients, f"paced-{time.time_ns()}"
        self._seen: set[UUID] = set()
        self._moved = asyncio.Event()
        self._failed = False

    async def create(self, head: int) -> None:
        if self._clients:
            query = EventQuery.of(tags=[f"tag{GROUP_TAG}"])
            # What a server that was killed had handed out comes again after that.
            await self._clients[0].groups.create(self._name, query, after=cursor_at(head), ack_timeout_s=5)

    def start(self, heard: Heard) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._consume(client, heard)) for client in self._clients]

    async def _consume(self, client: AsyncClient, heard: Heard) -> None:
        try:
            async with client.consume(self._name) as consumer:
                async for delivery in consumer:
                    self._seen.add(delivery.event.event_id)
                    self._moved.set()
                    await consumer.ack(delivery)
        except IndelibleError as error:
            heard.failed("consumer", error)
            self._failed = True
            self._moved.set()

    async def wait_for(self, heard: Heard) -> None:
        while self._clients and len(self._seen) < heard.of_tag[GROUP_TAG] and not self._failed:
            await _news(self._moved)

    def differs(self, of_tag: Sequence[int]) -> str | None:
        due = of_tag[GROUP_TAG] if self._clients else 0
        return None if len(self._seen) == due else f"the members of a group got {len(self._seen)} of {due} events"
