"""One process at a time writes to a store; any number read."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.server_process import server_process
from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.errors import IndelibleError, StoreCorrupted, StoreLocked
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
        assert str(server.pid) in await _second_server(server.database)


async def test_two_stores_of_one_file_in_one_process_are_two_writers(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'store.db'}"
    async with open_local_store(url) as store:
        with pytest.raises(StoreLocked):
            async with open_local_store(url):
                pass
        await store.append("order", "1", [NewEvent("Opened", 1)])


async def test_a_file_that_says_nothing_of_its_writer_is_locked_all_the_same(tmp_path: Path) -> None:
    async with open_local_store(f"sqlite:{tmp_path / 'store.db'}"):
        os.removexattr(tmp_path / "store.db", "user.indelible.writer")
        with pytest.raises(StoreLocked, match="another process"):
            async with open_local_store(f"sqlite:{tmp_path / 'store.db'}"):
                pass


@pytest.mark.parametrize("link", [os.symlink, os.link])
async def test_a_second_writer_by_another_name_is_refused(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    """In another folder too: what is locked is the file."""
    other = tmp_path / "elsewhere" / "other.db"
    other.parent.mkdir()
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url, retry_total_s=0) as client:
        await client.append("order", "1", [NewEvent("Opened", 1)])
        link(server.database, other)
        refused = await _second_server(other)
        assert f"process {server.pid} (" in refused
        assert "indelible serve" in refused
        if link is os.link:
            assert f"by the name {server.database}" in refused
        for version in range(2, 20):
            assert (await client.append("order", "1", [NewEvent("Moved", 1)])).version == version
        server.terminate()
        assert await server.exit_code() == os.EX_OK
    async with open_local_store(f"sqlite:{other}") as store:
        assert (await store.head()).position == 19


async def _second_server(database: Path) -> str:
    """What it says before it ends."""
    command = [sys.executable, "-m", "indelible.cli.main", "serve", "--http", "127.0.0.1:0"]
    second = await asyncio.create_subprocess_exec(
        *command, "--store", f"sqlite:{database}", stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(second.communicate(), 60)
    assert second.returncode == os.EX_TEMPFAIL, errors
    return " ".join(errors.decode().split())


async def test_a_hard_link_misses_the_log_of_the_other_name(tmp_path: Path) -> None:
    """SQLite finds the write-ahead log by the name, so by another one neither a reader nor, after a crash, a writer has
    what is in it."""
    other = tmp_path / "other.db"
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url) as client:
        await client.append("order", "1", [NewEvent("Opened", 1)])
        os.link(server.database, other)
        with pytest.raises(StoreLocked, match=f"by another name, {server.database}"):
            await open_local_store(f"sqlite:{other}", read_only=True).open()
        await server.kill()
    with pytest.raises(StoreCorrupted, match="went to 1 when it was last seen"):
        await open_local_store(f"sqlite:{other}").open()
    async with open_local_store(f"sqlite:{server.database}") as store:
        assert (await store.head()).position == 1
    async with open_local_store(f"sqlite:{other}") as store:  # closed in good order, all is in the file
        assert (await store.head()).position == 1


async def test_a_refused_second_store_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """To close any descriptor of a file takes away this process's own locks of SQLite, and another process could then
    take the log from under its reads."""
    path = tmp_path / "store.db"
    async with open_local_store(f"sqlite:{path}") as store:
        await store.append("order", "1", [NewEvent("Opened", 1)])
        held = _locks_of(path)
        assert any("POSIX" in lock for lock in held)
        with pytest.raises(StoreLocked):
            await open_local_store(f"sqlite:{path}").open()
        async with open_local_store(f"sqlite:{path}", read_only=True) as reader:
            assert (await reader.head()).position == 1
        assert _locks_of(path) == held


def _locks_of(path: Path) -> set[str]:
    inode = f":{path.stat().st_ino} "
    return {line.partition(": ")[2] for line in Path("/proc/locks").read_text().splitlines() if inode in line}


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
