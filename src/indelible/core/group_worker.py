"""Serves one consumer group in this process: gathers what is asked of it, decides, saves, and answers.

What comes while one change is on its way to stable storage forms the next, as with appends. Nobody hears of anything
before it is saved. A save is refused when another process has changed the group since: then everything is decided again
on what is stored now. So servers need not agree on who serves a group.
"""

import asyncio
import contextlib
import math
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from copy import copy
from typing import Any, Final, NamedTuple, TypeVar
from uuid import uuid4

import msgspec

from indelible.core.engine_calls import outcome_of
from indelible.core.group_events import GroupEvents
from indelible.core.group_progress import GroupProgress, Place
from indelible.diagnostics import GroupMeasure
from indelible.engines.engine import Engine, store_closed
from indelible.engines.group_storage import GroupState, GroupUnmoved, PendingEvent
from indelible.errors import (
    GroupNotFound,
    IndelibleError,
    InternalError,
    OutcomeUnknown,
    Overloaded,
    StoreCorrupted,
    Unavailable,
)
from indelible.events import AggregateKey, timestamp_from_us
from indelible.groups import Delivery, DeliveryKey
from indelible.limits import (
    CHECKPOINT_INTERVAL_S,
    GROUP_CALLS_WAITING_MAX,
    GROUP_IDLE_POLL_S,
    GROUP_IN_FLIGHT_MAX,
    GROUP_PAGES_AT_ONCE_MAX,
    GROUP_POLL_S,
    GROUP_REASON_LENGTH_MAX,
    GROUP_SAVE_PAUSE_S,
    PAGE_EVENTS_DEFAULT,
    RETRY_AFTER_S,
)
from indelible.queries import EventQuery

_RETRY_WAIT_MAX_S: Final = 0.02
"""Before a change that came too late is decided again; random, so that servers do not keep meeting. Less each time, so
that who was late often goes first."""

T = TypeVar("T")
Decide = Callable[[GroupProgress], Awaitable[T]]
"""Changes the progress. May be called again, on the progress as it is by then."""


class _Call(NamedTuple):
    decide: Decide[Any]
    future: asyncio.Future[Any]


_Deliveries = list[tuple[PendingEvent, bytes]]
"""Events, as their deliveries and as their JSON lines."""


class _Pull(msgspec.Struct, eq=False, frozen=True):
    member: str
    limit: int
    until: float
    """By the monotonic clock, when to answer with nothing."""
    future: asyncio.Future[_Deliveries]


_PullAnswers = list[tuple[_Pull, _Deliveries]]
"""What each pull that was looked at gets."""


class GroupWorker:
    """One group of one store. Belongs to one event loop."""

    def __init__(
        self,
        name: str,
        engine: Engine,
        events: GroupEvents,
        on_measure: Callable[[str, GroupMeasure], None],
        monotonic_us: Callable[[], int],
    ) -> None:
        self._name: Final = name
        self._engine: Final = engine
        self._events: Final = events
        self._on_measure: Final = on_measure
        self._monotonic_us: Final = monotonic_us
        self._calls: list[_Call] = []
        self._pulls: list[_Pull] = []
        self._task: asyncio.Task[None] | None = None
        self._something_to_do: Final = asyncio.Event()
        self._head_moves: asyncio.Task[None] | None = None
        self._progress: GroupProgress | None = None
        self._clock_offset_us = 0
        self._head = 0
        self._saved_at = 0.0
        self._load_s = 0.0
        """How long the last load took."""
        self._looked_up: Final[dict[tuple[AggregateKey, int], list[Place]]] = {}
        """What follows the versions of aggregates."""
        self._seen_at = 0.0
        """When the progress was what is stored."""
        self._to_release: Final[deque[PendingEvent]] = deque(maxlen=GROUP_IN_FLIGHT_MAX)
        """Deliveries that nobody got: their save did not come to a good end, or their caller has left. They are taken
        back wherever they are found stored."""
        self._releasing: frozenset[PendingEvent] = frozenset()
        """Those of them that the save under way deals with."""
        self._is_outdated = False
        self._is_closed = False
        self.on_idle: Callable[[str, GroupWorker], None] | None = None
        """Set by the worker's owner. Hears of which group, and whose, when there is nothing more to do."""

    # --- Asking ------------------------------------------------------------------------------------------------------

    async def call(self, decide: Decide[T]) -> T:
        """Have something decided; returns once it is saved."""
        future: asyncio.Future[T] = self._admit(len(self._calls))
        self._calls.append(_Call(decide, future))
        return await future

    async def pull(self, member: str, limit: int, wait_s: float) -> tuple[Delivery, ...]:
        if len(self._pulls) >= GROUP_CALLS_WAITING_MAX:
            self._drop_pulls()
        future: asyncio.Future[_Deliveries] = self._admit(len(self._pulls))
        self._pulls.append(_Pull(member, limit, time.monotonic() + wait_s, future))
        try:
            deliveries = await future
        except asyncio.CancelledError:
            # The caller left between the answer and its taking it.
            if not future.cancelled() and future.exception() is None:
                self._release(one for one, _ in future.result())
            raise
        return tuple(_delivery_of(one, line) for one, line in deliveries)

    def _admit(self, waiting: int) -> asyncio.Future[Any]:
        """Take in a call of a kind of which so many wait. Members that wait must not keep others from acknowledging."""
        if self._is_closed:
            raise store_closed()
        if waiting >= GROUP_CALLS_WAITING_MAX:
            raise Overloaded(f"too many calls wait for the group {self._name}", retry_after_s=RETRY_AFTER_S)
        self._begin()
        return asyncio.get_running_loop().create_future()

    def _begin(self) -> None:
        self._something_to_do.set()
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="consumer-group")

    def _release(self, deliveries: Iterable[PendingEvent]) -> None:
        """Nobody got these: others may, at once."""
        self._to_release.extend(deliveries)
        if self._to_release and not self._is_closed:
            self._begin()

    def reload(self) -> None:
        """What is stored has changed."""
        self._is_outdated = True
        self._something_to_do.set()

    async def close(self) -> None:
        """Finish what is under way; answer what waits."""
        self._is_closed = True
        self._something_to_do.set()
        if self._task is not None:
            await self._task

    @property
    def size(self) -> int:
        """How many places in the log it keeps in memory. When it is idle, all that it knows is stored as well, but for
        deliveries that nobody got: without the worker they come again when their time is over."""
        return len(self._to_release) + (0 if self._progress is None else self._progress.size)

    # --- The loop ----------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        try:
            while True:
                await self._yield_to_others()
                self._something_to_do.clear()
                await self._answer_all()
                if not (self._calls or self._pulls or self._something_to_do.is_set()):
                    return
                if self._pulls and not self._calls:
                    await self._wait()
        finally:
            self._task = None
            if self._head_moves is not None:
                self._head_moves.cancel()
                self._head_moves = None
            if self.on_idle is not None:
                self.on_idle(self._name, self)

    async def _yield_to_others(self) -> None:
        """Give other servers a chance to save: they have to load first, which takes them as long as it takes here. What
        comes meanwhile is saved together."""
        if self._engine.capabilities.many_processes:
            pause_s = max(GROUP_SAVE_PAUSE_S, 2 * self._load_s)
            end = self._saved_at + random.uniform(0.5, 1.5) * pause_s  # noqa: S311 - no secret
            await asyncio.sleep(max(end - time.monotonic(), 0.0))

    async def _answer_all(self) -> None:
        """One round: everything that is asked for now."""
        calls, self._calls = self._calls, []
        self._drop_pulls()
        pulls = tuple(self._pulls)
        try:
            answers, pulled = await self._decide_and_save(calls, pulls)
        except Exception as error:  # noqa: BLE001 - whatever broke, every caller must get an answer
            self._progress = None
            self._refuse(calls, error if isinstance(error, IndelibleError) else _broken(error))
            return
        for call, answer in zip(calls, answers, strict=True):
            _resolve(call.future, answer)
        self._answer_pulls(pulled)

    def _drop_pulls(self) -> None:
        """Forget those who gave up."""
        self._pulls = [pull for pull in self._pulls if not pull.future.done()]

    def _refuse(self, calls: list[_Call], error: IndelibleError) -> None:
        for call in calls:
            _resolve(call.future, copy(error))
        # What was to be delivered is released wherever it is found stored.
        of_pulls = _nothing_delivered(error) if isinstance(error, OutcomeUnknown) else error
        for pull in self._pulls:
            _resolve(pull.future, copy(of_pulls))
        self._pulls.clear()

    async def _decide_and_save(self, calls: list[_Call], pulls: Sequence[_Pull]) -> tuple[list[Any], _PullAnswers]:
        tries = 0
        self._looked_up.clear()
        while True:
            progress = await self._load()
            self._releasing = frozenset(self._to_release)
            progress.release(self._releasing)
            progress.advance_clock(self._now_us())
            answers = [await _decided(call, progress) for call in calls]
            await self._promote_next(progress)
            if tries and calls and pulls:
                # Who came too late must be quick, or comes too late again: those who wait for events are next.
                pulls = ()
                self._something_to_do.set()
            pulled = await self._deliver(progress, pulls)
            if await self._save(progress, pulled):
                return answers, pulled
            self._progress = None
            tries += 1
            await asyncio.sleep(random.uniform(0, _RETRY_WAIT_MAX_S / tries))  # noqa: S311 - no secret

    async def _load(self) -> GroupProgress:
        progress = self._progress
        if progress is None or self._is_outdated or self._reload_after_s(progress) <= 0:
            self._is_outdated = False
            self._seen_at = time.monotonic()
            found = await self._load_unless_known(progress)
            if found is None:
                raise group_not_found(self._name)
            self._clock_offset_us = found.now_us - self._monotonic_us()
            if isinstance(found, GroupState):
                progress = GroupProgress(found)
                self._load_s = time.monotonic() - self._seen_at
            self._progress = progress
        assert progress is not None
        return progress

    async def _load_unless_known(self, progress: GroupProgress | None) -> GroupState | GroupUnmoved | None:
        """All of a group may be much; that nobody else has saved it is told quickly."""
        if progress is None:
            return await self._engine.load_group(self._name)
        return await self._engine.reload_group(self._name, progress.group.revision)

    def _reload_after_s(self, progress: GroupProgress) -> float:
        """How long what is known may be taken for what is stored. What was read on and is not saved would have to be
        read again; saving it, which is due soon, tells as well."""
        if progress.has_read_further or not self._engine.capabilities.many_processes:
            return math.inf
        poll_s = GROUP_POLL_S if progress.has_pending else GROUP_IDLE_POLL_S
        return self._seen_at + poll_s - time.monotonic()

    def _now_us(self) -> int:
        return self._monotonic_us() + self._clock_offset_us

    @property
    def _query(self) -> EventQuery:
        assert self._progress is not None
        return EventQuery(self._progress.settings.items)

    async def _promote_next(self, progress: GroupProgress) -> None:
        """Places are looked up once a round: events never change."""
        reached, to_look_up = progress.group.reached, progress.to_look_up()
        unknown = [one for one in to_look_up if (one.key, one.version) not in self._looked_up]
        found = await self._events.following_each(self._query, unknown, reached)
        self._looked_up.update(zip([(one.key, one.version) for one in unknown], found, strict=True))
        for one in to_look_up:
            places = self._looked_up[one.key, one.version]
            progress.set_following(one.key, [place for place in places if place.position <= reached])
        progress.promote_next()

    # --- Giving ------------------------------------------------------------------------------------------------------

    async def _deliver(self, progress: GroupProgress, pulls: Sequence[_Pull]) -> _PullAnswers:
        """What each member gets who waits for events, in their order."""
        pulled: _PullAnswers = []
        await self._read_further(progress, min(sum(pull.limit for pull in pulls), progress.capacity))
        for pull in pulls:
            deliveries: _Deliveries = []
            while not deliveries and (taken := progress.take(pull.limit, pull.member)):
                deliveries = await self._readable(progress, taken)
            pulled.append((pull, deliveries))
        return pulled

    async def _readable(self, progress: GroupProgress, taken: Sequence[PendingEvent]) -> _Deliveries:
        """The events themselves, as many of the first as fit into one answer. Those that the store cannot read are
        parked."""
        deliveries: _Deliveries = []
        lines = await self._events.lines(taken)
        progress.release(taken[len(lines) :])
        for one, line in zip(taken, lines, strict=False):
            if isinstance(line, StoreCorrupted):
                progress.park_unreadable(one, _reason(line))
            else:
                deliveries.append((one, line))
        return deliveries

    async def _read_further(self, progress: GroupProgress, count: int) -> None:
        """Read the log until there are events for all who wait, or it ends, or it is time to save."""
        for _ in range(GROUP_PAGES_AT_ONCE_MAX):
            missing = count - progress.ready
            if missing <= 0 or not progress.may_read_further:
                return
            if progress.group.reached >= self._head:
                self._head = (await self._engine.head()).position
                if progress.group.reached >= self._head:
                    return
            # What is read ahead is stored as waiting. Event by event would be dearer where most wait their turn.
            limit = max(missing, PAGE_EVENTS_DEFAULT)
            page = await self._events.page(self._query, after=progress.group.reached, until=self._head, limit=limit)
            progress.read(page.events, page.reached)
            if page.damage is not None:
                progress.park_unidentified(page.reached, _reason(page.damage))

    def _answer_pulls(self, pulled: _PullAnswers) -> None:
        """Answer the pulls. What is for a caller who has gone meanwhile was not delivered."""
        now = time.monotonic()
        for pull, deliveries in pulled:
            if pull.future.done():
                self._release(one for one, _ in deliveries)
            elif deliveries or pull.until <= now or self._is_closed:
                pull.future.set_result(deliveries)
        self._drop_pulls()

    # --- Saving ------------------------------------------------------------------------------------------------------

    async def _save(self, progress: GroupProgress, pulled: _PullAnswers) -> bool:
        if not progress.is_changed and not (progress.has_read_further and self._is_checkpoint_due()):
            return True
        change = progress.change(uuid4())
        deliveries = [one for _, deliveries in pulled for one, _ in deliveries]
        self._to_release.extend(deliveries)
        self._releasing = self._releasing.union(deliveries)
        if not await outcome_of(self._engine.save_group(change), "ask the group what it came to"):
            return False
        self._saved(progress)
        return True

    def _saved(self, progress: GroupProgress) -> None:
        # Not those whose caller left while it was saved: they are released next.
        left = [one for one in self._to_release if one not in self._releasing]
        self._to_release.clear()
        self._to_release.extend(left)
        self._on_measure(self._name, progress.measure)
        progress.saved()
        self._saved_at = self._seen_at = time.monotonic()

    def _is_checkpoint_due(self) -> bool:
        """Reading on over what does not match is saved now and then, and when everybody leaves."""
        is_last = all(pull.until <= time.monotonic() for pull in self._pulls)
        return is_last or time.monotonic() >= self._saved_at + CHECKPOINT_INTERVAL_S

    # --- Waiting -----------------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        """Until something is asked for, a member has waited long enough, a deadline ends, or the log grows."""
        progress = self._progress
        if progress is None or self._is_closed:
            return
        is_reading = progress.capacity > 0 and progress.may_read_further
        if is_reading and progress.group.reached < self._head:
            return
        if is_reading and self._head_moves is None:
            waiting = self._until_head_moves(progress.group.reached)
            self._head_moves = asyncio.create_task(waiting, name="consumer-group-head")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._wait_s(progress)):
                await self._something_to_do.wait()

    def _wait_s(self, progress: GroupProgress) -> float:
        wait_s = min(min(pull.until for pull in self._pulls) - time.monotonic(), self._reload_after_s(progress))
        if progress.next_due_us is not None:
            wait_s = min(wait_s, (progress.next_due_us - self._now_us()) / 1_000_000)
        if progress.has_read_further:
            wait_s = min(wait_s, self._saved_at + CHECKPOINT_INTERVAL_S - time.monotonic())
        return max(wait_s, 0.0)

    async def _until_head_moves(self, after: int) -> None:
        try:
            await self._engine.wait_for_head(after)
        except IndelibleError:
            # The next read tells.
            await asyncio.sleep(GROUP_POLL_S)
        finally:
            self._head_moves = None
            self._something_to_do.set()


async def _decided(call: _Call, progress: GroupProgress) -> Any:
    try:
        return await call.decide(progress)
    except IndelibleError as error:
        return error


def _resolve(future: asyncio.Future[Any], answer: Any) -> None:
    if future.done():
        return
    if isinstance(answer, IndelibleError):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _delivery_of(one: PendingEvent, line: bytes) -> Delivery:
    delivery_id = DeliveryKey(one.position, one.delivery).delivery_id
    return Delivery(delivery_id, one.attempts, timestamp_from_us(one.due_us), msgspec.Raw(line))


def _reason(error: StoreCorrupted) -> str:
    return f"{error.code}: {error.message}"[:GROUP_REASON_LENGTH_MAX]


def _nothing_delivered(error: OutcomeUnknown) -> Unavailable:
    return Unavailable(f"{error.message.partition(';')[0]}; nothing was delivered", retry_after_s=RETRY_AFTER_S)


def _broken(error: Exception) -> InternalError:
    broken = InternalError(f"the consumer group broke: {type(error).__name__}: {error}")
    broken.__cause__ = error
    return broken


def group_not_found(name: str) -> GroupNotFound:
    return GroupNotFound(f"no consumer group {name}", group=name)
