"""What a relay publishes beside the order of the log: ranges again, and events that the broker refused."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from indelible import Cursor, EventQuery, NewEvent
from indelible.core import replay_rules
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import InvalidRequest, RelayNotFound, Unavailable
from indelible.eventstore import EventStore, FeedPage
from indelible.relay_state import RefusedEvent, SetAsideEvent
from indelible.relays import beside as beside_module
from indelible.relays import relay as relay_module
from indelible.relays.ahead import Ahead
from indelible.relays.relay import Relay
from indelible.relays.sink import Replay
from relays.broker import Broker
from relays.test_relay import LEASE_S, HeldUp, _is, _is_at_head, _owner, append, relay_of, running, state, until


def setting_aside(store: EventStore, broker: Broker, **more: Any) -> Relay:
    return relay_of(store, broker, on_refusal="set_aside", **more)


async def has_no_replay(store: EventStore) -> bool:
    return (await state(store)).replay is None


async def set_aside(store: EventStore) -> dict[int, SetAsideEvent]:
    return {one.position: one for one in await store.relays.list_set_aside("orders")}


async def counts(store: EventStore, set_aside: int, to_retry: int = 0) -> bool:
    with contextlib.suppress(RelayNotFound):
        info = await state(store)
        return (info.set_aside, info.to_retry) == (set_aside, to_retry)
    return False


async def cursors(store: EventStore) -> list[Cursor]:
    """Behind each event, by position."""
    found, after = [Cursor("")], None
    while True:
        page = await store.read_feed(after=after, limit=1)
        if not page.count:
            return found
        found.append(after := page.cursor)


# --- Replays ---------------------------------------------------------------------------------------------------------


async def test_a_range_is_published_again_beside_what_comes(store: EventStore) -> None:
    broker = Broker()
    await append(store, 20)
    async with running(relay_of(store, broker)):
        await until(lambda: _is_at_head(store))
        places = await cursors(store)
        info = await store.relays.replay("orders", after=places[4], until=places[9])
        assert info.replay is not None
        assert (info.replay.name, info.replay.cursor, info.replay.until) == ("replay-1", places[4], places[9])
        assert (info.replay.position, info.replay.until_position, info.replay.published) == (4, 9, 0)
        await append(store, 10)
        await until(lambda: has_no_replay(store))
        await until(lambda: _is_at_head(store))
    assert broker.again("replay-1") == [5, 6, 7, 8, 9]
    assert broker.live == list(range(1, 31))
    assert (await state(store)).published == 30


async def test_neither_waits_for_the_other_s_end(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are several pages, and take turns. A publication ends when both have their next page, however slow the store
    is."""
    broker, count, feeds = Broker(), 2_400, dict[str, Ahead]()
    sink = broker.sink()
    relay, publish = Relay(store, "orders", sink, lease_s=LEASE_S), sink.publish

    async def append_large() -> None:
        await store.append("order", "1", [NewEvent("Placed", "x" * 1_000) for _ in range(count)])

    def noting(name: str) -> Callable[[AsyncGenerator[FeedPage]], Ahead]:
        def note(pages: AsyncGenerator[FeedPage]) -> Ahead:
            feeds[name] = Ahead(pages)
            return feeds[name]

        return note

    def have_more() -> bool:
        is_over = len(broker.live) == 2 * count or len(broker.again("replay-1")) == count
        return is_over or all(feed.is_there for feed in feeds.values())

    async def publish_slowly(page: FeedPage, replay: Replay | None = None) -> None:
        await publish(page, replay)
        await until(have_more)

    for module in (beside_module, relay_module):
        monkeypatch.setattr(module, "Ahead", noting(module.__name__))
    await append_large()
    async with running(relay):
        await until(lambda: _is_at_head(store))
        monkeypatch.setattr(sink, "publish", publish_slowly)
        broker.answers.clear()
        await store.relays.replay("orders", start="beginning")
        await append_large()
        # Else one would be done before the relay has heard of the other.
        await until(lambda: relay.info is not None and relay.info.replay is not None)
        broker.answers.set()
        await until(lambda: has_no_replay(store))
        await until(lambda: _is_at_head(store))
    assert broker.again("replay-1") == list(range(1, count + 1))
    assert broker.live == list(range(1, 2 * count + 1))
    kinds = [one.replay is not None for one in broker.log[count:]]
    turns = [(is_replay, len(list(turn))) for is_replay, turn in itertools.groupby(kinds)]
    assert len(turns) > 4, turns


async def test_a_replay_has_the_relay_s_filter_and_ends_where_nothing_matches(store: EventStore) -> None:
    broker = Broker()
    await append(store, 2, "Paid")
    await append(store, 200)
    async with running(relay_of(store, broker, query=EventQuery.of(event_types=["Paid"]))):
        await until(lambda: _is_at_head(store))
        await store.relays.replay("orders", start="beginning")
        await until(lambda: has_no_replay(store))
    assert (broker.live, broker.again("replay-1")) == ([1, 2], [1, 2])


_MORE_THAN_A_PAGE = 2_500
"""Events, whatever the store's API makes a page of."""


async def test_a_replay_outlasts_its_owner(store: EventStore) -> None:
    """Which is held up in the middle. The other goes on from what was saved."""
    broker = Broker(remembers=False)
    await append(store, _MORE_THAN_A_PAGE)
    async with running(relay_of(store, broker)):
        await until(lambda: _is_at_head(store))
    first, second = relay_of(held := HeldUp(store), broker, owner="first"), relay_of(store, broker, owner="second")
    async with running(first):
        await until(lambda: _owner(store, "first"))
        broker.goes_on.clear()
        await store.relays.replay("orders", start="beginning")
        await until(lambda: _is_on_its_way(store))
        held.relays.answers.clear()
        broker.goes_on.set()
        async with running(second):
            await until(lambda: _owner(store, "second"))
            await until(lambda: has_no_replay(store))
            held.relays.answers.set()
    again = [one for one in broker.log if one.replay is not None]
    by_epoch = {epoch: [one.event.version for one in again if one.epoch == epoch] for epoch in (2, 3)}
    assert by_epoch[3][-1] == _MORE_THAN_A_PAGE
    assert 1 < by_epoch[3][0] <= by_epoch[2][-1] + 1
    assert sorted({*by_epoch[2], *by_epoch[3]}) == list(range(1, _MORE_THAN_A_PAGE + 1))
    assert broker.live == list(range(1, _MORE_THAN_A_PAGE + 1))


async def _is_on_its_way(store: EventStore) -> bool:
    replay = (await state(store)).replay
    return replay is not None and 0 < replay.published < _MORE_THAN_A_PAGE


async def test_a_replay_goes_on_after_the_connection_broke(store: EventStore) -> None:
    broker = Broker()
    await append(store, 10)
    async with running(relay_of(store, broker)):
        await until(lambda: _is_at_head(store))
        broker.at_once_max = 4
        await store.relays.replay("orders", start="beginning")
        await until(lambda: len(broker.again("replay-1")) >= 8)
        broker.at_once_max = None
        await until(lambda: has_no_replay(store))
    assert broker.again("replay-1")[:4] == [1, 2, 3, 4]
    assert set(broker.again("replay-1")) == set(range(1, 11))
    assert broker.live == list(range(1, 11))


async def test_a_replay_is_cancelled_and_another_begun(store: EventStore) -> None:
    broker = Broker()
    await append(store, 10)
    async with running(relay_of(store, broker)):
        await until(lambda: _is_at_head(store))
        broker.answers.clear()
        await store.relays.replay("orders", start="beginning")
        await asyncio.sleep(LEASE_S)
        assert (await store.relays.cancel_replay("orders")).replay is None
        info = await store.relays.replay("orders", after=(await cursors(store))[8])
        broker.answers.set()
        assert info.replay is not None
        assert info.replay.name == "replay-2"
        await until(lambda: has_no_replay(store))
    assert broker.again("replay-2") == [9, 10]


async def test_a_paused_relay_replays_nothing(store: EventStore) -> None:
    broker = Broker()
    await append(store, 3)
    async with running(relay_of(store, broker)):
        await until(lambda: _is_at_head(store))
        await store.relays.pause("orders")
        await asyncio.sleep(LEASE_S)
        await store.relays.replay("orders", start="beginning")
        await asyncio.sleep(LEASE_S)
        assert broker.again("replay-1") == []
        await store.relays.resume("orders")
        await until(lambda: broker.again("replay-1") == [1, 2, 3])


async def test_a_refusal_in_a_replay_stops_a_relay_that_is_to_stop(store: EventStore) -> None:
    broker = Broker()
    await append(store, 5)
    async with running(relay_of(store, broker)):
        await until(lambda: _is_at_head(store))
        broker.refused = {3}
        await store.relays.replay("orders", start="beginning")
        await until(lambda: _is(store, "stopped"))
        info = await state(store)
        assert info.problem == "the event at position 3: it is too large (in replay-1)"
        assert info.replay is not None
        assert (info.replay.position, info.replay.published) == (2, 2)
        await store.relays.cancel_replay("orders")
        await store.relays.resume("orders")
        await append(store, 1)
        await until(lambda: broker.live == [1, 2, 3, 4, 5, 6])


async def test_a_refusal_in_a_replay_is_set_aside_too(store: EventStore) -> None:
    broker = Broker()
    await append(store, 5)
    async with running(setting_aside(store, broker)):
        await until(lambda: _is_at_head(store))
        broker.refused = {3}
        await store.relays.replay("orders", start="beginning")
        await until(lambda: has_no_replay(store))
        assert broker.again("replay-1") == [1, 2, 4, 5]
        assert list(await set_aside(store)) == [3]
        broker.refused = set()
        await store.relays.retry_set_aside("orders")
        await until(lambda: counts(store, 0))
    assert broker.again("replay-2") == [3]


# --- Events that were set aside --------------------------------------------------------------------------------------


async def test_refused_events_are_set_aside_and_the_relay_goes_on(store: EventStore) -> None:
    broker = Broker()
    broker.refused = {1, 4, 5}
    await append(store, 6)
    relay = setting_aside(store, broker)
    async with running(relay):
        await until(lambda: _is_at_head(store))
        await until(lambda: _is(store, "running"))
    assert broker.versions == [2, 3, 6]
    found = await set_aside(store)
    events = {event.position: event for event in (await store.read_feed()).events}
    assert list(found) == [1, 4, 5]
    for position, one in found.items():
        event = events[position]
        assert (one.event_id, one.aggregate_type, one.aggregate_id) == (event.event_id, *event.key.stream.split("-"))
        assert (one.reason, one.retry) == ("it is too large", None)
        assert one.set_aside_at >= event.timestamp
    info = await state(store)
    assert (info.set_aside, info.to_retry, info.published, info.problem) == (3, 0, 3, None)
    assert relay.errors == 3


async def test_they_are_published_again_when_somebody_asks(store: EventStore) -> None:
    broker = Broker()
    broker.refused = {2, 3, 4}
    await append(store, 5)
    async with running(setting_aside(store, broker)):
        await until(lambda: counts(store, 3))
        await until(lambda: _is_at_head(store))
        broker.refused = {4}
        assert await store.relays.retry_set_aside("orders", [2]) == 1
        await until(lambda: counts(store, 2))
        assert broker.again("replay-1") == [2]
        assert await store.relays.retry_set_aside("orders") == 2
        await until(lambda: counts(store, 1))
        await until(lambda: counts(store, 1, to_retry=0))
        assert broker.again("replay-2") == [3]
        assert await store.relays.dismiss_set_aside("orders", [4]) == 1
        assert await set_aside(store) == {}
        await append(store, 1)
        await until(lambda: broker.live == [1, 5, 6])
        await until(lambda: _is_at_head(store))
    assert sorted(broker.versions) == [1, 2, 3, 5, 6]
    assert (await state(store)).published == 5


async def test_an_event_that_is_refused_again_stays_with_its_new_reason(store: EventStore) -> None:
    broker = Broker()
    broker.refused = {1}
    await append(store, 2)
    async with running(setting_aside(store, broker)):
        await until(lambda: counts(store, 1))
        first = (await set_aside(store))[1]
        await until(lambda: _is_at_head(store))
        broker.reason = "it is too odd"
        await store.relays.retry_set_aside("orders", [1])
        await until(lambda: counts(store, 1, to_retry=0))
        again = (await set_aside(store))[1]
        assert (again.reason, again.retry) == ("it is too odd", None)
        assert again.set_aside_at > first.set_aside_at
        await append(store, 1)
        await until(lambda: broker.versions == [2, 3])


async def test_a_relay_that_stops_retries_nevertheless_what_was_set_aside(store: EventStore) -> None:
    """Set aside under another setting; a refusal once more is no reason to stop."""
    broker = Broker()
    broker.refused = {1, 2}
    await append(store, 3)
    async with running(setting_aside(store, broker)):
        await until(lambda: counts(store, 2))
        await until(lambda: _is_at_head(store))
    broker.refused = {1}
    async with running(relay_of(store, broker)):
        await store.relays.retry_set_aside("orders")
        await until(lambda: counts(store, 1, to_retry=0))
        await until(lambda: _is(store, "running"))
    assert broker.versions == [3, 2]


class Faulty(HeldUp):
    """A store that fails once, before or after it has done what its relay's owner asks."""

    def __init__(self, inner: EventStore, *, is_done: bool, told: str) -> None:
        super().__init__(inner)
        relays: Any = inner.relays
        self.failures = 1

        async def advance(*args: Any, **more: Any) -> Any:
            if more.get(told) is None or not self.failures:
                return await relays.advance(*args, **more)
            self.failures -= 1
            if is_done:
                await relays.advance(*args, **more)
            raise Unavailable("the store went away", retry_after_s=0)

        self.relays.advance = advance  # type: ignore[attr-defined]  # in place of what __getattr__ gives


async def test_what_is_dismissed_is_not_published_though_as_many_are_to_be(store: EventStore) -> None:
    broker = Broker()
    broker.refused = {1, 2, 3, 4}
    await append(store, 5)
    async with running(setting_aside(store, broker)):
        await until(lambda: counts(store, 4))
        broker.refused = set()
        # The second waits until something else is to be published than what was asked for.
        broker.goes_on.clear()
        await store.relays.retry_set_aside("orders", [1, 2, 3])
        await until(lambda: counts(store, 3, to_retry=2))
        await store.relays.dismiss_set_aside("orders", [3])
        await store.relays.retry_set_aside("orders", [4])
        broker.goes_on.set()
        await until(lambda: counts(store, 0))
    assert [one.event.version for one in broker.log if one.replay is not None] == [1, 2, 4]


@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize("is_done", [True, False])
async def test_an_owner_that_fails_around_the_save_of_a_refusal(
    store: EventStore, remembers: bool, is_done: bool
) -> None:
    """Nothing behind the event is published before it is kept, and nothing is lost."""
    broker = Broker(remembers=remembers)
    broker.refused = {3}
    await append(store, 5)
    faulty = Faulty(store, is_done=is_done, told="refused")
    async with running(setting_aside(faulty, broker)):
        await until(lambda: faulty.failures == 0)
        await until(lambda: _is_at_head(store))
    assert list(await set_aside(store)) == [3]
    assert sorted(set(broker.live)) == [1, 2, 4, 5]
    if remembers:
        assert broker.live == [1, 2, 4, 5]


@pytest.mark.parametrize("is_done", [True, False])
async def test_an_owner_that_fails_around_the_save_of_a_retry(store: EventStore, is_done: bool) -> None:
    broker = Broker()
    broker.refused = {1}
    await append(store, 2)
    faulty = Faulty(store, is_done=is_done, told="retried")
    async with running(setting_aside(faulty, broker)):
        await until(lambda: counts(store, 1))
        broker.refused = set()
        await store.relays.retry_set_aside("orders", [1])
        await until(lambda: faulty.failures == 0)
        await until(lambda: counts(store, 0))
        await append(store, 1)
        await until(lambda: broker.live == [2, 3])
    assert broker.again("replay-1") == ([1] if is_done else [1, 1])


async def test_when_too_many_are_set_aside_the_relay_stops(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_rules, "RELAY_SET_ASIDE_MAX", 2)
    broker = Broker()
    broker.refused = {1, 2, 4}
    await append(store, 5)
    async with running(setting_aside(store, broker)):
        await until(lambda: _is(store, "stopped"))
        info = await state(store)
        assert info.problem == (
            "the event at position 4: it is too large; the relay orders has set aside 2 events, and takes no more; "
            "retry or dismiss some"
        )
        assert (info.position, broker.versions) == (3, [3])
        await store.relays.dismiss_set_aside("orders", [1])
        await store.relays.resume("orders")
        await until(lambda: broker.versions == [3, 5])
    assert list(await set_aside(store)) == [2, 4]


async def test_a_reset_forgets_what_comes_again(store: EventStore) -> None:
    broker = Broker()
    broker.refused = {1, 3}
    await append(store, 4)
    async with running(setting_aside(store, broker)):
        await until(lambda: counts(store, 2))
        await until(lambda: _is_at_head(store))
        broker.refused = set()
        await store.relays.reset("orders", after=(await cursors(store))[2])
        assert list(await set_aside(store)) == [1]
        await until(lambda: broker.versions == [2, 4, 3, 4])


async def test_what_a_broker_remembers_may_be_before_or_behind_the_event() -> None:
    """Another owner asks it how far the relay came. Before: it was refused, and the event kept, and the owner died.
    Behind: later events were published, and the checkpoint was not saved."""
    async with LocalEventStore(MemoryEngine()) as store:
        await append(store, 6)
        broker = Broker()
        broker.refused = {3}
        async with running(setting_aside(store, broker)):
            await until(lambda: _is_at_head(store))
        published = list(broker.log)
        for count in (2, 4):
            fresh = LocalEventStore(MemoryEngine())
            async with fresh:
                await fresh.append_recorded((await store.read_feed()).events)
                lease = await fresh.relays.claim("orders", "one that died", lease_s=LEASE_S)
                await fresh.relays.advance(
                    "orders", lease.epoch, Cursor("3"), published=2, lease_s=LEASE_S,
                    refused=RefusedEvent(3, "it is too large"),
                )  # fmt: skip
                broker.log[:] = [one._replace(epoch=1) for one in published[:count]]
                broker.epoch = 1
                async with running(setting_aside(fresh, broker)):
                    await until(lambda: _is_at_head(fresh))  # noqa: B023 - waited for at once
                assert broker.live == [1, 2, 4, 5, 6]
                assert list(await set_aside(fresh)) == [3]


def test_what_to_do_about_refusals_is_checked() -> None:
    store: Any = None
    with pytest.raises(InvalidRequest, match="must be stop or set_aside") as caught:
        relay_of(store, Broker(), on_refusal="skip")
    assert caught.value.pointer == "/on_refusal"
