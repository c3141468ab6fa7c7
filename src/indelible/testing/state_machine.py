"""A hypothesis state machine that compares any store, or any engine, with the reference model.

Hypothesis makes up appends, repeats, conflicts, reads and snapshots; the machine does each to the model and to what is
tested, and the answers must be equal, errors too, in code and fields. Only timestamps and hashes may differ. In a test
module::

    TestMyStore = store_machine(lambda: MyStorage().open, durable=True).TestCase
    TestMyEngine = engine_machine(lambda: MyEngine(new_path())).TestCase
    TestMyGroups = group_machine(lambda: MyEngine(new_path())).TestCase

Needs hypothesis, which nothing else in this package does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from indelible.core.store import LocalEventStore
from indelible.cursors import cursor_at
from indelible.engines.engine import AppendOutcome, Engine
from indelible.engines.group_storage import GroupChange, PendingEvent, StoredGroup
from indelible.engines.memory import MemoryEngine
from indelible.errors import IndelibleError, InvalidRequest
from indelible.events import HASH_BEFORE_FIRST, AggregateKey, RecordedEvent, Snapshot, event_hash, split_hashed_line
from indelible.eventstore import (
    AggregateAppend,
    AggregateInfo,
    AggregateList,
    AggregatePage,
    AppendRequest,
    EventStore,
    FeedPage,
    Replay,
)
from indelible.groups import GroupSettings, SkippedEvent
from indelible.limits import PAGE_EVENTS_MAX
from indelible.queries import EVERYTHING, EventQuery, QueryItem
from indelible.testing.recording import continuation
from indelible.testing.scripts import KEYS, Script, directions, limits, queries, snapshot_states, versions

OpenStore = Callable[[], AbstractAsyncContextManager[EventStore]]
"""Opens one and the same storage each time it is called."""

R = TypeVar("R")
_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)


def store_machine(new_storage: Callable[[], OpenStore], *, durable: bool) -> type[RuleBasedStateMachine]:
    """A machine for a store. ``new_storage`` makes an empty storage for each example; ``durable``: what is in it
    outlives closing."""

    class StoreMachine(_StoreMachine):
        def __init__(self) -> None:
            super().__init__(new_storage(), durable)

    return StoreMachine


def engine_machine(new_engine: Callable[[], Engine]) -> type[RuleBasedStateMachine]:
    """A machine for an engine's batches. ``new_engine`` makes an engine over an empty storage for each example."""

    class EngineMachine(_EngineMachine):
        def __init__(self) -> None:
            super().__init__(new_engine())

    return EngineMachine


def group_machine(new_engine: Callable[[], Engine]) -> type[RuleBasedStateMachine]:
    """A machine for the groups that an engine keeps. ``new_engine`` makes an engine over an empty storage for each
    example."""

    class GroupMachine(_GroupMachine):
        def __init__(self) -> None:
            super().__init__(new_engine())

    return GroupMachine


class Machine(RuleBasedStateMachine):
    """Drives coroutines from the rules, which hypothesis calls one after another."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._exits = AsyncExitStack()
        self._script = Script()

    def _run(self, call: Coroutine[Any, Any, R]) -> R:
        return self._runner.run(call)

    def teardown(self) -> None:
        try:
            self._run(self._exits.aclose())
        finally:
            self._runner.close()


class _StoreMachine(Machine):
    def __init__(self, open_store: OpenStore, durable: bool) -> None:
        super().__init__()
        self._open_store = open_store
        self._durable = durable

    @initialize()
    def open(self) -> None:
        self._run(self._open())

    async def _open(self) -> None:
        self._model = await LocalEventStore(MemoryEngine()).open()
        self._store = await self._exits.enter_async_context(self._open_store())

    @precondition(lambda self: self._durable)
    @rule()
    def reopen(self) -> None:
        self._run(self._reopen())

    async def _reopen(self) -> None:
        await self._exits.aclose()
        self._store = await self._exits.enter_async_context(self._open_store())

    def _same(self, *calls: Callable[[EventStore], Awaitable[object]]) -> list[object]:
        """Make the calls together, to the model and to the store; the answers must be equal."""
        return self._run(self._compare(calls))

    async def _compare(self, calls: Sequence[Callable[[EventStore], Awaitable[object]]]) -> list[object]:
        expected = await asyncio.gather(*(_answer(call(self._model)) for call in calls))
        actual = await asyncio.gather(*(_answer(call(self._store)) for call in calls))
        assert actual == expected
        return expected

    def _head(self) -> int:
        return self._run(self._model.head()).position

    # --- Appending ---------------------------------------------------------------------------------------------------

    @rule(data=st.data())
    def append(self, data: st.DataObject) -> None:
        self._append_together(data, 1)

    @rule(data=st.data(), count=st.integers(2, 6))
    def append_many_at_once(self, data: st.DataObject, count: int) -> None:
        self._append_together(data, count)

    def _append_together(self, data: st.DataObject, count: int) -> None:
        appends = [self._script.append(data) for _ in range(count)]
        self._same(
            *(
                lambda store, append=append: store.append(
                    append.key.aggregate_type,
                    append.key.aggregate_id,
                    append.events,
                    expected_version=append.expected_version,
                )
                for append in appends
            )
        )

    @rule(data=st.data(), count=st.integers(1, 3))
    def append_atomic(self, data: st.DataObject, count: int) -> None:
        request = self._script.request(data, count, self._head() + 1)
        self._same(lambda store: store.append_atomic(request.appends, condition=request.condition))

    # --- Reading -----------------------------------------------------------------------------------------------------

    @rule(key=st.sampled_from(KEYS), first=versions, last=versions, direction=directions, limit=limits)
    def read_aggregate(self, key: Any, first: Any, last: Any, direction: Any, limit: int) -> None:
        self._same(
            lambda store: store.read_aggregate(
                *key, from_version=first, to_version=last, direction=direction, limit=limit
            )
        )

    @rule(query=queries, data=st.data(), direction=directions, limit=limits)
    def read_feed(self, query: EventQuery, data: st.DataObject, direction: Any, limit: int) -> None:
        after = data.draw(st.none() | st.integers(0, self._head() + 1).map(cursor_at))
        self._same(lambda store: store.read_feed(query, after=after, direction=direction, limit=limit))

    @precondition(lambda self: self._head() > 0)
    @rule(query=queries, data=st.data())
    def read_feed_of_a_window(self, query: EventQuery, data: st.DataObject) -> None:
        """The two do not share a clock, so the store is compared with its own events."""
        events = self._run(self._store.read_feed(limit=PAGE_EVENTS_MAX)).events
        stamps = st.sampled_from([event.timestamp for event in events])
        since, until = data.draw(st.none() | stamps), data.draw(st.none() | stamps)
        windowed = EventQuery(query.items, since, until)
        expected = [
            event
            for event in events
            if query.matches(event.event_type, event.aggregate_type, event.tags)
            and (since is None or event.timestamp >= since)
            and (until is None or event.timestamp < until)
        ]
        assert list(self._run(self._store.read_feed(windowed, limit=PAGE_EVENTS_MAX)).events) == expected
        backward = self._run(self._store.read_feed(windowed, direction="backward", limit=PAGE_EVENTS_MAX))
        assert list(backward.events) == expected[::-1]

    @rule(number=st.integers(0, 40))
    def get_event(self, number: int) -> None:
        self._same(lambda store: store.get_event(UUID(int=number)))

    @rule(key=st.sampled_from(KEYS))
    def get_aggregate(self, key: Any) -> None:
        self._same(lambda store: store.get_aggregate(*key))

    @rule(
        aggregate_type=st.none() | st.sampled_from([key[0] for key in KEYS]),
        prefix=st.sampled_from(("", "1", "a/")),
        limit=st.integers(1, 4),
    )
    def list_aggregates(self, aggregate_type: str | None, prefix: str, limit: int) -> None:
        async def list_all(store: EventStore) -> list[object]:
            found: list[AggregateInfo] = []
            page = AggregateList((), "", False)
            while not page.at_end:
                page = await store.list_aggregates(
                    aggregate_type=aggregate_type, prefix=prefix, after=page.cursor or None, limit=limit
                )
                found += page.aggregates
            return [_normal(info) for info in found]

        self._same(list_all)

    @rule(prefix=st.sampled_from(("", "P", "Pa", "Or", "x")))
    def catalogues(self, prefix: str) -> None:
        self._same(lambda store: store.head())
        self._same(lambda store: store.event_types(prefix=prefix))
        self._same(lambda store: store.aggregate_types(prefix=prefix))

    # --- Snapshots ---------------------------------------------------------------------------------------------------

    @rule(key=st.sampled_from(KEYS), version=st.integers(1, 6), state=snapshot_states)
    def save_snapshot(self, key: Any, version: int, state: Any) -> None:
        self._same(lambda store: store.save_snapshot(*key, version=version, state=state))

    @rule(key=st.sampled_from(KEYS), at_version=versions)
    def get_snapshot(self, key: Any, at_version: Any) -> None:
        self._same(lambda store: store.get_snapshot(*key, at_version=at_version))

    @rule(key=st.sampled_from(KEYS), at_version=versions)
    def replay(self, key: Any, at_version: Any) -> None:
        self._same(lambda store: store.replay(*key, at_version=at_version))

    def teardown(self) -> None:
        try:
            if hasattr(self, "_store"):
                self._same(lambda store: store.read_feed(limit=PAGE_EVENTS_MAX))
                _check_chain(self._run(self._store.read_feed(limit=PAGE_EVENTS_MAX)).lines)
        finally:
            super().teardown()


class _EngineMachine(Machine):
    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._model = MemoryEngine()
        self._engine = engine

    @initialize()
    def open(self) -> None:
        self._run(self._engine.open())
        self._exits.push_async_callback(self._engine.close)

    @rule(data=st.data(), sizes=st.lists(st.integers(1, 3), min_size=1, max_size=5))
    def append(self, data: st.DataObject, sizes: list[int]) -> None:
        head = self._run(self._model.head()).position
        batch = [request for size in sizes if _is_good(request := self._script.request(data, size, head))]
        if batch:
            expected = self._run(self._model.append(batch))
            actual = self._run(self._engine.append(batch))
            assert [_outcome(outcome) for outcome in actual] == [_outcome(outcome) for outcome in expected]

    @rule(data=st.data(), count=st.integers(1, 3), spoil=st.sampled_from(("", "", "", "position", "hash")))
    def append_recorded(self, data: st.DataObject, count: int, spoil: str) -> None:
        appends = [self._script.append(data) for _ in range(count)]
        expected = self._run(_append_recorded(self._model, appends, spoil))
        assert self._run(_append_recorded(self._engine, appends, spoil)) == expected

    def teardown(self) -> None:
        try:
            assert self._run(self._read_all(self._engine)) == self._run(self._read_all(self._model))
        finally:
            super().teardown()

    async def _read_all(self, engine: Engine) -> list[object]:
        head = (await engine.head()).position
        page = await engine.read_feed(EVERYTHING, after=0, until=head, direction="forward", limit=PAGE_EVENTS_MAX)
        _check_chain(page.lines)
        return [_normal(FeedPage(page.lines, page.count, cursor_at(page.reached), page.at_end))]


_GROUP_NAMES: Final = ("billing", "search", "Ü '\"")
_GROUPS_MAX: Final = 2
_POSITIONS: Final = st.integers(1, 12)
_UNFINISHED: Final = st.builds(
    PendingEvent,
    key=st.sampled_from([AggregateKey(*key) for key in KEYS]),
    position=_POSITIONS,
    version=st.integers(1, 3),
    following=st.integers(0, 2),
    state=st.sampled_from(("waiting", "in_flight", "parked")),
    due_us=st.integers(0, 2**50),
)
_SKIPPED: Final = st.builds(
    SkippedEvent,
    _POSITIONS,
    st.just("order"),
    st.just("1"),
    st.integers(1, 3),
    st.integers(1, 9),
    st.just(""),
    st.text("ab'\"ü\n", min_size=1),
    st.just(_NO_TIME),
)


class _GroupMachine(Machine):
    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._model = MemoryEngine()
        self._engine = engine
        self._revision = 0
        """The last that any group had."""

    @initialize()
    def open(self) -> None:
        self._run(self._engine.open())
        self._exits.push_async_callback(self._engine.close)

    @rule(name=st.sampled_from(_GROUP_NAMES), max_attempts=st.integers(1, 9))
    def create(self, name: str, max_attempts: int) -> None:
        self._revision += 1
        settings = GroupSettings((QueryItem(tags=(name,)),), max_attempts=max_attempts)
        group = StoredGroup(name, settings, self._revision, self._revision, 0, 0, 0, UUID(int=self._revision))
        self._same(lambda engine: engine.create_group(group, groups_max=_GROUPS_MAX))

    @rule(
        name=st.sampled_from(_GROUP_NAMES),
        is_late=st.sampled_from((False, False, False, True)),
        reached=_POSITIONS,
        put=st.lists(_UNFINISHED, unique_by=lambda one: one.position, max_size=6),
        dropped=st.sets(_POSITIONS, max_size=4),
        drop_all=st.sampled_from((False, False, True)),
        skipped=st.lists(_SKIPPED, unique_by=lambda one: one.position, max_size=2),
    )
    def save(
        self,
        *,
        name: str,
        is_late: bool,
        reached: int,
        put: list[PendingEvent],
        dropped: set[int],
        drop_all: bool,
        skipped: list[SkippedEvent],
    ) -> None:
        state = self._run(self._model.load_group(name))
        group = StoredGroup(name, GroupSettings(), 0, 0, 0, 0, 0, UUID(int=0)) if state is None else state.group
        self._revision += 1
        then = msgspec.structs.replace(
            group, revision=self._revision, reached=reached, save_id=UUID(int=self._revision)
        )
        gone = sorted(dropped - {one.position for one in put})
        change = GroupChange(group.revision - is_late, then, gone, put, drop_all, skipped)
        self._same(lambda engine: engine.save_group(change))

    @rule(name=st.sampled_from(_GROUP_NAMES), which=st.sampled_from(("any", "this", "another")))
    def delete(self, name: str, which: str) -> None:
        state = self._run(self._model.load_group(name))
        created_us = None if which == "any" or state is None else state.group.created_us + (which == "another")
        self._same(lambda engine: engine.delete_group(name, created_us=created_us))

    def _same(self, call: Callable[[Engine], Awaitable[object]]) -> None:
        expected = self._run(self._do(self._model, call))
        assert self._run(self._do(self._engine, call)) == expected

    async def _do(self, engine: Engine, call: Callable[[Engine], Awaitable[object]]) -> list[object]:
        """The answer, and all that is known of groups then."""
        found = [await _answer(call(engine)), await engine.list_groups()]
        for name in _GROUP_NAMES:
            state = await engine.load_group(name)
            found.append(None if state is None else (state.group, state.pending))
            found += [await engine.list_skipped(name, after=after, limit=3) for after in (0, 4)]
        return found


async def _append_recorded(engine: Engine, appends: Sequence[AggregateAppend], spoil: str) -> object:
    """Continue the engine's log as it would have gone on elsewhere. The last event may be spoilt."""
    events = await continuation(engine, appends)
    if spoil == "position":
        events[-1] = msgspec.structs.replace(events[-1], position=events[-1].position + 1)
    elif spoil == "hash":
        events[-1] = msgspec.structs.replace(events[-1], hash="0" * 64)
    return await _answer(engine.append_recorded(events))


def _is_good(request: AppendRequest) -> bool:
    """Engines are given checked requests only."""
    try:
        request.check(atomic=True)
    except InvalidRequest:
        return False
    return True


async def _answer(call: Awaitable[object]) -> object:
    try:
        return _normal(await call)
    except IndelibleError as error:
        return _outcome(error)


def _outcome(outcome: AppendOutcome) -> object:
    return (outcome.code, outcome.fields) if isinstance(outcome, IndelibleError) else outcome


def _normal(value: object) -> object:
    """What must be equal in an answer: all but timestamps and hashes."""
    if isinstance(value, RecordedEvent):
        return msgspec.structs.replace(value, timestamp=_NO_TIME, hash="")
    if isinstance(value, (AggregatePage, FeedPage)):
        fields = msgspec.structs.asdict(value)
        return {**fields, "lines": [_normal(event) for event in value.events]}
    if isinstance(value, AggregateInfo):
        return msgspec.structs.replace(value, first_timestamp=_NO_TIME, last_timestamp=_NO_TIME)
    if isinstance(value, Snapshot):
        return msgspec.structs.replace(value, timestamp=_NO_TIME)
    if isinstance(value, Replay):
        return _normal(value.snapshot), _normal(value.page)
    return value


def _check_chain(lines: bytes) -> None:
    """The hash chain of all events, from the first on."""
    previous = HASH_BEFORE_FIRST
    for line in lines.split(b"\n") if lines else ():
        unhashed, digest = split_hashed_line(line)
        assert event_hash(previous, unhashed) == digest
        previous = digest
