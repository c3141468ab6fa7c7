"""A member of a group that says much and takes nothing is heard no more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from indelible import NewEvent
from indelible.access import EVERYBODY
from indelible.core.open import open_local_store
from indelible.limits import GROUP_SETTLE_MAX, GRPC_UNANSWERED_IDS_MAX
from indelible.operations.deliveries import Ack
from indelible.server.call import Call
from indelible.server.compose import make_services
from indelible.server.grpc.consume import Member, consume
from indelible.server.services import give_back
from indelible.wire.pb.groups_pb2 import ConsumeRequest, ConsumeStart

ACK = Ack("billing", ("1-1",) * (GROUP_SETTLE_MAX // 10))


async def test_a_member_that_takes_no_answers_must_wait() -> None:
    async with open_local_store("memory:") as store:
        member = Member(store, await store.groups.create("billing"), "me", 10)
        stop = asyncio.Event()
        serving = asyncio.create_task(member.serve(until=(asyncio.create_task(stop.wait()),)))
        for _ in range(GRPC_UNANSWERED_IDS_MAX // len(ACK.delivery_ids) - 1):
            await member.receive(ACK)
        one_too_many = asyncio.create_task(member.receive(ACK))
        await asyncio.wait((one_too_many,), timeout=0.2)
        assert not one_too_many.done()
        async with aclosing(member.outgoing()) as outgoing:
            _, settled = await anext(outgoing)
            await asyncio.wait((one_too_many,), timeout=0.2)
            assert not one_too_many.done(), "what is on its way is not taken yet"
            stop.set()
            settled = [*settled, *[one async for _, more in outgoing for one in more]]
        await one_too_many
        await serving
    assert len(settled) == GRPC_UNANSWERED_IDS_MAX // len(ACK.delivery_ids)


async def test_nothing_more_is_pulled_until_the_last_was_taken() -> None:
    async with open_local_store("memory:") as store:
        group = await store.groups.create("billing")
        member = Member(store, group, "me", 10)
        stop = asyncio.Event()
        serving = asyncio.create_task(member.serve(until=(asyncio.create_task(stop.wait()),)))
        for name in ("a", "b"):
            await store.append("order", name, [NewEvent("OrderPlaced")])
        async with asyncio.timeout(60):
            while not await store.groups.list_in_flight("billing"):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert len(await store.groups.list_in_flight("billing")) == 1
        async with aclosing(member.outgoing()) as outgoing:
            first, _ = await anext(outgoing)
            await asyncio.sleep(0.1)
            assert len(await store.groups.list_in_flight("billing")) == 1
            second, _ = await anext(outgoing)
        assert [one.event.aggregate_id for one in (*first, *second)] == ["a", "b"]
        stop.set()
        await serving
        assert await store.groups.list_in_flight("billing") == ()


async def test_a_stream_with_nothing_to_say_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indelible.server.grpc.consume.HEARTBEAT_S", 0.05)
    async with open_local_store("memory:") as store:
        member = Member(store, await store.groups.create("billing"), "me", 10)
        stop = asyncio.Event()
        serving = asyncio.create_task(member.serve(until=(asyncio.create_task(stop.wait()),)))
        async with aclosing(member.outgoing()) as outgoing:
            for _ in range(3):
                assert await anext(outgoing) == ((), [])
            stop.set()
            assert [one async for one in outgoing if one != ((), [])] == []
        await serving


async def test_what_fails_ends_the_member() -> None:
    async with open_local_store("memory:") as store:
        member = Member(store, await store.groups.create("billing"), "me", 10)
        wrong = asyncio.create_task(_fail())
        with pytest.raises(ZeroDivisionError):
            await member.serve(until=(wrong,))


async def test_a_call_that_is_cancelled_while_it_gives_back_gives_back_all(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_go_on, has_left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def give_back_later(*args: Any, **options: Any) -> None:
        begun.set()
        await may_go_on.wait()
        await give_back(*args, **options)

    async def requests() -> AsyncIterator[bytes]:
        yield ConsumeRequest(start=ConsumeStart(group="billing")).SerializeToString()
        await has_left.wait()

    async def consume_all(delivered: asyncio.Event) -> None:
        async for _ in consume(Call(make_services(store), principal=EVERYBODY), requests()):
            delivered.set()

    monkeypatch.setattr("indelible.server.grpc.consume.give_back", give_back_later)
    async with open_local_store("memory:") as store:
        await store.groups.create("billing")
        await store.append("order", "1", [NewEvent("OrderPlaced")])
        delivered = asyncio.Event()
        consuming = asyncio.create_task(consume_all(delivered))
        await delivered.wait()
        has_left.set()
        await begun.wait()
        consuming.cancel()
        await asyncio.sleep(0.05)
        may_go_on.set()
        await asyncio.wait((consuming,))
        assert await store.groups.list_in_flight("billing") == ()


async def _fail() -> None:
    raise ZeroDivisionError
