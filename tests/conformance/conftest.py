"""Stores to put through the conformance suite: every engine, directly and over HTTP.

A storage is shared by the whole run, so it is not empty for long.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import pytest

from indelible import AsyncClient
from indelible.core.store import LocalEventStore
from indelible.engines.engine import Engine
from indelible.engines.memory import MemoryEngine
from indelible.engines.sqlite.engine import SqliteEngine
from indelible.eventstore import EventStore
from indelible.server.compose import http_app
from indelible.server.config import Address
from indelible.server.uvicorn_server import serving

ENGINES = ("memory", "sqlite")
TRANSPORTS = ("direct", "http")


@pytest.fixture(scope="session")
def memory_engine() -> Engine:
    return MemoryEngine()


@pytest.fixture(scope="session")
def sqlite_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sqlite") / "direct.db"


@pytest.fixture(scope="session")
def memory_server() -> Iterator[str]:
    with serving_in_a_thread(MemoryEngine()) as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_in_a_thread(SqliteEngine(tmp_path_factory.mktemp("sqlite") / "served.db")) as url:
        yield url


@contextmanager
def serving_in_a_thread(engine: Engine) -> Iterator[str]:
    """A server with an event loop of its own, which outlives those of single tests; gives its URL."""
    ready: Future[str] = Future()
    stop = asyncio.Event()

    async def serve() -> None:
        async with (
            LocalEventStore(engine) as store,
            serving(http_app(store), Address("127.0.0.1", 0), shutdown_grace_s=5) as url,
        ):
            ready.set_result(url)
            await stop.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield ready.result(timeout=30)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture(params=[f"{engine}-{transport}" for transport in TRANSPORTS for engine in ENGINES])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[EventStore]:
    engine, transport = request.param.split("-")
    async with _open(request, engine, transport) as opened:
        yield opened


def _open(request: pytest.FixtureRequest, engine: str, transport: str) -> AbstractAsyncContextManager[EventStore]:
    if transport == "http":
        return AsyncClient(request.getfixturevalue(f"{engine}_server"))
    if engine == "memory":
        return LocalEventStore(request.getfixturevalue("memory_engine"))
    return LocalEventStore(SqliteEngine(request.getfixturevalue("sqlite_path")))
