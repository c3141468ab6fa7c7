"""The database itself refuses to change what is stored: by triggers to its owner, by rights to the role of servers."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from cli.running import COMMAND, environment
from golden.make import fill
from indelible.core.open import init_store, open_local_store
from indelible.core.store import LocalEventStore
from indelible.core.verify import verify
from indelible.engines.postgres.engine import PostgresEngine
from indelible.events import NewEvent
from indelible.testing.conformance.appending import AppendConformance
from indelible.testing.conformance.catalogue import CatalogueConformance
from indelible.testing.conformance.engine import EngineFactory
from indelible.testing.conformance.group_storage import GroupStorageConformance
from indelible.testing.conformance.idempotency import IdempotencyConformance
from indelible.testing.conformance.relay_storage import RelayStorageConformance
from indelible.testing.conformance.snapshots import SnapshotConformance
from postgres.server import PostgresServer
from postgres.stores import SMALL, append_many, contents, database_of, role_of, runtime_url, small_store, tables

EVENT = "(position, aggregate_type, aggregate_id, version, event_id, event_type, timestamp, event_data, hash)"
SAME_EVENT = "SELECT position, 'a', 'b', 1, event_id, 'T', timestamp, '{}', hash FROM indelible.events"

CHANGES = [
    "UPDATE indelible.events SET event_data = '{}' WHERE position = 1",
    "UPDATE indelible.events SET position = position + 100000",
    "UPDATE indelible.events_from_1 SET hash = hash",
    "UPDATE indelible.events_from_1001 SET tags = '[]'",
    "DELETE FROM indelible.events WHERE position = 2",
    "DELETE FROM indelible.events_from_1",
    "TRUNCATE indelible.events",
    "TRUNCATE ONLY indelible.events_from_1",
    "TRUNCATE indelible.events_from_1001 CASCADE",
    f"INSERT INTO indelible.events {EVENT} {SAME_EVENT} ON CONFLICT (position) DO UPDATE SET event_data = '1'",
    "MERGE INTO indelible.events e USING (SELECT 1) one ON e.position = 1 WHEN MATCHED THEN UPDATE SET event_data = ''",
    "MERGE INTO indelible.events e USING (SELECT 1) one ON e.position = 1 WHEN MATCHED THEN DELETE",
    "UPDATE indelible.event_keys SET version = version + 1",
    "DELETE FROM indelible.event_keys",
    "TRUNCATE indelible.event_keys",
    "INSERT INTO indelible.event_keys TABLE indelible.event_keys ON CONFLICT (event_id) DO UPDATE SET version = 9",
    "UPDATE indelible.event_tags SET tag = 'other'",
    "DELETE FROM indelible.event_tags",
    "TRUNCATE indelible.event_tags",
    "INSERT INTO indelible.event_tags TABLE indelible.event_tags ON CONFLICT (tag, position) DO UPDATE SET tag = 'x'",
    "UPDATE indelible.aggregates SET aggregate_id = 'other' WHERE aggregate = 1",
    "DELETE FROM indelible.aggregates",
    "TRUNCATE indelible.aggregates",
    "UPDATE indelible.event_types SET name = 'Other' WHERE event_type = 1",
    "UPDATE indelible.event_types SET aggregate_type = 'other'",
    "UPDATE indelible.event_types SET event_type = event_type + 1",
    "DELETE FROM indelible.event_types",
    "TRUNCATE indelible.event_types",
    "UPDATE indelible.aggregate_types SET aggregate_type = aggregate_type || 'x'",
    "DELETE FROM indelible.aggregate_types",
    "TRUNCATE indelible.aggregate_types",
    "UPDATE indelible.event_partitions SET end_position = end_position + 1",
    "DELETE FROM indelible.event_partitions",
    "TRUNCATE indelible.event_partitions",
    "UPDATE indelible.heads SET partition = 1",
    "DELETE FROM indelible.heads",
    "TRUNCATE indelible.heads",
    "TRUNCATE indelible.events, indelible.event_keys, indelible.heads",
]

HEAD_CHANGES = [
    "UPDATE indelible.heads SET position = position - 1",
    "UPDATE indelible.heads SET position = 0, hash = decode(repeat('00', 32), 'hex')",
    "UPDATE indelible.heads SET timestamp = timestamp - interval '1 microsecond', position = position + 1",
    "UPDATE indelible.heads SET timestamp = timestamp + interval '1 day'",
    "UPDATE indelible.heads SET hash = decode(repeat('ab', 32), 'hex')",
]
"""The role of servers moves the head, so these are kept from it by triggers alone."""

NOT_FOR_SERVERS = [
    "ALTER TABLE indelible.events DISABLE TRIGGER ALL",
    "ALTER TABLE indelible.events_from_1 DISABLE TRIGGER ALL",
    "ALTER TABLE indelible.events DETACH PARTITION indelible.events_from_1",
    "DROP TRIGGER events_never_change ON indelible.events",
    "DROP TABLE indelible.events_from_1",
    "DROP SCHEMA indelible CASCADE",
    "CREATE TABLE indelible.mine (n int)",
    "CREATE RULE mine AS ON INSERT TO indelible.events DO INSTEAD NOTHING",
    "CREATE TRIGGER mine BEFORE INSERT ON indelible.events EXECUTE FUNCTION indelible.refuse_change()",
    "CREATE OR REPLACE FUNCTION indelible.refuse_change() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
    "SET session_replication_role = replica",
    "INSERT INTO indelible.heads TABLE indelible.heads",
    "INSERT INTO indelible.event_partitions VALUES (1000000, 2000000, 'mine')",
    "INSERT INTO indelible.schema_steps VALUES (2, 'pre')",
    f"INSERT INTO indelible.events_from_1001 {EVENT} {SAME_EVENT}",
    "DO 'BEGIN LOCK TABLE indelible.events IN ACCESS EXCLUSIVE MODE; END'",
    "SELECT FROM indelible.events WHERE position = 1 FOR UPDATE",
    "UPDATE indelible.consumer_groups SET name = 'other'",
    "UPDATE indelible.group_unfinished SET position = position + 1",
    "TRUNCATE indelible.group_skips",
]


@pytest.fixture(scope="module")
def owner_url(postgres: PostgresServer) -> Iterator[str]:
    """A store that holds something of everything, and two partitions; in the end it must be whole."""
    url = postgres.new_database()

    async def make() -> None:
        async with small_store(url) as store:
            await fill(store)
            await append_many(store, SMALL)

    asyncio.run(make())
    yield url
    asyncio.run(_check_whole(url))


async def _check_whole(url: str) -> None:
    async with open_local_store(url) as store:
        assert (await verify(store)).damage is None


@pytest.fixture(scope="module")
def role_url(postgres: PostgresServer, owner_url: str) -> str:
    return asyncio.run(runtime_url(postgres, owner_url))


def _is_known(server: PostgresServer, sql: str) -> bool:
    return not sql.startswith("MERGE") or server.query("SHOW server_version_num")[0][0] >= "150000"


@pytest.mark.parametrize("sql", [*CHANGES, *HEAD_CHANGES])
def test_owner_and_superuser_are_refused_by_triggers(postgres: PostgresServer, owner_url: str, sql: str) -> None:
    if not _is_known(postgres, sql):
        pytest.skip("MERGE came with PostgreSQL 15")
    before = contents(postgres, owner_url)
    with pytest.raises(psycopg.errors.RaiseException, match="events are immutable"):
        postgres.query(sql, url=owner_url)
    assert contents(postgres, owner_url) == before


class TestRuntimeRole:
    @pytest.mark.parametrize("sql", [*CHANGES, *NOT_FOR_SERVERS])
    def test_is_refused_by_its_rights(self, postgres: PostgresServer, role_url: str, sql: str) -> None:
        if not _is_known(postgres, sql):
            pytest.skip("MERGE came with PostgreSQL 15")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            postgres.query(sql, url=role_url)

    @pytest.mark.parametrize("sql", HEAD_CHANGES)
    def test_cannot_turn_the_head_back(self, postgres: PostgresServer, role_url: str, sql: str) -> None:
        with pytest.raises(psycopg.errors.RaiseException, match="events are immutable"):
            postgres.query(sql, url=role_url)

    def test_may_select_and_insert_events_and_owns_nothing(self, postgres: PostgresServer, role_url: str) -> None:
        sql = """
            SELECT privilege_type FROM pg_class, aclexplode(relacl)
            WHERE oid = 'indelible.events'::regclass AND grantee = %s::regrole
        """
        assert {right for (right,) in postgres.query(sql, [role_of(role_url)], url=role_url)} == {"SELECT", "INSERT"}
        owned = """
            SELECT relname::text FROM pg_class WHERE relowner = %(role)s::regrole
            UNION ALL SELECT proname FROM pg_proc WHERE proowner = %(role)s::regrole
            UNION ALL SELECT nspname FROM pg_namespace WHERE nspowner = %(role)s::regrole
            UNION ALL SELECT datname FROM pg_database WHERE datdba = %(role)s::regrole
        """
        with psycopg.connect(role_url) as connection:
            assert connection.execute(owned, {"role": role_of(role_url)}).fetchall() == []

    async def test_init_may_be_repeated(self, postgres: PostgresServer, role_url: str, owner_url: str) -> None:
        acl = """
            SELECT relname, relacl::text FROM pg_class
            WHERE relnamespace = 'indelible'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1
        """
        await runtime_url(postgres, owner_url)
        before = postgres.query(acl, url=owner_url)
        report = await init_store(owner_url, runtime_role=role_of(role_url))
        assert (report.steps, report.is_role_new) == ((), False)
        assert postgres.query(acl, url=owner_url) == before


class TestMakingPartitions:
    """The one thing that the role does with its owner's rights."""

    @pytest.fixture
    async def url(self, postgres: PostgresServer) -> str:
        return await runtime_url(postgres, postgres.new_database())

    async def test_happens_under_the_runtime_role(self, postgres: PostgresServer, url: str) -> None:
        owner = postgres.url_of(database_of(url))
        async with small_store(url) as store:
            for _ in range(3):
                await append_many(store, SMALL)
            report = await verify(store)
            assert (report.damage, report.verified) == (None, 3 * SMALL)
        assert len(tables(postgres, owner)) >= 2
        owners = postgres.query("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'indelible'", url=owner)
        assert owners == [("postgres",)]

    def test_is_not_for_everybody(self, postgres: PostgresServer, url: str) -> None:
        owner, stranger = postgres.url_of(database_of(url)), f"stranger_of_{role_of(url)}"
        postgres.query(f"CREATE ROLE {stranger} LOGIN PASSWORD 'of-a-role'")
        postgres.query(f"GRANT USAGE ON SCHEMA indelible TO {stranger}", url=owner)
        as_stranger = postgres.url_of(database_of(url), user=stranger, password="of-a-role")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="make_event_partitions"):
            postgres.query("SELECT indelible.make_event_partitions(100000000, 10000000)", url=as_stranger)

    def test_cannot_be_made_to_fill_the_catalogue(self, postgres: PostgresServer, url: str) -> None:
        owner = postgres.url_of(database_of(url))
        before = tables(postgres, owner)
        for sizes in ("4611686018427387904, 1000", "4611686018427387904, 1000000000", "-1, 1000", "100, NULL"):
            for _ in range(2):
                postgres.query(f"SELECT indelible.make_event_partitions({sizes})", url=url)
        for sizes in ("100, 999", "100, 1000000001", "100, -1"):
            with pytest.raises(psycopg.errors.RaiseException, match="a partition holds"):
                postgres.query(f"SELECT indelible.make_event_partitions({sizes})", url=url)
        assert len(tables(postgres, owner)) <= len(before) + 22

    def test_runs_nothing_of_the_callers(self, postgres: PostgresServer, url: str) -> None:
        """Temporary types and tables of the caller come before all others, where nothing says otherwise."""
        owner = postgres.url_of(database_of(url))
        before = tables(postgres, owner)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"""
                CREATE FUNCTION pg_temp.rise(text) RETURNS boolean LANGUAGE plpgsql AS $$
                BEGIN EXECUTE 'ALTER ROLE {role_of(url)} SUPERUSER'; RETURN true; END $$
            """)
            connection.execute("CREATE DOMAIN pg_temp.name AS text CHECK (pg_temp.rise(VALUE))")
            connection.execute("CREATE DOMAIN pg_temp.int8 AS pg_catalog.int8 CHECK (pg_temp.rise(VALUE::text))")
            connection.execute("CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.rise(VALUE))")
            connection.execute("CREATE TEMPORARY TABLE event_partitions (first_position bigint, end_position bigint)")
            connection.execute("SELECT indelible.make_event_partitions(%s, 1000)", [SMALL * len(before) + 1])
        assert len(tables(postgres, owner)) == len(before) + 1
        assert postgres.query("SELECT rolsuper FROM pg_roles WHERE rolname = %s", [role_of(url)]) == [(False,)]


class TestStoreUnderTheRuntimeRole(
    AppendConformance, IdempotencyConformance, CatalogueConformance, SnapshotConformance
):
    """It does all that a store does; of the suite, what needs rights to write."""

    @pytest.fixture
    async def store(self, role_url: str) -> AsyncIterator[LocalEventStore]:
        async with open_local_store(role_url) as store:
            yield store


class TestWarnings:
    async def test_name_what_a_superuser_could_do(self, owner_url: str) -> None:
        async with open_local_store(owner_url) as store:
            (warning,) = store.warnings
        assert warning.startswith('the database role "postgres" can do more than append: it is a superuser')
        assert 'indelible init --runtime-role NAME"' in warning

    async def test_name_an_owner(self, postgres: PostgresServer) -> None:
        url, role = postgres.new_database(), f"owner_{id(self)}"
        postgres.query(f"CREATE ROLE {role} LOGIN PASSWORD 'of-a-role'")
        postgres.query(f"GRANT CREATE ON DATABASE {database_of(url)} TO {role}")
        as_owner = postgres.url_of(database_of(url), user=role, password="of-a-role")
        async with open_local_store(as_owner) as store:
            await store.append("order", "1", [NewEvent("Opened")])
            (warning,) = store.warnings
        assert "owns the tables" in warning
        assert "superuser" not in warning

    @pytest.mark.parametrize("right", ["UPDATE (tags)", "UPDATE", "DELETE", "TRUNCATE"])
    async def test_name_a_right_too_many(self, postgres: PostgresServer, right: str) -> None:
        url = postgres.new_database()
        as_role = await runtime_url(postgres, url)
        postgres.query(f"GRANT {right} ON indelible.events TO {role_of(as_role)}", url=url)
        async with open_local_store(as_role) as store:
            (warning,) = store.warnings
        assert f"it may {right.split(maxsplit=1)[0].lower()} events." in warning

    async def test_are_none_for_the_runtime_role(self, role_url: str) -> None:
        async with open_local_store(role_url) as store:
            assert store.warnings == ()

    def test_are_logged_when_a_server_starts(self, owner_url: str, role_url: str) -> None:
        assert "can do more than append" in _log_of_a_server(owner_url)
        assert "can do more than append" not in _log_of_a_server(role_url)


def _log_of_a_server(url: str) -> str:
    command = [COMMAND, "serve", "--store", url, "--http", "127.0.0.1:0", "--log-format", "console"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    assert process.stdout is not None
    first = process.stdout.readline()
    process.terminate()
    _, log = process.communicate(timeout=60)
    assert first.startswith("API"), log
    assert process.returncode == 0
    assert "serving" in log
    return log


class TestGroupsUnderTheRuntimeRole(GroupStorageConformance, RelayStorageConformance):
    @pytest.fixture
    def make_engine(self, role_url: str) -> EngineFactory:
        return lambda: PostgresEngine(role_url)
