"""A hypothesis state machine that compares the consumer groups of any store with a naive model of one group.

Hypothesis makes up appends, pulls, acknowledgements, refusals, parking, resets and the passing of time. What the store
answers must be what the model says. In a test module::

    TestMyGroups = consumer_group_machine(MyStorage, durable=True).TestCase

where ``MyStorage(clock_us)`` makes an empty storage, and gives what opens a store on it whose clocks are ``clock_us``.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from indelible.core.group_progress import NOT_IN_TIME
from indelible.cursors import cursor_at
from indelible.errors import ParkedEventNotFound
from indelible.events import AggregateKey, NewEvent, timestamp_from_us
from indelible.groups import Delivery, GroupSettings, Settled
from indelible.queries import EventQuery
from indelible.testing.state_machine import Machine, OpenStore, R

ClockUs = Callable[[], int]

_GROUP: Final = "billing"
_QUERY: Final = EventQuery.of(event_types=["Placed"])
_KEYS: Final = tuple(AggregateKey("Order", str(n)) for n in range(5))
_START_US: Final = 1_700_000_000_000_000
_SECOND: Final = 1_000_000


class _Fact(NamedTuple):
    position: int
    key: AggregateKey
    version: int
    is_matching: bool


class _First(msgspec.Struct):
    """An aggregate's first event that is not done."""

    state: Literal["waiting", "in_flight", "parked"] = "waiting"
    due_us: int = 0
    attempts: int = 0
    delivery: int = -1
    member: str = ""
    reason: str = ""


class GroupModel:
    """One group, as it is told to users: of each aggregate the matching events that are not done, in order. Deliveries
    are numbered from 0 on."""

    def __init__(self) -> None:
        self.log: list[_Fact] = []
        self.deliveries: list[_Fact] = []
        self.now_us = _START_US
        self.create(GroupSettings())

    def create(self, settings: GroupSettings) -> None:
        self.settings = settings
        self.skipped: dict[int, tuple[str, str]] = {}
        """Why they were parked and skipped, by position."""
        self.todo: dict[AggregateKey, list[_Fact]] = {}
        self.first: dict[AggregateKey, _First] = {}
        self.valid_from = len(self.deliveries)
        for fact in self.log:
            self._add(fact)

    def append(self, key: AggregateKey, is_matching: bool) -> None:
        version = 1 + sum(fact.key == key for fact in self.log)
        fact = _Fact(len(self.log) + 1, key, version, is_matching)
        self.log.append(fact)
        self._add(fact)

    def _add(self, fact: _Fact) -> None:
        if fact.is_matching:
            self.todo.setdefault(fact.key, []).append(fact)
            self.first.setdefault(fact.key, _First())

    def at(self, state: str) -> list[tuple[_Fact, _First]]:
        """Aggregates in a state, by position."""
        found = [(self.todo[key][0], first) for key, first in self.first.items() if first.state == state]
        return sorted(found, key=lambda pair: pair[0].position)

    @property
    def checkpoint(self) -> int:
        moving = [todo[0].position for key, todo in self.todo.items() if self.first[key].state != "parked"]
        return min(moving) - 1 if moving else len(self.log)

    def advance_clock(self, now_us: int) -> None:
        self.now_us = now_us
        for _, first in self.at("in_flight"):
            if first.due_us <= now_us:
                self._refuse(first, 0, NOT_IN_TIME, park=False)

    def _refuse(self, first: _First, due_us: int, reason: str, *, park: bool) -> None:
        is_parked = park or first.attempts >= self.settings.max_attempts
        first.state = "parked" if is_parked else "waiting"
        first.due_us = self.now_us if is_parked else due_us
        first.reason = reason

    def pull(self, limit: int, member: str) -> list[tuple[_Fact, _First]]:
        ready = [(fact, first) for fact, first in self.at("waiting") if first.due_us <= self.now_us]
        taken = ready[: min(limit, self.capacity)]
        for fact, first in taken:
            first.state, first.member, first.delivery = "in_flight", member, len(self.deliveries)
            first.attempts += 1
            first.due_us = self.now_us + round(self.settings.ack_timeout_s * _SECOND)
            self.deliveries.append(fact)
        return taken

    @property
    def capacity(self) -> int:
        return max(self.settings.max_in_flight - len(self.at("in_flight")), 0)

    def _delivered(self, number: int) -> _First | Literal["done", "lost"]:
        fact = self.deliveries[number]
        if number < self.valid_from:
            return "lost"
        if not any(fact in todo for todo in self.todo.values()):
            return "done"
        first = self.first[fact.key]
        return first if first.delivery == number else "lost"

    def ack(self, number: int) -> bool:
        first = self._delivered(number)
        if isinstance(first, _First):
            self._finish(self.deliveries[number].key)
        return first != "lost"

    def nack(self, number: int, delay_s: float, reason: str, park: bool) -> bool:
        first = self._delivered(number)
        if isinstance(first, _First) and first.state == "in_flight":
            self._refuse(first, self.now_us + round(delay_s * _SECOND) if delay_s else 0, reason, park=park)
        return isinstance(first, _First)

    def extend(self, number: int, timeout_s: float | None) -> bool:
        first = self._delivered(number)
        if not isinstance(first, _First) or first.state != "in_flight":
            return False
        first.due_us = self.now_us + round((self.settings.ack_timeout_s if timeout_s is None else timeout_s) * _SECOND)
        return True

    def _finish(self, key: AggregateKey) -> None:
        del self.todo[key][0], self.first[key]
        if self.todo[key]:
            self.first[key] = _First()
        else:
            del self.todo[key]

    def parked_at(self, positions: Sequence[int] | None) -> list[tuple[_Fact, _First]]:
        """Raises ``StopIteration`` with the first position at which nothing is parked."""
        parked = {fact.position: (fact, first) for fact, first in self.at("parked")}
        if positions is None:
            return list(parked.values())
        for position in positions:
            if position not in parked:
                raise _NothingParked(position)
        return [parked[position] for position in dict.fromkeys(positions)]

    def redrive(self, positions: Sequence[int] | None) -> int:
        parked = self.parked_at(positions)
        for _, first in parked:
            first.state, first.due_us, first.attempts = "waiting", 0, 0
        return len(parked)

    def skip(self, positions: Sequence[int], reason: str) -> int:
        parked = self.parked_at(positions)
        for fact, first in parked:
            self.skipped[fact.position] = first.reason, reason
            self._finish(fact.key)
        return len(parked)

    def reset(self, position: int) -> None:
        kept = {fact.key: (fact, first) for fact, first in self.at("parked") if fact.position <= position}
        self.valid_from = len(self.deliveries)
        self.todo.clear()
        self.first = {key: first for key, (_, first) in kept.items()}
        for fact in self.log:
            start = kept[fact.key][0].position - 1 if fact.key in kept else position
            if fact.position > start:
                self._add(fact)


class _NothingParked(Exception):
    @property
    def position(self) -> int:
        return int(self.args[0])


class Clock:
    """Microseconds since 1970, which pass as a test says."""

    def __init__(self) -> None:
        self.now_us = _START_US

    def __call__(self) -> int:
        return self.now_us


def consumer_group_machine(
    new_storage: Callable[[ClockUs], OpenStore], *, durable: bool
) -> type[RuleBasedStateMachine]:
    """A machine for the groups of a store. ``new_storage`` makes an empty storage for each example; ``durable``: what
    is in it outlives closing."""

    class GroupMachine(_GroupMachine):
        def __init__(self) -> None:
            clock = Clock()
            super().__init__(clock, new_storage(clock), durable)

    return GroupMachine


_seldom: Final = st.sampled_from((False, False, True))
_members: Final = st.sampled_from(("", "first", "second é"))
_some: Final = st.lists(st.sampled_from((*range(6), *range(6), 8, 13, 21)), min_size=1, max_size=4)
"""Deliveries, by how many came after them."""
_settings: Final = st.builds(
    GroupSettings,
    items=st.just(_QUERY.items),
    ack_timeout_s=st.sampled_from((2.0, 5.0)),
    max_attempts=st.integers(1, 3),
    max_in_flight=st.sampled_from((2, 4, 100)),
)


class _GroupMachine(Machine):
    def __init__(self, clock: Clock, open_store: OpenStore, durable: bool) -> None:
        super().__init__()
        self._clock, self._open_store, self._durable = clock, open_store, durable
        self._model = GroupModel()
        self._ids: list[str] = []
        """Of deliveries, by their numbers."""
        self._is_all_read = False
        """Whether the group has certainly read the log to its end."""

    @initialize(settings=_settings)
    def open(self, settings: GroupSettings) -> None:
        self._run(self._open())
        self._create(settings)
        self.append(_KEYS, is_matching=True)

    async def _open(self) -> None:
        self._store = await self._exits.enter_async_context(self._open_store())

    def _create(self, settings: GroupSettings) -> None:
        fields = {name: getattr(settings, name) for name in ("ack_timeout_s", "max_attempts", "max_in_flight")}
        self._run(self._store.groups.create(_GROUP, _QUERY, **fields))
        self._model.create(settings)
        self._is_all_read = False

    @precondition(lambda self: self._durable)
    @rule()
    def reopen(self) -> None:
        self._run(self._exits.aclose())
        self._run(self._open())

    def _ask(self, call: Awaitable[R]) -> R:
        """Ask the group's worker: what is due is done first."""
        self._model.advance_clock(self._clock.now_us)

        async def ask() -> R:
            return await call

        return self._run(ask())

    @rule(keys=st.lists(st.sampled_from(_KEYS), min_size=1, max_size=6), is_matching=st.booleans())
    def append(self, keys: Sequence[AggregateKey], is_matching: bool) -> None:
        """The first ones get a matching event beside."""
        for key in (*keys, *keys[:2]):
            events = [NewEvent("Placed" if is_matching else "Other")]
            self._run(self._store.append(key.aggregate_type, key.aggregate_id, events))
            self._model.append(key, is_matching)
            is_matching = True
        self._is_all_read = False

    @rule(seconds=st.sampled_from((0.5, 1.0, 3.0, 6.0)))
    def pass_time(self, seconds: float) -> None:
        self._clock.now_us += round(seconds * _SECOND)

    # --- Members -----------------------------------------------------------------------------------------------------

    @rule(limit=st.sampled_from((1, 2, 3, 100)), member=_members)
    def pull(self, limit: int, member: str) -> None:
        self._pull(limit, member)

    @rule()
    def pull_all(self) -> None:
        self._pull(100, "all")

    def _pull(self, limit: int, member: str) -> None:
        found = self._ask(self._store.groups.pull(_GROUP, limit=limit, member=member))
        is_more_wanted = len(found) < min(limit, self._model.capacity)
        assert list(map(_seen, found)) == list(map(_expected, self._model.pull(limit, member)))
        self._ids += [one.delivery_id for one in found]
        assert len(set(self._ids)) == len(self._ids), "a delivery id was used twice"
        self._is_all_read = self._is_all_read or is_more_wanted

    def _settle(self, some: Sequence[int], call: Callable[[list[str]], Awaitable[Settled]]) -> Callable[..., None]:
        """Call with the newest ids but so many; gives what compares with the model's answers."""
        numbers = [len(self._ids) - 1 - back for back in some if back < len(self._ids)]
        if not numbers:
            return lambda _: None
        settled = self._ask(call([self._ids[number] for number in numbers]))

        def compare(settle_one: Callable[[int], bool]) -> None:
            lost = tuple(self._ids[number] for number in numbers if not settle_one(number))
            assert settled == Settled(len(numbers) - len(lost), lost)

        return compare

    @rule(some=_some)
    def ack(self, some: Sequence[int]) -> None:
        self._settle(some, lambda ids: self._store.groups.ack(_GROUP, ids))(self._model.ack)

    @rule(some=_some, delay_s=st.sampled_from((0.0, 2.0)), reason=st.sampled_from(("", "é")), park=_seldom)
    def nack(self, some: Sequence[int], delay_s: float, reason: str, park: bool) -> None:
        compare = self._settle(
            some, lambda ids: self._store.groups.nack(_GROUP, ids, delay_s=delay_s, reason=reason, park=park)
        )
        compare(lambda number: self._model.nack(number, delay_s, reason, park))

    @rule(some=_some, timeout_s=st.sampled_from((None, 1.0, 8.0)))
    def extend(self, some: Sequence[int], timeout_s: float | None) -> None:
        compare = self._settle(some, lambda ids: self._store.groups.extend(_GROUP, ids, ack_timeout_s=timeout_s))
        compare(lambda number: self._model.extend(number, timeout_s))

    # --- People ------------------------------------------------------------------------------------------------------

    def _decide(self, call: Awaitable[int], model: Callable[[], int]) -> None:
        answer: object
        try:
            answer = self._ask(call)
        except ParkedEventNotFound as error:
            answer = error.fields["position"]
        expected: object
        try:
            expected = model()
        except _NothingParked as error:
            expected = error.position
        assert answer == expected

    def _positions(self, data: st.DataObject) -> list[int]:
        parked = [fact.position for fact, _ in self._model.at("parked")]
        wrong = [fact.position for fact, _ in (*self._model.at("waiting"), *self._model.at("in_flight"))]
        wanted = st.lists(st.sampled_from(parked), min_size=1, max_size=3)
        return data.draw(wanted) + (wrong if data.draw(st.integers(0, 5)) == 0 else [])

    @precondition(lambda self: self._model.at("parked"))
    @rule(data=st.data(), what=st.sampled_from(("redrive all", "redrive", "skip")))
    def decide(self, data: st.DataObject, what: str) -> None:
        """On what is parked."""
        if what == "redrive all":
            self._redrive(None)
            return
        positions = self._positions(data)
        if what == "redrive":
            self._redrive(positions)
        else:
            call = self._store.groups.skip_parked(_GROUP, positions, reason="why not")
            self._decide(call, lambda: self._model.skip(positions, "why not"))

    def _redrive(self, positions: Sequence[int] | None) -> None:
        self._decide(self._store.groups.redrive_parked(_GROUP, positions), lambda: self._model.redrive(positions))

    @rule(data=st.data(), settings=_settings, what=st.sampled_from(("reset", "reset", "change", "make again")))
    def administer(self, data: st.DataObject, settings: GroupSettings, what: str) -> None:
        """Seldom, as it ends what was begun."""
        if what == "reset":
            parked = [fact.position for fact, _ in self._model.at("parked")]
            self._reset(data.draw(st.sampled_from((*parked, *parked, *range(0, len(self._model.log) + 1, 3)))))
        elif what == "change":
            self._change(settings)
        else:
            self._make_again(settings)

    def _reset(self, position: int) -> None:
        info = self._ask(self._store.groups.reset(_GROUP, after=cursor_at(position)))
        self._model.reset(position)
        assert (info.position, info.in_flight, info.waiting) == (position, 0, 0)
        self._is_all_read = False

    def _change(self, settings: GroupSettings) -> None:
        call = self._store.groups.change(
            _GROUP,
            ack_timeout_s=settings.ack_timeout_s,
            max_attempts=settings.max_attempts,
            max_in_flight=settings.max_in_flight,
        )
        self._ask(call)
        self._model.settings = settings

    def _make_again(self, settings: GroupSettings) -> None:
        self._run(self._store.groups.delete(_GROUP))
        # Groups of one name are told apart by when they were made.
        self._clock.now_us += 100
        self._create(settings)

    # --- What is there -----------------------------------------------------------------------------------------------

    @rule()
    def look(self) -> None:
        in_flight = self._run(self._store.groups.list_in_flight(_GROUP))
        assert [(one.position, one.attempt, one.member, one.deadline) for one in in_flight] == [
            (fact.position, first.attempts, first.member, timestamp_from_us(first.due_us))
            for fact, first in self._model.at("in_flight")
        ]
        parked = self._run(self._store.groups.list_parked(_GROUP)).parked
        assert [(one.position, one.attempts, one.reason, one.parked_at) for one in parked] == [
            (fact.position, first.attempts, first.reason, timestamp_from_us(first.due_us))
            for fact, first in self._model.at("parked")
        ]
        skipped = self._run(self._store.groups.list_skipped(_GROUP)).skipped
        assert {one.position: (one.parked_reason, one.reason) for one in skipped} == self._model.skipped
        self._compare_info()

    def _compare_info(self) -> None:
        info = self._run(self._store.groups.get(_GROUP))
        parked = self._model.at("parked")
        assert info.in_flight == len(self._model.at("in_flight"))
        assert info.parked_aggregates == len(parked)
        assert info.position <= self._model.checkpoint, "the checkpoint runs ahead"
        assert info.lag == len(self._model.log) - info.position
        if self._is_all_read:
            assert info.position == self._model.checkpoint
            assert info.waiting == len(self._model.at("waiting"))
            assert info.parked == sum(len(self._model.todo[fact.key]) for fact, _ in parked)

    def teardown(self) -> None:
        try:
            if hasattr(self, "_store"):
                self._finish()
        finally:
            super().teardown()

    def _finish(self) -> None:
        """Whatever was done, the group can be brought to its end: every event that is left comes, in order."""
        self.look()
        self._clock.now_us += 60 * _SECOND
        self._redrive(None)
        for _ in range(len(self._model.log) + 2):
            self._pull(100, "last")
            held = [first.delivery for _, first in self._model.at("in_flight")]
            if not held:
                break
            self._settle([len(self._ids) - 1 - n for n in held], lambda ids: self._store.groups.ack(_GROUP, ids))(
                self._model.ack
            )
            self._redrive(None)
        self.look()
        info = self._run(self._store.groups.get(_GROUP))
        assert (info.lag, info.in_flight, info.waiting, info.parked) == (0, 0, 0, 0)


def _seen(delivery: Delivery) -> tuple[Any, ...]:
    event = delivery.event
    return event.position, event.key, event.version, delivery.attempt, delivery.deadline


def _expected(taken: tuple[_Fact, _First]) -> tuple[Any, ...]:
    fact, first = taken
    return fact.position, fact.key, fact.version, first.attempts, timestamp_from_us(first.due_us)
