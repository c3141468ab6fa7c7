"""Nothing between a store and its callers looks into a cursor: the suites pass where cursors are no numbers.

On two partitions what concerns places in the log, and on one, whose cursors are veiled, what concerns groups and
relays. All else has no cursors.
"""

import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from indelible import AsyncClient
from indelible.client.iterators import Subscription
from indelible.cursors import START, Cursor, cursor_at, position_of
from indelible.errors import InvalidRequest, RelayNotFound
from indelible.events import AggregateKey, NewEvent, RecordedEvent
from indelible.eventstore import EventStore
from indelible.partition_keys import PartitionKeys
from indelible.testing.conformance.conditions import ConditionConformance
from indelible.testing.conformance.groups import GroupConformance
from indelible.testing.conformance.helpers import append_noise, check_each_order, ids, some_events, unique
from indelible.testing.conformance.parking import ParkingConformance
from indelible.testing.conformance.relays import RelayConformance
from indelible.testing.conformance.relays_beside import RelayBesideConformance
from opaque_stores import VeiledStore, merged_store, unveiled, veiled
from serving import serving_in_a_thread


@pytest.fixture(scope="module", params=["direct", "http", "grpc"])
def transport(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def merged_url(transport: str) -> Iterator[str]:
    if transport == "direct":
        yield ""
        return
    with serving_in_a_thread(merged_store(), transport) as url:
        yield url


@pytest.fixture(scope="module")
def veiled_url(transport: str) -> Iterator[str]:
    if transport == "direct":
        yield ""
        return
    with serving_in_a_thread(VeiledStore(), transport) as url:
        yield url


class TestMergedStore:
    @pytest.fixture
    async def store(self, merged_url: str) -> AsyncIterator[EventStore]:
        async with AsyncClient(merged_url) if merged_url else merged_store() as store:
            yield store

    async def test_both_partitions_are_read_as_one_feed(self, store: EventStore) -> None:
        start = await store.head()
        assert start.partitions == 2
        assert not start.cursor.isdigit()
        names = [unique() for _ in range(40)]
        assert {PartitionKeys(2, {}).partition_of(AggregateKey("Order", name)) for name in names} == {0, 1}
        sent = [NewEvent("Placed", name) for name in names]
        for name, event in zip(names, sent, strict=True):
            await store.append("Order", name, [event])
        page = await store.read_feed(after=start.cursor)
        assert (ids(page.events), page.at_end, page.cursor) == (ids(sent), True, (await store.head()).cursor)
        backward = await store.read_feed(direction="backward", limit=40)
        assert ids(backward.events) == ids(sent)[::-1]

    async def test_what_comes_later_comes_behind_every_cursor(self, store: EventStore) -> None:
        given: list[tuple[Cursor, int]] = []
        sent: list[NewEvent] = []
        start = (await store.head()).cursor
        for n in range(30):
            sent += (events := some_events(n % 3 + 1))
            await store.append("Order", unique(), events)
            given.append(((await store.read_feed(after=start)).cursor, len(sent)))
            given.append(((await store.read_feed(after=start, limit=len(sent))).cursor, len(sent)))
        for cursor, passed in given:
            assert sorted(ids((await store.read_feed(after=cursor)).events)) == sorted(ids(sent[passed:]))

    async def test_cursors_that_this_store_never_gave(self, store: EventStore) -> None:
        await append_noise(store)
        for text in ("1", "~1", "~1~2~3", "~1~x", "~999999999~0", "~0~999999999"):
            for call in (
                store.read_feed(after=Cursor(text)),
                store.read_feed(after=Cursor(text), direction="backward"),
                anext(store.follow(after=Cursor(text))),
            ):
                with pytest.raises(InvalidRequest) as caught:
                    await call
                assert caught.value.pointer == "/after"
        assert (await store.read_feed(after=START, limit=1)).count == 1

    async def test_subscriptions_go_on_behind_any_event(self, store: EventStore) -> None:
        """Of which a few make a message or a chunk."""
        cursor, names = (await store.head()).cursor, [unique() for _ in range(12)]
        for n, name in enumerate(names):
            await store.append("Order", name, [NewEvent("Placed", [n, "x" * 5_000])])
        found: list[RecordedEvent] = []
        for taken in (1, 6, 5):
            async with Subscription(store.follow(after=cursor), cursor) as subscription:
                found += [await anext(subscription) for _ in range(taken)]
                cursor = Cursor.parse(str(subscription.cursor))
        assert sorted(event.event_data[0] for event in found) == list(range(12))
        check_each_order(found)
        async with Subscription(store.follow(after=cursor), cursor) as subscription:
            await store.append(unique("Order"), "2", [NewEvent("Placed", ["new"])])
            assert (await anext(subscription)).event_data == ["new"]

    async def test_relays_are_refused(self, store: EventStore) -> None:
        with pytest.raises(InvalidRequest, match="takes no relays"):
            await store.relays.claim("orders", "one")
        assert await store.relays.list() == ()
        with pytest.raises(RelayNotFound):
            await store.relays.get("orders")


class TestConditionsWithinOnePartition(ConditionConformance):
    @pytest.fixture
    async def store(self) -> AsyncIterator[EventStore]:
        async with merged_store(partition_keys={"*": "all"}) as store:
            yield store


@pytest.fixture
def _veiled_cursors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the suites hold cursors of one partition against."""
    suites = [module for name, module in sys.modules.items() if name.startswith("indelible.testing.conformance")]
    for suite in suites:
        monkeypatch.setattr(suite, "cursor_at", lambda position: veiled(cursor_at(position)), raising=False)
        monkeypatch.setattr(suite, "position_of", lambda cursor: position_of(unveiled(cursor)), raising=False)


@pytest.mark.usefixtures("_veiled_cursors")
class TestVeiledStore(GroupConformance, ParkingConformance, RelayConformance, RelayBesideConformance):
    @pytest.fixture
    async def store(self, veiled_url: str) -> AsyncIterator[EventStore]:
        async with AsyncClient(veiled_url) if veiled_url else VeiledStore() as store:
            yield store
