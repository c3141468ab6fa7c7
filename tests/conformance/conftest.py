"""Stores to put through the conformance suite. A storage is shared by the whole run, so it is not empty for long."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from indelible.core.store import LocalEventStore
from indelible.engines.engine import Engine
from indelible.engines.memory import MemoryEngine
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.eventstore import EventStore


@pytest.fixture(scope="session")
def memory_engine() -> Engine:
    return MemoryEngine()


@pytest.fixture(scope="session")
def sqlite_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sqlite") / "shared.db"


@pytest.fixture
def engine_of(memory_engine: Engine, sqlite_path: Path) -> Callable[[str], Engine]:
    """The shared storage of an engine, by the engine's name."""
    return {"memory": lambda: memory_engine, "sqlite": lambda: SqliteEngine(sqlite_path)}.__getitem__


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, memory_engine: Engine, sqlite_path: Path) -> AsyncIterator[EventStore]:
    engine = memory_engine if request.param == "memory" else SqliteEngine(sqlite_path)
    async with LocalEventStore(engine) as store:
        yield store
