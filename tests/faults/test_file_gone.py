"""The store's files are deleted, moved or replaced under a server: it acknowledges no more, says why, and stops."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from faults.server_process import ServerProcess, server_process
from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.core.verify import verify
from indelible.errors import IndelibleError, OutcomeUnknown, StorageFailure, StoreCorrupted, Unavailable
from indelible.events import NewEvent

NOTICED_WITHIN_S = 30.0
"""One second is promised; a busy machine gets more. Without a look nothing is ever noticed."""


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def delete(path: Path) -> None:
    path.unlink()
    wal_of(path).unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def replace(path: Path) -> None:
    """As a restore under the server does."""
    shutil.copy(path, path.with_name("backup.db"))
    path.with_name("backup.db").replace(path)


@pytest.mark.parametrize("fault", [delete, move, replace])
async def test_nothing_is_acknowledged_after_it(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url, retry_total_s=0) as client:
        for _ in range(3):
            await client.append("order", "1", [NewEvent("Opened", 1)])
        fault(server.database)
        with pytest.raises((Unavailable, OutcomeUnknown, StorageFailure)):
            await client.append("order", "1", [NewEvent("Lost", 1)])
        assert await server.exit_code() == os.EX_IOERR
        assert "while the store was open" in server.tail()
        assert "Put back the database file" in server.tail()


async def test_it_happens_under_load(tmp_path: Path) -> None:
    """What was acknowledged before is in the files that were moved, and all of it."""
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url, retry_total_s=0) as client:
        acknowledged, are_enough = 0, asyncio.Event()

        async def append(number: int) -> None:
            nonlocal acknowledged
            while True:
                await client.append("order", str(number), [NewEvent("Moved", 1)])
                acknowledged += 1
                if acknowledged == 200:
                    are_enough.set()

        writers = [asyncio.create_task(append(number)) for number in range(8)]
        await are_enough.wait()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        server.database.rename(elsewhere / "store.db")
        wal_of(server.database).rename(elsewhere / "store.db-wal")
        for ended in await asyncio.gather(*writers, return_exceptions=True):
            assert isinstance(ended, IndelibleError), ended
        assert await server.exit_code() == os.EX_IOERR
    async with open_local_store(f"sqlite:{elsewhere / 'store.db'}") as store:
        assert (await store.head()).position >= acknowledged
        assert (await verify(store)).damage is None


@pytest.mark.parametrize("fault", [delete, replace])
async def test_an_idle_server_notices(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url) as client:
        await client.append("order", "1", [NewEvent("Opened", 1)])
        fault(server.database)
        began = time.monotonic()
        assert await _not_ready(server)
        assert await server.exit_code() == os.EX_IOERR
        assert time.monotonic() - began < NOTICED_WITHIN_S


async def _not_ready(server: ServerProcess) -> bool:
    """Until it says so, or is gone."""
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{server.url}/readyz") as answer:
                    if answer.status == 503:
                        return True
            except aiohttp.ClientError:
                return True
            await asyncio.sleep(0.02)


async def test_a_log_that_was_deleted_is_saved_into_the_database(tmp_path: Path) -> None:
    """Its events are in no other file; this process still has them."""
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url, retry_total_s=0) as client:
        for _ in range(5):
            await client.append("order", "1", [NewEvent("Opened", 1)])
        wal_of(server.database).unlink()
        assert await server.exit_code() == os.EX_IOERR
        assert "write-ahead log" in server.tail()
        await server.start()
        assert (await client.get_aggregate("order", "1")).version == 5


async def test_a_database_that_is_gone_while_its_log_is_there_is_no_new_store(tmp_path: Path) -> None:
    """SQLite would delete that log."""
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url) as client:
        await client.append("order", "1", [NewEvent("Opened", 1)])
        await server.kill()
    moved = server.database.rename(tmp_path / "moved.db")
    with pytest.raises(StoreCorrupted, match="Put the database back"):
        await open_local_store(server.store_url).open()
    moved.rename(server.database)
    async with open_local_store(server.store_url) as store:
        assert (await store.head()).position == 1


async def test_a_link_that_leads_elsewhere_now(tmp_path: Path) -> None:
    """A restart would find another store than the one that took the appends."""
    link, other = tmp_path / "store.db", tmp_path / "other.db"
    async with open_local_store(f"sqlite:{other}"):
        pass
    link.symlink_to(tmp_path / "first.db")
    heard: list[StorageFailure] = []
    store = open_local_store(f"sqlite:{link}", on_failure=heard.append)
    async with store:
        await store.append("order", "1", [NewEvent("Opened", 1)])
        link.unlink()
        link.symlink_to(other)
        with pytest.raises(IndelibleError):
            await store.append("order", "1", [NewEvent("Moved", 1)])
        await asyncio.sleep(0)
        assert len(heard) == 1
        assert heard[0].fields["gone"] == "database"


@pytest.mark.parametrize("fault", [delete, replace])
async def test_readers_do_not_answer_from_another_file(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    path = tmp_path / "store.db"
    async with open_local_store(f"sqlite:{path}") as store:
        await store.append("order", "1", [NewEvent("Opened", 1)])
        async with open_local_store(f"sqlite:{path}", read_only=True) as reader:
            assert (await reader.get_aggregate("order", "1")).version == 1
            fault(path)
            for each in (store, reader):
                with pytest.raises(StorageFailure, match="while the store was open"):
                    await each.get_aggregate("order", "1")
