"""Persistent subscriptions: to make, change, delete and look at them, and to have parked events replayed.

Whoever holds ``admin`` for all that a subscription is for may do so; to read takes ``consume``. See
:mod:`indelible.server.esdb.persistent_catalogue` for how they are kept, and
:mod:`indelible.server.esdb.persistent_read` for what differs from what these clients may know.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from indelible.errors import GroupExists, GroupNotFound, Overloaded
from indelible.limits import GROUP_SETTLE_MAX, PAGE_EVENTS_MAX, RETRY_AFTER_S
from indelible.operations.deliveries import REDRIVE_PARKED, RedriveParked
from indelible.operations.groups import CHANGE_GROUP, CREATE_GROUP, DELETE_GROUP, ChangeGroup, OfGroup
from indelible.server.call import Call
from indelible.server.esdb.persistent_catalogue import Catalogue, Subscription
from indelible.server.esdb.persistent_members import AllSubscribers, Subscriber
from indelible.server.esdb.persistent_read import read
from indelible.server.esdb.persistent_source import asked_group, source_of
from indelible.server.grpc.calls import Method, Streams, Unary
from indelible.server.grpc.exchange import Refused
from indelible.server.services import Services
from indelible.wire.esdb.errors import subscription_exists, subscription_not_found
from indelible.wire.esdb.messages import stream_name
from indelible.wire.esdb.pb import persistent_pb2 as pb
from indelible.wire.esdb.pb.shared_pb2 import Empty
from indelible.wire.esdb.persistent import ALL, fill_info, group_name_of, named, settings_of

PERSISTENT_SERVICE: Final = "event_store.client.persistent_subscriptions.PersistentSubscriptions"
_NEVER: Final = datetime.fromtimestamp(0, UTC)
_UPDATE_TRIES: Final = 8


def persistent_methods(services: Services) -> tuple[Method, ...]:
    own = _PersistentSubscriptions(services)
    return (
        Unary("Create", pb.CreateReq, own.create),
        Unary("Update", pb.UpdateReq, own.update),
        Unary("Delete", pb.DeleteReq, own.delete),
        Unary("GetInfo", pb.GetInfoReq, own.get_info),
        Unary("List", pb.ListReq, own.list),
        Unary("ReplayParked", pb.ReplayParkedReq, own.replay_parked),
        Streams("Read", own.read),
        Unary("RestartSubsystem", Empty, _restart),
    )


async def _restart(_: Call, __: Empty) -> bytes:
    """There is nothing to restart. But clients in Go, Java and Rust ask for the groups over HTTP where this is not."""
    return b""


class _PersistentSubscriptions:
    """Those of one store, as one process serves them."""

    def __init__(self, services: Services) -> None:
        self._catalogue: Final = Catalogue(services)
        self._subscribers: Final = AllSubscribers()

    def read(self, call: Call, requests: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        return read(self._catalogue, self._subscribers, call, requests)

    # --- Changing ----------------------------------------------------------------------------------------------------

    async def create(self, call: Call, request: pb.CreateReq) -> bytes:
        settings = settings_of(request.options, _NEVER)
        call.take_events(1)
        version = await self._catalogue.version_of_settings(settings.group_name)
        may_manage = call.principal.reach("admin")
        asked = await asked_group(self._catalogue.whole, settings, source_of(settings), may_manage)
        exists = Refused(*subscription_exists(settings.stream, settings.group))
        try:
            info = await call.ask(CREATE_GROUP, asked)
        except GroupExists:
            raise exists from None
        if not info.is_new and await self._catalogue.of_group(info) is not None:
            raise exists
        if not await self._catalogue.save(replace(settings, created=info.created), after_version=version):
            raise exists
        return pb.CreateResp().SerializeToString()

    async def update(self, call: Call, request: pb.UpdateReq) -> bytes:
        """All settings anew, but for the filter, of which an update says nothing, and for where the group began: were a
        later start taken, what is before it and not delivered yet would be passed over."""
        said = settings_of(request.options, _NEVER)
        call.take_events(1)
        for _ in range(_UPDATE_TRIES):
            found = await self._catalogue.find(call.store, said.stream, said.group)
            settings = replace(
                said,
                created=found.settings.created,
                filter=found.settings.filter,
                created_with_start=found.settings.begins_at,
            )
            asked = ChangeGroup(
                group=settings.group_name, ack_timeout_s=settings.ack_timeout_s, max_attempts=settings.max_attempts
            )
            await call.ask(CHANGE_GROUP, asked)
            if await self._catalogue.save(settings, after_version=found.version):
                return pb.UpdateResp().SerializeToString()
        raise Overloaded(f"others change {said.subscription_id} all the time", retry_after_s=RETRY_AFTER_S)

    async def delete(self, call: Call, request: pb.DeleteReq) -> bytes:
        """Also what was not made to the end."""
        stream, group = named(request.options)
        try:
            await call.ask(DELETE_GROUP, OfGroup(group=group_name_of(stream, group)))
        except GroupNotFound:
            raise Refused(*subscription_not_found(stream, group)) from None
        return pb.DeleteResp().SerializeToString()

    async def replay_parked(self, call: Call, request: pb.ReplayParkedReq) -> bytes:
        found = await self._catalogue.find(call.store, *named(request.options))
        group = found.info.group
        if request.options.WhichOneof("stop_at_option") != "stop_at":
            await call.ask(REDRIVE_PARKED, RedriveParked(group=group, all=True))
        elif positions := await self._first_parked(group, request.options.stop_at):
            for start in range(0, len(positions), GROUP_SETTLE_MAX):
                some = positions[start : start + GROUP_SETTLE_MAX]
                await call.ask(REDRIVE_PARKED, RedriveParked(group=group, positions=some))
        return pb.ReplayParkedResp().SerializeToString()

    async def _first_parked(self, group: str, count: int) -> list[int]:
        """The positions of the first ``count`` parked events."""
        positions: list[int] = []
        cursor, at_end = None, False
        while len(positions) < count and not at_end:
            limit = min(count - len(positions), PAGE_EVENTS_MAX)
            page = await self._catalogue.whole.groups.list_parked(group, after=cursor, limit=limit)
            positions += [one.position for one in page.parked]
            cursor, at_end = page.cursor, page.at_end
        return positions

    # --- Looking -----------------------------------------------------------------------------------------------------

    async def get_info(self, call: Call, request: pb.GetInfoReq) -> bytes:
        found = await self._catalogue.find(call.store, *named(request.options))
        answer = pb.GetInfoResp()
        await self._fill(answer.subscription_info, found)
        return answer.SerializeToString()

    async def list(self, call: Call, request: pb.ListReq) -> bytes:
        """Those of one stream, or all. That one stream has none is an error, as these clients have it."""
        answer = pb.ListResp()
        stream = _listed(request.options)
        async for found in self._catalogue.list(call.store):
            if stream in (None, found.settings.stream):
                await self._fill(answer.subscriptions.add(), found)
        if stream is not None and not answer.subscriptions:
            raise Refused(*subscription_not_found(stream, ""))
        return answer.SerializeToString()

    async def _fill(self, message: pb.SubscriptionInfo, found: Subscription) -> None:
        places = await source_of(found.settings).places(self._catalogue.whole, found.info.position)
        fill_info(message, found.settings, found.info, places)
        subscribers = self._subscribers.of(found.info.group)
        if subscribers is not None:
            message.total_items = subscribers.items
            for member in subscribers.members:
                _fill_connection(message.connections.add(), member)


def _listed(options: pb.ListReq.Options) -> str | None:
    """The stream; None for all subscriptions."""
    if options.WhichOneof("list_option") != "list_for_stream":
        return None
    wanted = options.list_for_stream
    return stream_name(wanted.stream) if wanted.WhichOneof("stream_option") == "stream" else ALL


def _fill_connection(message: pb.SubscriptionInfo.ConnectionInfo, member: Subscriber) -> None:
    message.username = member.name
    message.total_items = member.items
    message.in_flight_messages = member.in_flight
    message.available_slots = max(member.max_in_flight - member.in_flight, 0)
