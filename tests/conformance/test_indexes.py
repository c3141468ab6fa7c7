"""Every backend of the query index is put through the suite of indexes, and compared with the model."""

import asyncio
import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from conformance.faulty_indexes import Refusing
from dynamodb.server import Dynalite
from indelible.indexes.dynamodb import DynamoIndex
from indelible.indexes.memory import MemoryIndex
from indelible.indexes.postgres import PostgresIndex
from indelible.indexes.sqlite import SqliteIndex, generation
from indelible.testing.conformance import IndexConformance, IndexRefusalConformance, ReopenIndexConformance
from indelible.testing.conformance.index_helpers import NAME, MakeIndex, document
from indelible.testing.conformance.index_refusals import MakeRefused
from indelible.testing.index_scenarios import Scenario, compare, scenarios
from postgres.server import PostgresServer


class TestMemory(IndexConformance):
    @pytest.fixture
    def make_index(self) -> MakeIndex:
        return MemoryIndex


class TestRefusingMemory(IndexRefusalConformance):
    @pytest.fixture
    def make_index(self) -> MakeIndex:
        index = Refusing()
        return lambda: index

    @pytest.fixture
    def make_refused(self) -> MakeRefused:
        return lambda: document(event_type="Unwanted")


@pytest.fixture
def make_sqlite(tmp_path: Path) -> MakeIndex:
    return lambda: SqliteIndex(tmp_path / "search.db")


class TestSqlite(IndexConformance):
    @pytest.fixture
    def make_index(self, make_sqlite: MakeIndex) -> MakeIndex:
        return make_sqlite


class TestSqliteReopened(ReopenIndexConformance):
    @pytest.fixture
    def make_index(self, make_sqlite: MakeIndex) -> MakeIndex:
        return make_sqlite


_numbers = itertools.count()


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
def make_postgres(database: str) -> MakeIndex:
    url = f"{database}?schema=search_{next(_numbers)}"
    return lambda: PostgresIndex(url)


class TestPostgres(IndexConformance):
    @pytest.fixture
    def make_index(self, make_postgres: MakeIndex) -> MakeIndex:
        return make_postgres


class TestPostgresReopened(ReopenIndexConformance):
    @pytest.fixture
    def make_index(self, make_postgres: MakeIndex) -> MakeIndex:
        return make_postgres


@pytest.mark.parametrize("recent_documents", [3, generation.RECENT_DOCUMENTS])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenario=scenarios())
def test_sqlite_finds_what_the_model_finds(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recent_documents: int
) -> None:
    monkeypatch.setattr(generation, "RECENT_DOCUMENTS", recent_documents)

    async def run() -> None:
        index = SqliteIndex(tmp_path / f"{next(_numbers)}.db")
        await index.open()
        try:
            await compare(index, scenario)
        finally:
            await index.close()

    asyncio.run(run())


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenario=scenarios())
def test_postgres_finds_what_the_model_finds(scenario: Scenario, make_postgres: MakeIndex) -> None:
    async def run() -> None:
        index = make_postgres()
        await index.open()
        try:
            await compare(index, scenario)
        finally:
            await index.close()

    asyncio.run(run())


@pytest.fixture
def make_dynamo(dynalite: Dynalite) -> MakeIndex:
    url = dynalite.new_url()
    return lambda: DynamoIndex.of(url)


class TestDynamo(IndexConformance):
    @pytest.fixture
    def make_index(self, make_dynamo: MakeIndex) -> MakeIndex:
        return make_dynamo


class TestDynamoReopened(ReopenIndexConformance):
    @pytest.fixture
    def make_index(self, make_dynamo: MakeIndex) -> MakeIndex:
        return make_dynamo


class TestDynamoRefusals(IndexRefusalConformance):
    @pytest.fixture
    def make_index(self, make_dynamo: MakeIndex) -> MakeIndex:
        return make_dynamo

    @pytest.fixture
    def make_refused(self) -> MakeRefused:
        return lambda: document(values={NAME: tuple(f"{n:03}" + "\U0001f600" * 990 for n in range(120))})


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenario=scenarios())
def test_dynamo_finds_what_the_model_finds(scenario: Scenario, dynalite: Dynalite) -> None:
    async def run() -> None:
        index = DynamoIndex.of(dynalite.new_url())
        await index.open()
        try:
            await compare(index, scenario)
        finally:
            await index.close()

    asyncio.run(run())
