"""Every engine, directly and over HTTP, behaves as the reference model does, whatever is done to it in what order."""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from indelible import AsyncClient
from indelible.core.open import open_local_store
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.eventstore import EventStore
from indelible.server.compose import http_app
from indelible.server.config import Address
from indelible.server.uvicorn_server import serving
from indelible.testing.state_machine import OpenStore, engine_machine, store_machine

# Each step of a durable engine waits for the disk, and each example over HTTP for a server to start and stop.
DURABLE = settings(max_examples=12, stateful_step_count=20)
SERVED = settings(max_examples=8, stateful_step_count=30)


@pytest.fixture
def new_path(tmp_path: Path) -> Callable[[], Path]:
    numbers = itertools.count()
    return lambda: tmp_path / f"{next(numbers)}.db"


@asynccontextmanager
async def served(url: str) -> AsyncIterator[EventStore]:
    async with (
        open_local_store(url) as store,
        serving(http_app(store), Address("127.0.0.1", 0), shutdown_grace_s=5) as address,
        AsyncClient(address) as client,
    ):
        yield client


def test_sqlite_engine(new_path: Callable[[], Path]) -> None:
    run_state_machine_as_test(engine_machine(lambda: SqliteEngine(new_path())), settings=DURABLE)


def test_sqlite_store(new_path: Callable[[], Path]) -> None:
    def new_storage() -> OpenStore:
        url = f"sqlite:{new_path()}"
        return lambda: open_local_store(url)

    run_state_machine_as_test(store_machine(new_storage, durable=True), settings=DURABLE)


def test_sqlite_store_over_http(new_path: Callable[[], Path]) -> None:
    def new_storage() -> OpenStore:
        url = f"sqlite:{new_path()}"
        return lambda: served(url)

    run_state_machine_as_test(store_machine(new_storage, durable=True), settings=SERVED)


def test_memory_store_over_http() -> None:
    machine = store_machine(lambda: lambda: served("memory:"), durable=False)
    run_state_machine_as_test(machine, settings=SERVED)
