"""Read of a persistent subscription: a consumer, for as long as its call is open.

What clients of this wire find otherwise than they may know it, because a consumer group keeps the order of each stream:

- The events of one stream are with consumers one at a time: the next is delivered when the one before is acknowledged,
  skipped or parked.
- A parked event holds up those that follow it in its stream until it is replayed, or skipped over another API. Other
  streams go on. So a subscription to one stream stands still at a parked event.
- What is to be tried again is tried before what follows it in its stream.
- A consumer that leaves, or does not acknowledge in time, has its events delivered to others at once, or then; also
  after a server was killed. Each counts as an attempt, and after the last one the event is parked.
- Nack: Park parks at once, Retry and Unknown deliver again, Skip acknowledges, Stop ends the call, and what is with the
  consumer goes to others.
- A consumer keeps the settings with which it began; only times and attempts change for all at once.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final
from uuid import UUID

from indelible.errors import GroupNotFound, InvalidRequest
from indelible.events import RecordedEvent
from indelible.groups import Delivery, GroupInfo
from indelible.limits import GROUP_IN_FLIGHT_MAX, GROUP_REASON_LENGTH_MAX, NAME_LENGTH_MAX
from indelible.queries import QueryItem
from indelible.server.call import Call
from indelible.server.esdb.links import Resolved, resolved
from indelible.server.esdb.persistent_catalogue import Catalogue, Subscription
from indelible.server.esdb.persistent_members import AllSubscribers, Subscriber
from indelible.server.esdb.persistent_source import LinkSource
from indelible.server.grpc.calls import decode_message
from indelible.server.grpc.consume import served, until_stopping
from indelible.server.grpc.exchange import Refused
from indelible.tasks import first_of, taken_by_turns
from indelible.wire.esdb.errors import subscription_dropped
from indelible.wire.esdb.messages import fill_event, id_of
from indelible.wire.esdb.pb import persistent_pb2 as pb
from indelible.wire.esdb.persistent import named

_PARKS: Final[dict[int, bool]] = {
    pb.ReadReq.Nack.Park: True,
    pb.ReadReq.Nack.Retry: False,
    pb.ReadReq.Nack.Unknown: False,
}
"""The actions that refuse events, and whether they are parked at once."""


async def read(
    catalogue: Catalogue, subscribers: AllSubscribers, call: Call, requests: AsyncIterator[bytes]
) -> AsyncGenerator[bytes]:
    with call.subscribed():
        options = await _options(requests, call.stopping)
        subscription = await catalogue.find(call.store, *named(options))
        settings = subscription.settings
        _check_may_consume(call, subscription.info)
        consumer = _Consumer(call, catalogue, subscription, options)
        with subscribers.joined(consumer.member, settings):
            yield _confirmation(settings.subscription_id)
            try:
                async with aclosing(consumer.messages(requests)) as messages:
                    async for message in messages:
                        yield message
            except GroupNotFound:
                raise Refused(*subscription_dropped(settings.stream, settings.group)) from None


async def _options(requests: AsyncIterator[bytes], stopping: asyncio.Event) -> pb.ReadReq.Options:
    first = decode_message(pb.ReadReq, await first_of(anext(requests, b""), until_stopping(stopping)))
    if first.WhichOneof("content") != "options":
        raise InvalidRequest("must be in the first message", pointer="/options")
    return first.options


def _check_may_consume(call: Call, info: GroupInfo) -> None:
    """The store decides whenever events are pulled; but the first pull comes after the confirmation, which says that
    all is well. Raises ``Forbidden``."""
    reach = call.principal.reach("consume")
    for item in info.items or (QueryItem(),):
        for aggregate_type in item.aggregate_types:
            reach.check(aggregate_type)
        if not item.aggregate_types:
            reach.check_all()


def _confirmation(subscription_id: str) -> bytes:
    message = pb.ReadResp()
    message.subscription_confirmation.subscription_id = subscription_id
    return message.SerializeToString()


def _member_name(principal_name: str) -> str:
    """None where a token says a name that groups do not keep."""
    return principal_name if principal_name.isprintable() and len(principal_name) <= NAME_LENGTH_MAX else ""


class _Consumer:
    """One call of Read, after it was found what it is for."""

    def __init__(
        self, call: Call, catalogue: Catalogue, subscription: Subscription, options: pb.ReadReq.Options
    ) -> None:
        self._call: Final = call
        self._resolves: Final = subscription.settings.resolve_links
        self._structured: Final = options.uuid_option.WhichOneof("content") == "structured"
        self.member: Final = Subscriber(
            call.store,
            catalogue.whole,
            subscription,
            max_in_flight=min(max(options.buffer_size, 1), GROUP_IN_FLIGHT_MAX),
            name=_member_name(call.principal.name),
        )

    async def messages(self, requests: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        async with aclosing(served(self.member, self._hear(requests), self._call.stopping)) as outgoing:
            async for deliveries, _ in outgoing:
                for delivery in deliveries:
                    yield await self._message(delivery)

    async def _message(self, delivery: Delivery) -> bytes:
        event = self.member.event_of(delivery)
        answer = pb.ReadResp()
        await self._fill(answer.event, event)
        answer.event.commit_position = event.position
        answer.event.retry_count = delivery.attempt - 1
        original = answer.event.link if answer.event.HasField("link") else answer.event.event
        self.member.sent(delivery, id_of(original.id))
        return answer.SerializeToString()

    async def _fill(self, message: pb.ReadResp.ReadEvent, event: RecordedEvent) -> None:
        """A link that leads nowhere, or where the consumer may not look, comes as the event that it is: some clients
        pass over links without an event, and would never acknowledge it."""
        source, structured = self.member.source, self._structured
        if isinstance(source, LinkSource):
            source.links.fill_link(message.link if self._resolves else message.event, event, structured=structured)
            if self._resolves:
                fill_event(message.event, event, structured=structured)
            return
        found = await resolved(self._call.store, event) if self._resolves else Resolved(event)
        fill_event(message.event, found.event or event, structured=structured)
        if found.event is not None and found.link is not None:
            fill_event(message.link, found.link, structured=structured)

    async def _hear(self, requests: AsyncIterator[bytes]) -> None:
        """Until the consumer closes its side, or says Stop."""
        async for encoded in requests:
            message = decode_message(pb.ReadReq, encoded)
            which = message.WhichOneof("content")
            if which == "ack":
                await self.member.acknowledge(await _ids_of(message.ack, "/ack/ids"))
            elif which == "nack":
                if message.nack.action == pb.ReadReq.Nack.Stop:
                    return
                await self._refuse(message.nack)
            else:
                raise InvalidRequest("must be ack or nack; options come first, and once", pointer="/content")

    async def _refuse(self, nack: pb.ReadReq.Nack) -> None:
        ids = await _ids_of(nack, "/nack/ids")
        if nack.action == pb.ReadReq.Nack.Skip:
            await self.member.acknowledge(ids)
            return
        if nack.action not in _PARKS:
            raise InvalidRequest("must be Park, Retry, Skip, Stop or Unknown", pointer="/nack/action")
        reason = nack.reason.replace("\0", "")[:GROUP_REASON_LENGTH_MAX]
        await self.member.refuse(ids, reason=reason, park=_PARKS[nack.action])


async def _ids_of(message: pb.ReadReq.Ack | pb.ReadReq.Nack, pointer: str) -> list[UUID]:
    """One message has room for a hundred thousand."""
    return await taken_by_turns(id_of(one, pointer) for one in message.ids)
