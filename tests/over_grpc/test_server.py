"""``serve --grpc``: health, reflection, keepalive, stopping, workers, and what is said when gRPC cannot be had."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from faults.server_process import ServerProcess, server_process
from indelible import AsyncClient, NewEvent
from indelible.core.open import open_local_store
from indelible.cursors import cursor_at
from indelible.errors import ShuttingDown
from indelible.limits import GRPC_BATCHES_UNDER_WAY_MAX
from indelible.wire.pb import event_store_pb2 as pb
from over_grpc.calls import METHODS, Api, an_append, connected, refusal
from postgres.server import PostgresServer

CLIENT_PING_INTERVAL_MS = 6_000
"""More often than gRPC lets clients of every language ping."""


@pytest.fixture
async def channel(server: ServerProcess, address: str) -> AsyncIterator[grpc.aio.Channel]:
    async with connected(address) as channel:
        yield channel


async def test_health(channel: grpc.aio.Channel) -> None:
    for service in (
        "",
        "indelible.v1.EventStore",
        "indelible.v1.ConsumerGroups",
        "indelible.v1.Relays",
        "indelible.v1.Search",
        "indelible.v1.Keys",
        "indelible.v1.Schemas",
    ):
        answer = await HealthStub(channel).Check(HealthCheckRequest(service=service))
        assert answer.status == HealthCheckResponse.SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await HealthStub(channel).Check(HealthCheckRequest(service="other"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    unknown = HealthStub(channel).Watch(HealthCheckRequest(service="other"))
    assert (await unknown.read()).status == HealthCheckResponse.SERVICE_UNKNOWN
    unknown.cancel()


class Reflector:
    """Asks as tools such as grpcurl do, by version 1 or v1alpha."""

    def __init__(self, channel: grpc.aio.Channel, version: str) -> None:
        self._call = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            ServerReflectionRequest.SerializeToString,
            ServerReflectionResponse.FromString,
        )()

    async def ask(self, **what: str) -> ServerReflectionResponse:
        request = ServerReflectionRequest(**what)
        await self._call.write(request)
        answer: ServerReflectionResponse = await self._call.read()
        assert answer.original_request == request
        return answer

    async def files(self, **what: str) -> dict[str, FileDescriptorProto]:
        answer = await self.ask(**what)
        found = [FileDescriptorProto.FromString(text) for text in answer.file_descriptor_response.file_descriptor_proto]
        return {file.name: file for file in found}

    def close(self) -> None:
        self._call.cancel()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_tells_of_the_api(channel: grpc.aio.Channel, version: str) -> None:
    reflector = Reflector(channel, version)
    names = {service.name for service in (await reflector.ask(list_services="")).list_services_response.service}
    reflections = {"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}
    own = {f"indelible.v1.{name}" for name in ("EventStore", "ConsumerGroups", "Relays", "Search", "Keys", "Schemas")}
    assert names == {*own, "grpc.health.v1.Health", *reflections}
    for symbol in (
        *names,
        *(method.full_name for method in METHODS.values()),
        "indelible.v1.NewEvent",
        "indelible.v1.NewEvent.event_type",
        "indelible.v1.Direction",
        "indelible.v1.DIRECTION_FORWARD",
        "grpc.reflection.v1.ServerReflectionRequest",
    ):
        files = await reflector.files(file_containing_symbol=symbol)
        first = next(iter(files.values()))
        assert symbol.startswith(f"{first.package}."), symbol
        # With all that they import, so that a tool can build what it got.
        pool = DescriptorPool()
        for file in reversed(files.values()):
            pool.Add(file)
    assert "indelible/v1/events.proto" in await reflector.files(file_by_filename="indelible/v1/event_store.proto")
    extensions = await reflector.ask(all_extension_numbers_of_type="indelible.v1.NewEvent")
    assert extensions.all_extension_numbers_response.base_type_name == "indelible.v1.NewEvent"
    for unknown in (
        {"file_containing_symbol": "indelible.v1.EventStore.Nothing"},
        {"file_containing_symbol": "nothing"},
        {"file_by_filename": "nothing.proto"},
        {"all_extension_numbers_of_type": "nothing"},
    ):
        assert (await reflector.ask(**unknown)).error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    invalid = grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert (await reflector.ask()).error_response.error_code == invalid
    reflector.close()


async def test_an_idle_connection_lives_though_its_client_pings_often(server: ServerProcess, address: str) -> None:
    options = [
        ("grpc.keepalive_time_ms", CLIENT_PING_INTERVAL_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    async with connected(address, options) as channel:
        batches = Api(channel).AppendBatches()
        await batches.write(pb.AppendBatchRequest(appends=[an_append("a")]))
        await batches.read()
        # A server takes three pings too many before it cuts a client off.
        await asyncio.sleep(4.5 * CLIENT_PING_INTERVAL_MS / 1_000)
        await batches.write(pb.AppendBatchRequest(appends=[an_append("a")]))
        assert (await batches.read()).outcomes[0].result.version == 2


async def test_open_streams_do_not_keep_a_server_from_stopping(
    server: ServerProcess, channel: grpc.aio.Channel
) -> None:
    api = Api(channel)
    subscription, batches = api.Subscribe(pb.SubscribeRequest()), api.AppendBatches()
    await subscription.read()
    await batches.write(pb.AppendBatchRequest(appends=[an_append("a")]))
    assert (await batches.read()).outcomes[0].result.version == 1
    health = HealthStub(channel).Watch(HealthCheckRequest())
    assert (await health.read()).status == HealthCheckResponse.SERVING
    server.terminate()

    async def drained() -> None:
        while True:
            await subscription.read()

    for stream in (drained(), batches.read()):
        status, error = await refusal(stream)
        assert status == grpc.StatusCode.UNAVAILABLE
        assert isinstance(error, ShuttingDown)
    # Half of the grace that calls have.
    assert await server.exit_code(15) == 0


async def test_a_stopping_server_answers_the_batches_it_has_begun_and_stores_no_others(
    server: ServerProcess, address: str
) -> None:
    async with connected(address) as channel:
        streams = [_BatchStream(Api(channel), name) for name in "abcdefgh"]
        running = [asyncio.create_task(stream.run()) for stream in streams]
        await asyncio.wait({asyncio.create_task(stream.sent_again.wait()) for stream in streams}, timeout=60)
        server.terminate()
        await asyncio.gather(*(stream.stop_sending() for stream in streams))
        for run in running:
            status, error = await refusal(run)
            assert status == grpc.StatusCode.UNAVAILABLE
            assert isinstance(error, ShuttingDown)
    assert await server.exit_code() == 0
    assert all(0 < stream.answered < stream.sent for stream in streams)
    async with open_local_store(f"sqlite:{server.database}", read_only=True) as store:
        # All that was answered, and nothing else.
        stored = {info.aggregate_id: info.version for info in (await store.list_aggregates()).aggregates}
        assert stored == {stream.name: stream.answered * _BatchStream.APPENDS for stream in streams}


class _BatchStream:
    """Keeps more batches on their way than a server begins at once."""

    APPENDS = 100
    UNANSWERED_MAX = 2 * GRPC_BATCHES_UNDER_WAY_MAX
    """So few that no write has to wait for the server: one that does when the stream ends would hide how it ended."""

    def __init__(self, api: Api, name: str) -> None:
        self.name = name
        self.sent = 0
        self.answered = 0
        self.sent_again = asyncio.Event()
        """Set once answers have made room for further batches, and those are sent."""
        self._stream = api.AppendBatches()
        self._batch = pb.AppendBatchRequest(appends=[an_append(name)] * self.APPENDS)
        self._room = asyncio.Semaphore(self.UNANSWERED_MAX)
        self._is_sending = True
        self._sending = asyncio.create_task(self._send())

    async def run(self) -> None:
        async for answer in self._stream:
            assert [outcome.result.version for outcome in answer.outcomes] == [
                self.answered * self.APPENDS + number + 1 for number in range(self.APPENDS)
            ]
            self.answered += 1
            self._room.release()

    async def _send(self) -> None:
        while await self._room.acquire() and self._is_sending:
            await self._stream.write(self._batch)
            self.sent += 1
            if self.sent > self.UNANSWERED_MAX:
                self.sent_again.set()

    async def stop_sending(self) -> None:
        self._is_sending = False
        self._room.release()
        await self._sending


async def test_a_client_rides_over_a_server_that_is_killed(server: ServerProcess, address: str) -> None:
    async with AsyncClient(f"grpc://{address}", retry_total_s=60) as client:
        await client.append("thing", "a", [NewEvent("Happened", 1)])
        subscription = client.subscribe()
        assert (await anext(subscription)).event_data == 1
        await server.kill()
        appending = asyncio.create_task(client.append("thing", "a", [NewEvent("Happened", 2)]))
        await server.start()
        assert (await appending).version == 2
        assert (await anext(subscription)).event_data == 2
        assert subscription.cursor == cursor_at(2)
        await subscription.aclose()


async def test_a_closed_client_ends_its_subscriptions(server: ServerProcess, address: str) -> None:
    client = AsyncClient(f"grpc://{address}")
    subscription = client.subscribe()
    await subscription.next_page()
    waiting = asyncio.create_task(subscription.next_page())
    await asyncio.sleep(0.1)
    await client.aclose()
    with pytest.raises(ShuttingDown):
        await waiting


async def test_all_workers_serve_on_the_port(postgres: PostgresServer, tmp_path: Path, address: str) -> None:
    store = f"{postgres.new_database()}?connect_timeout=30"
    flags = ("--grpc", address, "--workers", "2")
    async with server_process(store, log=tmp_path / "server.log", flags=flags) as server:
        async with AsyncClient(f"grpc://{address}") as client:
            await client.append("thing", "a", [NewEvent("Happened")])
        counts = 0
        for _ in range(50):
            async with AsyncClient(f"grpc://{address}", retry_total_s=20) as client:
                assert (await client.head()).position == 1
                counts += 1
        assert counts == 50
        server.terminate()
        assert await server.exit_code() == 0


async def test_a_port_that_is_taken_is_named(server: ServerProcess, address: str, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("indelible")), "serve", "--store", f"sqlite:{tmp_path}/other.db",
        "--http", "127.0.0.1:0", "--grpc", address,
    ]  # fmt: skip
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode not in (0, 74)
    assert address in done.stderr
