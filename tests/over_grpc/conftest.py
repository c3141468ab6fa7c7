"""A server over the memory engine for all tests here; they share its log."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from indelible.core.open import open_local_store
from over_grpc.calls import Api, connected
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
