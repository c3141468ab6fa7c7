"""The write-ahead log stays small under a sustained load, and checkpoints hold up nobody."""

import asyncio
import time
from pathlib import Path

import apsw
import pytest

from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.core.verify import verify
from indelible.engines.sqlite import engine as sqlite_engine
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.events import NewEvent

CHECKPOINT_FRAMES = 512
"""2 MiB instead of the 32 MiB of the engine: the same machinery turns over often within seconds."""
FRAME_BYTES = 4096 + 24
STALL_S = 20.0
"""Far more than any disk needs for what is between two commits; an append that waits longer waits for a whole load."""
GIVE_UP_S = 120.0


@pytest.fixture(autouse=True)
def small_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_engine, "CHECKPOINT_FRAMES", CHECKPOINT_FRAMES)
    monkeypatch.setattr(sqlite_engine, "CATCH_UP_FRAMES_MAX", CHECKPOINT_FRAMES // 4)
    monkeypatch.setattr(sqlite_engine, "WAL_FRAMES_MAX", 8 * CHECKPOINT_FRAMES)


class Watch:
    """Looks at the log's file now and then."""

    def __init__(self, database: Path) -> None:
        self._wal = database.with_name(database.name + "-wal")
        self._salts: set[bytes] = set()
        self.size_bytes_max = 0
        self.slowest_s = 0.0

    @property
    def beginnings(self) -> int:
        """How often SQLite has begun the log anew: each time with another salt in its header."""
        return len(self._salts)

    def look(self) -> None:
        with self._wal.open("rb") as file:
            self._salts.add(file.read(32)[16:24])
        self.size_bytes_max = max(self.size_bytes_max, self._wal.stat().st_size)


async def append_for(
    store: LocalEventStore, watch: Watch, duration_s: float, writers: int = 8, *, beginnings: int = 0
) -> None:
    """For so long, and on until the log has begun anew so often, which takes a slow disk longer."""
    end = time.perf_counter() + duration_s
    give_up_at = end + GIVE_UP_S

    def is_over() -> bool:
        now = time.perf_counter()
        return now > give_up_at or (now > end and watch.beginnings >= beginnings)

    async def write(number: int) -> None:
        while not is_over():
            started = time.perf_counter()
            await store.append("order", str(number), [NewEvent("Filled", "x" * 2_000, tags=["a"]) for _ in range(10)])
            watch.slowest_s = max(watch.slowest_s, time.perf_counter() - started)
            watch.look()

    await asyncio.gather(*(write(number) for number in range(writers)))


async def test_the_log_begins_anew_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    watch = Watch(path)
    async with open_local_store(f"sqlite:{path}") as store:
        await append_for(store, watch, 2.0, beginnings=3)
        print(f"{watch.beginnings} beginnings, at most {watch.size_bytes_max} bytes, slowest {watch.slowest_s:.3f} s")
        assert watch.beginnings >= 3
        assert watch.size_bytes_max < 16 * CHECKPOINT_FRAMES * FRAME_BYTES
        assert watch.slowest_s < STALL_S
        assert (await verify(store)).damage is None


async def test_readers_do_not_keep_the_log_from_beginning_anew(tmp_path: Path) -> None:
    """Pages are read all the time, in this process and through a store that is open for reading only."""
    path = tmp_path / "store.db"
    watch = Watch(path)
    async with (
        open_local_store(f"sqlite:{path}") as store,
        open_local_store(f"sqlite:{path}", read_only=True) as beside,
    ):
        reading = [asyncio.create_task(_read_for_ever(one)) for one in (store, beside)]
        await append_for(store, watch, 2.0, writers=4, beginnings=2)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        assert watch.beginnings >= 2
        assert watch.size_bytes_max < 16 * CHECKPOINT_FRAMES * FRAME_BYTES
        assert watch.slowest_s < STALL_S


async def _read_for_ever(store: LocalEventStore) -> None:
    while True:
        await store.read_feed(direction="backward", limit=200)


async def test_a_reader_that_holds_the_log_delays_only_its_beginning_anew(tmp_path: Path) -> None:
    """Another program keeps a read transaction open: appends go on, and the log shrinks once it lets go."""
    path = tmp_path / "store.db"
    async with open_local_store(f"sqlite:{path}") as store:
        await store.append("order", "0", [NewEvent("Opened", 0)])
        holder = apsw.Connection(str(path))
        holder.execute("BEGIN").execute("SELECT count(*) FROM events").fetchall()
        watch = Watch(path)
        await append_for(store, watch, 1.0, beginnings=1)
        assert watch.beginnings == 1
        assert watch.slowest_s < STALL_S
        holder.execute("ROLLBACK")
        holder.close()
        await append_for(store, watch, 1.5, beginnings=2)
        assert watch.beginnings > 1
        assert (await verify(store)).damage is None


async def test_timestamps_never_go_back_when_the_clock_does(tmp_path: Path) -> None:
    path, now_us = tmp_path / "store.db", 1_700_000_000_000_000
    hour_us = 3_600_000_000
    jumps = [0, 5, -hour_us, -2 * hour_us, 7, -1, hour_us, -10 * hour_us]
    clock = iter([now_us + jump for jump in jumps])
    async with LocalEventStore(SqliteEngine(path, clock_us=lambda: next(clock))) as store:
        for jump in jumps:
            await store.append("order", "1", [NewEvent("Ticked", jump)])
    async with LocalEventStore(
        SqliteEngine(path, clock_us=lambda: 1)
    ) as store:  # a clock that was set back at a reboot
        await store.append("order", "1", [NewEvent("Ticked", None)])
        timestamps = [event.timestamp for event in (await store.read_feed()).events]
        assert (await verify(store)).damage is None
    assert len(timestamps) == len(jumps) + 1
    assert timestamps == sorted(timestamps)
    assert timestamps[0].timestamp() * 1e6 == now_us
    assert timestamps[-1].timestamp() * 1e6 == now_us + hour_us
