"""Stores that earlier versions of Indelible left behind open, read, verify and take appends."""

import shutil
from pathlib import Path
from uuid import UUID

import apsw
import pytest

from golden.make import BEGIN_US, check_groups, check_relays, database_of, lines_of
from indelible.core.open import open_local_store
from indelible.core.verify import verify
from indelible.engines.sqlite.connections import migrations
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.events import NewEvent
from indelible.queries import EventQuery

WITH_RELAYS = 2
"""The first schema version that has relays."""
VERSIONS = [version for version, _ in migrations()]
NEWEST = VERSIONS[-1]


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def path(version: int, tmp_path: Path) -> Path:
    """A copy: opening a store migrates it."""
    return Path(shutil.copy(database_of(version), tmp_path / "store.db"))


async def test_every_event_reads_as_it_always_did(version: int, path: Path) -> None:
    async with open_local_store(f"sqlite:{path}") as store:
        page = await store.read_feed(limit=1_000)
        assert page.at_end
        assert page.lines + b"\n" == _bytes(lines_of(version))
        assert page.events[0].timestamp.timestamp() * 1e6 == BEGIN_US


async def test_the_hash_chain_holds_and_goes_on(version: int, path: Path) -> None:
    count = _bytes(lines_of(version)).count(b"\n")
    async with open_local_store(f"sqlite:{path}") as store:
        assert (await verify(store)).damage is None
        result = await store.append("order", "o-1", [NewEvent("OrderMoved", {"step": 31})], expected_version=31)
        assert (result.version, result.position) == (32, count + 1)
        await store.append("new", "n", [NewEvent("Opened", tags=["eu"])])
        report = await verify(store)
        assert (report.damage, report.verified) == (None, count + 2)


async def test_indexes_ids_and_snapshots_are_there(path: Path) -> None:
    async with open_local_store(f"sqlite:{path}") as store:
        tagged = await store.read_feed(EventQuery.of(tags=["eu"]))
        assert [event.event_type for event in tagged.events] == ["OrderPlaced", "Scanned"]
        first = await store.get_event(UUID("01940000-0000-7000-8000-000000000001"))
        assert (first.aggregate_id, first.version) == ("o-1", 1)
        again = await store.append("order", "o-1", [NewEvent.from_recorded(first)])
        assert again.replayed
        assert (await store.get_snapshot("order", "o-1")).state == {"step": 20}
        assert (await store.get_snapshot("order", "o-1", at_version=19)).metadata == {"by": "make"}
        assert {one.aggregate_type: one.events for one in await store.aggregate_types()} == {
            "account": 2, "archive": 2, "image": 2, "order": 32,
        }  # fmt: skip


async def test_groups_are_there(path: Path) -> None:
    await check_groups(SqliteEngine(path))


async def test_relays_are_there(version: int, path: Path) -> None:
    await check_relays(SqliteEngine(path), are_there=version >= WITH_RELAYS)


async def test_an_upgraded_store_has_the_schema_of_a_new_one(path: Path, tmp_path: Path) -> None:
    """A migration that was edited after its release would leave two kinds of stores with one version."""
    for url in (path, tmp_path / "new.db"):
        async with open_local_store(f"sqlite:{url}"):
            pass
    assert _schema(path) == _schema(tmp_path / "new.db")


async def test_the_newest_version_reads_without_being_opened_for_writing(tmp_path: Path) -> None:
    path = Path(shutil.copy(database_of(NEWEST), tmp_path / "store.db"))
    async with open_local_store(f"sqlite:{path}", read_only=True) as store:
        assert (await store.read_feed(limit=1_000)).lines + b"\n" == _bytes(lines_of(NEWEST))


def _bytes(path: Path) -> bytes:
    return path.read_bytes()


def _schema(path: Path) -> list[tuple[str, ...]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").fetchall()
    connection.close()
    return rows
