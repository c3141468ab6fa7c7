"""One process at a time writes to a store; any number read."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from faults.server_process import server_process
from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.errors import IndelibleError, StoreLocked
from indelible.events import NewEvent


async def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    async with server_process(tmp_path / "store.db") as server:
        with pytest.raises(StoreLocked) as refused:
            async with open_local_store(f"sqlite:{server.database}"):
                pass
        assert refused.value.fields["owner"]["pid"] == server.pid
        assert f"process {server.pid} (" in refused.value.message
        assert "indelible serve" in refused.value.message
        async with AsyncClient(server.url) as client:  # and the first works on
            assert (await client.append("order", "1", [NewEvent("Opened", 1)])).version == 1
        await server.kill()
        # The kernel has let go of the lock of the dead: nothing to wait for, nothing to clean up.
        async with open_local_store(f"sqlite:{server.database}") as store:
            assert (await store.append("order", "1", [NewEvent("Closed", 1)])).version == 2


async def test_a_second_server_stops_with_the_first_ones_name(tmp_path: Path) -> None:
    async with server_process(tmp_path / "store.db") as server:
        command = [sys.executable, "-m", "indelible.cli.main", "serve", "--http", "127.0.0.1:0"]
        second = await asyncio.create_subprocess_exec(
            *command, "--store", f"sqlite:{server.database}", stderr=asyncio.subprocess.PIPE
        )
        _, errors = await asyncio.wait_for(second.communicate(), 30)
        assert second.returncode == os.EX_TEMPFAIL
        assert str(server.pid) in errors.decode()


async def test_two_stores_of_one_file_in_one_process_are_two_writers(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'store.db'}"
    async with open_local_store(url) as store:
        with pytest.raises(StoreLocked):
            async with open_local_store(url):
                pass
        await store.append("order", "1", [NewEvent("Opened", 1)])


async def test_a_lock_file_that_says_nothing_still_locks(tmp_path: Path) -> None:
    async with open_local_store(f"sqlite:{tmp_path / 'store.db'}"):
        _empty(tmp_path / "store.db.lock")
        with pytest.raises(StoreLocked, match="another process"):
            async with open_local_store(f"sqlite:{tmp_path / 'store.db'}"):
                pass


def _empty(path: Path) -> None:
    path.write_bytes(b"")


async def test_a_reader_beside_a_writer_sees_new_events_and_cannot_write(tmp_path: Path) -> None:
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url) as client:
        await client.append("order", "1", [NewEvent("Opened", 1)])
        async with open_local_store(f"sqlite:{server.database}", read_only=True) as reader:
            for version in range(2, 20):
                await client.append("order", "1", [NewEvent("Moved", version)])
                assert (await reader.head()).position == version
                assert (await reader.get_aggregate("order", "1")).version == version
                assert (await reader.read_feed()).count == version
            with pytest.raises(IndelibleError, match="reading only"):
                await reader.append("order", "1", [NewEvent("Moved", 0)])
            with pytest.raises(IndelibleError, match="reading only"):
                await reader.save_snapshot("order", "1", version=1, state={})
        await server.kill()
        # A reader needs no writer.
        async with open_local_store(f"sqlite:{server.database}", read_only=True) as reader:
            assert (await reader.head()).position == 19
