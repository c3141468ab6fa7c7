"""How statements are sent and run: values in binary, and plans that look only at what they are asked for."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import LiteralString
from uuid import UUID

import msgspec
import psycopg
import pytest

from indelible.core.open import open_local_store
from indelible.core.verify import verify
from indelible.engines.postgres import writer
from indelible.engines.postgres.arrays import Array, bigints, hashes, names, texts, timestamps, uuids
from indelible.engines.postgres.connections import Statements, parse_address
from indelible.engines.postgres.hosts import Hosts
from indelible.errors import IndelibleError, InvalidRequest
from indelible.events import NewEvent, timestamp_to_us
from indelible.eventstore import AggregateAppend, AppendResult
from indelible.limits import VERSION_MAX
from indelible.postgres_connections import Connection
from indelible.testing.conformance.helpers import read_feed_to_end, some_events
from postgres.server import PostgresServer
from postgres.troubles import trouble

IDS = [UUID(int=0), UUID(int=2**128 - 1), UUID("01890a5d-ac96-774b-bcce-b302099a8057")]
AFTER_THE_FIRST_PART = "IF new.position > 2 THEN RAISE EXCEPTION 'no more' USING ERRCODE = 'query_canceled'; END IF"
TIMES = [datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC), datetime(9999, 12, 31, tzinfo=UTC)]


def test_a_url_without_a_host() -> None:
    address = parse_address("postgresql:///events?host=/run/postgresql&schema=orders")
    assert (address.conninfo["host"], address.conninfo["dbname"], address.schema) == (
        "/run/postgresql", "events", "orders",
    )  # fmt: skip


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
async def connection(url: str) -> AsyncIterator[Connection]:
    async with await Hosts(parse_address(url).conninfo).connect() as connection:
        yield connection


@pytest.mark.parametrize(
    ("array", "of", "values"),
    [
        (bigints([0, -1, VERSION_MAX]), "bigint", [0, -1, VERSION_MAX]),
        (bigints([]), "bigint", None),
        (names(["a", "Größe", "a", "日本"]), "text", ["a", "Größe", "a", "日本"]),
        (names([]), "text", None),
        (texts(["{}", None, "", '"€"']), "text", ["{}", None, "", '"€"']),
        (texts([None, None]), "text", None),
        (uuids(IDS), "uuid", IDS),
        (hashes([bytes(32), b"\xff" * 32]), "bytea", [bytes(32), b"\xff" * 32]),
        (timestamps([timestamp_to_us(time) for time in TIMES]), "timestamptz", TIMES),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_an_array_holds_what_it_was_made_of(
    connection: Connection, array: Array | None, of: LiteralString, values: list[object] | None
) -> None:
    cursor = connection.cursor(binary=True)
    row = await (await cursor.execute("SELECT %s::" + of + "[]", (array,))).fetchone()
    assert row == (values,)


async def test_the_environment_may_ask_for_another_encoding(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    event = NewEvent("Größe", {"von": "Müller", "€": 1}, tags=["süß"], metadata={"ö": 1})
    async with open_local_store(url) as store:
        await store.append("größe", "nº 日本", [event])
        (stored,) = (await store.read_aggregate("größe", "nº 日本")).events
        assert (stored.event_type, stored.event_data, stored.tags) == ("Größe", {"von": "Müller", "€": 1}, ("süß",))
        assert (await verify(store)).damage is None


async def test_verify_reads_no_more_keys_than_it_checks(url: str, connection: Connection) -> None:
    """The planner may take it for cheaper to read all of them once; that is once a page."""
    async with open_local_store(url) as store:
        for _ in range(4):
            await store.append("order", "1", some_events(1_000))
    await connection.execute("ANALYZE")
    statement = Statements("indelible")("find_unindexed")
    explained = await psycopg.AsyncClientCursor(connection).execute(
        "EXPLAIN " + statement, {"first": 3_001, "last": 4_000}
    )
    plan = "\n".join(line for (line,) in await explained.fetchall())
    assert "Index Cond: (event_id = e.event_id)" in plan
    assert "hashed" not in plan


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "DATABASE_PART_EVENTS", 2)


@pytest.mark.usefixtures("small_parts")
class TestParts:
    """A batch that goes to the database in parts is one transaction all the same."""

    async def test_a_part_that_the_planner_refuses_takes_those_before_it_along(self, url: str) -> None:
        async with open_local_store("memory:") as other:
            await other.append("order", "1", some_events(6))
            events = await read_feed_to_end(other)
        wrong = [*events[:5], msgspec.structs.replace(events[5], hash="0" * 64)]
        async with open_local_store(url) as store:
            with pytest.raises(InvalidRequest) as caught:
                await store.append_recorded(wrong)
            assert caught.value.pointer == "/events/5/hash"
            assert (await store.head()).position == 0
            await store.append_recorded(events)
            assert await read_feed_to_end(store) == events

    async def test_a_part_that_the_database_refuses_takes_the_others_along(
        self, postgres: PostgresServer, url: str
    ) -> None:
        appends = [AggregateAppend.of("order", str(number), some_events(2)) for number in range(4)]
        async with open_local_store(url) as store:
            async with trouble(postgres, url, "statement", AFTER_THE_FIRST_PART, times=1_000):
                outcomes = await store.append_each(appends)
            assert all(isinstance(outcome, IndelibleError) for outcome in outcomes)
            assert (await store.head()).position == 0
            outcomes = await store.append_each(appends)
            assert [outcome.position for outcome in outcomes if isinstance(outcome, AppendResult)] == [2, 4, 6, 8]
