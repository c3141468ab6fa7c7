"""What the conformance suites are run on: every storage, and every way to a store on it.

Another engine is put through all suites by one more :class:`Storage` here. No test asks for a name; what engines differ
in are their capabilities.
"""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import pytest

from indelible import AsyncClient
from indelible.core.open import open_local_store
from indelible.diagnostics import Capabilities
from indelible.engines.cassandra.engine import CassandraEngine
from indelible.engines.memory import MemoryEngine
from indelible.engines.postgres.engine import PostgresEngine
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.eventstore import EventStore
from serving import serving_in_a_thread

WITH_SLOW: Final = os.environ.get("INDELIBLE_SLOW_SUITES") == "1"
"""Whether all suites are run on all storages, over all transports: that takes an hour."""
_EVERY: Final = ("direct", "http", "grpc")


def _quick(*transports: str) -> tuple[str, ...]:
    """Over these, unless there is time for all."""
    return _EVERY if WITH_SLOW else transports


@dataclass(frozen=True)
class Storage:
    """``new_url`` makes an empty one for the test, or for the session, that asks, and gives its URL. ``transports``:
    over which stores on it are put through the suites; ``make conformance`` does so over all of them."""

    name: str
    capabilities: Capabilities
    new_url: Callable[[pytest.FixtureRequest], str]
    transports: tuple[str, ...] = _EVERY

    def __str__(self) -> str:
        return self.name


def _new_file(request: pytest.FixtureRequest) -> str:
    return f"sqlite:{request.getfixturevalue('tmp_path_factory').mktemp('sqlite')}/log.db"


def _new_database(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("postgres").new_database()


def _new_log(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("cassandra").new_url()


STORAGES: Final = (
    Storage("memory", MemoryEngine.capabilities, lambda _: "memory:"),
    Storage("sqlite", SqliteEngine.capabilities, _new_file),
    Storage("postgres", PostgresEngine.capabilities, _new_database),
    Storage("cassandra", CassandraEngine.capabilities, _new_log, transports=_quick()),
)
PARTITIONED: Final = (
    Storage(
        "memory of 3",
        MemoryEngine.capabilities,
        lambda _: "memory:?partitions=3",
        transports=_quick("direct", "http"),
    ),
    Storage(
        "postgres of 3",
        PostgresEngine.capabilities,
        lambda request: f"{_new_database(request)}?partitions=3",
        transports=_quick("direct"),
    ),
    Storage(
        "cassandra of 3",
        CassandraEngine.capabilities,
        lambda request: f"{_new_log(request)}&partitions=3",
        transports=_quick(),
    ),
)
"""Stores of several partitions."""
MODELLED: Final = STORAGES if WITH_SLOW else tuple(storage for storage in STORAGES if storage.transports)
"""Those that state machines are run on."""
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
