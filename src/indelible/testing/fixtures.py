"""pytest fixtures for the tests of services that use Indelible; installed with the package as a pytest plugin.

Each test gets an empty store of its own, in memory, with the full interface of a client and the rules of a server::

    async def test_order_is_placed(event_store):
        await place_order(event_store, "42")
        assert (await event_store.get_aggregate("Order", "42")).version == 1

    def test_order_is_placed_from_a_script(event_store_client):
        place_order("42", client=event_store_client)

``event_store`` is an ordinary fixture: it works with pytest-asyncio and with anyio, and needs neither itself.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from indelible import AsyncClient, Client


@pytest.fixture
def event_store() -> "AsyncClient":
    """An :class:`indelible.AsyncClient` of an empty store in memory. It opens at the first call, in the test's loop."""
    from indelible import AsyncClient  # noqa: PLC0415 - a plugin that is not used should cost nothing

    return AsyncClient("memory:")


@pytest.fixture
def event_store_client() -> "Iterator[Client]":
    """An :class:`indelible.Client`, for code without an event loop, of an empty store in memory."""
    from indelible import Client  # noqa: PLC0415 - a plugin that is not used should cost nothing

    with Client("memory:") as client:
        yield client
