"""Consumers: what is with the caller and what is not, acknowledgements, leaving, and servers that go away."""

import asyncio
import signal
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Event, Thread
from uuid import uuid4

import pytest

from client.conftest import Server
from indelible import AsyncClient, Client, EventQuery, GroupNotFound, InvalidRequest, NewEvent, Settled
from indelible.batching import Batcher
from indelible.consumer import Consumer, ack_batcher
from indelible.errors import IndelibleError, InternalError, Unavailable
from indelible.limits import GROUP_SETTLE_MAX

PATIENCE_S = 60.0
LITTLE_S = 0.4
"""For what must not come."""


class Group:
    """A group of the events with one tag, and a way to append them."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.name, self.tag = uuid4().hex, uuid4().hex

    async def append(self, aggregates: int, events: int = 1) -> None:
        """To as many new aggregates."""
        await asyncio.gather(
            *(
                self.client.append(
                    "Order", uuid4().hex, [NewEvent("Counted", n, tags=[self.tag]) for n in range(events)]
                )
                for _ in range(aggregates)
            )
        )

    async def in_flight(self) -> int:
        return (await self.client.groups.get(self.name)).in_flight

    async def deadlines(self) -> dict[int, datetime]:
        """Of what is in flight, by position."""
        return {one.position: one.deadline for one in await self.client.groups.list_in_flight(self.name)}


@pytest.fixture
async def group(http_client: AsyncClient) -> Group:
    group = Group(http_client)
    await http_client.groups.create(group.name, EventQuery.of(tags=[group.tag]), start="end")
    return group


@pytest.mark.parametrize("tasks", [1, 16])
async def test_every_event_comes_each_aggregates_in_order(http_client: AsyncClient, group: Group, tasks: int):
    await group.append(30, 5)
    seen: dict[str, list[object]] = defaultdict(list)

    async def work() -> None:
        async for delivery in consumer:
            seen[delivery.event.aggregate_id].append(delivery.event.event_data)
            await asyncio.sleep(0)
            assert await consumer.ack(delivery)
            if sum(map(len, seen.values())) == 150:
                await consumer.aclose()

    async with asyncio.timeout(PATIENCE_S), http_client.consume(group.name, member="me") as consumer:
        await asyncio.gather(*(work() for _ in range(tasks)))
    assert list(seen.values()) == [[0, 1, 2, 3, 4]] * 30
    info = await http_client.groups.get(group.name)
    assert (info.in_flight, info.waiting, info.parked) == (0, 0, 0)


async def test_events_that_come_later_are_waited_for(http_client: AsyncClient, group: Group):
    async with asyncio.timeout(PATIENCE_S), http_client.consume(group.name) as consumer:
        for _ in range(3):
            waiting = asyncio.create_task(consumer.next_delivery())
            await asyncio.sleep(0.1)
            await group.append(1)
            delivery = await waiting
            assert delivery is not None
            await consumer.ack(delivery)


async def test_no_more_than_asked_for_are_in_flight(http_client: AsyncClient, group: Group):
    await group.append(20)
    async with asyncio.timeout(PATIENCE_S), http_client.consume(group.name, max_in_flight=5) as consumer:
        taken = [await anext(consumer) for _ in range(5)]
        sixth = asyncio.create_task(consumer.next_delivery())
        await asyncio.sleep(LITTLE_S)
        assert not sixth.done()
        assert await group.in_flight() == 5
        # Each way of settling makes room, and for no more than one.
        for n, settle in enumerate((consumer.ack, consumer.nack, consumer.ack)):
            assert await settle(taken[n])
            await sixth
            sixth = asyncio.create_task(consumer.next_delivery())
            await asyncio.sleep(LITTLE_S)
            assert not sixth.done()
            assert await group.in_flight() == 5
        assert await consumer.extend(taken[3])
        await asyncio.sleep(LITTLE_S)
        assert not sixth.done()


async def test_many_at_once_never_pass_the_bound(http_client: AsyncClient, group: Group):
    await group.append(60, 3)
    here = most = count = 0

    async def work() -> None:
        nonlocal here, most, count
        async for delivery in consumer:
            here += 1
            most = max(most, here)
            await asyncio.sleep(0.001)
            await consumer.ack(delivery)
            here -= 1
            count += 1
            assert await group.in_flight() <= 8
            if count == 180:
                await consumer.aclose()

    async with asyncio.timeout(PATIENCE_S), http_client.consume(group.name, max_in_flight=8) as consumer:
        await asyncio.gather(*(work() for _ in range(20)))
    assert most <= 8


async def test_acknowledgements_travel_together(http_client: AsyncClient, group: Group, shared_server: Server):
    await group.append(300)
    route = "/v1/groups/{group}/ack"
    async with asyncio.timeout(PATIENCE_S), http_client.consume(group.name, max_in_flight=300) as consumer:
        taken = [await anext(consumer) for _ in range(300)]
        before = shared_server.requests("POST", route)
        assert await asyncio.gather(*map(consumer.ack, taken)) == [True] * 300
        assert shared_server.requests("POST", route) - before <= 3
    assert await group.in_flight() == 0


async def test_whose_time_is_over_is_told(http_client: AsyncClient, group: Group):
    await http_client.groups.change(group.name, ack_timeout_s=60)
    await group.append(1)
    async with asyncio.timeout(PATIENCE_S), http_client.consume(group.name, max_in_flight=1) as consumer:
        first = await anext(consumer)
        # Less than it had: whoever gets it next has as much as ever.
        assert await consumer.extend(first, ack_timeout_s=0.2)
        (again,) = await http_client.groups.pull(group.name, wait_s=20)
        assert again.event == first.event
        assert not await consumer.extend(first)
        assert not await consumer.ack(first)
        assert not await consumer.nack(first)
        # It no longer takes the place of others.
        await group.append(1)
        assert (await anext(consumer)).event.event_id != first.event.event_id


async def test_those_that_wait_do_not_run_out_of_time(http_client: AsyncClient, group: Group):
    await http_client.groups.change(group.name, ack_timeout_s=12, max_attempts=1)
    await group.append(3)
    async with asyncio.timeout(PATIENCE_S), http_client.consume(group.name) as consumer:
        for _ in range(2):
            delivery = await anext(consumer)
            before = await group.deadlines()
            del before[delivery.event.position]
            later = before
            while any(later[one] == until for one, until in before.items()):
                await asyncio.sleep(0.1)
                later = await group.deadlines()
            assert await consumer.ack(delivery)
        assert await consumer.ack(await anext(consumer))
    assert (await http_client.groups.get(group.name)).parked == 0


async def test_a_caller_who_takes_no_more_does_not_keep_events_from_others(http_client: AsyncClient, group: Group):
    await http_client.groups.change(group.name, ack_timeout_s=0.5)
    await group.append(8)
    async with asyncio.timeout(PATIENCE_S), http_client.consume(group.name, max_in_flight=8) as consumer:
        await anext(consumer)
        others = set()
        while len(others) < 8:
            found = await http_client.groups.pull(group.name, wait_s=20)
            await http_client.groups.ack(group.name, [one.delivery_id for one in found])
            others |= {one.event.event_id for one in found}


async def test_those_that_wait_and_are_lost_are_not_given_out(http_client: AsyncClient, group: Group):
    await http_client.groups.change(group.name, ack_timeout_s=12)
    await group.append(2)
    async with asyncio.timeout(PATIENCE_S), http_client.consume(group.name, max_in_flight=2) as consumer:
        first = await anext(consumer)
        await http_client.groups.reset(group.name, start="beginning")
        # There is room for another once it is known that the second is lost.
        while not await group.in_flight():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)
        assert await consumer.ack(await anext(consumer))
        assert not await consumer.ack(first)


async def test_leaving_gives_back_what_was_not_taken(http_client: AsyncClient, group: Group):
    await group.append(10)
    async with asyncio.timeout(PATIENCE_S):
        async with http_client.consume(group.name) as consumer:
            taken = [await anext(consumer) for _ in range(2)]
            assert await group.in_flight() == 10
        assert await group.in_flight() == 2
        assert await consumer.ack(taken[0])
        others = await http_client.groups.pull(group.name, wait_s=20)
        assert {one.event.event_id for one in others}.isdisjoint(one.event.event_id for one in taken)
        assert len(others) == 8
        assert await consumer.next_delivery() is None
        assert [one async for one in consumer] == []
        await consumer.aclose()


async def test_leaving_by_an_error_gives_back_too(http_client: AsyncClient, group: Group):
    await group.append(3)

    async def consume() -> None:
        async with http_client.consume(group.name) as consumer:
            async for _ in consumer:
                raise LookupError

    with pytest.raises(LookupError):
        await consume()
    assert await group.in_flight() == 1


async def test_leaving_while_it_waits(http_client: AsyncClient, group: Group):
    async with asyncio.timeout(PATIENCE_S):
        consumer = http_client.consume(group.name)
        waiting = [asyncio.create_task(consumer.next_delivery()) for _ in range(3)]
        await asyncio.sleep(0.2)
        started = time.monotonic()
        await consumer.aclose()
        assert await asyncio.gather(*waiting) == [None] * 3
        assert time.monotonic() - started < 20
        # The pull that waited has ended at the server too.
        await asyncio.sleep(0.2)
        await group.append(1)
        assert len(await http_client.groups.pull(group.name, wait_s=20)) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_restart_is_ridden_over(durable_server: Server, number: int):
    async with asyncio.timeout(PATIENCE_S), AsyncClient(durable_server.url, retry_total_s=60) as client:
        group = Group(client)
        await client.groups.create(group.name, EventQuery.of(tags=[group.tag]), ack_timeout_s=2)
        await group.append(5, 4)
        seen = defaultdict(set)

        async def left(group: Group) -> int:
            """What was acknowledged too late comes once more."""
            info = await client.groups.get(group.name)
            return info.waiting + info.in_flight

        async def consume() -> None:
            async with client.consume(group.name, max_in_flight=3) as consumer:
                async for delivery in consumer:
                    seen[delivery.event.aggregate_id].add(delivery.event.event_data)
                    await asyncio.sleep(0.02)
                    await consumer.ack(delivery)
                    if sum(map(len, seen.values())) == 40 and not await left(group):
                        return

        consuming = asyncio.create_task(consume())
        await asyncio.sleep(0.15)
        await asyncio.to_thread(durable_server.stop, number)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(durable_server.start)
        await group.append(5, 4)
        await consuming
        assert all(numbers == {0, 1, 2, 3} for numbers in seen.values())
        assert (await client.groups.get(group.name)).waiting == 0


async def test_a_server_that_stays_away_is_told_and_may_come_back(durable_server: Server):
    async with asyncio.timeout(PATIENCE_S), AsyncClient(durable_server.url) as client:
        group = Group(client)
        await client.groups.create(group.name)
        async with client.consume(group.name, retry_total_s=0.5) as consumer:
            waiting = asyncio.create_task(consumer.next_delivery())
            await asyncio.sleep(1)
            await asyncio.to_thread(durable_server.stop)
            stopped = time.monotonic()
            with pytest.raises(Unavailable):
                await waiting
            assert time.monotonic() - stopped < 40
            await asyncio.to_thread(durable_server.start)
            await group.append(1)
            assert await consumer.ack(await anext(consumer))


async def test_a_group_that_is_not_there(http_client: AsyncClient):
    async with http_client.consume("nobody") as consumer:
        for _ in range(2):
            with pytest.raises(GroupNotFound):
                await anext(consumer)


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({"group": ""}, "/group"),
        ({"group": "g", "member": "\n"}, "/member"),
        ({"group": "g", "max_in_flight": 0}, "/max_in_flight"),
        ({"group": "g", "max_in_flight": 10_001}, "/max_in_flight"),
    ],
)
async def test_bad_arguments(http_client: AsyncClient, arguments: dict[str, object], pointer: str):
    with pytest.raises(InvalidRequest) as caught:
        http_client.consume(**arguments)  # type: ignore[arg-type]  # that is what is wrong
    assert caught.value.pointer == pointer


@pytest.mark.parametrize("url", ["memory:", "sqlite:{tmp}/x.db"])
async def test_a_store_in_this_process(url: str, tmp_path: object):
    async with asyncio.timeout(PATIENCE_S), AsyncClient(url.format(tmp=tmp_path)) as client:
        group = Group(client)
        await client.groups.create(group.name)
        await group.append(3, 2)
        async with client.consume(group.name) as consumer:
            for _ in range(6):
                assert await consumer.ack(await anext(consumer))


async def test_who_has_waited_long_enough_gets_none_and_only_what_is_waited_for_is_pulled():
    async with asyncio.timeout(PATIENCE_S), AsyncClient("memory:") as client:
        group = Group(client)
        await client.groups.create(group.name)
        await group.append(4)
        async with Consumer(client.groups, group.name, member="", max_in_flight=8, wait_s=0.0) as consumer:
            for taken in range(1, 3):
                delivery = await anext(consumer)
                await asyncio.sleep(LITTLE_S)
                assert await group.in_flight() == 1, taken
                assert await consumer.ack(delivery)
            assert len([delivery async for delivery in consumer]) == 2
            assert [await consumer.next_delivery() for _ in range(2)] == [None, None]


# --- Threads ---------------------------------------------------------------------------------------------------------


def test_threads_consume(shared_server: Server):
    with Client(shared_server.url) as client:
        group, tag = uuid4().hex, uuid4().hex
        client.groups.create(group, EventQuery.of(tags=[tag]))
        for n in range(10):
            client.append("Order", f"{tag}{n}", [NewEvent("Counted", m, tags=[tag]) for m in range(3)])
        seen = defaultdict(list)
        with client.consume(group, max_in_flight=4) as consumer:

            def work() -> None:
                for delivery in consumer:
                    seen[delivery.event.aggregate_id].append(delivery.event.event_data)
                    assert consumer.extend(delivery)
                    assert consumer.ack(delivery)
                    if sum(map(len, seen.values())) == 30:
                        consumer.close()

            with ThreadPoolExecutor(3) as pool:
                for done in [pool.submit(work) for _ in range(3)]:
                    done.result(PATIENCE_S)
        assert list(seen.values()) == [[0, 1, 2]] * 10
        assert consumer.next_delivery() is None
        client.append("Order", tag, [NewEvent("Counted", tags=[tag])])
        with client.consume(group) as consumer:
            delivery = next(consumer)
            assert consumer.nack(delivery, park=True, reason="bad")
        assert client.groups.list_parked(group).parked[0].reason == "bad"


def test_closing_the_client_ends_a_thread_that_waits(shared_server: Server):
    client = Client(shared_server.url)
    group = client.groups.create(uuid4().hex, EventQuery.of(tags=[uuid4().hex])).group
    ended: list[IndelibleError] = []
    begins = Event()

    def wait() -> None:
        with client.consume(group) as consumer:
            begins.set()
            try:
                next(consumer)
            except IndelibleError as error:
                ended.append(error)

    thread = Thread(target=wait)
    thread.start()
    assert begins.wait(60)
    time.sleep(0.3)
    client.close()
    thread.join(60)
    assert not thread.is_alive()
    assert [error.code for error in ended] == ["shutting_down"]


# --- Acknowledgements, one call at a time ----------------------------------------------------------------------------


class Wire:
    """Takes calls as a server would, and lets the test answer them."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], asyncio.Future[Settled]]] = []

    async def __call__(self, delivery_ids: Sequence[str]) -> Settled:
        answer: asyncio.Future[Settled] = asyncio.get_running_loop().create_future()
        self.calls.append(([*delivery_ids], answer))
        return await answer


def _acks(count: int, acks: Batcher[str, bool], first: int = 0) -> list[asyncio.Task[bool]]:
    async def ack(delivery_id: str) -> bool:
        return await asyncio.shield(acks.put(delivery_id))

    return [asyncio.create_task(ack(str(n))) for n in range(first, first + count)]


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_waits_while_a_call_is_under_way_goes_with_the_next():
    wire = Wire()
    acks = ack_batcher(wire)
    first = _acks(2, acks)
    await _turns()
    second = _acks(3, acks, 2)
    await _turns()
    assert [ids for ids, _ in wire.calls] == [["0", "1"]]
    wire.calls[0][1].set_result(Settled(1, ("1",)))
    assert await asyncio.gather(*first) == [True, False]
    await _turns()
    assert [ids for ids, _ in wire.calls[1:]] == [["2", "3", "4"]]
    wire.calls[1][1].set_result(Settled(3))
    assert await asyncio.gather(*second) == [True] * 3


async def test_no_call_takes_more_than_the_server_does():
    wire = Wire()
    acks = ack_batcher(wire)
    waiting = _acks(GROUP_SETTLE_MAX + 1, acks)
    await _turns()
    wire.calls[0][1].set_result(Settled(GROUP_SETTLE_MAX))
    await _turns()
    wire.calls[1][1].set_result(Settled(1))
    assert await asyncio.gather(*waiting) == [True] * (GROUP_SETTLE_MAX + 1)
    assert [len(ids) for ids, _ in wire.calls] == [GROUP_SETTLE_MAX, 1]


@pytest.mark.parametrize("error", [Unavailable("away"), ZeroDivisionError("a bug")])
async def test_each_caller_hears_of_a_failure_and_the_next_call_is_sent(error: Exception):
    wire = Wire()
    acks = ack_batcher(wire)
    failing = _acks(2, acks)
    await _turns()
    waiting = _acks(1, acks, 2)
    waiting[0].cancel()
    waiting += _acks(1, acks, 3)
    await _turns()
    wire.calls[0][1].set_exception(error)
    outcomes = await asyncio.gather(*failing, return_exceptions=True)
    wanted = Unavailable if isinstance(error, Unavailable) else InternalError
    assert [type(outcome) for outcome in outcomes] == [wanted] * 2
    assert outcomes[0] is not outcomes[1]
    await _turns()
    wire.calls[1][1].set_result(Settled(2))
    assert await waiting[1]
