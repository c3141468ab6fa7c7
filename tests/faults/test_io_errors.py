"""I/O errors of the disk: no wrong acknowledgement, and the server stops by itself."""

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from faults.injected import failing, needs_strace
from faults.ledger import Entry, Ledger, attempt
from faults.load import Load
from faults.server_process import ServerProcess, server_process
from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.engines.group_storage import GroupChange, PendingEvent, StoredGroup
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.errors import OutcomeUnknown, ShuttingDown, StorageFailure, Unavailable
from indelible.events import AggregateKey, NewEvent
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.groups import GroupSettings

pytestmark = needs_strace

SYNC = "fsync,fdatasync"
PAST_A_CHECKPOINT = 45
"""Events of 1 MiB that make the engine checkpoint."""


def wal_of(server: ServerProcess) -> Path:
    return server.database.with_name(server.database.name + "-wal")


def large(ledger: Ledger) -> Entry:
    events = [NewEvent("Filled", "x" * 1_000_000)]
    return ledger.open([AggregateAppend.of("archive", "1", events)], atomic=False)


async def settle_after_restart(server: ServerProcess, ledger: Ledger) -> None:
    await server.start()
    async with AsyncClient(server.url, retry_total_s=0) as client:
        await ledger.settle(client)
        await ledger.check(client)


@pytest.mark.parametrize("calls", [SYNC, "pwrite64"])
async def test_a_log_that_cannot_be_written_stops_the_server(tmp_path: Path, calls: str) -> None:
    """The ledger takes the server at its word: "nothing was stored" must be true, and an acknowledgement must last."""
    ledger = Ledger()
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url, retry_total_s=0) as client:
        loading = asyncio.create_task(Load(ledger).run(client))
        await asyncio.sleep(0.3)
        async with failing(server.pid, calls, path=wal_of(server)) as log:
            errors = await asyncio.wait_for(loading, 60)
            assert await server.exit_code() == os.EX_IOERR
        assert "INJECTED" in log.read_text()
        assert any(isinstance(error, OutcomeUnknown) for error in errors)
        assert all(isinstance(error, (OutcomeUnknown, Unavailable)) for error in errors)
        await settle_after_restart(server, ledger)


async def test_one_failed_sync_is_enough(tmp_path: Path) -> None:
    """The kernel reports an error once, and forgets the pages that it could not write: a second sync proves nothing."""
    ledger = Ledger()
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url, retry_total_s=0) as client:
        before = ledger.open([AggregateAppend.of("order", "1", [NewEvent("Opened", 1)])], atomic=False)
        await ledger.send(client, before)
        entry = ledger.open([AggregateAppend.of("order", "1", [NewEvent("Closed", 1)])], atomic=False)
        async with failing(server.pid, SYNC, path=wal_of(server), when="1"):
            unknown = await attempt(ledger, client, entry)
            assert isinstance(unknown, OutcomeUnknown)
            assert "SQLITE_IOERR_FSYNC" in unknown.message
            assert isinstance(await attempt(ledger, client, entry), (ShuttingDown, Unavailable, OutcomeUnknown))
            assert await server.exit_code() == os.EX_IOERR
        await settle_after_restart(server, ledger)
        assert len(entry.appended) == 1


@pytest.mark.parametrize("calls", [SYNC, "pwrite64"])
async def test_a_checkpoint_that_fails_stops_the_server(tmp_path: Path, calls: str) -> None:
    """Nothing that was acknowledged is in danger, as the log has it, and no more is taken."""
    ledger = Ledger()
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url, retry_total_s=0) as client:
        async with failing(server.pid, calls, path=server.database) as log:
            errors = [await attempt(ledger, client, large(ledger)) for _ in range(PAST_A_CHECKPOINT)]
            assert await server.exit_code() == os.EX_IOERR
        assert "INJECTED" in log.read_text()
        assert errors[0] is None
        assert all(isinstance(error, (Unavailable, OutcomeUnknown)) for error in errors if error is not None)
        await settle_after_restart(server, ledger)


async def test_a_snapshot_that_cannot_be_synced_stops_the_server(tmp_path: Path) -> None:
    ledger = Ledger()
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url, retry_total_s=0) as client:
        entry = ledger.open([AggregateAppend.of("order", "1", [NewEvent("Opened", 1)])], atomic=False)
        await ledger.send(client, entry)
        async with failing(server.pid, SYNC, path=wal_of(server)):
            with pytest.raises(OutcomeUnknown):
                await client.save_snapshot("order", "1", version=1, state={"open": True})
            assert await server.exit_code() == os.EX_IOERR
        await settle_after_restart(server, ledger)


async def test_a_group_that_cannot_be_synced_stops_the_engine(tmp_path: Path) -> None:
    """Of this process: what a server does with an engine that has stopped is told by the tests above."""
    path, heard = tmp_path / "store.db", list[StorageFailure]()
    engine = SqliteEngine(path)
    engine.on_failure = heard.append
    await engine.open()
    group = StoredGroup("billing", GroupSettings(), 1, 1, 0, 0, 0, uuid4())
    then = msgspec.structs.replace(group, revision=2, reached=7)
    put = PendingEvent(AggregateKey("order", "1"), 7, 1, 0, "waiting", 0)
    assert await engine.create_group(group, groups_max=1)
    async with failing(os.getpid(), SYNC, path=path.with_name("store.db-wal"), when="1"):
        with pytest.raises(StorageFailure, match="SQLITE_IOERR_FSYNC"):
            await engine.save_group(GroupChange(1, then, put=[put]))
    assert len(heard) == 1
    request = AppendRequest((AggregateAppend.of("order", "1", [NewEvent("Opened")]),))
    for refused in (engine.save_group(GroupChange(1, then)), engine.delete_group("billing"), engine.append([request])):
        with pytest.raises(StorageFailure):
            await refused
    await engine.close()
    again = SqliteEngine(path)
    await again.open()
    state = await again.load_group("billing")
    assert state is not None
    assert (state.group, state.pending) in ((group, ()), (then, (put,)))
    await again.close()


async def test_one_failed_sync_is_enough_for_who_commits_on_its_own_event_loop(tmp_path: Path) -> None:
    path, heard = tmp_path / "store.db", list[StorageFailure]()
    async with open_local_store(f"sqlite:{path}", on_failure=heard.append, may_hold_loop=True) as store:
        for number in range(1, 4):
            assert (await store.append("order", "1", [NewEvent("Opened", number)])).position == number
        async with failing(os.getpid(), SYNC, path=path.with_name("store.db-wal"), when="1"):
            events = [NewEvent("Closed")]
            with pytest.raises(OutcomeUnknown, match="SQLITE_IOERR_FSYNC"):
                await store.append("order", "1", events)
        with pytest.raises(ShuttingDown, match="stopped writing"):
            await store.append("order", "1", events)
        assert len(heard) == 1
    async with open_local_store(f"sqlite:{path}") as store:
        assert (await store.append("order", "1", events)).position == 4
        assert (await store.head()).position == 4


async def test_an_error_while_stopping_is_told(tmp_path: Path) -> None:
    """The last checkpoint of a server that stops in good order fails: the exit code says that the disk is not well."""
    ledger = Ledger()
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url, retry_total_s=0) as client:
        entry = ledger.open([AggregateAppend.of("order", "1", [NewEvent("Opened", 1)])], atomic=False)
        await ledger.send(client, entry)
        async with failing(server.pid, SYNC, path=server.database):
            server.terminate()
            assert await server.exit_code() == os.EX_IOERR
        assert "Traceback" not in server.tail()
        await settle_after_restart(server, ledger)
