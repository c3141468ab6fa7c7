"""What a restart finds is made durable before anything is answered about it."""

import asyncio
from pathlib import Path

import apsw

from faults.ledger import Ledger
from faults.load import Load
from faults.server_process import server_process
from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.events import NewEvent


async def test_what_a_killed_server_left_is_copied_and_synced_at_the_next_start(tmp_path: Path) -> None:
    """A commit that was written and never synced would be acknowledged as a replay, and then lost with the power."""
    ledger = Ledger()
    async with server_process(tmp_path / "store.db") as server:
        async with AsyncClient(server.url, retry_total_s=0) as client:
            load = Load(ledger)
            loading = asyncio.create_task(load.run(client))
            await asyncio.sleep(0.3)
            await load.until_acknowledged()
            await server.kill()
            await loading
        # Not until it is ready: to find that out the server writes, and so begins the log anew.
        await server.start(until="/livez")
        assert _frames(tmp_path / "store.db") > 0
        assert _frames_not_copied(tmp_path / "store.db") == 0
        async with AsyncClient(server.url, retry_total_s=0) as client:
            await ledger.settle(client)
            await ledger.check(client)


async def test_a_reader_that_holds_the_log_does_not_keep_a_server_from_starting(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'store.db'}"
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url) as client:
        await client.append("order", "1", [NewEvent("Opened", 1)])
        reader = _open_read_transaction(tmp_path / "store.db")
        await client.append("order", "1", [NewEvent("Closed", 1)])
        await server.kill()
        async with open_local_store(url) as store:
            assert (await store.get_aggregate("order", "1")).version == 2
            assert (await store.append("order", "1", [NewEvent("Reopened", 1)])).version == 3
        reader.close()


def _open_read_transaction(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM events").fetchall()
    return connection


def _frames_not_copied(path: Path) -> int:
    logged, copied = _log(path)
    return logged - copied


def _frames(path: Path) -> int:
    return _log(path)[0]


def _log(path: Path) -> tuple[int, int]:
    """Frames in the write-ahead log, and how many of them are in the database file."""
    connection = apsw.Connection(str(path))
    connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
    counts = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    connection.close()
    return counts
