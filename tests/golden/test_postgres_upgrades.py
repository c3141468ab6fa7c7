"""Stores that earlier versions left in PostgreSQL, restored from a dump, open, read, verify and take appends."""

from uuid import UUID

import pytest

from golden.make import check_groups, check_relays
from golden.make_postgres import dump, dump_of, lines_of
from indelible.core.open import init_store, open_local_store
from indelible.core.verify import verify
from indelible.engines.postgres.engine import PostgresEngine
from indelible.engines.postgres.schema import migrations
from indelible.events import NewEvent
from indelible.queries import EventQuery
from postgres.server import PostgresServer

WITH_GROUPS = 2
"""The first schema version that has groups."""
WITH_RELAYS = 3
"""The first that has relays."""
VERSIONS = sorted({migration.version for migration in migrations()})


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def lines(version: int) -> bytes:
    return lines_of(version).read_bytes()


@pytest.fixture
def url(version: int, postgres: PostgresServer) -> str:
    url = postgres.new_database()
    postgres.query(dump_of(version).read_text("utf-8"), url=url)
    return url


async def test_every_event_reads_as_it_always_did(url: str, lines: bytes) -> None:
    async with open_local_store(url) as store:
        page = await store.read_feed(limit=1_000)
    assert page.at_end
    assert page.lines + b"\n" == lines


async def test_the_hash_chain_holds_and_goes_on(url: str, lines: bytes) -> None:
    count = lines.count(b"\n")
    async with open_local_store(url) as store:
        assert (await verify(store)).damage is None
        result = await store.append("order", "o-1", [NewEvent("OrderMoved", {"step": 31})], expected_version=31)
        assert (result.version, result.position) == (32, count + 1)
        await store.append("new", "n", [NewEvent("Opened", tags=["eu"])])
        report = await verify(store)
        assert (report.damage, report.verified) == (None, count + 2)


async def test_indexes_ids_and_snapshots_are_there(url: str) -> None:
    async with open_local_store(url) as store:
        tagged = await store.read_feed(EventQuery.of(tags=["eu"]))
        assert [event.event_type for event in tagged.events] == ["OrderPlaced", "Scanned"]
        first = await store.get_event(UUID("01940000-0000-7000-8000-000000000001"))
        again = await store.append("order", "o-1", [NewEvent.from_recorded(first)])
        assert again.replayed
        assert (await store.get_snapshot("order", "o-1")).state == {"step": 20}
        assert {one.aggregate_type: one.events for one in await store.aggregate_types()} == {
            "account": 2, "archive": 2, "image": 2, "order": 32,
        }  # fmt: skip


async def test_groups_are_there(version: int, url: str) -> None:
    await check_groups(PostgresEngine(url), are_there=version >= WITH_GROUPS)


async def test_relays_are_there(version: int, url: str) -> None:
    await check_relays(PostgresEngine(url), are_there=version >= WITH_RELAYS)


async def test_an_upgraded_store_has_the_schema_of_a_new_one(url: str, postgres: PostgresServer) -> None:
    """A step that was edited after its release would leave two kinds of stores with one version."""
    if not (postgres.programs / "pg_dump").exists():
        pytest.skip("this PostgreSQL comes without pg_dump")
    new = postgres.new_database()
    for each in (url, new):
        await init_store(each, post_deploy=True)
    assert _schema(postgres, url) == _schema(postgres, new)


def _schema(server: PostgresServer, url: str) -> list[str]:
    """Statements, in whatever order things were made; without partitions, which follow from the head."""
    text = dump(server, url, "--schema-only", "--exclude-table", "indelible.events_from_*")
    return sorted(text.split(";\n"))
