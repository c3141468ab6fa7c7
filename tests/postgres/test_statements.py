"""How statements are sent: values in binary."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import LiteralString
from uuid import UUID

import pytest

from indelible.core.open import open_local_store
from indelible.core.verify import verify
from indelible.engines.postgres.arrays import Array, bigints, hashes, names, texts, timestamps, uuids
from indelible.engines.postgres.connections import Connection, connect, parse_address
from indelible.events import NewEvent, timestamp_to_us
from indelible.limits import VERSION_MAX
from postgres.server import PostgresServer

IDS = [UUID(int=0), UUID(int=2**128 - 1), UUID("01890a5d-ac96-774b-bcce-b302099a8057")]
TIMES = [datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC), datetime(9999, 12, 31, tzinfo=UTC)]


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
async def connection(url: str) -> AsyncIterator[Connection]:
    async with await connect(parse_address(url)) as connection:
        yield connection


@pytest.mark.parametrize(
    ("array", "of", "values"),
    [
        (bigints([0, -1, VERSION_MAX]), "bigint", [0, -1, VERSION_MAX]),
        (bigints([]), "bigint", []),
        (names(["a", "Größe", "a", "日本"]), "text", ["a", "Größe", "a", "日本"]),
        (names([]), "text", []),
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
