"""How fast the API over gRPC is: appends over one stream of batches, and a read of the feed."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator

import grpc

from benchmarks import stores
from benchmarks.appends import some_event_json
from benchmarks.report import Figure
from benchmarks.server import Server
from benchmarks.stores import Options
from indelible.events import new_event_id
from indelible.wire.pb import event_store_pb2 as pb
from indelible.wire.pb.events_pb2 import NewEvent

BATCH = 100
AGGREGATES = 10_000
BATCHES_WAITING_MAX = 16
_SERVICE = "/indelible.v1.EventStore"


def grpc_load(options: Options) -> Iterator[Figure]:
    """Batches of 100: one append of 100 events, and 100 appends of one; what clients send is made beforehand, because
    the client shares the processor with the server."""
    shapes = (("gRPC, one append of 100 events a message", 1, BATCH), ("gRPC, 100 appends a message", BATCH, 1))
    for what, appends, events in shapes:
        with Server(stores.empty(options, "grpc"), "--grpc", "127.0.0.1:0") as server:
            yield asyncio.run(_append(server, options, what, appends, events))
            if appends == 1:
                yield asyncio.run(_read(server))


async def _append(server: Server, options: Options, what: str, appends: int, events: int) -> Figure:
    rng = random.Random(1)
    count = 150 * (options.warm_up_s + options.duration_s)
    made = [_message(rng, appends, events) for _ in range(count)]
    async with grpc.aio.insecure_channel(server.grpc_url.removeprefix("grpc://")) as channel:
        started, cpu_s = time.perf_counter(), server.cpu_s()
        latencies_ms = [latency async for latency in _answers(channel, made)]
        duration_s, cpu_s = time.perf_counter() - started, server.cpu_s() - cpu_s
    stored = count * BATCH
    percentiles = _percentiles(latencies_ms)
    per_s = stored / duration_s
    note = f"{1e6 * cpu_s / stored:.0f} µs of the server's processor time an event"
    return Figure(what, per_s, "events/s", "≥ 40,000 events/s", per_s >= 40_000, percentiles, note=note)


async def _answers(channel: grpc.aio.Channel, messages: list[bytes]) -> AsyncIterator[float]:
    """Milliseconds from each message to its answer."""
    open_stream = channel.stream_stream(f"{_SERVICE}/AppendBatches", None, pb.AppendBatchResponse.FromString)
    stream = open_stream()
    room, sent = asyncio.Semaphore(BATCHES_WAITING_MAX), list[float]()

    async def send() -> None:
        for message in messages:
            await room.acquire()
            sent.append(time.perf_counter())
            await stream.write(message)
        await stream.done_writing()

    sending = asyncio.create_task(send())
    number = 0
    async for answer in stream:
        room.release()
        refused = [outcome for outcome in answer.outcomes if outcome.HasField("error")]
        if refused:
            raise RuntimeError(f"an append was refused: {refused[0]}")
        yield (time.perf_counter() - sent[number]) * 1_000
        number += 1
    await sending


def _message(rng: random.Random, appends: int, events: int) -> bytes:
    data = some_event_json().encode()
    made = [
        pb.AggregateAppend(
            aggregate_type="order",
            aggregate_id=f"bench-{rng.randrange(AGGREGATES)}",
            events=[
                NewEvent(event_id=str(new_event_id()), event_type="OrderLineAdded", event_data=data)
                for _ in range(events)
            ],
        )
        for _ in range(appends)
    ]
    return pb.AppendBatchRequest(appends=made).SerializeToString()


async def _read(server: Server) -> Figure:
    async with grpc.aio.insecure_channel(server.grpc_url.removeprefix("grpc://")) as channel:
        read = channel.unary_stream(
            f"{_SERVICE}/ReadFeed", pb.ReadFeedRequest.SerializeToString, pb.ReadFeedResponse.FromString
        )
        started, count = time.perf_counter(), 0
        async for page in read(pb.ReadFeedRequest()):
            count += len(page.events)
        per_s = count / (time.perf_counter() - started)
    return Figure("gRPC, the feed as one stream", per_s, "events/s", "", None)


def _percentiles(latencies_ms: list[float]) -> dict[str, float]:
    ordered = sorted(latencies_ms)
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {name: ordered[min(int(len(ordered) * share), len(ordered) - 1)] for name, share in shares.items()}
