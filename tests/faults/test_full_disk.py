"""A full file system: appends fail clearly, reads go on, and appends work again once there is space."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import msgspec
import pytest

from faults.ledger import Entry, Ledger, attempt
from faults.load import Load
from faults.server_process import ServerProcess, server_process
from faults.small_disk import SmallDisk, small_disk
from indelible.client import AsyncClient
from indelible.engines.group_storage import GroupChange, PendingEvent, StoredGroup
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.errors import StorageFull
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend
from indelible.groups import GroupSettings
from indelible.limits import GROUP_REASON_LENGTH_MAX

SIZE_MIB = 44
"""Room for a write-ahead log that makes the engine checkpoint, and for a part of that checkpoint."""
LARGE_BYTES = 900_000
"""More than the log has room for, as it uses its own space again after a checkpoint."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", SIZE_MIB) as disk:
        yield disk


@pytest.fixture
async def server(disk: SmallDisk, tmp_path: Path) -> AsyncIterator[ServerProcess]:
    async with server_process(disk.path / "store.db", log=tmp_path / "server.log") as server:
        yield server


@pytest.fixture
async def client(server: ServerProcess) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.url, retry_total_s=0) as client:
        yield client


def one(ledger: Ledger, size_bytes: int = 10) -> Entry:
    return ledger.open([AggregateAppend.of("order", "1", [NewEvent("Filled", "x" * size_bytes)])], atomic=False)


async def fill_by_appends(ledger: Ledger, client: AsyncClient) -> int:
    """Append until the disk is full; how many appends it took."""
    for count in range(2 * SIZE_MIB):
        error = await attempt(ledger, client, one(ledger, LARGE_BYTES))
        if error is not None:
            assert isinstance(error, StorageFull)
            return count
    raise AssertionError("the disk never got full")


async def test_appends_resume_in_the_same_process_once_there_is_space(disk: SmallDisk, client: AsyncClient) -> None:
    ledger = Ledger()
    await ledger.send(client, one(ledger))
    disk.fill()
    for _ in range(20):
        assert isinstance(await attempt(ledger, client, one(ledger, LARGE_BYTES)), StorageFull)
    with pytest.raises(StorageFull):
        await client.save_snapshot("order", "1", version=1, state="x" * LARGE_BYTES)
    assert (await client.get_aggregate("order", "1")).version == 1
    assert (await client.read_feed()).count == 1
    disk.free()
    await ledger.settle(client)
    await client.save_snapshot("order", "1", version=1, state={"full": False})
    assert await ledger.check(client) == 21


async def test_a_group_is_saved_whole_or_not_at_all(disk: SmallDisk) -> None:
    engine = SqliteEngine(disk.path / "groups.db")
    await engine.open()
    group = StoredGroup("billing", GroupSettings(), 1, 1, 0, 0, 0, uuid4())
    assert await engine.create_group(group, groups_max=2)
    then = msgspec.structs.replace(group, revision=2, reached=1_000)
    put = [
        PendingEvent(AggregateKey("order", str(n)), n, 1, 0, "parked", 0, reason="x" * GROUP_REASON_LENGTH_MAX)
        for n in range(1, 1_001)
    ]
    disk.fill()
    for _ in range(3):
        with pytest.raises(StorageFull):
            await engine.save_group(GroupChange(1, then, put=put))
        state = await engine.load_group("billing")
        assert state is not None
        assert (state.group, state.pending) == (group, ())
    disk.free()
    assert await engine.save_group(GroupChange(1, then, put=put))
    (summary,) = await engine.list_groups()
    assert (summary.group, summary.parked) == (then, 1_000)
    await engine.close()


async def test_what_a_program_without_our_client_sees(
    disk: SmallDisk, server: ServerProcess, client: AsyncClient
) -> None:
    disk.fill()
    url = f"{server.url}/v1/aggregates/order/1/events"
    body = {"events": [{"event_type": "Filled", "event_data": "x" * LARGE_BYTES}]}
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json=body) as response:
            problem = await response.json(content_type="application/problem+json")
            assert (response.status, problem["code"]) == (507, "storage_full")
            assert int(response.headers["retry-after"]) >= 1
        async with session.get(f"{server.url}/livez") as response:
            assert response.status == 200
        async with session.get(f"{server.url}/metrics") as response:
            assert response.status == 200
        disk.free()
        async with session.post(url, json=body) as response:
            assert response.status == 201


async def test_the_log_fills_the_disk_and_a_checkpoint_meets_it(disk: SmallDisk, client: AsyncClient) -> None:
    ledger = Ledger()
    count = await fill_by_appends(ledger, client)
    assert count > 20
    for _ in range(5):
        assert isinstance(await attempt(ledger, client, one(ledger, LARGE_BYTES)), StorageFull)
    assert (await client.get_aggregate("order", "1")).version == count
    disk.grow(4 * SIZE_MIB)
    await ledger.settle(client)
    for _ in range(SIZE_MIB):
        await ledger.send(client, one(ledger, LARGE_BYTES))
    await ledger.check(client)


async def test_space_that_comes_and_goes_under_load(disk: SmallDisk, client: AsyncClient) -> None:
    """Writers meet the full disk at any point of a batch, again and again."""
    ledger = Ledger()
    load = Load(ledger)
    for leave_kib in (0, 40, 200, 1_000):
        loading = asyncio.create_task(load.run(client))
        await asyncio.sleep(0.1)
        disk.fill(leave_kib)
        errors = await asyncio.wait_for(loading, 60)
        assert {type(error) for error in errors} == {StorageFull}
        disk.free()
        await ledger.settle(client)
    await ledger.check(client)


async def test_kill_9_while_the_disk_is_full(disk: SmallDisk, server: ServerProcess, client: AsyncClient) -> None:
    ledger = Ledger()
    load = Load(ledger)
    loading = asyncio.create_task(load.run(client))
    await asyncio.sleep(0.2)
    await load.until_acknowledged()
    disk.fill()
    await loading
    await server.kill()
    await server.start(until="/livez")  # nothing has to be written to begin
    assert (await client.head()).position > 0
    assert isinstance(await attempt(ledger, client, one(ledger, LARGE_BYTES)), StorageFull)
    disk.free()
    await ledger.settle(client)
    await ledger.check(client)


async def test_a_graceful_stop_while_the_disk_is_full(
    disk: SmallDisk, server: ServerProcess, client: AsyncClient
) -> None:
    ledger = Ledger()
    await ledger.send(client, one(ledger, LARGE_BYTES))
    disk.fill()
    server.terminate()
    assert await server.exit_code() == 0
    disk.free()
    await server.start()
    await ledger.check(client)
