"""The service over an empty store in memory, for each test. ``event_store`` comes with Indelible: a store by itself."""

from collections.abc import AsyncGenerator

import pytest
from httpx import ASGITransport
from httpx import AsyncClient as Caller
from service import make_app


@pytest.fixture
async def api() -> AsyncGenerator[Caller]:
    app = make_app("memory:")
    async with app.router.lifespan_context(app), Caller(transport=ASGITransport(app), base_url="http://orders") as api:
        yield api
