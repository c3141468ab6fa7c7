"""The index beside a log: made anew from it whenever it is not what it should be, and never in the way of the truth."""

import asyncio
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import apsw
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from faults.indexes import check_index, contents, made_anew
from faults.injected import failing, needs_strace
from faults.killing import STEPS
from faults.ledger import Ledger
from faults.load import Load
from faults.server_process import ServerProcess, server_process
from faults.small_disk import SmallDisk, small_disk
from faults.step_kills import step_kills
from indelible.client import AsyncClient
from indelible.core.open import open_local_store, reindex_store
from indelible.core.store import LocalEventStore
from indelible.core.verify import verify
from indelible.cursors import cursor_at
from indelible.engines.sqlite import engine as sqlite_engine
from indelible.engines.sqlite import index_file, indexing
from indelible.engines.sqlite.connections import connect_reader, connect_writer
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.engines.sqlite.index_file import index_path, no_progress
from indelible.errors import InvalidRequest, Overloaded, StorageFailure, StoreCorrupted, StoreLocked, Unavailable
from indelible.events import NewEvent
from indelible.queries import EventQuery
from indelible.testing.state_machine import engine_machine

PATIENCE_S = 60.0
EVENTS = 60


async def fill(store: LocalEventStore, count: int = EVENTS) -> None:
    for number in range(count):
        event = NewEvent(f"Moved{number % 3}", {"n": number}, tags=["even"] if number % 2 == 0 else [])
        await store.append("order", f"o-{number % 7}", [event])


async def check(store: LocalEventStore, count: int = EVENTS) -> None:
    """Everything is found by each of its names."""
    assert (await verify(store)).damage is None
    assert (await store.read_feed(limit=1_000)).count == count
    assert (await store.read_feed(EventQuery.of(tags=["even"]), limit=1_000)).count == (count + 1) // 2
    by_type = [(await store.read_feed(EventQuery.of(event_types=[f"Moved{n}"]), limit=1_000)).count for n in range(3)]
    assert sum(by_type) == count
    assert sum([one.events for one in await store.event_types()]) == count
    for number in range(7):
        expected = len(range(number, count, 7))
        assert (await store.get_aggregate("order", f"o-{number}")).version == expected
        page = await store.read_aggregate("order", f"o-{number}", limit=1_000)
        assert [event.version for event in page.events] == list(range(1, expected + 1))
        assert (await store.get_event(page.events[-1].event_id)).position == page.events[-1].position


# --- Not what it should be -------------------------------------------------------------------------------------------


def delete(index: Path) -> None:
    index.unlink()


def spoil(index: Path) -> None:
    index.write_bytes(random.Random(1).randbytes(index.stat().st_size))


def truncate(index: Path) -> None:
    os.truncate(index, 4096)


def empty(index: Path) -> None:
    os.truncate(index, 0)


def of_another_version(index: Path) -> None:
    _change(index, "PRAGMA user_version = 99")


def of_another_log(index: Path) -> None:
    _change(index, "UPDATE state SET hash = 'ab'")


def ahead_of_the_log(index: Path) -> None:
    _change(index, "UPDATE state SET indexed = 1000")


def copied(index: Path) -> None:
    _change(index, "UPDATE state SET log_inode = log_inode + 1")


def half_made(index: Path) -> None:
    index.with_name(index.name + "-new").write_bytes(index.read_bytes()[:8192])
    index.unlink()


def _change(index: Path, sql: str) -> None:
    connection = apsw.Connection(str(index))
    connection.execute(sql).fetchall()
    connection.close()


FAULTS = [
    delete, spoil, truncate, empty, of_another_version, of_another_log, ahead_of_the_log, copied, half_made,
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("read_only", [False, True])
async def test_it_is_made_anew_where_a_store_is_opened(
    tmp_path: Path, fault: Callable[[Path], None], read_only: bool
) -> None:
    """For whoever only reads, somewhere else."""
    path = tmp_path / "store.db"
    async with open_local_store(f"sqlite:{path}") as store:
        await fill(store)
    fault(index_path(path))
    async with open_local_store(f"sqlite:{path}", read_only=read_only) as store:
        await check(store)
        if not read_only:
            await fill(store, 1)
    if not read_only:
        assert contents(index_path(path)) == made_anew(path)


async def test_what_verify_finds_missing_is_made_anew(tmp_path: Path) -> None:
    """No read notices it: the index is sound, and lacks something."""
    path = tmp_path / "store.db"
    async with open_local_store(f"sqlite:{path}") as store:
        await fill(store)
    _change(index_path(path), "DELETE FROM event_tags WHERE position = 11")
    async with open_local_store(f"sqlite:{path}") as store:
        damage = (await verify(store)).damage
        assert damage is not None
        assert damage.position == 11
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await check(store)
                    break
                except Unavailable:
                    await asyncio.sleep(0.01)
    check_index(path)


@pytest.mark.parametrize("fault", [delete, spoil])
async def test_it_is_made_anew_under_a_running_store(
    tmp_path: Path, fault: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "INDEX_PAUSE_S", 0.01)
    monkeypatch.setattr(indexing, "INDEX_RETRY_MAX_S", 0)
    path = tmp_path / "store.db"
    async with open_local_store(f"sqlite:{path}") as store:
        await fill(store)
    async with open_local_store(f"sqlite:{path}") as store:
        fault(index_path(path))
        number = EVENTS
        async with asyncio.timeout(PATIENCE_S):
            while contents_or_none(index_path(path)) is None or number == EVENTS:
                event = NewEvent(f"Moved{number % 3}", {"n": number}, tags=["even"] if number % 2 == 0 else [])
                try:
                    # Not one of the seven that are in the cache.
                    await store.get_aggregate("order", "o-1")
                    await store.append("order", f"o-{number % 7}", [event])
                except (Unavailable, StoreCorrupted):
                    await asyncio.sleep(0.01)
                else:
                    number += 1
            while True:
                try:
                    await check(store, number)
                    break
                except (Unavailable, StoreCorrupted):
                    await asyncio.sleep(0.01)
    assert contents(index_path(path)) == made_anew(path)


def contents_or_none(index: Path) -> object:
    try:
        return contents(index)
    except apsw.Error:
        return None


def append_again(connection: apsw.Connection, position: int) -> None:
    """The event at the log's end stands there once more."""
    columns = "aggregate, version, event_type, event_id, timestamp, hash, aggregate_id, tags, event_data"
    connection.execute(
        f"INSERT INTO events (position, {columns}) SELECT position + 1, {columns} FROM events WHERE position = ?",
        (position,),
    )


async def test_a_version_that_stands_twice_is_found(tmp_path: Path) -> None:
    """As somebody leaves it who has turned off the triggers."""
    path, heard = tmp_path / "store.db", list[StorageFailure]()
    async with open_local_store(f"sqlite:{path}") as store:
        await fill(store, 3)
    connection = connect_writer(path)
    append_again(connection, 3)
    connection.close()

    def hear(failure: StorageFailure) -> None:
        heard.append(failure)
        failed.set()

    failed = asyncio.Event()
    async with open_local_store(f"sqlite:{path}", on_failure=hear):
        async with asyncio.timeout(PATIENCE_S):
            await failed.wait()
    assert isinstance(heard[0], StoreCorrupted)
    assert "stands twice" in heard[0].message


# --- A full disk of its own ------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 16) as disk:
        yield disk


async def test_the_index_disk_is_full_and_the_logs_is_not(
    tmp_path: Path, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log goes on as far as the tail may grow, then appends are refused, and go on once there is space."""
    monkeypatch.setattr(indexing, "INDEX_TAIL_EVENTS_MAX", 2_000)
    monkeypatch.setattr(indexing, "INDEX_ROUND_EVENTS", 100)
    monkeypatch.setattr(indexing, "INDEX_RETRY_S", 0.05)
    monkeypatch.setattr(indexing, "INDEX_ROOM_WAIT_S", PATIENCE_S)
    path = tmp_path / "store.db"
    async with open_local_store(f"sqlite:{path}") as store:
        await fill(store)
    index = index_path(path)
    shutil.move(index, disk.path / "index")
    index.symlink_to(disk.path / "index")
    ids = [NewEvent("Moved0", {"n": 0}, tags=["full"]) for _ in range(5_000)]
    async with LocalEventStore(SqliteEngine(path)) as store:
        disk.fill()
        stored = 0
        try:
            while stored < len(ids):
                await store.append("order", f"o-{stored % 11}", ids[stored : stored + 100])
                stored += 100
        except Overloaded as overloaded:
            assert "no space is left for the index" in overloaded.message  # noqa: PT017 - the last of many
        # An event with a tag counts twice.
        assert stored >= 900
        with pytest.raises(Overloaded, match="no space is left for the index"):
            await store.check_takes_appends()
        assert (await store.read_feed(EventQuery.of(tags=["full"]), limit=1_000)).count == 1_000
        replayed = None
        disk.free()
        async with asyncio.timeout(PATIENCE_S):
            while replayed is None:
                try:
                    replayed = await store.append("order", f"o-{stored % 11}", ids[stored : stored + 100])
                except Overloaded:
                    await asyncio.sleep(0.05)
        assert not replayed.replayed
        assert (await store.append("order", "o-0", ids[:100])).replayed
        assert (await verify(store)).damage is None
    assert contents(index) == made_anew(path)


# --- A disk that fails -----------------------------------------------------------------------------------------------


async def index_part(server: ServerProcess) -> dict[str, Any]:
    """It is not vital: others may be late with their answers where the machine is busy, and make it not ready."""
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/readyz?verbose") as answer:
        told = await answer.json(content_type=None)
        late = [part["not_ready_because"] for part in told["parts"] if part["is_vital"] and part["not_ready_because"]]
        assert all("has not answered within" in one for one in late), late
        assert answer.status == (503 if late else 200)
        return next(part for part in told["parts"] if part["name"] == "store index")


async def index_metrics(server: ServerProcess) -> dict[str, float]:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line.startswith(("indelible_index_", "indelible_wal_")))
    return {name: float(value) for name, value in values.items()}


async def index_part_when(server: ServerProcess, *, is_failing: bool) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            part = await index_part(server)
            if (part["not_ready_because"] is not None) == is_failing:
                return part
            await asyncio.sleep(0.1)


@needs_strace
@pytest.mark.parametrize("calls", ["pwrite64", "fsync,fdatasync,pwrite64"])
async def test_an_index_whose_disk_fails_is_not_made_anew_without_end(tmp_path: Path, calls: str) -> None:
    """Appends and reads go on meanwhile, and it says so."""
    ledger = Ledger()
    load = Load(ledger, range(2))
    async with server_process(tmp_path / "store.db") as server:
        async with AsyncClient(server.url, retry_total_s=0) as client:
            wal = index_path(server.database).with_name(f"{server.database.name}-index-wal")
            async with failing(server.pid, calls, path=wal):
                began = time.monotonic()
                loading = asyncio.create_task(load.run(client))
                part = await index_part_when(server, is_failing=True)
                assert not part["is_vital"]
                assert "SQLITE_IOERR" in part["not_ready_because"]
                # 1, 2, 4 and 8 seconds after one another.
                await asyncio.sleep(12)
                restarts = (await index_part(server))["restarts"]
                metrics = await index_metrics(server)
                assert 0 < restarts <= metrics["indelible_index_rebuilds_total"]
                assert 2 ** (metrics["indelible_index_rebuilds_total"] - 1) - 1 <= time.monotonic() - began
                assert metrics["indelible_index_lag_events"] > 0
                assert metrics["indelible_index_lag_seconds"] > 0
                assert metrics['indelible_wal_size_bytes{file="log"}'] > 0
                assert {"indelible_index_failing", 'indelible_wal_size_bytes{file="index"}'} < set(metrics)
                assert not loading.done()
            part = await index_part_when(server, is_failing=False)
            assert "SQLITE_IOERR" in part["last_error"]
            assert not loading.done()
            load.stop()
            assert await loading == []
            await ledger.settle(client)
            await ledger.check(client)
        server.terminate()
        assert await server.exit_code() == 0
    check_index(server.database)


async def test_an_index_in_doubt_is_left_to_nobody(tmp_path: Path) -> None:
    """Its disk has failed, and the store is closed before there is another."""
    path = tmp_path / "store.db"
    engine = SqliteEngine(path)
    async with LocalEventStore(engine) as store:
        await fill(store)
        assert engine._indexing is not None
        engine._indexing._must_rebuild = True
    assert not index_path(path).exists()
    async with open_local_store(f"sqlite:{path}") as store:
        await check(store)
    check_index(path)


# --- Readers that keep a write-ahead log -----------------------------------------------------------------------------


def hold(path: Path) -> apsw.Connection:
    """Somebody reads, and goes on reading."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    return connection


@pytest.mark.parametrize("which", ["log", "index"])
async def test_a_reader_that_keeps_a_write_ahead_log_holds_up_appends_at_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    bound, path = 1_000_000, tmp_path / "store.db"
    monkeypatch.setattr(sqlite_engine, "WAL_SIZE_BYTES_MAX", bound if which == "log" else 2**40)
    monkeypatch.setattr(sqlite_engine, "CHECKPOINT_FRAMES", 64)
    monkeypatch.setattr(index_file, "WAL_SIZE_BYTES_MAX", bound if which == "index" else 2**40)
    monkeypatch.setattr(index_file, "WAL_FRAMES", 64)
    monkeypatch.setattr(indexing, "INDEX_ROUND_EVENTS", 100)
    monkeypatch.setattr(indexing, "INDEX_TAIL_EVENTS_MAX", 500)
    monkeypatch.setattr(indexing, "INDEX_RETRY_S", 0.05)
    stored = 0

    async def append(store: LocalEventStore) -> None:
        nonlocal stored
        events = [NewEvent("Moved", {"n": stored + n, "text": "x" * 200}) for n in range(20)]
        await store.append("order", f"o-{stored % 53}", events)
        stored += 20

    async def append_for_ever(store: LocalEventStore) -> None:
        while True:
            await append(store)

    async with open_local_store(f"sqlite:{path}") as store:
        await append(store)
        reader = hold(path if which == "log" else index_path(path))
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(Overloaded, match="from being copied"):
                await append_for_ever(store)
        state = store.storage_state()
        assert state is not None
        sizes = {"log": state.log_wal_size_bytes, "index": state.index_wal_size_bytes}
        assert bound < sizes[which] < 3 * bound
        with pytest.raises(Overloaded):
            await store.check_takes_appends()
        reader.close()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await append(store)
                    break
                except Overloaded:
                    await asyncio.sleep(0.05)
        assert (await verify(store)).verified == stored
    check_index(path)


# --- Two processes ---------------------------------------------------------------------------------------------------

_READ = """
import asyncio, sys
from indelible.core.open import open_local_store, reindex_store
from indelible.core.verify import verify
from indelible.queries import EventQuery

async def main():
    async with open_local_store(f"sqlite:{sys.argv[1]}", read_only=True) as store:
        print("open", flush=True)
        last = 0
        while last < int(sys.argv[2]):
            head = (await store.head()).position
            types = sum([one.events for one in await store.event_types()])
            assert types >= head, (types, head)
            page = await store.read_feed(EventQuery.of(tags=["even"]), direction="backward", limit=1)
            if head:
                assert page.events[0].position >= head - 1, (page.events, head)
                info = await store.get_aggregate("order", "o-0")
                newest = await store.read_aggregate("order", "o-0", direction="backward", limit=1)
                assert newest.events[0].version >= info.version
            last = head
        assert (await verify(store)).damage is None

asyncio.run(main())
"""


async def test_another_process_reads_while_events_are_indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "INDEX_ROUND_EVENTS", 20)
    path, count = tmp_path / "store.db", 1_000
    async with open_local_store(f"sqlite:{path}") as store:
        await fill(store, 1)
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-c", _READ, str(path), str(count)]
        reader = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        assert reader.stdout is not None
        assert await reader.stdout.readline() == b"open\n"
        await fill_on(store, 1, count)
        _, err = await asyncio.wait_for(reader.communicate(), PATIENCE_S)
        assert reader.returncode == 0, err.decode()


async def fill_on(store: LocalEventStore, first: int, count: int) -> None:
    for number in range(first, count):
        event = NewEvent(f"Moved{number % 3}", {"n": number}, tags=["even"] if number % 2 == 0 else [])
        await store.append("order", f"o-{number % 7}", [event])


async def test_a_statement_takes_the_state_of_the_index_before_that_of_the_log(tmp_path: Path) -> None:
    """The other way round an event that is stored and indexed in between would be found and not be there."""
    path = tmp_path / "store.db"
    async with open_local_store(f"sqlite:{path}") as store:
        await fill(store, 3)
    connection = connect_reader(path, index_path(path))
    statement = connection.execute("EXPLAIN SELECT e.position FROM events AS e INNER JOIN versions USING (position)")
    opened = [row[2] for row in statement if row[1] == "Transaction"]
    names = {number: file for number, _, file in connection.pragma("database_list")}
    assert [names[number] for number in opened] == [str(index_path(path)), str(path)]
    connection.close()


# --- Killed ----------------------------------------------------------------------------------------------------------


async def test_kill_9_while_it_indexes(tmp_path: Path) -> None:
    """At no moment in particular: nothing acknowledged is lost or doubled, and the index is what the log says."""
    ledger, chance = Ledger(), random.Random(7)
    load = Load(ledger)
    async with server_process(tmp_path / "store.db") as server:
        for _ in range(4):
            async with AsyncClient(server.url, retry_total_s=0) as client:
                loading = asyncio.create_task(load.run(client))
                await asyncio.sleep(0.3 + chance.random())
                await server.kill()
                await loading
            await server.start()
            async with AsyncClient(server.url, retry_total_s=0) as client:
                await ledger.settle(client)
                await ledger.check(client)
        server.terminate()
        assert await server.exit_code() == 0
    assert contents(index_path(server.database)) == made_anew(server.database)


async def test_kill_9_at_each_step_of_indexing_and_checkpointing(tmp_path: Path) -> None:
    kills = await step_kills(tmp_path, len(STEPS), seed=3)
    print(kills)
    assert kills["acknowledged"] > 100
    assert sum([kills[step] > 0 for step in STEPS]) > len(STEPS) // 2, "a busy machine does not come to all of them"


# --- Whatever is in the tail, and whatever is not --------------------------------------------------------------------


@pytest.mark.parametrize(("round_events", "pause_s"), [(1, 0.0), (5, 30.0)])
def test_it_makes_no_difference_what_is_indexed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, round_events: int, pause_s: float
) -> None:
    """The engine is what the model is, wherever the index ends."""
    monkeypatch.setattr(indexing, "INDEX_ROUND_EVENTS", round_events)
    monkeypatch.setattr(indexing, "INDEX_PAUSE_S", pause_s)
    numbers = iter(range(1_000_000))
    machine = engine_machine(lambda: SqliteEngine(tmp_path / f"{next(numbers)}.db"))
    run_state_machine_as_test(machine, settings=settings(max_examples=15, stateful_step_count=30, deadline=None))


async def test_a_page_goes_on_from_the_index_into_the_tail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "INDEX_PAUSE_S", 3_600)
    path = tmp_path / "store.db"
    async with open_local_store(f"sqlite:{path}") as store:
        await fill(store, 30)
    async with open_local_store(f"sqlite:{path}") as store:
        await fill_on(store, 30, EVENTS)
        await check(store)
        for query in (EventQuery.of(tags=["even"]), EventQuery.of(event_types=["Moved1"])):
            for direction in ("forward", "backward"):
                after, found = cursor_at(0) if direction == "forward" else None, list[int]()
                while True:
                    page = await store.read_feed(query, after=after, direction=direction, limit=4)  # type: ignore[arg-type]  # as above
                    found += [event.position for event in page.events]
                    after = page.cursor
                    if page.at_end:
                        break
                matching = [n + 1 for n in range(EVENTS) if (n % 2 == 0 if query.items[0].tags else n % 3 == 1)]
                assert found == (matching if direction == "forward" else matching[::-1])
        page = await store.read_aggregate("order", "o-1", from_version=3, limit=4)
        assert [event.version for event in page.events] == [3, 4, 5, 6]
        with_id = (await store.read_feed(after=cursor_at(40), limit=1)).events[0]
        again = NewEvent.from_recorded(with_id)
        assert (await store.append("order", with_id.aggregate_id, [again])).replayed


async def test_it_can_be_made_anew_on_demand(tmp_path: Path) -> None:
    path, heard = tmp_path / "store.db", list[tuple[int, int]]()
    url = f"sqlite:{path}"
    async with open_local_store(url) as store:
        await fill(store)
        with pytest.raises(StoreLocked):
            await reindex_store(url, no_progress)
    before = contents(index_path(path))
    spoil(index_path(path))
    assert await reindex_store(url, lambda done, of: heard.append((done, of))) == EVENTS
    assert heard == [(EVENTS, EVENTS)]
    assert contents(index_path(path)) == before
    with pytest.raises(StorageFailure):
        await reindex_store(f"{url}-none", no_progress)
    with pytest.raises(InvalidRequest):
        await reindex_store("memory:", no_progress)
