"""Another process holds SQLite's lock on the file, as somebody's shell does: writes wait, then are refused, and nothing
else notices."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

import aiohttp
import pytest

from faults.server_process import server_process
from indelible.client import AsyncClient
from indelible.core.store import LocalEventStore
from indelible.engines.sqlite import engine as sqlite_engine
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.errors import StorageFailure, Unavailable
from indelible.events import NewEvent
from indelible.testing.conformance.helpers import some_events

HELD_S = 2.0
"""Far below what an append waits, on a machine that stands still for seconds too."""
LOOKS_LEAST = 10
PROMPT_S = 1.0
"""What must not wait for the lock mostly takes far less than the time that it is held."""
LOCKED = r"another process holds a lock on .*; nothing was stored"
_HOLD = """
import apsw, sys
connection = apsw.Connection(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.asynccontextmanager
async def held(path: Path) -> AsyncIterator[None]:
    """By a process of its own."""
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _HOLD, str(path), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert await holder.stdout.readline() == b"held\n"
        yield
    finally:
        holder.stdin.close()
        await holder.wait()


async def test_a_server_goes_on_meanwhile_and_appends_wait(tmp_path: Path) -> None:
    async with server_process(tmp_path / "store.db") as server, AsyncClient(server.url, retry_total_s=0) as client:
        await client.append("order", "1", [NewEvent("Opened", 1)])
        looks_s: list[float] = []
        async with aiohttp.ClientSession() as session:
            async with held(server.database):
                end = time.monotonic() + HELD_S
                waiting = [asyncio.create_task(client.append("order", "1", [NewEvent("Moved", 1)])) for _ in range(20)]
                while time.monotonic() < end or len(looks_s) < LOOKS_LEAST:
                    began = time.monotonic()
                    async with session.get(f"{server.url}/livez") as response:
                        assert response.status == 200
                    assert (await client.get_aggregate("order", "1")).version == 1
                    looks_s.append(time.monotonic() - began)
                    await asyncio.sleep(0.02)
                assert not any(one.done() for one in waiting)
                async with session.get(f"{server.url}/readyz") as response:
                    assert response.status == 503
            assert median(looks_s) < PROMPT_S
            assert sorted(result.version for result in await asyncio.gather(*waiting)) == list(range(2, 22))
            await server.wait_until("/readyz")
        assert server.is_running


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_engine, "FILE_LOCK_WAIT_S", 0.3)
    monkeypatch.setattr(sqlite_engine, "FILE_LOCK_LATE_WAIT_S", 0.1)


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize("may_hold_loop", [False, True])
async def test_whoever_waits_too_long_is_told_that_nothing_was_stored(tmp_path: Path, may_hold_loop: bool) -> None:
    heard: list[StorageFailure] = []
    path, events = tmp_path / "store.db", some_events(2)
    engine = SqliteEngine(path)
    async with LocalEventStore(engine, on_failure=heard.append, may_hold_loop=may_hold_loop) as store:
        first = await store.append("order", "1", some_events(1))
        recorded = (await store.read_feed()).events
        async with held(path):
            for write in (
                store.append("order", "1", events),
                store.save_snapshot("order", "1", version=1, state={}),
                store.groups.create("billing"),
                store.append_recorded(recorded),
            ):
                with pytest.raises(Unavailable, match=LOCKED) as refused:
                    await write
                assert refused.value.fields["retry_after_s"] >= 1
        assert heard == []
        result = await store.append("order", "1", events)
        assert (result.replayed, result.version) == (False, first.version + 2)
        await store.save_snapshot("order", "1", version=1, state={})
