"""Whoever may switch triggers off can change what is stored, and is found out: verify names the position."""

import asyncio
import itertools

import pytest

from golden.make import fill
from indelible.core.open import open_local_store
from indelible.core.verify import verify
from indelible.errors import StoreCorrupted
from postgres.server import PostgresServer
from postgres.stores import database_of

NUMBERS = itertools.count(1)
ROW = "position, aggregate_type, aggregate_id, version, event_id, event_type, timestamp, event_data, metadata, tags"

EVENTS = [
    ("UPDATE events SET aggregate_type = 'invoice' WHERE position = 1", 1),
    ("UPDATE events SET aggregate_id = 'o-9' WHERE position = 5", 5),
    ("UPDATE events SET version = version + 1 WHERE position = 5", 5),
    ("UPDATE events SET event_id = gen_random_uuid() WHERE position = 5", 5),
    ("UPDATE events SET event_type = 'OrderSent' WHERE position = 6", 6),
    ("UPDATE events SET timestamp = timestamp + interval '1 microsecond' WHERE position = 7", 7),
    ("UPDATE events SET event_data = event_data || ' ' WHERE position = 8", 8),
    ("UPDATE events SET event_data = replace(event_data, '1.0', '1') WHERE position = 2", 2),
    ("UPDATE events SET event_data_base64 = 'AAAA' WHERE position = 33", 33),
    ("UPDATE events SET event_data = '{}', event_data_base64 = NULL WHERE position = 33", 33),
    ('UPDATE events SET metadata = \'{"actor":"bob"}\' WHERE position = 9', 9),
    ("UPDATE events SET metadata = NULL WHERE position = 9", 9),
    ("UPDATE events SET tags = '[\"eu\"]' WHERE position = 1", 1),
    ("UPDATE events SET content_type = 'image/gif' WHERE position = 33", 33),
    ("UPDATE events SET hash = sha256('x') WHERE position = 10", 10),
    # Swapped, with the positions that belong there.
    (
        (
            "UPDATE events SET position = 900 WHERE position = 11; "
            "UPDATE events SET position = 11 WHERE position = 12; UPDATE events SET position = 12 WHERE position = 900"
        ),
        11,
    ),
    ("DELETE FROM events WHERE position = 1", 1),
    ("DELETE FROM events WHERE position BETWEEN 20 AND 30", 20),
    (
        (
            f"UPDATE events SET position = position + 100 WHERE position > 20; INSERT INTO events ({ROW}, hash) "
            "SELECT 21, aggregate_type, aggregate_id, version, gen_random_uuid(), event_type, timestamp, '1', NULL, "
            "NULL, hash FROM events WHERE position = 20; "
            "UPDATE events SET position = position - 99 WHERE position > 100; UPDATE heads SET position = position + 1"
        ),
        21,
    ),
]

INDEXES = [
    ("UPDATE event_keys SET position = 900 WHERE position = 5", 5),
    ("UPDATE event_keys SET aggregate = 2 WHERE position = 6", 6),
    ("UPDATE event_keys SET version = 900 WHERE position = 7", 7),
    ("UPDATE event_keys SET event_type = 1 WHERE position = 8", 8),
    ("UPDATE event_keys SET event_id = gen_random_uuid() WHERE position = 9", 9),
    ("DELETE FROM event_keys WHERE position = 10", 10),
    ("UPDATE event_tags SET tag = 'other' WHERE position = 33", 33),
    ("UPDATE event_tags SET position = 34 WHERE position = 33", 33),
    ("UPDATE event_tags SET event_type = 3 WHERE position = 1 AND tag = 'vip'", 1),
    ("DELETE FROM event_tags WHERE position = 37", 37),
    ("UPDATE aggregates SET aggregate_id = 'i-2' WHERE aggregate = 33", 33),
    ("UPDATE aggregates SET aggregate_type = 'film' WHERE aggregate = 33", 33),
    ("UPDATE aggregates SET aggregate = 34 WHERE aggregate = 33", 33),
    ("DELETE FROM aggregates WHERE aggregate_type = 'archive'", 35),
    ("UPDATE event_types SET name = 'Moved' WHERE name = 'OrderMoved'", 3),
    ("UPDATE event_types SET aggregate_type = 'film' WHERE name = 'Scanned'", 33),
    ("DELETE FROM event_types WHERE name = 'OrderPlaced'", 1),
]

AT_THE_END = [
    "DELETE FROM events WHERE position = 38",
    "UPDATE events SET position = 900 WHERE position = 5",
    "UPDATE heads SET position = 37",
    (
        f"INSERT INTO events ({ROW}, hash) SELECT 39, aggregate_type, aggregate_id, 2, gen_random_uuid(), event_type, "
        "timestamp, event_data, metadata, tags, hash FROM events WHERE position = 38"
    ),
]


@pytest.fixture(scope="module")
def filled(postgres: PostgresServer) -> str:
    url = postgres.new_database()

    async def make() -> None:
        async with open_local_store(url) as store:
            await fill(store)
            assert (await verify(store)).verified == 38

    asyncio.run(make())
    return url


@pytest.fixture
def url(postgres: PostgresServer, filled: str) -> str:
    """A copy."""
    name = f"tampered_{next(NUMBERS)}"
    postgres.query(f"CREATE DATABASE {name} TEMPLATE {database_of(filled)}")
    return postgres.url_of(name)


def tamper(server: PostgresServer, url: str, sql: str) -> None:
    server.query(f"SET session_replication_role = replica; SET search_path = indelible; {sql}", url=url)


@pytest.mark.parametrize(("sql", "position"), EVENTS)
async def test_change_of_an_event_is_found(postgres: PostgresServer, url: str, sql: str, position: int) -> None:
    tamper(postgres, url, sql)
    async with open_local_store(url, read_only=True) as store:
        report = await verify(store)
    assert report.damage is not None
    assert (report.damage.position, report.verified) == (position, position - 1)


@pytest.mark.parametrize(("sql", "position"), INDEXES)
async def test_change_of_an_index_is_found(postgres: PostgresServer, url: str, sql: str, position: int) -> None:
    """It would hide the event from filters and conditions, or from the check for repeated ids."""
    tamper(postgres, url, sql)
    async with open_local_store(url, read_only=True) as store:
        report = await verify(store)
    assert report.damage is not None
    assert report.damage.position == position
    assert "an index is damaged" in report.damage.reason


@pytest.mark.parametrize("sql", AT_THE_END)
async def test_log_that_ends_elsewhere_than_its_head_does_not_open(
    postgres: PostgresServer, url: str, sql: str
) -> None:
    tamper(postgres, url, sql)
    with pytest.raises(StoreCorrupted, match="was only a part restored") as caught:
        await open_local_store(url).open()
    assert caught.value.fields["position"] in {38, 39}
