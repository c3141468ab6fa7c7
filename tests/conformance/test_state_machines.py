"""Every engine, directly and over HTTP, behaves as the reference model does, whatever is done to it in what order."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from conformance.storages import MODELLED, Storage
from indelible.testing.conformance.helpers import OpenStore, make_engine
from indelible.testing.state_machine import engine_machine, group_machine, store_machine

# Each step of a durable engine waits for the disk, and each example over HTTP for a server to start and stop.
EXAMPLES = settings(max_examples=12, stateful_step_count=24)


@pytest.fixture(params=MODELLED, ids=str)
def storage(request: pytest.FixtureRequest) -> Storage:
    return request.param


def test_engine(new_url: Callable[[], str]) -> None:
    run_state_machine_as_test(engine_machine(lambda: make_engine(new_url())), settings=EXAMPLES)


def test_groups(new_url: Callable[[], str]) -> None:
    run_state_machine_as_test(group_machine(lambda: make_engine(new_url())), settings=EXAMPLES)


def test_store(new_storage: Callable[[], OpenStore], storage: Storage) -> None:
    machine = store_machine(new_storage, durable=storage.capabilities.durable)
    run_state_machine_as_test(machine, settings=EXAMPLES)
