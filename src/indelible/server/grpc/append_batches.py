"""AppendBatches: a stream of batches of independent appends.

Batches are begun as they come, so that those of one stream share commits, and are answered in their order. When a
server stops, it first answers what it has begun.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from indelible.errors import IndelibleError, ShuttingDown
from indelible.limits import GRPC_BATCHES_UNDER_WAY_MAX, RETRY_AFTER_S
from indelible.server.grpc.decoding import decode_message
from indelible.server.services import Services
from indelible.wire.pb.event_store_pb2 import AppendBatchRequest
from indelible.wire.proto_requests import decode_batch
from indelible.wire.proto_responses import AppendOutcome, encode_batch_outcomes

_Batches = asyncio.Queue[asyncio.Task[list[AppendOutcome]] | None]


async def append_batches(services: Services, requests: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    under_way: _Batches = asyncio.Queue(GRPC_BATCHES_UNDER_WAY_MAX)
    reading = asyncio.create_task(_begin_batches(services, requests, under_way))
    try:
        while (batch := await under_way.get()) is not None:
            yield encode_batch_outcomes(await batch)
        await reading
    finally:
        reading.cancel()


async def _begin_batches(services: Services, requests: AsyncIterator[bytes], under_way: _Batches) -> None:
    try:
        async with aclosing(_until_stopping(requests, services.stopping)) as encoded_batches:
            async for encoded in encoded_batches:
                services.bodies.take(len(encoded))
                await under_way.put(asyncio.create_task(_append(services, encoded), name="grpc-append-batch"))
    finally:
        await under_way.put(None)


async def _append(services: Services, encoded: bytes) -> list[AppendOutcome]:
    try:
        decoded = decode_batch(decode_message(AppendBatchRequest, encoded))
        # What is wrong with one append is its own outcome; the others go on.
        outcomes = iter(await services.append_each([one for one in decoded if not isinstance(one, IndelibleError)]))
        return [one if isinstance(one, IndelibleError) else next(outcomes) for one in decoded]
    finally:
        services.bodies.give_back(len(encoded))


async def _until_stopping(requests: AsyncIterator[bytes], stopping: asyncio.Event) -> AsyncGenerator[bytes]:
    """Raises ``ShuttingDown`` once the server stops."""
    stop = asyncio.create_task(stopping.wait())
    following: asyncio.Task[bytes | None] | None = None
    try:
        while True:
            following = asyncio.create_task(_next(requests))
            await asyncio.wait((following, stop), return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                raise ShuttingDown("the server stops; nothing of this batch was stored", retry_after_s=RETRY_AFTER_S)
            request = following.result()
            if request is None:
                return
            yield request
    finally:
        stop.cancel()
        if following is not None:
            following.cancel()


async def _next(requests: AsyncIterator[bytes]) -> bytes | None:
    return await anext(requests, None)
