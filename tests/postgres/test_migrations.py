"""The schema is made and changed in numbered steps, by whoever comes first, while servers of two versions run."""

import asyncio
import subprocess
from collections.abc import Sequence
from uuid import uuid4

import msgspec
import pytest

from cli.running import COMMAND, environment
from indelible import postgres_connections
from indelible.core.open import init_store, open_local_store
from indelible.core.store import LocalEventStore
from indelible.core.verify import verify
from indelible.engines.group_storage import GroupChange, StoredGroup
from indelible.engines.postgres import schema
from indelible.engines.postgres.engine import PostgresEngine
from indelible.engines.postgres.schema import Migration
from indelible.errors import IndelibleError, InvalidRequest, Unavailable
from indelible.events import NewEvent
from indelible.groups import GroupSettings
from postgres.server import PostgresServer
from postgres.stores import database_of, role_of, runtime_url

NEWEST = schema.newest(schema.migrations())
ADDS = Migration(NEWEST + 1, "pre", "CREATE TABLE {schema}.extra (n int); ALTER TABLE {schema}.snapshots ADD extra int")
TAKES_AWAY = Migration(NEWEST + 1, "post", "ALTER TABLE {schema}.snapshots DROP COLUMN metadata")
BREAKS = Migration(NEWEST + 2, "pre", "CREATE TABLE {schema}.half (n int); SELECT no_such_function()")


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> "Version":
    return Version(monkeypatch)


class Version:
    """Lets this process be a version that has more steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._now = schema.migrations()

    def __call__(self, *more: Migration) -> None:
        steps = [*self._now, *more]
        self._monkeypatch.setattr(schema, "migrations", lambda: steps)


def _steps(server: PostgresServer, url: str) -> list[tuple[int, str]]:
    return server.query("SELECT version, step FROM indelible.schema_steps ORDER BY version, step DESC", url=url)


def _has(server: PostgresServer, url: str, table: str) -> bool:
    return server.query("SELECT to_regclass(%s) IS NOT NULL", [f"indelible.{table}"], url=url) == [(True,)]


class TestMaking:
    async def test_many_open_an_empty_database_at_once(self, postgres: PostgresServer, url: str) -> None:
        stores = [open_local_store(url) for _ in range(8)]
        await asyncio.gather(*(store.open() for store in stores))
        try:
            await asyncio.gather(
                *(store.append("order", f"{n}", [NewEvent("Opened")]) for n, store in enumerate(stores))
            )
            report = await verify(stores[0])
            assert (report.damage, report.verified) == (None, 8)
        finally:
            await asyncio.gather(*(store.aclose() for store in stores))
        assert _steps(postgres, url) == [(migration.version, migration.step) for migration in schema.migrations()]

    def test_many_processes_do(self, postgres: PostgresServer, url: str) -> None:
        command = [COMMAND, "init", "--store", url]
        processes = [
            subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for _ in range(4)
        ]
        outputs = [process.communicate(timeout=120)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * 4, outputs
        assert sorted("0001 pre" in output for output in outputs) == [False, False, False, True]

    async def test_schemas_of_one_database_are_stores_of_their_own(self, url: str) -> None:
        async with open_local_store(f"{url}?schema=one") as one, open_local_store(f"{url}?schema=other") as other:
            await one.append("order", "1", [NewEvent("Opened")])
            assert (await other.head()).position == 0
            assert (await other.append("order", "1", [NewEvent("Opened")], expected_version="none")).position == 1

    async def test_read_only_makes_nothing(self, postgres: PostgresServer, url: str) -> None:
        with pytest.raises(InvalidRequest, match='the schema "indelible" holds no store'):
            await open_local_store(url, read_only=True).open()
        assert postgres.query("SELECT to_regnamespace('indelible')", url=url) == [(None,)]


class TestRefused:
    async def test_role_that_may_not_make_a_schema(self, postgres: PostgresServer, url: str) -> None:
        role = f"nobody_of_{database_of(url)}"
        postgres.query(f"CREATE ROLE {role} LOGIN PASSWORD 'of-a-role'")
        as_role = postgres.url_of(database_of(url), user=role, password="of-a-role")
        with pytest.raises(InvalidRequest, match=r"holds no store, and this role may not .* \"indelible init\""):
            await open_local_store(as_role).open()
        with pytest.raises(IndelibleError, match="permission denied"):
            await init_store(as_role)

    async def test_role_that_may_not_read_the_store(self, postgres: PostgresServer, url: str) -> None:
        await init_store(url)
        role = f"stranger_to_{database_of(url)}"
        postgres.query(f"CREATE ROLE {role} LOGIN PASSWORD 'of-a-role'")
        as_role = postgres.url_of(database_of(url), user=role, password="of-a-role")
        with pytest.raises(IndelibleError, match=r'permission denied for schema indelible .*"indelible init"'):
            await open_local_store(as_role).open()

    async def test_schema_of_something_else(self, postgres: PostgresServer, url: str) -> None:
        postgres.query("CREATE SCHEMA indelible CREATE TABLE orders (n int)", url=url)
        for attempt in (open_local_store(url).open(), init_store(url)):
            with pytest.raises(InvalidRequest, match="in use by something that is not an Indelible store"):
                await attempt
        names = "SELECT relname FROM pg_class WHERE relnamespace = 'indelible'::regnamespace"
        assert postgres.query(names, url=url) == [("orders",)]

    async def test_empty_schema_that_is_there_is_used(self, postgres: PostgresServer, url: str) -> None:
        postgres.query("CREATE SCHEMA indelible", url=url)
        async with open_local_store(url) as store:
            assert (await store.head()).position == 0

    async def test_database_in_another_encoding(self, postgres: PostgresServer, url: str) -> None:
        name = f"latin_{database_of(url)}"
        postgres.query(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        for attempt in (open_local_store(postgres.url_of(name)).open(), init_store(postgres.url_of(name))):
            with pytest.raises(InvalidRequest, match="the database's encoding is LATIN1; events need one in UTF8"):
                await attempt

    async def test_server_that_is_too_old(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """No such server is at hand: the bound is moved instead."""
        monkeypatch.setattr(postgres_connections, "SERVER_VERSION_LEAST", 99_00_00)
        for attempt in (open_local_store(url).open(), init_store(url)):
            with pytest.raises(InvalidRequest, match=r"PostgreSQL 99 or newer is needed, not 1\d"):
                await attempt

    def test_fourteen_is_the_oldest(self) -> None:
        assert postgres_connections.SERVER_VERSION_LEAST == 14_00_00


class TestUpgrade:
    async def test_previous_version_runs_on_and_starts_after_the_pre_deploy_step(
        self, postgres: PostgresServer, url: str, become: Version
    ) -> None:
        async with open_local_store(url) as running:
            await running.append("order", "1", [NewEvent("Opened")])
            become(ADDS, TAKES_AWAY)
            async with open_local_store(url) as newer:
                assert _steps(postgres, url)[-1] == (NEWEST + 1, "pre")
                await newer.append("order", "1", [NewEvent("Seen")], expected_version=1)
            await running.append("order", "1", [NewEvent("Closed")], expected_version=2)
            become()
            async with open_local_store(url) as started:
                await started.save_snapshot("order", "1", version=3, state={})
                assert (await verify(started)).verified == 3
        assert _has(postgres, url, "extra")

    async def test_previous_version_is_refused_after_the_post_deploy_step(
        self, postgres: PostgresServer, url: str, become: Version
    ) -> None:
        await init_store(url)
        become(ADDS, TAKES_AWAY)
        report = await init_store(url, post_deploy=True)
        assert report.steps == (f"{NEWEST + 1:04} pre", f"{NEWEST + 1:04} post")
        async with open_local_store(url) as newer:
            assert (await newer.head()).position == 0
        become()
        for read_only in (False, True):
            with pytest.raises(InvalidRequest, match=f"left schema version {NEWEST} behind .* use a newer Indelible"):
                await open_local_store(url, read_only=read_only).open()

    async def test_servers_do_no_post_deploy_step(self, postgres: PostgresServer, url: str, become: Version) -> None:
        become(ADDS, TAKES_AWAY)
        for _ in range(2):
            async with open_local_store(url):
                pass
        assert (NEWEST + 1, "post") not in _steps(postgres, url)
        assert (await init_store(url)).steps == ()
        assert (await init_store(url, post_deploy=True)).steps == (f"{NEWEST + 1:04} post",)
        assert (await init_store(url, post_deploy=True)).steps == ()

    async def test_newer_version_waits_for_its_step(self, url: str, postgres: PostgresServer, become: Version) -> None:
        """Under a role that may not do it, and read-only."""
        as_role = await runtime_url(postgres, url)
        become(ADDS)
        for store in (open_local_store(as_role), open_local_store(url, read_only=True)):
            with pytest.raises(InvalidRequest, match=f"has schema version {NEWEST}, not {NEWEST + 1}, and this role"):
                await store.open()
        await init_store(url)
        async with open_local_store(as_role) as store:
            await store.append("order", "1", [NewEvent("Opened")])

    async def test_role_of_before_groups_gets_its_rights_by_init(self, postgres: PostgresServer, url: str) -> None:
        """The schema was changed by its owner, who did not think of the role of servers. They append on."""
        as_role = await runtime_url(postgres, url)
        tables = "indelible.consumer_groups, indelible.group_unfinished, indelible.group_skips"
        postgres.query(f"REVOKE ALL ON {tables} FROM {role_of(as_role)}", url=url)
        group = StoredGroup("billing", GroupSettings(), 1, 1, 0, 0, 0, uuid4())
        engine = PostgresEngine(as_role)
        async with LocalEventStore(engine) as store:
            await store.append("order", "1", [NewEvent("Opened")])
            for refused in (
                engine.list_groups(),
                engine.load_group("billing"),
                engine.create_group(group, groups_max=1),
                engine.save_group(GroupChange(1, group)),
                engine.delete_group("billing"),
            ):
                with pytest.raises(Unavailable, match=r'permission denied .*"indelible init" gives a role'):
                    await refused
            assert await engine.now_us() > 0
            await init_store(url, runtime_role=role_of(as_role))
            assert await engine.create_group(group, groups_max=1)
            assert await engine.save_group(GroupChange(1, msgspec.structs.replace(group, revision=2)))

    @pytest.mark.parametrize("post_deploy", [False, True])
    async def test_failing_step_leaves_nothing(
        self, postgres: PostgresServer, url: str, become: Version, post_deploy: bool
    ) -> None:
        async with open_local_store(url) as store:
            await store.append("order", "1", [NewEvent("Opened")])
        before = _steps(postgres, url)
        become(ADDS, TAKES_AWAY, BREAKS)
        with pytest.raises(IndelibleError, match="no_such_function"):
            await init_store(url, post_deploy=post_deploy)
        assert _steps(postgres, url) == before
        assert not _has(postgres, url, "extra")
        assert not _has(postgres, url, "half")
        become()
        async with open_local_store(url) as store:
            assert (await verify(store)).verified == 1

    async def test_failing_first_step_leaves_no_schema(
        self, postgres: PostgresServer, url: str, become: Version
    ) -> None:
        become(BREAKS)
        with pytest.raises(IndelibleError, match="no_such_function"):
            await PostgresEngine(url).open()
        assert postgres.query("SELECT to_regnamespace('indelible')", url=url) == [(None,)]

    async def test_steps_of_many_at_once_are_done_once(
        self, postgres: PostgresServer, url: str, become: Version
    ) -> None:
        await init_store(url)
        become(ADDS)
        reports = await asyncio.gather(*(init_store(url) for _ in range(6)))
        done: Sequence[str] = [step for report in reports for step in report.steps]
        assert done == [f"{NEWEST + 1:04} pre"]


def test_steps_of_a_version_are_done_pre_before_post() -> None:
    names = ["done.sql", "0010_c.pre.sql", "0002_b.post.sql", "0001_a.pre.sql", "0002_b.pre.sql", "versions.sql"]
    assert schema.in_order(names) == [
        (1, "pre", "0001_a.pre.sql"),
        (2, "pre", "0002_b.pre.sql"),
        (2, "post", "0002_b.post.sql"),
        (10, "pre", "0010_c.pre.sql"),
    ]


def test_steps_are_numbered_without_gaps_and_begin_with_pre() -> None:
    steps = schema.migrations()
    assert sorted({step.version for step in steps}) == list(range(1, NEWEST + 1))
    assert {step.version for step in steps if step.step == "pre"} == {step.version for step in steps}
    assert [(step.version, step.step == "post") for step in steps] == sorted(
        (step.version, step.step == "post") for step in steps
    )
