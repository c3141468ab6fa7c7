"""A consumer group: how fast its members get events and acknowledge them, each over a stream of its own.

The store is filled before. The members are in two processes, which share the machine with the server.
"""

import asyncio
import multiprocessing
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import grpc

from benchmarks import stores
from benchmarks.report import Figure
from benchmarks.server import Server
from benchmarks.stores import Options
from indelible import AsyncClient
from indelible.limits import GROUP_SETTLE_MAX
from indelible.wire.pb import groups_pb2 as pb

AGGREGATES = 1_000
MEMBERS, PROCESSES = 16, 2
GROUP = "benchmark"
FIRST_ANSWER_TIMEOUT_S = 60
_CONSUME = "/indelible.v1.ConsumerGroups/Consume"


class Consumed(NamedTuple):
    answers: list[tuple[float, int]]
    """When each answer came, by the clock that all processes share, and how many events it was for."""
    answer_ms: list[float]
    """From each acknowledgement to its answer."""
    errors: int
    """Events that came more than once, or were lost."""


def groups(options: Options) -> Iterator[Figure]:
    """Members that acknowledge what came together with one message, as those do that work on batches, and members that
    send a message for each event."""
    for how, events_an_ack in (("what comes together", GROUP_SETTLE_MAX), ("each event", 1)):
        with Server(stores.grouped(options, AGGREGATES), "--grpc", "127.0.0.1:0") as server:
            asyncio.run(_begin(server))
            yield _measure(server, options, how, events_an_ack)


def _measure(server: Server, options: Options, how: str, events_an_ack: int) -> Figure:
    cpu_s = server.cpu_s()
    consumed = _consume(server, options.warm_up_s + options.duration_s, events_an_ack)
    cpu_s = server.cpu_s() - cpu_s
    per_s = _rate(consumed.answers, options.warm_up_s)
    total = sum(count for _, count in consumed.answers)
    what = f"consumer group, {MEMBERS} gRPC streams, {how} acknowledged"
    cost = f"{1e6 * cpu_s / total:.0f} µs of the server's processor time an event"
    note = f"{AGGREGATES:,} aggregates; latency is from acknowledgement to answer; {cost}"
    is_met = per_s >= 5_000 and not consumed.errors
    return Figure(
        what, per_s, "events/s", "≥ 5,000 events/s", is_met, _percentiles(consumed.answer_ms), consumed.errors, note
    )


async def _begin(server: Server) -> None:
    """A new group from the beginning, also where the store has been kept."""
    async with AsyncClient(server.grpc_url) as client:
        if GROUP in {group.group for group in await client.groups.list()}:
            await client.groups.delete(GROUP)
        await client.groups.create(GROUP)


def _consume(server: Server, duration_s: float, events_an_ack: int) -> Consumed:
    context = multiprocessing.get_context("spawn")
    pipes = []
    for _ in range(PROCESSES):
        here, there = context.Pipe()
        context.Process(target=_process, args=(server.grpc_url, duration_s, events_an_ack, there)).start()
        pipes.append(here)
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send(None)
    found: list[Consumed] = [pipe.recv() for pipe in pipes]
    answers = sorted(answer for one in found for answer in one.answers)
    return Consumed(answers, [ms for one in found for ms in one.answer_ms], sum(one.errors for one in found))


def _rate(answers: list[tuple[float, int]], warm_up_s: float) -> float:
    """Of what came after the warm-up, unless all was done by then."""
    first, last = answers[0][0], answers[-1][0]
    began = first + warm_up_s if last > first + 2 * warm_up_s else first
    return sum(count for at, count in answers if at > began) / max(last - began, 1e-6)


def _percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {name: ordered[min(int(len(ordered) * share), len(ordered) - 1)] for name, share in shares.items()}


# --- A process of members --------------------------------------------------------------------------------------------


def _process(url: str, duration_s: float, events_an_ack: int, control: Connection) -> None:
    control.send(None)
    control.recv()
    control.send(asyncio.run(_members(url, duration_s, events_an_ack)))


async def _members(url: str, duration_s: float, events_an_ack: int) -> Consumed:
    """The time counts from the first answer, so that a busy machine has some to show as well."""
    async with grpc.aio.insecure_channel(url.removeprefix("grpc://")) as channel, asyncio.TaskGroup() as tasks:
        answered = asyncio.Event()
        members = [tasks.create_task(_member(channel, answered, events_an_ack)) for _ in range(MEMBERS // PROCESSES)]
        with suppress(TimeoutError):
            await asyncio.wait_for(answered.wait(), FIRST_ANSWER_TIMEOUT_S)
        await asyncio.sleep(duration_s)
        for member in members:
            member.cancel()
        found = await asyncio.gather(*members)
    answers = [answer for one in found for answer in one.answers]
    return Consumed(answers, [ms for one in found for ms in one.answer_ms], sum(one.errors for one in found))


async def _member(channel: grpc.aio.Channel, answered: asyncio.Event, events_an_ack: int) -> Consumed:
    """Until it is cancelled."""
    consume = channel.stream_stream(_CONSUME, pb.ConsumeRequest.SerializeToString, pb.ConsumeResponse.FromString)
    stream: Any = consume()
    await stream.write(pb.ConsumeRequest(start=pb.ConsumeStart(group=GROUP)))
    consumed, sent, errors = Consumed([], [], 0), deque[float](), 0
    with suppress(asyncio.CancelledError):
        while True:
            message = await stream.read()
            now = time.monotonic()
            for settled in message.settled:
                consumed.answers.append((now, settled.settled))
                consumed.answer_ms.append((now - sent.popleft()) * 1_000)
                errors += len(settled.lost)
                answered.set()
            errors += sum(one.attempt > 1 for one in message.deliveries)
            for some in _batches(message.deliveries, events_an_ack):
                sent.append(time.monotonic())
                await stream.write(pb.ConsumeRequest(ack=pb.ConsumeAck(delivery_ids=some)))
    return consumed._replace(errors=errors)


def _batches(deliveries: Sequence[pb.Delivery], size: int) -> Iterator[list[str]]:
    """Their ids."""
    for first in range(0, len(deliveries), size):
        yield [one.delivery_id for one in deliveries[first : first + size]]
