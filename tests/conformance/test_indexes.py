"""Every backend of the query index is put through the suite of indexes, and compared with the model."""

import asyncio
import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from dynamodb.server import Dynalite
from indelible.indexes.dynamodb import DynamoIndex
from indelible.indexes.memory import MemoryIndex
from indelible.indexes.sqlite import SqliteIndex
from indelible.testing.conformance import IndexConformance, ReopenIndexConformance
from indelible.testing.conformance.index_helpers import MakeIndex
from indelible.testing.index_scenarios import Scenario, compare, scenarios


class TestMemory(IndexConformance):
    @pytest.fixture
    def make_index(self) -> MakeIndex:
        return MemoryIndex


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


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenario=scenarios())
def test_sqlite_finds_what_the_model_finds(scenario: Scenario, tmp_path: Path) -> None:
    async def run() -> None:
        index = SqliteIndex(tmp_path / f"{next(_numbers)}.db")
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
