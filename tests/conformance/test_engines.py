"""Every engine is put through the engines' suite; the durable ones are opened again too."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from indelible.core.open import open_local_store
from indelible.engines.memory import MemoryEngine
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.testing.conformance import EngineConformance, ReopenConformance
from indelible.testing.conformance.engine import EngineFactory
from indelible.testing.conformance.reopen import OpenStore


class TestEngine(EngineConformance):
    @pytest.fixture(params=["memory", "sqlite"])
    def make_engine(self, request: pytest.FixtureRequest, tmp_path: Path) -> EngineFactory:
        return {"memory": MemoryEngine, "sqlite": lambda: SqliteEngine(tmp_path / "log.db")}[request.param]


class TestSqliteReopened(ReopenConformance):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        def open_store() -> AbstractAsyncContextManager:
            return open_local_store(f"sqlite:{tmp_path / 'log.db'}")

        return open_store
