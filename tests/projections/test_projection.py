"""What a projection promises, whatever the driver: on a database file."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import orm

from indelible import AsyncClient, Client, Cursor, EventQuery, InvalidRequest, NewEvent, RecordedEvent
from indelible.client import sync_client
from indelible.client.sync_client import SyncProjection
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import ClientClosed, Unavailable
from indelible.eventstore import AggregatePage, FeedPage
from indelible.projections import (
    CheckpointMismatch,
    DatabaseUnavailable,
    HandlerFailed,
    Projection,
    ReadModel,
    VersionDropped,
    table_statements,
)
from indelible.projections import projection as projection_module
from indelible.projections.asyncpg import AsyncpgDatabase
from indelible.projections.projection import _MovedByAnother
from indelible.projections.sqlalchemy import SqlalchemyDatabase
from indelible.projections.sqlite import SqliteDatabase
from indelible.queries import EVERYTHING
from opaque_stores import merged_store
from projections.databases import Opened, Place
from projections.test_drivers import append


async def head(client: AsyncClient) -> Cursor:
    return (await client.head()).cursor


# --- Versions ---------------------------------------------------------------------------------------------------------


async def test_a_version_is_built_beside_the_live_one_and_takes_its_place(
    client: AsyncClient, file: Place, in_file: Opened
) -> None:
    old = client.projection("seen", in_file.database, in_file.handle(), prepare=in_file.prepare())
    new = client.projection("seen", in_file.database, in_file.handle("_v2"), prepare=in_file.prepare("_v2"), version=2)
    await append(client, 1, 2)
    await old.run(until=await head(client))
    with pytest.raises(TimeoutError, match=r"version 2 has not caught up within 0.1 s"):
        await new.swap(timeout_s=0.1)
    await new.run(until=Cursor("1"))
    assert (file.seen(), await new.live_version()) == ([1, 2], 1)
    await append(client, 3)
    await new.run(until=await head(client))
    await new.swap(also=lambda connection: connection.execute("CREATE VIEW live AS SELECT * FROM seen_v2"))
    assert await old.live_version() == 2
    assert file.query("SELECT count(*) FROM live") == [(3,)]

    # What was done is not done again.
    await new.swap(also=lambda connection: connection.execute("CREATE VIEW live AS SELECT 1"))
    with pytest.raises(InvalidRequest, match="is live"):
        await old.drop(2)
    running = asyncio.create_task(old.run())
    await old.wait_for(await head(client), timeout_s=60)
    await new.drop(1, also=lambda connection: connection.execute("DROP TABLE seen"))
    await new.drop(1, also=lambda connection: connection.execute("DROP TABLE seen"))
    await append(client, 4)
    with pytest.raises(VersionDropped, match="version 1 was dropped"):
        await running
    # Not in this process, nor in another.
    for again in (old, client.projection("seen", in_file.database, in_file.handle(), prepare=in_file.prepare())):
        with pytest.raises(VersionDropped, match="version 1 was dropped"):
            await again.run()
    file.query("DELETE FROM indelible_projections WHERE version = 1")
    with pytest.raises(VersionDropped, match="version 1 is not there, and version 2 is live"):
        await client.projection("seen", in_file.database, in_file.handle(), prepare=in_file.prepare()).run()
    assert [one.version for one in await new.checkpoints()] == [2]
    assert file.query("SELECT name FROM sqlite_master WHERE name = 'seen'") == []


async def test_a_newer_version_that_was_dropped_is_not_begun_again(
    client: AsyncClient, there: Place, opened: Opened
) -> None:
    live = client.projection("seen", opened.database, opened.handle(), prepare=opened.prepare())
    await append(client, 1)
    await live.run(until=await head(client))

    def newer(version: int) -> Projection[Any]:
        suffix = f"_v{version}"
        return client.projection(
            "seen", opened.database, opened.handle(suffix), prepare=opened.prepare(suffix), version=version
        )

    second = newer(2)
    await second.run(until=await head(client))
    await live.drop(2, also=lambda connection: opened.execute(connection, "DROP TABLE seen_v2"))
    for again in (second, newer(2)):
        with pytest.raises(VersionDropped, match="version 2 was dropped"):
            await again.run(until=await head(client))
    await live.drop(2)
    await newer(3).run(until=await head(client))
    assert [one.version for one in await live.checkpoints()] == [1, 3]
    assert there.seen("_v3") == [1]
    with pytest.raises(TimeoutError):
        await second.swap(timeout_s=0.1)


async def test_a_swap_is_whole_or_not_at_all(client: AsyncClient, in_file: Opened) -> None:
    for version in (1, 2):
        suffix = f"_v{version}"
        projection = client.projection(
            "seen", in_file.database, in_file.handle(suffix), prepare=in_file.prepare(suffix), version=version
        )
        await projection.run(until=await head(client))
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        await projection.swap(also=lambda connection: connection.execute("DROP TABLE nowhere"))
    assert await projection.live_version() == 1


# --- Waiting ----------------------------------------------------------------------------------------------------------


async def test_what_was_appended_is_waited_for_in_any_process(
    client: AsyncClient, file: Place, in_file: Opened
) -> None:
    projection = client.projection(
        "seen", in_file.database, in_file.handle(), prepare=in_file.prepare(), query=EventQuery.of(tags=["none"])
    )
    async with file.open() as elsewhere:
        reader = ReadModel(elsewhere.database, "seen")
        with pytest.raises(TimeoutError, match=r"within 0.1 s read model seen was not there"):
            await reader.wait_for(Cursor("0"), timeout_s=0.1)
        running = asyncio.create_task(projection.run())
        # The event is none of the projection's; that it has passed it is known all the same.
        await append(client, 1)
        await asyncio.gather(*[reader.wait_for(Cursor("1"), timeout_s=60) for _ in range(20)])
        await reader.wait_for(await head(client), version=1, timeout_s=60)
        began = time.monotonic()
        with pytest.raises(TimeoutError, match=r"within 0.2 s read model seen has come to 1, not to 2"):
            await reader.wait_for(Cursor("2"), timeout_s=0.2)
        assert time.monotonic() - began < 20
        with pytest.raises(InvalidRequest, match="is not a cursor of this store"):
            await reader.wait_for(Cursor("~1~0"))
    await projection.stop()
    await running


async def test_a_wait_ends_in_time_though_the_database_hangs(client: AsyncClient, file: Place, in_file: Opened) -> None:
    hang = threading.Event()
    database = SqliteDatabase(file.where, on_connect=lambda _: hang.wait(30))
    reader = ReadModel(database, "seen")
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await reader.wait_for(Cursor("1"), timeout_s=0.1)
        assert time.monotonic() - began < 20
    # All of them have asked once, together.
    assert [one.name for one in threading.enumerate()].count("indelible-projection") == 1
    hang.set()
    await append(client, 1)
    await client.projection("seen", database, in_file.handle(), prepare=in_file.prepare()).run(until=Cursor("1"))
    await reader.wait_for(Cursor("1"), timeout_s=60)
    database.close()


async def test_cursors_over_several_partitions_are_waited_for(in_file: Opened, file: Place) -> None:
    async with merged_store() as store:
        projection = Projection(store, "seen", in_file.database, in_file.handle(), prepare=in_file.prepare())
        for number in range(6):
            await store.append("count", f"c-{number}", [NewEvent("Counted", {"number": number})])
        running = asyncio.create_task(projection.run())
        await ReadModel(in_file.database, "seen").wait_for((await store.head()).cursor, timeout_s=60)
        assert sorted(file.seen()) == list(range(6))
        await projection.stop()
        await running


# --- What does not pass, and what does --------------------------------------------------------------------------------


async def test_another_store_is_not_taken_for_the_one_that_it_is_of(in_file: Opened, file: Place) -> None:
    async with AsyncClient("memory:") as first, AsyncClient("memory:") as other, AsyncClient("memory:") as shorter:
        await append(first, 1, 2)
        await run(first, in_file, until=await head(first))
        await append(other, 1, 2, 3)
        with pytest.raises(CheckpointMismatch, match="has come to 2 of a log that is not this store's"):
            await run(other, in_file)
        file.query("UPDATE indelible_projections SET last_event = NULL, cursor = '7'")
        with pytest.raises(CheckpointMismatch, match="has come to 7"):
            await run(shorter, in_file)
    assert file.seen() == [1, 2]


class Restored(LocalEventStore):
    """Reached by a client, as far as following goes: once, the connection breaks, and behind the next one there is
    another log."""

    def __init__(self, restored: MemoryEngine) -> None:
        super().__init__(MemoryEngine())
        self._restored = restored
        self.breaks = asyncio.Event()

    async def follow(
        self,
        query: EventQuery = EVERYTHING,
        *,
        after: Cursor | None = None,
        gather_s: float = 0.0,
        retry_total_s: float | None = None,
    ) -> AsyncGenerator[FeedPage]:
        before = super().follow(query, after=after, gather_s=gather_s)
        if not self.breaks.is_set():
            async for page in before:
                yield page
                after = page.cursor
                if page.at_end:
                    break
            await self.breaks.wait()
            self.behind = LocalEventStore(self._restored)
            if retry_total_s == 0:
                raise Unavailable("the server ended the subscription")
        async for page in self.behind.follow(query, after=after, gather_s=gather_s):
            yield page

    async def read_aggregate(self, *args: Any, **options: Any) -> AggregatePage:
        at = self.behind if self.breaks.is_set() else super()
        return await at.read_aggregate(*args, **options)


async def test_a_restore_while_the_connection_is_broken_is_noticed(in_file: Opened, file: Place) -> None:
    restored = MemoryEngine()
    async with LocalEventStore(restored) as behind, Restored(restored) as store:
        for log, numbers in ((store, (1, 2, 3)), (behind, (1, 4, 5, 6))):
            for number in numbers:
                await log.append("count", "c", [NewEvent("Counted", {"number": number})])
        projection = Projection(store, "seen", in_file.database, in_file.handle(), prepare=in_file.prepare())
        running = asyncio.create_task(projection.run())
        await projection.wait_for((await store.head()).cursor, timeout_s=60)
        store.breaks.set()
        with pytest.raises(CheckpointMismatch, match="has come to 3 of a log that is not this store's"):
            await asyncio.wait_for(running, 60)
    assert file.seen() == [1, 2, 3]


async def run(client: AsyncClient, opened: Opened, until: Cursor | None = None) -> None:
    await client.projection("seen", opened.database, opened.handle(), prepare=opened.prepare()).run(until=until)


async def test_a_handler_may_be_tried_again_until_it_works(
    client: AsyncClient, file: Place, in_file: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "indelible.projections")
    await append(client, 1, 2, 3)
    handle, failures = in_file.handle(), 4

    def fail(connection: sqlite3.Connection, event: RecordedEvent) -> None:
        nonlocal failures
        if event.position == 2 and failures:
            failures -= 1
            raise ValueError("not yet")
        handle(connection, event)

    projection = client.projection("seen", in_file.database, fail, prepare=in_file.prepare(), on_error="retry")
    await projection.run(until=await head(client))
    assert file.seen() == [1, 2, 3]
    [warning, over] = [record.message for record in caplog.records if record.name == "indelible.projections"]
    assert "the handler failed at position 2; it is tried again until that works" in warning
    assert "goes on, after" in over


async def test_a_file_that_is_locked_is_waited_for(client: AsyncClient, file: Place) -> None:
    database = SqliteDatabase(file.where, timeout_s=0.05)
    opened = Opened(database, lambda connection, statement, *values: connection.execute(statement, values), ("?", "?"))
    await append(client, 1)
    with contextlib.closing(sqlite3.connect(file.where, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        running = asyncio.create_task(run(client, opened))
        with pytest.raises(TimeoutError, match="database is locked"):
            await ReadModel(database, "seen").wait_for(Cursor("1"), timeout_s=2)
        with pytest.raises(DatabaseUnavailable):
            await ReadModel(database, "seen").checkpoints()
        holder.execute("COMMIT")
    await ReadModel(database, "seen").wait_for(Cursor("1"), timeout_s=60)
    running.cancel()
    await asyncio.wait([running])
    assert file.seen() == [1]
    database.close()


async def test_a_closed_client_ends_it(file: Place, in_file: Opened) -> None:
    client = AsyncClient("memory:")
    running = asyncio.create_task(run(client, in_file))
    await ReadModel(in_file.database, "seen").wait_for(Cursor("0"), timeout_s=60)
    await client.aclose()
    with pytest.raises(ClientClosed):
        await running


def nobody_asks_the_store(why: str, file: Place, monkeypatch: pytest.MonkeyPatch) -> SqliteDatabase:
    """A database with which a projection waits for something else than the store, for ever."""
    if why == "the database is away":
        return SqliteDatabase(f"{file.where}.folder/read.db")

    async def moved(*_: object) -> None:
        raise _MovedByAnother

    monkeypatch.setattr(Projection, "_follow", moved)
    monkeypatch.setattr(projection_module, "PROJECTION_STANDBY_S", 0.01)
    return SqliteDatabase(file.where)


NOBODY_ASKS = pytest.mark.parametrize("why", ["the database is away", "it stands by"])


@NOBODY_ASKS
async def test_a_closed_client_ends_one_that_asks_it_for_nothing(
    file: Place, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    database = nobody_asks_the_store(why, file, monkeypatch)
    client = AsyncClient("memory:")
    projection = client.projection("seen", database, lambda *_: None)
    running = asyncio.create_task(projection.run())
    await asyncio.sleep(0.1)
    assert not running.done()
    await client.aclose()
    async with asyncio.timeout(30):
        with pytest.raises(ClientClosed):
            await running
        with pytest.raises(ClientClosed):
            await projection.run()
    database.close()


def closes(client: Client, running: Future[None]) -> None:
    """Soon, with what runs."""
    closing = threading.Thread(target=client.close, daemon=True)
    closing.start()
    with pytest.raises(ClientClosed):
        running.result(30)
    closing.join(30)
    assert not closing.is_alive()


@NOBODY_ASKS
def test_the_client_of_threads_closes_with_one_that_asks_it_for_nothing(
    file: Place, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    database = nobody_asks_the_store(why, file, monkeypatch)
    client = Client("memory:")
    ended = run_in_a_thread(client.projection("seen", database, lambda *_: None))
    time.sleep(0.1)
    closes(client, ended)
    database.close()


def test_the_client_of_threads_closes_while_the_database_hangs(file: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (projection_module, sync_client):
        monkeypatch.setattr(module, "PROJECTION_LEAVE_S", 0.05)
    connecting, hang = threading.Event(), threading.Event()

    def connect(_: sqlite3.Connection) -> None:
        connecting.set()
        hang.wait(60)

    database = SqliteDatabase(file.where, on_connect=connect)
    client = Client("memory:")
    ended = run_in_a_thread(client.projection("seen", database, lambda *_: None))
    assert connecting.wait(30)
    closes(client, ended)
    left = [thread for thread in threading.enumerate() if thread.name == "indelible-client"]
    hang.set()
    for thread in left:
        thread.join(30)
        assert not thread.is_alive()


def run_in_a_thread(projection: SyncProjection[sqlite3.Connection]) -> Future[None]:
    ended: Future[None] = Future()

    def run() -> None:
        try:
            projection.run()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test looks at it
            ended.set_exception(error)
        else:
            ended.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    return ended


def test_threads_run_it_with_the_client_without_an_event_loop(file: Place) -> None:
    database = SqliteDatabase(file.where)

    def handle(connection: sqlite3.Connection, event: RecordedEvent) -> None:
        # The handler is not in the client's thread, so it may ask.
        assert client.get_event(event.event_id) == event
        connection.execute("INSERT INTO seen VALUES (?, ?, ?)", (event.position, str(event.event_id), 1))

    def prepare(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE seen (place integer, event_id text, number integer)")

    with Client("memory:") as client, contextlib.closing(database):
        projection = client.projection("seen", database, handle, prepare=prepare)
        thread = threading.Thread(target=projection.run)
        thread.start()
        client.append("count", "c-1", [NewEvent("Counted")])
        projection.wait_for(client.head().cursor, timeout_s=60)
        assert file.seen() == [1]
        assert projection.live_version() == 1
        projection.stop()
        thread.join(30)
        assert not thread.is_alive()


async def test_the_client_without_an_event_loop_needs_a_driver_that_blocks() -> None:
    with Client("memory:") as client, pytest.raises(InvalidRequest) as refused:
        client.projection("seen", AsyncpgDatabase(None), lambda *_: None)
    assert refused.value.pointer == "/database"


async def test_what_cannot_work_is_refused(client: AsyncClient, file: Place, in_file: Opened) -> None:
    async def handle(connection: Any, event: RecordedEvent) -> None: ...

    cases: list[tuple[str, dict[str, Any]]] = [
        ("/name", {"name": ""}), ("/version", {"version": 0}), ("/handle", {"handle": handle}),
        ("/handle", {"handle": None}), ("/prepare", {"prepare": 3}), ("/on_error", {"on_error": "skip"}),
        ("/gather_s", {"gather_s": -1}), ("/query", {"query": "all"}), ("/after", {"after": "ä"}),
    ]  # fmt: skip
    for pointer, given in cases:
        arguments = {"name": "seen", "database": in_file.database, "handle": in_file.handle(), **given}
        with pytest.raises(InvalidRequest) as refused:
            client.projection(**arguments)
        assert refused.value.pointer == pointer
    commits = {"isolation_level": "AUTOCOMMIT"}
    for engine in (
        sqlalchemy.create_engine("sqlite://", **commits),
        sqlalchemy.create_engine("sqlite://").execution_options(**commits),
    ):
        for source in (engine, orm.sessionmaker(engine)):
            with pytest.raises(InvalidRequest, match="commits each statement by itself"):
                SqlalchemyDatabase(source)
    with pytest.raises(InvalidRequest, match="bound to one"):
        SqlalchemyDatabase(orm.sessionmaker())
    for path, table, pointer in ((":memory:", "a", "/path"), (file.where, "a b", "/table"), (file.where, "", "/table")):
        with pytest.raises(InvalidRequest) as refused:
            SqliteDatabase(path, table=table)
        assert refused.value.pointer == pointer

    class _Later:
        """What turns out to be a coroutine function only when it is called."""

        async def __call__(self, connection: Any, event: RecordedEvent) -> None: ...

    await append(client, 1)
    projection = client.projection("seen", in_file.database, _Later(), prepare=in_file.prepare())
    with pytest.raises(HandlerFailed, match="no coroutine functions"):
        await projection.run()


def test_the_documentation_shows_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "build-a-read-model.md").read_text("utf-8")
    for dialect in ("postgresql", "sqlite"):
        statements = table_statements("indelible_projections", dialect)
        assert "".join(f"{statement};\n" for statement in statements) in page


async def test_the_table_may_be_made_beforehand_and_elsewhere(client: AsyncClient, file: Place) -> None:
    for statement in table_statements("kept", "sqlite"):
        file.query(statement)
    database = SqliteDatabase(file.where, table="kept")
    projection = client.projection("seen", database, lambda *_: None, after=await head(client))
    await projection.run(until=await head(client))
    assert file.query("SELECT name, version, cursor, is_live FROM kept") == [("seen", 1, "0", 1)]
    database.close()
