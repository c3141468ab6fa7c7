"""A group's worker when its storage is slow, breaks, or belongs to others as well: nothing is lost, nothing comes out
of order, and whoever asks gets an answer."""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest

from indelible.core.store import LocalEventStore
from indelible.diagnostics import Capabilities, GroupMeasure
from indelible.engines.engine import Lines, LogHead
from indelible.engines.group_storage import GroupChange, GroupState
from indelible.engines.memory import MemoryEngine
from indelible.errors import GroupNotFound, OutcomeUnknown, Overloaded, ShuttingDown, StorageFailure, Unavailable
from indelible.events import NewEvent
from indelible.groups import Delivery, Settled
from indelible.limits import GROUP_CALLS_WAITING_MAX, GROUP_POLL_S, GROUP_PULL_MAX, READS_WAITING_MAX
from indelible.queries import EventQuery

_GROUP = "billing"
_PATIENCE_S = 30.0


class FaultyEngine(MemoryEngine):
    """Memory whose storage of groups does as it is told. A fault is used once; without one all is well."""

    def __init__(self, *, many_processes: bool = False) -> None:
        super().__init__()
        self.capabilities = Capabilities(durable=False, many_processes=many_processes)
        self.on_save: list[Callable[[GroupChange], Awaitable[bool]]] = []
        self.on_load: list[Exception] = []
        self.loads = 0
        self.on_read: list[Exception] = []
        self.is_held, self.may_go_on = asyncio.Event(), asyncio.Event()
        self.changes: list[GroupChange] = []
        """What was saved."""

    async def save_group(self, change: GroupChange) -> bool:
        await asyncio.sleep(0)
        return await (self.on_save.pop(0) if self.on_save else self.save)(change)

    async def save(self, change: GroupChange) -> bool:
        is_saved = await super().save_group(change)
        if is_saved:
            self.changes.append(change)
        return is_saved

    async def break_after(self, change: GroupChange) -> bool:
        await self.save(change)
        raise OutcomeUnknown("the connection broke; ask again")

    async def break_before(self, change: GroupChange) -> bool:
        raise Unavailable("the connection broke", retry_after_s=0.0)

    async def be_late(self, change: GroupChange) -> bool:
        """Another process is faster."""
        state = await super().load_group(change.group.name)
        assert state is not None
        group = msgspec.structs.replace(state.group, revision=state.group.revision + 1)
        await super().save_group(GroupChange(state.group.revision, group))
        return await self.save(change)

    async def be_slow(self, change: GroupChange) -> bool:
        await asyncio.sleep(0.05)
        return await self.save(change)

    async def be_held(self, change: GroupChange) -> bool:
        self.is_held.set()
        await self.may_go_on.wait()
        return await self.save(change)

    async def load_group(self, name: str) -> GroupState | None:
        if self.on_load:
            raise self.on_load.pop(0)
        self.loads += 1
        return await super().load_group(name)

    async def read_feed(self, query: EventQuery, **options: Any) -> Lines:
        if self.on_read:
            raise self.on_read.pop(0)
        await asyncio.sleep(0)
        return await super().read_feed(query, **options)

    async def read_aggregate(self, *args: Any, **options: Any) -> tuple[int, Lines]:
        if self.on_read:
            raise self.on_read.pop(0)
        await asyncio.sleep(0)
        return await super().read_aggregate(*args, **options)


@pytest.fixture
def engine() -> FaultyEngine:
    return FaultyEngine()


@pytest.fixture
async def store(engine: FaultyEngine) -> AsyncIterator[LocalEventStore]:
    async with LocalEventStore(engine) as store:
        await store.groups.create(_GROUP)
        yield store


@pytest.fixture(autouse=True)
def _numbers_are_used_once(engine: FaultyEngine) -> Iterator[None]:
    """Whatever a test does."""
    yield
    # A row is put again while its delivery is under way, then with the same event.
    positions = defaultdict[int, set[int]](set)
    for change in engine.changes:
        for one in change.put:
            if one.delivery:
                positions[one.delivery].add(one.position)
    assert all(len(events) == 1 for events in positions.values())


async def _append(store: LocalEventStore, aggregates: int, each: int = 1) -> None:
    for n in range(aggregates):
        await store.append("Order", str(n), [NewEvent("Placed", version) for version in range(each)])


async def _ack(store: LocalEventStore, deliveries: tuple[Delivery, ...]) -> None:
    settled = await store.groups.ack(_GROUP, [one.delivery_id for one in deliveries])
    assert settled == Settled(len(deliveries))


def _places(deliveries: tuple[Delivery, ...]) -> list[tuple[str, int, int]]:
    return [(one.event.aggregate_id, one.event.version, one.attempt) for one in deliveries]


async def _soon(call: Awaitable[Any]) -> Any:
    async with asyncio.timeout(_PATIENCE_S):
        return await call


# --- Saves -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["be_late", "be_slow"])
async def test_a_pull_survives_a_save_that_goes_wrong(store: LocalEventStore, engine: FaultyEngine, fault: str) -> None:
    await _append(store, 3)
    engine.on_save = [getattr(engine, fault)] * 2
    found = await store.groups.pull(_GROUP)
    assert _places(found) == [("0", 1, 1), ("1", 1, 1), ("2", 1, 1)]
    assert await store.groups.pull(_GROUP) == ()
    await _ack(store, found)
    assert (await store.groups.get(_GROUP)).lag == 0


@pytest.mark.parametrize("fault", ["break_after", "break_before"])
async def test_a_pull_that_failed_is_made_again_at_once(
    store: LocalEventStore, engine: FaultyEngine, fault: str
) -> None:
    await _append(store, 3)
    engine.on_save = [getattr(engine, fault)]
    with pytest.raises(Unavailable):
        await store.groups.pull(_GROUP)
    found = await store.groups.pull(_GROUP)
    assert _places(found) == [("0", 1, 1), ("1", 1, 1), ("2", 1, 1)]
    await _ack(store, found)


async def test_what_nobody_got_comes_again_though_another_saved_since(
    store: LocalEventStore, engine: FaultyEngine
) -> None:
    async with LocalEventStore(engine) as other:
        await _append(store, 3)
        engine.on_save = [engine.break_after]
        with pytest.raises(Unavailable):
            await store.groups.pull(_GROUP, limit=2)
        elsewhere = await other.groups.pull(_GROUP)
        assert _places(elsewhere) == [("2", 1, 1)]
        found = await store.groups.pull(_GROUP)
        assert _places(found) == [("0", 1, 1), ("1", 1, 1)]
        await _ack(store, found + elsewhere)


async def test_what_a_member_holds_is_not_given_to_another(store: LocalEventStore, engine: FaultyEngine) -> None:
    await _append(store, 1, 2)
    found = await store.groups.pull(_GROUP)
    engine.on_read = [Unavailable("the connection broke", retry_after_s=0.0)]
    await _append(store, 1)
    with pytest.raises(Unavailable):
        await store.groups.pull(_GROUP)
    assert await store.groups.pull(_GROUP) == ()
    await _ack(store, found)


@pytest.mark.parametrize("fault", ["be_late", "break_after", "break_before", "be_slow"])
async def test_whatever_goes_wrong_a_call_may_be_repeated(
    store: LocalEventStore, engine: FaultyEngine, fault: str
) -> None:
    await _append(store, 2, 2)
    found = await store.groups.pull(_GROUP)
    ids = [one.delivery_id for one in found]

    async def again(call: Callable[[], Awaitable[Settled]]) -> Settled:
        engine.on_save = [getattr(engine, fault)]
        try:
            return await call()
        except (Unavailable, OutcomeUnknown):
            return await call()

    assert await again(lambda: store.groups.extend(_GROUP, ids, ack_timeout_s=60)) == Settled(2)
    assert await again(lambda: store.groups.nack(_GROUP, ids[:1], reason="not now")) == Settled(1)
    assert await again(lambda: store.groups.ack(_GROUP, ids[1:])) == Settled(1)
    assert _places(await store.groups.pull(_GROUP)) == [("0", 1, 2), ("1", 2, 1)]


async def test_a_decision_whose_save_is_in_doubt_is_said_to_be(store: LocalEventStore, engine: FaultyEngine) -> None:
    """To whoever decided; a pull that waited with it delivered nothing, and is just made again."""
    await _append(store, 2, 2)
    found = await store.groups.pull(_GROUP, limit=1)
    await store.groups.nack(_GROUP, [one.delivery_id for one in found], park=True)
    positions = [one.event.position for one in found]
    engine.on_save = [engine.break_after]
    skip, pull = await asyncio.gather(
        store.groups.skip_parked(_GROUP, positions, reason="a duplicate"),
        store.groups.pull(_GROUP),
        return_exceptions=True,
    )
    assert isinstance(skip, OutcomeUnknown)
    assert isinstance(pull, Unavailable)
    assert "nothing was delivered" in pull.message
    assert [one.position for one in (await store.groups.list_skipped(_GROUP)).skipped] == positions
    assert _places(await store.groups.pull(_GROUP)) == [("0", 2, 1), ("1", 1, 1)]


async def test_a_storage_that_failed_says_what_is_in_doubt(store: LocalEventStore, engine: FaultyEngine) -> None:
    async def fail(change: GroupChange) -> bool:
        raise StorageFailure("no sync", nothing_stored=bool(failures))

    failures: list[str] = []
    engine.on_save = [fail, fail]
    with pytest.raises(OutcomeUnknown, match="the commit failed \\(no sync\\); ask"):
        await store.groups.change(_GROUP, max_attempts=3)
    failures.append("stopped")
    with pytest.raises(ShuttingDown, match="nothing was stored"):
        await store.groups.change(_GROUP, max_attempts=3)


async def test_a_skip_is_recorded_though_a_reset_comes_with_it(store: LocalEventStore, engine: FaultyEngine) -> None:
    await _append(store, 1, 2)
    (found,) = await store.groups.pull(_GROUP)
    await store.groups.nack(_GROUP, [found.delivery_id], park=True)
    engine.on_save = [engine.be_slow]
    await asyncio.gather(
        store.groups.change(_GROUP, max_attempts=3),
        store.groups.skip_parked(_GROUP, [found.event.position], reason="a duplicate"),
        store.groups.reset(_GROUP, start="end"),
    )
    assert [one.reason for one in (await store.groups.list_skipped(_GROUP)).skipped] == ["a duplicate"]


# --- Reads -----------------------------------------------------------------------------------------------------------


async def test_failing_reads_are_told_and_lose_nothing(store: LocalEventStore, engine: FaultyEngine) -> None:
    await _append(store, 2, 3)
    done = list[tuple[str, int, int]]()
    held: tuple[Delivery, ...] = ()
    for n in range(100):
        if n % 2:
            engine.on_load = [Unavailable("no load", retry_after_s=0.0)] if n % 4 == 1 else []
            engine.on_read = [Unavailable("no read", retry_after_s=0.0)]
        try:
            held = held or await store.groups.pull(_GROUP)
            if held:
                await _ack(store, held)
                done += _places(held)
                held = ()
        except Unavailable:
            pass
    assert sorted(done) == [(str(n), version, 1) for n in range(2) for version in range(1, 4)]


async def test_many_aggregates_that_all_need_a_look_at_what_follows(engine: FaultyEngine) -> None:
    """The storage refuses to have many reads wait."""
    reading = most = 0

    class Counting(FaultyEngine):
        async def read_aggregate(self, *args: Any, **options: Any) -> tuple[int, Lines]:
            nonlocal reading, most
            reading += 1
            most = max(most, reading)
            try:
                return await super().read_aggregate(*args, **options)
            finally:
                reading -= 1

    engine = Counting()
    async with LocalEventStore(engine) as store:
        await store.groups.create(_GROUP, max_in_flight=5_000)
        await _append(store, GROUP_PULL_MAX + 1, 2)
        found = await store.groups.pull(_GROUP, limit=GROUP_PULL_MAX), await store.groups.pull(_GROUP)
    async with LocalEventStore(engine) as store:
        await asyncio.gather(*(_ack(store, some) for some in found))
        assert len(await store.groups.pull(_GROUP, limit=GROUP_PULL_MAX)) == GROUP_PULL_MAX
    assert most < READS_WAITING_MAX / 4


# --- Callers ---------------------------------------------------------------------------------------------------------


async def test_pulls_that_come_during_a_round_get_what_there_is(store: LocalEventStore, engine: FaultyEngine) -> None:
    await _append(store, 20)
    found = list[Delivery]()

    async def member(delay_ticks: int) -> None:
        for _ in range(delay_ticks):
            await asyncio.sleep(0)
        found.extend(await store.groups.pull(_GROUP, limit=1))

    await asyncio.gather(*(member(ticks) for ticks in range(20)))
    assert len({one.delivery_id for one in found}) == 20


async def test_members_that_give_up_cost_no_attempt(store: LocalEventStore, engine: FaultyEngine) -> None:
    """At whatever moment."""
    await _append(store, 3)
    for ticks in range(25):
        engine.on_save = [engine.be_slow] if ticks % 5 == 0 else []
        pulling = asyncio.create_task(store.groups.pull(_GROUP))
        for _ in range(ticks):
            await asyncio.sleep(0)
        pulling.cancel()
        (outcome,) = await asyncio.gather(pulling, return_exceptions=True)
        if isinstance(outcome, tuple) and outcome:
            await store.groups.nack(_GROUP, [one.delivery_id for one in outcome])
            await store.groups.reset(_GROUP, start="beginning")
    found = await _soon(store.groups.pull(_GROUP, wait_s=10))
    assert _places(found) == [("0", 1, 1), ("1", 1, 1), ("2", 1, 1)]


async def test_who_leaves_while_the_next_save_is_under_way_holds_nothing(
    store: LocalEventStore, engine: FaultyEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _append(store, 1)
    engine.on_save = [engine.be_held, engine.be_slow]
    first = asyncio.create_task(store.groups.pull(_GROUP))
    await _soon(engine.is_held.wait())
    changing = asyncio.create_task(store.groups.change(_GROUP, max_attempts=3))
    second = asyncio.create_task(store.groups.pull(_GROUP, wait_s=10))
    for _ in range(10):
        await asyncio.sleep(0)
    head = engine.head

    async def leave() -> LogHead:
        # Answered by now, and not aware of it: the next save begins before it is.
        first.cancel()
        return await head()

    monkeypatch.setattr(engine, "head", leave)
    engine.may_go_on.set()
    (delivery,) = await _soon(second)
    assert first.cancelled()
    assert delivery.attempt == 1
    await changing


async def test_members_that_left_take_no_place(store: LocalEventStore) -> None:
    waiting = [asyncio.create_task(store.groups.pull(_GROUP, wait_s=30)) for _ in range(GROUP_CALLS_WAITING_MAX)]
    await asyncio.sleep(0.01)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await store.groups.pull(_GROUP) == ()


async def test_members_that_wait_keep_nobody_from_acknowledging(store: LocalEventStore) -> None:
    await _append(store, 1)
    (first,) = await store.groups.pull(_GROUP)
    waiting = [asyncio.create_task(store.groups.pull(_GROUP, wait_s=30)) for _ in range(GROUP_CALLS_WAITING_MAX)]
    await asyncio.sleep(0.01)
    with pytest.raises(Overloaded):
        await store.groups.pull(_GROUP)
    assert await store.groups.ack(_GROUP, [first.delivery_id]) == Settled(1)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_closing_answers_who_waits(store: LocalEventStore) -> None:
    waiting = [asyncio.create_task(store.groups.pull(_GROUP, wait_s=30)) for _ in range(3)]
    await asyncio.sleep(0.01)
    await _soon(store.aclose())
    assert await asyncio.gather(*waiting) == [()] * 3
    with pytest.raises(ShuttingDown):
        await store.groups.pull(_GROUP)


async def test_groups_that_are_deleted_and_made_again_under_their_members(
    store: LocalEventStore, engine: FaultyEngine
) -> None:
    """All of them meet at the new one."""

    async def member() -> tuple[Delivery, ...]:
        while True:
            try:
                return await store.groups.pull(_GROUP, wait_s=30)
            except GroupNotFound:
                await store.groups.create(_GROUP)

    members = [asyncio.create_task(member()) for _ in range(4)]
    await asyncio.sleep(0.01)
    await store.groups.delete(_GROUP)
    await asyncio.sleep(0.05)
    await store.append("Order", "1", [NewEvent("Placed", n) for n in range(4)])
    done = list[int]()
    while members:
        ended, rest = await asyncio.wait(members, timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        assert ended, "a member waits at a group that is gone"
        members = list(rest)
        for one in ended:
            done += [delivery.event.version for delivery in one.result()]
            await _ack(store, one.result())
    assert done == [1, 2, 3, 4]


# --- Several workers -------------------------------------------------------------------------------------------------


async def test_a_member_sees_what_another_process_has_freed() -> None:
    """Even one that asks time and again instead of waiting."""
    engine = FaultyEngine(many_processes=True)
    async with LocalEventStore(engine) as store, LocalEventStore(engine) as other:
        await store.groups.create(_GROUP)
        await _append(store, 1, 2)
        await _ack(other, await store.groups.pull(_GROUP))
        found: tuple[Delivery, ...] = ()
        async with asyncio.timeout(_PATIENCE_S):
            while not found:
                found = await store.groups.pull(_GROUP)
                await asyncio.sleep(0.01)
        assert _places(found) == [("0", 2, 1)]


async def test_what_is_with_a_member_stays_there_while_others_look(engine: FaultyEngine) -> None:
    engine = FaultyEngine(many_processes=True)
    async with LocalEventStore(engine) as store:
        await store.groups.create(_GROUP)
        await _append(store, 1)
        found = await store.groups.pull(_GROUP)
        assert await store.groups.pull(_GROUP, wait_s=0.6) == ()
        await _ack(store, found)


async def test_what_nobody_else_has_saved_is_not_loaded_again() -> None:
    engine = FaultyEngine(many_processes=True)
    async with LocalEventStore(engine) as store, LocalEventStore(engine) as other:
        await store.groups.create(_GROUP)
        await _append(store, 1, 2)
        found = await store.groups.pull(_GROUP)
        loads = engine.loads
        # It looks every GROUP_POLL_S what others did.
        assert await store.groups.pull(_GROUP, wait_s=4 * GROUP_POLL_S) == ()
        assert engine.loads == loads
        await _ack(other, found)
        assert _places(await store.groups.pull(_GROUP, wait_s=_PATIENCE_S)) == [("0", 2, 1)]


async def test_nothing_is_lost_or_out_of_order_whatever_saves_do() -> None:
    """Members at two workers of one storage that fails all the time."""
    engine = FaultyEngine(many_processes=True)
    faults = itertools.cycle((engine.save, engine.be_late, engine.save, engine.break_after, engine.break_before))
    aggregates, each = 6, 8
    done = defaultdict[str, list[int]](list)
    with_members = Counter[str]()
    async with LocalEventStore(engine) as store, LocalEventStore(engine) as other:
        await store.groups.create(_GROUP, ack_timeout_s=30)
        await _append(store, aggregates, each)

        async def handle(door: LocalEventStore, one: Delivery) -> None:
            event = one.event
            with_members[event.aggregate_id] += 1
            assert with_members[event.aggregate_id] == 1, "two events of an aggregate are with members"
            assert one.attempt == 1, "a delivery that nobody got was counted"
            done[event.aggregate_id].append(event.version)
            await asyncio.sleep(0)
            # Before the call: another may have the next event before the answer is here.
            with_members[event.aggregate_id] -= 1
            while True:
                try:
                    assert (await door.groups.ack(_GROUP, [one.delivery_id])).settled == 1
                except (Unavailable, OutcomeUnknown):
                    continue
                return

        async def member(door: LocalEventStore) -> None:
            while sum(map(len, done.values())) < aggregates * each:
                engine.on_save.append(next(faults))
                try:
                    found = await door.groups.pull(_GROUP, limit=2, wait_s=0.1)
                except Unavailable:
                    continue
                for one in found:
                    await handle(door, one)

        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.gather(*(member(door) for door in (store, other) * 3))
        assert (await store.groups.get(_GROUP)).lag == 0
    assert len({change.group.revision for change in engine.changes}) == len(engine.changes)
    assert done == {str(n): list(range(1, each + 1)) for n in range(aggregates)}


# --- Measures --------------------------------------------------------------------------------------------------------


async def test_measures_never_run_backwards() -> None:
    engine, heard = FaultyEngine(), list[GroupMeasure]()
    async with LocalEventStore(engine, on_group=lambda _, measure: heard.append(measure)) as store:
        await store.groups.create(_GROUP)
        await _append(store, 3)
        engine.on_save = [engine.break_after]
        with pytest.raises(Unavailable):
            await store.groups.pull(_GROUP)
        pulling = asyncio.create_task(store.groups.pull(_GROUP))
        engine.on_save = [engine.be_held]
        await _soon(engine.is_held.wait())
        pulling.cancel()
        await asyncio.sleep(0)
        engine.may_go_on.set()
        await asyncio.wait([pulling])
        await _ack(store, await _soon(store.groups.pull(_GROUP, wait_s=10)))
    assert all(value == [] or value >= 0 for measure in heard for value in msgspec.structs.astuple(measure))
    assert sum(measure.acks for measure in heard) == 3
    assert sum(measure.redeliveries for measure in heard) == 0
