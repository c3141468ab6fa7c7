"""AppendBatches: a stream of batches of independent appends.

Batches are begun as they come, so that those of one stream share commits, and are stored and answered in their order.
When a server stops, it first answers what it has begun. When the client leaves, what was begun is still stored.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import NoReturn

from indelible.errors import IndelibleError, ShuttingDown
from indelible.eventstore import AggregateAppend, AppendOutcome, each_outcome
from indelible.limits import GRPC_BATCHES_UNDER_WAY_MAX, QUEUE_TURN_EVENTS_MAX, QUEUE_TURN_SIZE_BYTES_MAX, RETRY_AFTER_S
from indelible.server.call import Call
from indelible.server.grpc.calls import decode_message
from indelible.server.services import decoded_by_turns
from indelible.tasks import first_of
from indelible.wire.pb.event_store_pb2 import AppendBatchRequest
from indelible.wire.proto_events import decode_batch, encode_batch_outcomes

_Decoded = Sequence[AggregateAppend | IndelibleError]


async def append_batches(call: Call, requests: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    under_way = _UnderWay()
    begun = first_of(_begin_batches(call, requests, under_way), _until_stopping(call.stopping))
    reading = asyncio.create_task(begun, name="grpc-append-batches")
    # Whatever ends it; and without a wait, because nobody may be there any more who takes anything.
    reading.add_done_callback(lambda _: under_way.end())
    try:
        while (batch := await under_way.first()) is not None:
            yield encode_batch_outcomes(await batch)
            under_way.answered()
        await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, *under_way.batches, return_exceptions=True)


class _UnderWay:
    """The batches of one stream that were begun and not answered, in their order."""

    def __init__(self) -> None:
        self.batches: list[asyncio.Task[list[AppendOutcome]]] = []
        self._room = asyncio.Semaphore(GRPC_BATCHES_UNDER_WAY_MAX)
        self._changed = asyncio.Event()
        self._has_ended = False

    async def wait_for_room(self) -> None:
        await self._room.acquire()

    def add(self, batch: "asyncio.Task[list[AppendOutcome]]") -> None:
        self.batches.append(batch)
        self._changed.set()

    def end(self) -> None:
        """No more are begun."""
        self._has_ended = True
        self._changed.set()

    async def first(self) -> "asyncio.Task[list[AppendOutcome]] | None":
        """The one to be answered next, once there is one; None after the last."""
        while not self.batches and not self._has_ended:
            self._changed.clear()
            await self._changed.wait()
        return self.batches[0] if self.batches else None

    def answered(self) -> None:
        del self.batches[0]
        self._room.release()


async def _begin_batches(call: Call, requests: AsyncIterator[bytes], under_way: _UnderWay) -> None:
    async for encoded in requests:
        await under_way.wait_for_room()
        decoded = await decoded_by_turns(decode_batch(decode_message(AppendBatchRequest, encoded)))
        event_count = sum([len(one.events) for one in decoded if not isinstance(one, IndelibleError)])
        # Nothing is read meanwhile; the caller sends no more than there is room for.
        await call.wait_for_events(event_count)
        takes_turns = event_count > QUEUE_TURN_EVENTS_MAX or len(encoded) > QUEUE_TURN_SIZE_BYTES_MAX
        # The message itself counts until the next is asked for.
        under_way.add(batch := _begin(call, decoded, 0 if takes_turns else len(encoded)))
        if takes_turns:
            # The queue may store it in more than one commit. Between its turns it would store what comes next.
            await asyncio.wait((batch,))


def _begin(call: Call, decoded: _Decoded, size_bytes: int) -> "asyncio.Task[list[AppendOutcome]]":
    call.bodies.take(size_bytes)
    batch = asyncio.create_task(each_outcome(decoded, call.store.append_each), name="grpc-append-batch")
    # Also if it is cancelled before it has begun.
    batch.add_done_callback(lambda _: call.bodies.give_back(size_bytes))
    return batch


async def _until_stopping(stopping: asyncio.Event) -> NoReturn:
    await stopping.wait()
    raise ShuttingDown("the server stops; nothing of this batch was stored", retry_after_s=RETRY_AFTER_S)
