"""A stream of batches whose client leaves, or sends more at once than one commit takes."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from types import CoroutineType
from typing import cast

import pytest

from indelible.access import EVERYBODY
from indelible.core.store import LocalEventStore
from indelible.engines.engine import AppendOutcome
from indelible.engines.memory import MemoryEngine
from indelible.errors import Overloaded
from indelible.eventstore import AppendRequest
from indelible.limits import BODIES_SIZE_BYTES_MAX, GRPC_BATCHES_UNDER_WAY_MAX, QUEUE_TURN_EVENTS_MAX
from indelible.server.call import Call
from indelible.server.compose import make_services
from indelible.server.config import Address
from indelible.server.grpc.append_batches import append_batches
from indelible.server.grpc.server import serving_grpc
from indelible.server.services import Services
from indelible.wire.pb import event_store_pb2 as pb
from over_grpc.calls import Api, an_append, connected

BATCHES = 3 * GRPC_BATCHES_UNDER_WAY_MAX
APPENDS = 10
IN_TIME_S = 30.0
append_batches_file = append_batches.__code__.co_filename


class HeldEngine(MemoryEngine):
    """Commits once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_commit = asyncio.Event()
        self.began = asyncio.Event()

    async def append(self, batch: Sequence[AppendRequest]) -> list[AppendOutcome]:
        self.began.set()
        await self.may_commit.wait()
        return await super().append(batch)


@pytest.fixture
def engine() -> HeldEngine:
    return HeldEngine()


@pytest.fixture
async def services(engine: HeldEngine) -> AsyncIterator[Services]:
    async with LocalEventStore(engine) as store:
        yield make_services(store)


def a_batch(appends: int = APPENDS) -> pb.AppendBatchRequest:
    return pb.AppendBatchRequest(appends=[an_append("a")] * appends)


async def sent(*batches: pb.AppendBatchRequest) -> AsyncIterator[bytes]:
    for batch in batches:
        yield batch.SerializeToString()
    await asyncio.Event().wait()


async def check_nothing_is_left(services: Services) -> None:
    """No task of a stream, nor any of its memory."""
    give_up_at = time.monotonic() + IN_TIME_S
    # The call gives the memory of its last message back when the stream has ended.
    while (left := [task for task in asyncio.all_tasks() if _is_of_a_stream(task)]) or not _is_free(services):
        assert time.monotonic() < give_up_at, left
        await asyncio.sleep(0.01)


def _is_free(services: Services) -> bool:
    try:
        services.bodies.take(BODIES_SIZE_BYTES_MAX)
    except Overloaded:
        return False
    services.bodies.give_back(BODIES_SIZE_BYTES_MAX)
    return True


def _is_of_a_stream(task: "asyncio.Task[object]") -> bool:
    return cast("CoroutineType[object, object, object]", task.get_coro()).cr_code.co_filename == append_batches_file


async def begun(engine: HeldEngine) -> None:
    await asyncio.wait_for(engine.began.wait(), IN_TIME_S)
    await asyncio.sleep(0.1)  # for the others of the stream, as many as may be under way


async def test_one_whose_taker_leaves_while_more_are_pending_than_may_be(
    services: Services, engine: HeldEngine
) -> None:
    answers = append_batches(Call(services, principal=EVERYBODY), sent(*[a_batch()] * BATCHES))
    async with aclosing(answers):
        taking = asyncio.ensure_future(anext(answers))
        await begun(engine)
        engine.may_commit.set()
        await taking
        engine.may_commit.clear()
        await asyncio.sleep(0.1)
        engine.may_commit.set()
    await check_nothing_is_left(services)


async def test_one_whose_call_is_cancelled_while_more_are_pending_than_may_be(
    services: Services, engine: HeldEngine
) -> None:

    async def call() -> None:
        async for _ in append_batches(Call(services, principal=EVERYBODY), sent(*[a_batch()] * BATCHES)):
            pass

    calling = asyncio.create_task(call())
    await begun(engine)
    calling.cancel()
    engine.may_commit.set()
    await asyncio.wait((calling,))
    await check_nothing_is_left(services)
    stored = (await services.store.head()).position
    assert 0 < stored <= GRPC_BATCHES_UNDER_WAY_MAX * APPENDS


async def test_a_client_that_leaves(services: Services, engine: HeldEngine) -> None:
    async with serving_grpc(services, Address("127.0.0.1", 0), shutdown_grace_s=5) as address:
        async with connected(address) as channel:
            stream = Api(channel).AppendBatches()
            for _ in range(BATCHES):
                await stream.write(a_batch())
            await begun(engine)
            stream.cancel()
        engine.may_commit.set()
        await check_nothing_is_left(services)
        services.stopping.set()


async def test_batches_larger_than_one_commit_are_stored_in_their_order(services: Services, engine: HeldEngine) -> None:
    engine.may_commit.set()
    sizes = (2 * QUEUE_TURN_EVENTS_MAX + 1, 1, QUEUE_TURN_EVENTS_MAX + 1, 2)
    version = 0
    async with aclosing(append_batches(Call(services, principal=EVERYBODY), sent(*map(a_batch, sizes)))) as answers:
        for size in sizes:
            outcomes = pb.AppendBatchResponse.FromString(await anext(answers)).outcomes
            assert [one.result.version for one in outcomes] == list(range(version + 1, version + size + 1))
            version += size
