"""The stores that relays read: one in this process, servers, and one whose cursors are no numbers."""

from collections.abc import AsyncIterator

import pytest

from indelible import AsyncClient
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.eventstore import EventStore
from opaque_stores import VeiledStore
from serving import serving_in_a_thread


@pytest.fixture(params=["direct", "http", "grpc", "veiled"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[EventStore]:
    if request.param == "direct":
        async with LocalEventStore(MemoryEngine()) as store:
            yield store
    elif request.param == "veiled":
        async with VeiledStore() as store:
            yield store
    else:
        with serving_in_a_thread(LocalEventStore(MemoryEngine()), request.param) as url:
            async with AsyncClient(url, retry_total_s=1) as store:
                yield store
