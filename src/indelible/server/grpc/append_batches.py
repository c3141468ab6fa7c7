"""AppendBatches: a stream of batches of independent appends, which share commits, and are stored and answered in their
order."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from indelible.errors import IndelibleError
from indelible.eventstore import AggregateAppend, AppendOutcome, each_outcome
from indelible.limits import QUEUE_TURN_EVENTS_MAX, QUEUE_TURN_SIZE_BYTES_MAX
from indelible.server.call import Call
from indelible.server.grpc.calls import decode_message
from indelible.server.grpc.under_way import UnderWay, answers_in_order
from indelible.tasks import taken_by_turns
from indelible.wire.pb.event_store_pb2 import AppendBatchRequest
from indelible.wire.proto_events import decode_batch, encode_batch_outcomes

_Decoded = Sequence[AggregateAppend | IndelibleError]


def append_batches(call: Call, requests: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    under_way = UnderWay[list[AppendOutcome]]()
    begin_all = _begin_batches(call, requests, under_way)
    return answers_in_order(begin_all, under_way, encode_batch_outcomes, call.stopping)


async def _begin_batches(call: Call, requests: AsyncIterator[bytes], under_way: UnderWay[list[AppendOutcome]]) -> None:
    async for encoded in requests:
        await under_way.wait_for_room()
        decoded = await taken_by_turns(decode_batch(decode_message(AppendBatchRequest, encoded)))
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
