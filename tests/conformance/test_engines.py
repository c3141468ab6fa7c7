"""Every engine is put through the engines' suite, and what it says of itself is held against it."""

from collections.abc import Callable

import pytest

from conformance.storages import DURABLE, SHARED
from indelible.core.store import LocalEventStore
from indelible.diagnostics import Capabilities
from indelible.engines.memory import MemoryEngine
from indelible.testing.conformance import EngineConformance, ReopenConformance, SharedConformance
from indelible.testing.conformance.engine import EngineFactory
from indelible.testing.conformance.helpers import OpenStore, make_engine


class TestEngine(EngineConformance):
    @pytest.fixture
    def url(self, new_url: Callable[[], str]) -> str:
        return new_url()

    @pytest.fixture
    def make_engine(self, url: str) -> EngineFactory:
        return lambda: make_engine(url)

    @pytest.fixture
    def make_read_only_engine(self, url: str) -> EngineFactory:
        return lambda: make_engine(url, read_only=True)


@pytest.mark.parametrize("storage", DURABLE, ids=str)
class TestReopened(ReopenConformance):
    pass


@pytest.mark.parametrize("storage", SHARED, ids=str)
class TestShared(SharedConformance):
    pass


class TestSharedModel(SharedConformance):
    """Stores that have one model between them are the model of several stores on one storage."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        engine = MemoryEngine()
        engine.capabilities = Capabilities(durable=False, many_processes=True)
        return lambda: LocalEventStore(engine)
