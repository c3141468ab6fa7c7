"""What it takes to make persistent subscriptions and to be their consumer, at any server of a store."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import grpc
import pytest
from kurrentdbclient.protos.v1 import persistent_pb2 as pb
from kurrentdbclient.protos.v1.persistent_pb2_grpc import PersistentSubscriptionsStub

from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.cursors import Cursor
from indelible.events import NewEvent
from indelible.groups import GroupInfo
from indelible.queries import EventQuery
from indelible.server.access_settings import check_access
from indelible.server.compose import control_access, make_services
from indelible.server.config import Address, EsdbSettings
from indelible.server.esdb.server import serving_esdb
from indelible.server.services import Services


class Guarded(NamedTuple):
    stub: Any
    store: LocalEventStore

    async def metadata(self, *grants: str) -> tuple[tuple[str, str], ...]:
        key = (await self.store.keys.create("test", grants)).key
        return (("authorization", "Basic " + b64encode(f"me:{key}".encode()).decode()),)


@asynccontextmanager
async def guarded() -> AsyncIterator[Guarded]:
    store = open_local_store("memory:")
    services = make_services(store)
    control_access(services, check_access({}), store)
    async with store, services.background, served(services) as stub:
        yield Guarded(stub, store)


@asynccontextmanager
async def served(services: Services) -> AsyncIterator[Any]:
    settings = EsdbSettings(Address("127.0.0.1", 0))
    async with serving_esdb(services, settings, shutdown_grace_s=5) as address:
        async with grpc.aio.insecure_channel(address) as channel:
            yield PersistentSubscriptionsStub(channel)
        services.stopping.set()


def of_stream(kind: type) -> Any:
    """Options that name the group "billing" of the stream "order-1"."""
    options = kind(group_name="billing")
    options.stream_identifier.stream_name = b"order-1"
    return options


async def test_grants_of_what_a_subscription_is_for_are_enough_and_needed():
    created = pb.CreateReq(options=of_stream(pb.CreateReq.Options))
    created.options.settings.consumer_strategy = "RoundRobin"
    read = pb.ReadReq(options=of_stream(pb.ReadReq.Options))
    read.options.buffer_size = 10
    async with guarded() as server:
        admin, consumer = await server.metadata("admin:order"), await server.metadata("consume:order")
        await server.store.append("order", "1", NewEvent("Placed"))
        await refused(server.stub.Create(created, metadata=consumer))
        await server.stub.Create(created, metadata=admin)
        reading = server.stub.Read(iter([read]), metadata=admin)
        await refused(reading.read())
        consuming = server.stub.Read(metadata=consumer)
        await consuming.write(read)
        assert (await consuming.read()).subscription_confirmation.subscription_id == "order-1::billing"
        assert (await consuming.read()).event.event.metadata["type"] == "Placed"
        consuming.cancel()
        others = await server.metadata("admin:bill", "consume:bill")
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await server.stub.GetInfo(pb.GetInfoReq(options=of_stream(pb.GetInfoReq.Options)), metadata=others)
        assert unknown.value.code() == grpc.StatusCode.NOT_FOUND


async def test_a_filter_of_streams_takes_grants_of_their_category_alone():
    created = pb.CreateReq()
    options = created.options
    options.group_name, options.settings.consumer_strategy = "billing", "RoundRobin"
    options.all.start.SetInParent()
    options.all.filter.stream_identifier.regex = "^order-"
    options.all.filter.count.SetInParent()
    async with guarded() as server:
        await server.stub.Create(created, metadata=await server.metadata("admin:order"))
        (group,) = await server.store.groups.list()
        assert [item.aggregate_types for item in group.items] == [("order",)]
        options.group_name = "others"
        await refused(server.stub.Create(created, metadata=await server.metadata("admin:bill")))


async def test_what_was_not_made_to_the_end_is_made_again_or_deleted():
    created = pb.CreateReq(options=of_stream(pb.CreateReq.Options))
    created.options.settings.consumer_strategy = "RoundRobin"
    asked = pb.GetInfoReq(options=of_stream(pb.GetInfoReq.Options))
    async with guarded() as server:
        admin = await server.metadata("admin:order", "read:order")
        await server.stub.Create(created, metadata=admin)
        (group,) = await server.store.groups.list()
        for make_again in (True, False):
            await server.store.groups.delete(group.group)
            await make_alike(server.store, group)
            with pytest.raises(grpc.aio.AioRpcError) as unknown:
                await server.stub.GetInfo(asked, metadata=admin)
            assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
            if make_again:
                await server.stub.Create(created, metadata=admin)
                assert (await server.stub.GetInfo(asked, metadata=admin)).subscription_info.group_name == "billing"
            else:
                await server.stub.Delete(pb.DeleteReq(options=of_stream(pb.DeleteReq.Options)), metadata=admin)
                assert await server.store.groups.list() == ()


async def test_any_server_of_a_store_serves_any_subscription():
    created = pb.CreateReq(options=of_stream(pb.CreateReq.Options))
    created.options.settings.consumer_strategy = "RoundRobin"
    asked = pb.GetInfoReq(options=of_stream(pb.GetInfoReq.Options))
    store = open_local_store("memory:")
    async with store, served(make_services(store)) as first, served(make_services(store)) as second:
        await store.append("order", "1", [NewEvent("Placed"), NewEvent("Paid")])
        await first.Create(created)
        consuming = second.Read()
        await consuming.write(pb.ReadReq(options=of_stream(pb.ReadReq.Options)))
        await consuming.read()
        event = (await consuming.read()).event.event
        await consuming.write(pb.ReadReq(ack=pb.ReadReq.Ack(ids=[event.id])))
        assert (await consuming.read()).event.event.metadata["type"] == "Paid"
        info = (await first.GetInfo(asked)).subscription_info
        assert (info.last_checkpointed_event_position, info.total_in_flight_messages) == ("0", 1)
        consuming.cancel()


async def make_alike(store: LocalEventStore, group: GroupInfo) -> None:
    """Without the settings of a persistent subscription, as when a server stops in between."""
    settings = {name: getattr(group, name) for name in ("ack_timeout_s", "max_attempts", "max_in_flight")}
    await store.groups.create(group.group, EventQuery(group.items), after=Cursor(group.cursor), **settings)


async def refused(call: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert dict(error.value.trailing_metadata())["exception"] == "access-denied"
