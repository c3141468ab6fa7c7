"""The groups of every store behave as a naive model does, whatever is done to them in what order."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from indelible import AsyncClient
from indelible.core.store import LocalEventStore
from indelible.engines.engine import Engine
from indelible.engines.memory import MemoryEngine
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.eventstore import EventStore
from indelible.testing.conformance.helpers import OpenStore
from indelible.testing.group_machine import ClockUs, consumer_group_machine
from serving import serving_in_a_thread


def _local(engine: Engine, clock_us: ClockUs) -> LocalEventStore:
    return LocalEventStore(engine, monotonic_us=clock_us)


def _in_memory(clock_us: ClockUs) -> OpenStore:
    return partial(_local, MemoryEngine(clock_us), clock_us)


@pytest.fixture
def new_file(tmp_path: Path) -> Callable[[ClockUs], OpenStore]:
    count = 0

    def new_file(clock_us: ClockUs) -> OpenStore:
        nonlocal count
        count += 1
        path = tmp_path / f"{count}.db"
        return lambda: _local(SqliteEngine(path, clock_us=clock_us), clock_us)

    return new_file


@asynccontextmanager
async def _served(store: LocalEventStore, transport: str) -> AsyncIterator[EventStore]:
    with serving_in_a_thread(store, transport) as url:
        async with AsyncClient(url) as client:
            yield client


def test_in_memory() -> None:
    run_state_machine_as_test(
        consumer_group_machine(_in_memory, durable=False), settings=settings(max_examples=250, stateful_step_count=40)
    )


def test_on_sqlite(new_file: Callable[[ClockUs], OpenStore]) -> None:
    run_state_machine_as_test(
        consumer_group_machine(new_file, durable=True), settings=settings(max_examples=30, stateful_step_count=30)
    )


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_over_a_transport(transport: str) -> None:
    def new_storage(clock_us: ClockUs) -> OpenStore:
        return lambda: _served(_local(MemoryEngine(clock_us), clock_us), transport)

    run_state_machine_as_test(
        consumer_group_machine(new_storage, durable=False), settings=settings(max_examples=3, stateful_step_count=30)
    )
