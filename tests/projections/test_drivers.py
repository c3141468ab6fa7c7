"""The same with each driver: an event counts once, and what fails is named."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from indelible import AsyncClient, Cursor, NewEvent, RecordedEvent
from indelible.projections import DatabaseUnavailable, HandlerFailed, ReadModel
from indexes.troubled import until
from postgres.proxy import Cut, Proxy
from postgres.server import PostgresServer
from projections.databases import FILES, KINDS, Opened, Place

COMMITS = {"asyncpg": "COMMIT", "async-psycopg": "COMMIT", "psycopg": "COMMIT", "sqlite": "COMMIT"}
"""How a handler ends a transaction that is not its own. Others have a method for it."""


async def append(client: AsyncClient, *numbers: int) -> None:
    await client.append("count", "c-1", [NewEvent("Counted", {"number": number}) for number in numbers])


async def test_an_event_counts_once(client: AsyncClient, there: Place, opened: Opened) -> None:
    projection = client.projection("seen", opened.database, opened.handle(), prepare=opened.prepare())
    assert await projection.live_version() is None
    await append(client, 1, 2, 3)
    for _ in range(2):
        await projection.run(until=(await client.head()).cursor)
    assert there.seen() == [1, 2, 3]
    await append(client, 4)
    running = asyncio.create_task(projection.run())
    await projection.wait_for((await client.head()).cursor, timeout_s=60)
    assert there.seen() == [1, 2, 3, 4]
    [checkpoint] = await projection.checkpoints()
    assert (checkpoint.version, checkpoint.cursor, checkpoint.is_live) == (1, "4", True)
    await projection.stop()
    await running
    with pytest.raises(Exception, match="nowhere") as refused:
        async with opened.database.transaction() as transaction:
            await transaction.fetch("SELECT * FROM nowhere")
    assert not isinstance(refused.value, DatabaseUnavailable)


async def test_a_handler_that_fails_stops_it_where_it_is(client: AsyncClient, there: Place, opened: Opened) -> None:
    await append(client, 1, 2, 3, 2, 4)
    handle, is_cured = opened.handle(), False

    async def fail_soon(connection: Any, event: RecordedEvent) -> None:
        await handle(connection, event)
        await opened.execute(connection, "SELECT nothing FROM nowhere")

    def fail(connection: Any, event: RecordedEvent) -> Any:
        if event.position != 3 or is_cured:
            return handle(connection, event)
        if not opened.database.is_blocking:
            return fail_soon(connection, event)
        handle(connection, event)
        return opened.execute(connection, "SELECT nothing FROM nowhere")

    projection = client.projection("seen", opened.database, fail, prepare=opened.prepare())
    for _ in range(2):
        with pytest.raises(HandlerFailed, match=r"version 1: the handler failed at position 3, a Counted of count-c-1"):
            await projection.run()
        assert there.seen() == [1, 2]
    is_cured = True
    await projection.run(until=(await client.head()).cursor)
    assert there.seen() == [1, 2, 3, 2, 4]

    await append(client, 5)
    projection = client.projection("seen", opened.database, handle_and_commit(there, opened))
    with pytest.raises(HandlerFailed, match="must not commit"):
        await projection.run()
    # What it has committed is there, and nothing says that it counts.
    assert [one.cursor for one in await projection.checkpoints()] == ["5"]


def handle_and_commit(there: Place, opened: Opened) -> Callable[[Any, RecordedEvent], Any]:
    handle = opened.handle()

    def commit(connection: Any) -> Any:
        if there.kind in COMMITS:
            return opened.execute(connection, COMMITS[there.kind])
        return connection.commit()

    async def commit_soon(connection: Any, event: RecordedEvent) -> None:
        await handle(connection, event)
        await commit(connection)

    def commit_now(connection: Any, event: RecordedEvent) -> None:
        handle(connection, event)
        commit(connection)

    return commit_now if opened.database.is_blocking else commit_soon


@pytest.mark.parametrize("there", ["asyncpg", "engine", "sqlite"], indirect=True)
async def test_two_that_run_it_do_the_work_of_one(client: AsyncClient, there: Place, opened: Opened) -> None:
    async with there.open() as other:
        projections = [
            client.projection("seen", one.database, one.handle(), prepare=one.prepare()) for one in (opened, other)
        ]
        running = [asyncio.create_task(projection.run()) for projection in projections]
        for number in range(8):
            await append(client, number)
            await projections[number % 2].wait_for((await client.head()).cursor, timeout_s=60)
        for projection in projections:
            await projection.stop()
        await asyncio.gather(*running)
    assert there.seen() == list(range(8))


@pytest.mark.parametrize("kind", sorted({*KINDS} - {*FILES}))
async def test_connections_that_are_lost_and_a_database_that_hangs(
    client: AsyncClient, postgres: PostgresServer, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "indelible.projections")
    async with Proxy(postgres.port).running() as proxy:
        there = Place(kind, postgres.new_database())
        async with Place(kind, proxy.url(there.where)).open() as opened:
            projection = client.projection("seen", opened.database, opened.handle(), prepare=opened.prepare())
            running = asyncio.create_task(projection.run())
            await projection.wait_for(Cursor("0"), timeout_s=60)
            cuts = (None, Cut.AFTER_COMMIT, Cut.DURING_COMMIT, Cut.BEFORE_COMMIT)
            for number, cut in enumerate(cuts):
                proxy.cuts.append(cut)
                await append(client, number)
                await until_seen(there, number + 1)
            assert not proxy.cuts
            proxy.swallow()
            await append(client, 4)
            began, reader = time.monotonic(), ReadModel(opened.database, "seen")
            with pytest.raises(TimeoutError):
                await reader.wait_for(Cursor("5"), timeout_s=0.1)
            assert time.monotonic() - began < 30
            proxy.recover()
            await reader.wait_for(Cursor("5"), timeout_s=60)
            # It may not have heard yet that its commit was done.
            await until(lambda: said_by(caplog)[-1:] == ["INFO"])
            await projection.stop()
            await running
        assert there.seen() == [0, 1, 2, 3, 4]
    said = said_by(caplog)
    assert said == ["WARNING", "INFO"] * (len(said) // 2)
    assert said


def said_by(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records if record.name == "indelible.projections"]


async def until_seen(there: Place, count: int) -> None:
    """Asked beside the proxy."""
    async with asyncio.timeout(60):
        while len(await asyncio.to_thread(there.seen)) < count:  # noqa: ASYNC110 - the database says it
            await asyncio.sleep(0.02)
