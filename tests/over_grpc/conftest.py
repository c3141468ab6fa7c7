"""A server over the memory engine for all tests here; they share its log. A process of its own for who stops it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from faults.server_process import ServerProcess, server_process
from indelible.core.open import open_local_store
from over_grpc.calls import Api, connected
from postgres.server import free_port
from serving import serving_in_a_thread


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    with serving_in_a_thread(open_local_store("memory:"), "grpc") as url:
        yield url


@pytest.fixture
async def api(url: str) -> AsyncIterator[Api]:
    async with connected(url) as channel:
        yield Api(channel)


@pytest.fixture
def aggregate_id() -> str:
    return str(uuid4())


@pytest.fixture
def address() -> str:
    """Of ``server``."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
async def server(tmp_path: Path, address: str) -> AsyncIterator[ServerProcess]:
    async with server_process(tmp_path / "store.db", flags=("--grpc", address)) as server:
        yield server
