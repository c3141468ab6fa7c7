"""What clients ask before they do anything: what the server can do, and who is in the cluster."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState

from esdb.callers import METHODS, calling, features_of, gossip_of, status_of
from indelible.core.open import open_local_store
from indelible.server.compose import make_services
from indelible.server.config import Address, EsdbSettings
from indelible.server.esdb.server import serving_esdb
from indelible.wire.esdb.pb import cluster_pb2


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async with Served(EsdbSettings(Address("127.0.0.1", 0))) as found:
        yield found


class Served:
    """A server on this event loop."""

    def __init__(self, settings: EsdbSettings) -> None:
        self._store = open_local_store("memory:")
        self.services = make_services(self._store)
        self._serving = serving_esdb(self.services, settings, shutdown_grace_s=5)

    async def __aenter__(self) -> str:
        await self._store.__aenter__()
        return await self._serving.__aenter__()

    async def __aexit__(self, *_: object) -> None:
        self.services.stopping.set()
        await self._serving.__aexit__(None, None, None)
        await self._store.aclose()


async def test_what_is_there_is_listed_in_lower_case_and_nothing_else(address: str):
    async with calling(address) as channel:
        found = await features_of(channel)
    listed = {f"{one.service_name}/{one.method_name}": set(one.features) for one in found.methods}
    for path in METHODS:
        code, _ = await status_of(address, [b"\xff"], path=path)
        assert (code is grpc.StatusCode.UNIMPLEMENTED) == (path.lower() not in listed), path
    assert set(listed) <= {path.lower() for path in METHODS}
    assert listed["event_store.client.streams.streams/batchappend"] == {"deadline_duration"}
    major, minor, patch = map(int, found.event_store_server_version.split("."))
    assert (major, minor, patch) >= (21, 10, 1)


@pytest.mark.parametrize(
    "path",
    [
        "event_store.client.projections.Projections/Create",
        "event_store.client.users.Users/Details",
        "event_store.client.operations.Operations/Shutdown",
        "event_store.client.monitoring.Monitoring/Stats",
        "event_store.client.streams.Streams/append",
        "grpc.health.v1.Health/Check",
        "indelible.v1.EventStore/Append",
        "x",
    ],
)
async def test_what_is_not_there_is_unimplemented(address: str, path: str):
    code, _ = await status_of(address, [b""], path=path)
    assert code is grpc.StatusCode.UNIMPLEMENTED


async def test_the_gossip_sends_clients_where_they_asked(address: str):
    async with calling(address) as channel:
        member = await gossip_of(channel)
    at = member.http_end_point
    assert f"{at.address}:{at.port}" == address
    assert (member.state, member.is_alive) == (cluster_pb2.MemberInfo.Leader, True)
    localhost = address.replace("127.0.0.1", "localhost")
    async with calling(localhost) as channel:
        at = (await gossip_of(channel)).http_end_point
    assert f"{at.address}:{at.port}" == localhost


@pytest.mark.parametrize("authority", ["x", "x:0", "x:65536", "x:99999999999999999999", ":1", "x:1_0", "x:²"])
async def test_who_asked_for_nothing_that_leads_anywhere_is_sent_to_the_socket(address: str, authority: str):
    options = [("grpc.default_authority", authority.encode().decode("latin-1"))]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        at = (await gossip_of(channel)).http_end_point
    assert f"{at.address}:{at.port}" == address


async def test_an_address_that_is_advertised_is_what_clients_hear():
    settings = EsdbSettings(Address("127.0.0.1", 0), Address("events.example", 2113))
    async with Served(settings) as address, calling(address) as channel:
        at = (await gossip_of(channel)).http_end_point
    assert (at.address, at.port) == ("events.example", 2113)


async def test_a_server_that_drains_is_no_leader():
    server = Served(EsdbSettings(Address("127.0.0.1", 0)))
    async with server as address, calling(address) as channel:
        server.services.draining.set()
        assert (await gossip_of(channel)).state == cluster_pb2.MemberInfo.ShuttingDown


async def test_clients_that_discover_a_cluster_find_the_server(address: str):
    def append() -> int:
        host, _, port = address.partition(":")
        client = KurrentDBClient(f"esdb://{host}:{port},{host}:{port}?tls=false&nodePreference=leader")
        try:
            found: int = client.append_to_stream(
                "order-1", current_version=StreamState.ANY, events=NewEvent("Placed", b"{}"), timeout=60
            )
            return found
        finally:
            client.close()

    assert await asyncio.to_thread(append) == 1
