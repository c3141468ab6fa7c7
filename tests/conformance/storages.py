"""What the conformance suites are run on: every storage, and every way to a store on it.

Another engine is put through all suites by one more :class:`Storage` here. No test asks for a name; what engines differ
in are their capabilities.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import pytest

from indelible import AsyncClient
from indelible.core.open import open_local_store
from indelible.diagnostics import Capabilities
from indelible.engines.memory import MemoryEngine
from indelible.engines.postgres.engine import PostgresEngine
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.eventstore import EventStore
from serving import serving_in_a_thread


@dataclass(frozen=True)
class Storage:
    """``new_url`` makes an empty one for the test, or for the session, that asks, and gives its URL."""

    name: str
    capabilities: Capabilities
    new_url: Callable[[pytest.FixtureRequest], str]

    def __str__(self) -> str:
        return self.name


def _new_file(request: pytest.FixtureRequest) -> str:
    return f"sqlite:{request.getfixturevalue('tmp_path_factory').mktemp('sqlite')}/log.db"


def _new_database(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("postgres").new_database()


STORAGES: Final = (
    Storage("memory", MemoryEngine.capabilities, lambda _: "memory:"),
    Storage("sqlite", SqliteEngine.capabilities, _new_file),
    Storage("postgres", PostgresEngine.capabilities, _new_database),
)
DURABLE: Final = tuple(storage for storage in STORAGES if storage.capabilities.durable)
SHARED: Final = tuple(storage for storage in STORAGES if storage.capabilities.many_processes)


@asynccontextmanager
async def _served(url: str, transport: str) -> AsyncIterator[EventStore]:
    with serving_in_a_thread(open_local_store(url), transport) as address:
        async with AsyncClient(address) as client:
            yield client


OpenByUrl = Callable[[str], AbstractAsyncContextManager[EventStore]]

TRANSPORTS: Final[Mapping[str, OpenByUrl]] = {
    "direct": partial(open_local_store, may_hold_loop=True),
    "http": lambda url: _served(url, "http"),
    "grpc": lambda url: _served(url, "grpc"),
}
"""Each opens a store on the storage that a URL names, and closes it."""
