"""The project's own clients and consumer groups, where gRPC makes a difference: waits, breaks and ends."""

import asyncio
import time

import pytest

from faults.server_process import ServerProcess
from indelible import AsyncClient, Client, NewEvent
from indelible.errors import GroupNotFound, InvalidRequest, ShuttingDown


async def test_a_wait_may_be_longer_than_the_time_out(url: str, aggregate_id: str) -> None:
    async with AsyncClient(url, timeout_s=4, retry_total_s=0) as client:
        await client.groups.create(aggregate_id, start="end")
        started = time.monotonic()
        assert await client.groups.pull(aggregate_id, wait_s=5) == ()
        assert time.monotonic() - started >= 4.9


async def test_a_closed_client_ends_its_waits(url: str, aggregate_id: str) -> None:
    client = AsyncClient(url)
    await client.groups.create(aggregate_id, start="end")
    waiting = asyncio.create_task(client.groups.pull(aggregate_id, wait_s=30))
    await asyncio.sleep(0.2)
    async with asyncio.timeout(20):
        await client.aclose()
        with pytest.raises(ShuttingDown):
            await waiting


async def test_what_no_message_can_hold_is_refused_before_it_is_sent(url: str, aggregate_id: str) -> None:
    async with AsyncClient(url) as client:
        await client.groups.create(aggregate_id)
        for call, pointer in (
            (client.groups.change(aggregate_id, max_attempts=2**40), "/max_attempts"),
            (client.groups.pull(aggregate_id, limit=2**70), "/limit"),
            (client.groups.skip_parked(aggregate_id, [2**70], reason="a test"), "/positions/0"),
            (client.groups.nack(aggregate_id, ["1-1"], park=7), "/park"),  # type: ignore[arg-type]  # wrong on purpose
            (client.groups.ack(aggregate_id, ["\ud800"]), "/delivery_ids/0"),
        ):
            with pytest.raises(InvalidRequest) as caught:
                await call
            assert caught.value.pointer == pointer


def test_the_client_for_threads(url: str, aggregate_id: str) -> None:
    with Client(url) as client:
        client.groups.create(aggregate_id, start="end")
        client.append("thing", aggregate_id, [NewEvent("Happened", n) for n in range(3)])
        with client.consume(aggregate_id) as consumer:
            for delivery in consumer:
                assert consumer.ack(delivery)
                if delivery.event.event_data == 2:
                    break
        assert client.groups.get(aggregate_id).lag == 0
        client.groups.delete(aggregate_id)
        with pytest.raises(GroupNotFound):
            client.groups.get(aggregate_id)


async def test_a_consumer_rides_over_a_server_that_is_killed(server: ServerProcess, address: str) -> None:
    async with AsyncClient(f"grpc://{address}", retry_total_s=60) as client:
        await client.groups.create("billing", ack_timeout_s=2)
        events = [NewEvent("Happened", n) for n in range(6)]
        await client.append("thing", "a", events)
        seen: list[object] = []
        async with client.consume("billing") as consumer, asyncio.timeout(120):
            async for delivery in consumer:
                seen.append(delivery.event.event_data)
                if len(seen) == 2:
                    await server.kill()
                    acknowledging = asyncio.create_task(consumer.ack(delivery))
                    await server.start()
                    is_done = await acknowledging
                else:
                    is_done = await consumer.ack(delivery)
                if is_done and seen[-1] == 5:
                    break
        assert set(seen) == set(range(6))
        assert (await client.groups.get("billing")).lag == 0
