"""A query index in PostgreSQL whose indexer or database dies, is out of reach or locked, or was tampered with."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from faults.query_index_filler import FIELDS, NUMBER, WORD, check, document, filling
from indelible.cursors import cursor_at
from indelible.events import AggregateKey
from indelible.indexes.index import IndexMoved, IndexState, IndexUnavailable, SearchTooBroad
from indelible.indexes.postgres import PostgresIndex, catalog, database, searching
from indelible.limits import (
    INDEX_TEXT_LENGTH_MAX,
    INDEX_VALUE_LENGTH_MAX,
    INDEX_VALUES_PER_FIELD_MAX,
    NAME_LENGTH_MAX,
    TAG_LENGTH_MAX,
    TAGS_PER_EVENT_MAX,
)
from indelible.search import SearchQuery, Where
from postgres.proxy import Cut, Proxy
from postgres.server import PostgresServer, postgres_server
from postgres.stores import PASSWORD, database_of, new_role_name
from postgres.troubles import ask

KILLS = 3
HELD = 300
PATIENCE_S = 60
ALL = SearchQuery().checked(FIELDS)


@pytest.fixture(scope="module")
def shared(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
def url(shared: str, request: pytest.FixtureRequest) -> str:
    """A schema of its own."""
    return f"{shared}?schema=s{abs(hash(request.node.name))}"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresIndex]:
    index = PostgresIndex(url)
    try:
        await index.open()
        yield index
    finally:
        await index.close()


async def build(index: PostgresIndex, count: int = HELD) -> None:
    """A generation with so many documents, in place of what there is."""
    begun = await index.begin(FIELDS)
    documents = [document(number) for number in range(1, count + 1)]
    await index.apply(begun.number, documents, after=begun.cursor, cursor=cursor_at(count))
    await index.swap(begun.number)


async def add(index: PostgresIndex, at: int = HELD) -> None:
    serving = (await index.state()).serving
    assert serving is not None
    documents = [document(number) for number in range(at + 1, at + 101)]
    await index.apply(serving.number, documents, after=cursor_at(at), cursor=cursor_at(at + 100))


async def unavailable(call: Awaitable[Any], says: str) -> float:
    """How long it took to hear so."""
    began_at = time.monotonic()
    with pytest.raises(IndexUnavailable, match=says):
        async with asyncio.timeout(PATIENCE_S):
            await call
    return time.monotonic() - began_at


# --- Who dies --------------------------------------------------------------------------------------------------------


async def test_killed_at_any_moment_cursor_and_documents_agree(postgres: PostgresServer, url: str) -> None:
    chance, held = random.Random(7), []
    for _ in range(KILLS):
        async with filling(url):
            await asyncio.sleep(chance.random() * 0.4)
        await _until_left(postgres, url)
        async with opened(url) as index:
            held.append(await check(index))
            building = (await index.state()).building
            if building is not None:
                assert building.documents == int(building.cursor)
                await index.swap(building.number)
                held.append(await check(index))
        # What was begun and not finished, or dropped, leaves nothing behind.
        schema = url.rpartition("=")[2]
        kept = await ask(
            postgres, "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename ~ 'documents'", [schema],
            url=url.partition("?")[0],
        )  # fmt: skip
        assert len(kept) <= 2
    assert any(held)


async def test_a_database_that_is_killed_while_documents_are_added() -> None:
    with postgres_server() as server:
        url = f"{server.new_database()}?schema=killed"
        async with filling(url) as process, opened(url) as index:
            assert process.stdout is not None
            for number in range(2):
                await asyncio.sleep(0.2 + number / 10)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
                async with asyncio.timeout(PATIENCE_S):
                    while b"swapped" not in (line := await process.stdout.readline()):
                        assert line
            process.kill()
            await process.wait()
            await _until_left(server, url)
            assert await check(index) == int((await _serving(index)).cursor)


async def _until_left(server: PostgresServer, url: str) -> None:
    """Nobody else is connected: the database works on at what a process had asked for that was killed."""
    async with asyncio.timeout(PATIENCE_S):
        while await asyncio.to_thread(server.backends, url.partition("?")[0]):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)


async def _serving(index: PostgresIndex) -> Any:
    state = await index.state()
    assert state.serving is not None
    return state.serving


@pytest.mark.parametrize("cut", [Cut.BEFORE_COMMIT, Cut.DURING_COMMIT, Cut.AFTER_COMMIT])
async def test_a_connection_that_is_lost_at_the_commit(postgres: PostgresServer, url: str, cut: Cut) -> None:
    """Nobody can tell whether it is done. It is done whole, or not at all; and nothing is done twice."""
    async with Proxy(postgres.port).running() as proxy, opened(proxy.url(url)) as index:
        await build(index)
        proxy.cuts.append(cut)
        await unavailable(add(index), "cannot be reached")
        async with asyncio.timeout(PATIENCE_S):
            # The database may still be at it.
            while cut is not Cut.BEFORE_COMMIT and int((await _serving(index)).cursor) == HELD:  # noqa: ASYNC110 - nor this
                await asyncio.sleep(0.02)
        held = await check(index)
        assert held == (HELD if cut is Cut.BEFORE_COMMIT else HELD + 100)
        await add(index, held)
        assert await check(index) == held + 100


# --- Who does not answer ---------------------------------------------------------------------------------------------


async def test_a_database_that_is_not_there() -> None:
    index = PostgresIndex("postgresql://me@127.0.0.1:1/x")
    took_s = await unavailable(index.open(), "cannot be reached.*127.0.0.1")
    assert took_s < PATIENCE_S / 2
    await index.close()


async def test_a_host_that_is_gone_is_given_up(
    postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Proxy(postgres.port).running() as proxy:
        index = PostgresIndex(proxy.url(url))
        await index.open()
        await build(index)
        proxy.swallow()
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: index.search(ALL, order="newest", limit=1, behind=None), index.state,
            lambda: index.begin({}),
        ]  # fmt: skip
        with monkeypatch.context() as hasty:
            for name, value in (
                ("SEARCH_TIMEOUT_S", 0.2), ("INDEX_WRITE_TIMEOUT_S", 0.2), ("_GRACE_S", 0.1),
                ("DATABASE_TIMEOUT_S", 0.3), ("DATABASE_READER_WAIT_S", 0.2),
            ):  # fmt: skip
                hasty.setattr(database, name, value)
            for call in calls:
                assert await unavailable(call(), "cannot be reached") < PATIENCE_S / 2
        proxy.recover()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    assert (await index.state()).serving is not None
                    break
                except IndexUnavailable:
                    await asyncio.sleep(0.05)
        await index.close()


async def test_a_lock_that_is_held(postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(url) as index:
        await build(index)
        monkeypatch.setattr(searching, "DATABASE_LOCK_TIMEOUT_S", 0.2)
        monkeypatch.setattr(catalog, "DATABASE_LOCK_TIMEOUT_S", 0.2)
        serving = await _serving(index)
        base, _, schema = url.partition("?schema=")
        with psycopg.connect(base) as holder:
            holder.execute(f"LOCK TABLE {schema}.documents_{serving.number}")
            await unavailable(index.search(ALL, order="newest", limit=1, behind=None), "holds a lock")
            await unavailable(add(index), "holds a lock")
        await add(index)
        assert await check(index) == HELD + 100


async def test_a_search_that_takes_too_long(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(url) as index:
        begun = await index.begin(FIELDS)
        long = [document(number)._replace(text="long " * 12_000 + str(number)) for number in range(1, 101)]
        await index.apply(begun.number, long, after=begun.cursor, cursor=cursor_at(100))
        await index.swap(begun.number)
        query = SearchQuery('"long 5"').checked(FIELDS)
        hits, _ = await index.search(query, order="newest", limit=1, behind=None)
        assert len(hits.places) == 1
        monkeypatch.setattr(searching, "SEARCH_TIMEOUT_S", 0.001)
        with pytest.raises(SearchTooBroad):
            await index.search(query, order="newest", limit=1, behind=None)
        with pytest.raises(SearchTooBroad):
            await index.search_aggregates(query, limit=1, behind=None)


# --- What stands in the schema ---------------------------------------------------------------------------------------


async def test_a_stale_writer_changes_nothing(url: str) -> None:
    async with opened(url) as one, opened(url) as other:
        await build(one)
        serving = await _serving(one)
        await add(one)
        for after in (HELD, HELD + 50):
            with pytest.raises(IndexMoved):
                await other.apply(serving.number, [document(1)], after=cursor_at(after), cursor=cursor_at(HELD + 200))
        both = await asyncio.gather(add(one, HELD + 100), add(other, HELD + 100), return_exceptions=True)
        assert [type(outcome) for outcome in both if outcome is not None] == [IndexMoved]
        assert await check(other) == HELD + 200


async def test_nothing_is_refused(url: str) -> None:
    """However long it is: an entry of PostgreSQL's indexes has 2,704 bytes, and these cannot be compressed."""
    chance = random.Random(5)

    def astral(length: int) -> str:
        return "".join(chr(chance.randrange(0x10000, 0x110000)) for _ in range(length))

    async with opened(url) as index:
        begun = await index.begin(FIELDS)
        names = [astral(NAME_LENGTH_MAX) for _ in range(3)]
        values = tuple(astral(INDEX_VALUE_LENGTH_MAX) for _ in range(INDEX_VALUES_PER_FIELD_MAX))
        letters = "\U00010280" * (INDEX_TEXT_LENGTH_MAX - 6)
        numbers = tuple(10.0**300 + n * 10.0**285 for n in range(INDEX_VALUES_PER_FIELD_MAX))
        long = document(1)._replace(
            event_type=names[0], aggregate=AggregateKey(names[1], names[2]),
            tags=tuple(sorted(astral(TAG_LENGTH_MAX) for _ in range(TAGS_PER_EVENT_MAX))),
            values={WORD: values, NUMBER: numbers}, text=letters + " after",
        )  # fmt: skip
        one_value = document(2)._replace(values={WORD: (values[0],), NUMBER: (5e-324,)})
        documents = [long, one_value]
        assert await index.apply(begun.number, documents, after=begun.cursor, cursor=cursor_at(2)) == ()
        await index.swap(begun.number)
        assert await index.rejected(begun.number) == ()
        with pytest.raises(IndexMoved):
            await index.rejected(begun.number + 1)
        for query, found in (
            (SearchQuery(where=(Where(WORD, "=", values[0]),)), documents),
            (SearchQuery(where=(Where(WORD, "prefix", values[9][:-1]),)), [long]),
            (SearchQuery(where=(Where(NUMBER, "=", numbers[7]),), tags=long.tags), [long]),
            (SearchQuery(where=(Where(NUMBER, "<", 1e-323),), event_types=("Type2",)), [one_value]),
            (SearchQuery("after", event_types=(names[0],), aggregate_types=(names[1],)), [long]),
        ):  # fmt: skip
            hits, _ = await index.search(query.checked(FIELDS), order="oldest", limit=9, behind=None)
            assert list(hits.places) == [one.place for one in found]


@pytest.mark.parametrize(
    "what", ["TABLE {0}.documents_1", "TABLE {0}.generations", "SCHEMA {0}", "INDEX {0}.documents_1_terms"]
)
async def test_what_somebody_dropped_is_made_anew(postgres: PostgresServer, url: str, what: str) -> None:
    schema = url.rpartition("=")[2]
    async with opened(url) as index:
        await build(index)
        await ask(postgres, f"DROP {what.format(schema)} CASCADE", url=url.partition("?")[0])
        if "INDEX" not in what:
            with pytest.raises((IndexUnavailable, IndexMoved)):
                await index.search(ALL, order="newest", limit=1, behind=None)
            assert await index.state() == IndexState(None, None)
        await build(index)
        assert await check(index) == HELD


async def test_what_is_no_index_is_left_alone(postgres: PostgresServer, url: str) -> None:
    base, _, schema = url.partition("?schema=")
    await ask(postgres, f"CREATE SCHEMA {schema}", url=base)
    await ask(postgres, f"CREATE TABLE {schema}.orders (n integer)", url=base)
    await unavailable(PostgresIndex(url).open(), "is in use by something that is no query index")
    assert await ask(postgres, f"SELECT FROM {schema}.orders", url=base) == []


async def test_formats(postgres: PostgresServer, url: str) -> None:
    base, _, schema = url.partition("?schema=")
    async with opened(url) as index:
        await build(index)
    await ask(postgres, f"UPDATE {schema}.catalog SET format = 1000", url=base)
    await unavailable(PostgresIndex(url).open(), "of format 1000, this Indelible knows up to 2")
    await ask(postgres, f"UPDATE {schema}.catalog SET format = 0", url=base)
    async with opened(url) as index:
        assert await index.state() == IndexState(None, None)
        assert (await index.begin(FIELDS)).number == 2


async def test_a_role_needs_a_schema_of_its_own_and_no_more(postgres: PostgresServer, url: str) -> None:
    base, _, schema = url.partition("?schema=")
    role = new_role_name()
    await ask(postgres, f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'", url=base)
    own = f"{postgres.url_of(database_of(base), user=role, password=PASSWORD)}?schema={schema}"
    await unavailable(PostgresIndex(own).open(), r"permission denied.*CREATE SCHEMA … AUTHORIZATION")
    await ask(postgres, f"CREATE SCHEMA {schema} AUTHORIZATION {role}", url=base)
    async with opened(own) as index:
        await build(index)
        await add(index)
        await build(index)
        assert await check(index) == HELD
