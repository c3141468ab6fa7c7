"""Stores to put through the suites: on every storage, over every transport."""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from conformance.storages import STORAGES, TRANSPORTS, Storage
from indelible import AsyncClient
from indelible.core.open import open_local_store
from indelible.eventstore import EventStore
from indelible.testing.conformance.helpers import OpenStore
from serving import serving_in_a_thread


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A storage that takes its time is not asked over every transport."""
    left_out = [item for item in items if not _is_asked(getattr(item, "callspec", None))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _is_asked(call: Any) -> bool:
    storage, transport = (call.params.get(name) for name in ("storage", "transport")) if call else (None, None)
    return storage is None or transport is None or transport in storage.transports


@pytest.fixture(params=STORAGES, ids=str)
def storage(request: pytest.FixtureRequest) -> Storage:
    return request.param


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def new_url(request: pytest.FixtureRequest, storage: Storage) -> Callable[[], str]:
    """Makes an empty storage each time it is called."""
    return lambda: storage.new_url(request)


@pytest.fixture
def new_storage(new_url: Callable[[], str], transport: str) -> Callable[[], OpenStore]:
    """Makes an empty storage each time it is called, and gives what opens stores on it."""

    def new_storage() -> OpenStore:
        url = new_url()
        return lambda: TRANSPORTS[transport](url)

    return new_storage


@pytest.fixture
def open_store(new_storage: Callable[[], OpenStore]) -> OpenStore:
    return new_storage()


@pytest.fixture(scope="session")
def shared_url(request: pytest.FixtureRequest) -> Callable[[Storage, str], str]:
    """The URL of a storage, or of a server over it, that the whole run shares: a durable one is not empty for long."""

    @cache
    def shared_url(storage: Storage, transport: str) -> str:
        url = storage.new_url(request)
        if transport == "direct":
            return url
        server = ExitStack()
        # Of the session, not of this fixture: what the storage needs was set up later than that, so it ends first.
        request.session.addfinalizer(server.close)
        return server.enter_context(serving_in_a_thread(open_local_store(url), transport))

    return shared_url


@pytest.fixture
async def store(
    storage: Storage, transport: str, shared_url: Callable[[Storage, str], str]
) -> AsyncIterator[EventStore]:
    url = shared_url(storage, transport)
    async with TRANSPORTS["direct"](url) if transport == "direct" else AsyncClient(url) as store:
        yield store
