"""A server over the memory engine for all tests here; they share its log."""

from collections.abc import Iterator

import pytest

from indelible.core.open import open_local_store
from rest.calls import Api, connected
from serving import serving_in_a_thread


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    with serving_in_a_thread(open_local_store("memory:")) as url:
        yield url


@pytest.fixture
def api(url: str) -> Iterator[Api]:
    with connected(url) as api:
        yield api


@pytest.fixture
def unchanged(api: Api) -> Iterator[Api]:
    """The same connection must still serve at the end, and the log must be what it was."""
    before = api.head_position()
    yield api
    assert api.head_position() == before
