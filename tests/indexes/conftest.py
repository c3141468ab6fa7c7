"""Indexes in OpenSearch that tests share a node for."""

from collections.abc import AsyncIterator, Iterator

import pytest

from indexes.opensearch_server import OpenSearchServer
from indexes.rewriting_proxy import RewritingProxy, rewriting_proxy


@pytest.fixture
def prefix(opensearch: OpenSearchServer) -> Iterator[str]:
    with opensearch.prefix() as prefix:
        yield prefix


@pytest.fixture
def url(opensearch: OpenSearchServer, prefix: str) -> str:
    return f"opensearch://{opensearch.address}/{prefix}"


@pytest.fixture
async def proxy(opensearch: OpenSearchServer) -> AsyncIterator[RewritingProxy]:
    async with rewriting_proxy(opensearch.address) as proxy:
        yield proxy
