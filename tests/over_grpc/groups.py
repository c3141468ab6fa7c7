"""Consumer groups as any client speaks to them over gRPC."""

import asyncio
from collections.abc import Sequence
from typing import Any, Self
from uuid import uuid4

import grpc

from indelible.wire.pb import events_pb2
from indelible.wire.pb import groups_pb2 as pb
from over_grpc.calls import Api, an_append, new_event

ACK_TIMEOUT_S = 600.0
"""So long that what comes again within a test does so because it was given back, on a busy machine too."""


class Group:
    """A new group of events with one tag, and appends of such events."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.name = f"group-{uuid4()}"
        self.tag = f"tag-{uuid4()}"

    @classmethod
    async def made(cls, api: Api, *, ack_timeout_s: float = ACK_TIMEOUT_S, **settings: Any) -> Self:
        group = cls(api)
        items = [events_pb2.QueryItem(tags=[group.tag])]
        await api.CreateGroup(
            pb.CreateGroupRequest(group=group.name, items=items, ack_timeout_s=ack_timeout_s, **settings)
        )
        return group

    async def append(self, *names: str) -> None:
        """An event for each aggregate named."""
        for name in names:
            await self.api.Append(an_append(f"{name} {self.tag}", new_event(tags=[self.tag])))

    async def pull(self, **fields: Any) -> Sequence[pb.Delivery]:
        return (await self.api.Pull(pb.PullRequest(group=self.name, **fields))).deliveries

    async def ack(self, deliveries: Sequence[pb.Delivery]) -> pb.Settled:
        return await self.api.Ack(pb.AckRequest(group=self.name, delivery_ids=ids(deliveries)))

    async def in_flight(self) -> Sequence[pb.InFlight]:
        return (await self.api.ListInFlight(pb.ListInFlightRequest(group=self.name))).in_flight

    async def info(self) -> pb.GroupInfo:
        return await self.api.GetGroup(pb.GetGroupRequest(group=self.name))

    async def consume(self, **fields: Any) -> "Stream":
        """A stream that has said who it is."""
        stream = Stream(self.api)
        await stream.say(start=pb.ConsumeStart(group=self.name, **fields))
        return stream


class Stream:
    """A Consume call."""

    def __init__(self, api: Api, **options: Any) -> None:
        self.call = api.Consume(**options)
        self.deliveries: list[pb.Delivery] = []
        self.settled: list[pb.Settled] = []
        self._reading: asyncio.Task[pb.ConsumeResponse] | None = None

    async def say(self, **message: Any) -> None:
        await self.call.write(pb.ConsumeRequest(**message))

    async def ack(self, deliveries: Sequence[pb.Delivery]) -> None:
        await self.say(ack=pb.ConsumeAck(delivery_ids=ids(deliveries)))

    async def nack(self, deliveries: Sequence[pb.Delivery], **options: Any) -> None:
        await self.say(nack=pb.ConsumeNack(delivery_ids=ids(deliveries), **options))

    async def read(self) -> None:
        message = await self._begin_to_read()
        self._reading = None
        assert message is not grpc.aio.EOF, "the stream has ended"
        self.deliveries += message.deliveries
        self.settled += message.settled

    def _begin_to_read(self) -> "asyncio.Task[pb.ConsumeResponse]":
        """A read that is given up would end the whole call."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> pb.ConsumeResponse:
        return await self.call.read()

    async def says_nothing(self, duration_s: float) -> bool:
        await asyncio.wait((self._begin_to_read(),), timeout=duration_s)
        return self._reading is not None and not self._reading.done()

    async def delivered(self, count: int) -> list[pb.Delivery]:
        """As many deliveries, once they have come."""
        while len(self.deliveries) < count:
            await self.read()
        taken, self.deliveries = self.deliveries[:count], self.deliveries[count:]
        return taken

    async def answered(self, count: int) -> list[pb.Settled]:
        """As many answers, once they have come."""
        while len(self.settled) < count:
            await self.read()
        taken, self.settled = self.settled[:count], self.settled[count:]
        return taken


def ids(deliveries: Sequence[pb.Delivery]) -> list[str]:
    return [one.delivery_id for one in deliveries]


def names(deliveries: Sequence[pb.Delivery]) -> list[str]:
    """The aggregates, as :meth:`Group.append` names them."""
    return [one.event.aggregate_id.partition(" ")[0] for one in deliveries]
