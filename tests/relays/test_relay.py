"""A relay publishes every event in order, whatever the broker does and whoever else runs it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

import pytest
from msgspec.structs import replace

from access.servers import both_servers
from indelible import Cursor, EventQuery, NewEvent
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import Forbidden, InvalidRequest, RelayNotFound, Unauthenticated
from indelible.eventstore import EventStore, FeedPage
from indelible.groups import StartPoint
from indelible.limits import RELAY_LEASE_MAX_S
from indelible.relay_state import RelayInfo, RelayLease
from indelible.relays import tenure
from indelible.relays.relay import Relay
from indelible.relays.sink import Reached
from indelible.store_around import StoreAround
from relays.broker import Broker, BrokerSink

LEASE_S = 0.6
"""Short, so that another takes over soon. On a busy machine it may run out under the one owner that there is."""
PATIENCE_S = 60


@contextlib.asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(relay.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def relay_of(store: EventStore, broker: Broker, **more: Any) -> Relay:
    return Relay(store, "orders", broker.sink(), **{"lease_s": LEASE_S, **more})


async def until(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = is_so()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.01)


async def is_published(store: EventStore, count: int, relay: str = "orders") -> bool:
    relays = {one.relay: one for one in await store.relays.list()}
    return relay in relays and relays[relay].lag == 0 and (await store.head()).position == count


async def first_page(store: EventStore) -> FeedPage:
    pages = store.follow()
    page = await anext(pages)
    await pages.aclose()
    return page


async def state(store: EventStore) -> RelayInfo:
    return await store.relays.get("orders")


async def append(store: EventStore, count: int = 1, event_type: str = "Placed") -> None:
    await store.append("order", "1", [NewEvent(event_type) for _ in range(count)])


@pytest.fixture
def ends_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a relay saves at its end it has saved, however busy the machine is."""
    monkeypatch.setattr(tenure, "_RELEASE_TIMEOUT_S", PATIENCE_S)


async def test_every_event_is_published_in_order(store: EventStore, ends_in_peace: None) -> None:
    broker = Broker()
    await append(store, 300)
    async with running(relay_of(store, broker)):
        await until(lambda: len(broker.log) == 300)
        await append(store, 5)
        await until(lambda: len(broker.log) == 305)
    assert broker.versions == list(range(1, 306))
    info = await state(store)
    assert (info.state, info.published, info.lag, info.cursor) == ("unowned", 305, 0, (await store.head()).cursor)


@pytest.mark.parametrize("method", ["open", "publish", "close"])
async def test_it_ends_though_a_sink_forgets_that_it_was_cancelled(store: EventStore, method: str) -> None:
    """As libraries do, and asyncio's own ``wait_for`` did."""
    broker, is_inside = Broker(), asyncio.Event()
    sink = broker.sink()

    async def forget(*_: object) -> None:
        if is_inside.is_set():
            return
        is_inside.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(PATIENCE_S)

    await append(store)
    relay = Relay(store, "orders", sink, lease_s=LEASE_S)
    broker.is_away = method == "close"
    setattr(sink, method, forget)
    task = asyncio.create_task(relay.run())
    await is_inside.wait()
    task.cancel()
    _, still_running = await asyncio.wait([task], timeout=PATIENCE_S / 2)
    assert not still_running


async def test_another_goes_on_where_one_ended(store: EventStore, ends_in_peace: None) -> None:
    broker = Broker(remembers=False)
    for count in (3, 5):
        await append(store, count - len(broker.log))
        async with running(relay_of(store, broker)):
            await until(lambda: len(broker.log) >= count)  # noqa: B023 - waited for at once
            await asyncio.sleep(0.05)
    assert broker.versions == [1, 2, 3, 4, 5]


async def test_a_narrow_filter_is_no_lag(store: EventStore) -> None:
    broker = Broker()
    await append(store, 50)
    async with running(relay_of(store, broker, query=EventQuery.of(event_types=["Paid"]))):
        await until(lambda: _is_at_head(store))
        await append(store, 1, "Paid")
        await append(store, 3)
        await until(lambda: _is_at_head(store))
    assert broker.versions == [51]


@pytest.mark.parametrize(("names", "published"), [((), ["order", "order"]), (("$schema",), ["$schema"])])
async def test_the_store_s_own_events_are_published_where_they_are_named_alone(
    store: EventStore, names: Sequence[str], published: Sequence[str]
) -> None:
    """Also again, and wherever the relay runs."""
    broker = Broker()
    await append(store)
    await store.schemas.register("Placed", {"type": "object"})
    await store.append("order", "1", [NewEvent("Placed", {})])
    async with running(relay_of(store, broker, query=EventQuery.of(aggregate_types=names))):
        await until(lambda: _is_at_head(store))
        await store.relays.replay("orders", start="beginning")
        await until(lambda: len(broker.log) == 2 * len(published))
        await until(lambda: _has_no_replay(store))
    assert [one.event.aggregate_type for one in broker.log] == [*published, *published]


async def _has_no_replay(store: EventStore) -> bool:
    return (await state(store)).replay is None


async def _is_at_head(store: EventStore) -> bool:
    with contextlib.suppress(Exception):
        return (await state(store)).lag == 0
    return False


async def test_it_starts_where_it_is_told(store: EventStore) -> None:
    broker = Broker()
    await append(store, 4)
    async with running(relay_of(store, broker, start=StartPoint(start="end"))):
        await until(lambda: _is_at_head(store))
        await append(store, 1)
        await until(lambda: broker.versions == [5])


async def test_events_whose_answer_was_lost_are_stored_once_where_the_broker_remembers(store: EventStore) -> None:
    broker = Broker()
    relay = relay_of(store, broker)
    async with running(relay):
        for count in (100, 200, 300):
            broker.lost_answers = 1
            await append(store, 100)
            await until(lambda: len(broker.log) == count and not broker.lost_answers)  # noqa: B023 - waited for at once
        await until(lambda: _is_at_head(store))
    assert broker.versions == list(range(1, 301))
    assert relay.errors == 3
    assert (await state(store)).published == 300


async def test_a_broker_that_is_away_is_waited_for(store: EventStore) -> None:
    broker = Broker()
    broker.is_away = True
    await append(store, 3)
    async with running(relay_of(store, broker)):
        info = await becomes(store, "retrying")
        assert info.problem == f"the broker is away; behind cursor {info.cursor}"
        assert info.lease_left_s > 0
        broker.is_away = False
        await until(lambda: broker.versions == [1, 2, 3])
        await until(lambda: _is(store, "running"))
        assert (await state(store)).problem is None


@pytest.mark.parametrize("event_types", [[], ["Paid"]])
async def test_a_problem_stays_until_something_is_published(store: EventStore, event_types: Sequence[str]) -> None:
    """A broker that lets everybody in, and takes nothing: a disk that is full is like that for hours."""
    broker = Broker()
    broker.at_once_max = 0
    await append(store, 1_200)
    await append(store, 1, "Paid")
    relay = relay_of(store, broker, query=EventQuery.of(event_types=event_types))
    async with running(relay):
        await until(lambda: _is(store, "retrying"))
        # The first problem may be that of the first page, before the place that the relay gets to is saved.
        errors, seen = relay.errors, set()
        while relay.errors < errors + 4:
            info = await state(store)
            # Its lease may have run out.
            seen.add((info.state if info.state != "unowned" else "retrying", info.problem is None))
            await asyncio.sleep(0.01)
        assert seen == {("retrying", False)}
        broker.at_once_max = None
        await until(lambda: _is(store, "running"))
        await until(lambda: _is_at_head(store))
        assert (await state(store)).problem is None


async def test_a_problem_passes_once_there_is_nothing_to_publish(store: EventStore) -> None:
    broker = Broker()
    broker.is_away = True
    async with running(relay_of(store, broker)):
        await until(lambda: _is(store, "retrying"))
        broker.is_away = False
        await until(lambda: _is(store, "running"))


async def _is(store: EventStore, name: str) -> bool:
    with contextlib.suppress(Exception):
        return (await state(store)).state == name
    return False


async def becomes(store: EventStore, name: str) -> RelayInfo:
    """What the store says when the relay is in that state: a moment later its lease may have run out."""
    found: list[RelayInfo] = []

    async def is_so() -> bool:
        with contextlib.suppress(RelayNotFound):
            found[:] = [await state(store)]
        return bool(found) and found[0].state == name

    await until(is_so)
    return found[0]


async def test_the_lease_is_kept_while_the_broker_hangs(store: EventStore) -> None:
    """It is renewed long before it ends; on a busy machine not each time."""
    broker, held = Broker(), HeldUp(store)
    broker.answers.clear()
    await append(store, 3)
    async with running(relay_of(held, broker)):
        await until(lambda: len(held.relays.saved_at) >= 10)
        paces = [after - before for before, after in pairwise(held.relays.saved_at)]
        assert not broker.log
        broker.answers.set()
        await until(lambda: broker.versions == [1, 2, 3])
    assert median(paces) < LEASE_S
    assert (await state(store)).epoch == 1


async def test_an_event_that_is_refused_stops_it_until_it_is_resumed(store: EventStore) -> None:
    broker = Broker()
    broker.refused = {3}
    await append(store, 5)
    async with running(relay_of(store, broker)):
        await until(lambda: _is(store, "stopped"))
        assert (await state(store)).problem == "the event at position 3: it is too large"
        await asyncio.sleep(LEASE_S)
        assert (await state(store)).state == "stopped"
        assert broker.versions == [1, 2]
        broker.refused = set()
        await store.relays.resume("orders")
        await until(lambda: broker.versions == [1, 2, 3, 4, 5])
        await until(lambda: _is(store, "running"))


async def test_a_stop_outlasts_its_owner(store: EventStore) -> None:
    broker = Broker()
    broker.refused = {1}
    await append(store, 1)
    async with running(relay_of(store, broker)):
        await until(lambda: _is(store, "stopped"))
    broker.refused = set()
    async with running(relay_of(store, broker)):
        await asyncio.sleep(LEASE_S)
        assert (broker.versions, (await state(store)).state) == ([], "stopped")
        await store.relays.resume("orders")
        await until(lambda: broker.versions == [1])


async def test_a_paused_relay_publishes_nothing_and_stays_its_owner_s(store: EventStore) -> None:
    broker = Broker()
    async with running(relay_of(store, broker)):
        await until(lambda: _is(store, "running"))
        await store.relays.pause("orders")
        await asyncio.sleep(LEASE_S)
        await append(store, 3)
        await asyncio.sleep(LEASE_S)
        await until(lambda: _has_lease(store))
        info = await state(store)
        assert (info.state, info.epoch, broker.log) == ("paused", 1, [])
        await store.relays.resume("orders")
        await until(lambda: broker.versions == [1, 2, 3])


async def _has_lease(store: EventStore) -> bool:
    return (await state(store)).lease_left_s > 0


async def test_a_reset_publishes_again(store: EventStore) -> None:
    broker = Broker()
    await append(store, 3)
    async with running(relay_of(store, broker)):
        await until(lambda: _is_at_head(store))
        await store.relays.reset("orders", after=Cursor(""))
        await until(lambda: broker.versions == [1, 2, 3] * 2)
    assert [one.epoch for one in broker.log] == [1, 1, 1, 3, 3, 3]


async def test_one_that_was_held_up_publishes_nothing_more(store: EventStore) -> None:
    """It hears from the store that it is no longer the owner before it publishes anything, though the broker would take
    it."""
    broker = Broker(remembers=False)
    first = relay_of(held := HeldUp(store), broker, owner="first")
    # Which the first does not get back, however late the second is to renew its lease.
    second = relay_of(store, broker, owner="second", lease_s=RELAY_LEASE_MAX_S)
    async with running(first):
        await until(lambda: _is(store, "running"))
        held.relays.answers.clear()
        async with running(second):
            await until(lambda: _owner(store, "second"))
            await append(store, 3)
            await until(lambda: len(broker.log) >= 3)
            await asyncio.sleep(LEASE_S)
            held.relays.answers.set()
            await append(store, 1)
            await until(lambda: len(broker.log) >= 4)
            await asyncio.sleep(LEASE_S)
    assert [(one.epoch, one.event.version) for one in broker.log] == [(2, 1), (2, 2), (2, 3), (2, 4)]


@pytest.mark.parametrize("count", [0, 1])
async def test_one_that_lost_its_store_lets_go_of_the_broker(store: EventStore, count: int) -> None:
    """An open connection may be what keeps others from publishing."""
    sink = (broker := Broker(remembers=False)).sink()
    relay = Relay(held := HeldUp(store), "orders", sink, lease_s=LEASE_S)
    async with running(relay):
        await append(store, 1)
        await until(lambda: len(broker.log) == 1)
        held.relays.answers.clear()
        await append(store, count) if count else None
        await until(lambda: not sink.is_open)
        held.relays.answers.set()
        await append(store, 1)
        await until(lambda: broker.versions[-1] == count + 2 and sink.is_open)


class HeldUp(StoreAround):
    """A store that does not answer its relay's owner for a while."""

    def __init__(self, inner: EventStore) -> None:
        super().__init__(inner)
        self._relays = HeldUpRelays(inner)

    @property
    def relays(self) -> "HeldUpRelays":
        return self._relays


class HeldUpRelays:
    def __init__(self, store: EventStore) -> None:
        self._inner: Any = store.relays
        self.answers = asyncio.Event()
        self.answers.set()
        self.refusal: Exception | None = None
        self.saved_at: list[float] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **more: Any) -> Any:
            await self.answers.wait()
            if self.refusal is not None:
                raise self.refusal
            told = await getattr(self._inner, name)(*args, **more)
            if name == "advance":
                self.saved_at.append(time.monotonic())
            return told

        return call


async def _owner(store: EventStore, name: str) -> bool:
    return (await state(store)).owner == name


async def test_another_takes_over_from_one_that_died(store: EventStore) -> None:
    await store.relays.claim("orders", "one that died", lease_s=LEASE_S)
    broker = Broker()
    await append(store, 1)
    async with running(relay_of(store, broker)):
        await until(lambda: broker.versions == [1])
    assert broker.log[0].epoch == 2


async def test_a_broker_that_is_ahead_of_the_store_stops_it(store: EventStore) -> None:
    """As when the store was restored from a backup."""
    broker = Broker()
    await append(store, 3)
    async with running(relay_of(store, broker)):
        await until(lambda: len(broker.log) == 3)
    broker.log[-1] = broker.log[-1]._replace(message=broker.log[-1].message._replace(cursor=Cursor("77777")))
    async with running(relay_of(store, broker)):
        await until(lambda: _is(store, "stopped"))
    assert "no place of this store's log" in str((await state(store)).problem)


async def test_a_broker_that_was_ahead_of_the_store_stops_it_though_the_store_has_grown() -> None:
    """It was restored from a backup, and has other events by now where those are that the broker got."""
    broker = Broker()
    async with LocalEventStore(MemoryEngine()) as lost, LocalEventStore(MemoryEngine()) as store:
        await append(lost, 3)
        await store.append_recorded((await lost.read_feed(limit=2)).events)
        async with running(relay_of(lost, broker)):
            await until(lambda: len(broker.log) == 3)
        await append(store, 4)
        async with running(relay_of(store, broker)):
            await until(lambda: _is(store, "stopped"))
        assert "restored from a backup since" in str((await state(store)).problem)
    assert broker.versions == [1, 2, 3]


class SaysNoEvent(BrokerSink):
    """And takes no reset for one."""

    def reached(self, lease: RelayLease) -> Reached | None:
        reached = super().reached(replace(lease, reset_epoch=0))
        return None if reached is None else Reached(reached.cursor, None, None)


async def test_a_broker_that_says_no_event_is_believed_where_that_skips_nothing(store: EventStore) -> None:
    """As of a version that did not say one."""
    sink = SaysNoEvent(broker := Broker())
    await append(store, 2)
    for count in (2, 3):
        async with running(Relay(store, "orders", sink, lease_s=LEASE_S)):
            await until(lambda: len(broker.log) == count)  # noqa: B023 - waited for at once
            await until(lambda: _is_at_head(store))
        await append(store, 1)
    await store.relays.reset("orders", after=(await store.read_feed(limit=2)).cursor)
    async with running(Relay(store, "orders", sink, lease_s=LEASE_S)):
        await until(lambda: _is(store, "stopped"))
    problem = str((await state(store)).problem)
    assert "not with which event" in problem
    assert f"reset the relay to go on after {broker.log[-1].cursor}" in problem


async def test_a_broker_that_knows_a_later_epoch_than_the_store_stops_it(store: EventStore) -> None:
    broker = Broker()
    broker.epochs["orders"] = 7
    await append(store, 1)
    async with running(relay_of(store, broker)):
        await until(lambda: _is(store, "stopped"))
        info = await state(store)
    assert (info.problem, info.epoch) == ("the broker knows epoch 7, and the store none; publish to another subject", 1)


@pytest.mark.parametrize("said", [None, "read:*", "admin:order read:*"])
@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_whoever_may_not_run_it_is_told_so(transport: str, said: str | None) -> None:
    broker = Broker()
    async with both_servers() as servers, servers.client(transport, said) as client:
        await append(servers.store)
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises((Unauthenticated, Forbidden)):
                await relay_of(client, broker).run()
    assert not broker.log


async def test_whoever_may_no_longer_run_it_is_waited_for(store: EventStore) -> None:
    """The grants may be in the middle of a change."""
    broker = Broker()
    await append(store)
    async with running(relay_of(held := HeldUp(store), broker)):
        await until(lambda: _is_at_head(store))
        held.relays.refusal = Forbidden("you need admin:*", permission="admin")
        await until(lambda: _is(store, "unowned"))
        held.relays.refusal = None
        await append(store)
        await until(lambda: broker.versions == [1, 2])


def test_bad_settings_are_refused() -> None:
    store: Any = None
    for pointer, more in (
        ("/owner", {"owner": ""}),
        ("/start", {"start": StartPoint(start="end", after=Cursor("1"))}),
    ):
        with pytest.raises(InvalidRequest) as caught:
            relay_of(store, Broker(), **more)
        assert caught.value.pointer == pointer
