"""Writers, readers and followers that get in one another's way, each through the doors of several servers.

Doors record (:class:`faults.history.recording.Recorder`); nobody here judges an answer.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID, uuid4

import msgspec

from faults.history.model import Acknowledged
from faults.history.partitions import PlacesIn
from faults.history.recording import Recorder
from indelible.conditions import AppendCondition, ExpectedVersion
from indelible.cursors import START, Cursor
from indelible.errors import AggregateNotFound, IndelibleError, OutcomeUnknown, Unavailable, VersionConflict
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.queries import QueryItem

SETTLE_ATTEMPTS_MAX = 100
"""After so many unknown outcomes of one append it is left unknown."""
OUTAGE_WAIT_S = 0.05
FOLLOW_FAILURES_MAX = 1_200
"""In a row: a minute."""
ACKNOWLEDGED_KEPT = 200
CLAIMS_A_SLOT = 4


class Scene(msgspec.Struct, frozen=True):
    """What all clients of a run agree on, in whatever process they are."""

    name: str
    """Part of every aggregate's type: no run touches another's aggregates."""
    until_ns: int = 0
    """When the writers and readers of this process stop, on the monotonic clock."""
    acknowledged: int = 0
    """They go on until so many of their appends are. On a slow machine little happens in a time."""
    slot_ns: int = 100_000_000
    """Racers append at the beginning of such a slot, all at once."""
    hot: int = 4
    """Aggregates that everybody fights for."""
    pause_s: float = 0.02
    """Between two steps of one client, on average."""
    start: str = START
    """Nobody reads from before this cursor."""
    partitions: int = 1
    """Of the store. With several, nobody asks for what concerns more than one: conditions, and aggregates at random."""

    def key(self, kind: str, name: object) -> AggregateKey:
        return AggregateKey(f"{kind}.{self.name}", str(name))

    def hot_key(self, number: int) -> AggregateKey:
        return self.key("hot", number % self.hot)

    @property
    def is_over(self) -> bool:
        return time.monotonic_ns() >= self.until_ns


class Board:
    """What the clients of one process tell one another."""

    def __init__(self) -> None:
        self.versions: dict[AggregateKey, int] = {}
        self.acknowledged: deque[UUID] = deque(maxlen=ACKNOWLEDGED_KEPT)
        self.appends = 0
        """That were acknowledged."""

    def hear(self, request: AppendRequest, answer: Acknowledged | IndelibleError) -> None:
        if isinstance(answer, Acknowledged):
            self.appends += 1
            for append, part in zip(request.appends, answer.parts, strict=True):
                self.versions[append.key] = max(part.version, self.versions.get(append.key, 0))
                self.acknowledged.append(append.events[-1].event_id)
            return
        for append in request.appends:
            self.versions.pop(append.key, None)
        if isinstance(answer, VersionConflict):
            key = AggregateKey(answer.fields["aggregate_type"], answer.fields["aggregate_id"])
            self.versions[key] = answer.actual_version


class _Client:
    def __init__(self, scene: Scene, board: Board, doors: Sequence[Recorder], chance: random.Random) -> None:
        self._scene = scene
        self._board = board
        self._doors = doors
        self._chance = chance

    async def run(self) -> None:
        while not (self._scene.is_over and self._board.appends >= self._scene.acknowledged):
            try:
                await self.step()
            except Unavailable:
                await asyncio.sleep(OUTAGE_WAIT_S)
            except IndelibleError:
                pass  # recorded, and judged later
            await asyncio.sleep(self._chance.expovariate(1 / self._scene.pause_s))

    async def step(self) -> None:
        raise NotImplementedError

    def _other_door(self, door: Recorder | None = None) -> Recorder:
        others = [one for one in self._doors if one is not door]
        return self._chance.choice(others or self._doors)

    async def _look(self, door: Recorder, key: AggregateKey) -> int:
        """The aggregate's version, through one door."""
        try:
            page = await door.read_aggregate(key, max(self._board.versions.get(key, 0) - 2, 1), limit=10)
        except AggregateNotFound:
            return 0
        return page.version


class Writer(_Client):
    """Appends through a door of its own, and sends some again through others."""

    def __init__(
        self, scene: Scene, board: Board, doors: Sequence[Recorder], chance: random.Random, *, name: str, home: int
    ) -> None:
        super().__init__(scene, board, doors, chance)
        self._name = name
        self._home = doors[home]
        self._last = self._request(self._own_append())
        steps: dict[Callable[[], Awaitable[None]], int] = {
            self._race: 30,
            self._guess: 12,
            self._add: 20,
            self._add_anyhow: 10,
            self._claim: 8,
            self._follow_up: 6,
            self._add_to_two: 6,
            self._repeat: 4,
            self._send_twice: 3,
            self._take_id: 1,
        }
        if scene.partitions > 1:
            for within_one in (self._claim, self._follow_up, self._add_to_two):
                del steps[within_one]
        self._steps, self._weights = list(steps), list(steps.values())

    async def step(self) -> None:
        (doing,) = self._chance.choices(self._steps, self._weights)
        await doing()

    # --- What a writer does ------------------------------------------------------------------------------------------

    async def _race(self) -> None:
        """With writers of every server, at the same moment, for the next version of the same aggregate."""
        slot = time.monotonic_ns() // self._scene.slot_ns + 1
        key = self._scene.hot_key(slot)
        version = await self._look(self._other_door(), key)
        await self._sleep_until(slot)
        await self._send(self._request(self._append(key, version)))

    async def _guess(self) -> None:
        key = self._scene.hot_key(self._chance.randrange(self._scene.hot))
        await self._send(self._request(self._append(key, self._board.versions.get(key, 0))))

    async def _add(self) -> None:
        await self._send(self._request(self._own_append()))

    async def _add_anyhow(self) -> None:
        kind = self._chance.choice(("hot", "cold", "cold"))
        key = self._scene.key(kind, self._chance.randrange(self._scene.hot if kind == "hot" else 500))
        expected: ExpectedVersion = self._chance.choice(("any", "any", "exists", "none"))
        await self._send(self._request(self._append(key, expected)))

    async def _claim(self) -> None:
        """One of the slot's few names, which only one can have."""
        slot = time.monotonic_ns() // self._scene.slot_ns + 1
        tag = f"name:{self._scene.name}/{slot}/{self._chance.randrange(CLAIMS_A_SLOT)}"
        append = self._append(self._scene.key("claim", f"{self._name}/{slot % 10}"), "any", tags=(tag,))
        await self._sleep_until(slot)
        await self._send(AppendRequest((append,), AppendCondition((QueryItem(tags=(tag,)),), START)))

    async def _follow_up(self) -> None:
        """On condition that nothing of a topic has come since the head that another server told."""
        topic = f"topic:{self._chance.randrange(6)}"
        head = await self._other_door(self._home).head()
        condition = AppendCondition((QueryItem(("Moved",), tags=(topic,)), QueryItem(("Closed",))), head.cursor)
        event = NewEvent("Moved", {"writer": self._name}, tags=(topic,))
        append = AggregateAppend(self._scene.key("cold", self._chance.randrange(500)), (event,))
        await self._send(AppendRequest((append,), condition))

    async def _add_to_two(self) -> None:
        key = self._scene.hot_key(self._chance.randrange(self._scene.hot))
        expected: ExpectedVersion = self._chance.choice(("any", self._board.versions.get(key, 0)))
        await self._send(self._request(self._own_append(), self._append(key, expected)))

    async def _repeat(self) -> None:
        await self._send(self._last, self._other_door(self._home))

    async def _send_twice(self) -> None:
        """The same at the same time through two doors, as an impatient client does."""
        request = self._request(self._own_append())
        await asyncio.gather(self._send(request), self._send(request, self._other_door(self._home)))

    async def _take_id(self) -> None:
        """An id that is taken, for something else."""
        taken = self._last.appends[0]
        other = NewEvent("Counted", {"other": True}, event_id=taken.events[0].event_id)
        appends = (
            AggregateAppend(taken.key, (other,)),
            AggregateAppend(self._scene.key("cold", "taken"), taken.events),
            AggregateAppend(taken.key, (*taken.events, self._event())),
        )
        await self._send(self._request(self._chance.choice(appends)), self._other_door())

    # --- How it does it ----------------------------------------------------------------------------------------------

    async def _send(self, request: AppendRequest, door: Recorder | None = None) -> None:
        door = door or self._home
        for _ in range(SETTLE_ATTEMPTS_MAX):
            answer = await self._attempt(request, door)
            if not isinstance(answer, OutcomeUnknown):
                break
            await asyncio.sleep(OUTAGE_WAIT_S)
            door = self._other_door(door)
        self._board.hear(request, answer)
        if isinstance(answer, IndelibleError):
            raise answer
        self._last = request
        if self._chance.random() < 0.3:
            await self._look_elsewhere(request, door)

    async def _attempt(self, request: AppendRequest, door: Recorder) -> Acknowledged | IndelibleError:
        try:
            return await door.append(request)
        except IndelibleError as error:
            return error

    async def _look_elsewhere(self, request: AppendRequest, door: Recorder) -> None:
        """What was acknowledged here has to be seen there, at once."""
        append, other = self._chance.choice(request.appends), self._other_door(door)
        match self._chance.randrange(3):
            case 0:
                await self._look(other, append.key)
            case 1:
                await other.get_event(append.events[-1].event_id)
            case 2:
                await other.head()

    async def _sleep_until(self, slot: int) -> None:
        await asyncio.sleep(max(slot * self._scene.slot_ns - time.monotonic_ns(), 0) / 1e9)

    def _request(self, *appends: AggregateAppend) -> AppendRequest:
        return AppendRequest(appends)

    def _own_append(self) -> AggregateAppend:
        """To an aggregate of its own, whose version it knows, or looks up after a failure."""
        key = self._scene.key("own", f"{self._name}/{self._chance.randrange(8)}")
        return self._append(key, self._board.versions.get(key, "any"))

    def _append(self, key: AggregateKey, expected: ExpectedVersion, tags: Sequence[str] = ()) -> AggregateAppend:
        count = 1 if self._chance.random() < 0.8 else self._chance.randint(2, 6)
        return AggregateAppend(key, tuple(self._event(tags) for _ in range(count)), expected)

    def _event(self, tags: Sequence[str] = ()) -> NewEvent:
        if self._chance.random() < 0.05:
            return NewEvent("Scanned", self._chance.randbytes(self._chance.randrange(100)), tags=tags)
        data = {"writer": self._name, "n": self._chance.getrandbits(60), "text": "ż" * self._chance.randrange(50)}
        return NewEvent("Counted", data, tags=tags)


class Reader(_Client):
    """Looks at what others write, through any door."""

    async def step(self) -> None:
        door = self._other_door()
        match self._chance.randrange(6):
            case 0 | 1:
                head = await door.head()
                back = self._chance.randrange(30)
                if back < 20:
                    places, start = PlacesIn(self._scene.partitions), Cursor.parse(self._scene.start)
                    await self._other_door(door).read_feed(places.before(head.cursor, back, start), limit=20)
            case 2 | 3:
                await self._look(door, self._scene.hot_key(self._chance.randrange(self._scene.hot)))
            case 4 if self._board.acknowledged:
                await door.get_event(self._chance.choice(self._board.acknowledged))
            case _:
                await self._look_in_vain(door)

    async def _look_in_vain(self, door: Recorder) -> None:
        if self._chance.random() < 0.5:
            await door.get_event(uuid4())
        else:
            await door.read_aggregate(self._scene.key("cold", self._chance.randrange(500)), limit=10)


async def follow(doors: Sequence[Recorder], start: Cursor, poll_s: float, is_over: Callable[[], bool]) -> None:
    """Poll the feed, through one door after the other, page after page; until it has come to the end after all was
    over. Raises what the store raises when that goes on for long."""
    after, number, failures, at_end, was_over = start, 0, 0, False, False
    while not (at_end and was_over):
        was_over = is_over()
        number += 1
        try:
            page = await doors[number % len(doors)].read_feed(after, limit=200)
        except IndelibleError:
            failures += 1
            if failures > FOLLOW_FAILURES_MAX:
                raise
            await asyncio.sleep(OUTAGE_WAIT_S)
            continue
        failures, at_end = 0, page.at_end
        if at_end or page.cursor == after:
            await asyncio.sleep(poll_s)
        after = page.cursor
