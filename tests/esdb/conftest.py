"""A server for clients of KurrentDB and EventStoreDB, over the memory engine; all tests here share its log."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from kurrentdbclient import KurrentDBClient

from cli.conftest import run
from indelible.core.open import open_local_store
from serving import serving_in_a_thread

__all__ = ["run"]


@pytest.fixture(scope="session")
def esdb_url() -> Iterator[str]:
    with serving_in_a_thread(open_local_store("memory:"), "esdb") as url:
        yield url


@pytest.fixture(scope="session")
def client(esdb_url: str) -> Iterator[KurrentDBClient]:
    client = KurrentDBClient(esdb_url)
    yield client
    client.close()


@pytest.fixture
def stream() -> str:
    return f"order-{uuid4()}"
