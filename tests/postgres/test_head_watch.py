"""Servers tell one another that the head moved, by NOTIFY and beside the appends; looking is the fall-back."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from indelible.engines.postgres import head_watch
from indelible.engines.postgres.engine import PostgresEngine
from indelible.errors import ShuttingDown
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.testing.conformance.helpers import some_events
from postgres.server import PostgresServer, postgres_server

NEVER_S = 3_600.0
SOON_S = 30.0
"""For what comes at once, on a machine that is busy; far below :data:`NEVER_S`."""


@pytest.fixture
def no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_watch, "HEAD_POLL_S", NEVER_S)


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
async def engines(url: str, no_polling: None) -> AsyncIterator[tuple[PostgresEngine, PostgresEngine]]:
    async for pair in _open_two(url):
        yield pair


async def _open_two(url: str) -> AsyncIterator[tuple[PostgresEngine, PostgresEngine]]:
    pair = PostgresEngine(url), PostgresEngine(url)
    for engine in pair:
        await engine.open()
    yield pair
    for engine in pair:
        await engine.close()


async def _append(engine: PostgresEngine, count: int = 1) -> int:
    append = AggregateAppend.of("order", "1", some_events(count))
    await engine.append([AppendRequest((append,))])
    return (await engine.head()).position


def _listener_of(server: PostgresServer, url: str) -> int | None:
    sql = """
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN%' AND state = 'idle'
    """
    found = server.query(sql, url=url)
    return int(found[0][0]) if found else None


async def _wait_for_listener(server: PostgresServer, url: str, *, other_than: int | None = None) -> int:
    give_up_at = time.monotonic() + SOON_S
    while True:
        pid = await asyncio.to_thread(_listener_of, server, url)
        if pid not in {None, other_than}:
            assert pid is not None
            return pid
        assert time.monotonic() < give_up_at, "nobody listens"
        await asyncio.sleep(0.05)


async def _listening(
    server: PostgresServer, url: str, engine: PostgresEngine, after: int
) -> "tuple[asyncio.Task[int], int]":
    waiting = asyncio.create_task(engine.wait_for_head(after))
    pid = await _wait_for_listener(server, url)
    return waiting, pid


async def test_append_of_another_server_wakes_without_polling(
    postgres: PostgresServer, url: str, engines: tuple[PostgresEngine, PostgresEngine]
) -> None:
    waiter, writer = engines
    head = await _append(writer)
    waiting, _ = await _listening(postgres, url, waiter, head)
    for _ in range(3):
        head = await _append(writer)
        assert await asyncio.wait_for(waiting, SOON_S) == head
        waiting = asyncio.create_task(waiter.wait_for_head(head))
    waiting.cancel()


async def test_nobody_listens_before_somebody_waits(
    postgres: PostgresServer, url: str, engines: tuple[PostgresEngine, PostgresEngine]
) -> None:
    await _append(engines[0])
    assert _listener_of(postgres, url) is None


async def test_listener_comes_back_after_its_connection_was_ended(
    postgres: PostgresServer, url: str, engines: tuple[PostgresEngine, PostgresEngine]
) -> None:
    waiter, writer = engines
    head = await _append(writer)
    waiting, pid = await _listening(postgres, url, waiter, head)
    postgres.query("SELECT pg_terminate_backend(%s)", [pid])
    await _wait_for_listener(postgres, url, other_than=pid)
    head = await _append(writer)
    assert await asyncio.wait_for(waiting, SOON_S) == head


async def test_signals_are_coalesced(
    postgres: PostgresServer, url: str, engines: tuple[PostgresEngine, PostgresEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many commits within one interval make one signal, of the last."""
    monkeypatch.setattr(head_watch, "HEAD_SIGNAL_INTERVAL_S", interval_s := 1.0)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("LISTEN indelible_head")
        began = time.monotonic()
        for _ in range(40):
            head = await _append(engines[0])
        told = []
        async for notice in connection.notifies(timeout=SOON_S):
            told.append(int(notice.payload))
            if told[-1] == head:
                break
    assert told == sorted(set(told))
    assert 1 <= len(told) <= 1 + (time.monotonic() - began) / interval_s


async def test_no_append_waits_for_a_signal(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits that notify wait for one another, in the whole database server; so appends leave it to a connection of
    the readers. Here that never gets through."""
    told = asyncio.Event()

    async def hang(_: PostgresEngine, sql: str) -> None:
        assert sql.startswith("NOTIFY indelible_head")
        told.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(PostgresEngine, "_send", hang)
    async for engine, _ in _open_two(url):
        async with asyncio.timeout(SOON_S):
            for n in range(1, 6):
                assert await _append(engine) == n
            await told.wait()
            assert await engine.wait_for_head(4) == 5


class TestRestart:
    @pytest.fixture
    def server(self) -> Iterator[PostgresServer]:
        with postgres_server() as server:
            yield server

    async def test_listener_survives_a_restart_of_the_database(self, server: PostgresServer, no_polling: None) -> None:
        url = server.new_database()
        async for waiter, writer in _open_two(url):
            head = await _append(writer)
            waiting, _ = await _listening(server, url, waiter, head)
            await asyncio.to_thread(server.restart)
            await _wait_for_listener(server, url)
            head = await _append(writer)
            assert await asyncio.wait_for(waiting, SOON_S) == head


async def test_polling_finds_what_no_signal_tells(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_: PostgresEngine, sql: str) -> None:
        assert sql.startswith("NOTIFY")

    monkeypatch.setattr(PostgresEngine, "_send", nothing)
    async for waiter, writer in _open_two(url):
        head = await _append(writer)
        waiting = asyncio.create_task(waiter.wait_for_head(head))
        await asyncio.sleep(0.3)
        assert await _append(writer) == await asyncio.wait_for(waiting, SOON_S)


async def test_many_who_wait_look_no_more_often_than_one(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may have thousands of live readers."""
    looked = 0
    read = PostgresEngine._head_position

    async def count(engine: PostgresEngine) -> int:
        nonlocal looked
        looked += 1
        return await read(engine)

    monkeypatch.setattr(PostgresEngine, "_head_position", count)
    async for waiter, writer in _open_two(url):
        began = time.monotonic()
        waiting = [asyncio.create_task(waiter.wait_for_head(0)) for _ in range(2_000)]
        await asyncio.sleep(1)
        assert 1 <= looked <= 1 + (time.monotonic() - began) / head_watch.HEAD_POLL_S
        await _append(writer)
        assert {await asyncio.wait_for(task, SOON_S) for task in waiting} == {1}


async def test_closing_tells_whoever_waits(url: str) -> None:
    async for waiter, _ in _open_two(url):
        waiting = [asyncio.create_task(waiter.wait_for_head(0)) for _ in range(3)]
        await asyncio.sleep(0.3)
        await waiter.close()
        for task in waiting:
            with pytest.raises(ShuttingDown):
                await asyncio.wait_for(task, SOON_S)
