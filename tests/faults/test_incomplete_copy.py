"""A copy of the database file without its write-ahead log is a sound database that lacks the newest events."""

import asyncio
import json
import shutil
from pathlib import Path

import apsw
import pytest

from cli.running import indelible
from faults.server_process import ServerProcess, server_process
from indelible.client import AsyncClient
from indelible.core.open import open_local_store
from indelible.core.verify import verify
from indelible.engines.sqlite import store_file
from indelible.errors import StoreCorrupted
from indelible.events import NewEvent

DAMAGED = 5
IN_FILE, IN_LOG = 3, 4
"""Events that a copy has, and that are in the write-ahead log alone."""


async def fill(server: ServerProcess) -> None:
    """Some events are in the database file since the last stop, the others came after it."""
    async with AsyncClient(server.url) as client:
        for _ in range(IN_FILE):
            await client.append("order", "1", [NewEvent("Opened", 1)])
        server.terminate()
        await server.exit_code()
        await server.start()
        for _ in range(IN_LOG):
            await client.append("order", "1", [NewEvent("Moved", 1)])


@pytest.mark.parametrize("how", ["fresh", "grown"])
async def test_verify_says_what_is_missing(tmp_path: Path, how: str) -> None:
    """Also of a store whose events are all in the log, and that so seems to be empty."""
    copied = tmp_path / "copied.db"
    async with server_process(tmp_path / "store.db") as server:
        if how == "grown":
            await fill(server)
        else:
            async with AsyncClient(server.url) as client:
                await client.append("order", "1", [NewEvent("Opened", 1)])
        shutil.copy(server.database, copied)
    head, reached = (IN_FILE, IN_FILE + IN_LOG) if how == "grown" else (0, 1)
    found = await asyncio.to_thread(indelible, "verify", "--store", f"sqlite:{copied}", "--json")
    assert found.code == DAMAGED, found
    damage = json.loads(found.out)["damage"]
    assert damage["position"] == head + 1
    assert f"ends at position {head}, but it went to {reached} when it was last seen" in damage["reason"]
    assert f"{copied}-wal, which held them, is not there" in damage["reason"]


async def test_it_can_be_read_and_copied_but_takes_no_appends(tmp_path: Path) -> None:
    copied, saved = tmp_path / "copied.db", tmp_path / "saved.db"
    async with server_process(tmp_path / "store.db") as server:
        await fill(server)
        shutil.copy(server.database, copied)
    with pytest.raises(StoreCorrupted, match=r"is incomplete: .* indelible copy --from") as refused:
        await open_local_store(f"sqlite:{copied}").open()
    assert refused.value.fields["position"] == IN_FILE + 1
    read = await asyncio.to_thread(indelible, "feed", "--store", f"sqlite:{copied}")
    assert read.code == 0
    assert "is incomplete" in read.err
    copy = ["copy", "--from", f"sqlite:{copied}", "--to", f"sqlite:{saved}"]
    made = await asyncio.to_thread(indelible, *copy)
    assert made.code == DAMAGED
    assert "the source is incomplete" in made.err
    async with open_local_store(f"sqlite:{saved}") as store:
        assert (await store.append("order", "1", [NewEvent("Moved", 1)])).version == IN_FILE + 1


async def test_with_its_log_it_is_whole_again(tmp_path: Path) -> None:
    """Whatever happened to the copy meanwhile."""
    copied = tmp_path / "copied.db"
    async with server_process(tmp_path / "store.db") as server:
        await fill(server)
        shutil.copy(server.database, copied)
        with pytest.raises(StoreCorrupted):
            await open_local_store(f"sqlite:{copied}").open()
        await server.kill()
    shutil.copy(f"{server.database}-wal", f"{copied}-wal")
    async with open_local_store(f"sqlite:{copied}", read_only=True) as store:
        assert (await verify(store)).verified == IN_FILE + IN_LOG
    async with open_local_store(f"sqlite:{copied}") as store:
        assert (await verify(store)).verified == IN_FILE + IN_LOG


async def test_backups_by_sqlites_own_means_are_whole(tmp_path: Path) -> None:
    """Though they are made while the store is in use, and have no log beside them. So is a file whose log another
    program has copied into it."""
    backup, vacuumed = tmp_path / "backup.db", tmp_path / "vacuumed.db"
    async with server_process(tmp_path / "store.db") as server:
        await fill(server)
        await asyncio.to_thread(_back_up, server.database, backup)
        await asyncio.to_thread(_execute, server.database, f"VACUUM INTO '{vacuumed}'")
        await server.kill()
        await asyncio.to_thread(_execute, server.database, "SELECT count(*) FROM events")
    server.database.with_name("store.db-wal").unlink(missing_ok=True)
    for path in (backup, vacuumed, server.database):
        for read_only in (True, False):
            async with open_local_store(f"sqlite:{path}", read_only=read_only) as store:
                report = await verify(store)
                assert (report.damage, report.verified) == (None, IN_FILE + IN_LOG), path


def _back_up(source: Path, target: Path) -> None:
    """As ``.backup`` of SQLite's shell does."""
    one, other = apsw.Connection(str(source)), apsw.Connection(str(target))
    with other.backup("main", one, "main") as backup:
        while not backup.done:
            backup.step(100)
    one.close()
    other.close()


def _execute(path: Path, sql: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(sql).fetchall()
    connection.close()


async def test_the_note_survives_checkpoints(tmp_path: Path) -> None:
    """A checkpoint writes the page that holds the note."""
    path, copied = tmp_path / "store.db", tmp_path / "copied.db"
    async with open_local_store(f"sqlite:{path}") as store:
        for _ in range(50):
            await store.append("order", "1", [NewEvent("Filled", "x" * 1_000_000)])
        await store.append("order", "1", [NewEvent("Moved", 1)])
        shutil.copy(path, copied)
    with pytest.raises(StoreCorrupted, match="went to 51"):
        await open_local_store(f"sqlite:{copied}").open()


def test_a_note_that_is_not_whole_says_nothing() -> None:
    note = store_file.encode_end_note(2**40 + 1)
    assert store_file.decode_end_note(note) == 2**40 + 1
    assert store_file.decode_end_note(b"") == 0
    assert store_file.decode_end_note(bytes(store_file.END_NOTE_SIZE_BYTES)) == 0
    for place in range(16):
        assert store_file.decode_end_note(note[:place] + bytes([note[place] ^ 1]) + note[place + 1 :]) == 0
