"""A server that the tests of the document and of the page share, and its document."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from indelible.core.open import open_local_store
from indelible.search import FieldType
from rest.calls import Api, connected
from serving import serving_in_a_thread

FIELDS: Mapping[str, FieldType] = {"event_data.customer.id": "string", "event_data.total": "number"}
"""Of the query index: those of the examples."""


@pytest.fixture(scope="session")
def shared_url() -> Iterator[str]:
    with serving_in_a_thread(open_local_store("memory:"), fields=FIELDS) as url:
        yield url


@pytest.fixture
def api(shared_url: str) -> Iterator[Api]:
    with connected(shared_url) as api:
        yield api


@pytest.fixture(scope="session")
def document(shared_url: str) -> dict[str, Any]:
    with connected(shared_url) as api:
        answer = api.get("/openapi.json")
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        return answer.json


@pytest.fixture(scope="session")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By "GET /path"."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
